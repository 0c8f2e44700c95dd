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
    LONG uses = 1; // the program's, and those of calls
};

static SrwLock open_tables_lock;
static OpenTable* open_tables; // under open_tables_lock

static void end_use(OpenTable* open)
{
    if (InterlockedDecrement(&open->uses))
        return;
    open->~OpenTable();
    heap_free(open);
}

/// The use of a table by a call: the program may end it meanwhile. Null where the address is
/// none's.
class TableUse {
public:
    explicit TableUse(const void* address)
    {
        SharedGuard guard(open_tables_lock);
        m_open = open_tables;
        while (m_open && m_open != address)
            m_open = m_open->next;
        if (m_open)
            InterlockedIncrement(&m_open->uses);
    }
    ~TableUse()
    {
        if (m_open)
            end_use(m_open);
    }
    TableUse(const TableUse&) = delete;

    explicit operator bool() const { return m_open; }
    HandleContextTable* operator->() const { return &m_open->table; }

private:
    OpenTable* m_open;
};

/// The handle a context of the program is for. False: the context is bad, or in memory where
/// references cannot be counted. [Wah/9]
static bool read_handle(HandleContext* context, HANDLE& handle)
{
    // The count itself is not tried: another thread may be changing it.
    LONG count;
    return context && guard::is_writable(context) && guard::read(&context->reference_count, count)
        && guard::read(&context->handle, handle);
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
    // Now, not at the end of the last use: the program may free its contexts then.
    open->table.clear();
    end_use(open);
    return 0;
}

HandleContext* WSAAPI WahInsertHandleContext(void* address, HandleContext* context)
{
    const TableUse table(address);
    HANDLE handle;
    return table && read_handle(context, handle) ? table->insert(context, handle) : nullptr;
}

HandleContext* WSAAPI WahReferenceContextByHandle(void* address, HANDLE handle)
{
    const TableUse table(address);
    return table ? table->reference(handle) : nullptr;
}

DWORD WSAAPI WahRemoveHandleContext(void* address, HandleContext* context)
{
    const TableUse table(address);
    HANDLE handle;
    if (!table || !read_handle(context, handle))
        return WSAEINVAL;
    return table->remove(context, handle) ? 0 : WSAENOTSOCK;
}

BOOL WSAAPI WahEnumerateHandleContexts(
    void* address, HandleContextTable::Enumerator enumerator, void* argument)
{
    const TableUse table(address);
    return table && enumerator && table->enumerate(enumerator, argument);
}

} // extern "C"
