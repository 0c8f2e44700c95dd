// Events of the program that requests and selections set: the host has their state.
#pragma once

#include "ke/event.h"

namespace program_events {

/// The event with this handle, for requests and selections to set. One object for all of them, with
/// a handle of its own: closing the program's changes nothing for what is pending. It is attached
/// to the program's handle until that is closed, so only the first request costs something (two
/// requests to the host). Errors: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH,
/// STATUS_ACCESS_DENIED, STATUS_NO_MEMORY.
NTSTATUS reference(HANDLE handle, ob::Ref<ke::Event>& event);

/// A notification event of the host that nobody else knows.
NTSTATUS make(bool signaled, ob::Ref<ke::Event>& event);

/// Makes an event an event of the host, with its state, for good. Errors: STATUS_NO_MEMORY, the
/// host's (no handle left); then it stays what it was.
NTSTATUS convert(ke::Event& event);

/// Events set so far, for the statistics.
uint64_t sets_so_far();

} // namespace program_events
