// connect, WSAConnect, and ConnectEx for SIO_GET_EXTENSION_FUNCTION_POINTER.
#include <cstring>

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "name.h"
#include "transfer.h"
#include "unix_address.h"

namespace ws2 {

/// Is it an IPv4 address for a socket that does IPv6 only? Linux would call it unreachable.
/// [connect/20]
static bool is_out_of_reach(Socket& socket, const SOCKADDR_STORAGE& address)
{
    if (!is_mapped_address(address))
        return false;
    DWORD is_ipv6_only = 0;
    afd_call(socket, afd::kIoctlGetIpv6V6Only, nullptr, 0, &is_ipv6_only, sizeof(is_ipv6_only));
    return is_ipv6_only != 0;
}

/// Reads the address to connect to. A datagram socket loses its peer by AF_UNSPEC or by an address
/// of zeros; nothing connects to the any address, and a stream not to port 0. [connect/5]
static int read_peer_name(
    Socket& socket, const sockaddr* name, int name_length, SOCKADDR_STORAGE& address)
{
    u_short family;
    if (!socket.is_stream() && name_length >= static_cast<int>(sizeof(family))
        && guard::read(&name->sa_family, family) && family == AF_UNSPEC) {
        std::memset(&address, 0, sizeof(address));
        return 0;
    }
    if (const int error = read_name(socket, name, name_length, address))
        return error;
    if (socket.family == AF_UNIX)
        return 0;
    const bool has_address = !is_any_address(address);
    const bool has_port = port_of(address) != 0;
    if (!socket.is_stream() && !has_address && !has_port) {
        address.ss_family = AF_UNSPEC;
        return 0;
    }
    if (!has_address || (socket.is_stream() && !has_port) || is_out_of_reach(socket, address))
        return WSAEADDRNOTAVAIL;
    return 0;
}

/// Connects a datagram socket to a broadcast address, which needs no SO_BROADCAST. [connect/18]
static NTSTATUS connect_to_broadcast(SocketRef& socket, const void* request, ULONG length)
{
    int allowed = 1;
    afd_call(*socket, afd::kIoctlSetSoBroadcast, &allowed, sizeof(allowed), nullptr, 0);
    const NTSTATUS status = afd_call(*socket, afd::kIoctlConnect, request, length, nullptr, 0);
    allowed = 0;
    afd_call(*socket, afd::kIoctlSetSoBroadcast, &allowed, sizeof(allowed), nullptr, 0);
    return status;
}

/// The outcome of a new connect is a new event, whatever was told of the last. [WSAEventSelect/34]
static void note_connect_begins(Socket& socket)
{
    if (socket.connected || socket.connect_pending)
        return; // it will be refused
    ULONG conditions = afd::kPollConnect | afd::kPollConnectFail;
    if (socket.is_stream())
        conditions |= afd::kPollSend;
    filter::note_re_enabled(socket, conditions);
}

/// The socket is being connected, so an AcceptEx into it has been cancelled.
static void forget_accept(Socket& socket)
{
    socket.accepted = false;
    socket.needs_accept_context = false;
}

/// Linux, and so the host, answers the first connect after a failed one like this, and takes the
/// next one. The host answers at once, so the socket's handle is still held. [connect/4]
/// [ConnectEx/11]
template <typename Request> static NTSTATUS request_connect(Request request)
{
    const NTSTATUS status = request();
    return status == STATUS_CONNECTION_ABORTED ? request() : status;
}

static int connect_socket(SOCKET s, const sockaddr* name, int name_length)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    SOCKADDR_STORAGE address;
    if (const int error = read_peer_name(*socket, name, name_length, address))
        return fail(error);

    DeviceAddress for_device;
    if (const int error = make_device_address(*socket, address, WSAECONNREFUSED, for_device))
        return fail(error);
    struct {
        afd::ConnectParams params;
        BYTE address[sizeof(for_device.bytes)];
    } request;
    request.params
        = { .address_length = static_cast<int32_t>(for_device.length), .synchronous = 1 };
    std::memcpy(request.address, for_device.bytes, for_device.length);
    const ULONG request_length = offsetof(decltype(request), address) + for_device.length;

    socket->forget_names();
    socket->blocking_connect_failed = false;
    if (socket->connect_failed.exchange(false))
        socket->connect_pending = false;
    note_connect_begins(*socket);
    NTSTATUS status = request_connect([&] {
        return afd_call_and_wait(
            socket, afd::kIoctlConnect, &request, request_length, nullptr, 0, Alertable::kYes);
    });
    if (status == STATUS_ACCESS_DENIED && !socket->is_stream())
        status = connect_to_broadcast(socket, &request, request_length);

