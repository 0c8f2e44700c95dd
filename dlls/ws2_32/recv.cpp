// recv, recvfrom, WSARecv, WSARecvFrom, and WSARecvMsg for SIO_GET_EXTENSION_FUNCTION_POINTER.
#include <cstring>

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "name.h"
#include "poll_request.h"
#include "socket_notifications.h"
#include "transfer.h"
#include "transfer_buffers.h"

namespace ws2 {

namespace {

/// What a receive call was given.
struct ReceiveCall {
    WSABUF* buffers;
    DWORD count;
    DWORD* flags; // in and out
    sockaddr* from = nullptr;
    int* from_length = nullptr;
    DWORD* received = nullptr;
    WSAOVERLAPPED* overlapped = nullptr;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr;
};

/// Refuses flags that no receive has, and those that this one has not. [recv/22]
int check_flags(const Socket& socket, const ReceiveCall& call, DWORD flags)
{
    constexpr DWORD kKnown = MSG_OOB | MSG_PEEK | MSG_DONTROUTE | MSG_WAITALL | MSG_INTERRUPT
        | MSG_PUSH_IMMEDIATE | MSG_PARTIAL;
    if ((flags & ~kKnown) || ((flags & MSG_OOB) && !socket.has_urgent_data()))
        return WSAEOPNOTSUPP;
    // It needs a stream that may block until it is satisfied. [recv/7]
    if (!(flags & MSG_WAITALL))
        return 0;
    const bool allowed = socket.is_stream() && !socket.nonblocking && !call.overlapped
        && !(flags & (MSG_PEEK | MSG_OOB));
    return allowed ? 0 : WSAEOPNOTSUPP;
}

/// Checks where the sender's address goes, before a datagram is taken that would then be lost.
/// [recvfrom/5]
int check_room_for_sender(const Socket& socket, const ReceiveCall& call)
{
    int room;
    if (!guard::read(call.from_length, room) || room < address_length(socket.family)
        || !guard::is_writable(call.from, address_length(socket.family)))
        return WSAEFAULT;
    return 0;
}

/// Words for requests that outlive their call: the device keeps a pointer to the flags but reads
/// them when the request is issued only, and writes them for control data only. One word for each
/// value, so that requests may share it.
DWORD* lasting_flags(DWORD flags)
{
    static DWORD words[] = { 0, MSG_OOB, MSG_PEEK, MSG_OOB | MSG_PEEK };
    static_assert(MSG_OOB == 1 && MSG_PEEK == 2);
    return &words[flags & (MSG_OOB | MSG_PEEK)];
}

/// The device does not tell a receive that came too early from one that found nothing.
NTSTATUS refine_status(Socket& socket, NTSTATUS status)
{
    // Nobody refuses a datagram; its port was unreachable. [recvfrom/10]
    if (status == STATUS_CONNECTION_REFUSED && !socket.is_stream())
        return STATUS_PORT_UNREACHABLE;
    if (status == STATUS_DEVICE_NOT_READY && socket.connect_pending && !is_connected(socket))
        return STATUS_INVALID_CONNECTION;
    return status;
}

/// Was the end of the stream that a receive just saw a reset by the peer? The host does not tell
/// the two apart, or not always: Linux tells a reset once, to whoever asks first. A poll still
/// knows, or an event has told.
bool is_end_of_stream_a_reset(SOCKET s, const Socket& received_on)
{
    // A wait has let go of the handle, which may have been closed and reused since.
    SocketRef socket = find_known_socket(s);
    if (!socket || &*socket != &received_on)
        return false;
    return socket->told_reset || conditions_now(s, afd::kPollAbort) != 0;
}

/// Would a receive of urgent data wait although such a receive never does? [recv/15]
bool lacks_urgent_data(SOCKET s, Socket& socket)
{
    int is_inline = 0;
    afd_call(socket, afd::kIoctlGetSoOobInline, nullptr, 0, &is_inline, sizeof(is_inline));
    // What is inline is refused by the device.
    return !is_inline && !conditions_now(s, afd::kPollReceiveExpedited);
}

/// One receive of a blocking or non-blocking call. `received` is its byte count.
NTSTATUS receive_once(SocketRef& socket, const ReceiveCall& call, const WSABUF* buffers,
    DWORD count, DWORD& flags, ULONG_PTR& received)
{
    SOCKADDR_STORAGE sender {};
    int sender_length = sizeof(sender);
    const bool wants_sender = call.from && !socket->is_stream();
    const afd::RecvMsgParams params { .control = 0,
        .address = wants_sender ? afd::ptr64(&sender) : 0,
        .address_length = wants_sender ? afd::ptr64(&sender_length) : 0,
        .flags = afd::ptr64(&flags),
        .force_async = 0,
        .count = count,
        .buffers = afd::ptr64(buffers) };
    const NTSTATUS status = afd_call_and_wait(socket, afd::kIoctlRecvMsg, &params, sizeof(params),
        nullptr, 0, Alertable::kYes, &received);
    if (wants_sender && (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW))
        write_name(sender, address_length(socket->family), call.from, call.from_length);
    return status;
}

/// What a receive was answered, and by whom.
struct Answer {
    NTSTATUS status;
    bool is_of_ntke;
};

/// Receives a datagram: asks ntke, by `code`, which no host has, then the host.
template <typename Receive> Answer try_both(Socket& socket, ULONG code, Receive receive)
{
    if (!socket.is_stream() && filter::before_request(socket, code)) {
        const NTSTATUS status = receive(code);
        if (status != STATUS_NOT_SUPPORTED)
            return { status, true };
    }
    return { receive(afd::kIoctlRecvMsg), false };
}

/// Receives until the buffers are full, the stream ends or an error comes. [recv/7] The handle is
/// held for each piece only: closing it ends the waits between them, and its value may be another
/// socket's then. [closesocket/7]
NTSTATUS receive_all(SOCKET s, SocketRef& receiving, const ReceiveCall& call, ULONG_PTR& received)
{
    received = 0;
    receiving.release_handle();
    for (DWORD i = 0; i < call.count; ++i) {
        WSABUF rest;
        if (!guard::read(&call.buffers[i], rest))
            return STATUS_ACCESS_VIOLATION;
        while (rest.len) {
            SocketRef socket = find_known_socket(s);
            if (!socket || &*socket != &*receiving)
                return received ? STATUS_SUCCESS : STATUS_REQUEST_ABORTED;
            DWORD flags = 0;
            ULONG_PTR piece = 0;
            const NTSTATUS status = receive_once(socket, call, &rest, 1, flags, piece);
            if (!NT_SUCCESS(status) || !piece)
                return received ? STATUS_SUCCESS : status;
            received += piece;
            rest.buf += piece;
            rest.len -= piece;
        }
    }
    return STATUS_SUCCESS;
}

/// The result of an overlapped receive. A datagram that is truncated at once has ended the request:
/// that is told as the end of one that pended, or, where no packet comes of it, by the call alone.
/// [overlapped/61]
int finish_receive(Socket& socket, const Answer& answer, const WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, DWORD* received)
{
    NTSTATUS status = refine_status(socket, answer.status);
    if (status == STATUS_BUFFER_OVERFLOW) {
        // The modes of the file save a packet on the host; in ntke, as on NT, that of a success
        // only.
        const bool is_told = routine || answer.is_of_ntke || !kernel::skips_packets(socket.handle);
        if (is_told)
            status = STATUS_PENDING;
    }
    return finish_overlapped(status, overlapped, received);
}

int receive_overlapped(Socket& socket, const ReceiveCall& call, DWORD flags)
{
    kernel::Completion completion;
    if (!completion_from_overlapped(call.overlapped, call.routine, completion))
        return fail(WSAEFAULT);
    const bool wants_sender = call.from && !socket.is_stream();
    const afd::RecvMsgParams params { .control = 0,
        .address = wants_sender ? afd::ptr64(call.from) : 0,
        .address_length = wants_sender ? afd::ptr64(call.from_length) : 0,
        .flags = afd::ptr64(lasting_flags(flags)),
        .force_async = 1,
        .count = call.count,
        .buffers = afd::ptr64(call.buffers) };
    const Answer answer = try_both(socket, afd::kIoctlRecvDatagram, [&](ULONG code) {
        return afd_call_overlapped(socket, completion, code, &params, sizeof(params), nullptr, 0);
    });
    // A stream's may have received nothing, which tells nothing of a connect.
    if (NT_SUCCESS(answer.status) && answer.status != STATUS_PENDING && !socket.is_stream())
        note_transfer(socket);
    return finish_receive(socket, answer, call.overlapped, call.routine, call.received);
}

int receive_on_socket(SOCKET s, const ReceiveCall& call)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    DWORD flags;
    if ((!call.received && !call.overlapped) || !guard::read(call.flags, flags))
        return fail(WSAEFAULT);
    if (!call.count)
        return fail(WSAEINVAL);
    if (const int error = check_flags(*socket, call, flags))
        return fail(error);
    if (is_unconnected_stream(*socket))
        return fail(WSAENOTCONN);
    if (!socket->is_stream()) {
        if (call.from) {
            if (const int error = check_room_for_sender(*socket, call))
                return fail(error);
        }
        if (!is_bound(*socket))
            return fail(WSAEINVAL); // [recvfrom/3]
    }
    TransferBuffers buffers;
    if (const int error = buffers.take(
            *socket, call.buffers, call.count, TransferBuffers::kReceive, call.overlapped))
        return fail(error);
    if (call.overlapped)
        return receive_overlapped(*socket, call, flags);
    if ((flags & MSG_OOB) && !socket->nonblocking && lacks_urgent_data(s, *socket))
        return fail(WSAEWOULDBLOCK);

