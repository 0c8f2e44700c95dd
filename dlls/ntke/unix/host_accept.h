// Connections that the host accepts for ntke.
#pragma once

#include "afd/accept.h"

namespace unix_side {

/// Has the host make `acceptor` the end of the next connection to `listener`, both handles of the
/// host. STATUS_DEVICE_NOT_READY: somebody else has taken that. Waits for nothing but the host's
/// answer. Other errors: the host's. Implements afd::SocketFile::accept_by_host.
NTSTATUS accept_by_host(uint64_t listener, uint64_t acceptor, afd::HostedAccept& accepted);

} // namespace unix_side
