// Threads as the dispatcher sees them.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/apc.h"
#include "ke/dispatcher.h"
#include "ke/event_source.h"
#include "ke/lock.h"
#include "ke/sleeper.h"
#include "ke/time.h"
#include "nt/status.h"
#include "ob/object.h"

namespace io {
class CompletionQueue;
class Irp;
struct Packet;
} // namespace io

namespace ke {

class Thread;

/// A thread that waits in a completion queue. Owner: the thread; guarded by the queue's lock while
/// linked; whoever ends the thread's wait unlinks it first.
struct QueueWaiter {
    Thread* thread = nullptr;
    io::CompletionQueue* queue = nullptr; // while it waits; the thread holds a reference
    QueueWaiter* older = nullptr;
    QueueWaiter* newer = nullptr;
    io::Packet* packet = nullptr; // what it was handed
    bool is_linked = false;
    bool is_promoted = false; // its wait was ended so that it waits at the source
};

/// A thread's sleep on a host. Owner: the frame of a wait.
class HostSleep {
public:
    /// `sleeper` has been set: somebody has ended the wait, or did so with an earlier one.
    static constexpr NTSTATUS kWoken = 0x0FFF'FFFE;

    /// Waits on the host for its event `sleeper` and for whatever else it likes, until `due`.
    /// Returns kWoken, or what has ended the wait. No lock is held.
    virtual NTSTATUS wait(HANDLE sleeper, const DueTime& due) = 0;

protected:
    ~HostSleep() = default;
};

/// A thread: its current wait, its APC queue, its alert. Counterpart: KTHREAD / ETHREAD.
///
/// Any Linux thread becomes one on its first call. Owner: references; the running thread holds one
/// until it exits, then the object becomes signaled. Locks: m_apc_lock for queue and alert,
/// m_irp_lock for the list of requests; both are leaves and may be taken with dispatcher objects
/// locked.
class Thread final : public ob::Object {
public:
    static constexpr uint32_t kMaxWaitObjects = MAXIMUM_WAIT_OBJECTS;

    static ob::Type& object_type() { return ob::g_thread_type; }

    /// The calling thread; null when memory is out. Counterpart: KeGetCurrentThread.
    static Thread* current()
    {
        if (t_current) [[likely]]
            return t_current;
        return attach();
    }

    /// Ends the calling thread as far as ke is concerned: its requests are cancelled, its APCs
    /// dropped, the object signaled. Runs by itself when a thread exits; explicit for tests.
    static void detach();

    // Where threads are a host's.

    /// Takes the calling thread's object from it, with its reference; null: it has none. The caller
    /// runs it down.
    static Thread* take_current();
    /// What detach does of it.
    void run_down() EXCLUDES(m_apc_lock);
    /// A thread has ended that did not detach before: it was stopped. Takes over the reference.
    /// Null: detach is called.
    static void (*on_stopped)(Thread& thread);
    Thread*& next_stopped() { return m_next_stopped; }
    /// It is being stopped: what it still issues does not begin to wait.
    void stop() { m_is_stopped.store(true, std::memory_order_seq_cst); }
    bool is_stopped() const { return m_is_stopped.load(std::memory_order_seq_cst); }
    /// For io::Undertaking: either side writes its own word before it reads the other's.
    bool begin_undertaking()
    {
        m_is_undertaking.store(true, std::memory_order_seq_cst);
        if (!m_is_being_stopped.load(std::memory_order_seq_cst)) [[likely]]
            return true;
        end_undertaking();
        return false;
    }
    void end_undertaking() { m_is_undertaking.store(false, std::memory_order_release); }
    /// Somebody begins to stop it / has not managed to.
    void note_stopping(bool is_being_stopped)
    {
        m_is_being_stopped.store(is_being_stopped, std::memory_order_seq_cst);
    }
    bool is_undertaking() const { return m_is_undertaking.load(std::memory_order_seq_cst); }
    /// Its number on the host, 0: not known yet, and its link in a list of the host's side.
    uint64_t& host_id() { return m_host_id; }
    Thread*& next_known() { return m_next_known; }
    /// A handle of ours to the thread, null: none. Only the thread itself, or who runs it down,
    /// sets it.
    HANDLE host_handle() const { return m_host_handle.load(std::memory_order_acquire); }
    void set_host_handle(HANDLE handle) { m_host_handle.store(handle, std::memory_order_release); }
    /// The event of the host that the thread sleeps at in waits there, null: none yet. A set of it
    /// resets itself with the wait. Only the thread itself, or who runs it down, sets it.
    HANDLE& host_sleeper() { return m_host_sleeper; }

