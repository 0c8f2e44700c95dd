#include "send_turn.h"

namespace ws2 {

bool SendTurn::wait_and_take(const std::atomic<bool>& is_closing)
{
    // The owner gives its turn up before it waits for long, so this is mostly over with the first
    // looks.
    constexpr int kQuickLooks = 16;
    constexpr int kMostLooks = 2000; // of a millisecond
    const DWORD self = GetCurrentThreadId();
    if (m_owner == self)
        return false;
    bool is_taken = false;
    m_waiting.fetch_add(1);
    for (int looks = 0; !is_taken && !is_closing; ++looks) {
        DWORD owner = 0;
        if (looks == kMostLooks)
            owner = m_owner;
        is_taken = m_owner.compare_exchange_strong(owner, self, std::memory_order_acquire);
        if (is_taken)
            break;
        if (looks < kQuickLooks)
            SwitchToThread();
        else
            Sleep(1);
    }
    m_waiting.fetch_sub(1);
    return is_taken;
}

} // namespace ws2
