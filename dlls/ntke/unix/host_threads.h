// Threads that Linux code needs: only the host can make them.
#pragma once

#include <cstdint>

#include "ke/thread.h"
#include "nt/api.h"

namespace host_threads {

/// Where threads start, on the PE side: functions that take one pointer and call back into Linux
/// code.
struct Starts {
    uint64_t pump;
    uint64_t relay;
};
void set_starts(const Starts& starts);

/// Starts one. From a thread of the host's only. Errors: the host's.
NTSTATUS start_pump();
NTSTATUS start_relay(void* argument);

/// Makes sure that calls can be queued to the calling thread. Errors: the host's.
NTSTATUS prepare_for_apcs(ke::Thread& thread);

/// Ends what a thread waits for that is about to be stopped, or has been; `thread` is any handle of
/// it. `stop` asks the host to. Returns what the host answers.
NTSTATUS stop(HANDLE thread, NTSTATUS exit_status);

/// The end of the calling thread, while it can still ask the host.
void end_current();
/// Ends, for the host, threads that have been stopped. On the pump.
void end_stopped();

/// Once: ke's threads are the host's from here on.
void connect();

} // namespace host_threads
