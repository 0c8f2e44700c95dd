// The services for APCs and alerts. Rules and their sources: spec/NtApc.md.
#include "ke/apc.h"
#include "ke/pool.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "nt/publish.h"

namespace {

// Thread access rights.
constexpr ACCESS_MASK kThreadAlert = 0x0004;
constexpr ACCESS_MASK kThreadSetContext = 0x0010;

NTSTATUS reference_thread(HANDLE handle, ACCESS_MASK access, ob::Ref<ke::Thread>& thread)
{
    if (handle != nt::current_thread())
        return ob::HandleTable::current().reference(handle, access, thread);
    thread = ob::Ref<ke::Thread>::share(ke::Thread::current());
    return thread ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

} // namespace

extern "C" {

NTSTATUS NTAPI NtQueueApcThread(
    HANDLE handle, PVOID routine, PVOID argument1, PVOID argument2, PVOID argument3)
{
    ob::Ref<ke::Thread> thread;
    if (const NTSTATUS status = reference_thread(handle, kThreadSetContext, thread);
        !NT_SUCCESS(status))
        return status;

    auto* apc = ke::pool_new<ke::Apc>();
    if (!apc)
        return STATUS_NO_MEMORY;
    apc->routine = reinterpret_cast<ke::Apc::Routine>(routine);
    apc->arguments[0] = argument1;
    apc->arguments[1] = argument2;
    apc->arguments[2] = argument3;
    apc->release = [](ke::Apc& queued) { ke::pool_delete(&queued); };
    if (!thread->queue_apc(*apc)) {
        ke::pool_delete(apc);
        return STATUS_UNSUCCESSFUL; // the thread has exited
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtAlertThread(HANDLE handle)
{
    ob::Ref<ke::Thread> thread;
    if (const NTSTATUS status = reference_thread(handle, kThreadAlert, thread); !NT_SUCCESS(status))
        return status;
    return thread->alert();
}

NTSTATUS NTAPI NtTestAlert()
{
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;
    if (thread->test_alert())
        return STATUS_ALERTED;
    thread->deliver_apcs();
    return STATUS_SUCCESS;
}

} // extern "C"
