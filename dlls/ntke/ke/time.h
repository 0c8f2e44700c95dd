// Time as NT counts it: units of 100 ns, negative relative to now, positive absolute since 1601.
#pragma once

#include <cstdint>
#include <ctime>

#include "nt/types.h"

namespace ke {

/// 100 ns units since 1601, UTC. Counterpart: KeQuerySystemTime.
int64_t system_time();

/// 100 ns units of a clock that never goes back. Counterpart: KeQueryInterruptTime.
int64_t interrupt_time();

/// Milliseconds until a moment of that clock, 0 when it has passed, for Linux' waits. Rounded up:
/// the last part of a wait would be a spin otherwise.
int milliseconds_until(int64_t interrupt_time);

/// As Linux takes a time or a moment. One below zero is zero, one that no 32-bit field holds (68
/// years) the most that does: callers find that too little has passed, and wait again.
timespec timespec_from_ticks(int64_t ticks);

/// The moment a wait gives up, on the monotonic clock. A value type; no lock.
///
/// An absolute NT time is turned into a distance when the wait starts; setting the system clock
/// during the wait does not move the end.
class DueTime {
public:
    static constexpr DueTime never() { return DueTime(INT64_MAX); }
    static constexpr DueTime now() { return DueTime(INT64_MIN); }
    /// `timeout` as the Nt services take it: null = for ever, 0 = do not wait.
    static DueTime from_timeout(const LARGE_INTEGER* timeout);
    /// What is left of it now, the same way; `room` is for the time. Null: for ever.
    const LARGE_INTEGER* to_timeout(LARGE_INTEGER& room) const;
    /// So many from now, at most some 29,000 years.
    static DueTime in_milliseconds(int64_t milliseconds);

    bool is_never() const { return m_interrupt_time == INT64_MAX; }
    /// The caller asked for a test, not for a wait.
    bool is_now() const { return m_interrupt_time == INT64_MIN; }
    bool has_passed() const
    {
        return is_now() || (!is_never() && m_interrupt_time <= ke::interrupt_time());
    }
    /// 100 ns units on interrupt_time()'s clock.
    int64_t interrupt_time() const { return m_interrupt_time; }

private:
    constexpr explicit DueTime(int64_t interrupt_time)
        : m_interrupt_time(interrupt_time)
    {
    }

    int64_t m_interrupt_time;
};

} // namespace ke
