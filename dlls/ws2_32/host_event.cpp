#include "host_event.h"

#include "heap.h"
#include "kernel.h"
#include "late_library.h"
#include "lock.h"
#include "message_select.h"
#include "pump.h"

namespace ws2::host_event {

namespace {

ntke::HostEvent* event_from(ntke::HostEventPtr pointer)
{
    return reinterpret_cast<ntke::HostEvent*>(pointer);
}

/// Events by the program's handle. A program has few, and gives each to many sockets.
struct Known {
    HANDLE program_handle;
    ntke::HostEventPtr event; // without a reference; taken out before its memory goes
};
constexpr size_t kMostKnown = 64;
SrwLock lock;
Known known[kMostKnown]; // guarded by lock

Known& entry_of(HANDLE program_handle)
{
    return known[(reinterpret_cast<uintptr_t>(program_handle) >> 2) % kMostKnown];
}

/// With a reference, unless it is losing its last one just now.
ntke::HostEventPtr find(HANDLE program_handle)
{
    SharedGuard guard(lock);
    const Known& entry = entry_of(program_handle);
    if (!entry.event || entry.program_handle != program_handle)
        return 0;
    int32_t& references = event_from(entry.event)->references;
    int32_t count = __atomic_load_n(&references, __ATOMIC_RELAXED);
    while (count) {
        if (__atomic_compare_exchange_n(
                &references, &count, count + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return entry.event;
    }
    return 0;
}

void remember(HANDLE program_handle, ntke::HostEventPtr event)
{
    ExclusiveGuard guard(lock);
    entry_of(program_handle) = { program_handle, event };
}

void forget(ntke::HostEventPtr event)
{
    ExclusiveGuard guard(lock);
    for (Known& entry : known) {
        if (entry.event == event)
            entry = {};
    }
}

LateFunction<NTSTATUS(NTAPI*)(HANDLE, HANDLE)> compare_objects(L"ntdll.dll", "NtCompareObjects");

/// Do two handles mean one object? One request to the host.
bool is_same_object(HANDLE first, HANDLE second)
{
    const auto compare = compare_objects.get();
    return compare && compare(first, second) == STATUS_SUCCESS;
}

NTSTATUS create(HANDLE event, ntke::HostEventPtr& created)
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

} // namespace

ntke::HostEventPtr adopt(HANDLE event)
{
    auto* created = static_cast<ntke::HostEvent*>(heap_allocate(sizeof(ntke::HostEvent)));
    if (created)
        *created = { .handle = reinterpret_cast<uint64_t>(event), .references = 1, .padding = 0 };
    return pointer_to(created);
}

NTSTATUS find_or_create(HANDLE event, ntke::HostEventPtr& found)
{
    if (const ntke::HostEventPtr existing = find(event)) {
        if (is_same_object(event, handle_of(existing))) {
            found = existing;
            return STATUS_SUCCESS;
        }
        release(existing);
    }
    const NTSTATUS status = create(event, found);
    if (NT_SUCCESS(status))
        remember(event, found);
    return status;
}

ntke::HostEventPtr share(ntke::HostEventPtr pointer)
{
    if (pointer)
        __atomic_fetch_add(&event_from(pointer)->references, 1, __ATOMIC_RELAXED);
    return pointer;
}

void release(ntke::HostEventPtr pointer)
{
    ntke::HostEvent* event = event_from(pointer);
    if (!event || __atomic_sub_fetch(&event->references, 1, __ATOMIC_ACQ_REL))
        return;
    if (event->handle) {
        forget(pointer);
        pump::close_later(reinterpret_cast<HANDLE>(event->handle));
    }
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
