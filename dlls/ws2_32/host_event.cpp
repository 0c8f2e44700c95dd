#include "host_event.h"

#include "heap.h"
#include "kernel.h"
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

void release(ntke::HostEventPtr pointer)
{
    auto* event = reinterpret_cast<ntke::HostEvent*>(pointer);
    if (!event || __atomic_sub_fetch(&event->references, 1, __ATOMIC_ACQ_REL))
        return;
    pump::close_later(reinterpret_cast<HANDLE>(event->handle));
    heap_free(event);
}

void set(ntke::HostEventPtr pointer)
{
    if (!pointer)
        return;
    kernel::set_event(handle_of(pointer));
    release(pointer);
}

} // namespace ws2::host_event
