// The filter's transfers: data that is there, and room that is there, need no host.
#include <algorithm>

#include "filter.h"
#include "guard.h"
#include "socket.h"
#include "statistics.h"
#include "transfer.h"

namespace ws2::filter {

namespace {

/// How long a blocking call waits in Linux for data or room before it waits on the host, where APCs
/// and closesocket reach it. Microseconds.
constexpr uint32_t kPatience = 2000;

} // namespace

/// Copies the program's buffers. False: too many or not there; the host answers.
static bool read_buffers(afd::Ptr64 given, DWORD count, WSABUF* buffers)
{
    return count <= SendRest::kMostBuffers
        && guard::copy(buffers, reinterpret_cast<const void*>(given), count * sizeof(WSABUF));
}

static void to_linux_buffers(const WSABUF* buffers, DWORD count, ntke::Buffer* result)
{
    for (DWORD i = 0; i < count; ++i)
        result[i] = { afd::ptr64(buffers[i].buf), buffers[i].len };
}

/// Linux cannot write to memory that Wine keeps read-only because its writes are watched, and would
/// lose the datagram. So it is written to before. False: it cannot be written at all.
static bool make_writable(const WSABUF* buffers, DWORD count)
{
    static constexpr ULONG kMostBytes = 65536; // a datagram has no more
    return std::all_of(buffers, buffers + count, [](const WSABUF& buffer) {
        return guard::touch(buffer.buf, std::min(buffer.len, kMostBytes));
    });
}

/// Can this socket's data be moved here, if its state is a fast one?
static ntke::EndpointId transfer_endpoint(Socket& socket)
{
    look_again(socket);
    if (socket.filter.message_selected)
        return 0;
    return usable_endpoint(socket);
}

/// The handle was closed by somebody else, and may be another socket's by now.
static bool is_gone(Socket& socket, NTSTATUS status)
{
    if (status != STATUS_INVALID_HANDLE)
        return false;
    forget_stale_socket(socket);
    return true;
}

bool receive(
    Socket& socket, const afd::RecvMsgParams& params, NTSTATUS& status, ULONG_PTR& received)
{
    if (!emulation::is_on())
        return false;
    if (params.control)
        return false;
    const ntke::EndpointId endpoint = transfer_endpoint(socket);
    WSABUF given[SendRest::kMostBuffers];
    if (!endpoint)
        return false;
    if (!read_buffers(params.buffers, params.count, given))
        return false;
    ntke::Buffer buffers[SendRest::kMostBuffers];
    to_linux_buffers(given, params.count, buffers);

    int room = 0;
    auto* const name_length = reinterpret_cast<int*>(params.address_length);
    if (params.address
        && (!guard::read(name_length, room)
            || !guard::touch(reinterpret_cast<void*>(params.address),
                std::min(static_cast<size_t>(room), sizeof(SOCKADDR_STORAGE)))))
        return false;
    if (!socket.is_stream() && !make_writable(given, params.count))
        return false;

    ntke::TransferArgs args { .endpoint = endpoint,
        .buffers = afd::ptr64(buffers),
        .count = params.count,
        .flags = *reinterpret_cast<const DWORD*>(params.flags),
        .patience = socket.nonblocking ? 0 : kPatience,
        .address_length = static_cast<uint32_t>(room),
        .address = params.address,
        .transferred = 0 };
    status = emulation::call(ntke::kCallReceive, &args);
    if (status == ntke::kPassDown || is_gone(socket, status))
        return statistics::passed_down(statistics::kReceives);
    // Wine keeps memory read-only whose writes are watched; its own receive knows how to fill it.
    if (status == STATUS_ACCESS_VIOLATION && socket.is_stream())
        return statistics::passed_down(statistics::kReceives);
    // An error of an earlier datagram may have been read by the host before it came here.
    const bool host_knows_more = !socket.is_stream() && socket.connected;
    if (status == STATUS_DEVICE_NOT_READY && (!socket.nonblocking || host_knows_more))
        return statistics::passed_down(statistics::kReceives);
    received = args.transferred;
    if (params.address && (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW))
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

bool takes_turns(const Socket& socket)
{
    return emulation::is_on() && socket.is_stream();
}

bool send(Socket& socket, const afd::SendMsgParams& params, NTSTATUS& status, ULONG_PTR& sent,
    SendRest& rest)
{
    if (!emulation::is_on())
        return false;
    // The first send after a connect nobody has seen succeed: the host may keep a part of it.
    if (socket.is_stream() && socket.connect_pending && !socket.connected)
        is_connected(socket);
    const ntke::EndpointId endpoint = transfer_endpoint(socket);
    if (!endpoint)
        return false;
    if (!read_buffers(params.buffers, params.count, rest.buffers))
        return false;
    const bool is_blocking = !socket.nonblocking;
    DWORD count = params.count;
    for (;;) {
        ntke::Buffer buffers[SendRest::kMostBuffers];
        to_linux_buffers(rest.buffers, count, buffers);
        ntke::TransferArgs args { .endpoint = endpoint,
            .buffers = afd::ptr64(buffers),
            .count = count,
            .flags = params.flags,
            .patience = is_blocking ? kPatience : 0,
            .address_length = params.address_length,
            .address = params.address,
            .transferred = 0 };
        status = emulation::call(ntke::kCallSend, &args);
        if (status == ntke::kPassDown || is_gone(socket, status))
            break;
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
        // The host ends it, or makes the others wait.
        if (count && is_blocking && (socket.closing || socket.filter.send_turn.is_wanted()))
            break;
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

ntke::RegisteredRequest* submit(Socket& socket, ntke::RegisteredRequest* first)
{
    const ntke::EndpointId endpoint = emulation::is_on() ? transfer_endpoint(socket) : 0;
    if (!endpoint)
        return first;
    ntke::SubmitArgs args { .endpoint = endpoint, .first = afd::ptr64(first) };
    emulation::call(ntke::kCallSubmit, &args);
    return ntke::registered_request_from(args.first);
}

bool before_request(Socket& socket, ULONG code)
{
    if (!emulation::is_on())
        return false;
    switch (code) {
    case afd::kIoctlRecvMsg:
    case afd::kIoctlSendMsg:
    case afd::kIoctlRecvDatagram:
    case afd::kIoctlRecvMessage:
    case afd::kIoctlSendControl:
    case afd::kIoctlFionread:
    case afd::kIoctlTransmit:
    case afd::kIoctlTransmitView:
        return transfer_endpoint(socket);
    case afd::kIoctlConnect:
    case afd::kIoctlAcceptInto:
    case afd::kIoctlGetIpMulticastLoop:
    case afd::kIoctlSetIpMulticastLoop:
    case afd::kIoctlGetIpv6MulticastLoop:
    case afd::kIoctlSetIpv6MulticastLoop:
        return usable_endpoint(socket);
    default:
        return afd::is_of_ntke(code) && usable_endpoint(socket);
    }
}

void before_overlapped(Socket& socket, ULONG code)
{
    // It takes what comes before the record sees it, and only the host knows when it does.
    if ((code == afd::kIoctlAcceptInto || code == afd::kIoctlConnect) && emulation::is_on()
        && socket.filter.mask)
        hand_over(socket, "an overlapped request takes what comes");
    before_request(socket, code);
}

} // namespace ws2::filter
