// Events of the host that the emulation's record sets.
#pragma once

#include "ntke/calls.h"
#include "sdk.h"

namespace ws2::host_event {

/// Makes one for the event of a program: a duplicate, so that closing the program's handle changes
/// nothing. [WSAEventSelect/21] The caller owns the only reference.
/// Errors: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH (no event), STATUS_ACCESS_DENIED,
/// STATUS_NO_MEMORY.
NTSTATUS create(HANDLE event, ntke::HostEvent*& created);
/// The same, but gives another reference to `known` (0 for none) if that is the same event.
NTSTATUS create_or_share(HANDLE event, ntke::HostEventPtr known, ntke::HostEvent*& created);
/// The same for a handle that becomes ours.
ntke::HostEvent* adopt(HANDLE event);

/// Sets the event of a pointer that came out of a call, and gives up its reference. 0 is allowed.
void set(ntke::HostEventPtr event);
/// Gives up a reference. The handle is closed with the last one, by the pump if there is one.
void release(ntke::HostEventPtr event);

/// Adds a reference. 0 is allowed.
ntke::HostEventPtr share(ntke::HostEventPtr event);

inline HANDLE handle_of(ntke::HostEventPtr event)
{
    return reinterpret_cast<HANDLE>(reinterpret_cast<ntke::HostEvent*>(event)->handle);
}

inline ntke::HostEventPtr pointer_to(ntke::HostEvent* event)
{
    return reinterpret_cast<ntke::HostEventPtr>(event);
}

} // namespace ws2::host_event
