#include "afd_call.h"

#include "emulation.h"
#include "error.h"
#include "guard.h"
#include "poll_request.h"
#include "thread.h"

namespace ws2 {

/// Does the kernel say that the handle of a request is no socket?
static bool is_not_a_socket(NTSTATUS status)
{
    return status == STATUS_INVALID_HANDLE || status == STATUS_OBJECT_TYPE_MISMATCH;
}

/// Of the family that no host has. [af_unix/1]
static NTSTATUS create_unix_socket(ULONG attributes, HANDLE* handle)
{
    ntke::CreateUnixArgs args {};
    args.is_inheritable = attributes == OBJ_INHERIT;
    const NTSTATUS status = emulation::call(ntke::kCallCreateUnix, &args);
    *handle = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(args.socket));
    return status;
}

NTSTATUS afd_open_socket(
    const afd::CreateParams& params, ULONG attributes, ULONG options, HANDLE* handle)
{
    if (params.family == AF_UNIX && emulation::is_on())
        return create_unix_socket(attributes, handle);
    SharedGuard guard(g_unmade_sockets);
    NTSTATUS status = kernel::open_afd(handle, attributes, options);
    if (!NT_SUCCESS(status))
        return status;
    status = afd_call(*handle, afd::kIoctlCreate, &params, sizeof(params), nullptr, 0);
    if (!NT_SUCCESS(status))
        kernel::close(*handle);
    return status;
}

NTSTATUS afd_call(HANDLE handle, ULONG code, const void* input, ULONG input_length, void* output,
    ULONG output_length, ULONG_PTR* information)
{
    // The device leaves parts of the status block unwritten for some requests.
    IO_STATUS_BLOCK iosb {};
    const NTSTATUS status = kernel::device_io_control(
        handle, { .iosb = &iosb }, code, input, input_length, output, output_length);
    if (information)
        *information = iosb.Information;
    return status;
}

NTSTATUS afd_call(Socket& socket, ULONG code, const void* input, ULONG input_length, void* output,
    ULONG output_length, ULONG_PTR* information)
{
    filter::before_request(socket, code);
    const NTSTATUS status
        = afd_call(socket.handle, code, input, input_length, output, output_length, information);
    if (is_not_a_socket(status))
        forget_stale_socket(socket);
    return status;
}

/// The end of a request that closing its socket has ended. [closesocket/7]
static NTSTATUS status_of_ended_wait(NTSTATUS status)
{
    const bool is_closed = status == STATUS_CANCELLED || status == STATUS_HANDLES_CLOSED;
    return is_closed ? STATUS_REQUEST_ABORTED : status;
}

NTSTATUS wait_for_completion(HANDLE event, IO_STATUS_BLOCK& iosb, Alertable alertable)
{
    while (kernel::wait(event, alertable == Alertable::kYes) == STATUS_USER_APC) { }
    // Only a program that closes handles it does not own gets here with the request running: the
    // stack must outlive the request all the same.
    while (static_cast<volatile NTSTATUS&>(iosb.Status) == STATUS_PENDING)
        Sleep(1);
    return status_of_ended_wait(iosb.Status);
}

static bool is_receive(ULONG code)
{
    return code == afd::kIoctlRecvMsg || code == afd::kIoctlRecvDatagram
        || code == afd::kIoctlRecvMessage;
}

/// A receive on a socket that is being closed: what looks like the end of the stream is the end of
/// the socket. Other requests keep their status. [closesocket/7]
static NTSTATUS status_of_receive(
    const Socket& socket, ULONG code, NTSTATUS status, ULONG_PTR received)
{
    const bool is_end = is_receive(code) && status == STATUS_SUCCESS && !received;
    return is_end && socket.closing ? STATUS_REQUEST_ABORTED : status;
}

static bool is_send(ULONG code)
{
    return code == afd::kIoctlSendMsg || code == afd::kIoctlSendControl
        || code == afd::kIoctlTransmit || code == afd::kIoctlTransmitView;
}

/// Who ends a request on a socket that ntke has?
static WaitsFor who_ends(ULONG code)
{
    if (code == afd::kIoctlConnect)
        return WaitsFor::kEither;
    return is_send(code) || is_receive(code) ? WaitsFor::kNtke : WaitsFor::kHost;
}

/// Takes the turn of a request that needs one.
static void take_turn(Socket& socket, ULONG code, SendTurnGuard& turn)
{
    if (is_send(code) && filter::takes_turns(socket))
        turn.take(socket.filter.send_turn, socket.closing);
}

/// What the emulation makes of a request. True: it is done, with `status` and `information`.
static bool is_done_by_emulation(Socket& socket, ULONG code, const void* input, NTSTATUS& status,
    ULONG_PTR& information, filter::SendRest& rest)
{
    switch (code) {
    case afd::kIoctlRecvMsg:
        return filter::receive(
            socket, *static_cast<const afd::RecvMsgParams*>(input), status, information);
    case afd::kIoctlSendMsg:
        return filter::send(
            socket, *static_cast<const afd::SendMsgParams*>(input), status, information, rest);
    default:
        return false;
    }
}

