#include "workloads.h"
#include "afd_poller.h"
#include "readiness_echo.h"

namespace bench {

std::vector<WorkloadRow> afd_poll_echo_workloads()
{
    using AfdPollEcho = Echo<ReadinessServer<AfdPoller>, ReadinessClients<AfdPoller>>;
    return { { "afd_poll_echo_64", Unit::OperationsPerSecond, create_with<AfdPollEcho>, 64 } };
}

} // namespace bench
