#include "kernel.h"

#include <atomic>
#include <cstdlib>

namespace ws2::kernel {

int wine_major_version()
{
    using GetVersion = const char*(CDECL*)();
    constexpr int kUnknown = -1;
    static std::atomic<int> version { kUnknown };
    int known = version.load(std::memory_order_relaxed);
    if (known == kUnknown) {
        const auto get_version = reinterpret_cast<GetVersion>(reinterpret_cast<void*>(
            GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version")));
        known = get_version ? std::atoi(get_version()) : 0;
        version.store(known, std::memory_order_relaxed);
    }
    return known;
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

bool skips_packets(HANDLE file)
{
    constexpr auto kNotificationInformation = static_cast<FILE_INFORMATION_CLASS>(41);
    ULONG modes = 0;
    IO_STATUS_BLOCK iosb;
    const NTSTATUS status
        = NtQueryInformationFile(file, &iosb, &modes, sizeof(modes), kNotificationInformation);
    return NT_SUCCESS(status) && (modes & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
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
