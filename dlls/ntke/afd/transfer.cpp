// Transfers: their buffers, and how they pend.
#include "afd/transfer.h"

#include <algorithm>
#include <cstring>

#include "afd/socket_file.h"
#include "ke/user_memory.h"
#include "nt/probe.h"

namespace afd {

// --- The buffers

bool read_buffer(WsaBuf& buffer, const WsaBuf* array, uint32_t index)
{
    if (!nt::is_wow64()) [[likely]]
        return ke::read_user(&buffer, &array[index], sizeof(buffer));
    WsaBuf32 of_program;
    if (!ke::read_user(
            &of_program, reinterpret_cast<const WsaBuf32*>(array) + index, sizeof(of_program)))
        return false;
    buffer = { of_program.length, nt::pointer_from_32(of_program.data) };
    return true;
}

Transfer::~Transfer()
{
    if (buffers != own_buffers)
        ke::pool_free(buffers);
    ke::pool_delete(control_to_send);
}

NTSTATUS Transfer::capture(const WsaBuf* array, uint32_t array_count)
{
    constexpr uint32_t kMostBuffers = 1u << 20;
    const bool is_short = nt::is_wow64();
    const uint64_t bytes
        = uint64_t { array_count } * (is_short ? sizeof(WsaBuf32) : sizeof(WsaBuf));
    if (const NTSTATUS status
        = nt::probe(array, bytes, is_short ? alignof(WsaBuf32) : alignof(WsaBuf));
        !NT_SUCCESS(status))
        return status;
    if (array_count > kMostBuffers)
        return STATUS_NO_MEMORY;
    if (array_count > std::size(own_buffers)) {
        auto* memory = ke::pool_allocate(array_count * sizeof(Buffer));
        if (!memory)
            return STATUS_NO_MEMORY;
        buffers = static_cast<Buffer*>(memory);
    }
    count = array_count;
    for (uint32_t i = 0; i < array_count; ++i) {
        WsaBuf buffer;
        if (!read_buffer(buffer, array, i))
            return STATUS_ACCESS_VIOLATION;
        if (const NTSTATUS status = capture_at(i, buffer); !NT_SUCCESS(status))
            return status;
    }
    skip_empty();
    return STATUS_SUCCESS;
}

NTSTATUS Transfer::capture_at(uint32_t index, const WsaBuf& buffer)
{
    if (const NTSTATUS status = nt::probe(buffer.data, buffer.length, 1); !NT_SUCCESS(status))
        return status;
    buffers[index] = { reinterpret_cast<uintptr_t>(buffer.data), buffer.length };
    total += buffer.length;
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
    moved->waits_for_all = waits_for_all;
    moved->flags = flags;
    moved->count = count;
    moved->first_left = first_left;
    moved->total = total;
    moved->done = done;
    moved->address = address;
    moved->address_length = address_length;
    moved->local = local;
    moved->local_length = local_length;
    moved->flags_result = flags_result;
    moved->control = control;
    moved->tells_message = tells_message;
    moved->control_to_send = std::exchange(control_to_send, nullptr);
    moved->to = to;
    moved->view = view;
    moved->finish = finish;
    std::copy(std::begin(own_buffers), std::end(own_buffers), std::begin(moved->own_buffers));
    if (buffers != own_buffers)
        moved->buffers = std::exchange(buffers, own_buffers);
    return moved;
}

void Transfer::advance(size_t bytes)
{
    done += bytes;
    while (bytes) {
        Buffer& buffer = buffers[first_left];
        const size_t step = std::min<size_t>(bytes, buffer.length);
        buffer.data += step;
        buffer.length -= step;
        bytes -= step;
        skip_empty();
    }
}

bool Transfer::touch() const
{
    for (uint32_t i = 0; i < remaining_count(); ++i) {
        const Buffer& buffer = remaining()[i];
        // Streams come back for the rest.
        if (!ke::touch_user(
                reinterpret_cast<void*>(buffer.data), std::min(buffer.length, kMostOfDatagram)))
            return false;
    }
    return true;
}

NTSTATUS Transfer::gather()
{
    if (total > kMostOfDatagram)
        return STATUS_BUFFER_OVERFLOW; // as Linux says of one
    // One buffer in front of the bytes.
    auto* block = static_cast<uint8_t*>(ke::pool_allocate(sizeof(Buffer) + total));
    if (!block)
        return STATUS_NO_MEMORY;
    uint8_t* const bytes = block + sizeof(Buffer);
    size_t length = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const Buffer& buffer = buffers[i];
        if (!ke::read_user(
                bytes + length, reinterpret_cast<const void*>(buffer.data), buffer.length)) {
            ke::pool_free(block);
            return STATUS_ACCESS_VIOLATION;
        }
        length += buffer.length;
    }
    if (buffers != own_buffers)
        ke::pool_free(buffers);
    buffers = reinterpret_cast<Buffer*>(block);
    buffers[0] = { reinterpret_cast<uintptr_t>(bytes), length };
    count = 1;
    first_left = 0;
    return STATUS_SUCCESS;
}

