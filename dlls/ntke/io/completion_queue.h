// Completion ports.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/lock.h"
#include "ke/thread.h"
#include "ke/time.h"
#include "ke/wait.h"
#include "nt/api.h"
#include "ob/object.h"

namespace ke {
class WakeList;
}

namespace io {

/// A completion packet in a queue. Counterpart: IO_MINI_COMPLETION_PACKET, or the IRP itself.
/// Owner: the queue, from post() until a thread has taken it; then `release` is called once.
struct Packet {
    Packet* next = nullptr;
    CompletionPacket contents {};
    void (*release)(Packet& packet) = nullptr;
};

class CompletionQueue;

/// Where the files of a port tell that something can be done for their requests: a thread that
/// finds no packet waits there itself, so that the one that will work is the one that is woken.
/// Owner: the queue. Without one, threads only wait for packets, which others post.
class WaitSource {
public:
    /// Waits until `due` for something to happen, or for interrupt(), and serves what has happened:
    /// packets are posted meanwhile. One thread at a time, no lock held: one that has slept asks
    /// is_polled_by_current() before it looks at anything.
    virtual void wait_and_serve(CompletionQueue& queue, const ke::DueTime& due) = 0;
    /// Ends the wait that is, or the next one.
    virtual void interrupt() = 0;
    /// A packet has come that no waiting thread was given. No lock held.
    virtual void on_packet_left() = 0;
    /// The thread that waited here was stopped meanwhile / is being suspended. No lock held.
    virtual void on_poller_stopped() = 0;
    virtual void on_poller_withdrawn() = 0;
    /// A packet of a queue that gives its packets away, in its turn. No lock held.
    virtual void take_packet(const CompletionPacket& packet) = 0;
    /// The queue is closed: nobody will wait any more. No lock held.
    virtual void on_closed() = 0;
    /// Nobody has a reference to the queue: lets go of everything but its own memory.
    virtual void on_dropped() = 0;
    virtual void destroy() = 0;

protected:
    ~WaitSource() = default;
};

/// A completion port. Counterpart: KQUEUE, the body of an IoCompletion object.
///
/// Packets leave in the order they came. Waiting threads are served last come, first served, and
/// never more run at once than the concurrency allows: a thread counts as running from the end of a
/// removal until it comes back for the next, except while it waits for something else.
/// When the last handle closes, packets are dropped and waiting threads get STATUS_ABANDONED.
///
///     Own ──give_away──> Leaving ──the last packet is with the source──> GivenAway, for good
///
/// Once it gives its packets away, no thread gets one: removals come back with
/// STATUS_REPARSE, those that wait, too.
///
/// With a WaitSource, one of the waiting threads waits there for all of them, the poller. It keeps
/// that role until it leaves with a packet, or for another reason; then the last that came takes
/// over. A waiting thread that is suspended is not on the list until it goes on.
///
/// Owner: references; a thread holds one to the queue it works for. Lock: m_lock, a leaf.
class CompletionQueue final : public ob::Object {
public:
    static ob::Type& object_type() { return ob::g_completion_type; }

    /// `concurrency` 0 means the number of processors. Errors: STATUS_NO_MEMORY.
    static NTSTATUS create(uint32_t concurrency, ob::Ref<CompletionQueue>& queue);

    /// Gives the queue its source, for good; before a file that needs it is associated. False: it
    /// has one.
    bool set_source(WaitSource& source) EXCLUDES(m_lock);
    WaitSource* source() const { return m_source.load(std::memory_order_acquire); }
    /// Serves what has happened at the source by now, if no thread waits there.
    void serve_source() EXCLUDES(m_lock);

    /// Appends a packet or hands it to a waiting thread. Cannot fail. Counterpart: KeInsertQueue.
    void post(Packet& packet) EXCLUDES(m_lock);

    /// Appends a packet of its own making. Errors: STATUS_NO_MEMORY.
    /// Counterpart: IoSetIoCompletion.
    NTSTATUS post(const CompletionPacket& contents) EXCLUDES(m_lock);

    /// Takes 1 to `count` packets, waiting for the first. Returns STATUS_SUCCESS, STATUS_TIMEOUT,
    /// STATUS_USER_APC, STATUS_ALERTED or STATUS_ABANDONED. Counterpart: KeRemoveQueueEx.
    NTSTATUS remove(ke::Thread& thread, CompletionPacket* packets, uint32_t count,
        uint32_t* removed, ke::Alertable alertable, const ke::DueTime& due) EXCLUDES(m_lock);

