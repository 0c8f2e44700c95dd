// Mutual exclusion for short sections of the kernel emulation.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/thread_safety.h"

namespace ke {

/// A mutex of one word over futex. Counterpart: KSPIN_LOCK / EX_PUSH_LOCK.
///
/// Not recursive. Holders do list work only: they never wait for an event, and never call the host
/// but for the few whose comment says so.
class CAPABILITY("lock") Lock {
public:
    constexpr Lock() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    void lock() ACQUIRE()
    {
        uint32_t expected = kFree;
        if (!m_word.compare_exchange_strong(expected, kHeld, std::memory_order_acquire))
            lock_slow();
    }

    bool try_lock() TRY_ACQUIRE(true)
    {
        uint32_t expected = kFree;
        return m_word.compare_exchange_strong(expected, kHeld, std::memory_order_acquire);
    }

    void unlock() RELEASE()
    {
        if (m_word.exchange(kFree, std::memory_order_release) == kContended)
            wake_one();
    }

private:
    static constexpr uint32_t kFree = 0;
    static constexpr uint32_t kHeld = 1;
    static constexpr uint32_t kContended = 2; // held, and somebody may sleep on the word

    void lock_slow();
    void wake_one();

    std::atomic<uint32_t> m_word { kFree };
};

/// Holds a Lock for the length of a block.
class SCOPED_CAPABILITY LockGuard {
public:
    explicit LockGuard(Lock& lock) ACQUIRE(lock)
        : m_lock(lock)
    {
        m_lock.lock();
    }
    ~LockGuard() RELEASE() { m_lock.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    Lock& m_lock;
};

} // namespace ke
