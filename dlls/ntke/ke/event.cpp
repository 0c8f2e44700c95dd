#include "ke/event.h"

#include "ke/pool.h"

namespace ke {

namespace {

DispatcherObject::Kind kind_from_type(EventType type)
{
    return type == kNotificationEvent ? DispatcherObject::Kind::Notification
                                      : DispatcherObject::Kind::Synchronization;
}

NTSTATUS create_event(
    EventType type, bool signaled, HostSignal* host, HANDLE host_event, ob::Ref<Event>& event)
{
    event = ob::Ref<Event>::adopt(pool_new<Event>(type, signaled, host, host_event));
    return event ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

} // namespace

Event::Event(EventType type, bool signaled, HostSignal* host, HANDLE host_event)
    // A host-backed event cannot be waited for here: the host has its state.
    : Object(object_type(), host ? nullptr : &m_dispatcher)
    , m_dispatcher(kind_from_type(type), signaled)
    , m_host_event(host_event)
    , m_host(host)
{
}

NTSTATUS Event::create(EventType type, bool signaled, ob::Ref<Event>& event)
{
    return create_event(type, signaled, nullptr, nullptr, event);
}

NTSTATUS Event::create_host_backed(
    HostSignal& host, HANDLE host_event, EventType type, ob::Ref<Event>& event)
{
    return create_event(type, false, &host, host_event, event);
}

bool Event::pulse()
{
    HostSignal* host = m_host.load(std::memory_order_acquire);
    if (!host)
        return m_dispatcher.pulse();
    host->set_host_event(m_host_event);
    host->reset_host_event(m_host_event);
    return false;
}

bool Event::convert(HostSignal& host, HANDLE host_event, bool& done)
{
    LockGuard guard(m_convert_lock);
    done = !is_host_backed();
    if (!done)
        return false;
    m_host_event = host_event;
    m_host.store(&host, std::memory_order_release);
    return m_dispatcher.set();
}

void Event::on_last_reference_dropped()
{
    if (HostSignal* host = m_host.load(std::memory_order_acquire))
        host->release_host_event(m_host_event);
}

} // namespace ke
