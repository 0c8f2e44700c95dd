// WSAConnectByNameA, WSAConnectByNameW.
#include "address_query.h"
#include "error.h"
#include "guard.h"
#include "host_name.h"
#include "socket.h"
#include "startup.h"

namespace ws2 {

/// The time left of a call's time-out. Milliseconds of the system's tick count.
class Deadline {
public:
    /// Null: no limit.
    explicit Deadline(const timeval* timeout)
        : m_is_limited(timeout)
    {
        if (timeout)
            m_end = GetTickCount64() + timeout->tv_sec * 1000ULL + timeout->tv_usec / 1000;
    }
    bool is_limited() const { return m_is_limited; }
    /// Fills `left`; returns it, or null for no limit.
    timeval* left(timeval& left) const
    {
        if (!m_is_limited)
            return nullptr;
        const ULONGLONG now = GetTickCount64();
        const ULONGLONG milliseconds = m_end > now ? m_end - now : 0;
        left.tv_sec = static_cast<long>(milliseconds / 1000);
        left.tv_usec = static_cast<long>(milliseconds % 1000) * 1000;
        return &left;
    }

private:
    bool m_is_limited;
    ULONGLONG m_end = 0;
};

/// Puts a blocking socket into non-blocking mode for as long as it lives.
class NonblockingScope {
public:
    NonblockingScope(SOCKET socket, bool is_wanted)
        : m_socket(socket)
    {
        u_long on = 1;
        m_is_set = is_wanted && !ioctlsocket(socket, FIONBIO, &on);
    }
    ~NonblockingScope()
    {
        u_long off = 0;
        const DWORD last_error = GetLastError();
        if (m_is_set)
            ioctlsocket(m_socket, FIONBIO, &off);
        SetLastError(last_error);
    }
    NonblockingScope(const NonblockingScope&) = delete;

private:
    SOCKET m_socket;
    bool m_is_set;
};

/// Waits for the end of a connect that went on in the background. Returns 0 or its error.
static int await_connect(SOCKET socket, const Deadline& deadline)
{
    fd_set writable;
    fd_set failed;
    FD_ZERO(&writable);
    FD_ZERO(&failed);
    writable.fd_array[writable.fd_count++] = socket;
    failed.fd_array[failed.fd_count++] = socket;
    timeval left;
    const int ready = select(0, nullptr, &writable, &failed, deadline.left(left));
    if (ready < 0)
        return WSAGetLastError();
    if (!ready)
        return WSAETIMEDOUT;
    if (writable.fd_count)
        return 0;
    int error = 0;
    int size = sizeof(error);
    getsockopt(socket, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size);
    return error ? error : WSAECONNREFUSED;
}

static int connect_to(
    SOCKET socket, const SOCKADDR_STORAGE& address, int length, const Deadline& deadline)
{
    if (!connect(socket, reinterpret_cast<const SOCKADDR*>(&address), length))
        return 0;
    const int error = WSAGetLastError();
    return error == WSAEWOULDBLOCK ? await_connect(socket, deadline) : error;
}

/// An address the program may want back. Without one of the two it does not, and the other one is
/// not looked at. [WSAConnectByName/7]
struct AddressOutput {
    SOCKADDR* address;
    DWORD* length;

    bool is_wanted() const { return address && length; }
    /// WSAEFAULT when it is too short for `needed` bytes or bad; the length stays as it is.
    int check(int needed) const
    {
        DWORD room;
        if (!is_wanted())
            return 0;
        if (!guard::read(length, room) || room < static_cast<DWORD>(needed)
            || !guard::is_writable(address, needed))
            return WSAEFAULT;
        return 0;
    }
    void give(const SOCKADDR_STORAGE& source, int size) const
    {
        if (!is_wanted())
            return;
        guard::copy(address, &source, size);
        guard::write(length, static_cast<DWORD>(size));
    }
};

/// Does an IPv6 socket take IPv4 peers too?
static bool is_dual_stack(SOCKET socket)
{
    DWORD v6_only = 1;
    int size = sizeof(v6_only);
    return !getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&v6_only), &size)
        && !v6_only;
}

