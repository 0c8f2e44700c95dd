// The wait services. A wait for events of the process' is ke's; what it waits for besides is the
// host's (unix/wait_place.h). A handle of a socket or a port is waited for on the host, too, so
// that it goes together with any other object.
#include <iterator>
#include <utility>

#include "ke/event.h"
#include "ke/timeline.h"
#include "ke/user_memory.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/uninterrupted.h"
#include "unix/wait_place.h"

namespace services {

namespace {

/// A wait for any that is satisfied at once. STATUS_PENDING: it is not, or not all are ours.
NTSTATUS take_at_once(const HANDLE* handles, ULONG count)
{
    const ob::ReadSection section;
    ke::Event* signaled = nullptr;
    ULONG index = 0;
    for (ULONG i = 0; i < count; ++i) {
        ke::Event* event = program_events::find(section, handles[i], SYNCHRONIZE);
        if (!event)
            return STATUS_PENDING;
        if (!signaled && event->peek()) {
            signaled = event;
            index = i;
        }
    }
    return signaled && signaled->state().try_satisfy()
        ? STATUS_WAIT_0 + static_cast<NTSTATUS>(index)
        : STATUS_PENDING;
}

NTSTATUS wait_for_handles(const HANDLE* handles, ULONG count, WaitType type, bool is_alertable,
    const LARGE_INTEGER* timeout)
{
    const ke::DueTime due = ke::DueTime::from_timeout(timeout);
    LARGE_INTEGER rest;
    for (;; timeout = due.to_timeout(rest)) {
        Waited waited(handles, count);
        NTSTATUS status;
        if (waited.has_ours()) {
            HostPlace place(waited.handles(), is_alertable);
            status = wait_for(waited, place, type, is_alertable, due);
        } else {
            look_away(timeout);
            status = host::wait_for_multiple_objects(
                count, waited.handles().host_handles, type, is_alertable, timeout);
        }
        if (status != STATUS_REPARSE)
            return status;
    }
}

NTSTATUS wait_for_single_object(HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    if (NTSTATUS status = take_at_once(&handle, 1); status != STATUS_PENDING)
        return status;
    {
        // What ntke does not know is the host's, whatever the time-out is.
        const ob::OutsideUse use(handle);
        bool is_known;
        {
            const ob::ReadSection section;
            is_known = ob::HandleTable::current().find(section, handle).object;
        }
        if (!is_known) {
            look_away(timeout);
            return host::wait_for_single_object(handle, alertable, timeout);
        }
    }
    LARGE_INTEGER time {};
    if (timeout && !ke::read_user(&time, timeout, sizeof(time)))
        return STATUS_ACCESS_VIOLATION;
    return wait_for_handles(&handle, 1, kWaitAny, alertable, timeout ? &time : nullptr);
}

NTSTATUS wait_for_multiple_objects(ULONG count, const HANDLE* handles, WaitType type,
    BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    HANDLE copy[MAXIMUM_WAIT_OBJECTS];
    LARGE_INTEGER time {};
    if (type != kWaitAny && type != kWaitAll && count && count <= std::size(copy))
        return STATUS_INVALID_PARAMETER_3; // [NtWait/7]
    if (!count || count > std::size(copy) || !ke::read_user(copy, handles, count * sizeof(HANDLE))
        || (timeout && !ke::read_user(&time, timeout, sizeof(time))))
        return host::wait_for_multiple_objects(count, handles, type, alertable, timeout);
    if (ke::timeline::is_on())
        ke::timeline::note_handles(copy, count);
    if (type == kWaitAny || count == 1) {
        if (const NTSTATUS status = take_at_once(copy, count); status != STATUS_PENDING)
            return status;
    }
    return wait_for_handles(copy, count, type, alertable, timeout ? &time : nullptr);
}

NTSTATUS delay_execution(BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    look_away(timeout);
    return host::delay_execution(alertable, timeout);
}

NTSTATUS yield_execution()
{
    look_around();
    return host::yield_execution();
}

/// The host signals an object of its own in the same moment as it begins to wait, or looks.
class SignalingPlace final : public HostPlace {
public:
    SignalingPlace(const WaitHandles& handles, bool is_alertable, HANDLE signal)
        : HostPlace(handles, is_alertable)
        , m_signal(signal)
    {
    }
    bool has_others() const override { return m_signal; }
    /// Gives the signal if nobody had to ask the host for anything.
    NTSTATUS signal()
    {
        const unix_side::Uninterrupted section;
        const NTSTATUS status = check_others(0);
        return status == STATUS_PENDING ? STATUS_SUCCESS : status;
    }

private:
    NTSTATUS ask(
        ULONG count, const HANDLE* handles, bool is_alertable, const ke::DueTime& due) override
    {
        if (!m_signal)
            return HostPlace::ask(count, handles, is_alertable, due);
        LARGE_INTEGER room;
        return host::signal_and_wait(
            std::exchange(m_signal, nullptr), handles[0], is_alertable, due.to_timeout(room));
    }

    HANDLE m_signal;
};

NTSTATUS signal_and_wait(
    HANDLE signal, HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    LARGE_INTEGER time {};
    if (timeout && !ke::read_user(&time, timeout, sizeof(time)))
        return STATUS_ACCESS_VIOLATION;
    const LARGE_INTEGER* const time_given = timeout ? &time : nullptr;
    const ke::DueTime due = ke::DueTime::from_timeout(time_given);
    Waited waited(&handle, 1);
    if (!waited.has_ours()) {
        // Nothing is signaled when it cannot be waited: the host looks at both handles.
        const program_events::HostUse use(signal);
        look_away(time_given);
        return NT_SUCCESS(use.status())
            ? host::signal_and_wait(signal, waited.handles().host_handles[0], alertable, time_given)
            : use.status();
    }
    const ob::OutsideUse use(signal);
    NTSTATUS status = STATUS_REPARSE;
    if (set_event_of_process(signal) == ke::DispatcherObject::Before::Away) {
        SignalingPlace place(waited.handles(), alertable, signal);
        status = wait_for(waited, place, kWaitAny, true, due);
        if (const NTSTATUS signaled = place.signal(); !NT_SUCCESS(signaled)) {
            const unix_side::Uninterrupted section;
            ke::DispatcherObject& object = *waited.handles().objects[0];
            if (status == STATUS_WAIT_0
                && object.kind() == ke::DispatcherObject::Kind::Synchronization)
                place.give_back(object);
            return signaled;
        }
    }
    LARGE_INTEGER rest;
    return status == STATUS_REPARSE
        ? wait_for_handles(&handle, 1, kWaitAny, alertable, due.to_timeout(rest))
        : status;
}

const service_table::Row kRows[] = {
    service_table::row<wait_for_single_object>("NtWaitForSingleObject"),
    service_table::row<wait_for_multiple_objects>("NtWaitForMultipleObjects"),
    service_table::row<signal_and_wait>("NtSignalAndWaitForSingleObject"),
    service_table::row<delay_execution>("NtDelayExecution"),
    service_table::row<yield_execution>("NtYieldExecution"),
};

} // namespace

Rows wait_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
