#include "emulated_event.h"

#include <algorithm>

#include "environment.h"
#include "kernel.h"

namespace ws2::emulated_event {

namespace {

NTSTATUS call(ntke::Call code, HANDLE event)
{
    ntke::EventArgs args { .event = afd::ptr64(event), .host_event = 0 };
    return emulation::call(code, &args);
}

/// 100 ns units as the call takes them.
int64_t timeout_value(const LARGE_INTEGER* timeout)
{
    return timeout ? timeout->QuadPart : INT64_MAX;
}

NTSTATUS wait_in_process(ULONG count, const HANDLE* handles, WaitType type, int64_t timeout)
{
    uint64_t values[MAXIMUM_WAIT_OBJECTS];
    std::transform(handles, handles + count, values,
        [](HANDLE handle) { return afd::ptr64(handle) & ~uint64_t { 3 }; });
    ntke::EventWaitArgs args {
        .handles = afd::ptr64(values), .count = count, .type = type, .timeout = timeout
    };
    return emulation::call(ntke::kCallEventWait, &args);
}

} // namespace

bool is_wanted()
{
    static EnvironmentSwitch wanted(L"WS2_32_EVENTS", L"emulated");
    return wanted.is_on() && emulation::is_on();
}

NTSTATUS create(HANDLE* event)
{
    ntke::EventArgs args {};
    const NTSTATUS status = emulation::call(ntke::kCallEventCreate, &args);
    *event = reinterpret_cast<HANDLE>(args.event);
    return status;
}

NTSTATUS close(HANDLE event)
{
    return call(ntke::kCallEventClose, event);
}

NTSTATUS set(HANDLE event)
{
    return call(ntke::kCallEventSet, event);
}

NTSTATUS reset(HANDLE event)
{
    return call(ntke::kCallEventReset, event);
}

NTSTATUS wait(
    ULONG count, HANDLE* handles, WaitType type, bool alertable, const LARGE_INTEGER* timeout)
{
    const bool is_pure = std::all_of(handles, handles + count, is_emulated);
    if (is_pure) {
        // An alertable wait is the host's to make, but one that is satisfied at once runs no APC.
        const NTSTATUS status
            = wait_in_process(count, handles, type, alertable ? 0 : timeout_value(timeout));
        if (status != ntke::kPassDown && !(alertable && status == STATUS_TIMEOUT))
            return status;
    }
    for (ULONG i = 0; i < count; ++i) {
        if (!is_emulated(handles[i]))
            continue;
        handles[i] = host_handle(handles[i]);
        if (!handles[i])
            return STATUS_INVALID_HANDLE;
    }
    return kernel::wait_multiple(count, handles, type, alertable, timeout);
}

HANDLE host_handle(HANDLE event)
{
    ntke::EventArgs args { .event = afd::ptr64(event) & ~uint64_t { 3 }, .host_event = 0 };
    const NTSTATUS status = emulation::call(ntke::kCallEventConvert, &args);
    return NT_SUCCESS(status) ? reinterpret_cast<HANDLE>(args.host_event) : nullptr;
}

} // namespace ws2::emulated_event
