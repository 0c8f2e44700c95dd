#include "unix/wait_place.h"

#include <algorithm>

#include "io/file.h"
#include "ke/stoppable.h"
#include "ke/user_memory.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/host_threads.h"
#include "unix/port.h"
#include "unix/program_events.h"
#include "unix/sleepers.h"
#include "unix/uninterrupted.h"

namespace services {

NTSTATUS HostPlace::sleep(ke::Thread& thread, const ke::DueTime& due)
{
    if (when_suspended() == ke::WhenSuspended::KeepsPlace)
        thread.keep_place();
    return thread.sleep_on_host(*this, due);
}

NTSTATUS HostPlace::wait(HANDLE sleeper, const ke::DueTime& due)
{
    const ke::Stoppable section(when_suspended());
    return ask_with(sleeper, 0, m_is_alertable, due);
}

/// Not alertable: an object that is signaled comes before a call.
NTSTATUS HostPlace::check_others(uint32_t index)
{
    if (!has_others())
        return STATUS_PENDING;
    const HANDLE always_signaled = sleepers::always_signaled();
    if (!always_signaled)
        return STATUS_INSUFFICIENT_RESOURCES;
    const ke::Stoppable section(
        ke::WhenSuspended::KeepsPlace); // whatever the host does before it looks
    const NTSTATUS status = ask_with(always_signaled, index, false, ke::DueTime::now());
    return status == kWoken ? STATUS_PENDING : status;
}

void HostPlace::give_back(ke::DispatcherObject& event)
{
    const auto* const found
        = std::find(m_handles.objects, m_handles.objects + m_handles.count, &event);
    m_handles.events[found - m_handles.objects]->set(); // on the host, if it has gone there
}

/// Asks for `extra`, in the place of the first object from `place` on, and for all of the host's.
/// kWoken: it was that one.
NTSTATUS HostPlace::ask_with(
    HANDLE extra, uint32_t place, bool is_alertable, const ke::DueTime& due)
{
    constexpr ULONG kIsExtra = MAXIMUM_WAIT_OBJECTS;
    HANDLE handles[MAXIMUM_WAIT_OBJECTS + 1];
    ULONG indices[MAXIMUM_WAIT_OBJECTS + 1];
    ULONG count = 0;
    for (ULONG i = 0; i <= m_handles.count; ++i) {
        if (i == place) {
            handles[count] = extra;
            indices[count++] = kIsExtra;
        }
        if (i < m_handles.count && !m_handles.objects[i]) {
            handles[count] = m_handles.host_handles[i];
            indices[count++] = i;
        }
    }
    indices[count] = m_handles.count; // what is more than objects
    const NTSTATUS status = ask(count, handles, is_alertable, due);
    for (const NTSTATUS first : { STATUS_WAIT_0, STATUS_ABANDONED_WAIT_0 }) {
        const auto place_of_result = static_cast<ULONG>(status - first);
        if (place_of_result > count)
            continue;
        const ULONG index = indices[place_of_result];
        return index == kIsExtra ? kWoken : first + static_cast<NTSTATUS>(index);
    }
    return status;
}

NTSTATUS HostPlace::ask(
    ULONG count, const HANDLE* handles, bool is_alertable, const ke::DueTime& due)
{
    LARGE_INTEGER room;
    return host::wait_for_multiple_objects(
        count, handles, static_cast<WaitType>(kWaitAny), is_alertable, due.to_timeout(room));
}

// --- The handles

Waited::Waited(const HANDLE* handles, ULONG count)
    : m_use(handles, count)
{
    m_handles.count = count;
    for (ULONG i = 0; i < count; ++i)
        look(i, handles[i]);
}

Waited::~Waited()
{
    if (!m_is_any_known)
        return;
    const unix_side::Uninterrupted section; // a reference may be the last one
    for (ob::Ref<ob::Object>& known : m_known)
        known.reset();
}

/// An event of the process' is ke's. For a file or a port of ntke the host waits for an event of
/// its own, if requests of ours can signal it.
void Waited::look(ULONG index, HANDLE handle)
{
    m_handles.objects[index] = nullptr;
    m_handles.host_handles[index] = handle;
    ++m_handles.of_host;
    ob::HandleTable& table = ob::HandleTable::current();
    ob::Ref<ob::Object>& known = m_known[index];
    if (!NT_SUCCESS(table.reference(handle, nullptr, SYNCHRONIZE, known)))
        return;
    m_is_any_known = true;
    const unix_side::Uninterrupted section;
    if (&known->type() == &ke::Event::object_type()) {
        auto& event = static_cast<ke::Event&>(*known);
        if (event.is_on_host())
            return;
        m_handles.objects[index] = &event.state();
        m_handles.events[index] = &event;
        --m_handles.of_host;
        return;
    }
    ob::Ref<ke::Event> mirror;
    if (&known->type() == &io::File::object_type())
        mirror = static_cast<io::File&>(*known).event_for_host_waits(program_events::make);
    else if (&known->type() == &io::CompletionQueue::object_type())
        mirror
            = unix_side::Port::of(static_cast<io::CompletionQueue&>(*known)).event_for_host_waits();
    if (!mirror)
        return;
    m_handles.host_handles[index] = mirror->host_event();
    known = ob::Ref<ob::Object>::adopt(mirror.release());
}

NTSTATUS Waited::move_to_host()
{
    const unix_side::Uninterrupted section;
    for (ULONG i = 0; i < m_handles.count; ++i) {
        if (!m_handles.objects[i])
            continue;
        const NTSTATUS status = program_events::move_to_host(*m_handles.events[i]);
        if (!NT_SUCCESS(status))
            return status;
    }
    return STATUS_REPARSE;
}

void look_away(const LARGE_INTEGER* timeout)
{
    LARGE_INTEGER time {};
    if (!ke::Thread::has_source() || (timeout && !ke::read_user(&time, timeout, sizeof(time))))
        return;
    if (timeout && !time.QuadPart)
        return look_around();
    const unix_side::Uninterrupted section;
    ke::Thread::look_away();
}

void look_around()
{
    if (!ke::Thread::has_source())
        return;
    const unix_side::Uninterrupted section;
    ke::Thread::serve_source();
}

NTSTATUS wait_for(
    Waited& waited, HostPlace& place, WaitType type, bool is_alertable, const ke::DueTime& due)
{
    const WaitHandles& handles = waited.handles();
    // All at one moment: only the host can tell of its own.
    if (type == kWaitAll && handles.of_host)
        return waited.move_to_host();
    const unix_side::Uninterrupted section;
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;
    // The host may call back into the program before it waits for messages, and that may wait: the
    // thread has one wait with ke.
    if (thread->linked_blocks())
        return waited.move_to_host();
    host_threads::note_waits(*thread);
    if (!handles.of_host && !is_alertable)
        return ke::wait_for_multiple(
            *thread, handles.objects, handles.count, type, ke::Alertable::No, due);
    if (const NTSTATUS status = sleepers::prepare(*thread); !NT_SUCCESS(status))
        return status;
    return ke::wait_at(place, *thread, handles.objects, handles.count, type, due);
}

} // namespace services
