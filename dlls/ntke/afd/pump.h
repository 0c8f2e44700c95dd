// Waiting for sockets.
#pragma once

#include <atomic>
#include <cstdint>

#include "afd/watcher.h"
#include "ke/lock.h"
#include "ke/time.h"
#include "nt/status.h"

namespace afd {

/// Waits, edge-triggered, for something to happen to watched endpoints, and tells them.
/// Counterpart: the transport's indications to AFD.
///
/// A watched endpoint is referenced. What epoll has already told about an endpoint may still be on
/// its way when it is unwatched, so the reference is given up by the pump itself, between two
/// rounds. Owner: the process; it is never destroyed. Lock: m_lock guards the list of unwatched
/// endpoints, a leaf.
///
/// The pump of the process has a thread. Natively it is one of its own, made with the first watch.
/// Under Wine the PE side lends one, which comes back from run() whenever it has something to do on
/// the host. A completion port has a pump too, for the sockets whose requests only it tells of; the
/// threads that wait for packets run it, one at a time.
class Pump final : public Watcher {
public:
    static Pump& instance();

    /// From here on somebody else calls run(): no thread is made. Before the first watch.
    void use_caller_thread() { m_has_thread.store(true, std::memory_order_relaxed); }

    /// Begins to watch, for everything, or for what a receive waits for. Errors:
    /// STATUS_INSUFFICIENT_RESOURCES (no descriptor, no thread).
    NTSTATUS watch(Endpoint& endpoint) EXCLUDES(m_lock);
    NTSTATUS watch_arrivals(Endpoint& endpoint) EXCLUDES(m_lock);
    /// Tells a guest whenever its epoll has something to tell, as long as it has. Errors:
    /// STATUS_INSUFFICIENT_RESOURCES.
    NTSTATUS add_guest(int epoll, PumpGuest& guest) EXCLUDES(m_lock);
    void remove_guest(int epoll);
    /// The epoll of this pump, for another one; negative: no descriptor is left.
    int epoll_of_guest() EXCLUDES(m_lock) { return NT_SUCCESS(open()) ? epoll() : -1; }
    /// Ends the watch for good; once for each endpoint, before its descriptor is closed.
    void unwatch(Endpoint& endpoint) EXCLUDES(m_lock);

    /// One round: waits up to `milliseconds` (negative: for ever), then tells the endpoints. A
    /// wake() or a signal ends the wait.
    /// Errors: STATUS_INSUFFICIENT_RESOURCES (no descriptor left); then there was no wait.
    NTSTATUS run(int milliseconds) EXCLUDES(m_lock);

    /// The pieces of a round, for those who do something in between: a look takes what there is,
    /// and is told, or, if there is nothing, a sleep may follow, and another look.
    /// A look's errors: STATUS_INSUFFICIENT_RESOURCES (no descriptor left).
    class Round;
    NTSTATUS look(Round& round) EXCLUDES(m_lock);
    void sleep(const ke::DueTime& due) EXCLUDES(m_lock);
    void tell(const Round& round) EXCLUDES(m_lock);

    /// Endpoints watched now.
    uint32_t watch_count() const { return m_watch_count.load(std::memory_order_acquire); }

    /// Of a port: nobody will run it, but for the round that may be on its way. Lets go of what is
    /// unwatched, then or after that round. To be said again when more has been unwatched.
    void retire() EXCLUDES(m_lock);
    /// Lets go of everything. Nobody runs it, nor will.
    void close() EXCLUDES(m_lock);
    /// Ends the wait that is, or the next one.
    void wake();

    /// Waits until what has been unwatched before is released. For tests that count objects; the
    /// pump has a thread of its own.
    void drain() EXCLUDES(m_lock);

    /// Rounds that had something to tell.
    uint64_t wakeups() const { return m_wakeups.load(std::memory_order_relaxed); }

    /// One without a thread.
    constexpr Pump() = default;

private:
    enum class Kind : uint8_t { OfProcess, OfPort };
    constexpr explicit Pump(Kind kind)
        : m_kind(kind)
    {
    }

    NTSTATUS open() EXCLUDES(m_lock);
    NTSTATUS begin_watch(Endpoint& endpoint, uint32_t events) EXCLUDES(m_lock);
    NTSTATUS start_thread();
    Endpoint*& next_unwatched(Endpoint& endpoint) const;
    static void tell_each(const Round& round);
    void begin_round();
    void end_round() EXCLUDES(m_lock);
    void release_unwatched() EXCLUDES(m_lock);

    const Kind m_kind = Kind::OfPort;
    std::atomic<bool> m_has_thread { false };
    std::atomic<uint32_t> m_watch_count { 0 };
    std::atomic<uint64_t> m_wakeups { 0 };
    std::atomic<uint64_t> m_releases { 0 };
    // Of a port. Either side writes its own before it reads the other's.
    std::atomic<bool> m_is_in_round { false };
    std::atomic<bool> m_is_retired { false };
    ke::Lock m_lock;
    Endpoint* m_unwatched GUARDED_BY(m_lock) = nullptr; // chained by Endpoint::m_next_unwatched
    uint32_t m_unwatched_count GUARDED_BY(m_lock) = 0;
};

/// What one wait has found. Owner: a stack frame.
class Pump::Round {
public:
    static constexpr int kMostEvents = 64;
    Round() { }
    Round(const Round&) = delete;
    bool is_empty() const { return m_count <= 0; }

private:
    friend class Pump;
    bool has_something_to_tell() const;

    epoll_event m_events[kMostEvents];
    int m_count = 0;
};

} // namespace afd
