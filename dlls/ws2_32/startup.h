// Whether the process has started Winsock.
#pragma once

namespace ws2 {

/// Has WSAStartup succeeded more often than WSACleanup?
bool is_started();

/// May an export that works without a socket (names, tables, addresses as text) go on for `caller`,
/// its WS2_CALLER? Winsock is started, or it is Wine's own code that asks. [WSAStartup/11]
bool is_started_for(const void* caller);

} // namespace ws2
