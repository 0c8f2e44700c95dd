// Emulated events: handles that only Winsock's functions know.
#pragma once

#include "nt/status.h"
#include "ntke/calls.h"
#include "ob/handle_table.h"

namespace unix_side {

/// Their handle table. Values begin above all handles of a host.
ob::HandleTable& emulated_events();
inline bool is_emulated_event(HANDLE handle)
{
    const auto value = reinterpret_cast<uintptr_t>(handle);
    return value >= ntke::kEmulatedEventBase && value < ntke::kEmulatedEventEnd;
}

// The calls of the entry table; blocks as in ntke/calls.h.
NTSTATUS event_create(void* block);
NTSTATUS event_close(void* block);
NTSTATUS event_set(void* block);
NTSTATUS event_reset(void* block);
NTSTATUS event_wait(void* block);
NTSTATUS event_convert(void* block);

} // namespace unix_side
