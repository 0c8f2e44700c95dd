// Whether the process has started Winsock.
#pragma once

namespace ws2 {

/// Has WSAStartup succeeded more often than WSACleanup?
bool is_started();

} // namespace ws2
