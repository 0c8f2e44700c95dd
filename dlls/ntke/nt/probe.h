// Checking what a caller passed before using it.
#pragma once

#include <cstdint>

#include "nt/status.h"
#include "nt/types.h"

namespace nt {

/// Can `address` be the address of `size` bytes of the caller, aligned to `alignment`?
/// Errors: STATUS_DATATYPE_MISALIGNMENT, STATUS_ACCESS_VIOLATION. Counterpart: ProbeForRead/Write.
///
/// The range is checked, not whether memory is mapped there: in user mode that would cost a system
/// call per argument. The lowest 64 KiB and everything past the user address space are refused.
inline NTSTATUS probe(const volatile void* address, uint64_t size, uintptr_t alignment)
{
    constexpr uintptr_t kLowest = 0x10000;
    // A 32-bit program may have the whole of its address space.
    constexpr auto kHighest = static_cast<uintptr_t>(
        sizeof(void*) == 8 ? uint64_t { 0x7FFF'FFFE'FFFF } : uint64_t { 0xFFFE'FFFF });

    const auto start = reinterpret_cast<uintptr_t>(address);
    if (size == 0)
        return STATUS_SUCCESS;
    if (start & (alignment - 1))
        return STATUS_DATATYPE_MISALIGNMENT;
    if (start < kLowest || start > kHighest || size > kHighest - start)
        return STATUS_ACCESS_VIOLATION;
    return STATUS_SUCCESS;
}

/// probe() for one value. NT wants integers aligned to 4 bytes at least, whatever their size.
template <typename T> NTSTATUS probe_value(const volatile T* value)
{
    return probe(value, sizeof(T), alignof(T) < 4 ? alignof(T) : 4);
}

/// probe_value() where null means "not given".
template <typename T> NTSTATUS probe_optional(const volatile T* value)
{
    return value ? probe_value(value) : STATUS_SUCCESS;
}

/// Checks the attributes of an object that cannot have a name, and reads its handle's flags
/// (ob::kHandle*). Null attributes are fine.
/// Errors: STATUS_INVALID_PARAMETER, STATUS_ACCESS_VIOLATION, STATUS_NOT_SUPPORTED (a name).
NTSTATUS capture_attributes(const OBJECT_ATTRIBUTES* attributes, uint32_t* flags);

} // namespace nt
