#include "../workloads.h"
#include "descriptor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace bench {

namespace {

/// What a readiness program does instead of a receive that goes pending: the attempt that finds
/// nothing, the send, the notification, the receive.
class SendRecv : public Workload {
public:
    bool set_up() override
    {
        if (!connect_pair(m_client, m_server) || fcntl(m_server.get(), F_SETFL, O_NONBLOCK))
            return fail("making a connection");
        m_epoll = watch_input(m_server.get());
        return expect(m_epoll.is_valid(), "epoll_ctl");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const uint64_t sent = i * 0x9E3779B97F4A7C15;
            uint64_t received = 0;
            epoll_event event;
            if (recv(m_server.get(), &received, sizeof(received), 0) != -1 || errno != EAGAIN)
                return fail("recv with nothing to receive");
            if (send(m_client.get(), &sent, sizeof(sent), MSG_NOSIGNAL) != sizeof(sent))
                return fail("send");
            if (epoll_wait(m_epoll.get(), &event, 1, -1) != 1)
                return fail("epoll_wait");
            if (recv(m_server.get(), &received, sizeof(received), 0) != sizeof(received)
                || received != sent)
                return fail("recv");
        }
        return true;
    }

private:
    UniqueDescriptor m_client;
    UniqueDescriptor m_server;
    UniqueDescriptor m_epoll;
};

/// A whole connection: connect, the notification, accept, both ends closed.
class AcceptNotified : public Workload {
public:
    bool set_up() override
    {
        m_listener.reset(listen_on_loopback(m_address));
        m_epoll = watch_input(m_listener.get());
        return expect(m_listener.is_valid() && m_epoll.is_valid(), "making a listener");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            UniqueDescriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            epoll_event event;
            if (connect(client.get(), reinterpret_cast<sockaddr*>(&m_address), sizeof(m_address)))
                return fail("connect");
            if (epoll_wait(m_epoll.get(), &event, 1, -1) != 1)
                return fail("epoll_wait");
            const UniqueDescriptor accepted(
                accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!accepted.is_valid() || !close_with_reset(client.release()))
                return fail("accept4");
        }
        return true;
    }

private:
    UniqueDescriptor m_listener;
    UniqueDescriptor m_epoll;
    sockaddr_in m_address = {};
};

} // namespace

std::vector<WorkloadRow> overlapped_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "overlapped_send_recv", us, create<SendRecv> },
        { "acceptex_iocp", us, create<AcceptNotified> },
    };
}

} // namespace bench