    ULONG_PTR received = 0;
    DWORD result_flags = flags & (MSG_OOB | MSG_PEEK);
    NTSTATUS status = flags & MSG_WAITALL
        ? receive_all(s, socket, call, received)
        : receive_once(socket, call, buffers.array(), buffers.count(), result_flags, received);
    if (status == STATUS_CONNECTION_REFUSED && !socket->is_stream()
        && !socket->reports_unreachable) {
        socket.release_handle(); // closing it ends the wait of the next one
        return receive_on_socket(s, call); // [recvfrom/11]
    }
    const bool is_end = status == STATUS_SUCCESS && !received && socket->is_stream();
    // The host tells an end where a connect has failed. [recv/5]
    if (is_end && socket->connect_pending && !is_connected(*socket))
        return fail(WSAENOTCONN);
    WSABUF first;
    if (is_end && guard::read(call.buffers, first) && first.len
        && is_end_of_stream_a_reset(s, *socket))
        status = STATUS_CONNECTION_RESET;
    if (status == STATUS_CONNECTION_RESET && socket->is_stream())
        socket->told_reset = true;
    if (status == STATUS_DEVICE_NOT_READY)
        notifications::drained(*socket, ntke::kNotifyIn);
    if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW)
        return fail(error_from_status(refine_status(*socket, status)));
    note_transfer(*socket);
    // The count of a truncated datagram is written although the call fails. [recvfrom/6]
    if ((!(flags & MSG_WAITALL) && !buffers.scatter(received))
        || !guard::write(call.received, static_cast<DWORD>(received)))
        return fail(WSAEFAULT);
    if (status == STATUS_BUFFER_OVERFLOW)
        return fail(WSAEMSGSIZE);
    if (flags)
        guard::write(call.flags, DWORD { 0 });
    return succeed();
}

} // namespace

} // namespace ws2

