// Event selections for the cases: select, enumerate, and the two assertions about what was
// recorded.
#pragma once

#include "sockets.h"

namespace conformance {

/// Everything a program would select.
constexpr long kUsualEvents = FD_READ | FD_WRITE | FD_OOB | FD_ACCEPT | FD_CONNECT | FD_CLOSE;

/// WSAEventSelect, checked.
void select_events(
    SOCKET socket, WSAEVENT event, long mask = kUsualEvents, Where where = Where::current());

/// Ends the selection; checked.
void select_nothing(SOCKET socket, Where where = Where::current());

/// WSAEnumNetworkEvents, checked. Returns the events; error codes go to `record` if given.
long enumerate(SOCKET socket, WSAEVENT event, WSANETWORKEVENTS* record = nullptr,
    Where where = Where::current());

/// Waits on the event and enumerates until every expected network event was reported. Fails the
/// case on an unexpected one, at the hang limit, and if an error code differs from `code`.
void assert_events(
    SOCKET socket, WSAEVENT event, long expected, int code = 0, Where where = Where::current());

/// Nothing is reported, although it was given the time to be.
void assert_no_events(SOCKET socket, WSAEVENT event, Where where = Where::current());

/// Takes the FD_WRITE (and FD_CONNECT) a connected socket starts with.
void take_first_events(SOCKET socket, WSAEVENT event, Where where = Where::current());

/// Starts to connect a socket that cannot block.
void start_connect(SOCKET client, const sockaddr_storage& address, int length);

/// Sends until the socket would block. Returns the number of bytes taken.
size_t fill_send_buffer(SOCKET socket, Where where = Where::current());

/// Receives exactly so many bytes and drops them.
void drain(SOCKET socket, size_t bytes, Where where = Where::current());

/// A loopback address where nothing listens. Returns its length.
int refusing_address(sockaddr_storage* address, Where where = Where::current());

} // namespace conformance
