#include "module.h"

#include <windows.h>
#include <string_view>

#include "ntke/names.h"

namespace bench {

namespace {

std::string narrow(std::wstring_view text)
{
    std::string result;
    for (const wchar_t letter : text)
        result += letter < 0x80 ? static_cast<char>(letter) : '?';
    return result;
}

/// The bytes of the module's VERSIONINFO resource as UTF-16, empty without one.
std::wstring_view version_resource(HMODULE module)
{
    const HRSRC found = FindResourceW(module, MAKEINTRESOURCEW(1), MAKEINTRESOURCEW(16));
    const HGLOBAL loaded = found ? LoadResource(module, found) : nullptr;
    const void* data = loaded ? LockResource(loaded) : nullptr;
    if (!data)
        return {};
    return { static_cast<const wchar_t*>(data), SizeofResource(module, found) / sizeof(wchar_t) };
}

/// The string called `key`. In the resource a String structure is its key, a NUL, padding to 32
/// bits and the value.
std::string version_string(std::wstring_view resource, std::wstring_view key)
{
    const std::wstring terminated = std::wstring(key) + L'\0';
    size_t at = resource.find(terminated);
    if (at == std::wstring_view::npos)
        return "unknown";
    at += terminated.size();
    while (at < resource.size() && !resource[at])
        ++at;
    return narrow(resource.substr(at, resource.find(L'\0', at) - at));
}

} // namespace

Ws2Module loaded_ws2_module()
{
    const HMODULE module = GetModuleHandleW(L"ws2_32.dll");
    wchar_t path[MAX_PATH] = {};
    GetModuleFileNameW(module, path, MAX_PATH - 1);
    const std::wstring_view resource = version_resource(module);
    return { narrow(path), version_string(resource, L"ProductName"),
        version_string(resource, L"FileVersion") };
}

std::string kernel_at_work()
{
    for (const wchar_t* name : ntke::kModules) {
        if (GetModuleHandleW(name))
            return "ntke";
    }
    return "host";
}

} // namespace bench
