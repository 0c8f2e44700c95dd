// Whose turn it is to send on a stream.
#pragma once

#include <atomic>

#include "sdk.h"

namespace ws2 {

/// Keeps the bytes of one send together: while the first of them are on their way and the rest
/// waits for room, no other send may begin. A turn lasts for what a call does in the process; what
/// waits on the host is kept together there. Owner: a stream socket.
///
/// A thread that was terminated in its turn has none any more.
class SendTurn {
public:
    void take()
    {
        DWORD nobody = 0;
        if (!m_owner.compare_exchange_strong(
                nobody, GetCurrentThreadId(), std::memory_order_acquire)) [[unlikely]]
            wait_and_take();
    }
    void release() { m_owner.store(0, std::memory_order_release); }
    /// Does another thread wait for the turn? Its owner then does not begin to wait any more.
    bool is_wanted() const { return m_waiting.load(std::memory_order_relaxed); }

private:
    void wait_and_take();

    std::atomic<DWORD> m_owner { 0 }; // a thread's id
    std::atomic<int> m_waiting { 0 };
};

/// Holds a turn for the length of a block, or less.
class SendTurnGuard {
public:
    SendTurnGuard() = default;
    SendTurnGuard(const SendTurnGuard&) = delete;
    ~SendTurnGuard() { release(); }
    void take(SendTurn& turn)
    {
        turn.take();
        m_turn = &turn;
    }
    void release()
    {
        if (m_turn)
            m_turn->release();
        m_turn = nullptr;
    }

private:
    SendTurn* m_turn = nullptr;
};

} // namespace ws2
