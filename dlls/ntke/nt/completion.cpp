// The completion port services. Rules and their sources: spec/NtIoCompletion.md.
#include "io/completion_queue.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "nt/probe.h"
#include "nt/publish.h"

namespace {

// IO_COMPLETION_MODIFY_STATE
constexpr ACCESS_MASK kModifyState = 0x0002;
constexpr ULONG kMostPackets = UINT32_MAX / sizeof(CompletionPacket);

NTSTATUS remove_packets(HANDLE port, CompletionPacket* packets, ULONG count, ULONG* removed,
    BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    ob::Ref<io::CompletionQueue> queue;
    if (const NTSTATUS status = ob::HandleTable::current().reference(port, kModifyState, queue);
        !NT_SUCCESS(status))
        return status;
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;
    const NTSTATUS status = queue->remove(*thread, packets, count, removed,
        ke::Alertable { alertable != FALSE }, ke::DueTime::from_timeout(timeout));
    queue.reset();
    if (status == STATUS_USER_APC)
        thread->deliver_apcs();
    return status;
}

} // namespace

extern "C" {

NTSTATUS NTAPI NtCreateIoCompletion(
    HANDLE* port, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes, ULONG concurrency)
{
    if (const NTSTATUS status = nt::probe_value(port); !NT_SUCCESS(status))
        return status;
    uint32_t flags = 0;
    if (const NTSTATUS status = nt::capture_attributes(attributes, &flags); !NT_SUCCESS(status))
        return status;
    ob::Ref<io::CompletionQueue> queue;
    if (const NTSTATUS status = io::CompletionQueue::create(concurrency, queue);
        !NT_SUCCESS(status))
        return status;
    return nt::publish(std::move(queue), access, flags, port);
}

NTSTATUS NTAPI NtSetIoCompletion(
    HANDLE port, ULONG_PTR key, ULONG_PTR context, NTSTATUS status, ULONG_PTR information)
{
    ob::Ref<io::CompletionQueue> queue;
    if (const NTSTATUS failure = ob::HandleTable::current().reference(port, kModifyState, queue);
        !NT_SUCCESS(failure))
        return failure;
    CompletionPacket packet {};
    packet.key = key;
    packet.context = context;
    packet.iosb.Status = status;
    packet.iosb.Information = information;
    return queue->post(packet);
}

NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE port, ULONG_PTR* key, ULONG_PTR* context,
    IO_STATUS_BLOCK* iosb, const LARGE_INTEGER* timeout)
{
    for (const NTSTATUS status : { nt::probe_value(key), nt::probe_value(context),
             nt::probe_value(iosb), nt::probe_optional(timeout) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    CompletionPacket packet {};
    ULONG removed = 0;
    const NTSTATUS status = remove_packets(port, &packet, 1, &removed, FALSE, timeout);
    if (removed) {
        *key = packet.key;
        *context = packet.context;
        *iosb = packet.iosb;
    }
    return status;
}

NTSTATUS NTAPI NtRemoveIoCompletionEx(HANDLE port, CompletionPacket* packets, ULONG count,
    ULONG* removed, const LARGE_INTEGER* timeout, BOOLEAN alertable)
{
    if (count == 0 || count > kMostPackets)
        return STATUS_INVALID_PARAMETER;
    for (const NTSTATUS status :
        { nt::probe(packets, uint64_t { count } * sizeof(*packets), alignof(ULONG)),
            nt::probe_value(removed), nt::probe_optional(timeout) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    ULONG taken = 0;
    const NTSTATUS status = remove_packets(port, packets, count, &taken, alertable, timeout);
    if (NT_SUCCESS(status))
        *removed = taken;
    return status;
}

} // extern "C"
