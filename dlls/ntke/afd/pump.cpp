#include "afd/pump.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "afd/direct_calls.h"
#include "afd/endpoint.h"
#include "afd/timer.h"

namespace afd {

namespace {

// epoll's bits are poll's, with the edge bit above them.
static_assert(EPOLLIN == 0x001 && EPOLLPRI == 0x002 && EPOLLOUT == 0x004 && EPOLLRDHUP == 0x2000);
constexpr uint32_t kWatched = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr uint32_t kArrivals = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

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
    const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event {};
    event.events = EPOLLIN | EPOLLET;
    if (wake_fd < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wake_fd, &event) < 0) {
        if (wake_fd >= 0)
            ::close(wake_fd);
        if (epoll >= 0)
            ::close(epoll);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    m_wake_fd.store(wake_fd, std::memory_order_relaxed);
    m_epoll.store(epoll, std::memory_order_release);
    return STATUS_SUCCESS;
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

NTSTATUS Pump::add_guest(Pump& pump, Absence::Guest& guest)
{
    for (const NTSTATUS status : { open(), pump.open(), start_thread() }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    epoll_event event {};
    event.events = EPOLLIN; // as long as there is something, and so also what was there before
    event.data.u64 = reinterpret_cast<uintptr_t>(&guest) | kGuest;
    const int added = epoll_ctl(m_epoll.load(std::memory_order_relaxed), EPOLL_CTL_ADD,
        pump.m_epoll.load(std::memory_order_relaxed), &event);
    return added == 0 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void Pump::remove_guest(Pump& pump)
{
    epoll_ctl(m_epoll.load(std::memory_order_relaxed), EPOLL_CTL_DEL,
        pump.m_epoll.load(std::memory_order_relaxed), nullptr);
}

int Pump::control(int operation, Endpoint& endpoint, uint32_t events)
{
    epoll_event event {};
    event.events = events;
    event.data.ptr = &endpoint;
    return epoll_ctl(
        m_epoll.load(std::memory_order_relaxed), operation, endpoint.socket().descriptor(), &event);
}

void Pump::mute(Endpoint& endpoint)
{
    control(EPOLL_CTL_MOD, endpoint, EPOLLET);
}

void Pump::unmute(Endpoint& endpoint)
{
    control(EPOLL_CTL_MOD, endpoint, kWatched);
}

void Pump::watch_again(Endpoint& endpoint)
{
    control(EPOLL_CTL_ADD, endpoint, kWatched); // closing the old socket has taken it out
}

Endpoint*& Pump::next_unwatched(Endpoint& endpoint) const
{
    return endpoint.m_next_unwatched[m_kind == Kind::OfPort];
}

void Pump::unwatch(Endpoint& endpoint)
{
    control(EPOLL_CTL_DEL, endpoint, 0);
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

NTSTATUS Pump::run(int milliseconds, const sigset_t* while_waiting)
{
    Round round;
    const NTSTATUS status = wait(round, milliseconds, while_waiting);
    if (NT_SUCCESS(status))
        tell(round);
    return status;
}

NTSTATUS Pump::wait(Round& round, int milliseconds, const sigset_t* while_waiting)
{
    if (const NTSTATUS status = open(); !NT_SUCCESS(status))
        return status;
    begin_round();
    release_unwatched();
    TimerList& timers = TimerList::instance();
    if (m_kind == Kind::OfProcess) {
        Absence::instance().look();
        milliseconds = Absence::instance().limit_sleep(timers.limit_sleep(milliseconds));
    }
    round.m_count = direct::epoll_pwait(m_epoll.load(std::memory_order_relaxed), round.m_events,
        Round::kMostEvents, milliseconds, while_waiting);
    if (m_kind == Kind::OfProcess)
        timers.end_expired();
    if (round.m_count > 0)
        m_wakeups.fetch_add(1, std::memory_order_relaxed);
    return STATUS_SUCCESS;
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
            reinterpret_cast<Absence::Guest*>(event.data.u64 & ~kGuest)->on_guest_ready();
        else if (auto* endpoint = static_cast<Endpoint*>(event.data.ptr))
            endpoint->on_ready(
                HostSocket::ready_from_poll_events(static_cast<short>(event.events & 0xFFFF)));
    }
}

void Pump::wake()
{
    // The thread may be on its way to its first wait.
    if (!NT_SUCCESS(open()))
        return;
    const uint64_t one = 1;
    const ssize_t written
        = direct::write(m_wake_fd.load(std::memory_order_relaxed), &one, sizeof(one));
    static_cast<void>(written); // nobody writes so often that the counter is full
}

} // namespace afd
