// What Winsock 2 took over in name only: blocking hooks, quality of service by name, the upcalls of
// layered providers, and the one form of multipoint join that still means something.
#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "socket.h"
#include "startup.h"
#include "transfer.h"

#include <ws2spi.h>

namespace ws2 {

/// The interface a socket is bound to, for a join that names none; INADDR_ANY leaves it to routing.
static IN_ADDR bound_interface(Socket& socket)
{
    SOCKADDR_IN name {};
    afd_call(socket, afd::kIoctlGetSockName, nullptr, 0, &name, sizeof(name));
    return name.sin_addr;
}

static bool is_multicast(const SOCKADDR_STORAGE& address)
{
    if (address.ss_family == AF_INET) {
        const auto& ipv4 = reinterpret_cast<const SOCKADDR_IN&>(address).sin_addr;
        return (ipv4.S_un.S_un_b.s_b1 & 0xF0) == 0xE0;
    }
    return reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr.u.Byte[0] == 0xFF;
}

/// Receives what is sent to the group. Returns 0 or the Winsock error.
static int join(Socket& socket, const SOCKADDR_STORAGE& group)
{
    NTSTATUS status;
    if (group.ss_family == AF_INET) {
        const IP_MREQ request { .imr_multiaddr
            = reinterpret_cast<const SOCKADDR_IN&>(group).sin_addr,
            .imr_interface = bound_interface(socket) };
        status = afd_call(
            socket, afd::kIoctlSetIpAddMembership, &request, sizeof(request), nullptr, 0);
    } else {
        const auto& ipv6 = reinterpret_cast<const SOCKADDR_IN6&>(group);
        const IPV6_MREQ request { .ipv6mr_multiaddr = ipv6.sin6_addr,
            .ipv6mr_interface = ipv6.sin6_scope_id };
        status = afd_call(
            socket, afd::kIoctlSetIpv6AddMembership, &request, sizeof(request), nullptr, 0);
    }
    if (status == STATUS_ADDRESS_ALREADY_EXISTS || status == STATUS_SHARING_VIOLATION)
        return WSAEISCONN; // a member already
    return NT_SUCCESS(status) ? 0 : error_from_status(status);
}

} // namespace ws2

using namespace ws2;

SOCKET WSAAPI WSAJoinLeaf(SOCKET s, const sockaddr* name, int name_length, WSABUF*,
    WSABUF* /*callee_data*/, QOS*, QOS*, DWORD flags)
{
    const auto refuse = [](int error) -> SOCKET {
        fail(error);
        return INVALID_SOCKET;
    };
    SocketRef socket = find_socket(s);
    if (!socket)
        return INVALID_SOCKET;
    if (socket->is_stream())
        return refuse(WSAEOPNOTSUPP);
    const int length = address_length(socket->family);
    SOCKADDR_STORAGE group {};
    if (!name || name_length < length || !guard::copy(&group, name, length))
        return refuse(WSAEFAULT);
    if (group.ss_family != socket->family)
        return refuse(WSAEAFNOSUPPORT);
    if (!(socket->flags & (WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF)))
        return refuse(WSAEINVAL);
    if (flags != JL_SENDER_ONLY && flags != JL_RECEIVER_ONLY && flags != JL_BOTH)
        return refuse(WSAEINVAL);
    if (!is_multicast(group))
        return refuse(WSAEADDRNOTAVAIL);
    bind_implicitly(*socket);
    // Sending to a group takes no membership. [service-providers/11]
    if (flags != JL_SENDER_ONLY) {
        if (const int error = join(*socket, group))
            return refuse(error);
    }
    succeed();
    return s; // IP multicast has no root: the socket itself is the leaf.
}

FARPROC WSAAPI WSASetBlockingHook(FARPROC)
{
    fail(is_started() ? WSAEOPNOTSUPP : WSANOTINITIALISED);
    return nullptr;
}

int WSAAPI WSAUnhookBlockingHook()
{
    return fail(is_started() ? WSAEOPNOTSUPP : WSANOTINITIALISED);
}

int WSAAPI WSACancelBlockingCall()
{
    return fail(is_started() ? WSAEOPNOTSUPP : WSANOTINITIALISED);
}

BOOL WSAAPI WSAIsBlocking()
{
    return FALSE; // No hook, so no call can be made from inside a blocking one.
}

BOOL WSAAPI WSAGetQOSByName(SOCKET s, WSABUF* name, QOS* qos)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return FALSE;
    WSABUF copy;
    const bool good
        = name && guard::read(name, copy) && qos && guard::is_writable(qos, sizeof(*qos));
    fail(good ? WSAEINVAL : WSAEFAULT); // No template has a name. [service-providers/12]
    return FALSE;
}

int WSPAPI WPUCompleteOverlappedRequest(
    SOCKET, WSAOVERLAPPED* overlapped, DWORD, DWORD, INT* error_out)
{
    // Only for handles a provider made with WPUCreateSocketHandle, and there are none: a socket
    // here completes its own requests. [service-providers/14]
    ULONG_PTR internal;
    const bool good = overlapped && guard::read(&overlapped->Internal, internal);
    if (error_out)
        guard::write(error_out, INT { good ? WSAEINVAL : WSAEFAULT });
    return SOCKET_ERROR;
}

extern "C" {

/// Undocumented: replaces the way WSAAsyncSelect posts its messages.
int WSAAPI WSApSetPostRoutine(void*)
{
    return fail(WSAEOPNOTSUPP);
}

/// The exit procedure every 16-bit DLL had.
BOOL WSAAPI WEP()
{
    return TRUE;
}

} // extern "C"
