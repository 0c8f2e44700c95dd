// Events that live in the process: WS2_32_EVENTS=emulated makes WSACreateEvent return them.
//
// Setting, resetting and waiting for one costs no request to the host's server. Only Winsock's
// functions know such a handle. Where the host must know the event (an alertable wait, a wait that
// mixes it with other objects, an overlapped request) it is converted: a host event takes its place
// for good, the handle stays.
#pragma once

#include "emulation.h"
#include "nt/api.h"
#include "sdk.h"

namespace ws2::emulated_event {

/// Can this handle be an emulated event? By its value: no host has such handles.
inline bool is_emulated(HANDLE handle)
{
    const auto value = reinterpret_cast<uintptr_t>(handle);
    return emulation::is_on() && value >= ntke::kEmulatedEventBase
        && value < ntke::kEmulatedEventEnd;
}

/// Does WSACreateEvent make them? Reads the environment, once.
bool is_wanted();

// The calls of kernel.h on emulated events; the results are those of the Nt services.

NTSTATUS create(HANDLE* event);
NTSTATUS close(HANDLE event);
NTSTATUS set(HANDLE event);
NTSTATUS reset(HANDLE event);

/// A wait of which at least one handle is emulated. `handles` is changed.
NTSTATUS wait(
    ULONG count, HANDLE* handles, WaitType type, bool alertable, const LARGE_INTEGER* timeout);

/// The host event that has taken this one's place, converting it if need be. Not the caller's.
/// Null: no such event, or no memory.
HANDLE host_handle(HANDLE event);

} // namespace ws2::emulated_event
