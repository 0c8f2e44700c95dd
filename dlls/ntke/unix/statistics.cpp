#include "unix/statistics.h"

#include <atomic>

#include "afd/ioctl.h"

namespace unix_side::statistics {

namespace {

struct Counts {
    std::atomic<uint64_t> served { 0 };
    std::atomic<uint64_t> passed_down { 0 };
};
Counts g_receives;
Counts g_sends;
Counts g_polls;
Counts g_selections;
Counts g_enumerations;

Counts* counts_of(ULONG code)
{
    switch (code) {
    case afd::kIoctlRecvMsg:
    case afd::kIoctlRecvDatagram:
    case afd::kIoctlRecvMessage:
    case afd::kIoctlRecv:
        return &g_receives;
    case afd::kIoctlSendMsg:
    case afd::kIoctlSendControl:
        return &g_sends;
    case afd::kIoctlPoll:
        return &g_polls;
    case afd::kIoctlEventSelect:
        return &g_selections;
    case afd::kIoctlGetEvents:
        return &g_enumerations;
    default:
        return nullptr;
    }
}

ntke::RequestCounts read(const Counts& counts)
{
    return { counts.served.load(std::memory_order_relaxed),
        counts.passed_down.load(std::memory_order_relaxed) };
}

} // namespace

void count(ULONG code, bool is_served)
{
    if (Counts* counts = counts_of(code))
        (is_served ? counts->served : counts->passed_down).fetch_add(1, std::memory_order_relaxed);
}

void tell(ntke::StatisticsArgs& args)
{
    args.receives = read(g_receives);
    args.sends = read(g_sends);
    args.polls = read(g_polls);
    args.selections = read(g_selections);
    args.enumerations = read(g_enumerations);
}

} // namespace unix_side::statistics
