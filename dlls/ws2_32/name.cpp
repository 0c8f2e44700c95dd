// bind, getsockname, getpeername.
#include <algorithm>
#include <cstring>

#include "address_query.h"
#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "name.h"
#include "poll_request.h"
#include "transfer.h"
#include "unix_address.h"

namespace ws2 {

int read_name(const Socket& socket, const sockaddr* name, int length, SOCKADDR_STORAGE& copy)
{
    int used = address_length(socket.family);
    int least = used;
    if (socket.family == AF_UNIX) { // [af_unix/4]
        least = sizeof(copy.ss_family);
        used = std::min(used, length);
        std::memset(&copy, 0, sizeof(copy));
    }
    if (length < least || !guard::copy(&copy, name, used))
        return WSAEFAULT;
    if (copy.ss_family != socket.family)
        return WSAEAFNOSUPPORT;
    return 0;
}

int read_destination(const Socket& socket, const sockaddr* name, int length, SOCKADDR_STORAGE& copy)
{
    if (const int error = read_name(socket, name, length, copy))
        return error;
    if (is_any_address(copy))
        return WSAEADDRNOTAVAIL; // [sendto/8]
    // Windows takes port 0 and loses the datagram; so does the discard port, which every version of
    // the host accepts. [sendto/4]
    constexpr u_short kDiscardPort = 9 << 8; // in network byte order
    if (socket.type == SOCK_DGRAM && !port_of(copy))
        port_of(copy) = kDiscardPort;
    return 0;
}

int write_name(const SOCKADDR_STORAGE& address, int length, sockaddr* name, int* name_length)
{
    int room;
    if (!guard::read(name_length, room) || room < length || !guard::copy(name, &address, length)
        || !guard::write(name_length, length))
        return WSAEFAULT;
    return 0;
}

bool is_any_address(const SOCKADDR_STORAGE& address)
{
    switch (address.ss_family) {
    case AF_INET:
        return reinterpret_cast<const SOCKADDR_IN&>(address).sin_addr.s_addr == INADDR_ANY;
    case AF_INET6:
        return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr);
    default:
        return false;
    }
}

bool is_mapped_address(const SOCKADDR_STORAGE& address)
{
    return address.ss_family == AF_INET6
        && IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr);
}

WORD& port_of(SOCKADDR_STORAGE& address)
{
    // The port is in the same place in both families.
    static_assert(offsetof(SOCKADDR_IN, sin_port) == offsetof(SOCKADDR_IN6, sin6_port));
    return reinterpret_cast<SOCKADDR_IN&>(address).sin_port;
}

NTSTATUS query_name(Socket& socket, ULONG code, SOCKADDR_STORAGE& address, int& length)
{
    Socket::Name& cached = code == afd::kIoctlGetSockName ? socket.local_name : socket.peer_name;
    {
        SharedGuard guard(socket.lock);
        if (cached.length) {
            std::memcpy(&address, &cached.address, cached.length);
            length = cached.length;
            return STATUS_SUCCESS;
        }
    }
    std::memset(&address, 0, sizeof(address)); // sin_zero is zero. [getsockname/4]
    length = address_length(socket.family);
    const NTSTATUS status = afd_call(socket, code, nullptr, 0, &address, length);
    if (!NT_SUCCESS(status))
        return status;
    make_program_address(address);
    socket.bound = true;
    // A name is kept once only this process can change it. While a connect is under way it may
    // still fail and give the name back.
    if (!socket.shared && !socket.connect_pending) {
        ExclusiveGuard guard(socket.lock);
        std::memcpy(&cached.address, &address, length);
        cached.length = length;
    }
    return STATUS_SUCCESS;
}

/// Input of kIoctlBind.
struct BindRequest {
    afd::BindParams params {};
    BYTE address[sizeof(DeviceAddress::bytes)];
};

HostAddress host_of(const SOCKADDR_STORAGE& address)
{
    if (address.ss_family == AF_INET)
        return HostAddress::from_v4(reinterpret_cast<const SOCKADDR_IN&>(address).sin_addr);
    const IN6_ADDR& v6 = reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr;
    if (!is_mapped_address(address))
        return HostAddress::from_v6(
            v6, reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_scope_id);
    IN_ADDR v4;
    std::memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
    return HostAddress::from_v4(v4);
}

/// The addresses that every computer has.
static bool is_any_or_loopback(const HostAddress& address)
{
    constexpr u_char kLoopback = 127;
    if (address.family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&address.v6) || IN6_IS_ADDR_LOOPBACK(&address.v6);
    return address.v4.s_addr == INADDR_ANY || address.v4.S_un.S_un_b.s_b1 == kLoopback;
}

