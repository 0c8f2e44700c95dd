// The event services, as far as they are about an event of the process'; every other handle is the
// host's. Besides, what gives an event to the host for it to set.
#include <iterator>

#include "ke/event.h"
#include "ke/user_memory.h"
#include "nt/probe.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/uninterrupted.h"

namespace services {

namespace {

using Before = ke::DispatcherObject::Before;

/// Changes an event of the process'. Away: there is none with this handle, and nothing has
/// happened. `at_once` changes it where that takes no lock, `with_lock` in any case.
template <typename AtOnce, typename WithLock>
Before change(HANDLE handle, AtOnce at_once, WithLock with_lock)
{
    {
        const ob::ReadSection section;
        ke::Event* event = program_events::find(section, handle, EVENT_MODIFY_STATE);
        if (!event)
            return Before::Away;
        Before before;
        if (at_once(event->state(), before))
            return before;
    }
    const unix_side::Uninterrupted section;
    ob::Ref<ke::Event> event;
    if (!NT_SUCCESS(ob::HandleTable::current().reference(handle, EVENT_MODIFY_STATE, event)))
        return Before::Away;
    const Before before = with_lock(event->state());
    event.reset();
    return before;
}

} // namespace

ke::DispatcherObject::Before set_event_of_process(HANDLE handle)
{
    return change(
        handle,
        [](ke::DispatcherObject& state, Before& before) { return state.set_at_once(before); },
        [](ke::DispatcherObject& state) { return state.set(); });
}

namespace {

Before reset(HANDLE handle)
{
    return change(
        handle,
        [](ke::DispatcherObject& state, Before& before) { return state.reset_at_once(before); },
        [](ke::DispatcherObject& state) { return state.reset(); });
}

Before pulse(HANDLE handle)
{
    return change(
        handle, [](ke::DispatcherObject&, Before&) { return false; },
        [](ke::DispatcherObject& state) { return state.pulse(); });
}

/// A service that changes an event and tells the state before.
template <Before (*change_ours)(HANDLE), const auto& service>
NTSTATUS change_event(HANDLE handle, LONG* previous)
{
    if (previous) {
        if (const NTSTATUS status = nt::probe_value(previous); !NT_SUCCESS(status))
            return status;
    }
    const ob::OutsideUse use(handle);
    const Before before = change_ours(handle);
    if (before == Before::Away)
        return service(handle, previous);
    const LONG was_signaled = before == Before::Signaled;
    return !previous || ke::write_user_value(previous, was_signaled) ? STATUS_SUCCESS
                                                                     : STATUS_ACCESS_VIOLATION;
}

NTSTATUS clear_event(HANDLE handle)
{
    const ob::OutsideUse use(handle);
    return reset(handle) == Before::Away ? host::clear_event(handle) : STATUS_SUCCESS;
}

/// False: the event is not the process'.
bool query(HANDLE handle, EventBasicInformation& basic)
{
    const unix_side::Uninterrupted section;
    ob::Ref<ke::Event> event;
    if (!NT_SUCCESS(ob::HandleTable::current().reference(handle, EVENT_QUERY_STATE, event)))
        return false;
    ke::DispatcherObject& state = event->state();
    state.lock(); // one that is being attached has no state yet
    basic = { event->event_type(), state.is_signaled() };
    const bool is_here = !state.is_away();
    state.unlock();
    event.reset();
    return is_here;
}

NTSTATUS query_event(
    HANDLE handle, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length)
{
    const ob::OutsideUse use(handle);
    EventBasicInformation basic;
    if (info_class != kEventBasicInformation || info_length != sizeof(basic)
        || !query(handle, basic))
        return host::query_event(handle, info_class, info, info_length, returned_length);
    if (!ke::write_user(info, &basic, sizeof(basic))
        || (returned_length && !ke::write_user_value(returned_length, ULONG { sizeof(basic) })))
        return STATUS_ACCESS_VIOLATION;
    return STATUS_SUCCESS;
}

/// A service that gives the host an event to set, as its second argument.
template <const auto& service, typename Signature> struct WithEvent;
template <const auto& service, typename... Rest>
struct WithEvent<service, NTSTATUS(HANDLE, HANDLE, Rest...)> {
    static NTSTATUS call(HANDLE file, HANDLE event, Rest... rest)
    {
        const program_events::HostUse use(event);
        return NT_SUCCESS(use.status()) ? service(file, event, rest...) : use.status();
    }
};

NTSTATUS notify_change_multiple_keys(HANDLE key, ULONG count, OBJECT_ATTRIBUTES* attributes,
    HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context, IO_STATUS_BLOCK* iosb, ULONG filter,
    BOOLEAN with_subkeys, PVOID buffer, ULONG length, BOOLEAN is_asynchronous)
{
    const program_events::HostUse use(event);
    if (!NT_SUCCESS(use.status()))
        return use.status();
    return host::notify_change_multiple_keys(key, count, attributes, event, apc, apc_context, iosb,
        filter, with_subkeys, buffer, length, is_asynchronous);
}

template <const auto& service, typename Signature> service_table::Row row_with_event()
{
    return service_table::row<WithEvent<service, Signature>::call>(
        service.name, service_table::Recorded::OfKnownHandles);
}

const service_table::Row kRows[] = {
    service_table::row<change_event<set_event_of_process, host::set_event>>("NtSetEvent"),
    service_table::row<change_event<reset, host::reset_event>>("NtResetEvent"),
    service_table::row<change_event<pulse, host::pulse_event>>("NtPulseEvent"),
    service_table::row<clear_event>("NtClearEvent"),
    service_table::row<query_event>("NtQueryEvent"),
    row_with_event<host::fs_control, decltype(NtFsControlFile)>(),
    row_with_event<host::lock_file, decltype(NtLockFile)>(),
    row_with_event<host::query_directory, decltype(NtQueryDirectoryFile)>(),
    row_with_event<host::notify_change_directory, decltype(NtNotifyChangeDirectoryFile)>(),
    row_with_event<host::notify_change_key, decltype(NtNotifyChangeKey)>(),
    row_with_event<host::read_file_scatter, decltype(NtReadFileScatter)>(),
    row_with_event<host::write_file_gather, decltype(NtWriteFileGather)>(),
    service_table::row<notify_change_multiple_keys>("NtNotifyChangeMultipleKeys"),
};

} // namespace

Rows event_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
