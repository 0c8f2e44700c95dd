#include "host_event.h"

#include "heap.h"
#include "kernel.h"
#include "message_select.h"
#include "pump.h"

namespace ws2::host_event {

ntke::HostEvent* adopt(HANDLE event)
{
    auto* created = static_cast<ntke::HostEvent*>(heap_allocate(sizeof(ntke::HostEvent)));
    if (created)
        *created = { .handle = reinterpret_cast<uint64_t>(event), .references = 1, .padding = 0 };
    return created;
}

NTSTATUS create(HANDLE event, ntke::HostEvent*& created)
{
    // Only a question tells an event from other objects. Its type is looked at before the rights.
    const NTSTATUS checked = kernel::check_event(event);
    if (!NT_SUCCESS(checked) && checked != STATUS_ACCESS_DENIED)
        return checked;
    HANDLE duplicate;
    const NTSTATUS status = NtDuplicateObject(GetCurrentProcess(), event, GetCurrentProcess(),
        &duplicate, EVENT_MODIFY_STATE | SYNCHRONIZE, 0, 0);
    if (!NT_SUCCESS(status))
        return status;
    created = adopt(duplicate);
    if (created)
        return STATUS_SUCCESS;
    kernel::close(duplicate);
    return STATUS_NO_MEMORY;
}

ntke::HostEventPtr share(ntke::HostEventPtr pointer)
{
    if (pointer)
        __atomic_fetch_add(
            &reinterpret_cast<ntke::HostEvent*>(pointer)->references, 1, __ATOMIC_RELAXED);
    return pointer;
}

/// Do two handles mean one object? One request to the host.
static bool is_same_object(HANDLE first, HANDLE second)
{
    using CompareObjects = NTSTATUS(NTAPI*)(HANDLE, HANDLE);
    static const auto compare = reinterpret_cast<CompareObjects>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtCompareObjects")));
    return compare && compare(first, second) == STATUS_SUCCESS;
}

NTSTATUS create_or_share(HANDLE event, ntke::HostEventPtr known, ntke::HostEvent*& created)
{
    if (!known || !handle_of(known) || !is_same_object(event, handle_of(known)))
        return create(event, created);
    created = reinterpret_cast<ntke::HostEvent*>(share(known));
    return STATUS_SUCCESS;
}

void release(ntke::HostEventPtr pointer)
{
    auto* event = reinterpret_cast<ntke::HostEvent*>(pointer);
    if (!event || __atomic_sub_fetch(&event->references, 1, __ATOMIC_ACQ_REL))
        return;
    if (event->handle)
        pump::close_later(reinterpret_cast<HANDLE>(event->handle));
    heap_free(event);
}

void set(ntke::HostEventPtr pointer)
{
    if (!pointer)
        return;
    if (const message_select::Target* target = message_select::target_from(pointer))
        message_select::post_pending(*target);
    else
        kernel::set_event(handle_of(pointer));
    release(pointer);
}

} // namespace ws2::host_event
