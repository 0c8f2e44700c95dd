// ntke.dll: lets ws2_32.dll reach ntke.so (include/ntke/module.h). Under anything but Wine, and
// where Wine has found no ntke.so to it, it refuses to load.
#include "ntke/module.h"

#include "nt/api.h"

namespace {

ntke::Interface g_interface = { ntke::kInterfaceVersion, 0, nullptr };

constexpr ULONG kUnixFunctions = 1000;

bool find_linux_half(HMODULE self)
{
    g_interface.dispatcher = ntke::find_dispatcher();
    if (!g_interface.dispatcher)
        return false;
    return NT_SUCCESS(NtQueryVirtualMemory(GetCurrentProcess(), self, kUnixFunctions,
        &g_interface.table, sizeof(g_interface.table), nullptr));
}

} // namespace

extern "C" const ntke::Interface* NTAPI ntke_interface()
{
    return &g_interface;
}

/// The entry point itself: there is no C runtime in this module.
extern "C" BOOL WINAPI DllMainCRTStartup(HINSTANCE self, DWORD reason, void*)
{
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    DisableThreadLibraryCalls(self);
    return find_linux_half(self);
}
