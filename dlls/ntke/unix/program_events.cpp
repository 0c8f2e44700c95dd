#include "unix/program_events.h"

#include "nt/publish.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"

namespace program_events {

namespace {

constexpr ULONG kBasicInformation = 0;

std::atomic<uint64_t> g_sets { 0 };

/// Does what ke decides at once: the services run on threads of the host.
class HostEvents final : public ke::HostSignal {
public:
    void set_host_event(HANDLE event) override
    {
        g_sets.fetch_add(1, std::memory_order_relaxed);
        host::set_event(event, nullptr);
    }
    void reset_host_event(HANDLE event) override { host::reset_event(event, nullptr); }
    void release_host_event(HANDLE event) override
    {
        // That of a converted event has been given out, and may have been used in a request.
        ob::HandleTable::current().detach(event);
        host::close(event);
    }
};

ke::HostSignal& host_events()
{
    static constinit HostEvents events;
    return events;
}

/// Makes an event for a handle that becomes its own, also on failure.
NTSTATUS adopt(HANDLE own, EventType type, ob::Ref<ke::Event>& event)
{
    const NTSTATUS status = ke::Event::create_host_backed(host_events(), own, type, event);
    if (!NT_SUCCESS(status))
        host::close(own);
    return status;
}

} // namespace

NTSTATUS reference(HANDLE handle, ob::Ref<ke::Event>& event)
{
    ob::HandleTable& table = ob::HandleTable::current();
    const NTSTATUS found = table.reference(handle, 0, event);
    if (found != STATUS_INVALID_HANDLE)
        return found;
    struct {
        EventType type;
        LONG state;
    } basic {};
    // The type is looked at before the rights, and setting takes a right that asking does not.
    const NTSTATUS asked
        = host::query_event(handle, kBasicInformation, &basic, sizeof(basic), nullptr);
    if (!NT_SUCCESS(asked) && asked != STATUS_ACCESS_DENIED)
        return asked;
    HANDLE own = nullptr;
    NTSTATUS status = host::duplicate_object(nt::current_process(), handle, nt::current_process(),
        &own, EVENT_MODIFY_STATE | SYNCHRONIZE, 0, 0);
    if (NT_SUCCESS(status))
        status = adopt(own, basic.type, event);
    if (NT_SUCCESS(status))
        table.attach(
            handle, *event, EVENT_ALL_ACCESS, 0); // without memory, this one goes unattached
    return status;
}

NTSTATUS make(bool signaled, ob::Ref<ke::Event>& event)
{
    HANDLE own = nullptr;
    const NTSTATUS status
        = host::create_event(&own, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, signaled);
    return NT_SUCCESS(status) ? adopt(own, kNotificationEvent, event) : status;
}

NTSTATUS convert(ke::Event& event)
{
    HANDLE own = nullptr;
    const NTSTATUS status
        = host::create_event(&own, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE);
    if (!NT_SUCCESS(status))
        return status;
    bool is_first = false;
    if (event.convert(host_events(), own, is_first))
        host::set_event(own, nullptr);
    if (!is_first)
        host::close(own);
    return STATUS_SUCCESS;
}

uint64_t sets_so_far()
{
    return g_sets.load(std::memory_order_relaxed);
}

} // namespace program_events
