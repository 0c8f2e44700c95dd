// Events of the program: which of them are the process', and how one goes to the host.
//
//   WSACreateEvent, or an event in a selection or a request that nobody else can know
//        └─ the process': its state is here, set, reset and satisfied waits ask the host nothing
//             └─ move_to_host: before anybody looks who does not come through the service table
//                  └─ the host's, for good
//
// Who does not come: waits for messages, where these cannot be taken; another process (a duplicate,
// an inherited handle), a request of the host that is to set the event, a wait of the host for all
// of several objects, and this process at its end. Waits for any, alertable waits and waits for
// messages need no move (unix/wait_place.h).
#pragma once

#include "ke/event.h"
#include "ob/read_section.h"

namespace program_events {

/// Makes a notification event of the process', with a handle of the host. Errors: the host's.
NTSTATUS create(HANDLE* handle);

/// The event with this handle, for requests and selections to set. It is attached to the handle
/// until that is closed, so only the first time costs something. It is the process' if no other
/// handle, name, wait or request of the host can lead to it, else the host's; then ntke has a
/// handle of its own, and closing the program's changes nothing for what is pending. Errors:
/// STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED, STATUS_NO_MEMORY, the
/// host's (no handle left).
NTSTATUS reference(HANDLE handle, ob::Ref<ke::Event>& event);

/// The event of the process' with this handle, which has these rights; null: what the host says
/// counts. It may move to the host meanwhile.
ke::Event* find(const ob::ReadSection& section, HANDLE handle, ACCESS_MASK access);

/// A notification event of the host's that nobody else knows.
NTSTATUS make(bool signaled, ob::Ref<ke::Event>& event);

/// Gives an event to the host. Errors: the host's (no handle left); then it stays the process'.
NTSTATUS move_to_host(ke::Event& event);

/// Gives all to the host: the process ends, and the services with it.
void move_all_to_host();

/// The same while the process goes on: no event is its own any more. For waits that do not come
/// through the service table.
void leave_all_to_host();

/// While it exists, the host may do with an event what it is given it for: an event of the
/// process' goes to the host, one that is not known is not attached. Owner: a service's frame.
class HostUse {
public:
    explicit HostUse(HANDLE event);
    /// Of moving it; the event cannot be given to the host when it is a failure.
    NTSTATUS status() const { return m_status; }

private:
    const ob::OutsideUse m_use;
    NTSTATUS m_status = STATUS_SUCCESS;
};

/// Events of the host's set so far, for the statistics.
uint64_t sets_so_far();

} // namespace program_events
