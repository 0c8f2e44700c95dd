// The one thread that waits for sockets.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>

#include "ke/lock.h"
#include "nt/status.h"

namespace afd {

class Endpoint;

/// Waits, edge-triggered, for something to happen to watched endpoints, and tells them.
/// Counterpart: the transport's indications to AFD.
///
/// A watched endpoint is referenced. What epoll has already told about an endpoint may still be on
/// its way when it is unwatched, so the reference is given up by the pump itself, between two
/// rounds. Owner: the process; it is never destroyed. Lock: m_lock guards the list of unwatched
/// endpoints, a leaf.
///
/// Natively the pump has a thread of its own, made with the first watch. Under Wine the PE side
/// lends one, which comes back from run() whenever it has something to do on the host.
class Pump {
public:
    static Pump& instance();

    /// From here on somebody else calls run(): no thread is made. Before the first watch.
    void use_caller_thread() { m_has_thread.store(true, std::memory_order_relaxed); }

    /// Begins to watch. Errors: STATUS_INSUFFICIENT_RESOURCES (no descriptor, no thread).
    NTSTATUS watch(Endpoint& endpoint) EXCLUDES(m_lock);
    /// A watched endpoint is told nothing but errors any more / everything again. Its conditions
    /// are told anew after that.
    void mute(Endpoint& endpoint);
    void unmute(Endpoint& endpoint);
    /// The descriptor of a watched endpoint has become another socket.
    void watch_again(Endpoint& endpoint);
    /// Ends the watch for good; once for each endpoint, before its descriptor is closed.
    void unwatch(Endpoint& endpoint) EXCLUDES(m_lock);

    /// One round: waits up to `milliseconds` (negative: for ever), then tells the endpoints. A
    /// wake() or a signal ends the wait.
    /// `while_waiting` are the signals blocked meanwhile, null for those that are blocked now.
    /// Errors: STATUS_INSUFFICIENT_RESOURCES (no descriptor left); then there was no wait.
    NTSTATUS run(int milliseconds, const sigset_t* while_waiting = nullptr) EXCLUDES(m_lock);
    /// Ends the wait that is, or the next one.
    void wake();

    /// Waits until what has been unwatched before is released. For tests that count objects; the
    /// pump has a thread of its own.
    void drain() EXCLUDES(m_lock);

    /// Rounds that had something to tell.
    uint64_t wakeups() const { return m_wakeups.load(std::memory_order_relaxed); }

    constexpr Pump() = default;

private:
    NTSTATUS open() EXCLUDES(m_lock);
    int control(int operation, Endpoint& endpoint, uint32_t events);
    NTSTATUS start_thread();
    void release_unwatched() EXCLUDES(m_lock);

    std::atomic<int> m_epoll { -1 };
    std::atomic<int> m_wake_fd { -1 };
    std::atomic<bool> m_has_thread { false };
    std::atomic<uint64_t> m_wakeups { 0 };
    std::atomic<uint64_t> m_releases { 0 };
    ke::Lock m_lock;
    Endpoint* m_unwatched GUARDED_BY(m_lock) = nullptr; // chained by Endpoint::m_next_unwatched
    uint32_t m_unwatched_count GUARDED_BY(m_lock) = 0;
};

} // namespace afd
