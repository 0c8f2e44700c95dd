// Handles: numbers a program holds objects by.
#pragma once

#include <atomic>
#include <cstdint>

#include "ke/lock.h"
#include "nt/status.h"
#include "nt/types.h"
#include "ob/object.h"
#include "ob/read_section.h"

namespace ob {

// Flags of a handle. Counterpart: HANDLE_FLAG_*.
constexpr uint32_t kHandleInherit = 1;
constexpr uint32_t kHandleProtectFromClose = 2;

/// Maps handle values to objects. Counterpart: HANDLE_TABLE.
///
/// Values are multiples of 4; the low two bits of a value given by a caller are ignored. An entry
/// either got its value from the table (insert) or carries a value that belongs to a host kernel
/// (attach); lookups do not know the difference.
///
/// Lookups take no lock and write nothing shared, so they never block each other and cost the same
/// with any number of handles. m_lock serialises insertion, attachment and closing.
class HandleTable {
public:
    constexpr HandleTable() = default;

    /// The table of this process. Counterpart: EPROCESS.ObjectTable.
    static HandleTable& current();

    /// Gives `object` a new handle with exactly the rights `granted`.
    /// Errors: STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY.
    NTSTATUS insert(Object& object, ACCESS_MASK granted, uint32_t flags, HANDLE* handle)
        EXCLUDES(m_lock);

    /// Makes `object` known under `handle`, a value the host kernel gave. Whatever was attached
    /// under that value before is detached first: the host does not reuse a value it has not
    /// closed. Errors: STATUS_INVALID_HANDLE (no such value is possible), STATUS_NO_MEMORY.
    NTSTATUS attach(HANDLE handle, Object& object, ACCESS_MASK granted, uint32_t flags)
        EXCLUDES(m_lock);

    /// Forgets an attached handle, whatever its flags; the host owns the value.
    /// Errors: STATUS_INVALID_HANDLE.
    NTSTATUS detach(HANDLE handle) EXCLUDES(m_lock);
    /// The same, unless the handle carries another object by now.
    NTSTATUS detach(HANDLE handle, const Object& object) EXCLUDES(m_lock);

    /// Counterpart: NtClose. Of several threads closing one handle exactly one succeeds.
    /// Errors: STATUS_INVALID_HANDLE, STATUS_HANDLE_NOT_CLOSABLE (protected from close).
    NTSTATUS close(HANDLE handle) EXCLUDES(m_lock);

    /// Reads / replaces the flags of a handle. Errors: STATUS_INVALID_HANDLE.
    NTSTATUS query_flags(HANDLE handle, uint32_t* flags) EXCLUDES(m_lock);
    NTSTATUS set_flags(HANDLE handle, uint32_t flags) EXCLUDES(m_lock);

    /// What a lookup found. Valid inside the ReadSection it was made in.
    struct Found {
        Object* object = nullptr;
        ACCESS_MASK granted = 0;
    };

    /// Null object when the handle means nothing here. The section proves the caller is in one.
    Found find(const ReadSection&, HANDLE handle) const
    {
        const uintptr_t index = index_of(handle);
        if (index >= kMaxHandles) [[unlikely]]
            return {};
        const Page* page = m_pages[index / kPageEntries].load(std::memory_order_acquire);
        if (!page) [[unlikely]]
            return {};
        const Entry& entry = page->entries[index % kPageEntries];
        for (;;) {
            Object* object = entry.object.load(std::memory_order_acquire);
            const ACCESS_MASK granted = entry.granted.load(std::memory_order_acquire);
            // Closed and reused meanwhile? Then the rights may be the new object's. The same
            // object again is fine: the pair was true at one moment in between.
            if (entry.object.load(std::memory_order_relaxed) == object) [[likely]]
                return { object, granted };
        }
    }

