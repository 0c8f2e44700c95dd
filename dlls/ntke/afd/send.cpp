// Sending.
#include <algorithm>

#include "afd/ancillary.h"
#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "ke/user_memory.h"
#include "nt/probe.h"

namespace afd {

NTSTATUS SocketFile::try_send(Transfer& transfer, ULONG_PTR& information)
{
    const Address* to = transfer.to.length ? &transfer.to : nullptr;
    for (;;) {
        size_t sent;
        const NTSTATUS status = send_unrecorded(transfer.remaining(),
            std::min(transfer.remaining_count(), kBuffersPerCall), transfer.flags, to, &sent,
            transfer.control_to_send);
        if (NT_SUCCESS(status))
            transfer.advance(sent);
        information = transfer.done;
        if (!NT_SUCCESS(status) || !is_stream() || transfer.done == transfer.total)
            return status;
    }
}

NTSTATUS SocketFile::check_send(Transfer& transfer)
{
    settle_now();
    if (has(ntke::kSocketSendShutDown))
        return STATUS_PIPE_DISCONNECTED;
    if (is_stream()) {
        transfer.to.length = 0; // ignored, whatever it is
        return state() == SocketState::Connected ? STATUS_SUCCESS : STATUS_INVALID_CONNECTION;
    }
    if (!transfer.to.length)
        return has(ntke::kSocketHasPeer) ? STATUS_SUCCESS : STATUS_INVALID_CONNECTION;
    return transfer.to.family() == m_family ? STATUS_SUCCESS : STATUS_INVALID_ADDRESS;
}

NTSTATUS SocketFile::send(io::Irp& irp, Transfer& transfer, ULONG_PTR& information)
{
    if (const NTSTATUS status = check_send(transfer); !NT_SUCCESS(status))
        return status;
    NTSTATUS status = STATUS_DEVICE_NOT_READY;
    if (!has_older_sends())
        status = try_send(transfer, information);
    if (status == STATUS_DEVICE_NOT_READY) {
        if (transfer.is_forced || !m_is_nonblocking.load(std::memory_order_relaxed))
            return pend_transfer(irp, transfer, m_sends);
        if (!transfer.done) {
            note_full();
            return status;
        }
        if (put_by(transfer))
            information = transfer.total;
        return STATUS_SUCCESS;
    }
    const bool is_to_port_0 = transfer.to.length && !transfer.to.bytes[2] && !transfer.to.bytes[3];
    if (status == STATUS_INVALID_PARAMETER && is_to_port_0) {
        information = transfer.total; // goes nowhere, and nobody is told [sendto/4]
        status = STATUS_SUCCESS;
    }
    if (NT_SUCCESS(status) && !has(ntke::kSocketBound)) {
        Signal signal;
        ke::LockGuard guard(m_lock);
        set_bound(); // Linux has bound it
        if (m_is_recording.load(std::memory_order_relaxed))
            refresh(signal);
    }
    return status;
}

NTSTATUS SocketFile::send_now(
    const Buffer* buffers, uint32_t count, uint32_t flags, const Address* to, size_t* sent)
{
    return has_older_sends() ? ntke::kPassDown : Endpoint::send(buffers, count, flags, to, sent);
}

bool SocketFile::put_by(const Transfer& transfer)
{
    Transfer* backlog = Transfer::with_copy_of(transfer);
    if (!backlog)
        return false;
    ke::LockGuard guard(m_lock);
    // The pump must know of it, and no other send may have come in between.
    if (m_is_closing || has_older_sends() || !NT_SUCCESS(watch())) {
        ke::pool_delete(backlog);
        return false;
    }
    m_backlog.store(backlog, std::memory_order_release);
    serve_backlog(); // room that has come since the last try is told by no edge
    return true;
}

void SocketFile::serve_backlog()
{
    Transfer* backlog = m_backlog.load(std::memory_order_relaxed);
    ULONG_PTR information = 0;
    if (!backlog || try_send(*backlog, information) == STATUS_DEVICE_NOT_READY)
        return;
    // Sent, or the connection is gone: the next transfer tells.
    m_backlog.store(nullptr, std::memory_order_release);
    ke::pool_delete(backlog);
}

void SocketFile::serve_sends(Completions& done)
{
    serve_backlog();
    if (!has_backlog())
        serve_transfers(m_sends, done);
    if (m_is_ending && !has_older_sends())
        end_stream();
}

NTSTATUS SocketFile::send_message(io::Irp& irp, ULONG_PTR& information)
{
    Transfer transfer(Transfer::Direction::Send);
    const NTSTATUS status = capture_message(input_of<SendMsgParams>(irp), transfer);
    return NT_SUCCESS(status) ? send(irp, transfer, information) : status;
}

NTSTATUS SocketFile::send_with_control(io::Irp& irp, ULONG_PTR& information)
{
    const auto params = input_of<SendControlParams>(irp);
    if (is_stream())
        return STATUS_INVALID_PARAMETER;
    Transfer transfer(Transfer::Direction::Send);
    NTSTATUS status = capture_message(params.message, transfer);
    if (NT_SUCCESS(status))
        status = capture_control(
            pointer_from<uint8_t>(params.control), params.control_length, transfer);
    return NT_SUCCESS(status) ? send(irp, transfer, information) : status;
}

NTSTATUS SocketFile::capture_control(const uint8_t* control, uint32_t length, Transfer& transfer)
{
    uint8_t given[sizeof(HostSocket::Control::bytes)];
    if (length > sizeof(given))
        return STATUS_INVALID_PARAMETER;
    if (!ke::read_user(given, control, length))
        return STATUS_ACCESS_VIOLATION;
    Address to = transfer.to;
    if (!to.length && m_family == kFamilyInet6)
        m_socket.peer_name(to);
    transfer.control_to_send = ke::pool_new<HostSocket::Control>();
    if (!transfer.control_to_send)
        return STATUS_NO_MEMORY;
    return read_control(given, length, { m_socket, m_family == kFamilyInet6, is_mapped(to) },
        *transfer.control_to_send);
}

NTSTATUS SocketFile::capture_message(const SendMsgParams& params, Transfer& transfer)
{
    if (params.address && !is_stream()) {
        const auto* bytes = pointer_from<uint8_t>(params.address);
        Address given;
        given.length = std::min<uint32_t>(params.address_length, sizeof(given.bytes));
        if (!NT_SUCCESS(nt::probe(bytes, params.address_length, 1))
            || !ke::read_user(given.bytes, bytes, given.length)
            || !NT_SUCCESS(capture_address(given.bytes, given.length, transfer.to)))
            return STATUS_ACCESS_VIOLATION;
    }
    transfer.flags = params.flags & kMsgOob;
    transfer.is_forced = params.force_async != 0;
    const NTSTATUS status = transfer.capture(pointer_from<WsaBuf>(params.buffers), params.count);
    // A datagram goes in one call.
    const bool is_long = !is_stream() && transfer.remaining_count() > kBuffersPerCall;
    return NT_SUCCESS(status) && is_long ? transfer.gather() : status;
}

NTSTATUS SocketFile::write(io::Irp& irp, ULONG_PTR& information)
{
    Transfer transfer(Transfer::Direction::Send);
    transfer.set_buffer(const_cast<void*>(irp.parameters().input), irp.parameters().input_length);
    transfer.is_forced = true;
    return send(irp, transfer, information);
}

NTSTATUS SocketFile::transmit(io::Irp& irp, ULONG_PTR&)
{
    const auto params = input_of<TransmitParams>(irp);
    if (params.file)
        return STATUS_NOT_IMPLEMENTED; // there are no files here
    Transfer transfer(Transfer::Direction::Send);
    return transmit_around(irp, transfer, params, {});
}

NTSTATUS SocketFile::transmit_view(io::Irp& irp, ULONG_PTR&)
{
    const auto params = input_of<TransmitViewParams>(irp);
    void* const view = pointer_from<void>(params.view);
    Transfer transfer(Transfer::Direction::Send);
    if (params.gives_view && unmap_view) {
        transfer.view = view;
        transfer.finish
            = [](io::Irp&, Request& request) { unmap_view(static_cast<Transfer&>(request).view); };
    }
    return transmit_around(irp, transfer, params.transmit, { params.view_length, view });
}

NTSTATUS SocketFile::transmit_around(
    io::Irp& irp, Transfer& transfer, const TransmitParams& params, const WsaBuf& middle)
{
    if (!is_stream())
        return STATUS_INVALID_CONNECTION;
    transfer.is_forced = true;
    const WsaBuf parts[] = { { params.head_length, pointer_from<void>(params.head) }, middle,
        { params.tail_length, pointer_from<void>(params.tail) } };
    NTSTATUS status = transfer.capture_parts(parts);
    if (NT_SUCCESS(status))
        status = check_send(transfer);
    return NT_SUCCESS(status) ? pend_transfer(irp, transfer, m_sends) : status;
}

} // namespace afd
