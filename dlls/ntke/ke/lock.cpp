#include "ke/lock.h"

#include <climits>

#include "ke/futex.h"
#include "ke/time.h"

namespace ke {

void Lock::lock_slow()
{
    // Sections are short: the holder is usually done within these few steps, unless it lost its
    // processor, and then spinning on is waste.
    for (int spin = 0; spin < 40; ++spin) {
        uint32_t expected = kFree;
        if (m_word.compare_exchange_weak(expected, kHeld, std::memory_order_acquire))
            return;
        if (expected == kContended)
            break;
        cpu_relax();
    }
    // Taken as contended from here on, since others may sleep: one wake-up too many is harmless,
    // one too few is not.
    while (m_word.exchange(kContended, std::memory_order_acquire) != kFree)
        futex_wait(m_word, kContended, DueTime::never());
}

void Lock::wake_one()
{
    futex_wake(&m_word, 1);
}

} // namespace ke
