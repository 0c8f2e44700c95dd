#include "environment.h"

#include <cwchar>
#include <iterator>

#include "sdk.h"

namespace ws2 {

bool environment_says(const wchar_t* name, const wchar_t* value)
{
    const DWORD last_error = GetLastError();
    wchar_t found[16];
    const DWORD length = GetEnvironmentVariableW(name, found, std::size(found));
    SetLastError(last_error);
    return length && length < std::size(found) && !_wcsicmp(found, value);
}

} // namespace ws2
