// Parameter blocks of the AFD ioctls, byte for byte.
//
// Only three layouts depend on the pointer size of the caller (PollEntry, EventSelectParams,
// RecvParams, and the WSABUF array they point at); all other pointers travel as 64-bit values, so a
// 32-bit caller zero-extends them. spec/afd.md gives the source of each layout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nt/types.h"

namespace afd {

/// A pointer in a block that has one layout for 32- and 64-bit callers.
using Ptr64 = uint64_t;

/// Zero-extends a pointer of the caller.
inline Ptr64 ptr64(const volatile void* pointer)
{
    return reinterpret_cast<uintptr_t>(pointer);
}

/// kIoctlCreate, input. Windows' constants (AF_INET6 is 23).
struct CreateParams {
    int32_t family;
    int32_t type;
    int32_t protocol;
    uint32_t flags; // WSA_FLAG_* without OVERLAPPED and NO_HANDLE_INHERIT
};
static_assert(sizeof(CreateParams) == 16);

/// kIoctlBind, input: followed by the socket address, and that, of AF_UNIX, by the path of the file
/// on Linux. Output: the bound address.
struct BindParams {
    int32_t unknown; // 0
    // sockaddr follows at offset 4
};
static_assert(sizeof(BindParams) == 4);

/// kIoctlListen, input.
struct ListenParams {
    int32_t unknown1; // 0
    int32_t backlog;
    int32_t unknown2; // 0
};
static_assert(sizeof(ListenParams) == 12);

/// kIoctlAcceptInto and kIoctlAcceptHere, input. Output: data, then two blocks {int32_t length;
/// sockaddr}.
struct AcceptIntoParams {
    uint32_t acceptor; // handle
    uint32_t receive_length; // bytes of first data
    uint32_t local_length; // bytes of the local address block
};
static_assert(sizeof(AcceptIntoParams) == 12);

/// kIoctlConnect, input: followed by the socket address (and a path, see BindParams) and, for
/// ConnectEx, the data to send.
struct ConnectParams {
    int32_t address_length; // bytes, a path included
    int32_t synchronous; // 1: connect(); 0: ConnectEx()
    // sockaddr follows at offset 8
};
static_assert(sizeof(ConnectParams) == 8);

/// kIoctlRecvMsg, kIoctlRecvDatagram and kIoctlRecvMessage, input. Of the last, `flags` tells
/// MSG_TRUNC, MSG_CTRUNC, MSG_BCAST and MSG_MCAST.
struct RecvMsgParams {
    Ptr64 control; // WSABUF*, may be 0
    Ptr64 address; // sockaddr*, may be 0
    Ptr64 address_length; // int*, in and out
    Ptr64 flags; // unsigned*, in and out, never 0
    int32_t force_async; // 1: an overlapped call; never answers "would block"
    uint32_t count; // entries of `buffers`
    Ptr64 buffers; // WSABUF[]
};
static_assert(sizeof(RecvMsgParams) == 48);
static_assert(offsetof(RecvMsgParams, force_async) == 32);

/// kIoctlSendMsg, input.
struct SendMsgParams {
    Ptr64 address; // const sockaddr*, may be 0
    uint32_t address_length; // bytes
    uint32_t flags; // MSG_OOB
    int32_t force_async;
    uint32_t count;
    Ptr64 buffers; // const WSABUF[]
};
static_assert(sizeof(SendMsgParams) == 32);
static_assert(offsetof(SendMsgParams, buffers) == 24);

/// kIoctlSendControl, input: a datagram with control data.
struct SendControlParams {
    SendMsgParams message;
    Ptr64 control; // WSACMSGHDR[]
    uint32_t control_length; // bytes
    uint32_t padding;
};
static_assert(sizeof(SendControlParams) == 48);

/// kIoctlSetIpv6AddSourceMembership and the three after it, input.
struct Ipv6SourceParams {
    uint8_t group[16];
    uint8_t source[16];
    uint32_t interface_index; // 0: any
};
static_assert(sizeof(Ipv6SourceParams) == 36);

/// kIoctlGetSourceFilter and kIoctlSetSourceFilter, input, and output of the first. An address of
/// IPv4 is the first four bytes of its field.
struct SourceFilterParams {
    static constexpr uint32_t kInclude = 0; // MCAST_INCLUDE of Windows; Linux has another number
    static constexpr uint32_t kMostSources = 64;

