// Registered I/O for the cases: its functions, queues, buffers, and checked requests.
#pragma once

#include "sockets.h"

#include "sdk/registered_io.h"

namespace conformance {

using sdk::RioBuf;
using sdk::RioBufferId;
using sdk::RioCq;
using sdk::RioResult;
using sdk::RioRq;

/// The functions; fails the case where there are none.
const sdk::RioTable& rio(Where where = Where::current());

/// A socket for registered I/O, owned.
SOCKET rio_socket(int family, int type, Where where = Where::current());

/// A completion queue, to the end of the process. It notifies nobody, an event (reset by
/// RIONotify), or a port by a packet with kRioKey and kRioOverlapped.
constexpr ULONG_PTR kRioKey = 0x4B1D;
extern OVERLAPPED rio_overlapped;
RioCq new_rio_queue(DWORD size = 64, Where where = Where::current());
RioCq new_rio_queue_for(WSAEVENT event, Where where = Where::current());
RioCq new_rio_queue_for_port(HANDLE port, Where where = Where::current());

/// A registered slab, zeroed, to the end of the process.
struct RioSlab {
    RioBufferId id;
    char* data;
    ULONG size;

    RioBuf piece(ULONG offset, ULONG length) const { return { id, offset, length }; }
};
RioSlab new_slab(ULONG size = 4096, Where where = Where::current());

/// A request queue with room for 8 requests each way, and kRioContext; its socket is its context.
RioRq new_request_queue(SOCKET socket, RioCq queue, Where where = Where::current());
RioRq new_request_queue(
    SOCKET socket, RioCq receives, RioCq sends, ULONG most, Where where = Where::current());

/// A socket with its queues: everything a conversation needs.
struct RioPeer {
    SOCKET socket;
    RioCq queue;
    RioRq requests;
    RioSlab slab;
};

/// Datagram peers, connected to each other, or the two ends of a TCP connection. Each has a queue
/// of its own that notifies nobody.
struct RioPair {
    RioPeer a;
    RioPeer b;
};
RioPair new_rio_pair(int family, int type, Where where = Where::current());
/// The same with the given queue for `a`.
RioPair new_rio_pair(int family, int type, RioCq queue, Where where = Where::current());

/// A receive into, or a send from, a piece of the peer's slab; must be taken.
void rio_receive(const RioPeer& peer, ULONG offset, ULONG length, ULONG_PTR context,
    DWORD flags = 0, Where where = Where::current());
void rio_send(const RioPeer& peer, ULONG offset, ULONG length, ULONG_PTR context, DWORD flags = 0,
    Where where = Where::current());
/// A send of a text, from that place.
void rio_send_text(const RioPeer& peer, ULONG offset, const char* text, ULONG_PTR context,
    DWORD flags = 0, Where where = Where::current());

/// Asks the queue until something comes; fails the case at the hang limit.
RioResult next_result(RioCq queue, Where where = Where::current());
/// The next one must have succeeded, with that context and that many bytes.
void expect_result(
    RioCq queue, ULONG_PTR context, ULONG transferred, Where where = Where::current());
/// Nothing is in the queue, although it was given the time to come.
void assert_no_result(RioCq queue, Where where = Where::current());

} // namespace conformance
