// The host's events, as far as Linux code can handle them: it collects what is to be done to them.
#pragma once

#include <cstdint>

#include "ke/event.h"
#include "ntke/calls.h"

namespace unix_side {

/// What one call has found to do for its caller on the PE side. Owner: the call's stack frame;
/// while it exists, the thread's signals go into it. What it let go of and
/// did not tell is left to the pump.
class HostWork {
public:
    /// Room for what a call on one endpoint can find.
    HostWork()
        : HostWork(m_own_signals, m_own_released, kOwn)
    {
    }
    HostWork(ntke::HostEventPtr* signals, ntke::HostEventPtr* released, uint32_t capacity);
    ~HostWork();
    HostWork(const HostWork&) = delete;

    uint32_t signal_count() const { return m_signal_count; }
    uint32_t released_count() const { return m_released_count; }
    /// The first of each, 0 if there is none.
    ntke::HostEventPtr signal() const { return m_signal_count ? m_signals[0] : 0; }
    ntke::HostEventPtr released() { return m_released_count ? m_released[--m_released_count] : 0; }
    /// Adds what calls and services have left. For the pump.
    void take_orphans();

private:
    friend class HostEvents;
    friend class ServiceWork;
    static constexpr uint32_t kOwn = 2;

    ntke::HostEventPtr m_own_signals[kOwn];
    ntke::HostEventPtr m_own_released[kOwn];
    ntke::HostEventPtr* m_signals;
    ntke::HostEventPtr* m_released;
    uint32_t m_capacity;
    uint32_t m_signal_count = 0;
    uint32_t m_released_count = 0;
    HostWork* m_outer;
};

/// The same for a service, which comes back to no PE code that could do it: what can be done is
/// done at its end, the rest is left to the pump.
class ServiceWork : public HostWork {
public:
    ServiceWork() = default;
    ~ServiceWork();
};

/// ke's way to the host's events. The HANDLE ke holds is a ntke::HostEvent*.
ke::HostSignal& host_signal();

inline ntke::HostEvent* host_event_from(ntke::HostEventPtr pointer)
{
    return reinterpret_cast<ntke::HostEvent*>(pointer);
}

/// Adds a reference for the PE side.
ntke::HostEventPtr share(HANDLE host_event);

/// Events set so far, for the statistics.
uint64_t signals_so_far();

} // namespace unix_side
