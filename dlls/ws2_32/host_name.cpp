// gethostname, GetHostNameW, and names as arguments.
#include "host_name.h"

#include <cwchar>

#include "caller.h"
#include "error.h"
#include "startup.h"

namespace ws2 {

NameArgument::NameArgument(const char* name)
    : m_state(State::kAbsent)
{
    if (!name)
        return;
    const BasicGuardedText<char, kRoom> copy(name);
    m_state = State::kBadPointer;
    if (!copy.text())
        return;
    m_state = State::kGood;
    if (!MultiByteToWideChar(CP_ACP, 0, copy.text(), -1, m_text, kRoom))
        std::wcscpy(m_text, L"\xFFFD"); // Names nothing.
}

NameArgument::NameArgument(const wchar_t* name)
    : m_state(State::kAbsent)
{
    if (!name)
        return;
    const BasicGuardedText<wchar_t, kRoom> copy(name);
    m_state = State::kBadPointer;
    if (!copy.text())
        return;
    m_state = State::kGood;
    std::wcscpy(m_text, copy.text());
}

} // namespace ws2

using namespace ws2;

int WSAAPI gethostname(char* buffer, int size)
{
    if (!is_started_for(WS2_CALLER))
        return fail(WSANOTINITIALISED);
    wchar_t name[kMaxHostName];
    if (!own_host_name(name) && !unix_host_name(name))
        return fail(WSAENETDOWN);
    char ansi[kMaxHostName * 2];
    const int needed
        = WideCharToMultiByte(CP_ACP, 0, name, -1, ansi, sizeof(ansi), nullptr, nullptr);
    // A buffer too short is left as it is. [gethostname/2]
    if (size < needed || !guard::copy(buffer, ansi, needed))
        return fail(WSAEFAULT);
    return succeed();
}

int WSAAPI GetHostNameW(wchar_t* buffer, int size)
{
    if (!is_started_for(WS2_CALLER))
        return fail(WSANOTINITIALISED);
    wchar_t name[kMaxHostName];
    if (!own_host_name(name) && !unix_host_name(name))
        return fail(WSAENETDOWN);
    const int needed = static_cast<int>(std::wcslen(name)) + 1;
    if (size < needed || !guard::copy(buffer, name, needed * sizeof(wchar_t)))
        return fail(WSAEFAULT);
    return succeed();
}
