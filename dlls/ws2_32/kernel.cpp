#include "kernel.h"

#include "emulation.h"

#include <atomic>

namespace ws2::kernel {

WineVersion wine_version()
{
    using GetVersion = const char*(CDECL*)();
    constexpr uint32_t kUnknown = UINT32_MAX;
    static std::atomic<uint32_t> version { kUnknown }; // the numbers, 16 bits each
    uint32_t known = version.load(std::memory_order_relaxed);
    if (known == kUnknown) {
        const auto get_version = reinterpret_cast<GetVersion>(reinterpret_cast<void*>(
            GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version")));
        const WineVersion told = get_version ? parse_wine_version(get_version()) : WineVersion {};
        known = static_cast<uint32_t>(told.major << 16 | told.minor);
        version.store(known, std::memory_order_relaxed);
    }
    return { static_cast<int>(known >> 16), static_cast<int>(known & 0xffff) };
}

bool is_event(HANDLE handle)
{
    EventBasicInformation event;
    const NTSTATUS status
        = NtQueryEvent(handle, kEventBasicInformation, &event, sizeof(event), nullptr);
    return NT_SUCCESS(status) || status == STATUS_ACCESS_DENIED;
}

bool is_port(HANDLE handle)
{
    constexpr ULONG kBasicInformation = 0;
    ULONG depth;
    const NTSTATUS status
        = NtQueryIoCompletion(handle, kBasicInformation, &depth, sizeof(depth), nullptr);
    return NT_SUCCESS(status) || status == STATUS_ACCESS_DENIED;
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
    return emulation::is_on() || wine_version().major >= 10;
}

bool has_keepalive_options()
{
    return wine_version().major >= 10;
}

} // namespace ws2::kernel
