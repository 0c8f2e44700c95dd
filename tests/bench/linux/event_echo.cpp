#include "../workloads.h"
#include "descriptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <algorithm>
#include <array>
#include <thread>

namespace bench {

namespace {

/// The echo server as one writes it for epoll: wait, receive once, send the same back. Serves until
/// every client has closed.
class EventLoop {
public:
    ~EventLoop()
    {
        if (m_thread.joinable())
            m_thread.join();
    }
    bool add(UniqueDescriptor socket)
    {
        if (!m_epoll.is_valid())
            m_epoll.reset(epoll_create1(EPOLL_CLOEXEC));
        epoll_event event = {};
        event.events = EPOLLIN;
        event.data.u64 = m_sockets.size();
        m_sockets.push_back(std::move(socket));
        return !epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, m_sockets.back().get(), &event);
    }
    void start()
    {
        m_open = m_sockets.size();
        m_thread = std::thread([this] {
            while (m_open && serve_some()) { }
            m_sockets.clear();
        });
    }

private:
    bool serve_some()
    {
        epoll_event events[64];
        const int count = epoll_wait(m_epoll.get(), events, 64, -1);
        for (int i = 0; i < count; ++i) {
            UniqueDescriptor& socket = m_sockets[events[i].data.u64];
            char buffer[4096];
            const ssize_t received = recv(socket.get(), buffer, sizeof(buffer), 0);
            if (received > 0) {
                if (send(socket.get(), buffer, static_cast<size_t>(received), MSG_NOSIGNAL)
                    != received)
                    return fail("the server's send");
            } else {
                socket.reset();
                --m_open;
            }
        }
        return expect(count > 0, "the server's epoll_wait");
    }

    UniqueDescriptor m_epoll;
    std::vector<UniqueDescriptor> m_sockets;
    size_t m_open = 0;
    std::thread m_thread;
};

class RoundTrip : public Workload {
public:
    ~RoundTrip() override { m_client.reset(); }

    bool set_up() override
    {
        UniqueDescriptor server;
        if (!connect_pair(m_client, server) || !m_server.add(std::move(server)))
            return fail("making a connection");
        m_epoll = watch_input(m_client.get());
        m_server.start();
        return expect(m_epoll.is_valid(), "epoll_ctl");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const uint64_t sent = i * 0x9E3779B97F4A7C15;
            uint64_t received = 0;
            epoll_event event;
            if (send(m_client.get(), &sent, sizeof(sent), MSG_NOSIGNAL) != sizeof(sent))
                return fail("the client's send");
            if (epoll_wait(m_epoll.get(), &event, 1, -1) != 1)
                return fail("the client's epoll_wait");
            if (recv(m_client.get(), &received, sizeof(received), 0) != sizeof(received)
                || received != sent)
                return fail("the client's recv");
        }
        return true;
    }

private:
    EventLoop m_server;
    UniqueDescriptor m_client;
    UniqueDescriptor m_epoll;
};

class Throughput : public Workload {
public:
    explicit Throughput(unsigned connections)
        : m_clients(connections)
    {
    }
    ~Throughput() override { m_clients.clear(); }

    bool set_up() override
    {
        sockaddr_in address;
        const UniqueDescriptor listener(listen_on_loopback(address));
        for (UniqueDescriptor& client : m_clients) {
            UniqueDescriptor server;
            if (!connect_pair(listener.get(), address, client, server)
                || !m_server.add(std::move(server)))
                return fail("making a connection");
        }
        m_server.start();
        return true;
    }
    bool run(uint64_t iterations) override
    {
        Message sent;
        Message received;
        for (uint64_t first = 0; first < iterations; first += m_clients.size()) {
            const size_t count = std::min<uint64_t>(m_clients.size(), iterations - first);
            for (size_t i = 0; i < count; ++i) {
                sent.fill(first + i);
                if (!send_all(m_clients[i].get(), &sent, sizeof(sent)))
                    return fail("the client's send");
            }
            for (size_t i = 0; i < count; ++i) {
                sent.fill(first + i);
                if (!recv_all(m_clients[i].get(), &received, sizeof(received)) || received != sent)
                    return fail("the client's recv");
            }
        }
        return true;
    }

private:
    using Message = std::array<uint64_t, 8>;

    EventLoop m_server;
    std::vector<UniqueDescriptor> m_clients;
};

} // namespace

std::vector<WorkloadRow> event_echo_workloads()
{
    return {
        { "event_echo_rtt", Unit::MicrosecondsPerOperation, create<RoundTrip> },
        { "event_echo_throughput_1", Unit::OperationsPerSecond, create_with<Throughput>, 1 },
        { "event_echo_throughput_8", Unit::OperationsPerSecond, create_with<Throughput>, 8 },
        { "event_echo_throughput_64", Unit::OperationsPerSecond, create_with<Throughput>, 64 },
    };
}

} // namespace bench
