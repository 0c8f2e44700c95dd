// I/O status blocks: where a request's result goes.
#pragma once

#include "ke/user_memory.h"
#include "nt/caller.h"

namespace io {

/// Publishes a result in the caller's block. The status is what programs poll, so it is written
/// last, with release order; only its 32 bits are written, the block's upper half is the caller's.
/// A block that is gone has nobody to tell.
inline void write_iosb(IO_STATUS_BLOCK* iosb, NTSTATUS status, ULONG_PTR information)
{
    if (!nt::is_wow64()) [[likely]] {
        ke::publish_user(&iosb->Information, information, &iosb->Status, status);
        return;
    }
    auto* block = reinterpret_cast<nt::IoStatusBlock32*>(iosb);
    ke::publish_user_32(
        &block->information, static_cast<uint32_t>(information), &block->status, status);
}

} // namespace io
