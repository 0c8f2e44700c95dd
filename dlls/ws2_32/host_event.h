// Events of the host that the emulation's record sets.
#pragma once

#include "ntke/calls.h"
#include "sdk.h"

namespace ws2::host_event {

/// The one for an event of the program, with a reference for the caller: one that exists, or a new
/// one. It has a duplicate, so that closing the program's handle changes nothing.
/// [WSAEventSelect/21] Costs one request to the host if the program's handle was the last to be
/// given for it, else two. Errors: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH (no event),
/// STATUS_ACCESS_DENIED, STATUS_NO_MEMORY.
NTSTATUS find_or_create(HANDLE event, ntke::HostEventPtr& found);
/// Makes one for a handle that becomes ours; the caller has the only reference. 0: no memory.
ntke::HostEventPtr adopt(HANDLE event);

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
