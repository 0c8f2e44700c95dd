// Peers that refuse, do not answer or answer with an error, and small checked calls on sockets.
#pragma once

#include "sockets.h"

namespace conformance {

inline const sockaddr* as_name(const sockaddr_storage& address)
{
    return reinterpret_cast<const sockaddr*>(&address);
}

inline sockaddr* as_name(sockaddr_storage& address)
{
    return reinterpret_cast<sockaddr*>(&address);
}

/// A loopback address of an IPv4 port that is taken by a TCP socket which does not listen, so that
/// connecting is refused for as long as the case runs.
sockaddr_storage refusing_address(Where where = Where::current());

/// A loopback address of an IPv4 UDP port that nobody has bound.
sockaddr_storage unbound_udp_address(Where where = Where::current());

/// A non-blocking TCP socket whose connect() is under way and stays so for a while: the listener's
/// queue is full and nobody accepts. Tells the listener's address, which leaves others waiting too.
SOCKET new_connecting_socket(sockaddr_storage* peer = nullptr, Where where = Where::current());

/// Whether select() finds the socket ready at once.
bool is_readable(SOCKET socket);
bool is_writable(SOCKET socket);
bool is_exceptional(SOCKET socket);

/// Waits for writability or an exceptional condition, as the end of a connect shows itself.
void wait_until_writable(SOCKET socket, Where where = Where::current());
void wait_until_exceptional(SOCKET socket, Where where = Where::current());

/// getsockopt of a DWORD-sized option, checked.
DWORD option(SOCKET socket, int level, int name, Where where = Where::current());

/// setsockopt of a DWORD-sized option, checked.
void set_option(SOCKET socket, int level, int name, DWORD value, Where where = Where::current());

/// The IPv4 name getsockname tells, checked.
sockaddr_in local_name(SOCKET socket, Where where = Where::current());

/// Sets the receive time-out, so that a receive that should not block cannot hang the case.
void limit_receives(SOCKET socket, Where where = Where::current());

/// Fills the connection's buffers until a non-blocking send() would block. Leaves the socket
/// non-blocking. Returns the number of bytes taken.
size_t send_until_full(SOCKET socket, Where where = Where::current());

} // namespace conformance
