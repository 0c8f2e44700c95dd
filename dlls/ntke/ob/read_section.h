// Looking at objects without counting references.
#pragma once

#include <atomic>
#include <cstdint>

namespace ob {

/// One thread's mark "I am looking". Owner: the thread (thread-local storage); the list of slots is
/// guarded by the reclaimer's lock.
struct ReaderSlot {
    std::atomic<uint64_t> sequence { 0 }; // odd inside a section
    uint64_t seen = 0; // the reclaimer's note of an odd sequence, 0 = nothing to wait for
    ReaderSlot* next = nullptr;
    bool is_registered = false;
};

extern constinit thread_local ReaderSlot t_reader_slot __attribute__((tls_model("initial-exec")));
extern std::atomic<bool> g_reader_needs_barrier;

/// While one exists, no object its thread finds in a handle table has its memory freed.
///
/// A section takes no lock and writes only memory of its own thread: the cost of two plain stores.
/// The price is paid by the reclaimer, who interrupts all threads (membarrier) once per batch of
/// dead objects. Never block, allocate or dereference an object inside; sections do not nest.
/// Counterpart: none in the public interface (NT locks the handle table entry instead).
class ReadSection {
public:
    ReadSection()
        : m_slot(t_reader_slot)
    {
        if (!m_slot.is_registered) [[unlikely]]
            register_slot(m_slot);
        const uint64_t next = m_slot.sequence.load(std::memory_order_relaxed) + 1;
        if (g_reader_needs_barrier.load(std::memory_order_relaxed)) [[unlikely]]
            m_slot.sequence.exchange(next, std::memory_order_seq_cst);
        else
            m_slot.sequence.store(next, std::memory_order_relaxed);
        // The processor may still read the table before the store is visible; the reclaimer's
        // membarrier closes that gap. The compiler must not add one of its own.
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    ~ReadSection()
    {
        m_slot.sequence.store(
            m_slot.sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    ReadSection(const ReadSection&) = delete;
    ReadSection& operator=(const ReadSection&) = delete;

private:
    static void register_slot(ReaderSlot& slot);

    ReaderSlot& m_slot;
};

/// Frees every dead object that no section can see any more. For tests and orderly ends; in normal
/// running a batch is freed every so many dead objects.
void reclaim_now();

} // namespace ob
