#include "unix/host_threads.h"

#include "afd/pump.h"
#include "io/irp.h"
#include "nt/publish.h"
#include "unix/host_services.h"

namespace host_threads {

namespace {

constexpr ACCESS_MASK kAllAccess = 0x1FFFFF;

uint64_t g_relay_start = 0; // written once, before there is a relay to start

void queue_apc(ke::Thread& thread, PIO_APC_ROUTINE routine, PVOID context, IO_STATUS_BLOCK* iosb)
{
    // A thread that has ended has no handle, and nobody to make the call.
    if (const HANDLE handle = thread.host_handle())
        host::queue_apc_thread(handle, reinterpret_cast<PVOID>(routine), context, iosb, nullptr);
}

// Threads that were stopped: they cannot ask the host for anything any more, so the pump ends their
// requests.
std::atomic<ke::Thread*> g_stopped { nullptr };

void note_stopped(ke::Thread& thread)
{
    ke::Thread* first = g_stopped.load(std::memory_order_relaxed);
    do {
        thread.next_stopped() = first;
    } while (!g_stopped.compare_exchange_weak(first, &thread, std::memory_order_acq_rel));
    afd::Pump::instance().wake();
}

// Threads that have requests which end with them, by the host's number.
ke::Lock g_known_lock;
ke::Thread* g_known GUARDED_BY(g_known_lock) = nullptr;

uint64_t id_of(HANDLE thread)
{
    constexpr ULONG kBasicInformation = 0;
    struct {
        NTSTATUS exit_status;
        PVOID block;
        ULONG_PTR process;
        ULONG_PTR thread;
        ULONG_PTR affinity;
        LONG priority;
        LONG base_priority;
    } basic {}; // THREAD_BASIC_INFORMATION
    const NTSTATUS status
        = host::query_information_thread(thread, kBasicInformation, &basic, sizeof(basic), nullptr);
    return NT_SUCCESS(status) ? basic.thread : 0;
}

void note_waits(ke::Thread& thread)
{
    if (thread.host_id()) [[likely]]
        return;
    thread.host_id() = id_of(nt::current_thread());
    ke::LockGuard guard(g_known_lock);
    thread.next_known() = g_known;
    g_known = &thread;
}

void forget(ke::Thread& thread)
{
    ke::LockGuard guard(g_known_lock);
    for (ke::Thread** link = &g_known; *link; link = &(*link)->next_known()) {
        if (*link == &thread) {
            *link = thread.next_known();
            return;
        }
    }
}

ob::Ref<ke::Thread> find(uint64_t id)
{
    ke::LockGuard guard(g_known_lock);
    ke::Thread* thread = g_known;
    while (thread && thread->host_id() != id)
        thread = thread->next_known();
    return ob::Ref<ke::Thread>::share(thread);
}

void end(ke::Thread& thread)
{
    forget(thread);
    const HANDLE handle = thread.host_handle();
    thread.run_down();
    thread.set_host_handle(nullptr);
    if (handle)
        host::close(handle);
}

} // namespace

void set_relay_start(uint64_t function)
{
    g_relay_start = function;
}

NTSTATUS start_relay(void* argument)
{
    HANDLE thread = nullptr;
    const NTSTATUS status
        = host::create_thread_ex(&thread, kAllAccess, nullptr, nt::current_process(),
            reinterpret_cast<PVOID>(g_relay_start), argument, 0, 0, 0, 0, nullptr);
    if (NT_SUCCESS(status))
        host::close(thread);
    return status;
}

NTSTATUS prepare_for_apcs(ke::Thread& thread)
{
    if (thread.host_handle())
        return STATUS_SUCCESS;
    HANDLE handle = nullptr;
    const NTSTATUS status = host::duplicate_object(nt::current_process(), nt::current_thread(),
        nt::current_process(), &handle, kAllAccess, 0, 0);
    if (NT_SUCCESS(status))
        thread.set_host_handle(handle);
    return status;
}

NTSTATUS stop(HANDLE thread, NTSTATUS exit_status)
{
    const uint64_t id = id_of(thread);
    const NTSTATUS status = host::terminate_thread(thread, exit_status);
    ob::Ref<ke::Thread> stopped;
    if (NT_SUCCESS(status) && id)
        stopped = find(id);
    if (stopped) {
        stopped->stop();
        io::cancel_all_of_exiting_thread(*stopped);
    }
    return status;
}

void end_current()
{
    if (ke::Thread* thread = ke::Thread::take_current()) {
        end(*thread);
        thread->dereference();
    }
}

void end_stopped()
{
    ke::Thread* thread = g_stopped.exchange(nullptr, std::memory_order_acq_rel);
    while (thread) {
        ke::Thread* next = thread->next_stopped();
        end(*thread);
        thread->dereference();
        thread = next;
    }
}

void connect()
{
    ke::Thread::on_stopped = note_stopped;
    io::g_queue_apc_on_host = queue_apc;
    io::g_before_pending = note_waits;
}

} // namespace host_threads