static int connect_to_any(SOCKET socket, bool is_blocking, const AddressAnswer& answer,
    const Deadline& deadline, const AddressOutput& local, const AddressOutput& remote)
{
    int error = WSAHOST_NOT_FOUND;
    SOCKADDR_STORAGE peer = {};
    int length = 0;
    {
        const NonblockingScope scope(socket, is_blocking && deadline.is_limited());
        for (const HostAddress& address : answer.host.addresses) {
            length = fill_socket_address(address, answer.port, peer);
            error = connect_to(socket, peer, length, deadline);
            if (!error || error == WSAETIMEDOUT || error == WSAEISCONN || error == WSAENOTSOCK)
                break;
        }
    }
    if (error)
        return error;
    remote.give(peer, length);
    SOCKADDR_STORAGE name = {};
    int name_length = sizeof(name);
    if (!getsockname(socket, reinterpret_cast<SOCKADDR*>(&name), &name_length)) {
        reinterpret_cast<SOCKADDR_IN&>(name).sin_port = 0; // [WSAConnectByName/6]
        local.give(name, name_length);
    }
    return 0;
}

/// Returns 0 or the error. The order of the checks is the contract. [WSAConnectByName/2]
static int connect_by_name(SOCKET handle, const NameArgument& node, const NameArgument& service,
    const AddressOutput& local, const AddressOutput& remote, const timeval* timeout,
    const void* reserved)
{
    if (!is_started())
        return WSANOTINITIALISED;
    if (node.is_absent() || service.is_absent())
        return WSAEINVAL;
    int family;
    bool is_blocking;
    {
        // Not held any longer: closesocket must be able to end the connecting.
        const SocketRef socket = find_socket(handle);
        if (!socket)
            return WSAGetLastError();
        if (node.is_bad() || service.is_bad())
            return WSAEFAULT;
        if (reserved || !socket->is_stream())
            return WSAEINVAL;
        family = socket->family;
        is_blocking = !socket->nonblocking;
    }
    const int needed = family == AF_INET ? sizeof(SOCKADDR_IN) : sizeof(SOCKADDR_IN6);
    if (int error = local.check(needed))
        return error;
    if (int error = remote.check(needed))
        return error;
    timeval limit;
    if (timeout && !guard::read(timeout, limit))
        return WSAEFAULT;
    const Deadline deadline(timeout ? &limit : nullptr);

    AddressQuery query;
    query.node = node.text();
    query.service = service.text();
    query.family = family;
    query.type = SOCK_STREAM;
    if (family == AF_INET6 && is_dual_stack(handle))
        query.flags = AI_V4MAPPED | AI_ALL;
    AddressAnswer answer;
    if (int error = query_addresses(query, answer))
        return error;
    return connect_to_any(handle, is_blocking, answer, deadline, local, remote);
}

static BOOL finish(int error)
{
    SetLastError(error);
    return !error;
}

} // namespace ws2

using namespace ws2;

BOOL WSAAPI WSAConnectByNameA(SOCKET socket, char* node, char* service, DWORD* local_length,
    SOCKADDR* local, DWORD* remote_length, SOCKADDR* remote, timeval* const timeout,
    OVERLAPPED* reserved)
{
    return finish(connect_by_name(socket, NameArgument(node), NameArgument(service),
        { local, local_length }, { remote, remote_length }, timeout, reserved));
}

BOOL WSAAPI WSAConnectByNameW(SOCKET socket, wchar_t* node, wchar_t* service, DWORD* local_length,
    SOCKADDR* local, DWORD* remote_length, SOCKADDR* remote, timeval* const timeout,
    OVERLAPPED* reserved)
{
    return finish(connect_by_name(socket, NameArgument(node), NameArgument(service),
        { local, local_length }, { remote, remote_length }, timeout, reserved));
}
