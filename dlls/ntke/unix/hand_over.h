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

/// Gives an accepted socket, which is the host's from here on, the event and the mask of its
/// listener.
void inherit_on_host(afd::SocketFile& listener, afd::SocketFile& accepted);

} // namespace unix_side
