// Freeing objects that lock-free lookups may still be looking at.
#pragma once

#include "ke/lock.h"
#include "ob/object.h"
#include "ob/read_section.h"

namespace ob {

/// Collects dead objects and frees them in batches. One per process.
///
/// A batch is closed by interrupting every thread once (membarrier): after that each thread is
/// either outside a ReadSection, and can no longer find the batch's objects, or inside one that it
/// began before; the reclaimer notes those and frees the batch when they are left. It never waits:
/// a thread stopped inside a section only keeps memory from being freed.
/// Lock: m_lock guards everything; it is not held while destructors run.
class Reclaimer {
public:
    static Reclaimer& instance();

    constexpr Reclaimer() = default;

    void retire(Object& object) EXCLUDES(m_lock);
    void register_slot(ReaderSlot& slot) EXCLUDES(m_lock);
    void unregister_slot(ReaderSlot& slot) EXCLUDES(m_lock);
    /// Has a thread all these bits in its slot (ReaderSlot::outside)?
    bool has_outside(uint64_t bits) EXCLUDES(m_lock);
    /// Closes and frees as far as possible, whatever the batch's size.
    void flush() EXCLUDES(m_lock);

private:
    static constexpr uint32_t kBatchSize = 64;

    /// The objects that may be freed now, as a list.
    Object* advance(bool even_if_small) REQUIRES(m_lock);
    void interrupt_readers() REQUIRES(m_lock);
    bool readers_have_left() REQUIRES(m_lock);
    static void free_list(Object* objects);

    ke::Lock m_lock;
    ReaderSlot* m_slots GUARDED_BY(m_lock) = nullptr;
    Object* m_open GUARDED_BY(m_lock) = nullptr; // dead, batch still growing
    uint32_t m_open_count GUARDED_BY(m_lock) = 0;
    Object* m_closed GUARDED_BY(m_lock) = nullptr; // waits for noted sections to be left
};

} // namespace ob
