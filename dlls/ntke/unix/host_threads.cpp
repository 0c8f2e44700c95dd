#include "unix/host_threads.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "afd/pump.h"
#include "io/irp.h"
#include "ke/backoff.h"
#include "ke/pool.h"
#include "ke/timeline.h"
#include "nt/publish.h"
#include "unix/host_services.h"
#include "unix/sleepers.h"
#include "unix/uninterrupted.h"

namespace host_threads {

namespace {

constexpr ACCESS_MASK kAllAccess = 0x1FFFFF;

/// A helper. Owner: the list, until it has ended.
struct Helper {
    uint64_t start;
    void* argument;
    uint64_t id = 0; // the host's number
    int thread = 0; // Linux', of the thread that runs
    int stopped_thread = 0; // of the one before, which was terminated
    bool is_done = false; // it is on its way out
    Helper* next = nullptr;
};
ke::Lock g_helper_lock;
Helper* g_helpers GUARDED_BY(g_helper_lock) = nullptr;
// Written once, before there is a helper to start.
uint64_t g_pump_start = 0;
uint64_t g_relay_start = 0;
enum class PumpState : uint8_t { None, Starting, Running };
std::atomic<PumpState> g_pump { PumpState::None };
/// Set in the helpers' own threads, so that others need not look whether they are one.
constinit thread_local bool t_runs_helper __attribute__((tls_model("initial-exec"))) = false;

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
    // What it waited for is nothing it takes any more, however late the pump comes.
    ke::Sleeper nobody;
    thread.try_end_wait(STATUS_THREAD_IS_TERMINATING, nobody);
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

/// The same for a handle that may have the right to terminate the thread, and no other.
uint64_t id_of_any(HANDLE thread)
{
    constexpr ACCESS_MASK kQueryLimited = 0x800;
    if (const uint64_t id = id_of(thread))
        return id;
    HANDLE own = nullptr;
    if (!NT_SUCCESS(host::duplicate_object(
            nt::current_process(), thread, nt::current_process(), &own, kQueryLimited, 0, 0)))
        return 0;
    const uint64_t id = id_of(own);
    host::close(own);
    return id;
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

/// Null: not known, or `id` is 0, nobody's.
ob::Ref<ke::Thread> find(uint64_t id)
{
    if (!id)
        return {};
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
    sleepers::give_back(thread);
    thread.set_host_handle(nullptr);
    if (handle)
        host::close(handle);
}

/// The link to a helper; to null when the thread is none.
Helper** find_helper(uint64_t id) REQUIRES(g_helper_lock)
{
    Helper** link = &g_helpers;
    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

bool has_arrived(uint64_t id)
{
    ke::LockGuard guard(g_helper_lock);
    const Helper* helper = *find_helper(id);
    return !helper || helper->thread;
}

/// A thread that starts opens and closes handles of the host. A program that closes a handle twice
/// in that moment may close one of those, and the thread then closes what has got its value. So the
/// thread is waited for, unless something keeps it, as the loader's lock may.
void await_arrival(uint64_t id)
{
    constexpr int64_t kPatience = 200'000; // 20 ms
    ke::await([id] { return has_arrived(id); }, kPatience);
}

/// A thread that is about to be terminated. What it has undertaken takes no longer than the host
/// takes to answer, unless it is suspended.
void await_undertaking(ke::Thread& thread)
{
    constexpr int64_t kPatience = 1'000'000; // a tenth of a second
    thread.note_stopping(true);
    ke::await([&] { return !thread.is_undertaking(); }, kPatience);
}

/// Starts the thread of a helper that is not in the list; on failure the helper is gone.
NTSTATUS run(Helper* helper)
{
    constexpr ULONG kSuspended = 1; // it is in the list before it can end
    HANDLE thread = nullptr;
    const NTSTATUS status
        = host::create_thread_ex(&thread, kAllAccess, nullptr, nt::current_process(),
            reinterpret_cast<PVOID>(helper->start), helper->argument, kSuspended, 0, 0, 0, nullptr);
    if (!NT_SUCCESS(status)) {
        ke::pool_delete(helper);
        return status;
    }
    const uint64_t id = id_of(thread);
    helper->id = id;
    {
        ke::LockGuard guard(g_helper_lock);
        helper->next = g_helpers;
        g_helpers = helper;
    }
    host::resume_thread(thread, nullptr);
    host::close(thread);
    await_arrival(id);
    return status;
}

NTSTATUS start_helper(uint64_t start, void* argument)
{
    auto* helper = ke::pool_new<Helper>(start, argument);
    return helper ? run(helper) : STATUS_NO_MEMORY;
}

/// Takes a helper out of the list; null: the thread is none.
Helper* take_helper(uint64_t id)
{
    ke::LockGuard guard(g_helper_lock);
    Helper** link = find_helper(id);
    Helper* helper = *link;
    if (helper)
        *link = helper->next;
    return helper;
}

/// Starts a helper again whose thread was terminated.
void restart(Helper* helper)
{
    if (helper->is_done)
        return ke::pool_delete(helper);
    const bool is_pump = helper->start == g_pump_start;
    helper->stopped_thread = std::exchange(helper->thread, 0);
    if (!NT_SUCCESS(run(helper)) && is_pump)
        g_pump = PumpState::None;
}

/// A thread that was terminated goes on to where it can be stopped.
void wait_for_end(int thread)
{
    constexpr useconds_t kPause = 1000;
    while (thread && tgkill(getpid(), thread, 0) == 0)
        usleep(kPause);
}

} // namespace

void set_starts(uint64_t pump, uint64_t relay)
{
    g_pump_start = pump;
    g_relay_start = relay;
}

NTSTATUS start_pump()
{
    for (;;) {
        PumpState state = PumpState::None;
        if (g_pump.compare_exchange_strong(state, PumpState::Starting))
            break;
        if (state == PumpState::Running)
            return STATUS_SUCCESS;
        sched_yield(); // another thread starts it
    }
    const NTSTATUS status = start_helper(g_pump_start, nullptr);
    g_pump = NT_SUCCESS(status) ? PumpState::Running : PumpState::None;
    return status;
}

NTSTATUS start_relay(void* argument)
{
    return start_helper(g_relay_start, argument);
}

uint32_t number_of_current()
{
    return static_cast<uint32_t>(id_of(nt::current_thread()));
}

bool is_helper(uint64_t id)
{
    ke::LockGuard guard(g_helper_lock);
    return *find_helper(id);
}

void note_runs_helper()
{
    ke::timeline::begin_thread();
    if (t_runs_helper)
        return;
    t_runs_helper = true;
    const uint64_t id = id_of(nt::current_thread());
    int before = 0;
    {
        const unix_side::Uninterrupted section;
        ke::LockGuard guard(g_helper_lock);
        if (Helper* helper = *find_helper(id)) {
            helper->thread = gettid();
            before = helper->stopped_thread;
        }
    }
    wait_for_end(before);
}

void note_helper_is_done()
{
    const uint64_t id = id_of(nt::current_thread());
    const unix_side::Uninterrupted section;
    ke::LockGuard guard(g_helper_lock);
    if (Helper* helper = *find_helper(id))
        helper->is_done = true;
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

void await_withdrawal(HANDLE handle)
{
    constexpr int64_t kPatience = 1'000'000; // a tenth of a second: the machine may be busy
    const uint64_t id = id_of_any(handle);
    ob::Ref<ke::Thread> thread;
    {
        const unix_side::Uninterrupted section;
        thread = find(id);
    }
    if (!thread)
        return;
    // What it is in the midst of it goes on with to where it sleeps. The caller may be stopped
    // here.
    ke::await([&thread] { return !thread->will_withdraw(); }, kPatience);
    const unix_side::Uninterrupted section; // the reference may be the last one
    thread.reset();
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

NTSTATUS stop(HANDLE thread, NTSTATUS exit_status)
{
    const uint64_t id = id_of_any(thread);
    if (const ob::Ref<ke::Thread> known = find(id))
        await_undertaking(*known);
    const NTSTATUS status = host::terminate_thread(thread, exit_status);
    const ob::Ref<ke::Thread> stopped = find(id);
    if (stopped && !NT_SUCCESS(status))
        stopped->note_stopping(false);
    if (stopped && NT_SUCCESS(status)) {
        stopped->stop();
        ke::Sleeper nobody; // the host has woken it
        stopped->try_end_wait(STATUS_THREAD_IS_TERMINATING, nobody); // takes nothing any more
        io::cancel_all_of_exiting_thread(*stopped);
    }
    if (NT_SUCCESS(status) && id) {
        if (Helper* helper = take_helper(id))
            restart(helper);
    }
    return status;
}

void end_current()
{
    if (t_runs_helper)
        ke::pool_delete(take_helper(id_of(nt::current_thread())));
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
    sleepers::connect();
    ke::Thread::on_stopped = note_stopped;
    io::g_queue_apc_on_host = queue_apc;
    io::g_before_pending = note_waits;
}

} // namespace host_threads