bool Transfer::scatter(const uint8_t* bytes, size_t length) const
{
    for (uint32_t i = 0; i < remaining_count() && length; ++i) {
        const Buffer& buffer = remaining()[i];
        const size_t step = std::min<size_t>(buffer.length, length);
        if (!ke::write_user(reinterpret_cast<void*>(buffer.data), bytes, step))
            return false;
        bytes += step;
        length -= step;
    }
    return true;
}

/// Or a call could be given empty buffers only, and move nothing.
void Transfer::skip_empty()
{
    while (first_left + 1 < count && !buffers[first_left].length)
        ++first_left;
}

Transfer* Transfer::with_copy_of(const Transfer& left)
{
    auto* copy = ke::pool_new<Transfer>(left.direction);
    if (!copy)
        return nullptr;
    // One buffer in front of the bytes.
    const size_t length = left.total - left.done;
    auto* block = static_cast<uint8_t*>(ke::pool_allocate(sizeof(Buffer) + length));
    if (!block) {
        ke::pool_delete(copy);
        return nullptr;
    }
    uint8_t* position = block + sizeof(Buffer);
    copy->buffers = reinterpret_cast<Buffer*>(block);
    copy->buffers[0] = { reinterpret_cast<uintptr_t>(position), length };
    copy->count = 1;
    copy->total = length;
    copy->flags = left.flags;
    for (uint32_t i = 0; i < left.remaining_count(); ++i) {
        const Buffer& buffer = left.remaining()[i];
        if (!ke::read_user(position, reinterpret_cast<const void*>(buffer.data), buffer.length)) {
            ke::pool_delete(copy);
            return nullptr;
        }
        position += buffer.length;
    }
    return copy;
}

// --- Requests

NTSTATUS SocketFile::try_transfer(Transfer& transfer, ULONG_PTR& information)
{
    return transfer.direction == Transfer::Direction::Receive ? try_receive(transfer, information)
                                                              : try_send(transfer, information);
}

NTSTATUS SocketFile::pend_transfer(
    io::Irp& irp, Transfer& transfer, RequestQueue& queue, const uint32_t* tried_at)
{
    Transfer* pending = transfer.move_to_pool();
    if (!pending)
        return STATUS_NO_MEMORY;
    Request::give(irp, pending);
    irp.prepare_to_pend();
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
    // What has come since, and has not been told, will find it queued: it is watched.
    const bool is_worth_a_try = NT_SUCCESS(status)
        && (!tried_at || *tried_at != m_changes.load(std::memory_order_relaxed));
    if (is_worth_a_try && is_receive)
        serve_transfers(queue, done);
    else if (is_worth_a_try)
        serve_sends(done);
    if (is_recording)
        refresh(signal);
    return status;
}

void SocketFile::serve_transfers(RequestQueue& queue, Completions& done)
{
    const bool is_of_datagrams = &queue == &m_receives && !is_stream();
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
        irp->publish(status, information);
        queue.remove(*irp);
        done.add(*irp, status, information);
        if (is_of_datagrams && next) {
            serve_burst(done);
            next = queue.first();
        }
    }
}

} // namespace afd
