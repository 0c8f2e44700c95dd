// How to wait for what another thread is about to do.
#pragma once

#include <ctime>

#include <sched.h>

#include "ke/time.h"

namespace ke {

/// The pauses between looks at something that takes a moment: the processor is given up, and after
/// some turns for long enough that threads which have work get it, however many wait like this.
/// Owner: a stack frame.
class Backoff {
public:
    void pause()
    {
        constexpr unsigned kYields = 32;
        constexpr timespec kSleep { 0, 50'000 }; // 50 microseconds
        if (m_turns < kYields) {
            ++m_turns;
            sched_yield();
        } else {
            nanosleep(&kSleep, nullptr);
        }
    }

private:
    unsigned m_turns = 0;
};

/// Waits until `condition` holds, for at most `patience`, in units of 100 ns.
template <typename Condition> void await(Condition condition, int64_t patience)
{
    const int64_t end = interrupt_time() + patience;
    for (Backoff backoff; !condition() && interrupt_time() < end;)
        backoff.pause();
}

} // namespace ke