/// Is it the address of a group, or what lies above groups up to the broadcast?
static bool is_group_or_broadcast(const HostAddress& address)
{
    constexpr u_char kFirstGroup = 224;
    return address.family == AF_INET ? address.v4.S_un.S_un_b.s_b1 >= kFirstGroup
                                     : IN6_IS_ADDR_MULTICAST(&address.v6);
}

/// Would Linux refuse the address to a stream because it is not this computer's? Asked of a stream.
static bool is_refused_to_streams(const HostAddress& host)
{
    const afd::CreateParams params {
        .family = host.family, .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .flags = 0
    };
    HANDLE stream;
    if (!NT_SUCCESS(afd_open_socket(params, 0, 0, &stream)))
        return false;
    BindRequest request;
    SOCKADDR_STORAGE address {};
    SOCKADDR_STORAGE bound;
    const ULONG length = fill_socket_address(host, 0, address);
    std::memcpy(request.address, &address, length);
    const NTSTATUS status = afd_call(
        stream, afd::kIoctlBind, &request, sizeof(request.params) + length, &bound, sizeof(bound));
    kernel::close(stream);
    return status == STATUS_INVALID_ADDRESS_COMPONENT;
}

/// Is this an address that the host would give the socket although it is not this computer's? Linux
/// lets sockets have groups and broadcasts. Wine's server may give a datagram socket the any
/// address instead of one that is not there. [bind/3]
static bool is_foreign(const Socket& socket, const SOCKADDR_STORAGE& address)
{
    if (socket.family == AF_UNIX)
        return false;
    const HostAddress host = host_of(address);
    if (is_any_or_loopback(host))
        return false;
    return is_group_or_broadcast(host) || (!socket.is_stream() && is_refused_to_streams(host));
}

} // namespace ws2

using namespace ws2;

int WSAAPI bind(SOCKET s, const sockaddr* name, int name_length)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    SOCKADDR_STORAGE address;
    if (const int error = read_name(*socket, name, name_length, address))
        return fail(error);
    if (is_foreign(*socket, address))
        return fail(is_bound(*socket) ? WSAEINVAL : WSAEADDRNOTAVAIL);
    DeviceAddress for_device;
    if (const int error = make_device_address(*socket, address, WSAENETDOWN, for_device))
        return fail(is_bound(*socket) ? WSAEINVAL : error);
    BindRequest request;
    std::memcpy(request.address, for_device.bytes, for_device.length);
    SOCKADDR_STORAGE bound {};
    const NTSTATUS status = afd_call(*socket, afd::kIoctlBind, &request,
        sizeof(request.params) + for_device.length, &bound, sizeof(bound));
    if (status == STATUS_ADDRESS_ALREADY_ASSOCIATED)
        return fail(WSAEINVAL);
    if (NT_SUCCESS(status))
        socket->bound = true;
    return result_from_status(status);
}

/// The address a socket is being connected to, unless that has failed: its peer's name as soon as
/// connect was called. Wine 8.0's device does not tell it. [connect/15]
static bool read_name_of_pending_connect(Socket& socket, SOCKADDR_STORAGE& address, int& length)
{
    const SOCKET s = socket_from_handle(socket.handle);
    if (!socket.connect_pending || conditions_now(s, afd::kPollConnectFail))
        return false;
    SharedGuard guard(socket.lock);
    address = socket.connecting_to.address;
    length = socket.connecting_to.length;
    return length != 0;
}

/// getsockname and getpeername: the state of the socket is looked at before the pointers.
static int get_name(SOCKET s, ULONG code, sockaddr* name, int* name_length)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    SOCKADDR_STORAGE address;
    int length;
    NTSTATUS status = query_name(*socket, code, address, length);
    if (status == STATUS_INVALID_CONNECTION
        && read_name_of_pending_connect(*socket, address, length))
        status = STATUS_SUCCESS;
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status));
    // A socket that AcceptEx has connected is no full one yet. [AcceptEx/18]
    if (socket->needs_accept_context)
        return fail(WSAENOTCONN);
    if (const int error = write_name(address, length, name, name_length))
        return fail(error);
    return succeed();
}

int WSAAPI getsockname(SOCKET s, sockaddr* name, int* name_length)
{
    return get_name(s, afd::kIoctlGetSockName, name, name_length);
}

int WSAAPI getpeername(SOCKET s, sockaddr* name, int* name_length)
{
    // A socket that ConnectEx connected is no full one yet. [ConnectEx/8]
    if (SocketRef socket = find_socket(s); socket && socket->needs_connect_context)
        return fail(WSAENOTCONN);
    return get_name(s, afd::kIoctlGetPeerName, name, name_length);
}
