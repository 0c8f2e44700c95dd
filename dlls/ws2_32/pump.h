// The thread that waits for sockets in Linux and does on the host what that brings.
#pragma once

#include "sdk.h"

namespace ws2::pump {

/// Starts it if it does not run yet; with the first attached socket. False: no thread.
bool start();

/// Does it run? A glance, without a lock.
bool is_running();

/// Has it look again at what there is to do.
void wake();

// Where threads start that Linux code has made.

/// The pump's.
DWORD WINAPI run(void*);
/// A relay's: it takes a completion port of ntke's and brings in what the host sends to it.
DWORD WINAPI run_relay(void* port);

} // namespace ws2::pump
