// The request that sends a file with memory around it.
#pragma once

#include "afd/params.h"
#include "kernel.h"
#include "socket.h"

namespace ws2 {

/// Sends what `params` says and waits for its end. The device reads the file, but not for sockets
/// of the process, whose device knows no files: there its part is mapped, and the bytes are sent.
NTSTATUS transmit_and_wait(SocketRef& socket, const afd::TransmitParams& params);

/// The same as an overlapped operation.
NTSTATUS transmit_overlapped(
    Socket& socket, const kernel::Completion& completion, const afd::TransmitParams& params);

} // namespace ws2
