#include "handle_helpers.h"

namespace stress {

namespace {

template <typename Function> void find(const char* name, Function*& function)
{
    const FARPROC address = GetProcAddress(GetModuleHandleW(L"ws2_32"), name);
    function = reinterpret_cast<Function*>(reinterpret_cast<void*>(address));
}

HANDLE open(const char* name)
{
    DWORD(WINAPI * function)(HANDLE*);
    HANDLE helper = nullptr;
    find(name, function);
    return function && !function(&helper) ? helper : nullptr;
}

} // namespace

HandleHelpers::HandleHelpers()
    : m_of_apcs(open("WahOpenApcHelper"))
    , m_of_notifications(open("WahOpenNotificationHandleHelper"))
{
    find("WahCreateHandleContextTable", m_make_table);
    find("WahDestroyHandleContextTable", m_end_table);
}

void* HandleHelpers::make_table() const
{
    void* table = nullptr;
    return m_make_table && !m_make_table(&table) ? table : nullptr;
}

void HandleHelpers::end_table(void* table) const
{
    if (m_end_table)
        m_end_table(table);
}

} // namespace stress
