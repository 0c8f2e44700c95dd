#include "ke/wait.h"

#include <algorithm>

#include <sched.h>

#include "ke/thread.h"

namespace ke {

namespace {

WaitBlock& prepare_block(Thread& thread, uint32_t index, DispatcherObject& object, WaitType type)
{
    WaitBlock& block = thread.wait_block(index);
    block.object = &object;
    block.thread = &thread;
    block.key = index;
    block.type = type;
    return block;
}

/// Sleeps until the wait that has its blocks linked ends.
NTSTATUS sleep_linked(Thread& thread, Alertable alertable, const DueTime& due)
{
    if (alertable == Alertable::Yes)
        thread.arm_alerts();
    return thread.sleep(due);
}

/// Links the wait to one object after the other. Should an object be signaled, or become so once
/// linked, the wait ends; the earlier ones were nonsignaled at that moment, or one of them would
/// have ended the wait. So the lowest index wins without all objects being locked at once.
NTSTATUS wait_for_any(Thread& thread, DispatcherObject* const* objects, uint32_t count,
    Alertable alertable, const DueTime& due)
{
    if (objects[0]->try_satisfy())
        return STATUS_WAIT_0;

    thread.begin_wait();
    uint32_t linked = 0;
    for (bool has_ended = false; linked < count && !has_ended;) {
        DispatcherObject& object = *objects[linked];
        WaitBlock& block = prepare_block(thread, linked, object, kWaitAny);
        thread.set_linked_blocks(linked + 1); // a thread may be stopped anywhere
        object.lock();
        if (object.is_signaled()) {
            const std::atomic<uint32_t>* wake = nullptr; // ourselves: awake
            if (thread.try_end_wait(STATUS_WAIT_0 + static_cast<NTSTATUS>(linked), &wake))
                object.satisfy();
            has_ended = true;
        } else {
            object.link(block);
            ++linked;
        }
        object.unlock();
    }

    const NTSTATUS result = sleep_linked(thread, alertable, due);
    for (uint32_t i = 0; i < linked; ++i) {
        // The block of the object that ended the wait was unlinked before.
        if (result != STATUS_WAIT_0 + static_cast<NTSTATUS>(i))
            unlink_wait_block(thread.wait_block(i), *objects[i]);
    }
    thread.set_linked_blocks(0);
    return result;
}

/// Are all signaled? If so, takes what each gives. All are locked.
bool try_satisfy_all(DispatcherObject* const* objects, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        objects[i]->assert_locked();
        if (!objects[i]->is_signaled())
            return false;
    }
    for (uint32_t i = 0; i < count; ++i) {
        objects[i]->assert_locked();
        objects[i]->satisfy();
    }
    return true;
}

// The analysis cannot follow locks taken in a loop.
void lock_all(DispatcherObject* const* objects, uint32_t count) NO_THREAD_SAFETY_ANALYSIS
{
    for (uint32_t i = 0; i < count; ++i)
        objects[i]->lock();
}
void unlock_all(DispatcherObject* const* objects, uint32_t count) NO_THREAD_SAFETY_ANALYSIS
{
    for (uint32_t i = 0; i < count; ++i)
        objects[i]->unlock();
}

NTSTATUS wait_for_all(Thread& thread, DispatcherObject* const* objects, uint32_t count,
    Alertable alertable, const DueTime& due)
{
    DispatcherObject* sorted[Thread::kMaxWaitObjects];
    std::copy(objects, objects + count, sorted);
    std::sort(sorted, sorted + count);
    if (std::adjacent_find(sorted, sorted + count) != sorted + count)
        return STATUS_INVALID_PARAMETER_MIX;

    thread.begin_wait();
    thread.set_wait_all_count(count);
    for (uint32_t i = 0; i < count; ++i)
        prepare_block(thread, i, *sorted[i], kWaitAll);
    thread.set_linked_blocks(count);
    lock_all(sorted, count);
    if (try_satisfy_all(sorted, count)) {
        unlock_all(sorted, count);
        thread.set_linked_blocks(0);
        return STATUS_WAIT_0;
    }
    for (uint32_t i = 0; i < count; ++i) {
        sorted[i]->assert_locked();
        sorted[i]->link(thread.wait_block(i));
    }
    unlock_all(sorted, count);

    const NTSTATUS result = sleep_linked(thread, alertable, due);
    // Whoever signals one of the objects locks them all. Passing through every lock makes sure
    // that it is done with the blocks and the objects before either is gone.
    for (uint32_t i = 0; i < count; ++i)
        unlink_wait_block(thread.wait_block(i), *sorted[i]);
    thread.set_linked_blocks(0);
    return result;
}

} // namespace

void unlink_wait_block(WaitBlock& block, DispatcherObject& object)
{
    object.lock();
    if (block.is_linked)
        object.unlink(block);
    object.unlock();
}

NTSTATUS wait_for_single(
    Thread& thread, DispatcherObject& object, Alertable alertable, const DueTime& due)
{
    DispatcherObject* objects[] = { &object };
    return wait_for_any(thread, objects, 1, alertable, due);
}

NTSTATUS wait_for_multiple(Thread& thread, DispatcherObject* const* objects, uint32_t count,
    WaitType type, Alertable alertable, const DueTime& due)
{
    return type == kWaitAny ? wait_for_any(thread, objects, count, alertable, due)
                            : wait_for_all(thread, objects, count, alertable, due);
}

NTSTATUS delay(Thread& thread, Alertable alertable, const DueTime& due)
{
    thread.begin_wait();
    if (due.is_now())
        sched_yield();
    const NTSTATUS result = sleep_linked(thread, alertable, due);
    return result == STATUS_TIMEOUT ? STATUS_SUCCESS : result;
}

} // namespace ke
