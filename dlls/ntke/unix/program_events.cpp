#include "unix/program_events.h"

#include "nt/publish.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/object_information.h"
#include "unix/uninterrupted.h"

namespace program_events {

namespace {

using unix_side::kObjectBasicInformation;
using unix_side::ObjectBasicInformation;

std::atomic<uint64_t> g_sets { 0 };
/// No event becomes the process' own any more: it ends, say.
std::atomic<bool> g_all_are_of_host { false };

/// Events are attached one at a time. Held over requests to the host, which do not wait.
ke::Lock g_attach_lock;

/// Does what ke decides at once: the services run on threads of the host.
class HostEvents : public ke::HostSignal {
public:
    void set_host_event(HANDLE event) override
    {
        g_sets.fetch_add(1, std::memory_order_relaxed);
        host::set_event(event, nullptr);
    }
    void reset_host_event(HANDLE event) override { host::reset_event(event, nullptr); }
    void release_host_event(HANDLE event) override { host::close(event); }
};

/// The same by a handle of the program's, which is not ours to close.
class EventsByProgramsHandle final : public HostEvents {
public:
    void release_host_event(HANDLE) override { }
};

ke::HostSignal& host_events()
{
    static constinit HostEvents events;
    return events;
}

ke::HostSignal& events_by_programs_handle()
{
    static constinit EventsByProgramsHandle events;
    return events;
}

/// A handle of our own to the event behind one of the program's.
NTSTATUS duplicate(HANDLE handle, HANDLE* own)
{
    return host::duplicate_object(nt::current_process(), handle, nt::current_process(), own,
        EVENT_MODIFY_STATE | SYNCHRONIZE, 0, 0);
}

/// May the process have the event: does nobody know it but the program, by this handle, and does
/// nobody on the host wait for it or is to set it? A host counts its own references, of which this
/// question is one.
bool is_exclusive(HANDLE handle, const ObjectBasicInformation& object)
{
    constexpr ULONG kOfHandleAndQuestion = 2;
    return object.references == kOfHandleAndQuestion && !unix_side::may_be_others(handle, object);
}

/// Decides whose a new event is that is attached to `handle` and unsettled: nobody who comes
/// through the table can change it or wait for it meanwhile. Those that were on their way to the
/// host before may be, or will be seen there.
NTSTATUS settle(HANDLE handle, ke::Event& event)
{
    ObjectBasicInformation object {};
    EventBasicInformation basic {};
    if (!g_all_are_of_host && !ob::OutsideUse::has_been_begun(handle)
        && NT_SUCCESS(
            host::query_object(handle, kObjectBasicInformation, &object, sizeof(object), nullptr))
        && is_exclusive(handle, object)
        && NT_SUCCESS(
            host::query_event(handle, kEventBasicInformation, &basic, sizeof(basic), nullptr))) {
        event.settle_here(basic.state);
        return STATUS_SUCCESS;
    }
    HANDLE own = nullptr;
    const NTSTATUS status = duplicate(handle, &own);
    if (NT_SUCCESS(status)) {
        event.settle_on_host(host_events(), own);
    } else {
        event.settle_on_host(events_by_programs_handle(), handle); // nobody keeps it
    }
    return status;
}

NTSTATUS attach(HANDLE handle, ob::Ref<ke::Event>& event)
{
    EventBasicInformation basic {};
    // The type is looked at before the rights, and setting takes a right that asking does not.
    NTSTATUS status
        = host::query_event(handle, kEventBasicInformation, &basic, sizeof(basic), nullptr);
    if (!NT_SUCCESS(status) && status != STATUS_ACCESS_DENIED)
        return status;
    ObjectBasicInformation object {};
    status = host::query_object(handle, kObjectBasicInformation, &object, sizeof(object), nullptr);
    if (!NT_SUCCESS(status))
        return status;
    ob::Ref<ke::Event> made;
    status = ke::Event::create_unsettled(basic.type, made);
    if (!NT_SUCCESS(status))
        return status;
    ob::HandleTable& table = ob::HandleTable::current();
    const NTSTATUS attached = table.attach(handle, *made, object.granted, 0);
    status = settle(handle, *made);
    if (!NT_SUCCESS(attached))
        return attached;
    if (!NT_SUCCESS(status)) {
        table.detach(handle, *made);
        return status;
    }
    if (!(object.granted & EVENT_MODIFY_STATE))
        return STATUS_ACCESS_DENIED;
    event = std::move(made);
    return STATUS_SUCCESS;
}

/// Makes an event of the host's for a handle that becomes its own, also on failure.
NTSTATUS adopt(HANDLE own, EventType type, ob::Ref<ke::Event>& event)
{
    const NTSTATUS status = ke::Event::create_on_host(host_events(), own, type, event);
    if (!NT_SUCCESS(status))
        host::close(own);
    return status;
}

/// A handle of our own to an event, by any that the program has; a new event of the host when it
/// has none any more.
NTSTATUS open_on_host(ke::Event& event, HANDLE* own)
{
    ob::HandleTable& table = ob::HandleTable::current();
    ob::Ref<ob::Object> found;
    HANDLE handle = nullptr;
    while ((handle = table.next(handle, ke::Event::object_type(), found))) {
        if (found.get() != &event || !NT_SUCCESS(duplicate(handle, own)))
            continue;
        // Closed meanwhile, it may have been another object's when it was duplicated.
        ob::Ref<ke::Event> still;
        if (NT_SUCCESS(table.reference(handle, 0, still)) && still.get() == &event)
            return STATUS_SUCCESS;
        host::close(*own);
    }
    return host::create_event(
        own, EVENT_ALL_ACCESS, nullptr, event.event_type(), event.is_signaled_on_host());
}

/// Gives an event to the host, come what may.
void leave_to_host(ke::Event& event, HANDLE handle)
{
    if (!NT_SUCCESS(move_to_host(event)))
        event.move_to_host(events_by_programs_handle(), handle);
}

void give_all(void (*give)(ke::Event& event, HANDLE handle))
{
    g_all_are_of_host = true;
    ob::HandleTable& table = ob::HandleTable::current();
    ob::Ref<ob::Object> event;
    HANDLE handle = nullptr;
    while ((handle = table.next(handle, ke::Event::object_type(), event)))
        give(static_cast<ke::Event&>(*event), handle);
}

} // namespace

NTSTATUS create(HANDLE* handle)
{
    // Unnamed and not inheritable. [WSACreateEvent/2]
    NTSTATUS status
        = host::create_event(handle, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE);
    if (!NT_SUCCESS(status))
        return status;
    ob::Ref<ke::Event> event;
    // Without memory to note it, it is the host's.
    if (g_all_are_of_host || !NT_SUCCESS(ke::Event::create(kNotificationEvent, false, event))
        || !NT_SUCCESS(ob::HandleTable::current().attach(*handle, *event, EVENT_ALL_ACCESS, 0)))
        return status;
    if (g_all_are_of_host) // who gives all to the host may have passed it by
        leave_to_host(*event, *handle);
    return status;
}

NTSTATUS reference(HANDLE handle, ob::Ref<ke::Event>& event)
{
    ob::HandleTable& table = ob::HandleTable::current();
    NTSTATUS found = table.reference(handle, EVENT_MODIFY_STATE, event);
    if (found != STATUS_INVALID_HANDLE)
        return found;
    ke::LockGuard guard(g_attach_lock);
    found = table.reference(handle, EVENT_MODIFY_STATE, event);
    return found != STATUS_INVALID_HANDLE ? found : attach(handle, event);
}

ke::Event* find(const ob::ReadSection& section, HANDLE handle, ACCESS_MASK access)
{
    ob::Object* object = nullptr;
    const NTSTATUS status = ob::HandleTable::current().look(
        section, handle, &ke::Event::object_type(), access, &object);
    auto* event = NT_SUCCESS(status) ? static_cast<ke::Event*>(object) : nullptr;
    return event && !event->is_on_host() ? event : nullptr;
}

NTSTATUS make(bool signaled, ob::Ref<ke::Event>& event)
{
    HANDLE own = nullptr;
    const NTSTATUS status
        = host::create_event(&own, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, signaled);
    return NT_SUCCESS(status) ? adopt(own, kNotificationEvent, event) : status;
}

NTSTATUS move_to_host(ke::Event& event)
{
    if (event.is_on_host())
        return STATUS_SUCCESS;
    HANDLE own = nullptr;
    const NTSTATUS status = open_on_host(event, &own);
    if (NT_SUCCESS(status) && !event.move_to_host(host_events(), own))
        host::close(own);
    return status;
}

void move_all_to_host()
{
    give_all([](ke::Event& event, HANDLE handle) {
        event.move_to_host(events_by_programs_handle(), handle);
    });
}

void leave_all_to_host()
{
    give_all(leave_to_host);
}

HostUse::HostUse(HANDLE event)
    : m_use(event)
{
    ob::HandleTable& table = ob::HandleTable::current();
    {
        const ob::ReadSection section;
        const ob::Object* known = event ? table.find(section, event).object : nullptr;
        if (!known || &known->type() != &ke::Event::object_type()) [[likely]]
            return;
    }
    const unix_side::Uninterrupted section;
    ob::Ref<ke::Event> known;
    if (NT_SUCCESS(table.reference(event, 0, known)))
        m_status = move_to_host(*known);
    known.reset();
}

uint64_t sets_so_far()
{
    return g_sets.load(std::memory_order_relaxed);
}

} // namespace program_events
