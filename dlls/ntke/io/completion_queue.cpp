#include "io/completion_queue.h"

#include <unistd.h>

#include "ke/pool.h"
#include "ke/signal.h"
#include "ke/thread.h"

namespace io {

namespace {

/// A packet that belongs to no request.
struct PostedPacket : Packet {
    static void release_posted(Packet& packet)
    {
        ke::pool_delete(static_cast<PostedPacket*>(&packet));
    }
};

void release_packets(Packet* packets)
{
    while (packets) {
        Packet* packet = std::exchange(packets, packets->next);
        packet->release(*packet);
    }
}

/// The queue whose source the thread serves.
constinit thread_local CompletionQueue* t_served __attribute__((tls_model("initial-exec")))
= nullptr;

uint32_t processor_count()
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? static_cast<uint32_t>(count) : 1;
}

} // namespace

CompletionQueue::CompletionQueue(uint32_t concurrency)
    : Object(object_type(), nullptr)
    , m_concurrency(concurrency ? concurrency : processor_count())
{
}

CompletionQueue::~CompletionQueue()
{
    if (WaitSource* source = m_source.load(std::memory_order_relaxed))
        source->destroy();
}

CompletionQueue::Serving::Serving(CompletionQueue& queue)
{
    t_served = &queue;
}

CompletionQueue::Serving::~Serving()
{
    t_served = nullptr;
}

bool CompletionQueue::set_source(WaitSource& source)
{
    WaitSource* none = nullptr;
    return m_source.compare_exchange_strong(none, &source, std::memory_order_acq_rel);
}

