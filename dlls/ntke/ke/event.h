// Events.
#pragma once

#include <utility>

#include "ke/dispatcher.h"
#include "ke/signal.h"
#include "nt/status.h"
#include "ob/object.h"

namespace ke {

/// Performs, on the host, what ke decides about an event that is the host's. Owner: whoever owns
/// the host handles; it outlives all events made with it. Called from any thread, the pump
/// included, with no lock of ke held but, while an event moves, its own; implementations must not
/// block.
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
/// Where there is a host, an event is either the process' or the host's. The state of the process'
/// is here, and what the host has under the event's handles means nothing. The host's is away
/// (DispatcherObject): ke still decides when it is set (an endpoint's event selection, an IRP),
/// a HostSignal passes that on, and waiting for it is the host's business. An event may move to the
/// host, once and for good, with its state: before anybody can look at it there.
class Event final : public ob::Object {
public:
    static ob::Type& object_type() { return ob::g_event_type; }

    /// An event of the process'. If there is one of the host behind it, that has the same state.
    /// Errors: STATUS_NO_MEMORY.
    static NTSTATUS create(EventType type, bool signaled, ob::Ref<Event>& event);
    /// An event of the host's. `host_event` stays the caller's, on failure, too; release_host_event
    /// tells when it is needed no more. Errors: STATUS_NO_MEMORY.
    static NTSTATUS create_on_host(
        HostSignal& host, HANDLE host_event, EventType type, ob::Ref<Event>& event);
    /// One of which it is not yet known whose it is: it can be found, but whoever wants to do
    /// something with it waits until one of the settle functions is called. Errors:
    /// STATUS_NO_MEMORY.
    static NTSTATUS create_unsettled(EventType type, ob::Ref<Event>& event);
    /// It is the process'; `signaled` is the host's state of it, too.
    void settle_here(bool signaled);
    void settle_on_host(HostSignal& host, HANDLE host_event);

    EventType event_type() const
    {
        return m_dispatcher.kind() == DispatcherObject::Kind::Notification ? kNotificationEvent
                                                                           : kSynchronizationEvent;
    }

    /// Gives the event and its state to the host. Threads that wait for it here begin anew. False:
    /// it is the host's already, and `host_event` is not used.
    bool move_to_host(HostSignal& host, HANDLE host_event);
    bool is_on_host() const { return m_dispatcher.is_away(); }
    /// The host's handle that ke sets it by, of an event of the host's.
    HANDLE host_event() const { return m_host_event; }

    /// The state that the host's event behind one of the process' has had since that was made.
    bool is_signaled_on_host() const { return m_is_signaled_on_host; }

    /// Each returns the state before; of an event of the host's it is not known here and false.
    bool set() { return ask_host_if_away(m_dispatcher.set(), &HostSignal::set_host_event); }
    bool reset() { return ask_host_if_away(m_dispatcher.reset(), &HostSignal::reset_host_event); }
    bool pulse();
    /// Counterpart: KeReadStateEvent.
    bool peek() const { return m_dispatcher.peek(); }
    /// For services, whose caller has a handle that the host knows.
    DispatcherObject& state() { return m_dispatcher; }

    Event(EventType type, bool signaled);

private:
    void on_last_reference_dropped() override;
    bool ask_host_if_away(DispatcherObject::Before before, void (HostSignal::*request)(HANDLE))
    {
        if (before == DispatcherObject::Before::Away) [[unlikely]]
            (m_host->*request)(m_host_event);
        return before == DispatcherObject::Before::Signaled;
    }
    void become_the_hosts(HostSignal& host, HANDLE host_event, WakeList& wakes)
        REQUIRES(m_dispatcher);

    DispatcherObject m_dispatcher;
    // Written before the dispatcher object is away, read after that has been seen.
    HANDLE m_host_event = nullptr;
    HostSignal* m_host = nullptr;
    bool m_is_signaled_on_host; // while it is the process'
};

} // namespace ke
