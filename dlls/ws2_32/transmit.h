// What TransmitFile and TransmitPackets have in common.
#pragma once

#include "socket.h"

namespace ws2 {

/// More bytes in one call are refused. [TransmitFile/11]
constexpr DWORD kMostTransmitted = 0x7FFFFFFE;

/// Does the file have `to_write` bytes from `offset` (or afd::kCurrentPosition) on? 0: all there
/// are, the number of which then is `to_write`. The device would send what there is, and say that
/// it was all. Something else than a file has no size to compare with. [TransmitFile/10]
bool has_range(HANDLE file, int64_t offset, DWORD& to_write);

/// TF_DISCONNECT: ends the sending direction of the socket behind what is still queued.
void disconnect_behind(SOCKET s);

} // namespace ws2
