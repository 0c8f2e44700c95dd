#include "afd/hosted_record.h"

#include "afd/record.h"

namespace afd {

void HostedRecord::begin(uint32_t reported, const GetEventsResult& pending)
{
    const uint32_t recorded = reported | static_cast<uint32_t>(pending.flags);
    m_is_kept = true;
    m_withheld = reported & kPollSend; // the host records it anew
    for (const uint32_t group : kToldOnce) {
        if (recorded & group)
            m_withheld |= group; // the same, maybe in another form
    }
    m_carried = pending;
}

void HostedRecord::complete(GetEventsResult& result, uint32_t mask)
{
    result.flags &= ~m_withheld;
    carry_events(result, m_carried, mask);
    m_carried.flags &= ~mask;
}

} // namespace afd
