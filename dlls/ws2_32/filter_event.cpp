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

namespace ws2::filter {

void select_on_host(HANDLE socket, HANDLE event, ULONG mask)
{
    const afd::EventSelectParams params { .event = reinterpret_cast<ULONG_PTR>(event),
        .mask = static_cast<int32_t>(mask) };
    afd_call(socket, afd::kIoctlEventSelect, &params, sizeof(params), nullptr, 0);
}

namespace {

/// Ends a message selection of the host; as a side effect the socket is non-blocking there.
void end_message_select(Socket& socket)
{
    select_on_host(socket.handle, nullptr, 0);
    socket.filter.message_selected = false;
}

void select_messages_on_host(Socket& socket, HWND window, UINT message, ULONG mask)
{
    const afd::MessageSelectParams params { .socket = HandleToULong(socket.handle),
        .window = HandleToULong(window),
        .message = message,
        .mask = static_cast<int32_t>(mask) };
    afd_call(socket.handle, afd::kIoctlMessageSelect, &params, sizeof(params), nullptr, 0);
    socket.filter.message_selected = true;
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

bool keeps_record(Socket& socket)
{
    return socket.filter.has_record && !socket.filter.is_host
        && (!socket.shared || socket.is_of_process());
}

bool select(Socket& socket, WSAEVENT event, ULONG mask, NTSTATUS& status)
{
    FilterState& state = socket.filter;
    // A thread that the end of the process has stopped may hold a lock for ever.
    if (!emulation::is_on() || RtlDllShutdownInProgress())
        return false;
    take_back(socket); // the selection of before ends anyway
    const ntke::EndpointId endpoint = usable_endpoint(socket);
    if (!endpoint || (mask && !pump::start())) {
        hand_over(socket, "its events cannot be recorded here");
        return false;
    }

    ntke::SelectArgs args { .endpoint = endpoint,
        .event = afd::ptr64(event),
        .target = 0,
        .mask = mask,
        .is_event_bad = 0 };
    if (state.message_selected)
        end_message_select(socket); // [WSAEventSelect/11]
    {
        ExclusiveGuard guard(state.lock);
        if (state.is_host)
            return false;
        status = emulation::call(ntke::kCallSelect, &args);
        if (NT_SUCCESS(status)) {
            state.mask = mask;
            state.has_record = true;
            state.posts_messages = false;
            socket.nonblocking = true; // [WSAEventSelect/7]
        }
    }
    WS2_TRACE(event, "%p: event %p, conditions %lx -> %08lx", socket.handle, event, mask, status);
    if (args.is_event_bad)
        return true; // the program's mistake; the association stays [WSAEventSelect/4]
    if (!NT_SUCCESS(status)) {
        hand_over(socket, "it cannot be watched"); // no descriptor is left, say
        return false;
    }
    return statistics::completed(statistics::kSelections);
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
    ntke::SelectArgs args { .endpoint = endpoint,
        .event = 0,
        .target = afd::ptr64(target),
        .mask = mask,
        .is_event_bad = 0 };
    ExclusiveGuard guard(state.lock);
    if (state.is_host) {
        message_select::destroy(target);
        return false;
    }
    if (!NT_SUCCESS(emulation::call(ntke::kCallSelect, &args)))
        return false;
    state.mask = mask;
    state.has_record = true;
    state.posts_messages = mask != 0;
    state.window = window;
    state.message = message;
    socket.nonblocking = true; // [WSAAsyncSelect/3]
    return statistics::completed(statistics::kSelections);
}

/// The caller holds the lock: nobody hands the record over meanwhile, or selects.
static bool take_events_locked(Socket& socket, afd::GetEventsResult& result)
{
    FilterState& state = socket.filter;
    if (state.is_host || !state.endpoint)
        return false;
    ntke::GetEventsArgs args {};
    args.endpoint = state.endpoint;
    emulation::call(ntke::kCallGetEvents, &args);
    result = args.result;
    WS2_TRACE(event, "%p: conditions %x told", socket.handle, result.flags);
    return statistics::completed(statistics::kEnumerations);
}

bool take_events(Socket& socket, afd::GetEventsResult& result)
{
    SharedGuard guard(socket.filter.lock);
    return take_events_locked(socket, result);
}

bool take_messages(Socket& socket, HWND window, UINT message, afd::GetEventsResult& result)
{
    FilterState& state = socket.filter;
    SharedGuard guard(state.lock);
    return state.posts_messages && state.window == window && state.message == message
        && take_events_locked(socket, result);
}

void continue_record(Socket& socket, afd::GetEventsResult& result)
{
    FilterState& state = socket.filter;
    if (!state.is_host || !state.has_record)
        return;
    ExclusiveGuard guard(state.lock);
    result.flags &= ~state.withheld;
    afd::carry_events(result, state.carried, state.mask);
    state.carried.flags &= ~state.mask;
}

/// The host goes on with another selection than that of messages it was handed.
static void forget_messages(FilterState& state)
{
    if (state.posts_messages.exchange(false))
        state.withheld = 0;
}

void note_selected_on_host(Socket& socket, HANDLE event, ULONG mask)
{
    FilterState& state = socket.filter;
    socket.nonblocking = true;
    state.mask = mask;
    if (!state.is_host || !state.has_record)
        return;
    ExclusiveGuard guard(state.lock);
    forget_messages(state);
    if (state.carried.flags & mask)
        kernel::set_event(event); // [WSAEventSelect/13]
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
    FilterState& state = socket.filter;
    if (!state.is_host || !state.has_record)
        return;
    if (state.posts_messages)
        return repost_on_host(socket, conditions);
    ExclusiveGuard guard(state.lock);
    state.withheld &= ~conditions;
    state.carried.flags &= ~conditions;
}

void before_message_select(Socket& socket, bool cancels)
{
    FilterState& state = socket.filter;
    if (!emulation::is_on())
        return;
    state.message_selected = !cancels;
    const ntke::EndpointId endpoint = state.endpoint;
    if (!endpoint || !state.has_record)
        return;
    ntke::SelectArgs args {};
    args.endpoint = endpoint;
    ExclusiveGuard guard(state.lock);
    emulation::call(ntke::kCallSelect, &args);
    state.mask = 0;
    forget_messages(state);
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
    state.withheld = args.withheld;
    state.carried = args.carried;
    if (!args.mask)
        return;
    // The host would post anew what has been posted: it is selected there when it is re-enabled.
    // [WSAAsyncSelect/14]
    if (state.posts_messages)
        select_messages_on_host(socket, state.window, state.message, args.mask & ~args.withheld);
}

void inherit_on_host(Socket& listener, Socket& accepted)
{
    FilterState& from = listener.filter;
    SharedGuard guard(from.lock);
    const ULONG mask = from.mask;
    if (from.posts_messages) {
        select_messages_on_host(accepted, from.window, from.message, mask);
    } else {
        ntke::SelectOnHostArgs args { .listener = from.endpoint,
            .handle = afd::ptr64(accepted.handle) };
        emulation::call(ntke::kCallSelectOnHost, &args);
    }
    accepted.filter.is_host = true;
    accepted.filter.mask = mask;
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
        if (NT_SUCCESS(status) && !request.is_empty()
            && (request.begin()->flags & afd::kPollConnectFail)) {
            socket->connect_failed = true;
            note_connect_ended(*socket, request.begin()->status);
        }
    }
    ntke::EndpointArgs args { settle.endpoint };
    emulation::call(ntke::kCallRelease, &args);
}

} // namespace ws2::filter
