// WSAEventSelect, WSAEnumNetworkEvents, WSAAsyncSelect.
#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "message_select.h"
#include "network_event.h"
#include "transfer.h"

namespace ws2 {

int error_of_event(const NetworkEventRow& row, const afd::GetEventsResult& record)
{
    switch (row.event) {
    case FD_CONNECT:
        return record.flags & afd::kPollConnectFail
            ? error_from_status(record.status[afd::kConnectFailBit])
            : 0;
    case FD_CLOSE:
        // A reset is reported as an abort of the connection. [WSAEventSelect/59]
        if (record.flags & afd::kPollAbort)
            return WSAECONNABORTED;
        return error_from_status(record.status[afd::kDisconnectBit]);
    default:
        return 0;
    }
}

/// Takes the record of a socket, resetting `event` if there is one. Where the kernel does not do
/// both in one step, the event is reset before the record is taken, so that what comes in between
/// is at worst found by an enumeration nobody was woken for, never lost.
static NTSTATUS take_record(Socket& socket, WSAEVENT event, afd::GetEventsResult& record)
{
    if (event && !kernel::get_events_resets_event()) {
        if (const NTSTATUS status = kernel::reset_event(event); !NT_SUCCESS(status))
            return status;
    }
    // The handle of the event travels as the input pointer.
    return afd_call(socket.handle, afd::kIoctlGetEvents, event, 0, &record, sizeof(record));
}

} // namespace ws2

using namespace ws2;

int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT event, long events)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    // A mask of nothing cancels, whatever the event handle is. [WSAEventSelect/5]
    const bool cancel = events == 0;
    if (!cancel && !event)
        return fail(WSAEINVAL);
    return result_from_status(filter::select_events(
        *socket, cancel ? nullptr : event, poll_flags_from_network_events(events)));
}

int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT event, WSANETWORKEVENTS* events)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    // Nothing may be cleared or reset when the answer cannot be given. [WSAEnumNetworkEvents/3]
    if (!events || !guard::is_writable(events, sizeof(*events)))
        return fail(WSAEFAULT);

    afd::GetEventsResult record {};
    const NTSTATUS status = take_record(*socket, event, record);
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status));

    // Linux tells a reset once: after a receive was told, a host takes it for an end.
    if ((record.flags & afd::kPollDisconnect) && socket->told_reset)
        record.flags |= afd::kPollAbort;
    if (record.flags & afd::kPollAbort)
        socket->told_reset = true;
    long found = 0;
    for (const NetworkEventRow& row : kNetworkEvents) {
        if (!(record.flags & row.conditions))
            continue;
        found |= row.event;
        // The codes of other events stay as the caller left them. [WSAEnumNetworkEvents/4]
        events->iErrorCode[row.bit] = error_of_event(row, record);
    }
    events->lNetworkEvents = found;
    if ((found & FD_CONNECT) && !(record.flags & afd::kPollConnectFail))
        note_connected(*socket);
    return succeed();
}

int WSAAPI WSAAsyncSelect(SOCKET s, HWND window, u_int message, long events)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (events && !message_select::is_window(window))
        return fail(WSAEINVAL);
    const ULONG conditions = poll_flags_from_network_events(events);
    if (filter::select_messages(*socket, window, message, conditions))
        return succeed();
    const afd::MessageSelectParams params { .socket = HandleToULong(socket->handle),
        .window = events ? HandleToULong(window) : 0,
        .message = events ? message : 0,
        .mask = static_cast<int32_t>(conditions) };
    filter::before_message_select(*socket, events == 0);
    const NTSTATUS status
        = afd_call(*socket, afd::kIoctlMessageSelect, &params, sizeof(params), nullptr, 0);
    if (NT_SUCCESS(status))
        socket->nonblocking = true;
    return result_from_status(status);
}
