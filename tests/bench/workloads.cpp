#include "workloads.h"

namespace bench {

std::vector<WorkloadRow> all_workloads()
{
    std::vector<WorkloadRow> rows;
    for (const auto& part : {
             event_workloads(),
             event_select_workloads(),
             transfer_workloads(),
             event_echo_workloads(),
             readiness_workloads(),
             overlapped_workloads(),
             overlapped_echo_workloads(),
             iocp_echo_workloads(),
             iocp_bulk_workloads(),
             udp_overlapped_workloads(),
             afd_poll_echo_workloads(),
             notification_echo_workloads(),
             rio_workloads(),
             port_workloads(),
             connection_workloads(),
             socket_workloads(),
             process_workloads(),
         })
        rows.insert(rows.end(), part.begin(), part.end());
    return rows;
}

} // namespace bench
