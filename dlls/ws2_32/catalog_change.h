// Waiting for changes of the catalogs, which never come: the catalogs are built in.
#pragma once

#include "sdk.h"

namespace ws2 {

/// Makes a handle to wait with. Returns 0 or the Winsock error. Owner: the program, which closes it
/// with CloseHandle.
int make_change_notification(HANDLE* handle);

/// Starts a wait with such a handle. Returns the error that says how it goes on: WSAEWOULDBLOCK
/// without an OVERLAPPED, WSA_IO_PENDING with one, WSAEFAULT for a bad one, WSA_INVALID_HANDLE for
/// a handle that is none. [service-providers/13]
int await_change(
    HANDLE handle, WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

} // namespace ws2
