// A table from handles to what a layered provider knows of them.
#pragma once

#include "heap.h"

namespace ws2 {

/// What a provider puts into a table: the beginning of a structure of its own. Part of the ABI.
struct HandleContext {
    HANDLE handle;
    LONG reference_count; // the provider's; the table only adds to it
};

/// Handles and their contexts, which stay the provider's. For any thread.
///
/// The lock is recursive and held while contexts are enumerated: the provider's function may call
/// the table again, and no other thread changes it meanwhile.
class HandleContextTable {
public:
    HandleContextTable();
    HandleContextTable(const HandleContextTable&) = delete;
    ~HandleContextTable();

    /// Puts a context in. Returns it, or the one that had this handle and is not in the table any
    /// more; null when memory is out.
    HandleContext* insert(HandleContext* context, HANDLE handle);
    /// The context of a handle, with one more reference; null when there is none.
    HandleContext* reference(HANDLE handle);
    /// False: it is not in the table.
    bool remove(const HandleContext* context, HANDLE handle);
    /// Takes all of them out.
    void clear();

    using Enumerator = BOOL(WSAAPI*)(void* argument, HandleContext* context);
    /// Shows every context to the function until that returns FALSE. Returns what it returned
    /// last, TRUE for an empty table.
    BOOL enumerate(Enumerator enumerator, void* argument);

private:
    struct Entry {
        HANDLE handle;
        HandleContext* context;
        Entry* next;
    };
    static constexpr size_t kBuckets = 256;

    /// The link to a handle's entry, or to null at the end of its bucket. The lock must be held.
    Entry** find(HANDLE handle);

    CRITICAL_SECTION m_lock;
    Entry* m_buckets[kBuckets] = {}; // under m_lock
};

} // namespace ws2
