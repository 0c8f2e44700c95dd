// Sockets that are the process': the host cannot make them, and has a file for each, so that their
// handles are real.
#pragma once

#include "afd/socket_file.h"

namespace unix_side {

/// Makes the file a socket of the host, which nobody will connect: a poll of the host of which it
/// is a part finds nothing there. (Wine's server does not survive the poll of a file that is no
/// socket.) Errors: the host's. Implements afd::SocketFile::make_stand_in.
NTSTATUS make_stand_in(uint64_t host_handle);

/// Opens a file of the host for a socket, and attaches the socket to it. Errors: the host's,
/// STATUS_NO_MEMORY. Implements afd::SocketFile::open_stand_in.
NTSTATUS open_stand_in(afd::SocketFile& socket, HANDLE& handle);

} // namespace unix_side
