// The services by which threads and the process end, and threads are stopped.
#include <iterator>

#include "nt/publish.h"
#include "unix/host_services.h"
#include "unix/host_threads.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/uninterrupted.h"

namespace services {

namespace {

NTSTATUS terminate_thread(HANDLE thread, NTSTATUS exit_status)
{
    // By its pseudo handle a thread means itself, and this is its last moment to ask the host.
    if (thread == nt::current_thread() || !thread) {
        {
            const unix_side::Uninterrupted section;
            host_threads::end_current();
        }
        return host::terminate_thread(thread, exit_status);
    }
    const unix_side::Uninterrupted section;
    return host_threads::stop(thread, exit_status);
}

/// The host sends a signal. What is set or posted after this is nothing that the thread takes.
NTSTATUS suspend_thread(HANDLE thread, ULONG* count)
{
    const NTSTATUS status = host::suspend_thread(thread, count);
    if (NT_SUCCESS(status))
        host_threads::await_withdrawal(thread);
    return status;
}

NTSTATUS terminate_process(HANDLE process, NTSTATUS exit_status)
{
    // The other threads are killed now, wherever they are; what closes handles after that must find
    // no lock of theirs.
    if (!process) {
        const unix_side::Uninterrupted section;
        program_events::move_all_to_host();
        service_table::give_back();
    }
    return host::terminate_process(process, exit_status);
}

const service_table::Row kRows[] = {
    service_table::row<suspend_thread>("NtSuspendThread"),
    service_table::row<terminate_thread>("NtTerminateThread"),
    service_table::row<terminate_process>("NtTerminateProcess"),
};

} // namespace

Rows thread_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
