// Sockets by the Nt services, as thin as Winsock's own use of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nt/api.h"

namespace bench_afd {

/// A stream on \Device\Afd. Owner: whoever made it closes the handle.
HANDLE new_stream();
/// A listener on the loopback interface. Returns through `port` the port in network order.
HANDLE new_listener(uint16_t& port);
/// The next connection, which there is already.
HANDLE accept_from(HANDLE listener);
void connect_to(HANDLE socket, uint16_t port);
/// An event, selected for data and the connection's end.
HANDLE select_event(HANDLE socket);

/// Takes the record and resets the event. Returns PollFlags.
uint32_t take_events(HANDLE socket, HANDLE event);

// They never wait: STATUS_DEVICE_NOT_READY on sockets with a selection, else not for the benchmark.
NTSTATUS receive(HANDLE socket, void* data, size_t size, size_t& received);
NTSTATUS send(HANDLE socket, const void* data, size_t size, size_t& sent);

} // namespace bench_afd
