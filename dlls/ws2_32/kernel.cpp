#include "kernel.h"

#include <cstdlib>

namespace ws2::kernel {

int wine_major_version()
{
    using GetVersion = const char*(CDECL*)();
    static const int version = [] {
        const auto get_version = reinterpret_cast<GetVersion>(reinterpret_cast<void*>(
            GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version")));
        return get_version ? std::atoi(get_version()) : 0;
    }();
    return version;
}

NTSTATUS open_afd(HANDLE* file, ULONG attributes, ULONG options)
{
    static wchar_t kDeviceName[] = L"\\Device\\Afd";
    UNICODE_STRING name;
    name.Buffer = kDeviceName;
    name.Length = sizeof(kDeviceName) - sizeof(wchar_t);
    name.MaximumLength = sizeof(kDeviceName);
    OBJECT_ATTRIBUTES object;
    InitializeObjectAttributes(&object, &name, attributes, nullptr, nullptr);
    IO_STATUS_BLOCK iosb;
    return NtOpenFile(file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &object, &iosb, 0, options);
}

bool get_events_resets_event()
{
    return wine_major_version() >= 10;
}

bool reports_reset_to_receives()
{
    return wine_major_version() >= 10;
}

bool has_keepalive_options()
{
    return wine_major_version() >= 10;
}

} // namespace ws2::kernel
