// Waiting.
#pragma once

#include "ke/dispatcher.h"
#include "ke/time.h"
#include "nt/status.h"

namespace ke {

class Thread;

/// Whether alerts and user APCs may end a wait.
enum class Alertable : bool { No = false, Yes = true };

/// Waits until `object` is signaled. The caller keeps the object alive.
/// Returns STATUS_WAIT_0, STATUS_TIMEOUT, STATUS_ALERTED or STATUS_USER_APC; the last means that
/// APCs are queued, the caller delivers them. Counterpart: KeWaitForSingleObject.
///
/// A signal beats an APC, an APC beats a time-out of zero. A wait that does not end with
/// STATUS_WAIT_0 has taken nothing.
NTSTATUS wait_for_single(
    Thread& thread, DispatcherObject& object, Alertable alertable, const DueTime& due);

/// Waits for one (kWaitAny: the result is STATUS_WAIT_0 + the lowest index of a signaled object) or
/// for all of 1 to 64 objects (kWaitAll: all must be signaled at one moment, then all are taken in
/// that moment). Otherwise like wait_for_single. Counterpart: KeWaitForMultipleObjects.
/// Errors: STATUS_INVALID_PARAMETER_MIX (an object twice in a wait-all).
NTSTATUS wait_for_multiple(Thread& thread, DispatcherObject* const* objects, uint32_t count,
    WaitType type, Alertable alertable, const DueTime& due);

/// Waits for time to pass. STATUS_SUCCESS when it has. Counterpart: KeDelayExecutionThread.
NTSTATUS delay(Thread& thread, Alertable alertable, const DueTime& due);

/// Takes a block of an ended wait off its object. Passing through the lock also means that whoever
/// ended the wait has let go of the object.
void unlink_wait_block(WaitBlock& block, DispatcherObject& object);

} // namespace ke
