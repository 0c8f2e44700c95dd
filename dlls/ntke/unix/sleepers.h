// Events of the host that threads sleep at.
#pragma once

#include "ke/thread.h"

namespace sleepers {

/// Makes sure that the thread, the calling one, can sleep on the host. Errors: the host's (no
/// handle left).
NTSTATUS prepare(ke::Thread& thread);
/// The thread has ended. Its event serves another one: somebody may be about to set it.
void give_back(ke::Thread& thread);

/// An event that is always signaled. Null: the host has no handle left.
HANDLE always_signaled();

/// Once: ke wakes threads of the host.
void connect();

} // namespace sleepers
