#include "ke/signal.h"

#include <sched.h>

#include "ke/thread.h"

namespace ke {

// The analysis cannot follow locks held through a list: the functions of SignalGuard that take and
// release them are exempt, all others work on objects they have asserted to be locked.

SignalGuard::SignalGuard(DispatcherObject& object) NO_THREAD_SAFETY_ANALYSIS : m_object(object)
{
    for (;;) {
        object.lock();
        object.m_holder.store(this, std::memory_order_relaxed);
        object.m_next_held = nullptr;
        m_held = m_highest = &object;
        if (object.m_wait_all_blocks == 0 || try_lock_companions())
            return;
        release_all();
        sched_yield(); // let the holder of what we could not get finish
    }
}

SignalGuard::~SignalGuard()
{
    release_all();
}

bool SignalGuard::try_lock_companions() NO_THREAD_SAFETY_ANALYSIS
{
    for (WaitBlock* block = m_object.m_first; block; block = block->next) {
        if (block->type != kWaitAll)
            continue;
        // The wait cannot end as long as this block is linked, and unlinking it takes our lock: its
        // thread, its other blocks and their objects stay what they are.
        Thread& thread = *block->thread;
        for (uint32_t i = 0; i < thread.wait_all_count(); ++i) {
            if (!hold(*thread.wait_block(i).object))
                return false;
        }
    }
    return true;
}

bool SignalGuard::hold(DispatcherObject& object) NO_THREAD_SAFETY_ANALYSIS
{
    // Only we write our own address there, and only while we hold the lock.
    if (object.m_holder.load(std::memory_order_relaxed) == this)
        return true;
    if (&object > m_highest) {
        object.lock();
        m_highest = &object;
    } else if (!object.try_lock()) {
        return false;
    }
    object.m_holder.store(this, std::memory_order_relaxed);
    object.m_next_held = m_held;
    m_held = &object;
    return true;
}

void SignalGuard::release_all() NO_THREAD_SAFETY_ANALYSIS
{
    for (DispatcherObject* object = m_held; object;) {
        DispatcherObject* next = object->m_next_held;
        object->m_holder.store(nullptr, std::memory_order_relaxed);
        object->unlock();
        object = next;
    }
    m_held = nullptr;
}

/// Satisfies the wait-all that `block` belongs to if all its objects are signaled. Every object of
/// the wait is locked (SignalGuard).
bool DispatcherObject::satisfy_all_of(WaitBlock& block)
{
    Thread& thread = *block.thread;
    const uint32_t count = thread.wait_all_count();
    for (uint32_t i = 0; i < count; ++i) {
        DispatcherObject& object = *thread.wait_block(i).object;
        object.assert_locked();
        if (!object.is_signaled())
            return false;
    }
    return true;
}

void DispatcherObject::satisfy_waiters(AfterSet after, WakeList& wakes)
{
    const bool is_pulse = after == AfterSet::Clear;
    WaitBlock* next = nullptr;
    for (WaitBlock* block = m_first; block && is_signaled(); block = next) {
        next = block->next;
        Sleeper sleeper;

        if (block->type == kWaitAny) {
            // Unlinked before the wait ends, since after that the block is the thread's again. If
            // another object or the time-out ended it first, the block is of no more use either.
            Thread& thread = *block->thread;
            const NTSTATUS result = STATUS_WAIT_0 + static_cast<NTSTATUS>(block->key);
            unlink(*block);
            block->is_pulsed = is_pulse;
            if (thread.try_end_wait(result, sleeper)) {
                satisfy();
                wakes.add(sleeper);
            }
            continue;
        }

        if (!satisfy_all_of(*block))
            continue; // Another object is missing: the wait goes on and nothing is taken.
        Thread& thread = *block->thread;
        const uint32_t count = thread.wait_all_count();
        // The end comes first: should a time-out have won it, nothing may be taken. The thread may
        // run on at once, but not past its objects' locks, all of which are ours for now: it passes
        // through each before it lets go of blocks and objects (wait.cpp, wait_for_all).
        block->is_pulsed = is_pulse;
        if (!thread.try_end_wait(STATUS_WAIT_0, sleeper))
            continue; // Its thread is about to unlink it. Nothing was taken.
        for (uint32_t i = 0; i < count; ++i) {
            WaitBlock& part = thread.wait_block(i);
            part.object->assert_locked();
            part.object->satisfy();
            part.object->unlink(part);
        }
        wakes.add(sleeper);
    }
}

DispatcherObject::Before DispatcherObject::set_slow(AfterSet after)
{
    WakeList wakes;
    return set_slow(after, wakes);
}

/// `wakes` is flushed by its owner, after the guard has unlocked everything.
DispatcherObject::Before DispatcherObject::set_slow(AfterSet after, WakeList& wakes)
{
    SignalGuard guard(*this);
    if (is_away())
        return Before::Away;

    const uint32_t before = m_word.fetch_or(kSignaled, std::memory_order_relaxed);
    if (m_first)
        satisfy_waiters(after, wakes);
    if (after == AfterSet::Clear)
        m_word.fetch_and(~kSignaled, std::memory_order_relaxed);
    return before_from(before);
}

/// A wait for all cannot be satisfied while one of its objects is locked, so the others stay as
/// they are.
void DispatcherObject::go_away(WakeList& wakes)
{
    m_word.fetch_and(~kSignaled, std::memory_order_relaxed);
    m_word.fetch_or(kAway, std::memory_order_release);
    while (WaitBlock* block = m_first) {
        Thread& thread = *block->thread;
        Sleeper sleeper;
        unlink(*block);
        if (thread.try_end_wait(STATUS_REPARSE, sleeper))
            wakes.add(sleeper);
    }
}

} // namespace ke
