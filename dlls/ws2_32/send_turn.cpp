#include "send_turn.h"

namespace ws2 {

static bool has_ended(DWORD thread_id)
{
    const HANDLE thread = OpenThread(SYNCHRONIZE, FALSE, thread_id);
    if (!thread)
        return GetLastError() == ERROR_INVALID_PARAMETER; // there is no such thread
    const bool ended = WaitForSingleObject(thread, 0) == WAIT_OBJECT_0;
    CloseHandle(thread);
    return ended;
}

void SendTurn::wait_and_take()
{
    // The owner gives its turn up before it waits for long, so this is mostly over with the first
    // looks.
    constexpr int kQuickLooks = 16;
    constexpr int kLooksPerQuestion = 64;
    const DWORD last_error = GetLastError();
    m_waiting.fetch_add(1);
    for (int looks = 1;; ++looks) {
        DWORD owner = 0;
        if (m_owner.compare_exchange_strong(owner, GetCurrentThreadId()))
            break;
        if (looks < kQuickLooks)
            SwitchToThread();
        else
            Sleep(1);
        if (looks % kLooksPerQuestion == 0 && has_ended(owner))
            m_owner.compare_exchange_strong(owner, 0);
    }
    m_waiting.fetch_sub(1);
    SetLastError(last_error);
}

} // namespace ws2
