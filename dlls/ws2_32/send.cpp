// send, sendto, WSASend, WSASendTo, WSASendMsg.
#include "afd_call.h"
#include "borrowed_options.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "name.h"
#include "socket_notifications.h"
#include "transfer.h"
#include "transfer_buffers.h"

namespace ws2 {

namespace {

/// What a send call was given.
struct SendCall {
    const WSABUF* buffers;
    DWORD count;
    DWORD flags;
    const sockaddr* to = nullptr;
    int to_length = 0;
    DWORD* sent = nullptr;
    WSAOVERLAPPED* overlapped = nullptr;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr;
    WSABUF control = {}; // length 0: none
};

/// Refuses flags that no send has, and those the protocols do not have. [send/5]
int check_flags(const Socket& socket, DWORD flags)
{
    const DWORD supported
        = MSG_DONTROUTE | MSG_INTERRUPT | (socket.has_urgent_data() ? MSG_OOB : 0);
    return flags & ~supported ? WSAEOPNOTSUPP : 0;
}

/// The device does not tell a send that came too early from one that came too late.
NTSTATUS refine_status(Socket& socket, const SendCall& call, NTSTATUS status)
{
    switch (status) {
    case STATUS_CONNECTION_RESET:
        if (socket.is_stream() && !is_connected(socket))
            return STATUS_INVALID_CONNECTION;
        break;
    case STATUS_DEVICE_NOT_READY:
        if (socket.connect_pending && !is_connected(socket))
            return STATUS_INVALID_CONNECTION;
        break;
    case STATUS_INVALID_PARAMETER:
        if (!socket.is_stream() && !call.to && !call.control.len)
            return STATUS_INVALID_CONNECTION; // Wine 8.0, no peer
        break;
    }
    return status;
}

int send_on_socket(SOCKET s, const SendCall& call)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (!call.sent && !call.overlapped)
        return fail(WSAEFAULT);
    if (!call.count)
        return fail(WSAEINVAL);
    if (const int error = check_flags(*socket, call.flags))
        return fail(error);
    if (is_unconnected_stream(*socket))
        return fail(WSAENOTCONN);

    SOCKADDR_STORAGE address;
    const bool to_address = call.to && !socket->is_stream(); // streams ignore it [sendto/1]
    if (to_address) {
        if (const int error = read_destination(*socket, call.to, call.to_length, address))
            return fail(error);
    }
    TransferBuffers buffers;
    if (const int error
        = buffers.take(*socket, call.buffers, call.count, TransferBuffers::kSend, call.overlapped))
        return fail(error);
    kernel::Completion completion;
    if (call.overlapped && !completion_from_overlapped(call.overlapped, call.routine, completion))
        return fail(WSAEFAULT);

    const afd::SendControlParams params {
        .message = { .address = to_address ? afd::ptr64(&address) : 0,
            .address_length
            = static_cast<uint32_t>(to_address ? address_length(socket->family) : 0),
            .flags = call.flags & MSG_OOB,
            .force_async = call.overlapped != nullptr,
            .count = buffers.count(),
            .buffers = afd::ptr64(buffers.array()) },
        .control = afd::ptr64(call.control.buf),
        .control_length = call.control.len,
        .padding = 0,
    };
    ULONG_PTR sent = 0;
    const auto issue = [&](ULONG code, ULONG length, Alertable alertable) {
        return call.overlapped
            ? afd_call_overlapped(*socket, completion, code, &params, length, nullptr, 0)
            : afd_call_and_wait(socket, code, &params, length, nullptr, 0, alertable, &sent);
    };
    // An earlier datagram found no port: that is for a receive to tell, and this one goes out. The
    // device answers so at once, with the socket's handle still held. [sendto/6]
    const auto send_plainly = [&](Alertable alertable) {
        constexpr ULONG kLength = sizeof(params.message);
        const NTSTATUS status = issue(afd::kIoctlSendMsg, kLength, alertable);
        return status == STATUS_CONNECTION_REFUSED && !socket->is_stream() && !call.overlapped
            ? issue(afd::kIoctlSendMsg, kLength, alertable)
            : status;
    };
    NTSTATUS status = STATUS_NOT_SUPPORTED; // by the host
    if (!call.control.len)
        status = send_plainly(Alertable::kYes);
    else if (emulation::is_on())
        status = issue(afd::kIoctlSendControl, sizeof(params), Alertable::kYes);
    if (call.control.len && status == STATUS_NOT_SUPPORTED) {
        BorrowedOptions options(*socket);
        const auto* to = reinterpret_cast<const sockaddr*>(to_address ? &address : nullptr);
        if (const int error = options.borrow(call.control, to))
            return fail(error);
        status = send_plainly(Alertable::kNo); // an APC could send such a message, too
    }
    if (call.overlapped)
        return finish_overlapped(refine_status(*socket, call, status), call.overlapped, call.sent);
    if (status == STATUS_DEVICE_NOT_READY)
        notifications::drained(*socket, ntke::kNotifyOut);
    if (!NT_SUCCESS(status))
        return fail(error_from_status(refine_status(*socket, call, status)));
    note_transfer(*socket);
    if (!guard::write(call.sent, static_cast<DWORD>(sent)))
        return fail(WSAEFAULT);
    return succeed();
}

} // namespace

} // namespace ws2

using namespace ws2;

int WSAAPI send(SOCKET s, const char* buffer, int length, int flags)
{
    return sendto(s, buffer, length, flags, nullptr, 0);
}

int WSAAPI sendto(
    SOCKET s, const char* buffer, int length, int flags, const sockaddr* to, int to_length)
{
    const WSABUF data { static_cast<ULONG>(length), const_cast<char*>(buffer) };
    DWORD sent = 0;
    const SendCall call { .buffers = &data,
        .count = 1,
        .flags = static_cast<DWORD>(flags),
        .to = to,
        .to_length = to_length,
        .sent = &sent };
    return send_on_socket(s, call) ? SOCKET_ERROR : static_cast<int>(sent);
}

int WSAAPI WSASend(SOCKET s, WSABUF* buffers, DWORD count, DWORD* sent, DWORD flags,
    WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSASendTo(s, buffers, count, sent, flags, nullptr, 0, overlapped, routine);
}

int WSAAPI WSASendTo(SOCKET s, WSABUF* buffers, DWORD count, DWORD* sent, DWORD flags,
    const sockaddr* to, int to_length, WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const SendCall call { .buffers = buffers,
        .count = count,
        .flags = flags,
        .to = to,
        .to_length = to_length,
        .sent = sent,
        .overlapped = overlapped,
        .routine = overlapped ? routine : nullptr };
    return send_on_socket(s, call);
}

int WSAAPI WSASendMsg(SOCKET s, WSAMSG* message, DWORD flags, DWORD* sent,
    WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    WSAMSG given;
    if (!guard::read(message, given))
        return fail(WSAEFAULT);
    if (socket->is_stream())
        return fail(WSAEINVAL);
    if (has_length_of_nothing(given))
        return fail(WSAEFAULT);
    if (!sent && !overlapped) {
        // Even this failure binds the socket. [WSASendMsg/4]
        bind_implicitly(*socket);
        return fail(WSAEFAULT);
    }
    if (given.Control.len)
        bind_implicitly(*socket); // only a bound socket's control data are obeyed by the kernel
    const SendCall call { .buffers = given.lpBuffers,
        .count = given.dwBufferCount,
        .flags = flags,
        .to = given.name,
        .to_length = given.namelen,
        .sent = sent,
        .overlapped = overlapped,
        .routine = overlapped ? routine : nullptr,
        .control = given.Control };
    return send_on_socket(s, call);
}
