// The completion port services.
#include <iterator>

#include "ke/timeline.h"
#include "ke/user_memory.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/port.h"
#include "unix/services.h"

namespace services {

namespace {

using unix_side::Port;

constexpr ULONG kBasicInformation = 0;
constexpr ACCESS_MASK kModifyState = 2; // IO_COMPLETION_MODIFY_STATE; without, the host refuses

NTSTATUS create_io_completion(
    HANDLE* handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes, ULONG concurrency)
{
    const NTSTATUS status = host::create_io_completion(handle, access, attributes, concurrency);
    if (!NT_SUCCESS(status))
        return status;
    ob::Ref<io::CompletionQueue> queue;
    // One with a name may be another process' port; it is known when it carries a socket.
    const bool is_unnamed = !attributes || !attributes->ObjectName;
    if (!is_unnamed || !NT_SUCCESS(Port::attach(*handle, queue)))
        forget_stale(*handle);
    return status;
}

NTSTATUS set_io_completion(
    HANDLE handle, ULONG_PTR key, ULONG_PTR context, NTSTATUS status, ULONG_PTR information)
{
    const ob::Ref<io::CompletionQueue> queue = Port::find(handle, kModifyState);
    if (!queue)
        return host::set_io_completion(handle, key, context, status, information);
    CompletionPacket packet {};
    packet.key = key;
    packet.context = context;
    packet.iosb.Status = status;
    packet.iosb.Information = information;
    return Port::of(*queue).post(handle, packet);
}

void note_packets(HANDLE handle, const CompletionPacket* packets, uint32_t count)
{
    for (const CompletionPacket* packet = packets; packet != packets + count; ++packet)
        ke::timeline::note_status(ke::timeline::kPacket, reinterpret_cast<uintptr_t>(handle),
            packet->iosb.Status, packet->context, packet->key, packet->iosb.Information);
}

/// What a removal gives to the program at once. More is left for the next call.
constexpr ULONG kMostPackets = 64;

NTSTATUS remove_io_completion_ex(HANDLE handle, CompletionPacket* packets, ULONG count,
    ULONG* removed, const LARGE_INTEGER* timeout, BOOLEAN alertable)
{
    const ob::Ref<io::CompletionQueue> queue = Port::find(handle, kModifyState);
    if (!queue || !count)
        return host::remove_io_completion_ex(handle, packets, count, removed, timeout, alertable);
    LARGE_INTEGER time {};
    if (timeout && !ke::read_user(&time, timeout, sizeof(time)))
        return STATUS_ACCESS_VIOLATION;
    CompletionPacket taken[kMostPackets];
    uint32_t number = 0;
    const NTSTATUS status = Port::of(*queue).remove(handle, taken, std::min(count, kMostPackets),
        &number, alertable, ke::DueTime::from_timeout(timeout ? &time : nullptr));
    note_packets(handle, taken, number);
    // Without a packet the host tells one all the same.
    const ULONG told = number ? number : 1;
    if (!ke::write_user(packets, taken, number * sizeof(*packets))
        || !ke::write_user_value(removed, told))
        return STATUS_ACCESS_VIOLATION;
    return status;
}

NTSTATUS remove_io_completion(HANDLE handle, ULONG_PTR* key, ULONG_PTR* context,
    IO_STATUS_BLOCK* iosb, const LARGE_INTEGER* timeout)
{
    const ob::Ref<io::CompletionQueue> queue = Port::find(handle, kModifyState);
    if (!queue)
        return host::remove_io_completion(handle, key, context, iosb, timeout);
    LARGE_INTEGER time {};
    if (timeout && !ke::read_user(&time, timeout, sizeof(time)))
        return STATUS_ACCESS_VIOLATION;
    CompletionPacket packet {};
    uint32_t number = 0;
    const NTSTATUS status = Port::of(*queue).remove(
        handle, &packet, 1, &number, false, ke::DueTime::from_timeout(timeout ? &time : nullptr));
    note_packets(handle, &packet, number);
    if (number
        && (!ke::write_user_value(key, packet.key) || !ke::write_user_value(context, packet.context)
            || !ke::write_user_value(iosb, packet.iosb)))
        return STATUS_ACCESS_VIOLATION;
    return status;
}

NTSTATUS query_io_completion(
    HANDLE handle, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length)
{
    const NTSTATUS status
        = host::query_io_completion(handle, info_class, info, info_length, returned_length);
    const ob::Ref<io::CompletionQueue> queue = Port::find(handle);
    if (!NT_SUCCESS(status) || !queue || info_class != kBasicInformation)
        return status;
    auto* depth = static_cast<ULONG*>(info);
    *depth += queue->depth(); // what the host has is on its way here
    return status;
}

const service_table::Row kRows[] = {
    service_table::row<create_io_completion>("NtCreateIoCompletion"),
    service_table::row<set_io_completion>("NtSetIoCompletion"),
    service_table::row<remove_io_completion>("NtRemoveIoCompletion"),
    service_table::row<remove_io_completion_ex>("NtRemoveIoCompletionEx"),
    service_table::row<query_io_completion>("NtQueryIoCompletion"),
};

} // namespace

Rows port_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