using namespace ws2;

int WSAAPI recv(SOCKET s, char* buffer, int length, int flags)
{
    return recvfrom(s, buffer, length, flags, nullptr, nullptr);
}

int WSAAPI recvfrom(SOCKET s, char* buffer, int length, int flags, sockaddr* from, int* from_length)
{
    WSABUF data { static_cast<ULONG>(length), buffer };
    DWORD received = 0;
    DWORD call_flags = flags;
    const ReceiveCall call { .buffers = &data,
        .count = 1,
        .flags = &call_flags,
        .from = from,
        .from_length = from_length,
        .received = &received };
    return receive_on_socket(s, call) ? SOCKET_ERROR : static_cast<int>(received);
}

int WSAAPI WSARecv(SOCKET s, WSABUF* buffers, DWORD count, DWORD* received, DWORD* flags,
    WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSARecvFrom(s, buffers, count, received, flags, nullptr, nullptr, overlapped, routine);
}

int WSAAPI WSARecvFrom(SOCKET s, WSABUF* buffers, DWORD count, DWORD* received, DWORD* flags,
    sockaddr* from, int* from_length, WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const ReceiveCall call { .buffers = buffers,
        .count = count,
        .flags = flags,
        .from = from,
        .from_length = from_length,
        .received = received,
        .overlapped = overlapped,
        .routine = overlapped ? routine : nullptr };
    return receive_on_socket(s, call);
}

