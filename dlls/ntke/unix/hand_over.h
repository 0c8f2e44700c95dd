// How a socket goes to the host with its selection of events.
#pragma once

#include "afd/socket_file.h"

namespace unix_side {

/// What messages to a window were selected: conditions, and those of them that it was told of.
struct MessageSelection {
    uint32_t mask = 0;
    uint32_t reported = 0;
};

/// Gives a socket to the host, with its selection: the record here stops, and the host goes on with
/// it. Only messages are selected there by the caller, with what is returned. Nothing happens to a
/// socket that is the host's. `handle` is one of the socket's that is open.
MessageSelection hand_over(afd::SocketFile& socket, HANDLE handle);
/// The same, with the handle by which it was made known.
MessageSelection hand_over(afd::SocketFile& socket);

/// Notes that a connection was accepted by the host, and gives it the event and the mask of its
/// listener, wherever they are by now. `was_on_host`: they were the host's before it accepted.
ntke::Inheritance inherit(afd::SocketFile& listener, afd::SocketFile& accepted, bool was_on_host);

} // namespace unix_side
