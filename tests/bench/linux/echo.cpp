// The counterparts of the echo workloads on overlapped requests and completion ports: Linux has one
// means for all of them.

#include "../readiness_echo.h"
#include "../workloads.h"
#include "epoll_poller.h"

namespace bench {

namespace {

template <unsigned Threads = 1>
using EpollEcho = Echo<ReadinessServer<EpollPoller, Threads>, ReadinessClients<EpollPoller>>;

constexpr Unit us = Unit::MicrosecondsPerOperation;
constexpr Unit per_second = Unit::OperationsPerSecond;

} // namespace

std::vector<WorkloadRow> overlapped_echo_workloads()
{
    return { { "overlapped_event_echo", us, create_with<EpollEcho<>>, 1 } };
}

std::vector<WorkloadRow> iocp_echo_workloads()
{
    return {
        { "iocp_echo_rtt", us, create_with<EpollEcho<>>, 1 },
        { "iocp_echo_rtt_skip", us, create_with<EpollEcho<>>, 1 },
        { "iocp_echo_throughput_64", per_second, create_with<EpollEcho<>>, 64 },
        { "iocp_echo_throughput_64_skip", per_second, create_with<EpollEcho<>>, 64 },
        { "iocp_echo_64_threads_4", per_second, create_with<EpollEcho<4>>, 64 },
    };
}

std::vector<WorkloadRow> afd_poll_echo_workloads()
{
    return { { "afd_poll_echo_64", per_second, create_with<EpollEcho<>>, 64 } };
}

} // namespace bench
