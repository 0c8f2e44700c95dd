// The network events of WSAEventSelect and WSAAsyncSelect, and the poll conditions behind them.
#pragma once

#include "afd/ioctl.h"
#include "afd/params.h"
#include "sdk.h"

namespace ws2 {

/// One network event and the conditions that record it.
struct NetworkEventRow {
    long event; // FD_*
    int bit; // FD_*_BIT, the index of its error code
    ULONG conditions; // afd::PollFlags
};

constexpr NetworkEventRow kNetworkEvents[] = {
    { FD_READ, FD_READ_BIT, afd::kPollReceive },
    { FD_WRITE, FD_WRITE_BIT, afd::kPollSend },
    { FD_OOB, FD_OOB_BIT, afd::kPollReceiveExpedited },
    { FD_ACCEPT, FD_ACCEPT_BIT, afd::kPollAccept },
    { FD_CONNECT, FD_CONNECT_BIT, afd::kPollConnect | afd::kPollConnectFail },
    { FD_CLOSE, FD_CLOSE_BIT, afd::kPollDisconnect | afd::kPollAbort },
};

/// The conditions behind a mask of network events. Events that never happen have none.
constexpr ULONG poll_flags_from_network_events(long events)
{
    ULONG flags = 0;
    for (const NetworkEventRow& row : kNetworkEvents) {
        if (events & row.event)
            flags |= row.conditions;
    }
    return flags;
}

/// The error code of an event that a record contains.
int error_of_event(const NetworkEventRow& row, const afd::GetEventsResult& record);

static_assert(poll_flags_from_network_events(FD_READ | FD_QOS) == afd::kPollReceive);

} // namespace ws2
