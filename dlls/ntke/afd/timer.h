// Requests that end when their time is up.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/lock.h"
#include "ke/time.h"

namespace io {
class Irp;
}

namespace afd {

/// The due time of one pending request. Counterpart: KTIMER. Owner: the request. Lock: the list's.
struct Timer {
    int64_t due = 0; // on ke::interrupt_time()'s clock
    io::Irp* irp = nullptr;
    /// Called by the pump, no lock held, with the request claimed.
    void (*expired)(io::Irp& irp) = nullptr;
    Timer* next = nullptr;
    Timer* previous = nullptr;
    bool is_linked = false;
};

/// The timers that run, the next one first. The pump sleeps no longer than until then.
///
/// Lock: m_lock, a leaf. Whoever completes a request stops its timer first, so a timer found in the
/// list under the lock has a request.
class TimerList {
public:
    static TimerList& instance();

    /// `timer.irp` is pending.
    void start(Timer& timer, const ke::DueTime& due) EXCLUDES(m_lock);
    /// Whether it runs or not.
    void stop(Timer& timer) EXCLUDES(m_lock);

    /// How long the pump may sleep that was told to sleep for `milliseconds` (negative: for ever).
    int limit_sleep(int milliseconds) const;
    void end_expired() EXCLUDES(m_lock);

private:
    bool insert(Timer& timer) REQUIRES(m_lock);
    void remove(Timer& timer) REQUIRES(m_lock);
    io::Irp* claim_expired(int64_t now, void (**expired)(io::Irp&)) EXCLUDES(m_lock);

    ke::Lock m_lock;
    Timer* m_first GUARDED_BY(m_lock) = nullptr;
    std::atomic<int64_t> m_next_due { INT64_MAX };
};

} // namespace afd
