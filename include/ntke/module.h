// How ws2_32.dll reaches ntke.so under Wine: through ntke.dll, a PE module that only introduces the
// two to each other.
//
// Wine pairs a PE module marked as its own with a shared object of the same name beside it, and
// hands that module a handle of the object's call table. ws2_32.dll must not be marked so (Wine
// would refuse it as a replacement of its own), hence the go-between: ws2_32 asks it once, and then
// calls Wine's dispatcher itself.
#pragma once

#include "ntke/calls.h"
#include "nt/types.h"

namespace ntke {

/// Wine's way into Linux code: calls entry `code` of the call table `table` with `args` and returns
/// what the entry returns. Takes about 10 ns. It does not check `code`.
using Dispatcher = NTSTATUS(NTAPI*)(uint64_t table, ULONG code, void* args);

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
