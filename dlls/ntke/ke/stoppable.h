// Letting a host stop a thread where it waits.
#pragma once

#include <cstdint>
#include <ctime>

namespace ke {

class DueTime;

/// What becomes of a thread's place in its wait when the host suspends it.
enum class WhenSuspended : uint8_t {
    KeepsPlace,
    Withdraws, // Thread::withdraw_current is called first, in the signal
};

/// Where threads are a host's: lets the host stop the calling one / holds that off again, as it was
/// before. Null: nothing is held off. Set once, before the first wait.
extern uint32_t (*g_let_stops_in)(WhenSuspended what);
extern void (*g_hold_stops_off)(uint32_t before);

/// While it exists, the host can stop the calling thread, which holds nothing, and has nothing in
/// its hands that others wait for. Owner: a frame that only sleeps in it.
class Stoppable {
public:
    explicit Stoppable(WhenSuspended what)
        : m_before(g_let_stops_in ? g_let_stops_in(what) : 0)
    {
    }
    ~Stoppable()
    {
        if (g_hold_stops_off)
            g_hold_stops_off(m_before);
    }
    Stoppable(const Stoppable&) = delete;

private:
    const uint32_t m_before;
};

/// A sleep in Linux of a thread that withdraws when it is suspended. The signal may come in the
/// moment before Linux has begun to wait, and would not end that: so it takes the time away, which
/// Linux reads where it is when it begins. Owner: a frame that makes one call of Linux that waits.
class Nap {
public:
    explicit Nap(const DueTime& due);
    ~Nap();
    Nap(const Nap&) = delete;

    /// For the call; it may change it.
    timespec* time() { return &m_nap.time; }
    /// In a signal: that of the calling thread, if it has one, ends.
    static void end_current();

private:
    /// Until it is over, found by the signal.
    struct Time {
        timespec time;
        explicit Time(const DueTime& due);
        ~Time();
    };
    Time m_nap;
    Stoppable m_section; // within the time's life
};

} // namespace ke