NTSTATUS CompletionQueue::create(uint32_t concurrency, ob::Ref<CompletionQueue>& queue)
{
    queue = ob::Ref<CompletionQueue>::adopt(ke::pool_new<CompletionQueue>(concurrency));
    return queue ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

NTSTATUS CompletionQueue::post(const CompletionPacket& contents)
{
    auto* packet = ke::pool_new<PostedPacket>();
    if (!packet)
        return STATUS_NO_MEMORY;
    packet->contents = contents;
    packet->release = PostedPacket::release_posted;
    post(*packet);
    return STATUS_SUCCESS;
}

void CompletionQueue::post(Packet& packet)
{
    bool is_poller_activated = false;
    bool is_left = false;
    bool is_given_away;
    bool is_closed;
    {
        ke::WakeList wakes; // woken after the lock is released
        ke::LockGuard guard(m_lock);
        is_given_away = m_packets == Packets::GivenAway;
        is_closed = m_is_closed && m_packets == Packets::Own;
        if (!is_closed && !is_given_away) {
            packet.next = nullptr;
            (m_last ? m_last->next : m_first) = &packet;
            m_last = &packet;
            ++m_depth;
            if (t_served != this) {
                is_poller_activated = activate_waiters(wakes);
                is_left = m_first;
            }
        }
    }
    if (is_given_away)
        source()->take_packet(packet.contents);
    if (is_closed || is_given_away)
        return packet.release(packet); // nobody can ask for it any more
    tell_source(is_poller_activated, is_left);
}

void CompletionQueue::tell_source(bool is_poller_activated, bool is_left)
{
    if (is_poller_activated)
        source()->interrupt();
    else if (is_left && source())
        source()->on_packet_left();
}

uint32_t CompletionQueue::try_remove(CompletionPacket* packets, uint32_t count)
{
    Packet* taken = nullptr;
    uint32_t removed;
    {
        ke::LockGuard guard(m_lock);
        removed = take(packets, count, taken);
    }
    release_packets(taken);
    return removed;
}

void CompletionQueue::give_away()
{
    {
        ke::WakeList wakes;
        ke::LockGuard guard(m_lock);
        m_packets = Packets::Leaving;
        end_waits(STATUS_REPARSE, wakes);
    }
    source()->interrupt();
    for (;;) {
        Packet* packets;
        {
            ke::LockGuard guard(m_lock);
            packets = take_all();
            if (!packets)
                m_packets = Packets::GivenAway;
        }
        if (!packets)
            return;
        for (const Packet* packet = packets; packet; packet = packet->next)
            source()->take_packet(packet->contents);
        release_packets(packets);
    }
}

NTSTATUS CompletionQueue::remove(ke::Thread& thread, CompletionPacket* packets, uint32_t count,
    uint32_t* removed, ke::Alertable alertable, const ke::DueTime& due)
{
    adopt(thread);

    Waiter& waiter = thread.queue_waiter();
    Packet* taken = nullptr;
    *removed = 0;
    {
        ke::LockGuard guard(m_lock);
        --m_running; // until this call returns
        if (can_take()) {
            *removed = take(packets, count, taken);
            ++m_running;
        } else if (m_packets != Packets::Own || m_is_closed) {
            ++m_running;
            return status_without_packets();
        } else {
            waiter.thread = &thread;
            waiter.queue = this;
            waiter.packet = nullptr;
            thread.begin_wait();
            push_waiter(waiter);
        }
    }

    NTSTATUS status = STATUS_SUCCESS;
    if (*removed == 0) {
        if (alertable == ke::Alertable::Yes)
            thread.arm_alerts();
        status = sleep(waiter, due);

        ke::LockGuard guard(m_lock);
        waiter.queue = nullptr;
        if (waiter.is_linked)
            unlink_waiter(waiter);
        if (waiter.packet) {
            // Already counted as running by the thread that handed it over.
            packets[0] = waiter.packet->contents;
            waiter.packet->next = nullptr;
            Packet* rest = nullptr;
            *removed = 1 + take(packets + 1, count - 1, rest);
            waiter.packet->next = rest;
            taken = std::exchange(waiter.packet, nullptr);
        } else {
            ++m_running;
        }
    }
    release_packets(taken);
    return status;
}

/// The sleep of a linked waiter is the queue's own affair: the thread is not counted as running.
NTSTATUS CompletionQueue::sleep(Waiter& waiter, const ke::DueTime& due)
{
    ke::Thread& thread = *waiter.thread;
    for (;;) {
        if (become_poller(waiter))
            poll(waiter, due); // and then it has a result, which this tells
        CompletionQueue* self = std::exchange(thread.completion_queue(), nullptr);
        const NTSTATUS status = thread.sleep(due);
        thread.completion_queue() = self;

        ke::WakeList wakes;
        ke::LockGuard guard(m_lock);
        if (!std::exchange(waiter.is_promoted, false) || waiter.packet)
            return status;
        // Whoever ended the waits meanwhile did not find this one running.
        if (m_packets != Packets::Own || m_is_closed)
            return status_without_packets();
        thread.begin_wait();
        if (!waiter.is_linked)
            push_waiter(waiter);
        // One that was suspended finds what came meanwhile; with a source, the poller does that.
        if (!source())
            static_cast<void>(activate_waiters(wakes));
    }
}

bool CompletionQueue::become_poller(Waiter& waiter)
{
    if (!source())
        return false;
    ke::LockGuard guard(m_lock);
    if (m_poller || !waiter.is_linked)
        return false;
    m_poller = &waiter;
    return true;
}

/// Waits at the source until the waiter's wait has a result.
void CompletionQueue::poll(Waiter& waiter, const ke::DueTime& due)
{
    for (bool has_looked = false;; has_looked = true) {
        if (is_over(waiter, has_looked && due.has_passed()))
            return;
        source()->wait_and_serve(*this, due);
    }
}

/// Does the poller leave? Whoever ends its wait from outside interrupts the source.
bool CompletionQueue::is_over(Waiter& waiter, bool has_timed_out)
{
    ke::WakeList wakes;
    ke::LockGuard guard(m_lock);
    ke::Sleeper sleeper; // ourselves: awake
    if (waiter.is_linked && can_take() && waiter.thread->try_end_wait(STATUS_WAIT_0, sleeper)) {
        unlink_waiter(waiter);
        waiter.packet = pop();
        ++m_running;
    }
    if (has_timed_out)
        waiter.thread->try_end_wait(STATUS_TIMEOUT, sleeper);
    const bool is_over = waiter.thread->has_wait_ended();
    if (is_over && m_poller == &waiter)
        give_up_polling(waiter, wakes);
    static_cast<void>(activate_waiters(wakes)); // the poller is this thread, or nobody
    return is_over;
}

void CompletionQueue::give_up_polling(Waiter& waiter, ke::WakeList& wakes)
{
    m_poller = nullptr;
    if (waiter.is_linked)
        unlink_waiter(waiter);
    promote_next(wakes);
}

/// The thread that came last waits at the source from here on.
void CompletionQueue::promote_next(ke::WakeList& wakes)
{
    for (Waiter* next = m_last_waiter; next; next = next->older) {
        if (next->is_promoted)
            return; // it is on its way
        ke::Sleeper sleeper;
        next->is_promoted = true;
        if (next->thread->try_end_wait(STATUS_ALERTED, sleeper)) {
            wakes.add(sleeper);
            return;
        }
        next->is_promoted = false; // it is on its way out
    }
}

void CompletionQueue::serve_source()
{
    Waiter guest;
    {
        ke::LockGuard guard(m_lock);
        if (m_poller || !source())
            return;
        m_poller = &guest;
    }
    source()->wait_and_serve(*this, ke::DueTime::now());
    bool is_left;
    {
        ke::WakeList wakes;
        ke::LockGuard guard(m_lock);
        give_up_polling(guest, wakes);
        static_cast<void>(activate_waiters(wakes)); // nobody polls
        is_left = m_first;
    }
    if (is_left)
        source()->on_packet_left();
}

/// Moves up to `count` packets' contents to the caller, none of those that leave; the packets
/// themselves become the list `taken`, to be released without the lock.
uint32_t CompletionQueue::take(CompletionPacket* packets, uint32_t count, Packet*& taken)
{
    uint32_t done = 0;
    while (done < count && m_first && m_packets == Packets::Own) {
        Packet* packet = pop();
        packets[done++] = packet->contents;
        packet->next = taken;
        taken = packet;
    }
    return done;
}

/// The one that came last, but the poller only when there is no other: somebody would have to take
/// over from it.
CompletionQueue::Waiter* CompletionQueue::waiter_to_activate() const
{
    if (m_last_waiter && m_last_waiter == m_poller && m_poller->older)
        return m_poller->older;
    return m_last_waiter;
}

bool CompletionQueue::activate_waiters(ke::WakeList& wakes)
{
    bool is_poller_activated = false;
    Waiter* waiter;
    while (can_take() && (waiter = waiter_to_activate())) {
        unlink_waiter(*waiter);
        ke::Sleeper sleeper;
        if (!waiter->thread->try_end_wait(STATUS_WAIT_0, sleeper))
            continue; // Timed out or interrupted meanwhile: the packet stays for the next.
        // The thread looks at its waiter only after taking our lock.
        waiter->packet = pop();
        ++m_running;
        wakes.add(sleeper);
        is_poller_activated |= waiter == m_poller;
    }
    return is_poller_activated;
}

/// Makes this the queue `thread` works for, and counts it as running.
void CompletionQueue::adopt(ke::Thread& thread)
{
    if (thread.completion_queue() == this)
        return;
    leave(thread);
    reference();
    thread.completion_queue() = this;
    on_thread_resumed();
}

void CompletionQueue::leave(ke::Thread& thread)
{
    CompletionQueue* queue = std::exchange(thread.completion_queue(), nullptr);
    if (!queue)
        return;
    if (!thread.is_off_queue()) // stopped asleep
        queue->on_thread_blocked();
    queue->dereference();
}

void CompletionQueue::on_thread_blocked()
{
    bool is_poller_activated;
    {
        ke::WakeList wakes;
        ke::LockGuard guard(m_lock);
        --m_running;
        is_poller_activated = activate_waiters(wakes);
    }
    if (is_poller_activated)
        source()->interrupt();
}

void CompletionQueue::abandon_wait(ke::Thread& thread)
{
    Waiter& waiter = thread.queue_waiter();
    CompletionQueue* queue = std::exchange(waiter.queue, nullptr);
    if (!queue)
        return;
    bool is_poller_activated;
    bool was_poller;
    bool is_left;
    {
        ke::WakeList wakes;
        ke::LockGuard guard(queue->m_lock);
        was_poller = queue->m_poller == &waiter;
        if (waiter.is_linked)
            queue->unlink_waiter(waiter);
        if (Packet* packet = std::exchange(waiter.packet, nullptr)) {
            packet->next = queue->m_first;
            queue->m_first = packet;
            if (!queue->m_last)
                queue->m_last = packet;
            ++queue->m_depth;
        } else {
            ++queue->m_running; // as at the end of the removal: leave() takes it off
        }
        if (was_poller)
            queue->give_up_polling(waiter, wakes);
        is_poller_activated = queue->activate_waiters(wakes);
        is_left = queue->m_first;
    }
    if (was_poller)
        queue->source()->on_poller_stopped();
    queue->tell_source(is_poller_activated, is_left);
    thread.completion_queue() = queue; // a sleep puts it aside
}

void CompletionQueue::withdraw(ke::Thread& thread)
{
    Waiter& waiter = thread.queue_waiter();
    CompletionQueue& queue = *waiter.queue;
    if (queue.is_polled_by_current())
        queue.source()->on_poller_withdrawn(); // before another thread comes there

    ke::WakeList wakes;
    ke::LockGuard guard(queue.m_lock);
    ke::Sleeper ourselves; // awake: the word has changed, or the nap is over
    if (thread.try_end_wait(STATUS_ALERTED, ourselves))
        waiter.is_promoted = true; // so it waits anew, unless it has what it waited for
    if (waiter.is_linked)
        queue.unlink_waiter(waiter);
    if (queue.m_poller == &waiter)
        queue.m_poller = nullptr;
    if (!queue.m_poller && queue.source())
        queue.promote_next(wakes);
}

bool CompletionQueue::is_polled_by_current() const
{
    ke::LockGuard guard(m_lock);
    return m_poller == &ke::Thread::current()->queue_waiter();
}

void CompletionQueue::on_thread_resumed()
{
    ke::LockGuard guard(m_lock);
    ++m_running; // may exceed the concurrency for a while, as in NT
}

uint32_t CompletionQueue::depth() const
{
    ke::LockGuard guard(m_lock);
    return m_depth;
}

void CompletionQueue::on_last_handle_closed()
{
    close();
}

void CompletionQueue::on_last_reference_dropped()
{
    close(); // for queues that never had a handle
    if (WaitSource* waited_at = source())
        waited_at->on_dropped();
}

void CompletionQueue::close()
{
    Packet* packets = nullptr;
    {
        ke::WakeList wakes;
        ke::LockGuard guard(m_lock);
        if (std::exchange(m_is_closed, true))
            return;
        if (m_packets == Packets::Own)
            packets = take_all();
        end_waits(STATUS_ABANDONED, wakes);
    }
    if (WaitSource* waited_at = source()) {
        waited_at->interrupt();
        waited_at->on_closed();
    }
    release_packets(packets);
}

void CompletionQueue::end_waits(NTSTATUS status, ke::WakeList& wakes)
{
    while (Waiter* waiter = m_last_waiter) {
        unlink_waiter(*waiter);
        ke::Sleeper sleeper;
        if (waiter->thread->try_end_wait(status, sleeper))
            wakes.add(sleeper);
    }
}

Packet* CompletionQueue::take_all()
{
    Packet* packets = std::exchange(m_first, nullptr);
    m_last = nullptr;
    m_depth = 0;
    return packets;
}

Packet* CompletionQueue::pop()
{
    Packet* packet = m_first;
    m_first = packet->next;
    if (!m_first)
        m_last = nullptr;
    --m_depth;
    return packet;
}

void CompletionQueue::push_waiter(Waiter& waiter)
{
    waiter.newer = nullptr;
    waiter.older = m_last_waiter;
    if (m_last_waiter)
        m_last_waiter->newer = &waiter;
    m_last_waiter = &waiter;
    waiter.is_linked = true;
}

void CompletionQueue::unlink_waiter(Waiter& waiter)
{
    if (waiter.older)
        waiter.older->newer = waiter.newer;
    (waiter.newer ? waiter.newer->older : m_last_waiter) = waiter.older;
    waiter.is_linked = false;
}

} // namespace io
