// What the emulation does for a call before a request is made of it.
//
// A socket is attached to an endpoint of ntke with its first request that the emulation could
// complete. From then on transfers, readiness and the record of network events are the endpoint's,
// as long as it is in a state where Linux alone has the answer; everything else goes down to the
// host, which keeps the state of the socket. Requests find the endpoint by themselves, at the
// system service table; what is here is the short way for calls that end at once. Each function
// returns false when a request must be made.
#pragma once

#include <atomic>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "emulation.h"
#include "lock.h"
#include "ntke/registered.h"
#include "sdk.h"
#include "send_turn.h"

namespace ws2 {

class Socket;

/// The filter's share of a Socket. Owner: the Socket. `lock` serialises attaching, selecting and
/// handing over; the rest is read without it.
struct FilterState {
    SrwLock lock;
    std::atomic<ntke::EndpointId> endpoint { 0 }; // set once
    // Counts the attachments of the process. It tells the socket from a later one that has got both
    // the same handle and the same endpoint's memory. Set before `endpoint`.
    uint64_t serial = 0;
    bool has_been_elsewhere = false; // it was taken back; guarded by lock

    // The host has the socket alone, for good (but see take_back).
    std::atomic<bool> is_host { false };
    // How often it might have been asked whether a shared socket has one handle only by now.
    std::atomic<uint32_t> looks { 0 };
    // Streams: what is sent in the process is sent in turns.
    SendTurn send_turn;
    // WSAAsyncSelect on the host: its record must see every request.
    std::atomic<bool> message_selected { false };

    // The conditions of the selection of events, which is on either side.
    std::atomic<ULONG> mask { 0 };

    // Where messages go while posts_messages is on. Guarded by lock.
    std::atomic<bool> posts_messages { false };
    HWND window = nullptr;
    UINT message = 0;
    // After that selection has gone to the host: what was told already and the host would post once
    // more. Guarded by lock.
    ULONG withheld = 0;
};

namespace filter {

/// A connect that the host had left pending has ended.
void note_connect_ended(Socket& socket, NTSTATUS status);

// Transfers.

/// A receive that need not end at once. `params` as for the ioctl.
bool receive(
    Socket& socket, const afd::RecvMsgParams& params, NTSTATUS& status, ULONG_PTR& received);

/// Requests of registered I/O, a list. Returns null, or the first that is the host's; nothing has
/// happened to it and those behind it.
ntke::RegisteredRequest* submit(Socket& socket, ntke::RegisteredRequest* first);

/// What is left of a blocking send that could be sent in part only.
struct SendRest {
    static constexpr DWORD kMostBuffers = ntke::kMostBuffers;
    afd::SendMsgParams params;
    WSABUF buffers[kMostBuffers];
    ULONG_PTR sent = 0; // bytes that are on their way already
};
/// Do the sends of this socket take turns? Then a send takes one before anything else, and holds it
/// until it is done here or the host has it.
bool takes_turns(const Socket& socket);
/// A send. False with `rest.sent`: the host must send `rest`.
bool send(Socket& socket, const afd::SendMsgParams& params, NTSTATUS& status, ULONG_PTR& sent,
    SendRest& rest);

/// A request is about to be made, which ntke may serve: it is told of the socket, if it is not yet.
/// True: it has the socket.
bool before_request(Socket& socket, ULONG code);
/// The same for an overlapped one.
void before_overlapped(Socket& socket, ULONG code);

// Readiness.

/// What has become of a poll: it is done, or a request must be made, which ntke or the host serves.
enum class PollProgress { kDone, kForNtke, kForHost };
/// A poll of `count` entries, in and out as the ioctl's. `timeout` too; what was spent of it is
/// taken off when a request has to go on.
PollProgress poll(afd::PollEntry* entries, size_t& count, int64_t& timeout);
/// The host has polled: what it found tells how connects have ended. (ntke sees that itself of a
/// poll that was done at once, but not how one ends that was pending.)
void note_polled(const afd::PollEntry* entries, size_t count);

// The record. filter_event.cpp

/// WSAEventSelect, with a mask of conditions; `event` is null without any. The kernel checks it.
NTSTATUS select_events(Socket& socket, HANDLE event, ULONG mask);
/// WSAAsyncSelect, with a mask of conditions. Its arguments have been checked.
bool select_messages(Socket& socket, HWND window, UINT message, ULONG mask);
/// Takes the record for messages to a window. False: they do not go there any more.
bool take_messages(Socket& socket, const ntke::MessageTarget& target, afd::GetEventsResult& result);
/// A request on the host has re-enabled conditions there: what was withheld of messages of them
/// does not count any more.
void note_re_enabled(Socket& socket, ULONG conditions);
/// WSAAsyncSelect is about to be told to the host.
void before_message_select(Socket& socket, bool cancels);
/// Gives the socket to the host, with its selection. `why` is for the trace.
void hand_over(Socket& socket, const char* why);
/// The socket was found by its handle. Another handle of it may be known to ntke, which does not
/// see what is done by this one: the host has both from here on.
void note_adopted(Socket& socket);
/// Is the socket the host's, with all of its selection?
bool is_on_host(Socket& socket);
/// A connection has been accepted on the host. `was_on_host`: is_on_host of the listener before.
void note_accepted(Socket& listener, Socket& accepted, bool was_on_host);
/// Gives an accepted socket the window of its listener, if there is one.
void inherit_messages(Socket& listener, Socket& accepted);
/// A connection was put back in the listener's queue, where only the host sees it.
void note_deferred(Socket& listener);
/// A connect was being made; the pump found that it has ended.
void settle_connect(const ntke::Settle& settle);

// The end.

/// The last handle of a socket was closed by somebody else.
void note_closed(const ntke::Closed& closed);
/// The handle is about to be closed.
void close(Socket& socket);
/// The Socket's memory goes.
void release(Socket& socket);

/// A socket that came from another process is the host's as long as that has a handle, too. When it
/// has none any more, this makes it as if it had been made here; a selection it had ends. True: it
/// was so just now.
bool take_back(Socket& socket);
/// The same, if it has no selection. Before a request.
void look_again(Socket& socket);

/// Asks the kernel to select events; `event` is null with mask 0.
NTSTATUS request_selection(HANDLE socket, HANDLE event, ULONG mask);

/// The endpoint to use for a request, 0 when it is the host's. For the filter's own files.
ntke::EndpointId usable_endpoint(Socket& socket);

} // namespace filter

} // namespace ws2
