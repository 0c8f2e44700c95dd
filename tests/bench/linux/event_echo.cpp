#include "../readiness_echo.h"
#include "../workloads.h"
#include "epoll_poller.h"

#include <sys/epoll.h>
#include <sys/socket.h>

namespace bench {

namespace {

using EventLoop = ReadinessServer<EpollPoller>;

class RoundTrip : public Workload {
public:
    ~RoundTrip() override { m_client.reset(); }

    bool set_up() override
    {
        UniqueDescriptor server;
        if (!connect_pair(m_client, server) || !m_server.add(std::move(server)))
            return fail("making a connection");
        m_epoll = watch_input(m_client.get());
        return expect(m_epoll.is_valid() && m_server.start(), "epoll_ctl");
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

using Throughput = Echo<EventLoop, BlockingClients>;

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
