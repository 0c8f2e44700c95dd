// Sections in which the host stops no thread.
//
// The host suspends and terminates a thread by a signal to it, and a thread that holds a lock of
// ours would hold it for long, or for ever. So we stand before the host's handlers: a signal that
// comes in a section is noted, and sent again at its end.
//
//   signal ── on_stop ── in a section?  no: the host's handler
//                             └ yes: noted ── end of the section ── signal
//
// One that is suspended asleep in a wait of ke's first leaves the wait to others
// (ke::Thread::withdraw_current).
//
// Nothing of this asks Linux for anything, unless a signal did come: blocking the signals for each
// section took half the time of a request that is served at once.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/stoppable.h"

namespace unix_side {

/// What there is of a thread's sections. Owner: its thread, which alone changes it, with what the
/// signals to it do in between; found by the signal handler by the thread's number.
struct alignas(64) StopState {
    std::atomic<int32_t> thread { 0 }; // 0: never used, kFree: used again
    std::atomic<uint32_t> depth { 0 }; // sections it is in
    std::atomic<uint32_t> noted { 0 }; // a bit for each signal that came meanwhile
    std::atomic<bool> withdraws { false }; // it sleeps in Linux, and a signal finds it there

    /// It is in no section any more: sends what was noted.
    void deliver();
};

/// The calling thread's; null before its first section.
extern constinit thread_local StopState* t_stop_state __attribute__((tls_model("initial-exec")));
StopState& make_stop_state();

/// Stands before the handlers that the host has by now. Returns null, or why it cannot. Once,
/// before the first section.
const char* take_stops();
/// Undoes it, where nothing was taken besides.
void give_stops_back();

/// While it exists, the calling thread is neither suspended nor terminated. Not for what waits
/// (ke::Stoppable).
class Uninterrupted {
public:
    Uninterrupted()
        : m_state(t_stop_state ? *t_stop_state : make_stop_state())
    {
        m_state.depth.store(
            m_state.depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    ~Uninterrupted()
    {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        const uint32_t depth = m_state.depth.load(std::memory_order_relaxed) - 1;
        m_state.depth.store(depth, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (!depth && m_state.noted.load(std::memory_order_relaxed)) [[unlikely]]
            m_state.deliver();
    }
    Uninterrupted(const Uninterrupted&) = delete;

private:
    StopState& m_state;
};

/// The two halves of ke::Stoppable.
uint32_t let_stops_in(ke::WhenSuspended what);
void hold_stops_off(uint32_t before);

} // namespace unix_side
