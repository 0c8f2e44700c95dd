#include "afd/thread_pump.h"

#include <ctime>

#include <poll.h>
#include <unistd.h>

#include "afd/direct_calls.h"
#include "afd/endpoint.h"
#include "afd/pump.h"
#include "afd/signal.h"
#include "ke/stoppable.h"
#include "ke/time.h"

namespace afd {

namespace {

constinit ThreadPump g_pumps[ThreadPump::kMost];

} // namespace

/// What was shared stays so, for others may still wait for what is told there. That costs a thread
/// something whenever it comes and goes, so it gets such a one only where there is no other.
ke::EventSource* ThreadPump::own()
{
    for (const bool is_shared : { false, true }) {
        for (ThreadPump& pump : g_pumps) {
            if (pump.m_is_shared.load(std::memory_order_relaxed) != is_shared
                || pump.m_is_owned.load(std::memory_order_relaxed)
                || pump.m_is_owned.exchange(true, std::memory_order_acquire))
                continue;
            if (pump.epoll() >= 0 || pump.open_descriptors(false))
                return &pump;
            pump.m_is_owned.store(false, std::memory_order_release);
            return nullptr;
        }
    }
    return nullptr;
}

NTSTATUS ThreadPump::add(Endpoint& endpoint)
{
    return control(EPOLL_CTL_ADD, endpoint, kWatched) == 0 ? STATUS_SUCCESS
                                                           : STATUS_INSUFFICIENT_RESOURCES;
}

void ThreadPump::remove(Endpoint& endpoint)
{
    ke::LockGuard guard(m_lock);
    unwatch_for_now(endpoint);
}

void ThreadPump::attend()
{
    Absence::instance().attend(*this);
}

void ThreadPump::leave()
{
    Absence& absence = Absence::instance();
    absence.leave(*this);
    if (m_is_shared.load(std::memory_order_seq_cst)) // after it: whoever shares looks for it
        absence.arm(*this);
}

void ThreadPump::look_away()
{
    Absence::instance().leave_for_long(*this); // in a signal it has not left before
}

void ThreadPump::share()
{
    m_is_shared.store(true, std::memory_order_seq_cst);
    Absence::instance().arm_unless_attended(*this);
}

/// Only asks whether there is something, as Pump::sleep does.
void ThreadPump::sleep(const ke::DueTime& due)
{
    pollfd fds[] = { { epoll(), POLLIN, 0 }, { wake_fd(), POLLIN, 0 } };
    {
        ke::Nap nap(due);
        direct::ppoll(fds, 2, nap.time());
    }
    if (fds[1].revents) {
        uint64_t count;
        const ssize_t taken = read(wake_fd(), &count, sizeof(count));
        static_cast<void>(taken); // nobody else reads it, and nothing is lost if there is nothing
    }
}

void ThreadPump::serve()
{
    constexpr int kMostEvents = 64; // what is more is told next time
    const Signal::Batch signals;
    epoll_event events[kMostEvents];
    ob::Ref<Endpoint> told[kMostEvents];
    int count;
    {
        ke::LockGuard guard(m_lock);
        count = direct::epoll_wait(epoll(), events, kMostEvents);
        for (int i = 0; i < count; ++i)
            told[i] = ob::Ref<Endpoint>::share(static_cast<Endpoint*>(events[i].data.ptr));
    }
    for (int i = 0; i < count; ++i)
        told[i]->on_ready(ready_from(events[i]));
}

void ThreadPump::wake()
{
    write_to_wake_fd();
}

void ThreadPump::disown()
{
    leave();
    m_is_owned.store(false, std::memory_order_release);
}

void ThreadPump::on_guest_ready()
{
    serve();
}

} // namespace afd
