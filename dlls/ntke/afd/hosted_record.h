// A record of network events that the host goes on with.
#pragma once

#include <atomic>
#include <utility>

#include "afd/params.h"
#include "ke/event.h"

namespace afd {

/// What the host does not know of a record that was kept here before: what was pending, and what
/// was told already and the host would tell once more. Owner: the socket, which is left to the
/// host. Lock: the socket's selection lock, but for is_kept.
class HostedRecord {
public:
    bool is_kept() const { return m_is_kept.load(std::memory_order_relaxed); }

    /// A record goes to the host, with what it had reported and what was pending.
    void begin(uint32_t reported, const GetEventsResult& pending);
    /// What the host has recorded of it meanwhile, and told.
    void carry(const GetEventsResult& found, uint32_t reported)
    {
        carry_events(m_carried, found, ~(reported | m_withheld));
    }
    /// The event that is selected on the host by now, for sockets that were accepted before it was:
    /// null, none, or messages.
    void select(ob::Ref<ke::Event> event) { m_event = std::move(event); }
    ke::Event* event() const { return m_event.get(); }
    /// A condition holds that the host may count as told.
    void tell_anew(uint32_t condition) { m_carried.flags |= condition; }
    /// Must the event of a selection with this mask be set at once? [WSAEventSelect/13]
    bool has_pending(uint32_t mask) const { return m_carried.flags & mask; }
    /// A request re-enables conditions: what was carried or withheld of them does not count any
    /// more. Returns what that was.
    struct Dropped {
        uint32_t withheld = 0;
        uint32_t carried = 0;
    };
    Dropped re_enable(uint32_t conditions)
    {
        const Dropped dropped { m_withheld & conditions,
            static_cast<uint32_t>(m_carried.flags) & conditions };
        m_withheld &= ~conditions;
        m_carried.flags &= ~conditions;
        return dropped;
    }
    /// The request was refused: it counts again.
    void restore(const Dropped& dropped)
    {
        m_withheld |= dropped.withheld;
        m_carried.flags |= dropped.carried;
    }
    /// Makes what the host tells what it would be if the host had kept the record from the start.
    void complete(GetEventsResult& result, uint32_t mask);

private:
    std::atomic<bool> m_is_kept { false };
    uint32_t m_withheld = 0;
    GetEventsResult m_carried {};
    ob::Ref<ke::Event> m_event;
};

} // namespace afd
