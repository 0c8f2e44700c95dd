// The event services. Rules and their sources: spec/NtEvent.md.
#include "ke/event.h"
#include "nt/api.h"
#include "nt/probe.h"
#include "nt/publish.h"

namespace {

/// What the four services that change an event have in common: checks in NT's order (pointer,
/// handle, type, access), one operation, the state before. The event is not referenced: setting it
/// takes no longer than a section may.
template <typename Operation>
NTSTATUS change_event(HANDLE handle, LONG* previous, Operation operation)
{
    if (previous) {
        if (const NTSTATUS status = nt::probe_value(previous); !NT_SUCCESS(status))
            return status;
    }
    bool was_signaled;
    {
        const ob::ReadSection section;
        ob::Object* object = nullptr;
        const NTSTATUS status = ob::HandleTable::current().look(
            section, handle, &ke::Event::object_type(), EVENT_MODIFY_STATE, &object);
        if (!NT_SUCCESS(status))
            return status;
        was_signaled = operation(*static_cast<ke::Event*>(object));
    }
    if (previous)
        *previous = was_signaled;
    return STATUS_SUCCESS;
}

} // namespace

extern "C" {

NTSTATUS NTAPI NtCreateEvent(HANDLE* handle, ACCESS_MASK access,
    const OBJECT_ATTRIBUTES* attributes, EventType type, BOOLEAN signaled)
{
    if (const NTSTATUS status = nt::probe_value(handle); !NT_SUCCESS(status))
        return status;
    if (type != kNotificationEvent && type != kSynchronizationEvent)
        return STATUS_INVALID_PARAMETER;
    uint32_t flags = 0;
    if (const NTSTATUS status = nt::capture_attributes(attributes, &flags); !NT_SUCCESS(status))
        return status;

    ob::Ref<ke::Event> event;
    if (const NTSTATUS status = ke::Event::create(type, signaled, event); !NT_SUCCESS(status))
        return status;
    return nt::publish(std::move(event), access, flags, handle);
}

NTSTATUS NTAPI NtSetEvent(HANDLE event, LONG* previous)
{
    return change_event(event, previous, [](ke::Event& e) { return e.set(); });
}

NTSTATUS NTAPI NtResetEvent(HANDLE event, LONG* previous)
{
    return change_event(event, previous, [](ke::Event& e) { return e.reset(); });
}

NTSTATUS NTAPI NtClearEvent(HANDLE event)
{
    return change_event(event, nullptr, [](ke::Event& e) { return e.reset(); });
}

NTSTATUS NTAPI NtPulseEvent(HANDLE event, LONG* previous)
{
    return change_event(event, previous, [](ke::Event& e) { return e.pulse(); });
}

NTSTATUS NTAPI NtQueryEvent(
    HANDLE handle, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length)
{
    if (info_class != kEventBasicInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (info_length != sizeof(EventBasicInformation))
        return STATUS_INFO_LENGTH_MISMATCH;
    auto* basic = static_cast<EventBasicInformation*>(info);
    if (const NTSTATUS status = nt::probe_value(basic); !NT_SUCCESS(status))
        return status;
    if (const NTSTATUS status = nt::probe_optional(returned_length); !NT_SUCCESS(status))
        return status;

    ob::Ref<ke::Event> event;
    const NTSTATUS status = ob::HandleTable::current().reference(handle, EVENT_QUERY_STATE, event);
    if (!NT_SUCCESS(status))
        return status;
    basic->type = event->event_type();
    basic->state = event->peek();
    if (returned_length)
        *returned_length = sizeof(*basic);
    return STATUS_SUCCESS;
}

} // extern "C"
