#include "afd/request_queue.h"

namespace afd {

void RequestQueue::push(io::Irp& irp)
{
    irp.driver.next = nullptr;
    irp.driver.previous = m_last;
    if (m_last)
        m_last->driver.next = &irp;
    else
        m_first.store(&irp, std::memory_order_release);
    m_last = &irp;
}

void RequestQueue::remove(io::Irp& irp)
{
    io::Irp* previous = irp.driver.previous;
    io::Irp* next = irp.driver.next;
    if (previous)
        previous->driver.next = next;
    else
        m_first.store(next, std::memory_order_release);
    (next ? next->driver.previous : m_last) = previous;
    irp.driver.next = nullptr;
    irp.driver.previous = nullptr;
}

void Completions::add(io::Irp& irp, NTSTATUS status, ULONG_PTR information)
{
    Request& request = Request::of(irp);
    request.status = status;
    request.information = information;
    irp.driver.next = nullptr;
    (m_last ? m_last->driver.next : m_first) = &irp;
    m_last = &irp;
}

Completions::~Completions()
{
    while (io::Irp* irp = m_first) {
        m_first = irp->driver.next;
        const Request& request = Request::of(*irp);
        complete_request(*irp, request.status, request.information);
    }
}

void complete_request(io::Irp& irp, NTSTATUS status, ULONG_PTR information)
{
    Request& request = Request::of(irp);
    request.status = status;
    request.information = information;
    TimerList::instance().stop(request.timer);
    if (request.finish)
        request.finish(irp, request);
    irp.complete(request.status, request.information);
}

} // namespace afd
