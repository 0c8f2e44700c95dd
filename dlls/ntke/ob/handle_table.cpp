#include "ob/handle_table.h"

#include "ke/pool.h"

namespace ob {

namespace {

constinit HandleTable g_process_table;

} // namespace

HandleTable& HandleTable::current()
{
    return g_process_table;
}

NTSTATUS HandleTable::insert(Object& object, ACCESS_MASK granted, uint32_t flags, HANDLE* handle)
{
    ke::LockGuard guard(m_lock);
    uintptr_t index = 0;
    if (const NTSTATUS status = take_index(&index); !NT_SUCCESS(status))
        return status;
    fill(index, object, granted, flags);
    *handle = reinterpret_cast<HANDLE>(index * kValueStep);
    return STATUS_SUCCESS;
}

NTSTATUS HandleTable::attach(HANDLE handle, Object& object, ACCESS_MASK granted, uint32_t flags)
{
    Object* displaced = nullptr;
    {
        ke::LockGuard guard(m_lock);
        const uintptr_t index = index_of(handle);
        if (index == 0 || index >= kMaxHandles)
            return STATUS_INVALID_HANDLE;
        if (!page_for(index))
            return STATUS_NO_MEMORY;
        displaced = clear(index);
        fill(index, object, granted, flags);
    }
    drop(displaced);
    return STATUS_SUCCESS;
}

NTSTATUS HandleTable::detach(HANDLE handle)
{
    return detach_if(handle, nullptr);
}

NTSTATUS HandleTable::detach(HANDLE handle, const Object& object)
{
    return detach_if(handle, &object);
}

NTSTATUS HandleTable::detach_if(HANDLE handle, const Object* expected)
{
    Object* object = nullptr;
    {
        ke::LockGuard guard(m_lock);
        const Entry* entry = open_entry(handle);
        if (!entry || (expected && entry->object.load(std::memory_order_relaxed) != expected))
            return STATUS_INVALID_HANDLE;
        object = clear(index_of(handle));
    }
    drop(object);
    return STATUS_SUCCESS;
}

NTSTATUS HandleTable::close(HANDLE handle)
{
    Object* object = nullptr;
    {
        ke::LockGuard guard(m_lock);
        const Entry* entry = open_entry(handle);
        if (!entry)
            return STATUS_INVALID_HANDLE;
        if (entry->flags & kHandleProtectFromClose)
            return STATUS_HANDLE_NOT_CLOSABLE;
        object = clear(index_of(handle));
    }
    drop(object); // the object's last rites need the table's lock free
    return STATUS_SUCCESS;
}

NTSTATUS HandleTable::query_flags(HANDLE handle, uint32_t* flags)
{
    ke::LockGuard guard(m_lock);
    const Entry* entry = open_entry(handle);
    if (!entry)
        return STATUS_INVALID_HANDLE;
    *flags = entry->flags;
    return STATUS_SUCCESS;
}

NTSTATUS HandleTable::set_flags(HANDLE handle, uint32_t flags)
{
    ke::LockGuard guard(m_lock);
    Entry* entry = open_entry(handle);
    if (!entry)
        return STATUS_INVALID_HANDLE;
    entry->flags = flags;
    return STATUS_SUCCESS;
}

NTSTATUS HandleTable::reference(HANDLE handle, const Type* type, ACCESS_MASK desired,
    Ref<Object>& object, ACCESS_MASK* granted) const
{
    const ReadSection section;
    Object* found = nullptr;
    const NTSTATUS status = look(section, handle, type, desired, &found, granted);
    if (!NT_SUCCESS(status))
        return status;
    // Closed by another thread since, and that was the last reference: as if closed before.
    if (!found->try_reference())
        return STATUS_INVALID_HANDLE;
    object = Ref<Object>::adopt(found);
    return STATUS_SUCCESS;
}

HANDLE HandleTable::next(HANDLE after, const Type& type, Ref<Object>& object) const
{
    object
        .reset(); // of the round before: it may be the last reference, and no lock is held for that
    ke::LockGuard guard(m_lock);
    const uintptr_t first = after ? index_of(after) + 1 : 1;
    for (uintptr_t index = first; index < kMaxHandles; ++index) {
        const Page* page = m_pages[index / kPageEntries].load(std::memory_order_relaxed);
        if (!page) {
            index += kPageEntries - 1 - index % kPageEntries;
            continue;
        }
        Object* found = page->entries[index % kPageEntries].object.load(std::memory_order_relaxed);
        if (!found || &found->type() != &type || !found->try_reference())
            continue;
        object = Ref<Object>::adopt(found);
        return reinterpret_cast<HANDLE>(index * kValueStep);
    }
    return nullptr;
}

void HandleTable::close_all()
{
    for (uintptr_t index = 1; index < kMaxHandles; ++index) {
        Object* object = nullptr;
        {
            ke::LockGuard guard(m_lock);
            const Page* page = m_pages[index / kPageEntries].load(std::memory_order_relaxed);
            if (!page) {
                index |= kPageEntries - 1; // nothing in the whole page
                continue;
            }
            if (page->entries[index % kPageEntries].object.load(std::memory_order_relaxed))
                object = clear(index);
        }
        drop(object);
    }
}

void HandleTable::free_pages()
{
    ke::LockGuard guard(m_lock);
    for (std::atomic<Page*>& slot : m_pages)
        ke::pool_delete(slot.exchange(nullptr));
    m_first_free = kNone;
    m_next_unused = 1;
}

HandleTable::Page* HandleTable::page_for(uintptr_t index)
{
    std::atomic<Page*>& slot = m_pages[index / kPageEntries];
    Page* page = slot.load(std::memory_order_relaxed);
    if (!page) {
        page = ke::pool_new<Page>();
        slot.store(page, std::memory_order_release);
    }
    return page;
}

HandleTable::Page& HandleTable::page_of(uintptr_t index)
{
    return *m_pages[index / kPageEntries].load(std::memory_order_relaxed);
}

HandleTable::Entry& HandleTable::entry_at(uintptr_t index)
{
    return page_of(index).entries[index % kPageEntries];
}

HandleTable::Entry* HandleTable::open_entry(HANDLE handle)
{
    const uintptr_t index = index_of(handle);
    if (index >= kMaxHandles || !m_pages[index / kPageEntries].load(std::memory_order_relaxed))
        return nullptr;
    Entry& entry = entry_at(index);
    return entry.object.load(std::memory_order_relaxed) ? &entry : nullptr;
}

NTSTATUS HandleTable::take_index(uintptr_t* index)
{
    // An index in the free list may carry an attached handle by now; it comes back to the list when
    // that one goes.
    while (m_first_free != kNone) {
        *index = m_first_free;
        Page& page = page_of(*index);
        m_first_free = page.next_free[*index % kPageEntries];
        page.is_in_free_list[*index % kPageEntries] = false;
        if (!entry_at(*index).object.load(std::memory_order_relaxed))
            return STATUS_SUCCESS;
    }
    for (; m_next_unused < kMaxHandles; ++m_next_unused) {
        if (!page_for(m_next_unused))
            return STATUS_NO_MEMORY;
        if (!entry_at(m_next_unused).object.load(std::memory_order_relaxed)) {
            *index = m_next_unused++;
            return STATUS_SUCCESS;
        }
    }
    return STATUS_INSUFFICIENT_RESOURCES;
}

void HandleTable::fill(uintptr_t index, Object& object, ACCESS_MASK granted, uint32_t flags)
{
    object.reference();
    object.add_handle();
    m_count.fetch_add(1, std::memory_order_relaxed);
    Entry& entry = entry_at(index);
    entry.flags = flags;
    // A lookup that sees these rights with the entry's previous object sees, when it looks again,
    // that the object has changed: release here, and the object last.
    entry.granted.store(granted, std::memory_order_release);
    entry.object.store(&object, std::memory_order_release);
}

Object* HandleTable::clear(uintptr_t index)
{
    Entry& entry = entry_at(index);
    Object* object = entry.object.exchange(nullptr, std::memory_order_acq_rel);
    if (!object)
        return nullptr;
    m_count.fetch_sub(1, std::memory_order_relaxed);
    // Above m_next_unused only attached handles live; their indices are found in passing later.
    Page& page = page_of(index);
    if (index < m_next_unused && !page.is_in_free_list[index % kPageEntries]) {
        page.is_in_free_list[index % kPageEntries] = true;
        page.next_free[index % kPageEntries] = m_first_free;
        m_first_free = static_cast<uint32_t>(index);
    }
    return object;
}

void HandleTable::drop(Object* object)
{
    if (!object)
        return;
    object->drop_handle();
    object->dereference();
}

} // namespace ob
