// How a socket goes to the host with its selection of events.
#pragma once

#include "afd/socket_file.h"

namespace unix_side {

/// Gives a socket to the host, with its selection: the record here stops, and the host goes on with
/// it. A window is selected there by the caller: returned are its conditions, and those that it was
/// told of. Nothing happens to a socket that is the host's.
struct MessageSelection {
    uint32_t mask = 0;
    uint32_t reported = 0;
};
/// `handle` is one of the socket's that is open.
MessageSelection hand_over(afd::SocketFile& socket, HANDLE handle);
/// The same, with the handle by which it was made known.
MessageSelection hand_over(afd::SocketFile& socket);

/// Notes that a connection was accepted by the host, and gives it the event and the mask of its
/// listener, wherever they are by now. `was_on_host`: they were the host's before it accepted.
ntke::Inheritance inherit(afd::SocketFile& listener, afd::SocketFile& accepted, bool was_on_host);

} // namespace unix_side
