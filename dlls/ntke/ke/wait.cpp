#include "ke/wait.h"

#include <algorithm>

#include <sched.h>

#include "ke/thread.h"

namespace ke {

namespace {

WaitBlock& prepare_block(Thread& thread, uint32_t index, DispatcherObject* object, WaitType type)
{
    WaitBlock& block = thread.wait_block(index);
    block.object = object;
    block.thread = &thread;
    block.key = index;
    block.type = type;
    block.is_pulsed = false;
    return block;
}

/// Waits of threads that are ke's own.
class OwnPlace final : public WaitPlace {
public:
    explicit OwnPlace(Alertable alertable)
        : m_alertable(alertable)
    {
    }
    NTSTATUS sleep(Thread& thread, const DueTime& due) override
    {
        if (m_alertable == Alertable::Yes)
            thread.arm_alerts();
        return thread.sleep(due);
    }
    bool is_at_source() const override { return true; }
    void give_back(DispatcherObject& event) override { event.set(); }

private:
    const Alertable m_alertable;
};

void unlink_blocks(Thread& thread)
{
    for (uint32_t i = 0; i < thread.linked_blocks(); ++i) {
        WaitBlock& block = thread.wait_block(i);
        if (block.object)
            unlink_wait_block(block, *block.object);
    }
    thread.set_linked_blocks(0);
}

/// What the place says of a wait that ke has ended meanwhile, with `ended_by`: by `count` of its
/// blocks. Where both took something, what ke took is given back: the set of a synchronization
/// event becomes one that came later. So does a pulse, which leaves nothing. [NtEvent/12] A
/// time-out has taken nothing.
NTSTATUS settle_end(WaitPlace& place, Thread& thread, NTSTATUS at_place, NTSTATUS ended_by,
    uint32_t first, uint32_t count)
{
    if (ended_by == Thread::kEndedOnHost || at_place == ended_by)
        return at_place;
    if (at_place == STATUS_TIMEOUT)
        return ended_by;
    for (uint32_t i = first; i < first + count; ++i) {
        const WaitBlock& block = thread.wait_block(i);
        if (block.object->kind() == DispatcherObject::Kind::Synchronization && !block.is_pulsed)
            place.give_back(*block.object);
    }
    return at_place;
}

/// Takes the signaled object with the lowest index, if nothing is in the way of it: that is the
/// result. STATUS_PENDING: none is signaled.
NTSTATUS take_signaled(WaitPlace& place, DispatcherObject* const* objects, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (!objects[i] || !objects[i]->peek())
            continue;
        const NTSTATUS status = place.check_others(i);
        if (status != STATUS_PENDING)
            return status;
        if (objects[i]->satisfy_if_signaled())
            return STATUS_WAIT_0 + static_cast<NTSTATUS>(i);
    }
    return STATUS_PENDING;
}

/// A wait that only asks does not sleep where files tell of what has happened to them by now.
void serve_sources(DispatcherObject* const* objects, uint32_t count)
{
    EventSource* served = nullptr;
    for (uint32_t i = 0; i < count; ++i) {
        EventSource* const source = objects[i] ? objects[i]->source() : nullptr;
        if (source && source != served)
            source->serve();
        served = source;
    }
}

/// Links the wait to one object after the other. Should an object be signaled, or become so once
/// linked, the wait ends; the earlier ones were nonsignaled at that moment, or one of them would
/// have ended the wait. So the lowest index wins without all objects being locked at once.
/// False: an object is signaled that is taken at the place only; nothing is linked.
bool link_to_any(WaitPlace& place, Thread& thread, DispatcherObject* const* objects, uint32_t count)
{
    thread.begin_wait();
    uint32_t linked = 0;
    for (; linked < count; ++linked) {
        WaitBlock& block = prepare_block(thread, linked, objects[linked], kWaitAny);
        thread.set_linked_blocks(linked + 1); // a thread may be stopped anywhere
        if (!block.object)
            continue;
        DispatcherObject& object = *block.object;
        Sleeper sleeper; // ourselves: awake
        object.lock();
        const bool is_signaled = object.is_signaled();
        if (object.is_away())
            thread.try_end_wait(STATUS_REPARSE, sleeper);
        else if (!is_signaled)
            object.link(block);
        else if (!place.has_others()
            && thread.try_end_wait(STATUS_WAIT_0 + static_cast<NTSTATUS>(linked), sleeper))
            object.satisfy();
        object.unlock();
        // Begun anew, unless an earlier object has ended the wait meanwhile, and was taken.
        if (is_signaled && place.has_others()
            && thread.try_end_wait(Thread::kEndedOnHost, sleeper)) {
            unlink_blocks(thread);
            return false;
        }
        if (thread.has_wait_ended())
            break;
    }
    return true;
}

NTSTATUS sleep(WaitPlace& place, Thread& thread, DispatcherObject* const* objects, uint32_t count,
    const DueTime& due)
{
    if (!due.is_now() && !thread.has_wait_ended()) {
        if (place.is_at_source())
            thread.choose_source(objects, count);
        else
            thread.share_sources(objects, count);
    }
    return place.sleep(thread, due);
}

NTSTATUS wait_for_any(WaitPlace& place, Thread& thread, DispatcherObject* const* objects,
    uint32_t count, const DueTime& due)
{
    if (due.is_now())
        serve_sources(objects, count);
    do {
        const NTSTATUS status = take_signaled(place, objects, count);
        if (status != STATUS_PENDING)
            return status;
    } while (!link_to_any(place, thread, objects, count));

    const NTSTATUS status = sleep(place, thread, objects, count, due);
    const NTSTATUS ended_by = thread.wait_result();
    unlink_blocks(thread);
    const auto taken = static_cast<uint32_t>(ended_by);
    return settle_end(place, thread, status, ended_by, taken, taken < count ? 1 : 0);
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

bool is_any_away(DispatcherObject* const* objects, uint32_t count)
{
    return std::any_of(
        objects, objects + count, [](const DispatcherObject* object) { return object->is_away(); });
}

NTSTATUS wait_for_all(WaitPlace& place, Thread& thread, DispatcherObject* const* objects,
    uint32_t count, const DueTime& due)
{
    DispatcherObject* sorted[Thread::kMaxWaitObjects];
    std::copy(objects, objects + count, sorted);
    std::sort(sorted, sorted + count);
    if (std::adjacent_find(sorted, sorted + count) != sorted + count)
        return STATUS_INVALID_PARAMETER_MIX;

    if (due.is_now())
        serve_sources(objects, count);
    thread.begin_wait();
    thread.set_wait_all_count(count);
    for (uint32_t i = 0; i < count; ++i)
        prepare_block(thread, i, sorted[i], kWaitAll);
    thread.set_linked_blocks(count);
    lock_all(sorted, count);
    const bool is_away = is_any_away(sorted, count);
    if (is_away || try_satisfy_all(sorted, count)) {
        unlock_all(sorted, count);
        thread.set_linked_blocks(0);
        return is_away ? STATUS_REPARSE : STATUS_WAIT_0;
    }
    for (uint32_t i = 0; i < count; ++i) {
        sorted[i]->assert_locked();
        sorted[i]->link(thread.wait_block(i));
    }
    unlock_all(sorted, count);

    const NTSTATUS status = sleep(place, thread, objects, count, due);
    const NTSTATUS ended_by = thread.wait_result();
    // Whoever signals one of the objects locks them all. Passing through every lock makes sure
    // that it is done with the blocks and the objects before either is gone.
    unlink_blocks(thread);
    return settle_end(place, thread, status, ended_by, 0, ended_by == STATUS_WAIT_0 ? count : 0);
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
    return wait_for_multiple(thread, objects, 1, kWaitAny, alertable, due);
}

NTSTATUS wait_for_multiple(Thread& thread, DispatcherObject* const* objects, uint32_t count,
    WaitType type, Alertable alertable, const DueTime& due)
{
    OwnPlace place(alertable);
    return wait_at(place, thread, objects, count, type, due);
}

NTSTATUS wait_at(WaitPlace& place, Thread& thread, DispatcherObject* const* objects, uint32_t count,
    WaitType type, const DueTime& due)
{
    NTSTATUS status;
    do {
        status = type == kWaitAny ? wait_for_any(place, thread, objects, count, due)
                                  : wait_for_all(place, thread, objects, count, due);
    } while (status == Thread::kWithdrawn);
    return status;
}

NTSTATUS delay(Thread& thread, Alertable alertable, const DueTime& due)
{
    NTSTATUS result;
    do {
        thread.begin_wait();
        if (due.is_now())
            sched_yield();
        result = OwnPlace(alertable).sleep(thread, due);
    } while (result == Thread::kWithdrawn);
    return result == STATUS_TIMEOUT ? STATUS_SUCCESS : result;
}

} // namespace ke
