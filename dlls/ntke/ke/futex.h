// The one place that blocks: Linux futexes on 32-bit words private to the process.
#pragma once

#include <atomic>
#include <cstdint>

namespace ke {

class DueTime;

/// Sleeps while `word` holds `expected`. May return early for no reason (signals, stray wake-ups):
/// callers loop. Returns false only when `due` has passed.
bool futex_wait(std::atomic<uint32_t>& word, uint32_t expected, const DueTime& due);

/// Wakes up to `count` sleepers. `word` is only an address here, so it may belong to memory that
/// has been freed since: a stranger there sees a spurious wake-up at worst.
void futex_wake(const std::atomic<uint32_t>* word, int count);

/// One step of a spin loop.
inline void cpu_relax()
{
    __builtin_ia32_pause();
}

} // namespace ke
