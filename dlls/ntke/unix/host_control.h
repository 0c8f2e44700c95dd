// Requests of ours to the host's device.
#pragma once

#include "afd/socket_file.h"
#include "nt/api.h"

namespace unix_side {

/// A request to a file of the host's that ends at once. Where it ends is known by the status alone.
NTSTATUS control_on_host(HANDLE file, ULONG code, const void* input, ULONG input_length,
    void* output, ULONG output_length);

/// Makes the host know of the non-blocking mode of a socket, if it does not: a step with what is
/// noted of the mode and of the selection.
void tell_mode(HANDLE handle, afd::SocketFile& socket);

} // namespace unix_side
