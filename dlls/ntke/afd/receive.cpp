// Receiving.
#include <algorithm>

#include "afd/ancillary.h"
#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "ke/pool.h"
#include "ke/user_memory.h"
#include "nt/probe.h"

namespace afd {

namespace {

// Flags of a message, in Winsock's numbers.
constexpr uint32_t kMsgTruncated = 0x100; // MSG_TRUNC
constexpr uint32_t kMsgControlTruncated = 0x200; // MSG_CTRUNC
constexpr uint32_t kMsgBroadcast = 0x400; // MSG_BCAST
constexpr uint32_t kMsgMulticast = 0x800; // MSG_MCAST

/// False: they are too short.
bool read_params(const io::Irp& irp, RecvParams& params)
{
    if (nt::is_wow64()) {
        const auto given = input_of<RecvParams32>(irp);
        params = { nt::pointer_from_32(given.buffers), given.count, given.receive_flags,
            given.message_flags };
        return true;
    }
    if (irp.parameters().input_length < sizeof(params))
        return false;
    params = input_of<RecvParams>(irp);
    return true;
}

} // namespace

/// A stream's receive of no bytes waits for something to receive and leaves it there.
NTSTATUS SocketFile::try_receive_nothing(const Transfer& transfer)
{
    uint8_t byte;
    const Buffer buffer { reinterpret_cast<uintptr_t>(&byte), 1 };
    size_t received;
    return receive_unrecorded(
        &buffer, 1, (transfer.flags & kMsgOob) | kMsgPeek, nullptr, &received);
}

/// A part that has come keeps its place; what ends the connection ends the request with it.
NTSTATUS SocketFile::try_receive_all(Transfer& transfer, ULONG_PTR& information)
{
    for (;;) {
        ULONG_PTR received = 0;
        const NTSTATUS status = try_receive_once(transfer, received);
        const bool is_over = status != STATUS_SUCCESS || !received;
        if (!is_over)
            transfer.advance(received);
        information = transfer.done;
        if (status == STATUS_DEVICE_NOT_READY || transfer.done == transfer.total)
            return status;
        if (is_over)
            return transfer.done ? STATUS_SUCCESS : status;
    }
}

/// More buffers than Linux takes in a call are filled by several, as long as there is data.
NTSTATUS SocketFile::try_receive_many(Transfer& transfer, ULONG_PTR& information)
{
    for (;;) {
        const uint32_t count = std::min(transfer.remaining_count(), kBuffersPerCall);
        const uint64_t room = total_length(transfer.remaining(), count);
        ULONG_PTR received = 0;
        const NTSTATUS status = try_receive_once(transfer, received);
        if (status == STATUS_SUCCESS)
            transfer.advance(received);
        information = transfer.done;
        if (status != STATUS_SUCCESS)
            return transfer.done ? STATUS_SUCCESS : status;
        if (received < room || transfer.done == transfer.total)
            return STATUS_SUCCESS;
    }
}

NTSTATUS SocketFile::try_receive(Transfer& transfer, ULONG_PTR& information)
{
    if (transfer.waits_for_all)
        return try_receive_all(transfer, information);
    const bool is_long = transfer.remaining_count() > kBuffersPerCall;
    return is_long && is_stream() && !transfer.flags ? try_receive_many(transfer, information)
                                                     : try_receive_once(transfer, information);
}

/// Linux does not write to memory that Wine keeps read-only because its writes are watched, and
/// loses a datagram that it cannot write; a stream's data stay. So datagrams are preceded by a
/// touch.
NTSTATUS SocketFile::try_receive_once(Transfer& transfer, ULONG_PTR& information)
{
    if (!is_stream() && m_host_handle && transfer.total && !transfer.touch())
        return STATUS_ACCESS_VIOLATION;
    const NTSTATUS status = receive_into(transfer, information);
    const bool is_worth_a_try = status == STATUS_ACCESS_VIOLATION && is_stream() && m_host_handle;
    return is_worth_a_try && transfer.touch() ? receive_into(transfer, information) : status;
}

NTSTATUS SocketFile::receive_into(Transfer& transfer, ULONG_PTR& information)
{
    const uint32_t count = transfer.remaining_count();
    if (is_stream() || count <= kBuffersPerCall || !transfer.total)
        return receive_and_tell(
            transfer, transfer.remaining(), std::min(count, kBuffersPerCall), information);
    // A datagram comes in one call, so it comes into memory of ours first.
    const size_t length = std::min(transfer.total, kMostOfDatagram);
    auto* block = static_cast<uint8_t*>(ke::pool_allocate(length));
    if (!block)
        return STATUS_NO_MEMORY;
    const Buffer landing { reinterpret_cast<uintptr_t>(block), length };
    NTSTATUS status = receive_and_tell(transfer, &landing, 1, information);
    const bool has_come = status == STATUS_SUCCESS || status == STATUS_BUFFER_OVERFLOW;
    if (has_come && !transfer.scatter(block, information))
        status = STATUS_ACCESS_VIOLATION;
    ke::pool_free(block);
    return status;
}

/// One receive of Linux, into these buffers, and what else the request is told of it.
NTSTATUS SocketFile::receive_and_tell(
    Transfer& transfer, const Buffer* buffers, uint32_t count, ULONG_PTR& information)
{
    information = 0;
    NTSTATUS status;
    size_t received = 0;
    Address from;
    HostSocket::Control control;
    if (!transfer.total && is_stream()) {
        status = try_receive_nothing(transfer);
    } else if ((transfer.control || transfer.tells_message || transfer.local) && !is_stream()) {
        status = m_socket.receive(buffers, count, transfer.flags, &from, &received, &control);
    } else {
        status = receive_unrecorded(
            buffers, count, transfer.flags, transfer.address ? &from : nullptr, &received);
    }
    if (status == STATUS_CONNECTION_REFUSED && !is_stream())
        return STATUS_PORT_UNREACHABLE; // [recvfrom/10]
    if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
        return status;
    information = received;
    if (transfer.address && transfer.address_length && !is_stream()) {
        const auto length = static_cast<int32_t>(from.length);
        if (!ke::write_user(transfer.address, from.bytes, from.length)
            || !ke::write_user_value(transfer.address_length, length))
            return STATUS_ACCESS_VIOLATION; // gone since the request was made
    }
    if (transfer.local && !NT_SUCCESS(tell_local(transfer, control)))
        return STATUS_ACCESS_VIOLATION;
    const NTSTATUS of_control = tell_control(transfer, control);
    uint32_t flags = transfer.tells_message ? message_flags(control) : 0;
    if (transfer.tells_message && status == STATUS_BUFFER_OVERFLOW)
        flags |= kMsgTruncated;
    if (of_control == STATUS_BUFFER_OVERFLOW)
        flags |= kMsgControlTruncated;
    const bool must_tell = flags || transfer.tells_message;
    if (must_tell && !ke::write_user_value(transfer.flags_result, flags))
        return STATUS_ACCESS_VIOLATION;
    return of_control == STATUS_SUCCESS ? status : of_control;
}

NTSTATUS SocketFile::tell_local(const Transfer& transfer, const HostSocket::Control& control)
{
    Address local = destination_from(control);
    if (local.length > sizeof(uint32_t) * 4)
        memcpy(local.bytes, &kFamilyInet6, sizeof(kFamilyInet6)); // Linux has another number
    else if (!local.length)
        m_socket.local_name(local); // a stream, or Linux did not say
    const auto length = static_cast<int32_t>(local.length);
    const bool is_told = ke::write_user(transfer.local, local.bytes, local.length)
        && ke::write_user_value(transfer.local_length, length);
    return is_told ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/// STATUS_BUFFER_OVERFLOW: there is more than the program has room for.
NTSTATUS SocketFile::tell_control(const Transfer& transfer, const HostSocket::Control& control)
{
    WsaBuf room;
    if (!transfer.control)
        return STATUS_SUCCESS;
    if (!read_buffer(room, transfer.control, 0))
        return STATUS_ACCESS_VIOLATION;
    ToldControl told;
    const bool has_fit = write_control(control,
        { m_wants_class.load(std::memory_order_relaxed),
            m_wants_ecn.load(std::memory_order_relaxed) },
        room.length, told);
    // The length is the first field in every layout.
    if (!ke::write_user(room.data, told.bytes, told.length)
        || !ke::write_user_value(&transfer.control->length, static_cast<ULONG>(told.length)))
        return STATUS_ACCESS_VIOLATION;
    return has_fit ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/// To whom was the message sent, this socket alone or many?
uint32_t SocketFile::message_flags(const HostSocket::Control& control)
{
    constexpr size_t kInetOffset = 4; // of the address in sockaddr_in
    constexpr size_t kInet6Offset = 8;
    constexpr uint8_t kMulticast6 = 0xFF;
    const Address destination = destination_from(control);
    if (destination.length > sizeof(uint32_t) * 4)
        return destination.bytes[kInet6Offset] == kMulticast6 ? kMsgMulticast : 0;
    const uint8_t first = destination.bytes[kInetOffset];
    if (first >= 224 && first < 240)
        return kMsgMulticast;
    uint32_t word;
    memcpy(&word, destination.bytes + kInetOffset, sizeof(word));
    if (!word || word == m_own_destination.load(std::memory_order_relaxed))
        return 0;
    if (word == m_broadcast_destination.load(std::memory_order_relaxed))
        return kMsgBroadcast;
    const bool is_broadcast = HostSocket::is_broadcast(destination);
    (is_broadcast ? m_broadcast_destination : m_own_destination)
        .store(word, std::memory_order_relaxed);
    return is_broadcast ? kMsgBroadcast : 0;
}

NTSTATUS SocketFile::check_receive(const Transfer& transfer)
{
    settle_now();
    if (is_stream() && state() != SocketState::Connected)
        return STATUS_INVALID_CONNECTION;
    if (has(ntke::kSocketReceiveShutDown))
        return STATUS_PIPE_DISCONNECTED;
    if (!is_stream() && !has(ntke::kSocketBound))
        return STATUS_INVALID_PARAMETER;
    if ((transfer.flags & kMsgOob) && has(ntke::kSocketOobInline))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::receive(io::Irp& irp, Transfer& transfer, ULONG_PTR& information)
{
    if (const NTSTATUS status = check_receive(transfer); !NT_SUCCESS(status))
        return status;
    look_before_urgent_receive(transfer.flags);
    RequestQueue& queue = transfer.flags & kMsgOob ? m_urgent_receives : m_receives;
    const uint32_t before = changes();
    const bool is_next = queue.is_empty();
    const NTSTATUS status = is_next ? try_receive(transfer, information) : STATUS_DEVICE_NOT_READY;
    if (status == STATUS_DEVICE_NOT_READY
        && (transfer.is_forced || !m_is_nonblocking.load(std::memory_order_relaxed))) {
        if (is_of_host() && mode() != Mode::Asynchronous)
            return ntke::kPassDown; // the host waits
        return pend_transfer(irp, transfer, queue, is_next ? &before : nullptr);
    }
    note_receive(transfer.flags, transfer.total, information, status);
    return status;
}

NTSTATUS SocketFile::receive_now(
    const Buffer* buffers, uint32_t count, uint32_t flags, Address* from, size_t* received)
{
    const RequestQueue& queue = flags & kMsgOob ? m_urgent_receives : m_receives;
    return queue.is_empty() ? Endpoint::receive(buffers, count, flags, from, received)
                            : ntke::kPassDown;
}

/// From here on receives can ask for them.
void SocketFile::tell_destinations()
{
    if (!is_stream() && !m_tells_destinations.exchange(true))
        m_socket.tell_destinations(m_family == kFamilyInet6);
}

NTSTATUS SocketFile::receive_message(io::Irp& irp, ULONG_PTR& information)
{
    const auto params = input_of<RecvMsgParams>(irp);
    Transfer transfer(Transfer::Direction::Receive);
    transfer.tells_message = irp.parameters().code == kIoctlRecvMessage;
    if (transfer.tells_message)
        tell_destinations();
    transfer.flags_result = pointer_from<uint32_t>(params.flags);
    transfer.control = pointer_from<WsaBuf>(params.control);
    transfer.address_length = pointer_from<int32_t>(params.address_length);
    for (const NTSTATUS status : { nt::probe_value(transfer.flags_result),
             nt::probe_optional(transfer.control), nt::probe_optional(transfer.address_length) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    if (transfer.control) {
        WsaBuf control;
        if (!read_buffer(control, transfer.control, 0))
            return STATUS_ACCESS_VIOLATION;
        if (const NTSTATUS status = nt::probe(control.data, control.length, 1); !NT_SUCCESS(status))
            return status;
    }
    transfer.address = pointer_from<uint8_t>(params.address);
    if (transfer.address && transfer.address_length && !is_stream()) {
        // Too little room for the sender's name: the datagram stays where it is. [recvfrom/5]
        const uint32_t size = address_size(static_cast<uint16_t>(m_family));
        int32_t room = 0;
        if (!ke::read_user(&room, transfer.address_length, sizeof(room))
            || room < static_cast<int32_t>(size))
            return STATUS_ACCESS_VIOLATION;
        if (const NTSTATUS status = nt::probe(transfer.address, size, 1); !NT_SUCCESS(status))
            return status;
    }
    if (!ke::read_user(&transfer.flags, transfer.flags_result, sizeof(transfer.flags)))
        return STATUS_ACCESS_VIOLATION;
    transfer.flags &= kMsgOob | kMsgPeek;
    transfer.is_forced = params.force_async != 0;
    const NTSTATUS status = transfer.capture(pointer_from<WsaBuf>(params.buffers), params.count);
    return NT_SUCCESS(status) ? receive(irp, transfer, information) : status;
}

NTSTATUS SocketFile::receive_plain(io::Irp& irp, ULONG_PTR& information)
{
    constexpr int32_t kForceAsync = 2;
    constexpr int32_t kNormal = 0x20;
    constexpr int32_t kUrgent = 0x40;
    constexpr int32_t kPeek = 0x80;
    RecvParams params;
    if (!read_params(irp, params))
        return STATUS_INVALID_PARAMETER;
    const int32_t kind = params.message_flags & (kNormal | kUrgent);
    if (kind != kNormal && kind != kUrgent)
        return STATUS_INVALID_PARAMETER;
    Transfer transfer(Transfer::Direction::Receive);
    transfer.flags
        = (kind == kUrgent ? kMsgOob : 0) | (params.message_flags & kPeek ? kMsgPeek : 0);
    transfer.is_forced = params.receive_flags & kForceAsync;
    const NTSTATUS status
        = transfer.capture(static_cast<const WsaBuf*>(params.buffers), params.count);
    return NT_SUCCESS(status) ? receive(irp, transfer, information) : status;
}

NTSTATUS SocketFile::read(io::Irp& irp, ULONG_PTR& information)
{
    Transfer transfer(Transfer::Direction::Receive);
    transfer.set_buffer(irp.parameters().output, irp.parameters().output_length);
    transfer.is_forced = true;
    // Nobody has looked at it, and data may be long in coming. (Winsock's calls look themselves.)
    if (m_host_handle && !transfer.touch())
        return STATUS_ACCESS_VIOLATION;
    return receive(irp, transfer, information);
}

} // namespace afd
