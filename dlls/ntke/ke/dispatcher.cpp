#include "ke/dispatcher.h"

#include "ke/futex.h"
#include "ke/time.h"

namespace ke {

// The lock itself: what the analysis takes on trust.
void DispatcherObject::lock_slow() NO_THREAD_SAFETY_ANALYSIS
{
    for (int spin = 0; spin < 40; ++spin) {
        cpu_relax();
        if (try_lock())
            return;
    }
    for (;;) {
        uint32_t word = m_word.load(std::memory_order_relaxed);
        if (!(word & kLocked)) {
            // Others may sleep besides us; say so, our unlock wakes the next one.
            if (m_word.compare_exchange_weak(
                    word, word | kLocked | kContended, std::memory_order_acquire))
                return;
            continue;
        }
        const uint32_t contended = word | kContended;
        if (word == contended
            || m_word.compare_exchange_weak(word, contended, std::memory_order_relaxed))
            futex_wait(m_word, contended, DueTime::never());
    }
}

void DispatcherObject::unlock()
{
    const uint32_t has_waiters = m_first ? kHasWaiters : 0;
    uint32_t word = m_word.load(std::memory_order_relaxed);
    // Only contenders change the word while it is locked, so this takes one or two rounds.
    while (!m_word.compare_exchange_weak(word, (word & (kSignaled | kAway)) | has_waiters,
        std::memory_order_release, std::memory_order_relaxed)) { }
    if (word & kContended)
        futex_wake(&m_word, 1);
}

bool DispatcherObject::satisfy_if_signaled()
{
    if (try_satisfy())
        return true;
    lock();
    const bool was_signaled = is_signaled();
    if (was_signaled)
        satisfy();
    unlock();
    return was_signaled;
}

void DispatcherObject::link(WaitBlock& block)
{
    block.object = this;
    block.next = nullptr;
    block.previous = m_last;
    (m_last ? m_last->next : m_first) = &block;
    m_last = &block;
    block.is_linked = true;
    if (block.type == kWaitAll)
        ++m_wait_all_blocks;
}

void DispatcherObject::unlink(WaitBlock& block)
{
    (block.previous ? block.previous->next : m_first) = block.next;
    (block.next ? block.next->previous : m_last) = block.previous;
    block.is_linked = false;
    if (block.type == kWaitAll)
        --m_wait_all_blocks;
}

bool DispatcherObject::has_waiters_besides(const Thread& thread)
{
    lock();
    const WaitBlock* block = m_first;
    while (block && block->thread == &thread)
        block = block->next;
    unlock();
    return block;
}

DispatcherObject::Before DispatcherObject::reset_slow()
{
    lock();
    const uint32_t before = m_word.fetch_and(~kSignaled, std::memory_order_relaxed);
    unlock();
    return before & kAway ? Before::Away : before_from(before);
}

} // namespace ke
