#include "caller.h"

#include <cstring>

#include "guard.h"
#include "sdk.h"

namespace ws2 {

bool is_code_of_wine(const void* address)
{
    // Wine's modules say so between the DOS header and the PE header, where others have the stub
    // that tells that they need Windows. Observed: every module of Wine 8.0 and 10.0.
    static constexpr char kMark[] = "Wine builtin DLL";

    const DWORD last_error = GetLastError();
    MEMORY_BASIC_INFORMATION memory;
    const bool is_module
        = VirtualQuery(address, &memory, sizeof(memory)) && memory.Type == MEM_IMAGE;
    SetLastError(last_error);
    char found[sizeof(kMark)];
    return is_module
        && guard::copy(found,
            static_cast<const char*>(memory.AllocationBase) + sizeof(IMAGE_DOS_HEADER),
            sizeof(found))
        && !std::memcmp(found, kMark, sizeof(found));
}

} // namespace ws2
