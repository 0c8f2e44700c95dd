#include "unix/emulated_events.h"

#include "ke/thread.h"
#include "ke/wait.h"
#include "unix/program_events.h"

namespace unix_side {

using namespace ntke;

namespace {

HANDLE handle_from(uint64_t value)
{
    return reinterpret_cast<HANDLE>(value);
}

/// Set or reset, also of one that has become the host's.
template <typename Operation> NTSTATUS change_event(const void* block, Operation operation)
{
    const HANDLE handle = handle_from(static_cast<const EventArgs*>(block)->event);
    {
        const ob::ReadSection section;
        ob::Object* object = nullptr;
        const NTSTATUS status = emulated_events().look(
            section, handle, &ke::Event::object_type(), EVENT_MODIFY_STATE, &object);
        if (!NT_SUCCESS(status))
            return status;
        if (auto& event = *static_cast<ke::Event*>(object); !event.is_host_backed()) {
            operation(event);
            return status;
        }
    }
    ob::Ref<ke::Event> event;
    const NTSTATUS status = emulated_events().reference(handle, EVENT_MODIFY_STATE, event);
    if (NT_SUCCESS(status))
        operation(*event);
    return status;
}

} // namespace

ob::HandleTable& emulated_events()
{
    static constinit ob::HandleTable table(kEmulatedEventBase);
    return table;
}

NTSTATUS event_create(void* block)
{
    auto& args = *static_cast<EventArgs*>(block);
    ob::Ref<ke::Event> event;
    const NTSTATUS created
        = ke::Event::create(static_cast<EventType>(kNotificationEvent), false, event);
    if (!NT_SUCCESS(created))
        return created;
    HANDLE handle = nullptr;
    const NTSTATUS status = emulated_events().insert(*event, EVENT_ALL_ACCESS, 0, &handle);
    args.event = afd::ptr64(handle);
    return status;
}

NTSTATUS event_close(void* block)
{
    return emulated_events().close(handle_from(static_cast<EventArgs*>(block)->event));
}

NTSTATUS event_set(void* block)
{
    return change_event(block, [](ke::Event& event) { event.set(); });
}

NTSTATUS event_reset(void* block)
{
    return change_event(block, [](ke::Event& event) { event.reset(); });
}

NTSTATUS event_wait(void* block)
{
    const auto& args = *static_cast<EventWaitArgs*>(block);
    const auto* handles = reinterpret_cast<const uint64_t*>(args.handles);
    ke::Thread* thread = ke::Thread::current();
    if (!thread || args.count > MAXIMUM_WAIT_OBJECTS)
        return STATUS_NO_MEMORY;

    ob::Ref<ke::Event> events[MAXIMUM_WAIT_OBJECTS];
    ke::DispatcherObject* objects[MAXIMUM_WAIT_OBJECTS];
    const auto is_converted = [&] {
        for (uint32_t i = 0; i < args.count; ++i) {
            if (events[i]->is_host_backed())
                return true;
        }
        return false;
    };
    for (uint32_t i = 0; i < args.count; ++i) {
        const NTSTATUS status
            = emulated_events().reference(handle_from(handles[i]), SYNCHRONIZE, events[i]);
        if (!NT_SUCCESS(status))
            return status;
        objects[i] = events[i]->dispatcher();
    }
    if (is_converted())
        return kPassDown;
    LARGE_INTEGER timeout;
    timeout.QuadPart = args.timeout;
    const ke::DueTime due
        = ke::DueTime::from_timeout(args.timeout == INT64_MAX ? nullptr : &timeout);
    const NTSTATUS status = ke::wait_for_multiple(
        *thread, objects, args.count, static_cast<WaitType>(args.type), ke::Alertable::No, due);
    // A conversion wakes as if it had set the event. Nothing has been taken: these events are
    // notification events.
    return is_converted() ? kPassDown : status;
}

NTSTATUS event_convert(void* block)
{
    auto& args = *static_cast<EventArgs*>(block);
    ob::Ref<ke::Event> event;
    NTSTATUS status
        = emulated_events().reference(handle_from(args.event), EVENT_MODIFY_STATE, event);
    if (NT_SUCCESS(status) && !event->is_host_backed())
        status = program_events::convert(*event);
    if (NT_SUCCESS(status))
        args.host_event = afd::ptr64(event->host_event());
    return status;
}

} // namespace unix_side