NTSTATUS afd_call_and_wait(SocketRef& socket, ULONG code, const void* input, ULONG input_length,
    void* output, ULONG output_length, Alertable alertable, ULONG_PTR* information)
{
    NTSTATUS status;
    ULONG_PTR moved = 0;
    const bool sends = is_send(code);
    SendTurnGuard turn;
    take_turn(*socket, code, turn);
    filter::SendRest rest;
    if (is_done_by_emulation(*socket, code, input, status, moved, rest)) {
        if (information)
            *information = moved;
        return status_of_receive(*socket, code, status, moved);
    }
    if (rest.sent)
        input = &rest.params;
    const bool is_served = filter::before_request(*socket, code);
    WaitEvent event(is_served ? who_ends(code) : WaitsFor::kHost);
    if (!event.get())
        return STATUS_INSUFFICIENT_RESOURCES;

    socket->blocking_calls.fetch_add(1);
    if (sends)
        socket->blocking_sends.fetch_add(1);
    if (!socket->is_overlapped())
        turn.release(); // this waits inside the kernel
    IO_STATUS_BLOCK iosb {};
    iosb.Status = STATUS_PENDING;
    status = kernel::device_io_control(socket->handle, { .event = event.get(), .iosb = &iosb },
        code, input, input_length, output, output_length);
    turn.release();
    if (status == STATUS_PENDING) {
        // closesocket marks the socket before it cancels. Either its cancel found this send, or the
        // mark was made before the send was issued and is seen now.
        if (sends && socket->closing)
            kernel::cancel(socket->handle, &iosb);
        socket.release_handle();
        status = wait_for_completion(event.get(), iosb, alertable);
        if (code == afd::kIoctlConnect)
            filter::note_connect_ended(*socket, status);
    } else if (is_not_a_socket(status)) {
        forget_stale_socket(*socket);
    } else {
        status = status_of_ended_wait(status); // A synchronous handle has waited in the kernel.
    }
    if (sends)
        socket->blocking_sends.fetch_sub(1);
    socket->blocking_calls.fetch_sub(1);
    status = status_of_receive(*socket, code, status, iosb.Information);
    if (status == STATUS_CONNECTION_ABORTED && socket->closing)
        status = STATUS_REQUEST_ABORTED; // a receive, aborted by the close [closesocket/7]
    if (sends && status == STATUS_DEVICE_NOT_READY)
        filter::note_re_enabled(*socket, afd::kPollSend);
    if (is_receive(code))
        filter::note_re_enabled(*socket, afd::kPollReceive);
    if (information)
        *information = rest.sent + iosb.Information;
    return status;
}

/// Runs an application's completion routine. `context` is the routine, the status block begins the
/// OVERLAPPED it was given with the request.
static void NTAPI call_completion_routine(void* context, IO_STATUS_BLOCK* iosb, ULONG)
{
    const auto routine = reinterpret_cast<LPWSAOVERLAPPED_COMPLETION_ROUTINE>(context);
    routine(error_from_status(iosb->Status), iosb->Information,
        reinterpret_cast<WSAOVERLAPPED*>(iosb), 0);
}

bool completion_from_overlapped(WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, kernel::Completion& completion)
{
    static_assert(offsetof(WSAOVERLAPPED, Internal) == 0
        && offsetof(WSAOVERLAPPED, InternalHigh) == offsetof(IO_STATUS_BLOCK, Information));
    HANDLE event;
    if (!guard::read(&overlapped->hEvent, event)
        || !guard::write(&overlapped->Internal, ULONG_PTR { STATUS_PENDING }))
        return false;

    completion = { .iosb = reinterpret_cast<IO_STATUS_BLOCK*>(overlapped) };
    if (routine) {
        // The event is the application's to use. [overlapped/17]
        completion.apc = call_completion_routine;
        completion.context = reinterpret_cast<void*>(routine);
        return true;
    }
    completion.event = event;
    // An event with bit 0 set asks for no completion packet. [overlapped/21]
    if (!(reinterpret_cast<ULONG_PTR>(event) & 1))
        completion.context = overlapped;
    return true;
}

NTSTATUS afd_call_overlapped(Socket& socket, const kernel::Completion& completion, ULONG code,
    const void* input, ULONG input_length, void* output, ULONG output_length)
{
    filter::before_overlapped(socket, code);
    if (is_receive(code))
        filter::note_re_enabled(socket, afd::kPollReceive);
    SendTurnGuard turn;
    take_turn(socket, code, turn);
    const NTSTATUS status = kernel::device_io_control(
        socket.handle, completion, code, input, input_length, output, output_length);
    // An AcceptEx is the listener's, whichever handle it was started on. [overlapped/62]
    const bool is_accept = code == afd::kIoctlAcceptInto || code == afd::kIoctlAcceptHere;
    if (status == STATUS_PENDING && !is_accept)
        socket.pended.store(true, std::memory_order_relaxed);
    return status;
}

NTSTATUS complete_overlapped(Socket& socket, const kernel::Completion& completion, NTSTATUS status)
{
    completion.iosb->Information = 0; // the host may leave it as it is
    return kernel::device_io_control(
        socket.handle, completion, afd::kIoctlCompleteAsync, &status, sizeof(status), nullptr, 0);
}

} // namespace ws2
