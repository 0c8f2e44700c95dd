#include "ob/reclaim.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ke/pool.h"

namespace ob {

constinit thread_local ReaderSlot t_reader_slot {};
constinit std::atomic<bool> g_reader_needs_barrier { true };

namespace {

constinit Reclaimer g_reclaimer;
pthread_once_t g_once = PTHREAD_ONCE_INIT;
pthread_key_t g_slot_key;

void on_thread_exit(void* slot)
{
    Reclaimer::instance().unregister_slot(*static_cast<ReaderSlot*>(slot));
}

void prepare()
{
    pthread_key_create(&g_slot_key, on_thread_exit);
    // Where the call is refused, each reader keeps paying for a barrier of its own.
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        g_reader_needs_barrier = false;
}

/// What other threads have written by now can be read, and what they read from now on has been
/// written.
void interrupt_threads()
{
    if (!g_reader_needs_barrier.load(std::memory_order_relaxed))
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

uint64_t bit_of(HANDLE handle)
{
    constexpr uintptr_t kStep = 4; // the lowest bits of a handle mean nothing
    return uint64_t { 1 } << (reinterpret_cast<uintptr_t>(handle) / kStep % 64);
}

} // namespace

Reclaimer& Reclaimer::instance()
{
    return g_reclaimer;
}

void ReadSection::register_slot(ReaderSlot& slot)
{
    pthread_once(&g_once, prepare);
    // Registered again after the key's destructor ran (another destructor looks up a handle): the
    // key is set again too, and its destructor runs once more.
    pthread_setspecific(g_slot_key, &slot);
    Reclaimer::instance().register_slot(slot);
}

OutsideUse::OutsideUse(const HANDLE* handles, uint32_t count)
    : m_slot(t_reader_slot)
    , m_before(m_slot.outside.load(std::memory_order_relaxed))
{
    if (!m_slot.is_registered) [[unlikely]]
        ReadSection::register_slot(m_slot);
    uint64_t bits = m_before;
    for (uint32_t i = 0; i < count; ++i)
        bits |= bit_of(handles[i]);
    if (g_reader_needs_barrier.load(std::memory_order_relaxed)) [[unlikely]]
        m_slot.outside.exchange(bits, std::memory_order_seq_cst);
    else
        m_slot.outside.store(bits, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

bool OutsideUse::has_been_begun(HANDLE handle)
{
    return Reclaimer::instance().has_outside(bit_of(handle));
}

void Reclaimer::register_slot(ReaderSlot& slot)
{
    ke::LockGuard guard(m_lock);
    slot.seen = 0;
    slot.next = m_slots;
    m_slots = &slot;
    slot.is_registered = true;
}

void Reclaimer::unregister_slot(ReaderSlot& slot)
{
    ke::LockGuard guard(m_lock);
    ReaderSlot** link = &m_slots;
    while (*link != &slot)
        link = &(*link)->next;
    *link = slot.next;
    slot.is_registered = false;
}

void Reclaimer::retire(Object& object)
{
    Object* freeable = nullptr;
    {
        ke::LockGuard guard(m_lock);
        object.m_next_retired = m_open;
        m_open = &object;
        ++m_open_count;
        freeable = advance(false);
    }
    free_list(freeable);
}

void Reclaimer::flush()
{
    // The first round may have to finish an older batch before it can take the open one.
    for (int round = 0; round < 2; ++round) {
        Object* freeable = nullptr;
        {
            ke::LockGuard guard(m_lock);
            freeable = advance(true);
        }
        free_list(freeable);
    }
}

Object* Reclaimer::advance(bool even_if_small)
{
    if (!m_closed) {
        if (!m_open || (m_open_count < kBatchSize && !even_if_small))
            return nullptr;
        m_closed = std::exchange(m_open, nullptr);
        m_open_count = 0;
        interrupt_readers();
    }
    return readers_have_left() ? std::exchange(m_closed, nullptr) : nullptr;
}

bool Reclaimer::has_outside(uint64_t bits)
{
    ke::LockGuard guard(m_lock);
    interrupt_threads();
    for (const ReaderSlot* slot = m_slots; slot; slot = slot->next) {
        if ((slot->outside.load(std::memory_order_seq_cst) & bits) == bits)
            return true;
    }
    return false;
}

void Reclaimer::interrupt_readers()
{
    interrupt_threads();
    for (ReaderSlot* slot = m_slots; slot; slot = slot->next) {
        const uint64_t sequence = slot->sequence.load(std::memory_order_seq_cst);
        slot->seen = sequence % 2 ? sequence : 0;
    }
}

bool Reclaimer::readers_have_left()
{
    for (ReaderSlot* slot = m_slots; slot; slot = slot->next) {
        if (slot->seen && slot->sequence.load(std::memory_order_acquire) == slot->seen)
            return false;
        slot->seen = 0;
    }
    return true;
}

void Reclaimer::free_list(Object* objects)
{
    while (objects) {
        Object* object = std::exchange(objects, objects->m_next_retired);
        object->~Object();
        ke::pool_free(object);
    }
}

void reclaim_now()
{
    Reclaimer::instance().flush();
}

} // namespace ob
