#include "../readiness_echo.h"
#include "../workloads.h"
#include "epoll_poller.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

namespace bench {

namespace {

/// A word told to an event loop and taken out of it: an eventfd that epoll watches.
class PostGet : public Workload {
public:
    bool set_up() override
    {
        m_event.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        return expect(m_poller.open() && m_poller.watch(m_event.get(), 0), "watching an eventfd");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            size_t ready = 1;
            uint64_t value = 0;
            if (eventfd_write(m_event.get(), i + 1))
                return fail("eventfd_write");
            if (m_poller.wait(&ready, 1) != 1 || ready || eventfd_read(m_event.get(), &value)
                || value != i + 1)
                return fail("epoll_wait, eventfd_read");
        }
        return true;
    }

private:
    EpollPoller m_poller;
    UniqueDescriptor m_event;
};

/// Messages through a local socket, which is a pipe of two directions, to a server whose epoll also
/// watches a TCP socket.
class SharedEpollPipe : public Workload {
public:
    bool set_up() override
    {
        UniqueSocket client;
        UniqueSocket server;
        if (!connect_pair(client, server) || !m_server.add(std::move(server))
            || !m_clients.add(std::move(client)))
            return fail("making a connection");
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
            return fail("socketpair");
        UniqueSocket pipe(ends[1]);
        return m_pipe.add(UniqueSocket(ends[0])) && m_server.add(std::move(pipe))
            && expect(m_server.start(), "starting the server") && verify();
    }
    bool run(uint64_t iterations) override { return m_pipe.run(iterations); }
    bool verify() override { return m_clients.run(1); }

private:
    ReadinessServer<EpollPoller> m_server;
    BlockingClients m_clients; // These go before the server, so that the server ends.
    BlockingClients m_pipe;
};

} // namespace

std::vector<WorkloadRow> port_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "port_post_get", us, create<PostGet> },
        { "pipe_echo_on_shared_port", us, create<SharedEpollPipe> },
    };
}

} // namespace bench
