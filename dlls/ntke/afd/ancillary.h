// Control data of datagrams: what Linux tells in its way, told in Winsock's.
#pragma once

#include "afd/host_socket.h"
#include "afd/transfer.h"

namespace afd {

/// Writes the control data of a datagram to the caller's buffer and sets its length to what is
/// used. False: it did not fit, the length is 0.
bool write_control(const HostSocket::Control& control, WsaBuf& buffer);

} // namespace afd
