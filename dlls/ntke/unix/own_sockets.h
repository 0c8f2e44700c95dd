// Sockets that are the process': the host cannot make them. It has a file for each that is their
// descriptor, so that their handles are real, and are sockets in every process that gets one.
#pragma once

#include "afd/socket_file.h"
#include "unix/host_descriptor.h"

namespace unix_side::own_sockets {

/// Makes a socket of AF_UNIX. Errors: those of HostSocket::create and publish.
NTSTATUS create(Inheritable inheritable, HANDLE& handle);

/// Makes a handle of the host's for a socket that has none, and attaches the socket to it. Errors:
/// those of make_handle, STATUS_NO_MEMORY.
NTSTATUS publish(afd::SocketFile& socket, Inheritable inheritable, HANDLE& handle);

/// Attaches a socket to a handle that this process has inherited or been given. False: it is none
/// of these, or memory is out.
bool adopt(HANDLE handle);

/// The host, which would refuse such a handle, finds nothing at the one that is put in its place in
/// a poll. False: there is none, or no other handle to be had.
bool replace_in_poll(void* poll, ULONG length);

/// Can there be such a handle? Costs a load.
bool may_exist();

} // namespace unix_side::own_sockets
