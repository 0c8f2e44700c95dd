// Receiving and sending.
#include "afd/transfer.h"

#include <algorithm>
#include <cstring>

#include "afd/socket_file.h"
#include "nt/probe.h"

namespace afd {

namespace {

/// Linux takes no more buffers in one call.
constexpr uint32_t kBuffersPerCall = 1024;

template <typename T> T* pointer_from(Ptr64 value)
{
    return reinterpret_cast<T*>(static_cast<uintptr_t>(value));
}

} // namespace

// --- The buffers

Transfer::~Transfer()
{
    if (buffers != own_buffers)
        ke::pool_free(buffers);
}

NTSTATUS Transfer::capture(const WsaBuf* array, uint32_t array_count)
{
    constexpr uint32_t kMostBuffers = 1u << 20;
    const uint64_t bytes = uint64_t { array_count } * sizeof(WsaBuf);
    if (const NTSTATUS status = nt::probe(array, bytes, alignof(WsaBuf)); !NT_SUCCESS(status))
        return status;
    if (array_count > kMostBuffers)
        return STATUS_NO_MEMORY;
    if (array_count > std::size(own_buffers)) {
        auto* memory = ke::pool_allocate(array_count * sizeof(ntke::Buffer));
        if (!memory)
            return STATUS_NO_MEMORY;
        buffers = static_cast<ntke::Buffer*>(memory);
    }
    count = array_count;
    for (uint32_t i = 0; i < array_count; ++i) {
        const WsaBuf buffer = array[i];
        if (const NTSTATUS status = nt::probe(buffer.data, buffer.length, 1); !NT_SUCCESS(status))
            return status;
        buffers[i] = { reinterpret_cast<uintptr_t>(buffer.data), buffer.length };
        total += buffer.length;
    }
    return STATUS_SUCCESS;
}

void Transfer::set_buffer(void* data, size_t length)
{
    own_buffers[0] = { reinterpret_cast<uintptr_t>(data), length };
    count = 1;
    total = length;
}

Transfer* Transfer::move_to_pool()
{
    auto* moved = ke::pool_new<Transfer>(direction);
    if (!moved)
        return nullptr;
    moved->is_forced = is_forced;
    moved->flags = flags;
    moved->count = count;
    moved->first_left = first_left;
    moved->total = total;
    moved->done = done;
    moved->address = address;
    moved->address_length = address_length;
    moved->flags_result = flags_result;
    moved->control = control;
    moved->to = to;
    std::copy(std::begin(own_buffers), std::end(own_buffers), std::begin(moved->own_buffers));
    if (buffers != own_buffers)
        moved->buffers = std::exchange(buffers, own_buffers);
    return moved;
}

void Transfer::advance(size_t bytes)
{
    done += bytes;
    while (bytes) {
        ntke::Buffer& buffer = buffers[first_left];
        const size_t step = std::min<size_t>(bytes, buffer.length);
        buffer.data += step;
        buffer.length -= step;
        bytes -= step;
        if (!buffer.length && first_left + 1 < count)
            ++first_left;
    }
}

Transfer* Transfer::with_copy_of(const Transfer& left)
{
    auto* copy = ke::pool_new<Transfer>(left.direction);
    if (!copy)
        return nullptr;
    // One buffer in front of the bytes.
    const size_t length = left.total - left.done;
    auto* block = static_cast<uint8_t*>(ke::pool_allocate(sizeof(ntke::Buffer) + length));
    if (!block) {
        ke::pool_delete(copy);
        return nullptr;
    }
    uint8_t* position = block + sizeof(ntke::Buffer);
    copy->buffers = reinterpret_cast<ntke::Buffer*>(block);
    copy->buffers[0] = { reinterpret_cast<uintptr_t>(position), length };
    copy->count = 1;
    copy->total = length;
    copy->flags = left.flags;
    for (uint32_t i = 0; i < left.remaining_count(); ++i) {
        const ntke::Buffer& buffer = left.remaining()[i];
        memcpy(position, reinterpret_cast<const void*>(static_cast<uintptr_t>(buffer.data)),
            buffer.length);
        position += buffer.length;
    }
    return copy;
}

// --- One try

NTSTATUS SocketFile::try_transfer(Transfer& transfer, ULONG_PTR& information)
{
    return transfer.direction == Transfer::Direction::Receive ? try_receive(transfer, information)
                                                              : try_send(transfer, information);
}

/// A receive of no bytes waits for something to receive and leaves it there.
NTSTATUS SocketFile::try_receive_nothing(const Transfer& transfer)
{
    uint8_t byte;
    const ntke::Buffer buffer { reinterpret_cast<uintptr_t>(&byte), 1 };
    size_t received;
    const NTSTATUS status = receive_unrecorded(
        &buffer, 1, (transfer.flags & kMsgOob) | kMsgPeek, nullptr, &received);
    return status == STATUS_BUFFER_OVERFLOW ? STATUS_SUCCESS : status;
}

NTSTATUS SocketFile::try_receive(Transfer& transfer, ULONG_PTR& information)
{
    information = 0;
    NTSTATUS status;
    size_t received = 0;
    Address from;
    if (!transfer.total) {
        status = try_receive_nothing(transfer);
    } else {
        status = receive_unrecorded(transfer.buffers, std::min(transfer.count, kBuffersPerCall),
            transfer.flags, transfer.address ? &from : nullptr, &received);
    }
    if (status == STATUS_CONNECTION_REFUSED && !is_stream())
        return STATUS_PORT_UNREACHABLE; // [recvfrom/10]
    if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
        return status;
    information = received;
    if (transfer.address && transfer.address_length && !is_stream()) {
        memcpy(transfer.address, from.bytes, from.length);
        *transfer.address_length = static_cast<int32_t>(from.length);
    }
    if (transfer.control)
        transfer.control->length = 0;
    return status;
}

NTSTATUS SocketFile::try_send(Transfer& transfer, ULONG_PTR& information)
{
    const Address* to = transfer.to.length ? &transfer.to : nullptr;
    // Linux takes nothing also when there is no room for more.
    if (!transfer.total && is_stream() && !(m_socket.ready_now() & ~(kReadyIn | kReadyUrgent)))
        return STATUS_DEVICE_NOT_READY;
    for (;;) {
        size_t sent;
        const NTSTATUS status = send_unrecorded(transfer.remaining(),
            std::min(transfer.remaining_count(), kBuffersPerCall), transfer.flags, to, &sent);
        if (NT_SUCCESS(status))
            transfer.advance(sent);
        information = transfer.done;
        if (!NT_SUCCESS(status) || !is_stream() || transfer.done == transfer.total)
            return status;
    }
}

// --- Requests

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
    NTSTATUS status = STATUS_DEVICE_NOT_READY;
    if (queue.is_empty())
        status = try_receive(transfer, information);
    if (status == STATUS_DEVICE_NOT_READY
        && (transfer.is_forced || !m_is_nonblocking.load(std::memory_order_relaxed)))
        return pend_transfer(irp, transfer, queue);
    note_receive(transfer.flags, transfer.total, information, status);
    return status;
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
        information = transfer.total; // goes nowhere, and nobody is told [sendto]
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

NTSTATUS SocketFile::pend_transfer(io::Irp& irp, Transfer& transfer, RequestQueue& queue)
{
    Transfer* pending = transfer.move_to_pool();
    if (!pending)
        return STATUS_NO_MEMORY;
    Request::give(irp, pending);
    const bool is_receive = transfer.direction == Transfer::Direction::Receive;

    Completions done;
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (!transfer.is_forced && mode() == Mode::Asynchronous)
        pending->timeout = is_receive ? m_options.receive_timeout : m_options.send_timeout;
    const bool is_recording = m_is_recording.load(std::memory_order_relaxed);
    if (is_receive && is_recording)
        m_record.re_enable(transfer.flags & kMsgOob ? kPollReceiveExpedited : kPollReceive);
    const NTSTATUS status = pend(irp, queue, done);
    if (NT_SUCCESS(status) && is_receive)
        serve_transfers(queue, done);
    else if (NT_SUCCESS(status))
        serve_sends(done);
    if (is_recording)
        refresh(signal);
    return status;
}

void SocketFile::serve_transfers(RequestQueue& queue, Completions& done)
{
    io::Irp* next;
    for (io::Irp* irp = queue.first(); irp; irp = next) {
        next = irp->driver.next;
        if (!irp->claim())
            continue; // a canceller has it and will take it off
        auto& transfer = static_cast<Transfer&>(Request::of(*irp));
        ULONG_PTR information = 0;
        NTSTATUS status = try_transfer(transfer, information);
        if (status == STATUS_DEVICE_NOT_READY) {
            if (irp->unclaim())
                return;
            status = status_of_unserved(*irp);
        }
        queue.remove(*irp);
        done.add(*irp, status, information);
    }
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

NTSTATUS SocketFile::receive_message(io::Irp& irp, ULONG_PTR& information)
{
    const auto params = input_of<RecvMsgParams>(irp);
    Transfer transfer(Transfer::Direction::Receive);
    transfer.flags_result = pointer_from<uint32_t>(params.flags);
    transfer.control = pointer_from<WsaBuf>(params.control);
    transfer.address_length = pointer_from<int32_t>(params.address_length);
    for (const NTSTATUS status :
        { nt::probe_value(transfer.flags_result), nt::probe_optional(transfer.control),
            nt::probe_optional(transfer.address_length) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    transfer.address = pointer_from<uint8_t>(params.address);
    if (transfer.address && transfer.address_length && !is_stream()) {
        // Too little room for the sender's name: the datagram stays where it is. [recvfrom]
        const uint32_t size = address_size(static_cast<uint16_t>(m_family));
        if (*transfer.address_length < static_cast<int32_t>(size))
            return STATUS_ACCESS_VIOLATION;
        if (const NTSTATUS status = nt::probe(transfer.address, size, 1); !NT_SUCCESS(status))
            return status;
    }
    transfer.flags = *transfer.flags_result & (kMsgOob | kMsgPeek);
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
    const auto params = input_of<RecvParams>(irp);
    const int32_t kind = params.message_flags & (kNormal | kUrgent);
    if (kind != kNormal && kind != kUrgent)
        return STATUS_INVALID_PARAMETER;
    Transfer transfer(Transfer::Direction::Receive);
    transfer.flags = (kind == kUrgent ? kMsgOob : 0) | (params.message_flags & kPeek ? kMsgPeek : 0);
    transfer.is_forced = params.receive_flags & kForceAsync;
    const NTSTATUS status
        = transfer.capture(static_cast<const WsaBuf*>(params.buffers), params.count);
    return NT_SUCCESS(status) ? receive(irp, transfer, information) : status;
}

NTSTATUS SocketFile::send_message(io::Irp& irp, ULONG_PTR& information)
{
    const auto params = input_of<SendMsgParams>(irp);
    Transfer transfer(Transfer::Direction::Send);
    if (params.address && !is_stream()) {
        const auto* bytes = pointer_from<uint8_t>(params.address);
        if (!NT_SUCCESS(nt::probe(bytes, params.address_length, 1))
            || !NT_SUCCESS(capture_address(bytes, params.address_length, transfer.to)))
            return STATUS_ACCESS_VIOLATION;
    }
    transfer.flags = params.flags & kMsgOob;
    transfer.is_forced = params.force_async != 0;
    const NTSTATUS status = transfer.capture(pointer_from<WsaBuf>(params.buffers), params.count);
    return NT_SUCCESS(status) ? send(irp, transfer, information) : status;
}

NTSTATUS SocketFile::read(io::Irp& irp, ULONG_PTR& information)
{
    Transfer transfer(Transfer::Direction::Receive);
    transfer.set_buffer(irp.parameters().output, irp.parameters().output_length);
    transfer.is_forced = true;
    return receive(irp, transfer, information);
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
    if (!is_stream())
        return STATUS_INVALID_CONNECTION;
    Transfer transfer(Transfer::Direction::Send);
    transfer.is_forced = true;
    const WsaBuf parts[] = { { params.head_length, pointer_from<void>(params.head) },
        { params.tail_length, pointer_from<void>(params.tail) } };
    NTSTATUS status = transfer.capture(parts, std::size(parts));
    if (NT_SUCCESS(status))
        status = check_send(transfer);
    return NT_SUCCESS(status) ? pend_transfer(irp, transfer, m_sends) : status;
}

} // namespace afd
