// listen, accept, WSAAccept.
#include <cstring>

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "name.h"
#include "socket_notifications.h"

namespace ws2 {

/// Takes the next connection off the listener's queue; waits for one on a blocking socket. Returns
/// a null reference with the last error set when there is none.
static SocketRef accept_connection(SocketRef& listener)
{
    ULONG accepted;
    filter::usable_endpoint(*listener); // what it accepts inherits from it
    const bool was_on_host = filter::is_on_host(*listener);
    const NTSTATUS status = afd_call_and_wait(
        listener, afd::kIoctlAccept, nullptr, 0, &accepted, sizeof(accepted), Alertable::kYes);
    if (status == STATUS_DEVICE_NOT_READY)
        notifications::drained(*listener, ntke::kNotifyIn);
    if (!NT_SUCCESS(status)) {
        fail(error_from_status(status));
        return {};
    }
    HANDLE handle = ULongToHandle(accepted);
    // The device makes every accepted handle inheritable.
    if (listener->flags & WSA_FLAG_NO_HANDLE_INHERIT)
        SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
    SocketRef socket = insert_socket(
        handle, listener->family, listener->type, listener->protocol, listener->flags);
    if (!socket) {
        kernel::close(handle);
        fail(WSAENOBUFS);
        return {};
    }
    socket->bound = true;
    socket->connected = true;
    socket->accepted = true;
    socket->nonblocking = listener->nonblocking.load();
    filter::note_accepted(*listener, *socket, was_on_host);
    SharedGuard guard(listener->lock);
    socket->options = listener->options;
    return socket;
}

/// Checks what accept writes the peer's address to, before a connection is taken that the caller
/// would then not get. Returns 0 or WSAEFAULT.
static int check_room_for_name(const Socket& listener, sockaddr* name, int* name_length)
{
    if (!name || !name_length)
        return 0;
    int room;
    const int length = address_length(listener.family);
    if (!guard::read(name_length, room) || room < length || !guard::is_writable(name, length))
        return WSAEFAULT;
    return 0;
}

/// The listener of an accept call, or null with the last error set.
static SocketRef find_listener(SOCKET s, sockaddr* name, int* name_length)
{
    SocketRef listener = find_socket(s);
    if (!listener)
        return {};
    int error = check_room_for_name(*listener, name, name_length);
    if (!listener->is_stream())
        error = WSAEOPNOTSUPP;
    if (!error)
        return listener;
    fail(error);
    return {};
}

/// Writes the peer's address where accept was asked to.
static void write_peer_name(Socket& socket, sockaddr* name, int* name_length)
{
    if (!name || !name_length)
        return;
    SOCKADDR_STORAGE address;
    int length;
    if (NT_SUCCESS(query_name(socket, afd::kIoctlGetPeerName, address, length)))
        write_name(address, length, name, name_length);
}

/// Closes a connection with a reset, as the peer of a rejected connection sees it.
static void reject_connection(Socket& socket)
{
    const LINGER reset { .l_onoff = 1, .l_linger = 0 };
    afd_call(socket, afd::kIoctlSetSoLinger, &reset, sizeof(reset), nullptr, 0);
    close_socket(socket);
}

/// Puts a connection back in front of the listener's queue.
static void defer_connection(SOCKET s, Socket& socket)
{
    const ULONG handle = HandleToULong(socket.handle);
    if (SocketRef listener = find_socket(s)) {
        filter::note_deferred(*listener);
        afd_call(*listener, afd::kIoctlDefer, &handle, sizeof(handle), nullptr, 0);
    }
    close_socket(socket);
}

/// Asks the application's condition function about a connection. Returns its CF_ answer.
static int ask_condition(Socket& socket, LPCONDITIONPROC condition, DWORD_PTR callback_data)
{
    SOCKADDR_STORAGE caller;
    SOCKADDR_STORAGE callee;
    int caller_length = 0;
    int callee_length = 0;
    query_name(socket, afd::kIoctlGetPeerName, caller, caller_length);
    query_name(socket, afd::kIoctlGetSockName, callee, callee_length);
    WSABUF caller_id { static_cast<ULONG>(caller_length), reinterpret_cast<char*>(&caller) };
    WSABUF callee_id { static_cast<ULONG>(callee_length), reinterpret_cast<char*>(&callee) };
    WSABUF no_data {};
    GROUP group = 0;
    return condition(
        &caller_id, &no_data, nullptr, nullptr, &callee_id, &no_data, &group, callback_data);
}

} // namespace ws2

using namespace ws2;

int WSAAPI listen(SOCKET s, int backlog)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (!socket->is_stream())
        return fail(WSAEOPNOTSUPP);
    if (socket->connected)
        return fail(WSAEISCONN);
    const afd::ListenParams params { .unknown1 = 0, .backlog = backlog, .unknown2 = 0 };
    const NTSTATUS status
        = afd_call(*socket, afd::kIoctlListen, &params, sizeof(params), nullptr, 0);
    if (NT_SUCCESS(status))
        socket->listening = true;
    return result_from_status(status);
}

SOCKET WSAAPI accept(SOCKET s, sockaddr* name, int* name_length)
{
    SocketRef listener = find_listener(s, name, name_length);
    if (!listener)
        return INVALID_SOCKET;
    SocketRef socket = accept_connection(listener);
    if (!socket)
        return INVALID_SOCKET;
    write_peer_name(*socket, name, name_length);
    succeed();
    return socket_from_handle(socket->handle);
}

SOCKET WSAAPI WSAAccept(
    SOCKET s, sockaddr* name, int* name_length, LPCONDITIONPROC condition, DWORD_PTR callback_data)
{
    if (!condition)
        return accept(s, name, name_length);
    SocketRef listener = find_listener(s, name, name_length);
    if (!listener)
        return INVALID_SOCKET;
    char code;
    if (!guard::read(reinterpret_cast<const char*>(condition), code)) {
        fail(WSAEFAULT); // [accept/14]
        return INVALID_SOCKET;
    }
    SocketRef socket = accept_connection(listener);
    if (!socket)
        return INVALID_SOCKET;

    listener.release_handle(); // The condition function may close it.
    switch (ask_condition(*socket, condition, callback_data)) {
    case CF_ACCEPT:
        write_peer_name(*socket, name, name_length);
        succeed();
        return socket_from_handle(socket->handle);
    case CF_DEFER:
        defer_connection(s, *socket);
        fail(WSATRY_AGAIN);
        return INVALID_SOCKET;
    case CF_REJECT:
        reject_connection(*socket);
        fail(WSAECONNREFUSED);
        return INVALID_SOCKET;
    default:
        reject_connection(*socket);
        fail(WSAEINVAL);
        return INVALID_SOCKET;
    }
}
