// How ws2_32.dll reaches ntke.so under Wine, in one of three ways; in all it gets the call table
// and then calls Wine's dispatcher itself.
//
// - ntke.so is an ELF file with a PE header in it. Under a name that ends with .dll it is a module
//   that Wine loads like any other, and its one export is the call table.
// - Wine pairs a PE module marked as its own with a shared object of the same name beside it, in a
//   folder that WINEDLLPATH names, and hands that module a handle of the object's call table.
//   ws2_32.dll must not be marked so (Wine would refuse it as a replacement of its own), hence a
//   go-between, ntke.dll, that ws2_32 asks once.
// - Wine 11.2 and newer load a shared object by its name, and tell its call table.
#pragma once

#include "ntke/calls.h"
#include "nt/types.h"

/// Wine's own information classes (1000: the call table of a module with a Linux half; 1002: that
/// of the Linux file whose name `address` is) are unknown to other hosts, which answer with an
/// error.
extern "C" NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, const void* address,
    ULONG info_class, void* info, SIZE_T info_length, SIZE_T* returned_length);

namespace ntke {

/// Wine's way into Linux code: calls entry `code` of the call table `table` with `args` and returns
/// what the entry returns. Takes about 10 ns. It does not check `code`.
using Dispatcher = NTSTATUS(NTAPI*)(uint64_t table, ULONG code, void* args);

/// Null where the host is not Wine. ntdll exports a variable that holds the function; versions
/// before 9 export a function too, but the variable is what all have.
inline Dispatcher find_dispatcher()
{
    const auto* variable = reinterpret_cast<const Dispatcher*>(reinterpret_cast<const void*>(
        GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "__wine_unix_call_dispatcher")));
    return variable ? *variable : nullptr;
}

/// The export of ntke.so as a module, its call table (unix/ntke.spec).
constexpr char kTableName[] = "ntke_calls";

/// What ntke.dll tells. A later version may only add fields at the end.
struct Interface {
    uint32_t version; // kInterfaceVersion of this ntke.dll; what follows is only for the same
    uint64_t table; // Wine's handle of the call table of ntke.so
    Dispatcher dispatcher;
};

/// ntke.dll's only export, of this name. Never null: without its other half ntke.dll does not load.
/// The result stays valid as long as the module is loaded.
using GetInterface = const Interface*(NTAPI*)();
constexpr char kGetInterfaceName[] = "ntke_interface";

} // namespace ntke
