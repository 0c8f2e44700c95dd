// WSAEventSelect, WSAEnumNetworkEvents, WSAAsyncSelect.
#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "late_library.h"
#include "network_event.h"

namespace ws2 {

/// The error code of an event that the kernel's record contains.
static int error_of_event(const NetworkEventRow& row, const afd::GetEventsResult& record)
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

/// user32 is loaded with the first window only; without it there is none.
static LateFunction<BOOL(WINAPI*)(HWND)> is_window(L"user32.dll", "IsWindow");

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
    const afd::EventSelectParams params { .event = cancel ? 0 : reinterpret_cast<ULONG_PTR>(event),
        .mask = static_cast<int32_t>(poll_flags_from_network_events(events)) };
    // Not the call that drops stale sockets: a bad event gives the same statuses as a bad socket.
    const NTSTATUS status = afd_call(
        socket->handle, afd::kIoctlEventSelect, &params, sizeof(params), nullptr, 0);
    if (NT_SUCCESS(status))
        socket->nonblocking = true;
    return result_from_status(status);
}

int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT event, WSANETWORKEVENTS* events)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    // Nothing may be cleared or reset when the answer cannot be given. [WSAEnumNetworkEvents/3]
    if (!events || !guard::is_writable(events, sizeof(*events)))
        return fail(WSAEFAULT);

    // The event is reset before the record is taken, so that what comes in between is at worst
    // found by an enumeration nobody was woken for, never lost.
    NTSTATUS status = STATUS_SUCCESS;
    if (event && !kernel::get_events_resets_event())
        status = kernel::reset_event(event);
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status));
    // The handle of the event travels as the input pointer.
    afd::GetEventsResult record {};
    status = afd_call(
        socket->handle, afd::kIoctlGetEvents, event, 0, &record, sizeof(record));
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status));

    long found = 0;
    for (const NetworkEventRow& row : kNetworkEvents) {
        if (!(record.flags & row.conditions))
            continue;
        found |= row.event;
        // The codes of other events stay as the caller left them. [WSAEnumNetworkEvents/4]
        events->iErrorCode[row.bit] = error_of_event(row, record);
    }
    events->lNetworkEvents = found;
    if ((found & FD_CONNECT) && !(record.flags & afd::kPollConnectFail)) {
        socket->connected = true;
        socket->connect_pending = false;
    }
    return succeed();
}

int WSAAPI WSAAsyncSelect(SOCKET s, HWND window, u_int message, long events)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (events && !(is_window.get() && is_window.get()(window)))
        return fail(WSAEINVAL);
    const afd::MessageSelectParams params { .socket = HandleToULong(socket->handle),
        .window = events ? HandleToULong(window) : 0,
        .message = events ? message : 0,
        .mask = static_cast<int32_t>(poll_flags_from_network_events(events)) };
    const NTSTATUS status
        = afd_call(*socket, afd::kIoctlMessageSelect, &params, sizeof(params), nullptr, 0);
    if (NT_SUCCESS(status))
        socket->nonblocking = true;
    return result_from_status(status);
}
