#include "../connection.h"
#include "../workloads.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <cerrno>

namespace bench {

namespace {

/// A whole connection as an event loop makes it: a connect that does not wait, epoll tells of both
/// ends, accept4, eight bytes, both ends closed.
class NotifiedConnection : public Workload {
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
            UniqueSocket client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            UniqueSocket server;
            if (!start_connect(client) || !finish(client, server)
                || !use_and_close(client, server, i))
                return false;
        }
        return true;
    }

private:
    bool start_connect(const UniqueSocket& client)
    {
        if (connect(client.get(), reinterpret_cast<sockaddr*>(&m_address), sizeof(m_address))
            && errno != EINPROGRESS)
            return fail("connect");
        epoll_event event = {};
        event.events = EPOLLOUT | EPOLLONESHOT;
        event.data.u64 = kClient; // The listener has 0.
        return expect(!epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, client.get(), &event), "epoll_ctl");
    }
    /// Both events, in any order.
    bool finish(const UniqueSocket& client, UniqueSocket& server)
    {
        bool is_connected = false;
        while (!is_connected || !server.is_valid()) {
            epoll_event event;
            if (epoll_wait(m_epoll.get(), &event, 1, -1) != 1)
                return fail("epoll_wait");
            if (event.data.u64 == kClient) {
                int error = -1;
                socklen_t length = sizeof(error);
                is_connected = !getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &length);
                if (!is_connected || error)
                    return fail("connect");
            } else {
                server.reset(accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
                if (!server.is_valid())
                    return fail("accept4");
            }
        }
        return true;
    }

    static constexpr uint64_t kClient = 1;

    UniqueSocket m_listener;
    UniqueDescriptor m_epoll;
    sockaddr_in m_address = {};
};

} // namespace

std::vector<WorkloadRow> connection_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "connect_accept_close", us, create<ConnectAcceptClose> },
        { "connectex_acceptex_close", us, create<NotifiedConnection> },
    };
}

} // namespace bench
