// Threads that Linux code needs: only the host can make them.
#pragma once

#include <cstdint>

#include "ke/thread.h"
#include "nt/api.h"

namespace host_threads {

/// Where relays start: a function of the PE side that takes one pointer and comes back into Linux
/// code.
void set_relay_start(uint64_t function);

/// Starts a relay. From a thread of the host's only. Errors: the host's.
NTSTATUS start_relay(void* argument);

/// Makes sure that calls can be queued to the calling thread. Errors: the host's.
NTSTATUS prepare_for_apcs(ke::Thread& thread);

/// Has the host stop a thread, and ends what it waits for; `thread` is any handle of it. Returns
/// what the host answers.
NTSTATUS stop(HANDLE thread, NTSTATUS exit_status);

/// The end of the calling thread, while it can still ask the host.
void end_current();
/// Ends, for the host, threads that have been stopped. On the pump.
void end_stopped();

/// Once: ke's threads are the host's from here on.
void connect();

} // namespace host_threads
