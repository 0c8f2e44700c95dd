// Connections that the host accepts, or connects, for ntke.
#pragma once

#include "afd/accept.h"

namespace unix_side {

/// Has the host make `acceptor` the end of the next connection to `listener`, both handles of the
/// host. STATUS_DEVICE_NOT_READY: somebody else has taken that. Waits for nothing but the host's
/// answer. Other errors: the host's. Implements afd::SocketFile::accept_by_host.
NTSTATUS accept_by_host(uint64_t listener, uint64_t acceptor, afd::HostedAccept& accepted);

/// Has the host connect a socket that Linux has connected. Waits for nothing but the host's answer.
/// Errors: the host's. Implements afd::SocketFile::connect_by_host.
NTSTATUS connect_by_host(uint64_t host_handle, const void* input, uint32_t length);

} // namespace unix_side
