// Things a thread can wait for.
//
//   thread T waits on A and B (any)             an object's word
//   T: wait word ── "waiting"                   bit 0 signaled
//      block 0 ── A ── list of A: T0, U0 ...    bit 1 locked      bit 2 lock is contended
//      block 1 ── B ── list of B: T1 ...        bit 3 has waiters bit 4 away
//
// There is no dispatcher lock. Each object locks itself with a bit of its own word, and a wait ends
// when somebody moves the waiting thread's wait word from "waiting" to a result: whoever succeeds
// (an object, an alert, an APC, the time-out) is the one reason the wait ended.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/event_source.h"
#include "ke/thread_safety.h"
#include "nt/types.h"

namespace ke {

class DispatcherObject;
class Thread;
class WakeList;

/// One thread's place in one object's wait list. Counterpart: KWAIT_BLOCK.
/// Owner: the thread, for the length of a wait. Links, object and is_linked change only under the
/// object's lock; the rest is written before the block is linked.
struct WaitBlock {
    WaitBlock* next = nullptr;
    WaitBlock* previous = nullptr;
    DispatcherObject* object = nullptr;
    Thread* thread = nullptr;
    uint32_t key = 0; // index of the object in the wait: the result of a satisfied wait-any
    WaitType type = kWaitAny;
    bool is_linked = false;
    bool is_pulsed = false; // a pulse of the object has ended the wait
};

/// Something a thread can wait for. Counterpart: DISPATCHER_HEADER.
///
/// Owner: the object it is part of (an event object, a thread, a file). The object is its own lock;
/// lock() guards the wait list, and while it is held no other thread changes the signal state. With
/// the lock free and no waiter, set, reset and satisfied waits change the state in one atomic step.
/// A thread that needs several locks takes them in rising address order, or tries.
///
/// An object may be away: it has no state here any more, for good, and nobody waits for it here. It
/// goes away under its lock (go_away); waits for it end with STATUS_REPARSE and are begun anew
/// where it is.
class CAPABILITY("dispatcher object") DispatcherObject {
public:
    /// What satisfying a wait takes.
    enum class Kind : uint8_t {
        Notification, // nothing: stays signaled, all waiters go
        Synchronization, // the signal: one waiter goes
    };

    /// The state before a change. Away: the object is, and has not been changed.
    enum class Before : uint8_t { Nonsignaled, Signaled, Away };

    DispatcherObject(Kind kind, bool signaled)
        : m_word(signaled ? kSignaled : 0)
        , m_kind(kind)
    {
    }
    DispatcherObject(const DispatcherObject&) = delete;
    DispatcherObject& operator=(const DispatcherObject&) = delete;

    Kind kind() const { return m_kind; }

    /// The signal state now; it may be another one when the caller looks at the answer.
    bool peek() const { return m_word.load(std::memory_order_acquire) & kSignaled; }

    /// Satisfies a wait at once if the object is signaled and unlocked. False: lock it and look.
    bool try_satisfy()
    {
        uint32_t word = m_word.load(std::memory_order_acquire);
        for (;;) {
            if ((word & (kSignaled | kLocked)) != kSignaled)
                return false;
            if (m_kind == Kind::Notification)
                return true;
            if (m_word.compare_exchange_weak(
                    word, word & ~kSignaled, std::memory_order_acq_rel, std::memory_order_acquire))
                return true;
        }
    }

    /// Makes the object signaled and satisfies the waits that it can satisfy, oldest first.
    /// Returns the state before, Away: nothing has happened. Counterpart: KeSetEvent.
    Before set()
    {
        Before before;
        return set_at_once(before) ? before : set_slow(AfterSet::Keep);
    }
    /// The same; the threads whose waits have ended sleep on until `wakes` is flushed. For callers
    /// that hold a lock these threads are about to take.
    Before set(WakeList& wakes)
    {
        Before before;
        return set_at_once(before) ? before : set_slow(AfterSet::Keep, wakes);
    }
    /// The same, if that takes no lock: nobody waits.
    bool set_at_once(Before& before)
    {
        uint32_t word = m_word.load(std::memory_order_relaxed);
        while (!(word & (kLocked | kHasWaiters | kAway))) {
            if (m_word.compare_exchange_weak(
                    word, word | kSignaled, std::memory_order_acq_rel, std::memory_order_relaxed)) {
                before = before_from(word);
                return true;
            }
        }
        return false;
    }

