// The filter's share of WSAEventSelect and WSAEnumNetworkEvents: where the record is, and how it
// changes hands.
#include "afd_call.h"
#include "filter.h"
#include "message_select.h"
#include "poll_request.h"
#include "pump.h"
#include "socket.h"
#include "statistics.h"
#include "thread.h"
#include "timeline.h"
#include "trace.h"
#include "transfer.h"

namespace ws2::filter {

NTSTATUS request_selection(HANDLE socket, HANDLE event, ULONG mask)
{
    const afd::EventSelectParams params { .event = reinterpret_cast<ULONG_PTR>(event),
        .mask = static_cast<int32_t>(mask) };
    // Not the call that drops stale sockets: a bad event gives the same statuses as a bad socket.
    return afd_call(socket, afd::kIoctlEventSelect, &params, sizeof(params), nullptr, 0);
}

namespace {

void select_messages_on_host(Socket& socket, HWND window, UINT message, ULONG mask)
{
    const afd::MessageSelectParams params { .socket = HandleToULong(socket.handle),
        .window = HandleToULong(window),
        .message = message,
        .mask = static_cast<int32_t>(mask) };
    afd_call(socket.handle, afd::kIoctlMessageSelect, &params, sizeof(params), nullptr, 0);
    socket.filter.message_selected = true;
}

/// Ends a message selection of the host; as a side effect the socket is non-blocking there.
void end_message_select(Socket& socket)
{
    select_messages_on_host(socket, nullptr, 0, 0);
    socket.filter.message_selected = false;
}

/// Which of the conditions, all of them selected on the host, it has told of: those that hold. It
/// looks at the socket between two requests; two more see to that.
ULONG told_on_host(Socket& socket, ULONG conditions)
{
    PollRequest request(1);
    request.add(socket_from_handle(socket.handle), conditions);
    if (!conditions || !NT_SUCCESS(request.issue_on_host(0)) || request.is_empty())
        return 0;
    const ULONG told = request.begin()->flags & conditions;
    for (int round = 0; round < 2; ++round) {
        DWORD listens = 0;
        afd_call(socket.handle, afd::kIoctlGetSoAcceptConn, nullptr, 0, &listens, sizeof(listens));
    }
    return told;
}

} // namespace

/// WSAEventSelect is about to be asked of the kernel.
static void before_event_select(Socket& socket, ULONG mask)
{
    if (!emulation::is_on())
        return;
    take_back(socket); // the selection of before ends anyway
    if (!usable_endpoint(socket) || (mask && !pump::start()))
        hand_over(socket, "its events cannot be recorded here");
    else if (socket.filter.message_selected)
        end_message_select(socket); // [WSAEventSelect/11]
}

NTSTATUS select_events(Socket& socket, HANDLE event, ULONG mask)
{
    // A thread that the end of the process has stopped may hold a lock for ever.
    if (RtlDllShutdownInProgress())
        return request_selection(socket.handle, event, mask);
    before_event_select(socket, mask);
    FilterState& state = socket.filter;
    ExclusiveGuard guard(state.lock);
    const NTSTATUS status = request_selection(socket.handle, event, mask);
    if (!NT_SUCCESS(status))
        return status;
    state.mask = mask;
    state.posts_messages = false;
    state.withheld = 0;
    socket.nonblocking = true; // [WSAEventSelect/7]
    WS2_TRACE(event, "%p: conditions %lx are selected", socket.handle, mask);
    return status;
}

bool select_messages(Socket& socket, HWND window, UINT message, ULONG mask)
{
    FilterState& state = socket.filter;
    if (!emulation::is_on() || state.message_selected)
        return false;
    const ntke::EndpointId endpoint = usable_endpoint(socket);
    if (!endpoint || (mask && !pump::start()))
        return false;
    message_select::Target* target = nullptr;
    if (mask) {
        target = message_select::create(socket, window, message);
        if (!target)
            return false;
    }
    ntke::SelectMessagesArgs args {
        .endpoint = endpoint, .target = afd::ptr64(target), .mask = mask, .padding = 0
    };
    ExclusiveGuard guard(state.lock);
    if (state.is_host) {
        message_select::destroy(target);
        return false;
    }
    if (!NT_SUCCESS(emulation::call(ntke::kCallSelectMessages, &args)))
        return false;
    state.mask = mask;
    state.posts_messages = mask != 0;
    state.window = window;
    state.message = message;
    socket.nonblocking = true; // [WSAAsyncSelect/3]
    return true;
}

bool take_messages(Socket& socket, const ntke::MessageTarget& target, afd::GetEventsResult& result)
{
    ntke::TakeMessagesArgs args {};
    args.endpoint = socket.filter.endpoint;
    args.target = afd::ptr64(&target);
    if (!NT_SUCCESS(emulation::call(ntke::kCallTakeMessages, &args)))
        return false;
    result = args.result;
    WS2_TRACE(event, "%p: conditions %x told", socket.handle, result.flags);
    return true;
}

/// The host knows of re-enabled conditions by a new selection, with which it posts everything anew:
/// so what it has posted by now is withheld, too. [WSAAsyncSelect/14]
static void repost_on_host(Socket& socket, ULONG conditions)
{
    FilterState& state = socket.filter;
    ULONG selected;
    {
        SharedGuard guard(state.lock);
        if (!(state.withheld & conditions))
            return;
        selected = state.mask & ~state.withheld;
    }
    const ULONG told = told_on_host(socket, selected); // a request: not under the lock
    ExclusiveGuard guard(state.lock);
    if (!state.posts_messages || !(state.withheld & conditions))
        return; // another thread was first
    state.withheld = (state.withheld | told) & ~conditions;
    select_messages_on_host(socket, state.window, state.message, state.mask & ~state.withheld);
}

void note_re_enabled(Socket& socket, ULONG conditions)
{
    if (socket.filter.is_host && socket.filter.posts_messages)
        repost_on_host(socket, conditions);
}

void before_message_select(Socket& socket, bool cancels)
{
    FilterState& state = socket.filter;
    if (!emulation::is_on())
        return;
    state.message_selected = !cancels;
    if (!state.endpoint || !state.mask)
        return;
    // What was selected here ends.
    ntke::SelectMessagesArgs args {};
    args.endpoint = state.endpoint;
    ExclusiveGuard guard(state.lock);
    emulation::call(ntke::kCallSelectMessages, &args);
    state.mask = 0;
    state.posts_messages = false;
    state.withheld = 0;
}

/// The socket has been given to the host, which goes on with its messages. Its lock is held.
static void continue_messages(Socket& socket, const ntke::HandOverArgs& args)
{
    if (!args.mask)
        return;
    FilterState& state = socket.filter;
    state.withheld = args.reported;
    // The host would post anew what has been posted: it is selected there when it is re-enabled.
    // [WSAAsyncSelect/14]
    select_messages_on_host(socket, state.window, state.message, args.mask & ~args.reported);
}

void hand_over(Socket& socket, const char* why)
{
    if (socket.is_of_process())
        return; // the host could not go on with it
    FilterState& state = socket.filter;
    ExclusiveGuard guard(state.lock);
    if (state.is_host)
        return;
    state.is_host = true;
    WS2_TRACE(kernel, "%p: goes to the host: %s", socket.handle, why);
    statistics::handed_over(why);
    timeline::note_text(timeline::kHandedOver, 0, afd::ptr64(socket.handle), why);
    if (!state.endpoint)
        return;
    ntke::HandOverArgs args {};
    args.endpoint = state.endpoint;
    emulation::call(ntke::kCallHandOver, &args);
    continue_messages(socket, args);
}

void note_adopted(Socket& socket)
{
    if (!emulation::is_on() || socket.is_of_process())
        return;
    ntke::HandOverArgs args {};
    args.handle = afd::ptr64(socket.handle);
    emulation::call(ntke::kCallHandOver, &args);
    const SocketRef first = find_known_socket(static_cast<SOCKET>(args.handle));
    if (!args.endpoint || !first || first->filter.endpoint != args.endpoint)
        return;
    WS2_TRACE(kernel, "%p: goes to the host: %p is the same", first->handle, socket.handle);
    ExclusiveGuard guard(first->filter.lock);
    first->filter.is_host = true;
    continue_messages(*first, args);
}

void inherit_messages(Socket& listener, Socket& accepted)
{
    FilterState& from = listener.filter;
    SharedGuard guard(from.lock); // the listener stays where it is
    if (!from.posts_messages)
        return;
    // [WSAAsyncSelect/8]
    if (!from.is_host && select_messages(accepted, from.window, from.message, from.mask))
        return;
    hand_over(accepted, "its messages cannot be posted from here");
    select_messages_on_host(accepted, from.window, from.message, from.mask);
    accepted.filter.mask = from.mask.load();
}

void note_deferred(Socket& listener)
{
    if (emulation::is_on() && !listener.filter.is_host)
        hand_over(listener, "a connection was deferred");
}

void settle_connect(const ntke::Settle& settle)
{
    SocketRef socket = find_known_socket(static_cast<SOCKET>(settle.handle));
    if (socket && socket->filter.endpoint == settle.endpoint) {
        // The host hears of the outcome in the same moment; this waits for it to have done so.
        constexpr int64_t kOneSecond = -10'000'000;
        PollRequest request(1);
        request.add(static_cast<SOCKET>(settle.handle), afd::kPollConnect | afd::kPollConnectFail);
        socket.release_handle(); // closesocket does not wait for this
        const NTSTATUS status = request.issue_on_host(kOneSecond);
        const bool is_answered = NT_SUCCESS(status) && !request.is_empty();
        const int32_t found = is_answered ? request.begin()->flags : 0;
        if (found & afd::kPollConnectFail) {
            socket->connect_failed = true;
            note_connect_ended(*socket, request.begin()->status);
        } else if (found & afd::kPollConnect) {
            // Whether or not the thread that connects has come so far as to say that it does.
            note_connected(*socket);
            note_connect_ended(*socket, STATUS_SUCCESS);
        }
    }
    ntke::EndpointArgs args { settle.endpoint };
    emulation::call(ntke::kCallRelease, &args);
}

} // namespace ws2::filter
