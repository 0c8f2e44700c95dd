#include "ke/event.h"

#include "ke/pool.h"

namespace ke {

namespace {

DispatcherObject::Kind kind_from_type(EventType type)
{
    return type == kNotificationEvent ? DispatcherObject::Kind::Notification
                                      : DispatcherObject::Kind::Synchronization;
}

} // namespace

Event::Event(EventType type, bool signaled)
    : Object(object_type(), &m_dispatcher)
    , m_dispatcher(kind_from_type(type), signaled)
    , m_is_signaled_on_host(signaled)
{
}

NTSTATUS Event::create(EventType type, bool signaled, ob::Ref<Event>& event)
{
    event = ob::Ref<Event>::adopt(pool_new<Event>(type, signaled));
    return event ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

NTSTATUS Event::create_on_host(
    HostSignal& host, HANDLE host_event, EventType type, ob::Ref<Event>& event)
{
    const NTSTATUS status = create_unsettled(type, event);
    if (NT_SUCCESS(status))
        event->settle_on_host(host, host_event);
    return status;
}

// The lock of an unsettled event is held from its making on: the analysis cannot follow that.

NTSTATUS Event::create_unsettled(EventType type, ob::Ref<Event>& event) NO_THREAD_SAFETY_ANALYSIS
{
    const NTSTATUS status = create(type, false, event);
    if (NT_SUCCESS(status))
        event->m_dispatcher.lock();
    return status;
}

void Event::settle_here(bool signaled) NO_THREAD_SAFETY_ANALYSIS
{
    m_is_signaled_on_host = signaled;
    if (signaled)
        m_dispatcher.begin_signaled();
    m_dispatcher.unlock();
}

void Event::settle_on_host(HostSignal& host, HANDLE host_event) NO_THREAD_SAFETY_ANALYSIS
{
    WakeList nobody;
    become_the_hosts(host, host_event, nobody);
    m_dispatcher.unlock();
}

void Event::become_the_hosts(HostSignal& host, HANDLE host_event, WakeList& wakes)
{
    m_host = &host;
    m_host_event = host_event;
    m_dispatcher.go_away(wakes);
}

bool Event::move_to_host(HostSignal& host, HANDLE host_event)
{
    {
        WakeList wakes; // flushed when the lock is free
        m_dispatcher.lock();
        const bool moves = !m_dispatcher.is_away();
        if (moves) {
            const bool is_signaled = m_dispatcher.is_signaled();
            if (is_signaled && !m_is_signaled_on_host)
                host.set_host_event(host_event);
            else if (!is_signaled && m_is_signaled_on_host)
                host.reset_host_event(host_event);
            become_the_hosts(host, host_event, wakes);
        }
        m_dispatcher.unlock();
        if (!moves)
            return false;
    }
    // Who waits for it from here on is not seen.
    if (EventSource* source = m_dispatcher.source())
        source->share();
    return true;
}

bool Event::pulse()
{
    const auto before = m_dispatcher.pulse();
    if (before == DispatcherObject::Before::Away) {
        m_host->set_host_event(m_host_event);
        m_host->reset_host_event(m_host_event);
    }
    return before == DispatcherObject::Before::Signaled;
}

void Event::on_last_reference_dropped()
{
    if (is_on_host())
        m_host->release_host_event(m_host_event);
}

} // namespace ke
