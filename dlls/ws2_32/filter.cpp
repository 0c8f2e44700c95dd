#include "filter.h"

#include "kernel.h"
#include "message_select.h"
#include "pump.h"
#include "socket.h"
#include "trace.h"
#include "transfer.h"

namespace ws2::filter {

using ntke::SocketState;

namespace {

// --- Attaching

bool is_eligible(const Socket& socket)
{
    if (socket.is_of_process())
        return !socket.filter.is_host;
    return emulation::is_on() && !socket.filter.is_host && !socket.shared
        && (socket.family == AF_INET || socket.family == AF_INET6)
        && (socket.type == SOCK_STREAM || socket.type == SOCK_DGRAM);
}

/// What a socket is that ntke has not seen become so: accepted, taken over from another process, or
/// opened when memory was out.
SocketState state_of_unseen(const Socket& socket)
{
    if (!socket.is_stream())
        return SocketState::Datagram;
    if (socket.listening)
        return SocketState::Listening;
    if (socket.connected)
        return SocketState::Connected;
    return socket.connect_pending ? SocketState::Connecting : SocketState::Unconnected;
}

uint32_t flags_of_unseen(const Socket& socket)
{
    uint32_t flags = socket.bound ? ntke::kSocketBound : 0u;
    if (!socket.is_stream() && socket.connected)
        flags |= ntke::kSocketHasPeer;
    return flags;
}

} // namespace

/// Attaches the socket. `listener` is the endpoint of the one it was accepted from, or 0, and
/// `was_on_host` as note_accepted's. Without a descriptor the socket stays with the host.
static ntke::EndpointId attach(Socket& socket, ntke::EndpointId listener, bool was_on_host)
{
    FilterState& state = socket.filter;
    ExclusiveGuard guard(state.lock);
    if (const ntke::EndpointId endpoint = state.endpoint)
        return endpoint;
    // An acceptor gets another descriptor with its connection.
    if (state.is_host || (socket.accepted && !socket.connected))
        return 0;
    if (!pump::start())
        return 0;
    static std::atomic<uint64_t> attachments { 0 };
    ntke::AttachArgs args { .handle = afd::ptr64(socket.handle),
        .family = socket.family,
        .type = socket.type,
        .protocol = socket.protocol,
        .state = static_cast<uint32_t>(state_of_unseen(socket)),
        .flags = flags_of_unseen(socket),
        .has_been_elsewhere = state.has_been_elsewhere,
        .is_synchronous = !socket.is_overlapped(),
        .is_nonblocking = socket.nonblocking,
        .serial = ++attachments,
        .listener = listener,
        .endpoint = 0,
        .was_on_host = was_on_host,
        .inherited = 0 };
    const NTSTATUS status = emulation::call(ntke::kCallAttach, &args);
    if (!NT_SUCCESS(status)) {
        state.is_host = true;
        WS2_TRACE(
            kernel, "%p: stays on the host, cannot be attached (%08lx)", socket.handle, status);
        return 0;
    }
    state.serial = args.serial;
    state.is_host = args.inherited == ntke::kInheritsOnHost;
    state.endpoint = args.endpoint;
    return args.endpoint;
}

void note_connect_ended(Socket& socket, NTSTATUS status)
{
    ntke::ConnectEndedArgs args {
        .endpoint = socket.filter.endpoint, .status = status, .padding = 0
    };
    if (args.endpoint)
        emulation::call(ntke::kCallConnectEnded, &args);
}

/// Is ours the only handle of the socket? Asks the host, with the 1st, 2nd, 4th, 8th request and so
/// on: who passes a socket on mostly lets go of it at once, or never.
static bool is_sole_owner(Socket& socket)
{
    const uint32_t looks = socket.filter.looks.fetch_add(1, std::memory_order_relaxed);
    if (looks & (looks - 1))
        return false;
    return kernel::is_only_handle(socket.handle);
}

void look_again(Socket& socket)
{
    if (socket.shared && !socket.filter.mask) [[unlikely]]
        take_back(socket);
}

bool take_back(Socket& socket)
{
    FilterState& state = socket.filter;
    // What waits on the host would be overtaken here.
    if (!emulation::is_on() || !socket.shared || state.endpoint || state.message_selected
        || socket.pended || socket.blocking_calls || !is_sole_owner(socket))
        return false;
    if (socket.is_stream() && !is_connected(socket))
        return false; // a listener, say
    if (!is_bound(socket))
        return false;
    ExclusiveGuard guard(state.lock);
    if (state.mask.exchange(0))
        request_selection(socket.handle, nullptr, 0);
    state.has_been_elsewhere = true;
    state.is_host = false;
    socket.shared = false;
    WS2_TRACE(kernel, "%p: is ours alone", socket.handle);
    return true;
}

ntke::EndpointId usable_endpoint(Socket& socket)
{
    FilterState& state = socket.filter;
    if (const ntke::EndpointId endpoint = state.endpoint.load(std::memory_order_acquire)) {
        if (state.is_host.load(std::memory_order_relaxed)) [[unlikely]]
            return 0;
        if (socket.shared && !socket.is_of_process()) [[unlikely]] {
            hand_over(socket, "other handles may exist");
            return 0;
        }
        return endpoint;
    }
    return is_eligible(socket) ? attach(socket, 0, false) : 0;
}

// --- The end

void note_closed(const ntke::Closed& closed)
{
    const HANDLE handle = reinterpret_cast<HANDLE>(closed.handle);
    SocketRef socket = find_known_socket(socket_from_handle(handle));
    if (!socket || socket->filter.serial != closed.serial || socket->closing)
        return;
    const FilterState& state = socket->filter;
    if (state.posts_messages && (state.mask & afd::kPollDisconnect)) // [WSAAsyncSelect/13]
        message_select::post(state.window, state.message, socket_from_handle(handle), FD_CLOSE, 0);
    WS2_TRACE(kernel, "%p: its handle was closed behind our back", handle);
    forget_stale_socket(*socket);
}

void close(Socket& socket)
{
    const ntke::EndpointId endpoint = socket.filter.endpoint;
    // A thread that the end of the process has stopped may hold a lock for ever.
    if (!endpoint || RtlDllShutdownInProgress())
        return;
    ntke::EndpointArgs args { endpoint };
    emulation::call(ntke::kCallClose, &args);
}

void release(Socket& socket)
{
    const ntke::EndpointId endpoint = socket.filter.endpoint;
    if (!endpoint || RtlDllShutdownInProgress())
        return;
    close(socket); // a socket that was closed behind our back
    ntke::EndpointArgs args { endpoint };
    emulation::call(ntke::kCallRelease, &args);
}

bool is_on_host(Socket& socket)
{
    FilterState& state = socket.filter;
    if (!state.is_host)
        return false;
    SharedGuard guard(state.lock); // a hand-over that has begun comes to its end
    return true;
}

/// Gives an accepted socket what it inherits in ntke.
static void inherit(Socket& listener, Socket& accepted, bool was_on_host)
{
    FilterState& state = listener.filter;
    const bool is_shared = listener.shared && !listener.is_of_process();
    if (is_shared && (was_on_host || !state.endpoint)) {
        // Its selection is the host's, if there is one, and so is the accepted socket's.
        accepted.filter.is_host = true;
        return;
    }
    // ntke has not seen the handle come: it must know it before anything is done with it.
    if (!is_eligible(accepted))
        return;
    attach(accepted, state.endpoint, was_on_host);
    if (state.posts_messages && !was_on_host)
        inherit_messages(listener, accepted);
    else
        accepted.filter.mask = state.mask.load();
    if (is_shared)
        hand_over(accepted, "its listener was duplicated");
}

void note_accepted(Socket& listener, Socket& accepted, bool was_on_host)
{
    accepted.filter.message_selected = listener.filter.message_selected.load();
    inherit(listener, accepted, was_on_host);
    note_re_enabled(listener, afd::kPollAccept);
}

} // namespace ws2::filter
