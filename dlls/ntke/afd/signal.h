// Setting the events of selections.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/event.h"
#include "ke/signal.h"

namespace afd {

/// An event of one endpoint to set; a host's event once no lock is held. Owner: a stack frame;
/// declared before the lock's guard, so that it goes after it.
class Signal {
public:
    /// How many host's events of an endpoint are on their way to be set.
    using Raises = std::atomic<uint32_t>;
    class Batch;

    Signal() = default;
    Signal(const Signal&) = delete;
    ~Signal()
    {
        if (m_event)
            deliver();
    }
    /// An event of our own is set here and now, so that whoever takes the record under the lock can
    /// reset it for good; a host's event waits until the lock is free. So do the threads that wait
    /// for ours: the first thing they do is to take the record. `raises` is part of `owner`.
    void raise(const ob::Ref<ke::Event>& event, ob::Object& owner, Raises& raises)
    {
        if (m_is_muted)
            return;
        const auto before = event->state().set(m_wakes);
        if (before == ke::DispatcherObject::Before::Away && !m_event) {
            m_event = event;
            m_owner = ob::Ref<ob::Object>::share(&owner);
            m_raises = &raises;
            raises.fetch_add(1, std::memory_order_acq_rel);
        }
    }
    /// From here on nobody needs to be woken for what is found.
    void mute() { m_is_muted = true; }

private:
    void deliver();

    ob::Ref<ke::Event> m_event;
    ob::Ref<ob::Object> m_owner; // of m_raises
    Raises* m_raises = nullptr;
    ke::WakeList m_wakes;
    bool m_is_muted = false;
};

/// While it exists, the calling thread's signals go into it, and at its end each event is set once:
/// many sockets may share one, and a host's event costs a request to the host. Owner: a stack
/// frame, of a round of a pump.
class Signal::Batch {
public:
    Batch();
    ~Batch();
    Batch(const Batch&) = delete;

private:
    friend class Signal;
    static constexpr uint32_t kMost = 64;

    /// False: it is full.
    bool add(Signal& signal);

    struct Entry {
        ob::Ref<ke::Event> event; // null: an earlier entry has it
        ob::Ref<ob::Object> owner; // of raises; not always one that the round tells
        Raises* raises;
    };
    Entry m_entries[kMost];
    uint32_t m_count = 0;
    Batch* const m_outer;
};

} // namespace afd
