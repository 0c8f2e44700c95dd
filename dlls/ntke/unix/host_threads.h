// Threads that Linux code needs: only the host can make them.
#pragma once

#include <cstdint>

#include "ke/thread.h"
#include "nt/api.h"

namespace host_threads {

// Helpers: threads that work for ntke, from functions of the PE side that take one pointer and come
// back into Linux code. One that the program terminates with all others is started again.

/// Where they start. Once, before there is one to start.
void set_starts(uint64_t pump, uint64_t relay);

/// Each starts one, from a thread of the host's only; the pump is started once. Mostly it has
/// arrived (note_runs_helper) when they return. Errors: the host's.
NTSTATUS start_pump();
NTSTATUS start_relay(void* argument);

/// The calling thread is one. Comes back when the one whose work it takes over has ended.
void note_runs_helper();
/// It is on its way out: it is not started again.
void note_helper_is_done();

/// The host's number of the calling thread.
uint32_t number_of_current();

/// Is it a helper's? `id` is the host's number of the thread.
bool is_helper(uint64_t id);

/// Makes sure that calls can be queued to the calling thread. Errors: the host's.
NTSTATUS prepare_for_apcs(ke::Thread& thread);

/// The thread is suspended, by a signal that may be on its way: waits for it to have left its wait
/// (ke::Thread::withdraw_current), not for long.
void await_withdrawal(HANDLE thread);

/// The calling thread begins to wait, or has a request pending: when it is stopped or
/// suspended, that ends.
void note_waits(ke::Thread& thread);

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
