#include "ke/futex.h"

#include <cerrno>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ke/time.h"

namespace ke {

bool futex_wait(std::atomic<uint32_t>& word, uint32_t expected, const DueTime& due)
{
    static_assert(sizeof(word) == sizeof(uint32_t), "the kernel looks at the word itself");

    timespec when {};
    timespec* limit = nullptr;
    if (!due.is_never()) {
        when = timespec_from_ticks(due.interrupt_time());
        limit = &when;
    }
    // The bitset form takes an absolute time of the monotonic clock, so that an early return for a
    // signal does not lengthen the wait.
    const long result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit,
        nullptr, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || errno != ETIMEDOUT;
}

void futex_wake(const std::atomic<uint32_t>* word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

} // namespace ke
