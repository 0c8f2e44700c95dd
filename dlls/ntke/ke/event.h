// Events.
#pragma once

#include <atomic>

#include "ke/dispatcher.h"
#include "ke/lock.h"
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
    /// ke will not use the event any more.
    virtual void release_host_event(HANDLE event) = 0;

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
/// pass the decision on, and waiting for it is the host's business. An event may become host-backed
/// during its life (convert); it stays so.
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
    /// Makes a notification event host-backed. Returns whether it was signaled: the host event must
    /// get that state. Threads that wait for it here are woken as if it had been set; they see that
    /// it is host-backed now. False in `done`: another thread was first.
    /// A reset that runs beside it may come before the host event gets its state.
    bool convert(HostSignal& host, HANDLE host_event, bool& done);
    bool is_host_backed() const { return m_host.load(std::memory_order_acquire) != nullptr; }
    HANDLE host_event() const { return m_host_event; }

    /// Each returns the state before; of a host-backed event it is not known here and false.
    bool set()
    {
        if (HostSignal* host = m_host.load(std::memory_order_acquire)) [[unlikely]]
            return host->set_host_event(m_host_event), false;
        const bool was_signaled = m_dispatcher.set();
        pass_on_if_converted();
        return was_signaled;
    }
    /// The same for an event that was not host-backed a moment ago; the threads that it releases
    /// run when `wakes` is flushed.
    void set(WakeList& wakes)
    {
        m_dispatcher.set(wakes);
        pass_on_if_converted();
    }
    bool reset()
    {
        if (HostSignal* host = m_host.load(std::memory_order_acquire)) [[unlikely]]
            return host->reset_host_event(m_host_event), false;
        const bool was_signaled = m_dispatcher.reset();
        if (HostSignal* host = m_host.load(std::memory_order_acquire)) [[unlikely]] {
            m_dispatcher.set(); // nobody is to wait here any more
            host->reset_host_event(m_host_event);
        }
        return was_signaled;
    }
    bool pulse();
    /// Counterpart: KeReadStateEvent.
    bool peek() const { return m_dispatcher.peek(); }

    Event(EventType type, bool signaled, HostSignal* host, HANDLE host_event);

private:
    void on_last_reference_dropped() override;
    /// Converted while it was set? Then the host's event is what counts.
    void pass_on_if_converted()
    {
        if (HostSignal* host = m_host.load(std::memory_order_acquire)) [[unlikely]]
            host->set_host_event(m_host_event);
    }

    DispatcherObject m_dispatcher;
    HANDLE m_host_event; // written before m_host
    std::atomic<HostSignal*> m_host;
    Lock m_convert_lock; // one conversion at a time
};

} // namespace ke
