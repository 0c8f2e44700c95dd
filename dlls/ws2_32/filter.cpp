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

// --- The state of a socket, as one word.

uint32_t flags_of(const Socket& socket)
{
    uint32_t flags = 0;
    if (socket.bound)
        flags |= ntke::kSocketBound;
    if (!socket.is_stream() && socket.connected)
        flags |= ntke::kSocketHasPeer;
    if (socket.is_stream() && !socket.accepted)
        flags |= ntke::kSocketConnected;
    if (socket.oob_inline)
        flags |= ntke::kSocketOobInline;
    if (socket.receive_shut_down)
        flags |= ntke::kSocketReceiveShutDown;
    if (socket.send_shut_down)
        flags |= ntke::kSocketSendShutDown;
    return flags;
}

SocketState state_of(const Socket& socket)
{
    if (!socket.is_stream())
        return SocketState::Datagram;
    if (socket.listening)
        return SocketState::Listening;
    if (socket.connected)
        return SocketState::Connected;
    if (socket.connect_pending)
        return SocketState::Connecting;
    return SocketState::Unconnected;
}

constexpr unsigned kStateShift = 16;

uint32_t state_word(const Socket& socket)
{
    return static_cast<uint32_t>(state_of(socket)) << kStateShift | flags_of(socket);
}

// --- Attaching

bool is_eligible(const Socket& socket)
{
    if (socket.is_of_process())
        return !socket.filter.is_host;
    return emulation::is_on() && !socket.filter.is_host && !socket.shared
        && (socket.family == AF_INET || socket.family == AF_INET6)
        && (socket.type == SOCK_STREAM || socket.type == SOCK_DGRAM);
}

} // namespace

/// Attaches the socket. `listener` is the endpoint of the one it was accepted from, if that has a
/// selection. Without a descriptor the socket stays with the host.
static ntke::EndpointId attach(Socket& socket, ntke::EndpointId listener)
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
    const uint32_t word = state_word(socket);
    ntke::AttachArgs args { .handle = afd::ptr64(socket.handle),
        .family = socket.family,
        .type = socket.type,
        .protocol = socket.protocol,
        .state = word >> kStateShift,
        .flags = word & 0xFFFF,
        .has_inherited = 0,
        .is_synchronous = !socket.is_overlapped(),
        .is_nonblocking = socket.nonblocking,
        .serial = ++attachments,
        .listener = listener,
        .endpoint = 0 };
    const NTSTATUS status = emulation::call(ntke::kCallAttach, &args);
    if (!NT_SUCCESS(status)) {
        state.is_host = true;
        WS2_TRACE(
            kernel, "%p: stays on the host, cannot be attached (%08lx)", socket.handle, status);
        return 0;
    }
    state.serial = args.serial;
    state.told_state = word;
    state.has_record = args.has_inherited;
    state.endpoint = args.endpoint;
    return args.endpoint;
}

void tell_state(Socket& socket)
{
    FilterState& state = socket.filter;
    if (!state.endpoint || state_word(socket) == state.told_state.load(std::memory_order_relaxed))
        return;
    ExclusiveGuard guard(state.lock);
    const uint32_t word = state_word(socket);
    if (word == state.told_state)
        return;
    state.told_state = word;
    ntke::StateArgs args {};
    args.endpoint = state.endpoint;
    args.state = word >> kStateShift;
    args.flags = word & 0xFFFF;
    emulation::call(ntke::kCallSetState, &args);
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
    if (socket.is_stream()) {
        if (!is_connected(socket))
            return false; // a listener, say
        socket.accepted = true; // its connection is no news
    }
    if (!is_bound(socket))
        return false;
    ExclusiveGuard guard(state.lock);
    if (state.mask.exchange(0))
        select_on_host(socket.handle, nullptr, 0);
    state.host_nonblocking = socket.nonblocking.load();
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
        tell_state(socket);
        return endpoint;
    }
    return is_eligible(socket) ? attach(socket, 0) : 0;
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

void note_accepted(Socket& listener, Socket& accepted)
{
    FilterState& state = listener.filter;
    accepted.filter.host_nonblocking = state.host_nonblocking.load();
    accepted.filter.message_selected = state.message_selected.load();
    accepted.oob_inline = listener.oob_inline.load();
    if (state.posts_messages)
        note_re_enabled(listener, afd::kPollAccept);
    const bool is_shared = listener.shared && !listener.is_of_process();
    if (state.is_host || is_shared) {
        // Its selection is the host's, if there is one, and so is the accepted socket's.
        accepted.filter.is_host = state.has_record || is_shared;
        if (!accepted.filter.is_host)
            usable_endpoint(accepted);
        return;
    }
    // ntke has not seen the handle come: it must know it before anything is done with it.
    if (!state.mask)
        usable_endpoint(accepted);
    if (!keeps_record(listener))
        return;
    const uint32_t word = state_word(listener);
    ntke::StateArgs args { .endpoint = state.endpoint,
        .state = word >> kStateShift,
        .flags = word & 0xFFFF,
        .status = 0,
        .accepted = 1 };
    emulation::call(ntke::kCallSetState, &args);
    if (!state.mask)
        return;
    bool is_inherited;
    if (state.posts_messages) {
        SharedGuard guard(state.lock);
        is_inherited = select_messages(
            accepted, state.window, state.message, state.mask); // [WSAAsyncSelect/8]
    } else {
        is_inherited = attach(accepted, state.endpoint) && accepted.filter.has_record;
        if (is_inherited)
            accepted.filter.mask = state.mask.load();
    }
    if (!is_inherited)
        inherit_on_host(listener, accepted);
}

} // namespace ws2::filter
