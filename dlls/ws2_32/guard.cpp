#include "guard.h"

#include "sdk.h"

namespace ws2::guard {

bool touch(void* pointer, size_t size)
{
    constexpr uintptr_t kPage = 4096;
    const auto begin = reinterpret_cast<uintptr_t>(pointer);
    for (uintptr_t at = begin; at - begin < size; at = (at | (kPage - 1)) + 1) {
        if (!is_writable(reinterpret_cast<void*>(at)))
            return false;
    }
    return true;
}

} // namespace ws2::guard

extern "C" {

/// Where the copy goes on after a fault; a label in the assembly, never called.
void ws2_guard_fault();

/// The exception handler of ws2_guarded_copy's frame. Takes memory faults only; anything else, and
/// any unwinding through the frame, goes on its way.
EXCEPTION_DISPOSITION CDECL ws2_guard_handler(
    EXCEPTION_RECORD* record, void* /*frame*/, CONTEXT* context, void* /*dispatcher*/)
{
    constexpr DWORD kUnwinding = 0x66; // UNWINDING, EXIT_UNWIND, TARGET_UNWIND, COLLIDED_UNWIND
    if (record->ExceptionFlags & kUnwinding)
        return ExceptionContinueSearch;
    switch (static_cast<NTSTATUS>(record->ExceptionCode)) {
    case STATUS_ACCESS_VIOLATION:
    case STATUS_IN_PAGE_ERROR:
    case STATUS_GUARD_PAGE_VIOLATION:
    case STATUS_DATATYPE_MISALIGNMENT:
    case STATUS_ILLEGAL_INSTRUCTION: // how some emulated processors tell a fault of the copy
        break;
    default:
        return ExceptionContinueSearch;
    }
#ifdef _WIN64
    context->Rip = reinterpret_cast<DWORD64>(ws2_guard_fault);
#else
    context->Eip = reinterpret_cast<DWORD>(ws2_guard_fault);
#endif
    return ExceptionContinueExecution;
}

} // extern "C"
