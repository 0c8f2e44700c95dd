#include "afd/timer.h"

#include <algorithm>

#include "afd/pump.h"
#include "io/irp.h"

namespace afd {

namespace {

constexpr int64_t kTicksPerMillisecond = 10'000;

} // namespace

TimerList& TimerList::instance()
{
    static constinit TimerList list;
    return list;
}

void TimerList::start(Timer& timer, const ke::DueTime& due)
{
    timer.due = due.interrupt_time();
    bool is_next;
    {
        ke::LockGuard guard(m_lock);
        is_next = insert(timer);
    }
    if (is_next)
        Pump::instance().wake();
}

void TimerList::stop(Timer& timer)
{
    ke::LockGuard guard(m_lock);
    if (timer.is_linked)
        remove(timer);
}

int TimerList::limit_sleep(int milliseconds) const
{
    const int64_t due = m_next_due.load(std::memory_order_acquire);
    if (due == INT64_MAX)
        return milliseconds;
    const int limit = ke::milliseconds_until(due);
    return milliseconds < 0 ? limit : std::min(limit, milliseconds);
}

void TimerList::end_expired()
{
    const int64_t next_due = m_next_due.load(std::memory_order_acquire);
    if (next_due == INT64_MAX)
        return; // as a rule: the clock need not be read
    const int64_t now = ke::interrupt_time();
    if (next_due > now)
        return;
    void (*expired)(io::Irp&) = nullptr;
    while (io::Irp* irp = claim_expired(now, &expired))
        expired(*irp);
}

io::Irp* TimerList::claim_expired(int64_t now, void (**expired)(io::Irp&))
{
    ke::LockGuard guard(m_lock);
    while (m_first && m_first->due <= now) {
        Timer& timer = *m_first;
        remove(timer);
        if (timer.irp->claim()) {
            *expired = timer.expired;
            return timer.irp;
        }
        // Somebody is about to complete it, and stops the timer then; or gives it back.
        timer.due = now + kTicksPerMillisecond;
        insert(timer);
    }
    return nullptr;
}

/// Returns whether it is the next one now.
bool TimerList::insert(Timer& timer)
{
    Timer* previous = nullptr;
    Timer* next = m_first;
    while (next && next->due <= timer.due) {
        previous = next;
        next = next->next;
    }
    timer.previous = previous;
    timer.next = next;
    timer.is_linked = true;
    (previous ? previous->next : m_first) = &timer;
    if (next)
        next->previous = &timer;
    m_next_due.store(m_first->due, std::memory_order_release);
    return !previous;
}

void TimerList::remove(Timer& timer)
{
    (timer.previous ? timer.previous->next : m_first) = timer.next;
    if (timer.next)
        timer.next->previous = timer.previous;
    timer.is_linked = false;
    m_next_due.store(m_first ? m_first->due : INT64_MAX, std::memory_order_release);
}

} // namespace afd
