// The wait services, as far as a handle of a socket is waited for: the requests that signal it are
// ours. The wait itself is the host's, so it is alertable, ends with the thread and goes together
// with any other object.
#include <iterator>

#include "io/file.h"
#include "ke/user_memory.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/port.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/uninterrupted.h"

namespace services {

namespace {

/// What the host is to wait for in the place of a file or a port; null: the object is the host's,
/// or its own requests are all that can signal it.
ob::Ref<ke::Event> find_event(HANDLE handle)
{
    ob::HandleTable& table = ob::HandleTable::current();
    {
        const ob::ReadSection section;
        const ob::Object* known = table.find(section, handle).object;
        if (!known || &known->type() == &ke::Event::object_type()) [[likely]]
            return {};
    }
    const unix_side::Uninterrupted section; // the reference may be the last one
    ob::Ref<ob::Object> object;
    table.reference(handle, nullptr, SYNCHRONIZE, object);
    if (!object)
        return {};
    if (&object->type() == &io::File::object_type())
        return static_cast<io::File&>(*object).event_for_host_waits(program_events::make);
    if (&object->type() == &io::CompletionQueue::object_type())
        return unix_side::Port::of(static_cast<io::CompletionQueue&>(*object))
            .event_for_host_waits();
    return {};
}

NTSTATUS wait_for_single_object(HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    const ob::Ref<ke::Event> event = find_event(handle);
    return host::wait_for_single_object(event ? event->host_event() : handle, alertable, timeout);
}

NTSTATUS wait_for_multiple_objects(ULONG count, const HANDLE* handles, WaitType type,
    BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    HANDLE replaced[MAXIMUM_WAIT_OBJECTS];
    if (count > std::size(replaced) || !ke::read_user(replaced, handles, count * sizeof(HANDLE)))
        return host::wait_for_multiple_objects(count, handles, type, alertable, timeout);
    ob::Ref<ke::Event> events[MAXIMUM_WAIT_OBJECTS];
    bool is_any = false;
    for (ULONG i = 0; i < count; ++i) {
        events[i] = find_event(replaced[i]);
        if (events[i])
            replaced[i] = events[i]->host_event();
        is_any |= static_cast<bool>(events[i]);
    }
    return host::wait_for_multiple_objects(
        count, is_any ? replaced : handles, type, alertable, timeout);
}

const service_table::Row kRows[] = {
    service_table::row<wait_for_single_object>("NtWaitForSingleObject"),
    service_table::row<wait_for_multiple_objects>("NtWaitForMultipleObjects"),
};

} // namespace

Rows wait_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
