// ntke.dll: lets ws2_32.dll reach ntke.so (include/ntke/module.h). Under anything but Wine, and
// where Wine has found no ntke.so to it, it refuses to load.
#include "ntke/module.h"

#include "nt/api.h"

extern "C" NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, const void* address,
    ULONG info_class, void* info, SIZE_T info_length, SIZE_T* returned_length);

namespace {

ntke::Interface g_interface = { ntke::kInterfaceVersion, 0, nullptr };

/// Wine's information class for the call table of a module with a Linux half. Any other host does
/// not know it and answers with an error.
constexpr ULONG kUnixFunctions = 1000;

bool find_linux_half(HMODULE self)
{
    // ntdll exports a variable that holds the function; versions before 9 export a function too,
    // but the variable is what all have.
    const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    const auto* dispatcher = reinterpret_cast<const ntke::Dispatcher*>(
        reinterpret_cast<const void*>(GetProcAddress(ntdll, "__wine_unix_call_dispatcher")));
    if (!dispatcher || !*dispatcher)
        return false;
    g_interface.dispatcher = *dispatcher;
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