    /// Finds and checks in NT's order: handle, type, access. Any type when `type` is null.
    /// `granted` may be null; it receives the rights of the handle.
    /// Errors: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED.
    NTSTATUS look(const ReadSection& section, HANDLE handle, const Type* type, ACCESS_MASK desired,
        Object** object, ACCESS_MASK* granted = nullptr) const
    {
        const Found found = find(section, handle);
        if (!found.object) [[unlikely]]
            return STATUS_INVALID_HANDLE;
        if (type && &found.object->type() != type) [[unlikely]]
            return STATUS_OBJECT_TYPE_MISMATCH; // rights on the wrong type mean nothing
        if ((found.granted & desired) != desired) [[unlikely]]
            return STATUS_ACCESS_DENIED;
        *object = found.object;
        if (granted)
            *granted = found.granted;
        return STATUS_SUCCESS;
    }

    /// look() for callers who keep the object. Counterpart: ObReferenceObjectByHandle.
    NTSTATUS reference(HANDLE handle, const Type* type, ACCESS_MASK desired, Ref<Object>& object,
        ACCESS_MASK* granted = nullptr) const;

    /// reference() with the type's class: T names its type as T::object_type().
    template <typename T>
    NTSTATUS reference(HANDLE handle, ACCESS_MASK desired, Ref<T>& object) const
    {
        Ref<Object> found;
        const NTSTATUS status = reference(handle, &T::object_type(), desired, found);
        if (NT_SUCCESS(status))
            object = Ref<T>::adopt(static_cast<T*>(found.release()));
        return status;
    }

    /// The first handle above `after` whose object is of this type, with a reference; null: there
    /// is none.
    HANDLE next(HANDLE after, const Type& type, Ref<Object>& object) const EXCLUDES(m_lock);

    /// Handles open now.
    int64_t handle_count() const { return m_count.load(std::memory_order_relaxed); }

    /// Closes every handle, protected or not. Counterpart: ExSweepHandleTable. For tests.
    void close_all() EXCLUDES(m_lock);
    /// Gives the memory of an empty table back. No lookup may be going on. For tests.
    void free_pages() EXCLUDES(m_lock);

private:
    static constexpr uintptr_t kValueStep = 4;
    static constexpr uintptr_t kMaxHandles = 1u << 24; // as NT
    static constexpr uintptr_t kPageEntries = 1u << 10;
    static constexpr uint32_t kNone = UINT32_MAX;

    struct Entry {
        std::atomic<Object*> object; // null: free
        std::atomic<ACCESS_MASK> granted;
        uint32_t flags; // kHandle*
    };
    // The free list is kept apart from the entries, since an index in it may carry an attached
    // handle: it is skipped when its turn comes.
    struct Page {
        Entry entries[kPageEntries];
        uint32_t next_free[kPageEntries];
        bool is_in_free_list[kPageEntries];
    };

    NTSTATUS detach_if(HANDLE handle, const Object* expected) EXCLUDES(m_lock);
    Page* page_for(uintptr_t index) REQUIRES(m_lock);
    Page& page_of(uintptr_t index) REQUIRES(m_lock);
    Entry& entry_at(uintptr_t index) REQUIRES(m_lock);
    Entry* open_entry(HANDLE handle) REQUIRES(m_lock);
    NTSTATUS take_index(uintptr_t* index) REQUIRES(m_lock);
    void fill(uintptr_t index, Object& object, ACCESS_MASK granted, uint32_t flags)
        REQUIRES(m_lock);
    Object* clear(uintptr_t index) REQUIRES(m_lock);
    static void drop(Object* object);
    static uintptr_t index_of(HANDLE handle)
    {
        return reinterpret_cast<uintptr_t>(handle) / kValueStep;
    }

    mutable ke::Lock m_lock;
    uint32_t m_first_free GUARDED_BY(m_lock) = kNone;
    uintptr_t m_next_unused GUARDED_BY(m_lock) = 1; // value 0 means "no handle"
    std::atomic<int64_t> m_count { 0 };
    // Written under m_lock, read without: a page, once there, stays for the table's life.
    std::atomic<Page*> m_pages[kMaxHandles / kPageEntries] {};
};

} // namespace ob
