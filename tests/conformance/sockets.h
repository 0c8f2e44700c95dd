// Sockets for the cases: checked, on loopback, owned by the harness.
#pragma once

#include "harness.h"

namespace conformance {

/// Two ends of one TCP connection. `server` came from accept.
struct TcpPair {
    SOCKET client;
    SOCKET server;
};

/// A listening socket and where to reach it.
struct Listener {
    SOCKET socket;
    sockaddr_storage address;
    int address_length;
};

/// Two UDP sockets, bound to loopback and connected to each other.
struct UdpPair {
    SOCKET a;
    SOCKET b;
};

/// An overlapped operation with memory that outlives the case.
struct Operation {
    WSAOVERLAPPED overlapped;
    WSABUF buffer;
    DWORD flags;
    DWORD transferred;
    char data[256];
};

/// What the last completion routine was called with, and how many calls there were. A case that
/// looks at it clears it first.
struct RoutineCall {
    int calls;
    DWORD error;
    DWORD transferred;
    WSAOVERLAPPED* overlapped;
    DWORD flags;
    DWORD thread_id;
};
extern RoutineCall routine_call;
/// The routine that notes its calls there.
void CALLBACK record_completion(
    DWORD error, DWORD transferred, WSAOVERLAPPED* overlapped, DWORD flags);

/// Whether the machine has IPv6 on loopback; a case that needs it calls skip() otherwise.
bool has_ipv6();

/// The loopback address of a family (AF_INET, AF_INET6). `port` in host order. Returns the length.
int loopback_address(int family, unsigned short port, sockaddr_storage* address);

/// The IPv4 loopback address in the form that IPv6 sockets of both families connect to.
int mapped_loopback(unsigned short port, sockaddr_storage* address);

/// socket() of that family, checked and owned.
SOCKET tcp_socket(int family = AF_INET, Where where = Where::current());
SOCKET udp_socket(int family = AF_INET, Where where = Where::current());
/// Skips the case where only an administrator may have one.
SOCKET raw_socket(int family, int protocol, Where where = Where::current());

/// Binds to an ephemeral port on loopback.
void bind_to_loopback(SOCKET socket, int family = AF_INET, Where where = Where::current());

/// The port a socket is bound to, in host order.
unsigned short local_port(SOCKET socket, Where where = Where::current());

/// A blocking TCP socket that listens on loopback.
Listener new_listener(int family = AF_INET, Where where = Where::current());

/// A new blocking client, connected to the listener; the connection is queued there or on its way.
SOCKET connect_to(const Listener& listener, Where where = Where::current());

/// accept() on the listener, checked and owned. Blocks if the listener does.
SOCKET accept_from(const Listener& listener, Where where = Where::current());

/// A connected TCP pair of blocking sockets.
TcpPair new_tcp_pair(int family = AF_INET, Where where = Where::current());

/// A connected UDP pair of blocking sockets.
UdpPair new_udp_pair(int family = AF_INET, Where where = Where::current());

/// Opens the socket of an info that WSADuplicateSocketW has filled in. Not checked, not owned.
SOCKET open_duplicate(WSAPROTOCOL_INFOW& info);

/// Another handle of the socket, by WSADuplicateSocketW in this process; checked and owned.
SOCKET duplicate_of(SOCKET socket, Where where = Where::current());

/// FIONBIO, checked.
void set_nonblocking(SOCKET socket, bool nonblocking = true, Where where = Where::current());

/// Closes with a reset instead of a FIN.
void reset_connection(SOCKET socket, Where where = Where::current());

/// Sends all of `text` without its terminator; fails the case if it is not taken whole.
void send_text(SOCKET socket, const char* text, Where where = Where::current());

/// Receives until `length` bytes are there; waits where the socket would block.
void receive_exactly(SOCKET socket, char* buffer, int length, Where where = Where::current());

/// Waits until a receive on the socket would not block (data, end or reset), with select(), which
/// leaves the network event record alone.
void wait_until_readable(SOCKET socket, Where where = Where::current());

/// Waits until FIONREAD tells at least `bytes`.
void wait_until_received(SOCKET socket, unsigned long bytes, Where where = Where::current());

/// An operation whose buffer covers its whole data array.
Operation* new_operation(WSAEVENT event = nullptr);

/// Looks up an extension function (AcceptEx and the like) by its GUID.
void* extension_function(SOCKET socket, GUID guid, Where where = Where::current());

} // namespace conformance
