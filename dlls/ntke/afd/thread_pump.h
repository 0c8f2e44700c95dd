// Watching sockets by the threads that wait for their events.
#pragma once

#include <atomic>

#include "afd/absence.h"
#include "afd/watcher.h"
#include "ke/event_source.h"
#include "ke/lock.h"
#include "nt/status.h"

namespace afd {

/// The sockets that set the events a thread waits for, watched by that thread while it waits and by
/// the pump of the process otherwise:
///
///     thread asleep    sockets ── this epoll ── the thread: serves, and finds its event set
///     thread at work   the same, a moment later: mostly it comes back at once (afd/absence.h)
///     thread elsewhere sockets ── this epoll ── the pump's epoll ── the pump's thread: serves
///
/// A socket moves here from the pump's own epoll when it tells an event of which this is the source
/// (Endpoint::follow), and on to another one in the same way. It never has to leave: the epoll of a
/// thread that has ended is the pump's to look after until another thread gets it.
///
/// Owner: the process; at most kMost of them, so as to take few descriptors. Lock: m_lock, a leaf:
/// a socket that epoll has told of stays what it is until it is referenced.
class ThreadPump final : public Watcher, public ke::EventSource, public Absence::Guest {
public:
    static constexpr uint32_t kMost = 64;

    /// One for the calling thread; null: all are in use, or no descriptor is left.
    static ke::EventSource* own();

    /// An endpoint is watched here from now on. Errors: STATUS_INSUFFICIENT_RESOURCES.
    NTSTATUS add(Endpoint& endpoint);
    void remove(Endpoint& endpoint) EXCLUDES(m_lock);

    void attend() override;
    void leave() override;
    void look_away() override;
    void share() override;
    void sleep(const ke::DueTime& due) override;
    void serve() override EXCLUDES(m_lock);
    void wake() override;
    void disown() override;
    void on_guest_ready() override;

    constexpr ThreadPump() = default;

private:
    int epoll_to_watch() override { return epoll(); }
    // It stays for ever.
    void hold() override { }
    void release() override { }
    bool is_over() const override { return false; }
    void on_let_go() override { }

    std::atomic<bool> m_is_owned { false };
    std::atomic<bool> m_is_shared { false };
    ke::Lock m_lock;
};

} // namespace afd