int WSAAPI ws2::recv_msg(SOCKET s, WSAMSG* message, DWORD* received, WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    WSAMSG given;
    if (!guard::read(message, given) || (!received && !overlapped))
        return fail(WSAEFAULT);
    if (has_length_of_nothing(given))
        return fail(WSAEFAULT);
    if (socket->is_stream() && (given.dwFlags & MSG_PEEK))
        return fail(WSAEOPNOTSUPP); // [WSASendMsg/19]
    if (!socket->is_stream() && !is_bound(*socket))
        return fail(WSAEINVAL);
    const bool wants_sender = given.name && !socket->is_stream();
    if (wants_sender
        && (given.namelen < address_length(socket->family)
            || !guard::is_writable(given.name, address_length(socket->family))))
        return fail(WSAEFAULT);
    TransferBuffers buffers;
    if (const int error = buffers.take(
            *socket, given.lpBuffers, given.dwBufferCount, TransferBuffers::kReceive, overlapped))
        return fail(error);
    kernel::Completion completion;
    if (overlapped && !completion_from_overlapped(overlapped, routine, completion))
        return fail(WSAEFAULT);

    const bool wants_control = given.Control.buf && given.Control.len;
    const afd::RecvMsgParams params { .control = wants_control ? afd::ptr64(&message->Control) : 0,
        .address = wants_sender ? afd::ptr64(given.name) : 0,
        .address_length = wants_sender ? afd::ptr64(&message->namelen) : 0,
        .flags = afd::ptr64(&message->dwFlags),
        .force_async = overlapped != nullptr,
        .count = buffers.count(),
        .buffers = afd::ptr64(buffers.array()) };
    if (overlapped) {
        const Answer answer = try_both(*socket, afd::kIoctlRecvMessage, [&](ULONG code) {
            return afd_call_overlapped(
                *socket, completion, code, &params, sizeof(params), nullptr, 0);
        });
        return finish_receive(*socket, answer, overlapped, routine, received);
    }
    ULONG_PTR count = 0;
    const auto receive = [&](ULONG code) {
        return afd_call_and_wait(
            socket, code, &params, sizeof(params), nullptr, 0, Alertable::kYes, &count);
    };
    const NTSTATUS status = try_both(*socket, afd::kIoctlRecvMessage, receive).status;
    if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW)
        return fail(error_from_status(refine_status(*socket, status)));
    // The host tells of control data that did not fit, and of nothing else.
    DWORD flags;
    if (status == STATUS_BUFFER_OVERFLOW && guard::read(&message->dwFlags, flags)
        && !(flags & (MSG_TRUNC | MSG_CTRUNC)))
        guard::write(&message->dwFlags, flags | MSG_TRUNC);
    if (!buffers.scatter(count) || !guard::write(received, static_cast<DWORD>(count)))
        return fail(WSAEFAULT);
    return status == STATUS_BUFFER_OVERFLOW ? fail(WSAEMSGSIZE) : succeed();
}