    /// From here on packets go to the source, in the order they came; also when the last handle is
    /// closed. Once.
    void give_away() EXCLUDES(m_lock);

    /// Up to `count` packets that are there; never waits. For threads that wait elsewhere.
    uint32_t try_remove(CompletionPacket* packets, uint32_t count) EXCLUDES(m_lock);

    /// `thread` works for no queue any more. Called when it exits.
    static void leave(ke::Thread& thread);
    /// It was stopped in remove(): takes it off the list, and gives back what it was handed.
    static void abandon_wait(ke::Thread& thread);
    /// It sleeps in remove() and is being suspended: it waits anew when it goes on. For Thread.
    static void withdraw(ke::Thread& thread);
    /// Is the calling thread still the one that waits at the source?
    bool is_polled_by_current() const EXCLUDES(m_lock);
    /// A thread that works for this queue falls asleep / goes on. Counterpart:
    /// KiActivateWaiterQueue.
    void on_thread_blocked() EXCLUDES(m_lock);
    void on_thread_resumed() EXCLUDES(m_lock);

    /// Packets waiting. Counterpart: KeReadStateQueue.
    uint32_t depth() const EXCLUDES(m_lock);

    explicit CompletionQueue(uint32_t concurrency);

    /// While it exists, the calling thread serves the queue's source: packets it posts are for
    /// itself first, so others are not woken for them.
    class Serving {
    public:
        explicit Serving(CompletionQueue& queue);
        ~Serving();
        Serving(const Serving&) = delete;
    };

private:
    using Waiter = ke::QueueWaiter;

    ~CompletionQueue() override;
    void on_last_handle_closed() override EXCLUDES(m_lock);
    void on_last_reference_dropped() override EXCLUDES(m_lock);
    void close() EXCLUDES(m_lock);
    /// What a removal says when there will be no packet any more.
    NTSTATUS status_without_packets() const REQUIRES(m_lock)
    {
        return m_packets == Packets::Own ? STATUS_ABANDONED : STATUS_REPARSE;
    }
    /// Ends the waits of all that wait.
    void end_waits(NTSTATUS status, ke::WakeList& wakes) REQUIRES(m_lock);
    Packet* take_all() REQUIRES(m_lock);
    Packet* pop() REQUIRES(m_lock);
    void push_waiter(Waiter& waiter) REQUIRES(m_lock);
    void unlink_waiter(Waiter& waiter) REQUIRES(m_lock);
    /// Hands packets to waiting threads as far as the concurrency allows. Returns whether the
    /// poller is one of them and must be woken where it waits.
    [[nodiscard]] bool activate_waiters(ke::WakeList& wakes) REQUIRES(m_lock);
    /// Afterwards; `is_left`: packets are still there.
    void tell_source(bool is_poller_activated, bool is_left) EXCLUDES(m_lock);
    Waiter* waiter_to_activate() const REQUIRES(m_lock);
    uint32_t take(CompletionPacket* packets, uint32_t count, Packet*& taken) REQUIRES(m_lock);
    bool can_take() const REQUIRES(m_lock)
    {
        return m_first && m_running < m_concurrency && m_packets == Packets::Own;
    }
    NTSTATUS sleep(Waiter& waiter, const ke::DueTime& due) EXCLUDES(m_lock);
    bool become_poller(Waiter& waiter) EXCLUDES(m_lock);
    void poll(Waiter& waiter, const ke::DueTime& due) EXCLUDES(m_lock);
    bool is_over(Waiter& waiter, bool has_timed_out) EXCLUDES(m_lock);
    void give_up_polling(Waiter& waiter, ke::WakeList& wakes) REQUIRES(m_lock);
    void promote_next(ke::WakeList& wakes) REQUIRES(m_lock);
    void adopt(ke::Thread& thread);

    const uint32_t m_concurrency;
    mutable ke::Lock m_lock;
    Packet* m_first GUARDED_BY(m_lock) = nullptr;
    Packet* m_last GUARDED_BY(m_lock) = nullptr;
    uint32_t m_depth GUARDED_BY(m_lock) = 0;
    uint32_t m_running GUARDED_BY(m_lock) = 0;
    Waiter* m_last_waiter GUARDED_BY(m_lock) = nullptr;
    Waiter* m_poller GUARDED_BY(m_lock) = nullptr; // one of the waiters, or a guest
    std::atomic<WaitSource*> m_source { nullptr };
    bool m_is_closed GUARDED_BY(m_lock) = false;
    enum class Packets : uint8_t { Own, Leaving, GivenAway };
    Packets m_packets GUARDED_BY(m_lock) = Packets::Own;
};

} // namespace io
