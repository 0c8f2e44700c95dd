#include "connect_attempts.h"

#include "guard.h"

namespace ws2 {

namespace {

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
int await_connect(SOCKET socket, const Deadline& deadline)
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

int connect_to(SOCKET socket, const Destination& destination, const Deadline& deadline)
{
    if (!connect(
            socket, reinterpret_cast<const SOCKADDR*>(&destination.address), destination.length))
        return 0;
    const int error = WSAGetLastError();
    return error == WSAEWOULDBLOCK ? await_connect(socket, deadline) : error;
}

} // namespace

timeval* Deadline::left(timeval& left) const
{
    if (!m_is_limited)
        return nullptr;
    const ULONGLONG now = GetTickCount64();
    const ULONGLONG milliseconds = m_end > now ? m_end - now : 0;
    left.tv_sec = static_cast<long>(milliseconds / 1000);
    left.tv_usec = static_cast<long>(milliseconds % 1000) * 1000;
    return &left;
}

int AddressOutput::check(int needed) const
{
    DWORD room;
    if (!is_wanted())
        return 0;
    if (!guard::read(length, room) || room < static_cast<DWORD>(needed)
        || !guard::is_writable(address, needed))
        return WSAEFAULT;
    return 0;
}

void AddressOutput::give(const SOCKADDR_STORAGE& source, int size) const
{
    if (!is_wanted())
        return;
    guard::copy(address, &source, size);
    guard::write(length, static_cast<DWORD>(size));
}

int check_request(const ConnectRequest& request, int argument_error, ConnectTarget& target)
{
    {
        // Not held any longer: closesocket must be able to end the connecting.
        const SocketRef socket = find_socket(request.socket);
        if (!socket)
            return WSAGetLastError();
        if (argument_error)
            return argument_error;
        if (request.reserved || !socket->is_stream())
            return WSAEINVAL;
        target.family = socket->family;
        target.is_blocking = !socket->nonblocking;
    }
    const int needed = target.family == AF_INET ? sizeof(SOCKADDR_IN) : sizeof(SOCKADDR_IN6);
    if (int error = request.local.check(needed))
        return error;
    if (int error = request.remote.check(needed))
        return error;
    target.is_limited = request.timeout;
    return !request.timeout || guard::read(request.timeout, target.limit) ? 0 : WSAEFAULT;
}

bool is_dual_stack(SOCKET socket)
{
    DWORD v6_only = 1;
    int size = sizeof(v6_only);
    return !getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&v6_only), &size)
        && !v6_only;
}

/// Returns 0 with `connected` saying to whom, or the error of the last attempt.
static int try_destinations(SOCKET socket, bool is_blocking,
    const HeapArray<Destination>& destinations, const Deadline& deadline, Destination& connected)
{
    const NonblockingScope scope(socket, is_blocking && deadline.is_limited());
    int error = WSAHOST_NOT_FOUND;
    for (const Destination& destination : destinations) {
        connected = destination;
        error = connect_to(socket, destination, deadline);
        // A peer that TCP waited for in vain leaves time for the next one.
        if (!error || error == WSAEISCONN || error == WSAENOTSOCK || deadline.is_over())
            break;
    }
    return error;
}

int connect_to_first(const ConnectRequest& request, const ConnectTarget& target,
    const HeapArray<Destination>& destinations, const Deadline& deadline, LocalPort local_port)
{
    Destination peer;
    if (int error
        = try_destinations(request.socket, target.is_blocking, destinations, deadline, peer))
        return error;
    request.remote.give(peer.address, peer.length);
    SOCKADDR_STORAGE name = {};
    int name_length = sizeof(name);
    if (!getsockname(request.socket, reinterpret_cast<SOCKADDR*>(&name), &name_length)) {
        if (local_port == LocalPort::kHidden)
            port_of(name) = 0;
        request.local.give(name, name_length);
    }
    return 0;
}

} // namespace ws2
