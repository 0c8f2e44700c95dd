// Socket addresses: copied from and to the application, and asked of the kernel.
#pragma once

#include "host_address.h"
#include "socket.h"

namespace ws2 {

/// Copies the address a program gives to bind, connect or sendto. Returns 0, WSAEFAULT (bad pointer
/// or too short for the socket's family) or WSAEAFNOSUPPORT (another family).
int read_name(const Socket& socket, const sockaddr* name, int length, SOCKADDR_STORAGE& copy);

/// Reads where a datagram is to go, as read_name does. Also WSAEADDRNOTAVAIL: that is nowhere.
int read_destination(
    const Socket& socket, const sockaddr* name, int length, SOCKADDR_STORAGE& copy);

/// Gives an address of `length` bytes to the application. Returns 0, or WSAEFAULT with nothing
/// but perhaps the buffer touched.
int write_name(const SOCKADDR_STORAGE& address, int length, sockaddr* name, int* name_length);

bool is_any_address(const SOCKADDR_STORAGE& address);

/// Is this an IPv4 address in IPv6's form?
bool is_mapped_address(const SOCKADDR_STORAGE& address);

/// The address without its port; a mapped IPv4 address as what it stands for.
HostAddress host_of(const SOCKADDR_STORAGE& address);

/// The port of an IPv4 or IPv6 address, in network byte order.
WORD& port_of(SOCKADDR_STORAGE& address);

/// Asks for the local (kIoctlGetSockName) or peer (kIoctlGetPeerName) name, from the socket's cache
/// when it is there.
NTSTATUS query_name(Socket& socket, ULONG code, SOCKADDR_STORAGE& address, int& length);

} // namespace ws2
