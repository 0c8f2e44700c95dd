#include "io/completion_queue.h"

#include <unistd.h>

#include "ke/pool.h"
#include "ke/signal.h"
#include "ke/thread.h"

namespace io {

/// A thread in remove(). Owner: its stack. Guarded by the queue's lock while linked; whoever ends
/// the thread's wait unlinks it first.
struct CompletionQueue::Waiter {
    ke::Thread* thread = nullptr;
    Waiter* older = nullptr;
    Waiter* newer = nullptr;
    Packet* packet = nullptr; // what it was handed
    bool is_linked = false;
};

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
    ke::WakeList wakes; // woken after the lock is released
    {
        ke::LockGuard guard(m_lock);
        if (!m_is_closed) {
            packet.next = nullptr;
            (m_last ? m_last->next : m_first) = &packet;
            m_last = &packet;
            ++m_depth;
            activate_waiters(wakes);
            return;
        }
    }
    packet.release(packet); // nobody can ask for it any more
}

NTSTATUS CompletionQueue::remove(ke::Thread& thread, CompletionPacket* packets, uint32_t count,
    uint32_t* removed, ke::Alertable alertable, const ke::DueTime& due)
{
    adopt(thread);

    Waiter waiter;
    waiter.thread = &thread;
    Packet* taken = nullptr;
    *removed = 0;
    {
        ke::LockGuard guard(m_lock);
        --m_running; // until this call returns
        if (m_first && m_running < m_concurrency) {
            *removed = take(packets, count, taken);
            ++m_running;
        } else {
            thread.begin_wait();
            push_waiter(waiter);
        }
    }

    NTSTATUS status = STATUS_SUCCESS;
    if (*removed == 0) {
        // The sleep is the queue's own affair: the thread is not counted as running.
        CompletionQueue* self = std::exchange(thread.completion_queue(), nullptr);
        if (alertable == ke::Alertable::Yes)
            thread.arm_alerts();
        status = thread.sleep(due);
        thread.completion_queue() = self;

        ke::LockGuard guard(m_lock);
        if (waiter.is_linked)
            unlink_waiter(waiter);
        if (waiter.packet) {
            // Already counted as running by the thread that handed it over.
            packets[0] = waiter.packet->contents;
            waiter.packet->next = nullptr;
            Packet* rest = nullptr;
            *removed = 1 + take(packets + 1, count - 1, rest);
            waiter.packet->next = rest;
            taken = waiter.packet;
        } else {
            ++m_running;
        }
    }
    release_packets(taken);
    return status;
}

/// Moves up to `count` packets' contents to the caller; the packets themselves become the list
/// `taken`, to be released without the lock.
uint32_t CompletionQueue::take(CompletionPacket* packets, uint32_t count, Packet*& taken)
{
    uint32_t done = 0;
    while (done < count && m_first) {
        Packet* packet = pop();
        packets[done++] = packet->contents;
        packet->next = taken;
        taken = packet;
    }
    return done;
}

void CompletionQueue::activate_waiters(ke::WakeList& wakes)
{
    while (m_first && m_last_waiter && m_running < m_concurrency) {
        Waiter& waiter = *m_last_waiter;
        unlink_waiter(waiter);
        const std::atomic<uint32_t>* wake = nullptr;
        if (!waiter.thread->try_end_wait(STATUS_WAIT_0, &wake))
            continue; // Timed out or interrupted meanwhile: the packet stays for the next.
        // The thread looks at its waiter only after taking our lock.
        waiter.packet = pop();
        ++m_running;
        wakes.add(wake);
    }
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
    queue->on_thread_blocked();
    queue->dereference();
}

void CompletionQueue::on_thread_blocked()
{
    ke::WakeList wakes;
    ke::LockGuard guard(m_lock);
    --m_running;
    activate_waiters(wakes);
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
}

void CompletionQueue::close()
{
    Packet* packets = nullptr;
    {
        ke::WakeList wakes;
        ke::LockGuard guard(m_lock);
        m_is_closed = true;
        packets = std::exchange(m_first, nullptr);
        m_last = nullptr;
        m_depth = 0;
        while (Waiter* waiter = m_last_waiter) {
            unlink_waiter(*waiter);
            const std::atomic<uint32_t>* wake = nullptr;
            if (waiter->thread->try_end_wait(STATUS_ABANDONED, &wake))
                wakes.add(wake);
        }
    }
    release_packets(packets);
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
