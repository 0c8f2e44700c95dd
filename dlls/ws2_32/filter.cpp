#include "filter.h"

#include <algorithm>
#include <utility>

#include "afd_call.h"
#include "close_watch.h"
#include "guard.h"
#include "host_event.h"
#include "socket.h"
#include "statistics.h"
#include "trace.h"

namespace ws2::filter {

using ntke::SocketState;

namespace {

/// How long a blocking call waits in Linux for data or room before it waits on the host, where APCs
/// and closesocket reach it. Microseconds.
constexpr uint32_t kPatience = 2000;

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

using HandleToFd = NTSTATUS(CDECL*)(HANDLE, unsigned, int*, unsigned*);

HandleToFd handle_to_fd()
{
    static const auto function = reinterpret_cast<HandleToFd>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_server_handle_to_fd")));
    return function;
}

bool is_eligible(const Socket& socket)
{
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
    if (state.is_host || !handle_to_fd())
        return 0;
    int fd;
    const NTSTATUS found = handle_to_fd()(socket.handle, 0, &fd, nullptr);
    if (!NT_SUCCESS(found)) {
        state.is_host = true;
        WS2_TRACE(kernel, "%p: stays on the host, no descriptor (%08lx)", socket.handle, found);
        return 0;
    }
    const uint32_t word = state_word(socket);
    ntke::AttachArgs args { .fd = fd,
        .family = socket.family,
        .type = socket.type,
        .protocol = socket.protocol,
        .state = word >> kStateShift,
        .flags = word & 0xFFFF,
        .handle = reinterpret_cast<uint64_t>(socket.handle),
        .listener = listener,
        .endpoint = 0,
        .signal = 0 };
    if (!NT_SUCCESS(emulation::call(ntke::kCallAttach, &args))) {
        state.is_host = true;
        return 0;
    }
    state.told_state = word;
    state.endpoint = args.endpoint;
    host_event::set(args.signal);
    close_watch::add(socket.handle, args.endpoint);
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
    ntke::StateArgs args { .endpoint = state.endpoint,
        .state = word >> kStateShift,
        .flags = word & 0xFFFF,
        .status = 0,
        .accepted = 0,
        .signal = 0 };
    emulation::call(ntke::kCallSetState, &args);
    host_event::set(args.signal);
}

ntke::EndpointId usable_endpoint(Socket& socket)
{
    FilterState& state = socket.filter;
    if (const ntke::EndpointId endpoint = state.endpoint.load(std::memory_order_acquire)) {
        if (state.is_host.load(std::memory_order_relaxed)) [[unlikely]]
            return 0;
        if (socket.shared) [[unlikely]] {
            hand_over(socket, "other handles may exist");
            return 0;
        }
        tell_state(socket);
        return endpoint;
    }
    return is_eligible(socket) ? attach(socket, 0) : 0;
}

// --- Transfers

/// Copies the program's buffers. False: too many or not there; the host answers.
static bool read_buffers(afd::Ptr64 given, DWORD count, WSABUF* buffers)
{
    return count <= SendRest::kMostBuffers
        && guard::copy(buffers, reinterpret_cast<const void*>(given), count * sizeof(WSABUF));
}

static void to_linux_buffers(const WSABUF* buffers, DWORD count, ntke::Buffer* result)
{
    for (DWORD i = 0; i < count; ++i)
        result[i] = { reinterpret_cast<uint64_t>(buffers[i].buf), buffers[i].len };
}

/// Can this socket's data be moved here? A stream must be known to be connected, a datagram socket
/// to be bound, for the host binds it with its first datagram.
static ntke::EndpointId transfer_endpoint(Socket& socket)
{
    if (socket.is_stream() ? !socket.connected : !socket.bound)
        return 0;
    if (socket.filter.message_selected)
        return 0;
    return usable_endpoint(socket);
}

bool receive(
    Socket& socket, const afd::RecvMsgParams& params, NTSTATUS& status, ULONG_PTR& received)
{
    if (!emulation::is_on() || params.control || socket.filter.host_reads)
        return false;
    const ntke::EndpointId endpoint = transfer_endpoint(socket);
    WSABUF given[SendRest::kMostBuffers];
    if (!endpoint || !read_buffers(params.buffers, params.count, given))
        return false;
    ntke::Buffer buffers[SendRest::kMostBuffers];
    to_linux_buffers(given, params.count, buffers);

    int room = 0;
    auto* const name_length = reinterpret_cast<int*>(params.address_length);
    if (params.address && !guard::read(name_length, room))
        return false;

    ntke::TransferArgs args { .endpoint = endpoint,
        .buffers = reinterpret_cast<uint64_t>(buffers),
        .count = params.count,
        .flags = *reinterpret_cast<const DWORD*>(params.flags),
        .patience = socket.nonblocking ? 0 : kPatience,
        .address_length = static_cast<uint32_t>(room),
        .address = params.address,
        .transferred = 0,
        .signal = 0 };
    status = emulation::call(ntke::kCallReceive, &args);
    if (status == ntke::kPassDown)
        return statistics::passed_down(statistics::kReceives);
    host_event::set(args.signal);
    // An error of an earlier datagram may have been read by the host before it came here.
    const bool host_knows_more = !socket.is_stream() && socket.connected;
    if (status == STATUS_DEVICE_NOT_READY && (!socket.nonblocking || host_knows_more))
        return statistics::passed_down(statistics::kReceives);
    received = args.transferred;
    if (params.address && NT_SUCCESS(status))
        guard::write(name_length, static_cast<int>(args.address_length));
    return statistics::completed(statistics::kReceives);
}

/// Drops what has been sent from the front of the buffers. Returns how many are left.
static DWORD drop_sent(WSABUF* buffers, DWORD count, size_t sent)
{
    DWORD first = 0;
    while (first < count && sent >= buffers[first].len)
        sent -= buffers[first++].len;
    if (first < count) {
        buffers[first].buf += sent;
        buffers[first].len -= static_cast<ULONG>(sent);
    }
    std::copy(buffers + first, buffers + count, buffers);
    return count - first;
}

bool send(Socket& socket, const afd::SendMsgParams& params, NTSTATUS& status, ULONG_PTR& sent,
    SendRest& rest)
{
    if (!emulation::is_on() || socket.filter.host_writes)
        return false;
    const ntke::EndpointId endpoint = transfer_endpoint(socket);
    if (!endpoint || !read_buffers(params.buffers, params.count, rest.buffers))
        return false;
    const bool is_blocking = !socket.nonblocking;
    DWORD count = params.count;
    for (;;) {
        ntke::Buffer buffers[SendRest::kMostBuffers];
        to_linux_buffers(rest.buffers, count, buffers);
        ntke::TransferArgs args { .endpoint = endpoint,
            .buffers = reinterpret_cast<uint64_t>(buffers),
            .count = count,
            .flags = params.flags,
            .patience = is_blocking ? kPatience : 0,
            .address_length = params.address_length,
            .address = params.address,
            .transferred = 0,
            .signal = 0 };
        status = emulation::call(ntke::kCallSend, &args);
        if (status == ntke::kPassDown)
            break;
        host_event::set(args.signal);
        rest.sent += args.transferred;
        if (!NT_SUCCESS(status)) {
            if (is_blocking && status == STATUS_DEVICE_NOT_READY)
                break;
            // What is on its way counts; the next call tells the error.
            if (rest.sent)
                status = STATUS_SUCCESS;
            sent = rest.sent;
            return statistics::completed(statistics::kSends);
        }
        count = drop_sent(rest.buffers, count, args.transferred);
        if (!count || !is_blocking || !socket.is_stream()) {
            sent = rest.sent;
            return statistics::completed(statistics::kSends);
        }
    }
    rest.params = params;
    rest.params.count = count;
    rest.params.buffers = afd::ptr64(rest.buffers);
    return statistics::passed_down(statistics::kSends);
}

bool readable_bytes(Socket& socket, ULONG& bytes)
{
    if (!emulation::is_on())
        return false;
    const ntke::EndpointId endpoint = transfer_endpoint(socket);
    if (!endpoint)
        return false;
    ntke::QueryArgs args { .endpoint = endpoint, .what = ntke::kQueryReadable, .value = 0 };
    if (!NT_SUCCESS(emulation::call(ntke::kCallQuery, &args)))
        return false;
    bytes = args.value;
    return true;
}

void before_overlapped(Socket& socket, ULONG code)
{
    if (!emulation::is_on())
        return;
    const bool is_selected = socket.filter.mask != 0;
    switch (code) {
    case afd::kIoctlRecvMsg:
    case afd::kIoctlAcceptInto:
    case afd::kIoctlConnect:
        // It takes what comes before the record sees it, and only the host knows when it does.
        if (is_selected)
            hand_over(socket, "an overlapped request takes what comes");
        break;
    default:
        break;
    }
}

void after_overlapped_pended(Socket& socket, ULONG code)
{
    switch (code) {
    case afd::kIoctlRecvMsg:
        socket.filter.host_reads = true;
        break;
    case afd::kIoctlSendMsg:
    case afd::kIoctlTransmit:
        socket.filter.host_writes = true;
        break;
    default:
        break;
    }
}

// --- The end

void close(Socket& socket)
{
    const ntke::EndpointId endpoint = socket.filter.endpoint;
    if (!endpoint)
        return;
    ntke::EndpointArgs args { .endpoint = endpoint, .released = 0 };
    emulation::call(ntke::kCallClose, &args);
    host_event::release(args.released);
    FilterState& state = socket.filter;
    ExclusiveGuard guard(state.lock);
    host_event::release(std::exchange(state.host_event, 0));
}

void release(Socket& socket)
{
    const ntke::EndpointId endpoint = socket.filter.endpoint;
    if (!endpoint)
        return;
    close(socket); // a socket that was closed behind our back
    ntke::EndpointArgs args { .endpoint = endpoint, .released = 0 };
    emulation::call(ntke::kCallRelease, &args);
    host_event::release(args.released);
}

void note_accepted(Socket& listener, Socket& accepted)
{
    FilterState& state = listener.filter;
    accepted.filter.host_nonblocking = state.host_nonblocking.load();
    accepted.filter.message_selected = state.message_selected.load();
    accepted.oob_inline = listener.oob_inline.load();
    if (state.is_host || listener.shared) {
        // Its selection is the host's, if there is one, and so is the accepted socket's.
        accepted.filter.is_host = state.has_record || listener.shared;
        return;
    }
    if (!keeps_record(listener))
        return;
    const uint32_t word = state_word(listener);
    ntke::StateArgs args { .endpoint = state.endpoint,
        .state = word >> kStateShift,
        .flags = word & 0xFFFF,
        .status = 0,
        .accepted = 1,
        .signal = 0 };
    emulation::call(ntke::kCallSetState, &args);
    host_event::set(args.signal);
    if (!state.mask)
        return;
    if (state.posts_messages) {
        SharedGuard guard(state.lock);
        select_messages(accepted, state.window, state.message, state.mask); // [WSAAsyncSelect/8]
        return;
    }
    if (attach(accepted, state.endpoint)) {
        accepted.filter.has_record = true;
        accepted.filter.mask = state.mask.load();
        SharedGuard guard(state.lock);
        accepted.filter.emulated_event = state.emulated_event;
    }
}

} // namespace ws2::filter
