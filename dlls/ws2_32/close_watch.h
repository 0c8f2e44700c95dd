// Notices sockets whose handle was closed behind Winsock's back.
#pragma once

#include <cstdint>

#include "sdk.h"

namespace ws2::close_watch {

// The emulation holds a descriptor of every attached socket. CloseHandle on the SOCKET closes the
// host's socket but not that descriptor, and the peer would not see the end. So the host is asked,
// once for each socket that lives longer than a moment, to tell when its last handle is closed: a
// poll for that condition alone. closesocket needs none of this; short-lived sockets cost nothing.

/// A socket has been attached, with this FilterState::serial; it will be watched if it still lives
/// in a while.
void add(HANDLE socket, uint64_t serial);

/// A watched socket is about to be closed, and nothing may be left of it afterwards: the host keeps
/// the socket, and the port it is bound to, until the watch has ended. Waits for that.
void end(uint64_t serial);

// For the pump, on its thread.

/// How long the pump may wait before it must come back here: milliseconds, negative = for ever.
int patience();
/// Watches sockets that have lived long enough and lets go of those that have been closed.
void run();

} // namespace ws2::close_watch
