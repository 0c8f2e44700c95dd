// An echo server that serves every connection from one thread, driven by network events alone.
#pragma once

#include <winsock2.h>

namespace demo {

/// What the server has done, for the table at the end.
struct ServerCounts {
    unsigned connections = 0;
    unsigned waits = 0; // WSAWaitForMultipleEvents that ended
    unsigned events[FD_MAX_EVENTS] = {}; // network events seen, by FD_..._BIT
    unsigned long long bytes = 0; // echoed
    unsigned errors = 0;
};

/// Serves `listener` until `stop` is set and every connection has ended, and fills `counts`. One
/// thread; at most WSA_MAXIMUM_WAIT_EVENTS - 2 connections at a time. Owns and closes what it
/// accepts, neither the listener nor the event. Returns false when a call failed that cannot fail
/// here, after printing it.
bool serve(SOCKET listener, WSAEVENT stop, ServerCounts& counts);

} // namespace demo
