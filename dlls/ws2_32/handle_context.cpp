// The tables of handle contexts: Wah{Create,Destroy}HandleContextTable, WahInsertHandleContext,
// WahReferenceContextByHandle, WahRemoveHandleContext, WahEnumerateHandleContexts.
//
// Windows exports them for layered providers, and describes them nowhere. Source: spec/Wah.md.
#include <new>

#include "guard.h"
#include "handle_context_table.h"
#include "lock.h"

namespace ws2 {

/// A table a program has made. A program knows it by its address.
struct OpenTable {
    HandleContextTable table;
    OpenTable* next = nullptr; // under open_tables_lock
};

static SrwLock open_tables_lock;
static OpenTable* open_tables; // under open_tables_lock

static HandleContextTable* find_table(const void* address)
{
    SharedGuard guard(open_tables_lock);
    OpenTable* open = open_tables;
    while (open && open != address)
        open = open->next;
    return open ? &open->table : nullptr;
}

/// The table and the handle a context of the program is for. False: one of them is bad, or in
/// memory where references cannot be counted. [Wah/9]
static bool find_place(
    const void* address, HandleContext* context, HandleContextTable*& table, HANDLE& handle)
{
    table = find_table(address);
    // The count itself is not tried: another thread may be changing it.
    LONG count;
    return table && context && guard::is_writable(context)
        && guard::read(&context->reference_count, count) && guard::read(&context->handle, handle);
}

} // namespace ws2

using namespace ws2;

extern "C" {

DWORD WSAAPI WahCreateHandleContextTable(void** table)
{
    if (!table || !guard::is_writable(table, sizeof(*table)))
        return WSAEFAULT;
    void* memory = heap_allocate(sizeof(OpenTable));
    if (!memory)
        return WSA_NOT_ENOUGH_MEMORY;
    auto* open = new (memory) OpenTable;
    ExclusiveGuard guard(open_tables_lock);
    open->next = std::exchange(open_tables, open);
    *table = open;
    return 0;
}

DWORD WSAAPI WahDestroyHandleContextTable(void* table)
{
    OpenTable* open;
    {
        ExclusiveGuard guard(open_tables_lock);
        OpenTable** link = &open_tables;
        while (*link && *link != table)
            link = &(*link)->next;
        open = *link;
        if (!open)
            return WSAEINVAL;
        *link = open->next;
    }
    open->~OpenTable();
    heap_free(open);
    return 0;
}

HandleContext* WSAAPI WahInsertHandleContext(void* address, HandleContext* context)
{
    HandleContextTable* table;
    HANDLE handle;
    return find_place(address, context, table, handle) ? table->insert(context, handle) : nullptr;
}

HandleContext* WSAAPI WahReferenceContextByHandle(void* address, HANDLE handle)
{
    HandleContextTable* const table = find_table(address);
    return table ? table->reference(handle) : nullptr;
}

DWORD WSAAPI WahRemoveHandleContext(void* address, HandleContext* context)
{
    HandleContextTable* table;
    HANDLE handle;
    if (!find_place(address, context, table, handle))
        return WSAEINVAL;
    return table->remove(context, handle) ? 0 : WSAENOTSOCK;
}

BOOL WSAAPI WahEnumerateHandleContexts(
    void* address, HandleContextTable::Enumerator enumerator, void* argument)
{
    HandleContextTable* const table = find_table(address);
    return table && enumerator && table->enumerate(enumerator, argument);
}

} // extern "C"