    // APCs and alerts.

    /// Counterpart: KeInsertQueueApc. False when the thread has exited: the caller keeps the APC.
    bool queue_apc(Apc& apc) EXCLUDES(m_apc_lock);
    /// Ends an alertable wait with STATUS_ALERTED, or makes the next one end so at once.
    /// Counterpart: KeAlertThread. Errors: STATUS_THREAD_IS_TERMINATING.
    NTSTATUS alert() EXCLUDES(m_apc_lock);
    /// Takes back an alert if there is one. Counterpart: KeTestAlertThread.
    bool test_alert() EXCLUDES(m_apc_lock);
    /// Runs the queued APCs of the calling thread in order, also those queued meanwhile.
    /// Returns whether there was one. Counterpart: KiDeliverApc.
    bool deliver_apcs() EXCLUDES(m_apc_lock);

    // The wait of this thread. begin_wait, arm_alerts and sleep are called by the thread itself,
    // try_end_wait by anyone who may know that the current wait still runs: holding the lock of an
    // object with a block of the wait, or of the queue the thread waits in.

    void begin_wait();
    /// From here on alerts and APCs may end the wait; one that is there already does so now.
    void arm_alerts() EXCLUDES(m_apc_lock);
    /// Moves the wait from "running" to its result. True for exactly one caller per wait. After
    /// true the thread may be gone any moment; `sleeper` says whom to wake (after unlocking is
    /// best): nobody when it does not sleep yet.
    bool try_end_wait(NTSTATUS result, Sleeper& sleeper);
    bool has_wait_ended() const { return m_wait_word.load(std::memory_order_acquire) & kEnded; }
    /// What has ended the wait: a result of ke's, or kEndedOnHost.
    NTSTATUS wait_result() const
    {
        return static_cast<NTSTATUS>(m_wait_word.load(std::memory_order_acquire) & ~kEnded);
    }
    /// Something else did, where the thread slept.
    static constexpr NTSTATUS kEndedOnHost = 0x0FFF'FFFF;
    /// The thread was suspended: it waits anew when it goes on.
    static constexpr NTSTATUS kWithdrawn = 0x0FFF'FFFD;

    /// The calling thread, which sleeps (WhenSuspended::Withdraws), will not go on for a while: it
    /// gives its wait up until then, so that it takes nothing, and leaves its event source to
    /// others. For signal handlers. NT has the same of the kernel APC that suspends a thread: that
    /// ends its wait, which begins anew afterwards.
    static void withdraw_current();
    /// Sleeps until the wait has a result; at `due` that is `timeout_result`. Returns the result.
    NTSTATUS sleep(const DueTime& due);
    class Asleep;
    /// Where files set one of the wait's objects, it sleeps at the thread's event source, if it
    /// gets one. Once they are linked.
    void choose_source(DispatcherObject* const* objects, uint32_t count);
    /// It sleeps elsewhere: where files set one of the objects at another thread's source, that is
    /// looked after while that thread is away.
    void share_sources(DispatcherObject* const* objects, uint32_t count) const;
    /// The same, asleep on a host, where more than the objects of the wait may end it. The thread
    /// has a host_sleeper.
    NTSTATUS sleep_on_host(HostSleep& host, const DueTime& due);
    /// The calling thread, if it is one of ke's, goes to sleep where ke does not know of it.
    static void look_away()
    {
        if (has_source())
            t_current->leave_source_to_others();
    }
    /// The calling thread gives way without a sleep: it is told what has happened by now.
    static void serve_source()
    {
        if (has_source())
            t_current->m_event_source.load(std::memory_order_relaxed)->serve();
    }
    /// Has the calling thread slept where files tell it of events?
    static bool has_source()
    {
        return t_current && t_current->m_event_source.load(std::memory_order_relaxed);
    }
    WaitBlock& wait_block(uint32_t index) { return m_wait_blocks[index]; }
    /// How many blocks the wait may have linked, from the first one on; 0 when it has taken them
    /// all off again. A thread that is stopped in a wait leaves them to its run-down.
    void set_linked_blocks(uint32_t count) { m_linked_blocks = count; }
    uint32_t linked_blocks() const { return m_linked_blocks; }
    void set_wait_all_count(uint32_t count) { m_wait_all_count = count; }
    /// Number of blocks of a running wait-all. Stable while one of them is linked.
    uint32_t wait_all_count() const { return m_wait_all_count; }

    // For io.

