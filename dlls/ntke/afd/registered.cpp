// Requests of registered I/O.
#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "io/registered.h"
#include "ke/user_memory.h"

namespace afd {

using ntke::RegisteredRequest;

namespace {

bool is_send(const RegisteredRequest& request)
{
    return request.flags & ntke::kRegisteredSend;
}

RegisteredRequest* next_of(const RegisteredRequest& request)
{
    return ntke::registered_request_from(request.next);
}

} // namespace

/// The request's memory is ws2_32's, the buffers in it are the program's.
void SocketFile::capture_registered(RegisteredRequest& request, Transfer& transfer)
{
    transfer.set_buffer(pointer_from<void>(request.data), request.length);
    transfer.is_forced = true;
    if (is_send(request))
        return;
    transfer.waits_for_all = is_stream() && (request.flags & ntke::kRegisteredWaitAll);
    transfer.tells_message = request.flags & ntke::kRegisteredTellsMessage;
    transfer.flags_result = &request.message_flags;
    transfer.control = pointer_from<WsaBuf>(request.control);
    transfer.address = pointer_from<uint8_t>(request.address);
    transfer.address_length = &request.address_length;
    transfer.local = pointer_from<uint8_t>(request.local);
    transfer.local_length = &request.local_length;
    if (transfer.tells_message || transfer.local)
        tell_destinations();
}

NTSTATUS SocketFile::capture_registered_send(const RegisteredRequest& request, Transfer& transfer)
{
    if (request.address && !is_stream()) {
        uint8_t given[sizeof(Address::bytes)];
        const auto length = static_cast<uint32_t>(request.address_length);
        if (length > sizeof(given)
            || !ke::read_user(given, pointer_from<void>(request.address), length))
            return STATUS_ACCESS_VIOLATION;
        if (const NTSTATUS status = capture_address(given, length, transfer.to);
            !NT_SUCCESS(status))
            return status;
    }
    if (!request.control)
        return STATUS_SUCCESS;
    WsaBuf control;
    if (!read_buffer(control, pointer_from<WsaBuf>(request.control), 0))
        return STATUS_ACCESS_VIOLATION;
    return capture_control(static_cast<const uint8_t*>(control.data), control.length, transfer);
}

NTSTATUS SocketFile::registered(io::Irp& irp, ULONG_PTR& information)
{
    auto& request = *static_cast<RegisteredRequest*>(const_cast<void*>(irp.parameters().input));
    Transfer transfer(is_send(request) ? Transfer::Direction::Send : Transfer::Direction::Receive);
    capture_registered(request, transfer);
    if (!is_send(request))
        return receive(irp, transfer, information);
    const NTSTATUS status = capture_registered_send(request, transfer);
    return NT_SUCCESS(status) ? send(irp, transfer, information) : status;
}

/// Sends the datagrams at the front of the list, as far as they need nothing but that. Returns how
/// many have been.
uint32_t SocketFile::send_many(RegisteredRequest* first)
{
    HostSocket::Datagram datagrams[HostSocket::kMostDatagrams];
    Address names[HostSocket::kMostDatagrams];
    uint32_t count = 0;
    for (RegisteredRequest* request = first;
         request && count < HostSocket::kMostDatagrams && is_send(*request) && !request->control;
         request = next_of(*request)) {
        HostSocket::Datagram& datagram = datagrams[count];
        datagram = { { static_cast<uintptr_t>(request->data), request->length }, nullptr };
        Transfer named(Transfer::Direction::Send);
        if (!NT_SUCCESS(capture_registered_send(*request, named)) || !NT_SUCCESS(check_send(named)))
            break;
        if (named.to.length) {
            names[count] = named.to;
            datagram.to = &names[count];
        }
        ++count;
    }
    return count > 1 ? m_socket.send_many(datagrams, count) : 0;
}

RegisteredRequest* SocketFile::submit(RegisteredRequest* first)
{
    RegisteredRequest* request = first;
    while (request) {
        uint32_t sent = 0;
        if (is_send(*request) && !is_stream() && request->next && has(ntke::kSocketBound)
            && !has_older_sends())
            sent = send_many(request);
        // Whoever takes a completed request may use its memory again.
        for (; sent; --sent) {
            RegisteredRequest* const done = std::exchange(request, next_of(*request));
            io::notify_registered(io::put_registered(*done, STATUS_SUCCESS, done->length));
        }
        if (!request)
            break;
        RegisteredRequest* const next = next_of(*request);
        io::Parameters parameters { .operation = io::Operation::Registered, .input = request };
        io::Delivery delivery;
        delivery.registered = request;
        const NTSTATUS status = io::issue(*this, parameters, std::move(delivery));
        if (status == ntke::kPassDown)
            return request;
        request = next;
    }
    return nullptr;
}

} // namespace afd
