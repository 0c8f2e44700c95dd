// How a call fails, and how it succeeds.
#pragma once

#include "sdk.h"

namespace ws2 {

/// The Winsock error for a status. Anything unknown that is no success is WSAEINVAL.
/// Source: spec/errors.md.
int error_from_status(NTSTATUS status);

/// The same for a status that a program may have written itself: without what only the device under
/// us answers. [WSAGetOverlappedResult/8]
int error_from_result(NTSTATUS status);

/// Sets the thread's last error and returns SOCKET_ERROR.
inline int fail(int error)
{
    SetLastError(error);
    return SOCKET_ERROR;
}

/// Returns 0 with the last error cleared, as a successful call on a socket leaves it.
/// [send/1]
inline int succeed()
{
    SetLastError(0);
    return 0;
}

/// For calls on sockets: 0 with the last error cleared, or SOCKET_ERROR with it set.
/// STATUS_PENDING is the failure WSA_IO_PENDING.
int result_from_status(NTSTATUS status);

/// For the plain event functions: TRUE with the last error left alone, or FALSE with the Win32 code
/// of the status as last error.
BOOL succeed_or_set_error(NTSTATUS status);

} // namespace ws2
