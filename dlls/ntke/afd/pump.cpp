#include "afd/pump.h"

#include <algorithm>

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "afd/absence.h"
#include "afd/direct_calls.h"
#include "afd/endpoint.h"
#include "afd/timer.h"
#include "ke/stoppable.h"
#include "ke/time.h"

namespace afd {

namespace {

/// Tells guests from endpoints in what epoll keeps for us: a bit that no address has.
constexpr uint64_t kGuest = 1;

/// The pump holds memory of at most this many unwatched endpoints while it sleeps.
constexpr uint32_t kUnwatchedAtRest = 64;

void* run_pump(void* argument)
{
    for (;;)
        static_cast<Pump*>(argument)->run(-1);
    return nullptr;
}

} // namespace

Pump& Pump::instance()
{
    static constinit Pump pump(Kind::OfProcess);
    return pump;
}

NTSTATUS Pump::open()
{
    if (m_epoll.load(std::memory_order_acquire) >= 0)
        return STATUS_SUCCESS;
    ke::LockGuard guard(m_lock);
    if (m_epoll.load(std::memory_order_relaxed) >= 0)
        return STATUS_SUCCESS;
    return open_descriptors(true) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS Pump::start_thread()
{
    if (m_kind == Kind::OfPort)
        return STATUS_SUCCESS; // others run it
    if (m_has_thread.load(std::memory_order_acquire) || m_has_thread.exchange(true))
        return STATUS_SUCCESS;
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run_pump, this) != 0) {
        m_has_thread.store(false);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    pthread_detach(thread);
    return STATUS_SUCCESS;
}

NTSTATUS Pump::watch(Endpoint& endpoint)
{
    return begin_watch(endpoint, kWatched);
}

NTSTATUS Pump::watch_arrivals(Endpoint& endpoint)
{
    return begin_watch(endpoint, kArrivals);
}

NTSTATUS Pump::begin_watch(Endpoint& endpoint, uint32_t events)
{
    if (const NTSTATUS status = open(); !NT_SUCCESS(status))
        return status;
    if (const NTSTATUS status = start_thread(); !NT_SUCCESS(status))
        return status;
    endpoint.reference();
    if (control(EPOLL_CTL_ADD, endpoint, events) == 0) {
        m_watch_count.fetch_add(1, std::memory_order_acq_rel);
        return STATUS_SUCCESS;
    }
    endpoint.dereference();
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS Pump::add_guest(int epoll, PumpGuest& guest)
{
    for (const NTSTATUS status : { open(), start_thread() }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    epoll_event event {};
    event.events = EPOLLIN; // as long as there is something, and so also what was there before
    event.data.u64 = reinterpret_cast<uintptr_t>(&guest) | kGuest;
    return epoll_ctl(this->epoll(), EPOLL_CTL_ADD, epoll, &event) == 0
        ? STATUS_SUCCESS
        : STATUS_INSUFFICIENT_RESOURCES;
}

void Pump::remove_guest(int epoll)
{
    epoll_ctl(this->epoll(), EPOLL_CTL_DEL, epoll, nullptr);
}

Endpoint*& Pump::next_unwatched(Endpoint& endpoint) const
{
    return endpoint.m_next_unwatched[m_kind == Kind::OfPort];
}

void Pump::unwatch(Endpoint& endpoint)
{
    unwatch_for_now(endpoint);
    bool is_full;
    {
        ke::LockGuard guard(m_lock);
        next_unwatched(endpoint) = m_unwatched;
        m_unwatched = &endpoint;
        is_full = ++m_unwatched_count % kUnwatchedAtRest == 0;
    }
    const bool is_last = m_watch_count.fetch_sub(1, std::memory_order_acq_rel) == 1;
    if (is_last && m_kind == Kind::OfPort)
        instance().wake(); // a port that is closed is over now
    if (is_full)
        wake();
}

void Pump::retire()
{
    m_is_retired.store(true, std::memory_order_seq_cst);
    if (!m_is_in_round.load(std::memory_order_seq_cst))
        release_unwatched();
}

void Pump::begin_round()
{
    if (m_kind == Kind::OfPort)
        m_is_in_round.store(true, std::memory_order_seq_cst);
}

void Pump::end_round()
{
    if (m_kind != Kind::OfPort)
        return;
    m_is_in_round.store(false, std::memory_order_seq_cst);
    if (m_is_retired.load(std::memory_order_seq_cst)) [[unlikely]]
        release_unwatched();
}

void Pump::close()
{
    release_unwatched();
    for (std::atomic<int>* fd : { &m_epoll, &m_wake_fd }) {
        if (*fd >= 0)
            ::close(fd->exchange(-1));
    }
}

/// Called between two rounds: nothing epoll told before is left to be looked at.
void Pump::release_unwatched()
{
    Endpoint* endpoint;
    {
        ke::LockGuard guard(m_lock);
        endpoint = m_unwatched;
        m_unwatched = nullptr;
        m_unwatched_count = 0;
    }
    while (endpoint) {
        Endpoint* next = next_unwatched(*endpoint);
        endpoint->dereference();
        endpoint = next;
    }
    m_releases.fetch_add(1, std::memory_order_release);
}

void Pump::drain()
{
    if (!m_has_thread.load(std::memory_order_acquire))
        return;
    // The release that runs now may have begun too early; the next one has not.
    const uint64_t enough = m_releases.load(std::memory_order_acquire) + 2;
    while (m_releases.load(std::memory_order_acquire) < enough) {
        wake();
        sched_yield();
    }
}

NTSTATUS Pump::run(int milliseconds)
{
    TimerList& timers = TimerList::instance();
    Absence::instance().look();
    milliseconds = Absence::instance().limit_sleep(timers.limit_sleep(milliseconds));
    Round round;
    // Where there is much to do, something has come since the last round.
    if (const NTSTATUS status = look(round); !NT_SUCCESS(status))
        return status;
    if (milliseconds && round.is_empty()) {
        sleep(milliseconds < 0 ? ke::DueTime::never() : ke::DueTime::in_milliseconds(milliseconds));
        look(round);
    }
    timers.end_expired();
    if (round.has_something_to_tell())
        m_wakeups.fetch_add(1, std::memory_order_relaxed);
    tell(round);
    return STATUS_SUCCESS;
}

bool Pump::Round::has_something_to_tell() const
{
    return std::any_of(m_events, m_events + std::max(m_count, 0),
        [](const epoll_event& event) { return event.data.u64 != kWake; });
}

NTSTATUS Pump::look(Round& round)
{
    if (const NTSTATUS status = open(); !NT_SUCCESS(status))
        return status;
    begin_round();
    release_unwatched();
    round.m_count = direct::epoll_wait(epoll(), round.m_events, Round::kMostEvents);
    return STATUS_SUCCESS;
}

/// Only asks whether there is something, while it may be stopped: what epoll gives out is to be
/// told, whatever becomes of this thread.
void Pump::sleep(const ke::DueTime& due)
{
    end_round();
    pollfd fd { epoll(), POLLIN, 0 };
    ke::Nap nap(due);
    direct::ppoll(&fd, 1, nap.time());
}

void Pump::tell(const Round& round)
{
    {
        const Signal::Batch signals;
        tell_each(round);
    }
    end_round();
}

void Pump::tell_each(const Round& round)
{
    for (int i = 0; i < round.m_count; ++i) {
        const epoll_event& event = round.m_events[i];
        if (event.data.u64 & kGuest)
            reinterpret_cast<PumpGuest*>(event.data.u64 & ~kGuest)->on_guest_ready();
        else if (auto* endpoint = static_cast<Endpoint*>(event.data.ptr))
            endpoint->on_ready(ready_from(event));
    }
}

void Pump::wake()
{
    // The thread may be on its way to its first wait.
    if (NT_SUCCESS(open()))
        write_to_wake_fd();
}

} // namespace afd
