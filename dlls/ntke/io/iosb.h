// I/O status blocks: where a request's result goes.
#pragma once

#include <atomic>

#include "nt/types.h"

namespace io {

/// Publishes a result in the caller's block. The status is what programs poll, so it is written
/// last, with release order; only its 32 bits are written, the block's upper half is the caller's.
inline void write_iosb(IO_STATUS_BLOCK* iosb, NTSTATUS status, ULONG_PTR information)
{
    iosb->Information = information;
    __atomic_store_n(&iosb->Status, status, __ATOMIC_RELEASE);
}

} // namespace io
