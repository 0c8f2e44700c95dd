// A network without a network: what endpoints see in place of Linux.
//
// fake_host_socket.cpp replaces host_socket.cpp and pump.cpp at link time. A descriptor is an index
// in `network`; what the peer does is done to the socket there. Readiness, counters and errors
// answer as Linux' TCP and UDP do; the peculiar parts are commented.
#pragma once

#include <cstdint>

#include "afd/endpoint.h"

namespace fake {

constexpr uint32_t kMostSockets = 8;
constexpr uint32_t kSpace = 12; // bytes a send buffer takes

class Socket {
public:
    enum class Kind { Stream, Listener, Datagram };
    enum class Link { Fresh, Connecting, Failed, Open };

    void create(Kind socket_kind, Link socket_link);
    bool is_open = false;
    Kind kind = Kind::Stream;

    // --- What the peer, or the wire, does. Each wakes the pump as Linux would.

    void connect_ends(int error);
    void data_arrives(uint32_t bytes);
    /// A second urgent byte turns the first into ordinary data, or drops it where it is the next.
    void urgent_arrives();
    void end_arrives();
    void reset_arrives();
    void peer_reads(uint32_t bytes);
    void connection_arrives();
    void datagram_arrives(uint32_t bytes);
    void error_arrives();

    // --- What the host does for us.

    void connect();
    void shut_down_sends();
    void accept();

    // --- What is true, in words that are not Linux'.

    /// Data that is not urgent waits.
    bool has_data() const;
    bool has_urgent() const { return mark >= 0 && is_urgent_unread && !is_inline; }
    bool has_room() const;
    bool has_ended = false; // the peer's FIN has come
    bool was_reset = false;
    bool is_established() const { return link == Link::Open; }
    uint32_t queued = 0; // connections of a listener, datagrams

    // --- Linux' side of it.

    uint32_t ready();
    bool is_dead() const;

    Link link = Link::Fresh;
    bool is_inline = false;
    uint32_t unread = 0; // bytes, urgent ones included
    int32_t mark = -1; // where the urgent byte is, -1: none
    bool is_urgent_unread = false;
    uint64_t received = 0; // ever; a FIN counts
    uint32_t unsent = 0;
    bool wants_room = false; // somebody found it full: room wakes
    bool is_send_shut_down = false;
    int error = 0;
    uint32_t datagrams[16] = {}; // sizes

    // --- epoll's

    afd::Endpoint* watcher = nullptr;
    bool is_muted = false;
    bool is_on_ready_list = false;
    /// What the pump has fetched and not told yet.
    uint32_t fetched = 0;

    bool has_notification() const { return is_on_ready_list || fetched; }
    void wake() { is_on_ready_list |= watcher != nullptr; }
    uint32_t wanted() const;
    /// epoll_wait of the pump.
    void fetch();
    /// The pump tells what it fetched. An unwatched endpoint is told too, and then released.
    void tell();

    afd::Endpoint* leaving = nullptr; // unwatched; the pump still holds its reference
};

extern Socket network[kMostSockets];
extern bool is_watch_to_fail;

/// A free descriptor, -1: none.
int free_descriptor();

} // namespace fake
