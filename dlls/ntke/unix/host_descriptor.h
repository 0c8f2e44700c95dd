// The descriptors behind the host's handles.
#pragma once

#include <cstdint>

#include "nt/api.h"

namespace unix_side {

/// Before the first use: Wine's major version.
void set_host_version(uint32_t major);

/// Gives a descriptor of its own for a socket of the host; the caller closes it. It is closed on
/// exec, and no child that another thread makes meanwhile gets it: a peer would not see the end of
/// its connection before that child ends. The host's own use of descriptors comes first: there is
/// none when a quarter of them is in use. Errors: STATUS_TOO_MANY_OPENED_FILES,
/// STATUS_NOT_SUPPORTED (this host has no such service), or the host's.
NTSTATUS open_descriptor(HANDLE socket, int& fd);

enum class Inheritable { No, Yes };

/// Makes a handle of the host's for a descriptor, which stays the caller's; open_descriptor opens
/// it, also in another process that gets it. `socket` is any socket of the host's.
/// Errors: STATUS_NOT_SUPPORTED (this host has no such service), or the host's.
NTSTATUS make_handle(HANDLE socket, int fd, Inheritable inheritable, HANDLE& handle);

} // namespace unix_side
