#include "afd/record.h"

namespace afd {

bool EventRecord::record(uint32_t condition, NTSTATUS status)
{
    for (const uint32_t group : kToldOnce) {
        if ((condition & group) && !is_open(group))
            return false;
    }
    m_pending |= condition;
    m_reported &= ~condition;
    m_status[__builtin_ctz(condition)] = status;
    return condition & m_mask;
}

void EventRecord::tell_pending(GetEventsResult& result) const
{
    result.flags = m_pending;
    for (size_t bit = 0; bit < std::size(m_status); ++bit)
        result.status[bit] = m_status[bit];
}

void EventRecord::take(GetEventsResult& result)
{
    tell_pending(result);
    result.flags &= m_mask;
    m_pending &= ~result.flags;
    m_reported |= result.flags;
}

} // namespace afd