    int32_t family; // of the group
    uint32_t on_interface; // of IPv4 its address, of IPv6 its index; 0: any
    uint8_t group[16];
    uint32_t mode; // MULTICAST_MODE_TYPE
    uint32_t count; // sources there are; of a get, on the way in, those there is room for
    uint8_t sources[kMostSources][16];
};
static_assert(sizeof(SourceFilterParams) == 32 + 64 * 16);

/// kIoctlTransmit, input.
struct TransmitParams {
    int64_t offset; // bytes, or kCurrentPosition
    Ptr64 head;
    Ptr64 tail;
    uint32_t head_length; // bytes
    uint32_t tail_length; // bytes
    uint32_t file; // handle, may be 0
    uint32_t file_length; // bytes, 0 means to the end
    uint32_t chunk; // bytes, 0 means 65536
    uint32_t flags; // TF_*, ignored by the device
};
static_assert(sizeof(TransmitParams) == 48);

/// kIoctlTransmitView, input: the file is in memory, and what names it is not looked at. The view
/// stays the caller's, or, if it says so, is the request's from when that pends: it is unmapped
/// before anybody is told of the end.
struct TransmitViewParams {
    TransmitParams transmit;
    Ptr64 view;
    uint32_t view_length; // bytes
    uint32_t gives_view; // 1: if the request pends
};
static_assert(sizeof(TransmitViewParams) == 64);
constexpr int64_t kCurrentPosition = -2;

/// kIoctlGetTcpInfo, output: TCP_INFO_v1, which not every SDK has; TCP_INFO_v0 is its beginning.
struct TcpInfo {
    uint32_t state; // TCPSTATE
    uint32_t mss; // bytes, as all sizes here
    uint64_t connection_time; // ms
    uint8_t has_timestamps;
    uint32_t rtt; // us
    uint32_t min_rtt; // us
    uint32_t in_flight;
    uint32_t congestion_window;
    uint32_t send_window;
    uint32_t receive_window;
    uint32_t receive_buffer;
    uint64_t sent;
    uint64_t received;
    uint32_t reordered;
    uint32_t retransmitted;
    uint32_t fast_retransmits;
    uint32_t duplicate_acks;
    uint32_t timeouts;
    uint8_t syn_retransmits;
    struct {
        uint32_t times;
        uint32_t duration; // ms
        uint64_t bytes;
    } limited[3]; // by the peer's window, by congestion, by the sender
};
constexpr uint32_t kTcpInfoV0Size = 88;
static_assert(offsetof(TcpInfo, limited) == kTcpInfoV0Size);
static_assert(sizeof(TcpInfo) == 136);

/// kIoctlPoll, input and output: the header, then `count` entries. The output holds the ready
/// entries only, in the order of the input.
struct PollHeader {
    int64_t timeout; // 100 ns units; 0 tests; negative is relative; kPollForever
    uint32_t count;
    uint8_t exclusive;
    uint8_t padding[3];
};
static_assert(sizeof(PollHeader) == 16);

struct PollEntry {
    ULONG_PTR socket; // handle
    int32_t flags; // PollFlags: asked for, then found
    int32_t status; // NTSTATUS of a failed connect
};
static_assert(sizeof(PollEntry) == 8 + sizeof(void*));

/// Of a 32-bit program.
struct PollEntry32 {
    uint32_t socket;
    int32_t flags;
    int32_t status;
};
static_assert(sizeof(PollEntry32) == 12);

/// kIoctlEventSelect, input.
struct EventSelectParams {
    ULONG_PTR event; // handle, 0 together with mask 0 cancels
    int32_t mask; // PollFlags
};
static_assert(sizeof(EventSelectParams) == 2 * sizeof(void*));

/// Of a 32-bit program.
struct EventSelectParams32 {
    uint32_t event;
    int32_t mask;
};
static_assert(sizeof(EventSelectParams32) == 8);

/// kIoctlGetEvents, output. The event to reset travels as the input *pointer*, with length 0.
struct GetEventsResult {
    uint32_t flags; // PollFlags
    int32_t status[13]; // NTSTATUS, indexed by the number of the bit
};
static_assert(sizeof(GetEventsResult) == 56);

/// Adds those of `conditions` that `more` has to a record, with their statuses; what the record has
/// already stays.
inline void carry_events(GetEventsResult& carried, const GetEventsResult& more, uint32_t conditions)
{
    const uint32_t added = more.flags & conditions & ~carried.flags;
    for (uint32_t bit = 0; bit < sizeof(more.status) / sizeof(*more.status); ++bit) {
        if (added & (1u << bit))
            carried.status[bit] = more.status[bit];
    }
    carried.flags |= added;
}

/// kIoctlRecv, input.
struct RecvParams {
    const void* buffers; // WSABUF[]
    uint32_t count;
    int32_t receive_flags; // 2: force async
    int32_t message_flags; // 0x20 normal or 0x40 urgent, with 0x80 peek
};
static_assert(sizeof(RecvParams) == (sizeof(void*) == 8 ? 24 : 16));

/// Of a 32-bit program.
struct RecvParams32 {
    uint32_t buffers;
    uint32_t count;
    int32_t receive_flags;
    int32_t message_flags;
};
static_assert(sizeof(RecvParams32) == 16);

/// kIoctlMessageSelect, input.
struct MessageSelectParams {
    uint32_t socket; // handle: the wParam of the messages
    uint32_t window;
    uint32_t message;
    int32_t mask; // PollFlags
};
static_assert(sizeof(MessageSelectParams) == 16);

/// kIoctlKeepaliveVals, input.
struct KeepaliveParams {
    uint32_t on;
    uint32_t idle; // ms
    uint32_t interval; // ms
};
static_assert(sizeof(KeepaliveParams) == 12);

/// kIoctlGetInfo, output: what the socket was created with.
struct InfoResult {
    int32_t family;
    int32_t type;
    int32_t protocol;
};
static_assert(sizeof(InfoResult) == 12);

} // namespace afd
