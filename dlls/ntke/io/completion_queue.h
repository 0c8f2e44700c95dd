// Completion ports.
#pragma once

#include <cstdint>

#include "ke/lock.h"
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

/// A completion port. Counterpart: KQUEUE, the body of an IoCompletion object.
///
/// Packets leave in the order they came. Waiting threads are served last come, first served, and
/// never more run at once than the concurrency allows: a thread counts as running from the end of a
/// removal until it comes back for the next, except while it waits for something else.
/// When the last handle closes, packets are dropped and waiting threads get STATUS_ABANDONED.
/// Owner: references; a thread holds one to the queue it works for. Lock: m_lock, a leaf.
class CompletionQueue final : public ob::Object {
public:
    static ob::Type& object_type() { return ob::g_completion_type; }

    /// `concurrency` 0 means the number of processors. Errors: STATUS_NO_MEMORY.
    static NTSTATUS create(uint32_t concurrency, ob::Ref<CompletionQueue>& queue);

    /// Appends a packet or hands it to a waiting thread. Cannot fail. Counterpart: KeInsertQueue.
    void post(Packet& packet) EXCLUDES(m_lock);

    /// Appends a packet of its own making. Errors: STATUS_NO_MEMORY.
    /// Counterpart: IoSetIoCompletion.
    NTSTATUS post(const CompletionPacket& contents) EXCLUDES(m_lock);

    /// Takes 1 to `count` packets, waiting for the first. Returns STATUS_SUCCESS, STATUS_TIMEOUT,
    /// STATUS_USER_APC, STATUS_ALERTED or STATUS_ABANDONED. Counterpart: KeRemoveQueueEx.
    NTSTATUS remove(ke::Thread& thread, CompletionPacket* packets, uint32_t count,
        uint32_t* removed, ke::Alertable alertable, const ke::DueTime& due) EXCLUDES(m_lock);

    /// `thread` works for no queue any more. Called when it exits.
    static void leave(ke::Thread& thread);
    /// A thread that works for this queue falls asleep / goes on. Counterpart:
    /// KiActivateWaiterQueue.
    void on_thread_blocked() EXCLUDES(m_lock);
    void on_thread_resumed() EXCLUDES(m_lock);

    /// Packets waiting. Counterpart: KeReadStateQueue.
    uint32_t depth() const EXCLUDES(m_lock);

    explicit CompletionQueue(uint32_t concurrency);

private:
    struct Waiter;

    void on_last_handle_closed() override EXCLUDES(m_lock);
    void on_last_reference_dropped() override EXCLUDES(m_lock);
    void close() EXCLUDES(m_lock);
    Packet* pop() REQUIRES(m_lock);
    void push_waiter(Waiter& waiter) REQUIRES(m_lock);
    void unlink_waiter(Waiter& waiter) REQUIRES(m_lock);
    /// Hands packets to waiting threads as far as the concurrency allows.
    void activate_waiters(ke::WakeList& wakes) REQUIRES(m_lock);
    uint32_t take(CompletionPacket* packets, uint32_t count, Packet*& taken) REQUIRES(m_lock);
    void adopt(ke::Thread& thread);

    const uint32_t m_concurrency;
    mutable ke::Lock m_lock;
    Packet* m_first GUARDED_BY(m_lock) = nullptr;
    Packet* m_last GUARDED_BY(m_lock) = nullptr;
    uint32_t m_depth GUARDED_BY(m_lock) = 0;
    uint32_t m_running GUARDED_BY(m_lock) = 0;
    Waiter* m_last_waiter GUARDED_BY(m_lock) = nullptr;
    bool m_is_closed GUARDED_BY(m_lock) = false;
};

} // namespace io
