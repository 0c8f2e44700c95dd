// Socket state notifications, as those see them who take packets from a port.
#pragma once

#include "nt/api.h"
#include "ntke/notification.h"

namespace notifications {

NTSTATUS open_port(void* block); // ntke::OpenNotificationsArgs

/// The program has closed the last handle of the port.
void end(ntke::NotificationPort& port);
/// A thread comes for packets: what was told of and may still hold is asked again.
void wake(ntke::NotificationPort& port);
/// Makes packets of polls what the program is to see. Returns how many packets are left.
uint32_t translate(CompletionPacket* packets, uint32_t count);

} // namespace notifications
