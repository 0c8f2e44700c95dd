#pragma once

// The workloads by noun, of the Windows program or the native one. Names are part of the JSON the
// driver writes.

#include "measure.h"

namespace bench {

std::vector<WorkloadRow> event_workloads();
std::vector<WorkloadRow> event_select_workloads();
std::vector<WorkloadRow> transfer_workloads();
std::vector<WorkloadRow> event_echo_workloads();
std::vector<WorkloadRow> readiness_workloads();
std::vector<WorkloadRow> overlapped_workloads();
std::vector<WorkloadRow> overlapped_echo_workloads();
std::vector<WorkloadRow> iocp_echo_workloads();
std::vector<WorkloadRow> iocp_bulk_workloads();
std::vector<WorkloadRow> udp_overlapped_workloads();
std::vector<WorkloadRow> afd_poll_echo_workloads();
std::vector<WorkloadRow> notification_echo_workloads();
std::vector<WorkloadRow> rio_workloads();
std::vector<WorkloadRow> port_workloads();
std::vector<WorkloadRow> connection_workloads();
std::vector<WorkloadRow> socket_workloads();
std::vector<WorkloadRow> process_workloads();

/// All of them, in the order of the tables.
std::vector<WorkloadRow> all_workloads();

/// The argument with which process_start runs this program again: start up, clean up, exit.
inline constexpr char kStartAndExit[] = "--start-and-exit";

} // namespace bench
