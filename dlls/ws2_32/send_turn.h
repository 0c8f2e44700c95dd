// Whose turn it is to send on a stream.
#pragma once

#include <atomic>

#include "sdk.h"

namespace ws2 {

/// Keeps the bytes of one send together: while the first of them are on their way and the rest
/// waits for room, no other send may begin. A turn lasts for what a call does in the process; what
/// waits on the host is kept together there. Owner: a stream socket.
///
/// A turn that lasts for long is over: its thread is suspended, or was terminated.
class SendTurn {
public:
    /// False: the socket has been closed, or this thread has the turn already, for it is in an APC
    /// that runs in a send; the call goes on without a turn.
    bool take(const std::atomic<bool>& is_closing)
    {
        DWORD owner = 0;
        return m_owner.compare_exchange_strong(
                   owner, GetCurrentThreadId(), std::memory_order_acquire)
            || wait_and_take(is_closing);
    }
    void release()
    {
        DWORD self = GetCurrentThreadId(); // unless another thread has taken it over
        m_owner.compare_exchange_strong(self, 0, std::memory_order_release);
    }
    /// Does another thread wait for the turn? Its owner then does not begin to wait any more.
    bool is_wanted() const { return m_waiting.load(std::memory_order_relaxed); }

private:
    bool wait_and_take(const std::atomic<bool>& is_closing);

    std::atomic<DWORD> m_owner { 0 }; // a thread's id
    std::atomic<int> m_waiting { 0 };
};

/// Holds a turn for the length of a block, or less.
class SendTurnGuard {
public:
    SendTurnGuard() = default;
    SendTurnGuard(const SendTurnGuard&) = delete;
    ~SendTurnGuard() { release(); }
    void take(SendTurn& turn, const std::atomic<bool>& is_closing)
    {
        if (turn.take(is_closing))
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
