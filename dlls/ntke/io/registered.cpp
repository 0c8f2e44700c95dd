#include "io/registered.h"

#include "ke/pool.h"

namespace io {

void RegisteredNotifier::dereference()
{
    if (m_references.fetch_sub(1, std::memory_order_acq_rel) == 1)
        ke::pool_delete(this);
}

void RegisteredNotifier::notify()
{
    if (m_event)
        m_event->set();
    if (m_port)
        m_port->post(m_packet);
}

RegisteredNotifier* put_registered(
    ntke::RegisteredRequest& request, NTSTATUS status, ULONG_PTR information)
{
    RegisteredNotifier* notifier = nullptr;
    const bool notifies = ntke::complete_registered(
        request, status, information, [&](const ntke::RegisteredQueue& queue) {
            notifier = RegisteredNotifier::of(queue);
            notifier->reference();
        });
    if (!notifies && notifier)
        std::exchange(notifier, nullptr)->dereference();
    return notifier;
}

void notify_registered(RegisteredNotifier* notifier)
{
    if (!notifier)
        return;
    notifier->notify();
    notifier->dereference();
}

} // namespace io
