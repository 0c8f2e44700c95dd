// Whom to wake when a wait has ended.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/event_source.h"
#include "ke/futex.h"
#include "nt/types.h"

namespace ke {

/// Where threads may sleep on a host: sets the event of the host that one of them waits for there.
/// Called without a lock of ke; must not block. Null: no thread does. Set once, before the first.
extern void (*g_wake_on_host)(HANDLE event);

/// Where a thread sleeps: its wait word, an event of the host, or an event source. A value that
/// outlives the thread; who wakes a thread that is gone wakes a stranger for nothing at worst, who
/// looks and sleeps on: sources, and events of the host that threads sleep at, are used again, not
/// closed.
class Sleeper {
public:
    /// Nobody: the thread has not fallen asleep.
    constexpr Sleeper() = default;
    static Sleeper at_word(const std::atomic<uint32_t>& word)
    {
        return Sleeper(reinterpret_cast<uintptr_t>(&word));
    }
    static Sleeper on_host(HANDLE event)
    {
        return Sleeper(reinterpret_cast<uintptr_t>(event) | kOnHost);
    }
    static Sleeper at_source(EventSource& source)
    {
        return Sleeper(reinterpret_cast<uintptr_t>(&source) | kAtSource);
    }

    explicit operator bool() const { return m_place != 0; }
    bool is_on_host() const { return m_place & kOnHost; }
    void wake() const
    {
        if (m_place & kOnHost)
            g_wake_on_host(reinterpret_cast<HANDLE>(m_place & ~kOnHost));
        else if (m_place & kAtSource)
            reinterpret_cast<EventSource*>(m_place & ~kAtSource)->wake();
        else if (m_place)
            futex_wake(reinterpret_cast<const std::atomic<uint32_t>*>(m_place), 1);
    }

private:
    // Bits that mean nothing in a handle or an address.
    static constexpr uintptr_t kOnHost = 1;
    static constexpr uintptr_t kAtSource = 2;

    explicit Sleeper(uintptr_t place)
        : m_place(place)
    {
    }

    uintptr_t m_place = 0;
};

} // namespace ke
