// shutdown, WSASendDisconnect, WSARecvDisconnect, and DisconnectEx for
// SIO_GET_EXTENSION_FUNCTION_POINTER.
#include "afd_call.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "name.h"
#include "transfer.h"

namespace ws2 {

/// Linux forgets the peer when both directions are at their end. [getpeername/4]
static void keep_peer_name(Socket& socket)
{
    SOCKADDR_STORAGE address;
    int length;
    if (socket.is_stream())
        query_name(socket, afd::kIoctlGetPeerName, address, length);
}

/// Ends directions of a connection.
static NTSTATUS request_shutdown(Socket& socket, int how)
{
    keep_peer_name(socket);
    return afd_call(socket, afd::kIoctlShutdown, &how, sizeof(how), nullptr, 0);
}

/// TF_REUSE_SOCKET. Only ntke can end a connection so that its socket serves another one: on the
/// host a shutdown stays with the socket. False: it takes an ordinary shutdown. [DisconnectEx/6]
static bool disconnect_for_reuse(Socket& socket)
{
    const int how = SD_SEND;
    keep_peer_name(socket);
    socket.reusable = socket.accepted
        && NT_SUCCESS(afd_call(socket, afd::kIoctlShutdownHere, &how, sizeof(how), nullptr, 0));
    return socket.reusable;
}

static int shutdown_socket(SOCKET s, int how)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (how < SD_RECEIVE || how > SD_BOTH)
        return fail(WSAEINVAL);
    // A socket that ConnectEx or AcceptEx has connected is no full one yet. [ConnectEx/8]
    // [AcceptEx/18]
    if (socket->needs_connect_context || socket->needs_accept_context)
        return fail(WSAENOTCONN);
    // The names stay readable after a shutdown. [shutdown/6]
    return result_from_status(request_shutdown(*socket, how));
}

} // namespace ws2

using namespace ws2;

int WSAAPI shutdown(SOCKET s, int how)
{
    return shutdown_socket(s, how);
}

// No protocol of the catalog carries disconnect data.

int WSAAPI WSASendDisconnect(SOCKET s, WSABUF* data)
{
    if (data && find_socket(s)) { // [shutdown/13]
        WSABUF given;
        return fail(guard::read(data, given) ? WSAENOPROTOOPT : WSAEFAULT);
    }
    return shutdown_socket(s, SD_SEND);
}

int WSAAPI WSARecvDisconnect(SOCKET s, WSABUF* /*data*/)
{
    return shutdown_socket(s, SD_RECEIVE);
}

BOOL WSAAPI ws2::disconnect_ex(SOCKET s, OVERLAPPED* overlapped, DWORD flags, DWORD reserved)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return FALSE;
    if (reserved || (flags & ~DWORD { TF_REUSE_SOCKET }))
        return fail(WSAEINVAL), FALSE; // [DisconnectEx/7]
    if (!socket->is_stream())
        return fail(WSAENOTCONN), FALSE;
    kernel::Completion completion;
    if (overlapped && !completion_from_overlapped(overlapped, nullptr, completion))
        return fail(WSAEFAULT), FALSE;

    const bool has_ended = (flags & TF_REUSE_SOCKET) && disconnect_for_reuse(*socket);
    // Sending nothing gives the caller the pending request and the completion that DisconnectEx
    // has on Windows, whatever the socket's notification modes are. It is refused after a shutdown,
    // so it goes first; the shutdown waits its turn behind it. [DisconnectEx/3]
    bool pending = false;
    if (overlapped) {
        const afd::TransmitParams nothing {};
        pending = NT_SUCCESS(afd_call_overlapped(
            *socket, completion, afd::kIoctlTransmit, &nothing, sizeof(nothing), nullptr, 0));
    }
    const NTSTATUS status = has_ended ? STATUS_SUCCESS : request_shutdown(*socket, SD_SEND);
    if (pending)
        return fail(WSA_IO_PENDING), FALSE;
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status)), FALSE;
    if (overlapped)
        complete_overlapped(*socket, completion, STATUS_SUCCESS);
    return succeed(), TRUE;
}
