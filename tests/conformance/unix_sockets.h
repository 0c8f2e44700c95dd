// AF_UNIX sockets for the cases: checked, with names that no file has, owned by the harness.
#pragma once

#include "sockets.h"

#include <afunix.h>

namespace conformance {

inline const sockaddr* generic(const sockaddr_un& name)
{
    return reinterpret_cast<const sockaddr*>(&name);
}

sockaddr_un name_of(const char* path);

/// A name in the folder for temporary files that no file has.
sockaddr_un new_name();

SOCKET unix_socket(Where where = Where::current());

/// bind, not checked.
int bind_to(SOCKET socket, const sockaddr_un& name);

struct UnixListener {
    SOCKET socket;
    sockaddr_un name;
};

UnixListener new_unix_listener(Where where = Where::current());

/// Connects a socket to it.
void connect_to(SOCKET client, const UnixListener& listener, Where where = Where::current());
/// A new one.
SOCKET connect_to(const UnixListener& listener, Where where = Where::current());

/// Two ends of one connection, whose file is gone. `server` came from accept.
struct UnixPair {
    SOCKET client;
    SOCKET server;
};
UnixPair new_unix_pair(Where where = Where::current());
/// The same with a socket that has been made.
UnixPair new_unix_pair_of(SOCKET client, Where where = Where::current());

/// What getsockname or getpeername tells, checked.
using GetName = int(WSAAPI*)(SOCKET, sockaddr*, int*);
sockaddr_un ask_name(GetName get, SOCKET socket);

} // namespace conformance