    /// Makes the object nonsignaled. Returns the state before, as above. Counterpart:
    /// KeResetEvent.
    Before reset()
    {
        Before before;
        return reset_at_once(before) ? before : reset_slow();
    }
    bool reset_at_once(Before& before)
    {
        uint32_t word = m_word.load(std::memory_order_relaxed);
        while (!(word & (kLocked | kAway))) {
            if (m_word.compare_exchange_weak(word, word & ~kSignaled, std::memory_order_acq_rel,
                    std::memory_order_relaxed)) {
                before = before_from(word);
                return true;
            }
        }
        return false;
    }

    /// Satisfies the waits that are there now and leaves the object nonsignaled. Returns the state
    /// before, as above. Counterpart: KePulseEvent.
    Before pulse() { return set_slow(AfterSet::Clear); }

    /// For good.
    bool is_away() const { return m_word.load(std::memory_order_acquire) & kAway; }
    /// Ends the waits for it with STATUS_REPARSE; the state here is lost.
    void go_away(WakeList& wakes) REQUIRES(this);

    void lock() ACQUIRE()
    {
        if (!try_lock())
            lock_slow();
    }
    bool try_lock() TRY_ACQUIRE(true)
    {
        uint32_t word = m_word.load(std::memory_order_relaxed);
        while (!(word & kLocked)) {
            if (m_word.compare_exchange_weak(
                    word, word | kLocked, std::memory_order_acquire, std::memory_order_relaxed))
                return true;
        }
        return false;
    }
    void unlock() RELEASE();
    /// Tells the analysis what it cannot see: the caller locked this object through a list.
    void assert_locked() const ASSERT_CAPABILITY(this) { }

    /// Files set it, from now on: a thread that waits for it looks after them meanwhile, at a
    /// source that it gets with `own`.
    void note_set_by_files(OwnEventSource own) { m_own.store(own, std::memory_order_relaxed); }
    /// Null: files do not set it.
    OwnEventSource own_source() const { return m_own.load(std::memory_order_relaxed); }
    /// That of the thread which waited for it last, null: none has.
    EventSource* source() const { return m_source.load(std::memory_order_acquire); }
    void set_source(EventSource& source) { m_source.store(&source, std::memory_order_release); }

    /// Does another thread wait for it, now? No lock is held.
    bool has_waiters_besides(const Thread& thread);

    // The rest is for the wait engine (wait.cpp, signal.cpp).

    bool is_signaled() const REQUIRES(this)
    {
        return m_word.load(std::memory_order_relaxed) & kSignaled;
    }
    /// The state of a new object that nobody can have waited for.
    void begin_signaled() REQUIRES(this) { m_word.fetch_or(kSignaled, std::memory_order_relaxed); }
    /// Takes what one satisfied wait takes.
    void satisfy() REQUIRES(this)
    {
        if (m_kind == Kind::Synchronization)
            m_word.fetch_and(~kSignaled, std::memory_order_relaxed);
    }
    /// try_satisfy for who can wait for the lock.
    bool satisfy_if_signaled();
    /// The block goes to the end of the list: waiters are served in the order they came.
    void link(WaitBlock& block) REQUIRES(this);
    void unlink(WaitBlock& block) REQUIRES(this);

private:
    enum class AfterSet { Keep, Clear };
    friend class SignalGuard;

    static constexpr uint32_t kSignaled = 1;
    static constexpr uint32_t kLocked = 2;
    static constexpr uint32_t kContended = 4;
    static constexpr uint32_t kHasWaiters = 8;
    static constexpr uint32_t kAway = 16; // never with kSignaled

    static Before before_from(uint32_t word)
    {
        return word & kSignaled ? Before::Signaled : Before::Nonsignaled;
    }
    void lock_slow() ACQUIRE();
    Before set_slow(AfterSet after);
    Before set_slow(AfterSet after, WakeList& wakes);
    Before reset_slow();
    void satisfy_waiters(AfterSet after, WakeList& wakes) REQUIRES(this);
    bool satisfy_all_of(WaitBlock& block) REQUIRES(this);

    std::atomic<uint32_t> m_word;
    const Kind m_kind;
    std::atomic<OwnEventSource> m_own { nullptr };
    std::atomic<EventSource*> m_source { nullptr };
    uint32_t m_wait_all_blocks GUARDED_BY(this) = 0;
    WaitBlock* m_first GUARDED_BY(this) = nullptr;
    WaitBlock* m_last GUARDED_BY(this) = nullptr;
    // While a SignalGuard holds the lock: its next object, and which guard it is.
    DispatcherObject* m_next_held GUARDED_BY(this) = nullptr;
    std::atomic<const void*> m_holder { nullptr };
};

} // namespace ke
