// The layout of what callers pass by pointer.
#pragma once

#include <cstdint>

#include "nt/types.h"

namespace nt {

/// Is the program a 32-bit one over 64-bit Linux code (new WoW64)? Its services come with 64-bit
/// handles, pointers and numbers, but what lies in the buffers of ioctls is the program's, and so
/// are status blocks: a service is given one whose Pointer leads to the program's. Written once,
/// before the first request.
inline constinit bool g_is_wow64 = false;
inline bool is_wow64()
{
    return sizeof(void*) == 8 && g_is_wow64;
}

/// A pointer of a 32-bit program.
using Ptr32 = uint32_t;
inline void* pointer_from_32(Ptr32 pointer)
{
    return reinterpret_cast<void*>(static_cast<uintptr_t>(pointer));
}

/// IO_STATUS_BLOCK of a 32-bit program.
struct IoStatusBlock32 {
    NTSTATUS status;
    uint32_t information;
};

/// The program's status block, of a request whose service is given `given`.
inline IO_STATUS_BLOCK* program_block(IO_STATUS_BLOCK* given)
{
    if (!is_wow64()) [[likely]]
        return given;
    const auto pointer = reinterpret_cast<uintptr_t>(given->Pointer);
    return static_cast<IO_STATUS_BLOCK*>(pointer_from_32(static_cast<Ptr32>(pointer)));
}

/// What a request that has ended at once has told in it.
inline uint32_t information_of(IO_STATUS_BLOCK* given)
{
    const IO_STATUS_BLOCK* const block = program_block(given);
    if (!is_wow64()) [[likely]]
        return static_cast<uint32_t>(block->Information);
    return reinterpret_cast<const IoStatusBlock32*>(block)->information;
}

} // namespace nt
