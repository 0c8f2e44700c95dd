// Socket state notifications, as the rest of the DLL sees them.
#pragma once

#include "ntke/notification.h"
#include "socket.h"

namespace ws2::notifications {

/// The socket is closed, and with it its registration, if it has one.
void end(Socket& socket);

/// A call has found that nothing is left of `events`: the next time they come is news again.
void drained(Socket& socket, uint32_t events);

} // namespace ws2::notifications
