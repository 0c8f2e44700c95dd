// Letting a host stop a thread where it waits.
#pragma once

#include <cstdint>

namespace ke {

/// Where threads are a host's: lets the host stop the calling one / holds that off again, as it was
/// before. Null: nothing is held off. Set once, before the first wait.
extern uint32_t (*g_let_stops_in)();
extern void (*g_hold_stops_off)(uint32_t before);

/// While it exists, the host can stop the calling thread, which holds nothing, and has nothing in
/// its hands that others wait for. Owner: a frame that only sleeps in it.
class Stoppable {
public:
    Stoppable()
        : m_before(g_let_stops_in ? g_let_stops_in() : 0)
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

} // namespace ke
