// Waiting.
#pragma once

#include "ke/dispatcher.h"
#include "ke/time.h"
#include "nt/status.h"

namespace ke {

class Thread;

/// Whether alerts and user APCs may end a wait.
enum class Alertable : bool { No = false, Yes = true };

/// Where a thread sleeps in a wait, and what else takes part in the wait there. Owner: the frame of
/// the wait.
class WaitPlace {
public:
    /// Sleeps until the wait of `thread`, which is linked, has ended, and returns its result; or
    /// ends it with something that ke does not know (Thread::sleep_on_host), and returns that.
    virtual NTSTATUS sleep(Thread& thread, const DueTime& due) = 0;
    /// May it be that of the thread's event source (Thread::sleep)?
    virtual bool is_at_source() const { return false; }
    /// Objects that are not ke's take part in the wait. No lock is held.
    virtual bool has_others() const { return false; }
    /// An object of ke's is signaled, the one with this index. What is in the way of taking it: a
    /// signaled object of the others that comes before it, which has been taken then, or that one
    /// of the others cannot be waited for. STATUS_PENDING: nothing.
    virtual NTSTATUS check_others(uint32_t) { return STATUS_PENDING; }
    /// A set, no pulse, of an event of ke's was taken for a wait that has ended otherwise. No lock
    /// is held; the event may have gone away since, where there is a host: the set follows it.
    virtual void give_back(DispatcherObject& event) = 0;

protected:
    ~WaitPlace() = default;
};

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

/// The same at a place of the caller's. In a wait for any, a null object is one of the others.
/// Returns besides what `place` does: STATUS_REPARSE (an object is away or has gone away; nothing
/// was taken).
NTSTATUS wait_at(WaitPlace& place, Thread& thread, DispatcherObject* const* objects, uint32_t count,
    WaitType type, const DueTime& due);

/// Waits for time to pass. STATUS_SUCCESS when it has. Counterpart: KeDelayExecutionThread.
NTSTATUS delay(Thread& thread, Alertable alertable, const DueTime& due);

/// Takes a block of an ended wait off its object. Passing through the lock also means that whoever
/// ended the wait has let go of the object.
void unlink_wait_block(WaitBlock& block, DispatcherObject& object);

} // namespace ke