    /// Requests this thread issued and that are pending. Counterpart: ETHREAD.IrpList.
    Lock& irp_lock() RETURN_CAPABILITY(m_irp_lock) { return m_irp_lock; }
    io::Irp*& first_irp() REQUIRES(m_irp_lock) { return m_first_irp; }
    /// The completion queue whose packets the thread works on, null before its first removal.
    /// Only the thread itself touches it. Counterpart: KTHREAD.Queue.
    io::CompletionQueue*& completion_queue() { return m_completion_queue; }
    QueueWaiter& queue_waiter() { return m_queue_waiter; }
    /// It sleeps, and so is not counted as running by its queue.
    bool is_off_queue() const { return m_is_off_queue; }

    /// Is the thread asleep in a wait? For tests that must not start before it is.
    bool is_asleep() const
    {
        const uint32_t word = m_wait_word.load(std::memory_order_acquire);
        return (word & kRunning) && (word & (kAsleep | kAsleepOnHost | kAsleepAtSource));
    }

    /// Is it in a wait that it leaves when it is suspended?
    bool will_withdraw() const
    {
        return m_wait_word.load(std::memory_order_acquire) & kRunning
            && !m_keeps_place.load(std::memory_order_relaxed);
    }
    /// It stays in this wait (WhenSuspended::KeepsPlace).
    void keep_place() { m_keeps_place.store(true, std::memory_order_relaxed); }

    Thread();

private:
    static Thread* attach();
    NTSTATUS sleep_until_ended(const DueTime& due);
    NTSTATUS sleep_at_source(const DueTime& due);
    EventSource* event_source(OwnEventSource own);
    void leave_source_to_others()
    {
        if (EventSource* source = m_event_source.load(std::memory_order_relaxed))
            source->look_away();
    }
    bool change_sleep(uint32_t end, uint32_t begin);
    void abandon_wait();
    Apc* take_apc() EXCLUDES(m_apc_lock);
    /// try_end_wait for alerts and APCs, which only end a wait that is alertable now.
    bool try_interrupt(NTSTATUS result, Sleeper& sleeper);
    bool end_wait_that_has(uint32_t bits, NTSTATUS result, Sleeper& sleeper);

    // m_wait_word: 0 no wait; kRunning with kAlertable and one of the kAsleep...; or
    // kEnded | result.
    static constexpr uint32_t kAsleepAtSource = 0x04000000;
    static constexpr uint32_t kAsleepOnHost = 0x08000000;
    static constexpr uint32_t kRunning = 0x10000000;
    static constexpr uint32_t kAlertable = 0x20000000;
    static constexpr uint32_t kAsleep = 0x40000000;
    static constexpr uint32_t kEnded = 0x80000000;

    static constinit thread_local Thread* t_current __attribute__((tls_model("initial-exec")));

    std::atomic<HANDLE> m_host_handle { nullptr };
    HANDLE m_host_sleeper = nullptr;
    std::atomic<EventSource*> m_event_source { nullptr }; // once it has one, to its end
    bool m_sleeps_at_source = false; // in this wait
    std::atomic<bool> m_keeps_place { false }; // in this wait
    Thread* m_next_stopped = nullptr;
    std::atomic<bool> m_is_stopped { false };
    std::atomic<bool> m_is_being_stopped { false };
    std::atomic<bool> m_is_undertaking { false };
    uint64_t m_host_id = 0;
    Thread* m_next_known = nullptr;
    DispatcherObject m_exit { DispatcherObject::Kind::Notification, false };
    std::atomic<uint32_t> m_wait_word { 0 };
    uint32_t m_wait_all_count = 0;
    uint32_t m_linked_blocks = 0;
    WaitBlock m_wait_blocks[kMaxWaitObjects];

    Lock m_apc_lock;
    Apc* m_first_apc GUARDED_BY(m_apc_lock) = nullptr;
    Apc* m_last_apc GUARDED_BY(m_apc_lock) = nullptr;
    bool m_is_alerted GUARDED_BY(m_apc_lock) = false;
    bool m_has_exited GUARDED_BY(m_apc_lock) = false;

    Lock m_irp_lock;
    io::Irp* m_first_irp GUARDED_BY(m_irp_lock) = nullptr;
    io::CompletionQueue* m_completion_queue = nullptr;
    QueueWaiter m_queue_waiter;
    bool m_is_off_queue = false;
};

/// While it exists, a thread that works for a completion port makes room for another one. Takes the
/// port's lock at both ends. Owner: the frame of a sleep.
class Thread::Asleep {
public:
    Asleep(Thread& thread, const DueTime& due);
    ~Asleep();
    Asleep(const Asleep&) = delete;

private:
    Thread& m_thread;
    io::CompletionQueue* const m_queue;
};

} // namespace ke