    if (NT_SUCCESS(status) || status == STATUS_DEVICE_NOT_READY)
        forget_accept(*socket);
    // [ConnectEx/9]
    if (status == STATUS_CONNECTION_ACTIVE && socket->needs_connect_context)
        return fail(WSAEINVAL);
    if (NT_SUCCESS(status)) {
        socket->bound = true;
        socket->connect_pending = false;
        socket->connected = address.ss_family != AF_UNSPEC;
        ExclusiveGuard guard(socket->lock);
        socket->option_error = 0; // [getsockopt/8]
    } else if (status == STATUS_DEVICE_NOT_READY) {
        socket->connect_pending = true;
        ExclusiveGuard guard(socket->lock);
        socket->connecting_to = { address, address_length(socket->family) };
    } else if (status == STATUS_ADDRESS_ALREADY_ASSOCIATED) {
        return fail(WSAEALREADY);
    } else if (!socket->connect_pending) {
        socket->blocking_connect_failed = true;
    }
    socket->forget_names();
    return result_from_status(status);
}

/// TCP carries no connect data: a program has none to give. [connect/9]
static int check_connect_data(const WSABUF* caller_data, WSABUF* callee_data)
{
    WSABUF given {};
    if ((caller_data && !guard::read(caller_data, given))
        || (callee_data && !guard::is_writable(&callee_data->len, sizeof(callee_data->len))))
        return WSAEFAULT;
    return given.len ? WSAEPROTONOSUPPORT : 0;
}

} // namespace ws2

using namespace ws2;

int WSAAPI connect(SOCKET s, const sockaddr* name, int name_length)
{
    return connect_socket(s, name, name_length);
}

int WSAAPI WSAConnect(SOCKET s, const sockaddr* name, int name_length, WSABUF* caller_data,
    WSABUF* callee_data, QOS* /*sqos*/, QOS* /*gqos*/)
{
    {
        SocketRef socket = find_socket(s);
        if (!socket)
            return SOCKET_ERROR;
        if (!socket->is_stream())
            caller_data = callee_data = nullptr; // [connect/9]
    }
    if (const int error = check_connect_data(caller_data, callee_data))
        return fail(error);
    const int result = connect_socket(s, name, name_length);
    // What comes back is nothing, now or when the connection is there.
    if (callee_data && (!result || GetLastError() == WSAEWOULDBLOCK))
        guard::write(&callee_data->len, ULONG { 0 });
    return result;
}

BOOL WSAAPI ws2::connect_ex(SOCKET s, const sockaddr* name, int name_length, void* data,
    DWORD data_length, DWORD* sent, OVERLAPPED* overlapped)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return FALSE;
    if (!overlapped)
        return fail(ERROR_INVALID_PARAMETER), FALSE;
    SOCKADDR_STORAGE address;
    if (const int error = read_peer_name(*socket, name, name_length, address))
        return fail(error), FALSE;
    kernel::Completion completion;
    if (!completion_from_overlapped(overlapped, nullptr, completion))
        return fail(WSAEFAULT), FALSE;

    // The request carries the address and the data; the device copies it before it returns.
    DeviceAddress for_device;
    if (const int error = make_device_address(*socket, address, WSAECONNREFUSED, for_device))
        return fail(error), FALSE;
    const ULONG length = for_device.length;
    const uint64_t request_length
        = sizeof(afd::ConnectParams) + length + uint64_t { data ? data_length : 0 };
    if (request_length > 0x7FFFFFFF)
        return fail(WSAENOBUFS), FALSE;
    auto* request = static_cast<char*>(HeapAlloc(GetProcessHeap(), 0, request_length));
    if (!request)
        return fail(WSAENOBUFS), FALSE;
    const afd::ConnectParams params { .address_length = static_cast<int32_t>(length),
        .synchronous = 0 };
    std::memcpy(request, &params, sizeof(params));
    std::memcpy(request + sizeof(params), for_device.bytes, length);
    BOOL succeeded = FALSE;
    if (data && !guard::copy(request + sizeof(params) + length, data, data_length)) {
        fail(WSAEFAULT);
    } else {
        // Before the request: its completion may be seen before this call returns.
        note_connect_begins(*socket);
        const bool was_pending = socket->connect_pending.exchange(true);
        const bool needed_context = socket->needs_connect_context.exchange(true);
        const NTSTATUS status = request_connect([&] {
            return afd_call_overlapped(
                *socket, completion, afd::kIoctlConnect, request, request_length, nullptr, 0);
        });
        if (NT_SUCCESS(status)) {
            forget_accept(*socket);
            socket->forget_names();
        } else {
            socket->connect_pending = was_pending;
            socket->needs_connect_context = needed_context;
        }
        succeeded = finish_overlapped(status, overlapped, sent) == 0;
    }
    HeapFree(GetProcessHeap(), 0, request);
    return succeeded;
}
