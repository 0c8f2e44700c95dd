#include "handle_context_table.h"

namespace ws2 {

namespace {

/// Holds a recursive lock as long as it lives.
class SectionGuard {
public:
    explicit SectionGuard(CRITICAL_SECTION& section)
        : m_section(section)
    {
        EnterCriticalSection(&section);
    }
    ~SectionGuard() { LeaveCriticalSection(&m_section); }
    SectionGuard(const SectionGuard&) = delete;

private:
    CRITICAL_SECTION& m_section;
};

} // namespace

HandleContextTable::HandleContextTable()
{
    InitializeCriticalSection(&m_lock);
}

HandleContextTable::~HandleContextTable()
{
    clear();
    DeleteCriticalSection(&m_lock);
}

void HandleContextTable::clear()
{
    const SectionGuard guard(m_lock);
    for (Entry*& first : m_buckets) {
        while (first)
            heap_free(std::exchange(first, first->next));
    }
}

HandleContextTable::Entry** HandleContextTable::find(HANDLE handle)
{
    // The two lowest bits of a handle are no part of it.
    Entry** link = &m_buckets[(reinterpret_cast<ULONG_PTR>(handle) >> 2) % kBuckets];
    while (*link && (*link)->handle != handle)
        link = &(*link)->next;
    return link;
}

HandleContext* HandleContextTable::insert(HandleContext* context, HANDLE handle)
{
    const SectionGuard guard(m_lock);
    Entry** const link = find(handle);
    if (*link)
        return std::exchange((*link)->context, context);
    auto* entry = static_cast<Entry*>(heap_allocate(sizeof(Entry)));
    if (!entry)
        return nullptr;
    *entry = { handle, context, nullptr };
    *link = entry;
    return context;
}

HandleContext* HandleContextTable::reference(HANDLE handle)
{
    const SectionGuard guard(m_lock);
    const Entry* entry = *find(handle);
    if (!entry)
        return nullptr;
    // Under the lock: whoever removes the context afterwards finds the reference.
    InterlockedIncrement(&entry->context->reference_count);
    return entry->context;
}

bool HandleContextTable::remove(const HandleContext* context, HANDLE handle)
{
    const SectionGuard guard(m_lock);
    Entry** const link = find(handle);
    if (!*link || (*link)->context != context)
        return false;
    heap_free(std::exchange(*link, (*link)->next));
    return true;
}

BOOL HandleContextTable::enumerate(Enumerator enumerator, void* argument)
{
    const SectionGuard guard(m_lock);
    // A copy first: the function may remove any of them, and put in others.
    HeapArray<Entry> entries;
    for (const Entry* first : m_buckets) {
        for (const Entry* entry = first; entry; entry = entry->next) {
            if (!entries.append(*entry))
                return FALSE;
        }
    }
    for (const Entry& entry : entries) {
        const Entry* now = *find(entry.handle);
        if (now && now->context == entry.context && !enumerator(argument, entry.context))
            return FALSE;
    }
    return TRUE;
}

} // namespace ws2
