// Data on its way between a request's buffers and the socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "afd/host_socket.h"
#include "afd/params.h"
#include "afd/request_queue.h"
#include "nt/caller.h"

namespace afd {

constexpr uint32_t kMsgOob = 1; // MSG_OOB of Winsock
constexpr uint32_t kMsgPeek = 2; // MSG_PEEK

/// Linux takes no more buffers in one call.
constexpr uint32_t kBuffersPerCall = 1024;
/// No datagram has more bytes.
constexpr size_t kMostOfDatagram = 65536;

template <typename T> T* pointer_from(Ptr64 value)
{
    return reinterpret_cast<T*>(static_cast<uintptr_t>(value));
}

/// A buffer as callers pass it. Counterpart: WSABUF.
struct WsaBuf {
    ULONG length; // bytes
    void* data;
};
static_assert(sizeof(WsaBuf) == 2 * sizeof(void*));

/// Of a 32-bit program.
struct WsaBuf32 {
    ULONG length;
    nt::Ptr32 data;
};
static_assert(sizeof(WsaBuf32) == 8);

/// Reads an element of the program's array. False: it is not there.
bool read_buffer(WsaBuf& buffer, const WsaBuf* array, uint32_t index);

/// A receive or a send. On the stack for the first try; a copy of it pends.
struct Transfer : Request {
    enum class Direction : uint8_t { Receive, Send };

    explicit Transfer(Direction transfer_direction)
        : direction(transfer_direction)
    {
    }
    ~Transfer();
    Transfer(const Transfer&) = delete;

    /// Copies the array of buffers. Errors: STATUS_ACCESS_VIOLATION, STATUS_NO_MEMORY.
    NTSTATUS capture(const WsaBuf* array, uint32_t array_count);
    /// Takes buffers of the program that are told in an array of ours, whatever pointers it has.
    template <uint32_t kCount> NTSTATUS capture_parts(const WsaBuf (&parts)[kCount])
    {
        static_assert(kCount <= kOwnBuffers);
        count = kCount;
        for (uint32_t i = 0; i < kCount; ++i) {
            if (const NTSTATUS status = capture_at(i, parts[i]); !NT_SUCCESS(status))
                return status;
        }
        skip_empty();
        return STATUS_SUCCESS;
    }
    /// One buffer.
    void set_buffer(void* data, size_t length);
    /// Makes one buffer of a send's, which are those of a datagram: a copy.
    NTSTATUS gather();
    /// Fills the buffers that are left. False: one of them has gone.
    bool scatter(const uint8_t* bytes, size_t length) const;
    /// A send, in the pool, of a copy of what is left of another; null: no memory, or a buffer has
    /// gone.
    static Transfer* with_copy_of(const Transfer& left);
    /// A Transfer in the pool with everything of this one; null: no memory.
    Transfer* move_to_pool();

    /// The buffers that are left. `first` is room for the one that is done in part.
    const Buffer* remaining() const { return buffers + first_left; }
    uint32_t remaining_count() const { return count - first_left; }
    void advance(size_t bytes);
    /// Can the buffers that are left be written? Linux then can, too.
    bool touch() const;
    void skip_empty();

    const Direction direction;
    bool is_forced = false; // asynchronous whatever the socket's mode
    bool waits_for_all = false; // a stream's receive that is done when its buffers are full
    uint32_t flags = 0; // kMsgOob, kMsgPeek
    uint32_t count = 0;
    uint32_t first_left = 0;
    size_t total = 0; // bytes of all buffers
    size_t done = 0; // bytes moved by now; of receives, those that wait for all
    Buffer* buffers = own_buffers;
    // Receives: where else to tell. Sends: the destination.
    uint8_t* address = nullptr;
    int32_t* address_length = nullptr;
    uint8_t* local = nullptr; // room for the address that a datagram came to
    int32_t* local_length = nullptr;
    uint32_t* flags_result = nullptr;
    WsaBuf* control = nullptr;
    bool tells_message = false; // flags_result is told what WSARecvMsg tells
    Address to;
    HostSocket::Control* control_to_send = nullptr; // pool, may be null
    void* view = nullptr; // in a view of a file that is the request's, for its end
    static constexpr uint32_t kOwnBuffers = 4;
    Buffer own_buffers[kOwnBuffers];

private:
    NTSTATUS capture_at(uint32_t index, const WsaBuf& buffer);
};
static_assert(sizeof(io::Irp) + sizeof(Transfer) <= 900); // a pending request: README.md, Memory

/// What a connect is given.
struct ConnectInput {
    bool is_synchronous;
    const uint8_t* address;
    size_t address_length; // a path included
    const uint8_t* data; // to be sent first
    size_t data_length;
};
/// False: it is too short.
bool read_connect(const io::Parameters& parameters, ConnectInput& input);

/// A connect that pends, in the pool; null: no memory. What is sent with it is a copy: the caller
/// gets its buffer back at once.
Transfer* new_connect(const ConnectInput& input);

} // namespace afd
