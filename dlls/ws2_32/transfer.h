// What sending and receiving have in common.
#pragma once

#include "socket.h"

namespace ws2 {

/// Is this stream connected? Asks the kernel when this process does not know, and notes the answer.
bool is_connected(Socket& socket);

/// Is this a stream that nobody has connected or begun to connect? Transfers on it fail with
/// WSAENOTCONN; the device would tell a reset, or wait.
bool is_unconnected_stream(Socket& socket);

/// Notes that a running connect has succeeded.
void note_connected(Socket& socket);

/// Notes on the socket that data has passed: it is bound, and a running connect has succeeded.
void note_transfer(Socket& socket);

/// Would closing this socket have to wait for what it has not sent? [closesocket/16]
bool would_linger(Socket& socket);

/// Is the socket bound? Asks the kernel when this process has not bound it.
bool is_bound(Socket& socket);

/// Binds a datagram socket to an ephemeral port, as its first send does.
void bind_implicitly(Socket& socket);

/// Does the message give a length of a name or of control data, and no pointer? [WSASendMsg/18]
inline bool has_length_of_nothing(const WSAMSG& message)
{
    return (!message.name && message.namelen) || (!message.Control.buf && message.Control.len);
}

/// The result of an overlapped call that the kernel answered with `status`. A call that is done at
/// once writes its byte count, if asked to; a pending or failed one does not. [overlapped/7]
int finish_overlapped(NTSTATUS status, const WSAOVERLAPPED* overlapped, DWORD* count);

} // namespace ws2
