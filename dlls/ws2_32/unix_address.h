// Addresses of AF_UNIX sockets: paths of the program, and the files of Linux that they mean.
#pragma once

#include "sdk.h"
#include "socket.h"

namespace ws2 {

/// sockaddr_un.
struct UnixAddress {
    ADDRESS_FAMILY family;
    char path[108]; // UTF-8; ends with a zero if it is shorter
};
static_assert(sizeof(UnixAddress) == 110);

/// A path of Linux, with its terminator.
constexpr int kMaxUnixPath = 4096;

/// An address as bind and connect give it to the device: of AF_UNIX, the path of the file follows.
struct DeviceAddress {
    ULONG length;
    BYTE bytes[sizeof(UnixAddress) + kMaxUnixPath];
};

/// Returns 0, WSAEINVAL (AF_UNIX, an address without a path) or `no_folder` (the path leads to no
/// folder).
int make_device_address(
    const Socket& socket, const SOCKADDR_STORAGE& address, int no_folder, DeviceAddress& made);

/// Linux tells the path of a peer's file: makes it one of the program's. A file that has none gives
/// an address without a path.
void make_program_address(SOCKADDR_STORAGE& address);

} // namespace ws2
