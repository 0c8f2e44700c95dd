// The record of network events.
#pragma once

#include <cstdint>
#include <iterator>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "nt/status.h"

namespace afd {

/// How what is recorded is told. Messages are posted once until the re-enabling call, whatever
/// comes meanwhile, and every selection looks at everything anew. [WSAAsyncSelect/5]
/// [WSAAsyncSelect/7]
enum class SelectMode : bool { Event, Message };

/// The end of a connection and the outcome of a connect are told once, in whichever of their forms
/// comes first. [WSAEventSelect/28] [WSAEventSelect/55]
inline constexpr uint32_t kToldOnce[] = {
    kPollDisconnect | kPollAbort,
    kPollConnect | kPollConnectFail,
};

/// What an endpoint has to tell through its selected event: which conditions have come true since
/// they were last told. Counterpart: the EventsActive, EventsEnabled and EventStatus members of
/// AFD's endpoint.
///
/// A condition is *pending* from record() until take(), then *reported* until re_enable(). A
/// condition that stays true is told once; only something new (more data, another connection) or
/// the re-enabling call makes it pending again. Whether something is new is the endpoint's business
/// to know. Owner: the endpoint. Lock: the endpoint's.
class EventRecord {
public:
    /// The conditions selected. 0: none.
    uint32_t mask() const { return m_mask; }
    uint32_t pending() const { return m_pending; }
    uint32_t reported() const { return m_reported; }

    /// Has `condition` been neither recorded nor reported since it was last re-enabled?
    bool is_open(uint32_t condition) const { return !((m_pending | m_reported) & condition); }

    /// Notes that a condition has come true, with the status for its slot. Returns whether the
    /// selected event must be set: not of what was told once, in this form or another.
    [[nodiscard]] bool record(uint32_t condition, NTSTATUS status = STATUS_SUCCESS);

    /// The conditions may be told again. What was pending and not told is looked at anew.
    void re_enable(uint32_t conditions)
    {
        m_pending &= ~conditions;
        m_reported &= ~conditions;
    }

    /// The condition counts as told.
    void suppress(uint32_t condition)
    {
        m_pending &= ~condition;
        m_reported |= condition;
    }

    /// Replaces the mask. The record stays. Returns whether the event must be set at once, for a
    /// pending condition of the new mask. [WSAEventSelect/12] [WSAEventSelect/13]
    [[nodiscard]] bool select(uint32_t mask)
    {
        m_mask = mask;
        return m_pending & mask;
    }

    /// Tells everything that is pending, selected or not.
    void tell_pending(GetEventsResult& result) const;
    /// Moves the selected pending conditions to the reported ones and tells them.
    void take(GetEventsResult& result);

private:
    uint32_t m_mask = 0;
    uint32_t m_pending = 0;
    uint32_t m_reported = 0;
    NTSTATUS m_status[std::size(GetEventsResult {}.status)] {};
};

} // namespace afd
