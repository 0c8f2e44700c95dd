#include "unix/hand_over.h"

#include "afd/ioctl.h"
#include "afd/params.h"
#include "nt/caller.h"
#include "unix/host_control.h"
#include "unix/host_services.h"
#include "unix/program_events.h"

namespace unix_side {

namespace {

HANDLE handle_of(const afd::SocketFile& socket)
{
    return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(socket.host_handle()));
}

void select_events(HANDLE socket, HANDLE event, uint32_t mask)
{
    if (nt::is_wow64()) {
        const afd::EventSelectParams32 params { static_cast<uint32_t>(afd::ptr64(event)),
            static_cast<int32_t>(mask) };
        control_on_host(socket, afd::kIoctlEventSelect, &params, sizeof(params), nullptr, 0);
        return;
    }
    afd::EventSelectParams params {};
    params.event = reinterpret_cast<uintptr_t>(event);
    params.mask = static_cast<int32_t>(mask);
    control_on_host(socket, afd::kIoctlEventSelect, &params, sizeof(params), nullptr, 0);
}

/// The handle by which the host knows the event of a selection, which goes to the host.
HANDLE event_on_host(ke::Event& event)
{
    return NT_SUCCESS(program_events::move_to_host(event)) ? event.host_event() : nullptr;
}

/// Makes the host go on with a selection. What it records anew although it was told already is to
/// be withheld, what was pending is carried.
void continue_on_host(HANDLE socket, const afd::Endpoint::Selection& selection, HANDLE event,
    afd::HostedRecord& record)
{
    record.begin(selection.reported, selection.pending);
    // The host sets the event for what it records anew, too, and the program's may be of those that
    // a wait resets, or shared with other sockets: until that is over the selection has another
    // one.
    ob::Ref<ke::Event> scratch;
    if (NT_SUCCESS(program_events::make(false, scratch))) {
        select_events(socket, scratch->host_event(), selection.mask);
        // The host looks at the socket between two requests; two rounds see what it records at
        // once.
        for (int round = 0; round < 2; ++round) {
            afd::GetEventsResult found {};
            control_on_host(socket, afd::kIoctlGetEvents, nullptr, 0, &found, sizeof(found));
            record.carry(found, selection.reported);
        }
    }
    select_events(socket, event, selection.mask);
    if (record.has_pending(selection.mask))
        host::set_event(event, nullptr);
}

} // namespace

MessageSelection hand_over(afd::SocketFile& socket, HANDLE handle)
{
    ke::LockGuard guard(socket.selection_lock());
    const afd::SocketUse use(socket);
    if (socket.is_left_to_host() && !socket.is_recording())
        return {};
    socket.leave_to_host();
    if (!use.is_valid())
        return {};
    socket.wait_for_calls(1);
    const afd::Endpoint::Selection selection = socket.hand_over();
    if (selection.mode == afd::SelectMode::Message)
        return { selection.mask, selection.reported };
    if (!selection.mask)
        return {};
    socket.note_mode(true); // a selection on the host sets it
    socket.note_selected_on_host(selection.mask);
    const HANDLE event = event_on_host(*selection.event);
    if (!event)
        return {};
    afd::HostedRecord& record = socket.hosted_record();
    continue_on_host(handle, selection, event, record);
    if (socket.state() == ntke::SocketState::Listening)
        record.select(selection.event);
    return {};
}

MessageSelection hand_over(afd::SocketFile& socket)
{
    return hand_over(socket, handle_of(socket));
}

namespace {

/// The host has accepted a connection, before or after it was given the listener's record. It may
/// count the next one as told.
void tell_next_connection(afd::SocketFile& listener) REQUIRES(listener.selection_lock())
{
    afd::HostedRecord& record = listener.hosted_record();
    record.re_enable(afd::kPollAccept); // [WSAEventSelect/24]
    const afd::SocketUse use(listener);
    if (!use.is_valid() || !record.event()
        || !(listener.unclaimed_conditions(listener.socket().ready_now()) & afd::kPollAccept))
        return;
    record.tell_anew(afd::kPollAccept);
    if (record.has_pending(listener.mask_on_host()))
        host::set_event(record.event()->host_event(), nullptr);
}

void select_inherited(afd::SocketFile& accepted, ke::Event* event, uint32_t mask)
{
    const HANDLE on_host = event ? event_on_host(*event) : nullptr;
    if (event && !on_host)
        return;
    select_events(handle_of(accepted), on_host, mask);
    accepted.note_mode(true); // a selection on the host sets it
}

/// Of a listener that is the host's.
ntke::Inheritance inherit_on_host(afd::SocketFile& listener, afd::SocketFile& accepted,
    bool was_on_host) REQUIRES(listener.selection_lock())
{
    const uint32_t mask = listener.mask_on_host();
    if (!was_on_host && listener.hosted_record().is_kept()) {
        tell_next_connection(listener);
        // The host has given it what it had then: nothing, what was on its way, or this.
        ke::Event* const event = listener.hosted_record().event();
        if (event || !mask) // a window is selected by the caller
            select_inherited(accepted, event, mask);
    }
    if (!mask)
        return ntke::kInheritsNothing;
    accepted.leave_to_host(); // there it has the selection
    accepted.note_selected_on_host(mask);
    return ntke::kInheritsOnHost;
}

} // namespace

ntke::Inheritance inherit(afd::SocketFile& listener, afd::SocketFile& accepted, bool was_on_host)
{
    if (listener.is_recording()) // it will be needed, and asking for it takes a while
        accepted.open_descriptor();
    ke::LockGuard guard(listener.selection_lock());
    if (listener.is_left_to_host())
        return inherit_on_host(listener, accepted, was_on_host);
    if (!listener.is_own())
        afd::SocketFile::note_accepted_from(listener);
    uint32_t mask;
    const ob::Ref<ke::Event> event = listener.selection(mask);
    if (!event || !mask)
        return ntke::kInheritsNothing;
    if (NT_SUCCESS(accepted.open_descriptor()) && accepted.inherit_selection(listener))
        return ntke::kInheritsHere;
    accepted.leave_to_host();
    select_inherited(accepted, event.get(), mask);
    accepted.note_selected_on_host(mask);
    return ntke::kInheritsOnHost;
}

} // namespace unix_side
