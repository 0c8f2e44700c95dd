#include "afd/hosted_record.h"

#include "afd/ioctl.h"

namespace afd {

void HostedRecord::begin(uint32_t reported, const GetEventsResult& pending)
{
    constexpr uint32_t kRecordedAnew
        = kPollSend | kPollConnect | kPollConnectFail | kPollDisconnect | kPollAbort;
    m_is_kept = true;
    m_withheld = reported & kRecordedAnew;
    m_carried = pending;
}

void HostedRecord::complete(GetEventsResult& result, uint32_t mask)
{
    result.flags &= ~m_withheld;
    carry_events(result, m_carried, mask);
    m_carried.flags &= ~mask;
}

} // namespace afd
