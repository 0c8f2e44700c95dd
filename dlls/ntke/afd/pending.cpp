// Requests that wait: how they come, are served, and go without having been served.
#include "afd/pump.h"
#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "ke/time.h"

namespace afd {

uint32_t SocketFile::claimed_conditions() const
{
    return (m_receives.is_empty() ? 0u : kPollReceive)
        | (m_urgent_receives.is_empty() ? 0u : kPollReceiveExpedited)
        | (m_accepts.is_empty() ? 0u : kPollAccept) | (has_backlog() ? kPollSend : 0u);
}

bool SocketFile::is_busy() const
{
    return is_connecting() || m_first_poll || !m_receives.is_empty()
        || !m_urgent_receives.is_empty() || !m_accepts.is_empty() || has_older_sends();
}

void SocketFile::on_ready(uint32_t ready)
{
    if (look_around(ready))
        end_use();
    else if (is_of_host())
        accept_on_host();
}

/// What Linux tells is a moment old. That a socket has ended may be about its life before it was
/// connected, and data may have been taken since: who has to wait for them then must not be told.
EarlierLook SocketFile::look_from_told(uint32_t ready) const
{
    constexpr uint32_t kReadyOfData = kReadyIn | kReadyUrgent | kReadyOut;
    EarlierLook told { state(), ready, false };
    told.is_valid = can_look_ahead(told) && is_nonblocking() && !(ready & ~kReadyOfData);
    return told;
}

/// Returns whether the socket has nothing left to live for.
bool SocketFile::look_around(uint32_t ready)
{
    Completions done;
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (m_is_closed)
        return false;
    const EarlierLook told = look_from_told(ready);
    const bool was_busy = is_busy();
    settle(done, signal);
    if (state() == SocketState::Listening) {
        serve_accepts(done);
    } else {
        serve_transfers(m_urgent_receives, done);
        serve_transfers(m_receives, done);
        serve_sends(done);
    }
    refresh_if_recording(signal);
    serve_polls(done, &told);
    // Nobody has been waiting for this: the next one need not be told.
    if (!was_busy && !is_busy() && !m_record.mask())
        mute();
    return m_is_lingering && !has_backlog() && std::exchange(m_is_lingering, false);
}

void SocketFile::refresh_if_recording(Signal& signal)
{
    if (m_is_recording.load(std::memory_order_relaxed))
        refresh(signal);
}

/// A request that only a port tells of is served by those who wait for its packets.
bool SocketFile::is_served_by_port(const io::Irp& irp) const
{
    const io::CompletionQueue* const awaited = irp.awaiting_port();
    return awaited && awaited == m_port_queue.load(std::memory_order_relaxed)
        && m_port_pump.load(std::memory_order_acquire);
}

NTSTATUS SocketFile::pend(io::Irp& irp, RequestQueue& queue, Completions& done)
{
    if (m_is_closing)
        return STATUS_CANCELLED;
    const bool waits_for_arrivals = &queue == &m_receives || &queue == &m_accepts;
    const bool is_watched_by_port = waits_for_arrivals && is_served_by_port(irp);
    if (const NTSTATUS status = is_watched_by_port ? watch_by_port(PortWatch::Arrivals) : watch();
        !NT_SUCCESS(status))
        return status;
    if (is_watched_by_port)
        Absence::instance().expect(*m_port.load(std::memory_order_relaxed));
    else if (ke::Event* event = irp.event(); event && !m_event)
        follow(*event);
    enqueue(irp, queue, done);
    return STATUS_PENDING;
}

void SocketFile::enqueue(io::Irp& irp, RequestQueue& queue, Completions& done)
{
    Request& request = Request::of(irp);
    request.owner = this;
    request.queue = &queue;
    request.timer.irp = &irp;
    request.timer.expired = expire_queued;
    queue.push(irp);
    irp.pend(cancel_queued);
    // Its thread was stopped before it could be seen to have a request.
    if (irp.thread().is_stopped() && !irp.outlives_thread() && irp.claim()) {
        queue.remove(irp);
        done.add(irp, STATUS_CANCELLED, 0);
    } else if (request.timeout) {
        TimerList::instance().start(request.timer, ke::DueTime::in_milliseconds(request.timeout));
    }
}

/// A receive of a connection that its owner closes was aborted; everything else, cancelled.
NTSTATUS SocketFile::status_of_unserved(const io::Irp& irp) const
{
    const RequestQueue* queue = Request::of(irp).queue;
    const bool is_receive = queue == &m_receives || queue == &m_urgent_receives;
    const bool is_aborted
        = m_is_closing && is_receive && &irp.file() == this && state() == SocketState::Connected;
    return is_aborted ? STATUS_CONNECTION_ABORTED : STATUS_CANCELLED;
}

NTSTATUS SocketFile::dequeue(io::Irp& irp, ULONG_PTR& information)
{
    Request& request = Request::of(irp);
    for (;;) {
        SocketFile& owner = *request.owner.load(std::memory_order_acquire);
        ke::LockGuard guard(owner.m_lock);
        if (request.owner.load(std::memory_order_relaxed) != &owner)
            continue; // An accept has gone on to wait for data.
        request.queue->remove(irp);
        if (owner.m_is_ending && !owner.has_older_sends())
            owner.end_stream(); // it was the last one that the end waited for
        information = static_cast<Transfer&>(request).done;
        return owner.status_of_unserved(irp);
    }
}

NTSTATUS SocketFile::cancel_queued(io::Irp& irp, ULONG_PTR& information)
{
    Request& request = Request::of(irp);
    request.status = dequeue(irp, request.information);
    TimerList::instance().stop(request.timer);
    if (request.finish)
        request.finish(irp, request);
    information = request.information;
    return request.status;
}

void SocketFile::expire_queued(io::Irp& irp)
{
    ULONG_PTR information = 0;
    dequeue(irp, information);
    complete_request(irp, STATUS_IO_TIMEOUT, information);
}

} // namespace afd
