// Looking at objects without counting references.
#pragma once

#include <atomic>
#include <cstdint>

#include "nt/types.h"

namespace ob {

/// One thread's mark "I am looking". Owner: the thread (thread-local storage); the list of slots is
/// guarded by the reclaimer's lock.
struct ReaderSlot {
    std::atomic<uint64_t> sequence { 0 }; // odd inside a section
    uint64_t seen = 0; // the reclaimer's note of an odd sequence, 0 = nothing to wait for
    std::atomic<uint64_t> outside { 0 }; // bits of the handles of an OutsideUse
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
    friend class OutsideUse;
    static void register_slot(ReaderSlot& slot);

    ReaderSlot& m_slot;
};

/// While one exists, its thread does something with handles outside, in a host's kernel: made
/// before they are looked for in a handle table, it lets who attaches an object to one of them know
/// that a thread has not found it there. Costs two plain stores; whoever asks pays (membarrier).
/// May be nested.
class OutsideUse {
public:
    OutsideUse(const HANDLE* handles, uint32_t count);
    explicit OutsideUse(HANDLE handle)
        : OutsideUse(&handle, 1)
    {
    }
    ~OutsideUse() { m_slot.outside.store(m_before, std::memory_order_release); }
    OutsideUse(const OutsideUse&) = delete;

    /// Does a thread use this handle? The object is attached to it. Yes may mean another handle.
    static bool has_been_begun(HANDLE handle);

private:
    ReaderSlot& m_slot;
    const uint64_t m_before;
};

/// Frees every dead object that no section can see any more. For tests and orderly ends; in normal
/// running a batch is freed every so many dead objects.
void reclaim_now();

} // namespace ob
