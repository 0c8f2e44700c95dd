// Events.
#pragma once

#include "ke/dispatcher.h"
#include "nt/status.h"
#include "ob/object.h"

namespace ke {

/// Performs, on the host, what ke decides about a host-backed event. Owner: whoever owns the host
/// handles; it outlives all events made with it. Called without any lock of ke held, from any
/// thread, the pump included; implementations must not block.
class HostSignal {
public:
    virtual void set_host_event(HANDLE event) = 0;
    virtual void reset_host_event(HANDLE event) = 0;

protected:
    ~HostSignal() = default;
};

/// An event object. Counterpart: KEVENT, the body of an Event object.
///
/// Owner: references. Lock: none beyond the dispatcher object's own. A notification event stays
/// signaled until reset and releases everybody; a synchronization event releases one waiter and is
/// nonsignaled again. There is no count: many sets before a wait are one.
///
/// A host-backed event has no state here. It stands for an event of the host kernel in the places
/// where ke decides when an event is set (an endpoint's event selection, an IRP); set and reset
/// pass the decision on, and waiting for it is the host's business.
class Event final : public ob::Object {
public:
    static ob::Type& object_type() { return ob::g_event_type; }

    /// Errors: STATUS_NO_MEMORY.
    static NTSTATUS create(EventType type, bool signaled, ob::Ref<Event>& event);
    /// `host_event` stays the caller's and is not closed. Errors: STATUS_NO_MEMORY.
    static NTSTATUS create_host_backed(
        HostSignal& host, HANDLE host_event, EventType type, ob::Ref<Event>& event);

    EventType event_type() const
    {
        return m_dispatcher.kind() == DispatcherObject::Kind::Notification ? kNotificationEvent
                                                                           : kSynchronizationEvent;
    }
    bool is_host_backed() const { return m_host != nullptr; }
    HANDLE host_event() const { return m_host_event; }

    /// Each returns the state before; of a host-backed event it is not known here and false.
    bool set()
    {
        if (!m_host) [[likely]]
            return m_dispatcher.set();
        m_host->set_host_event(m_host_event);
        return false;
    }
    bool reset()
    {
        if (!m_host) [[likely]]
            return m_dispatcher.reset();
        m_host->reset_host_event(m_host_event);
        return false;
    }
    bool pulse();
    /// Counterpart: KeReadStateEvent.
    bool peek() const { return m_dispatcher.peek(); }

    Event(EventType type, bool signaled, HostSignal* host, HANDLE host_event);

private:
    DispatcherObject m_dispatcher;
    HostSignal* const m_host;
    HANDLE const m_host_event;
};

} // namespace ke
