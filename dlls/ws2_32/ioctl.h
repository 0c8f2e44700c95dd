// Control codes of sockets: WSAIoctl and ioctlsocket.
#pragma once

#include "afd_call.h"
#include "socket.h"

namespace ws2 {

/// One WSAIoctl call on its way through a handler. The pointers are the application's: access
/// them through guard.
struct IoctlCall {
    SocketRef& socket;
    const void* input;
    DWORD input_length; // bytes
    void* output;
    DWORD output_length; // bytes
    WSAOVERLAPPED* overlapped; // or null
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine; // or null

    /// What *lpcbBytesReturned gets; a failing call leaves it alone unless tell() was used.
    DWORD returned = 0;
    bool tells_returned = false;
    /// Result of a request the device has carried out to its end. See kIoctlDone.
    NTSTATUS status = STATUS_SUCCESS;

    /// Fails with `error` and reports `size` bytes nevertheless.
    int tell(DWORD size, int error)
    {
        returned = size;
        tells_returned = true;
        return error;
    }
};

/// Carries out a control code. Returns 0 or the Winsock error, or one of the two below.
using IoctlHandler = int(IoctlCall& call);

/// The socket does not know the code: WSAEOPNOTSUPP, which an overlapped call learns of at its
/// completion. [WSAIoctl/4]
constexpr int kIoctlUnsupported = -1;
/// The device has done all, completion included; `status` is its answer.
constexpr int kIoctlDone = -2;

/// The value of the application's input. WSAEFAULT: it is shorter, or the pointer bad.
int take_input(const IoctlCall& call, void* value, DWORD size);

/// Gives the application its output. WSAEFAULT: no room, or the pointer bad.
int give_output(IoctlCall& call, const void* value, DWORD size);

/// Waits for, or leaves pending, the next change of the machine's addresses.
int wait_for_address_change(IoctlCall& call);

// ioctl_address.cpp
IoctlHandler get_broadcast_address, query_address_list, query_routing_interface, sort_address_list,
    get_interface_addresses;

// ioctl_multicast.cpp
IoctlHandler get_ipv4_filter, set_ipv4_filter, get_group_filter, set_group_filter;

} // namespace ws2
