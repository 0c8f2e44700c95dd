// Control data of datagrams, between Linux' form and Winsock's.
#pragma once

#include "afd/host_socket.h"

namespace afd {

/// What a receiver is told of the byte of the IP header that both of these are in.
struct TrafficByteWishes {
    bool class_of_service; // IP_TOS, IPV6_TCLASS
    bool congestion; // IP_ECN, IPV6_ECN
};

/// Control data in Winsock's form, to be copied to the program.
struct ToldControl {
    uint8_t bytes[sizeof(HostSocket::Control::bytes)];
    size_t length = 0; // bytes used
};

/// Makes Winsock's control data of a datagram's. False: there is more than `room`, the length is 0.
bool write_control(const HostSocket::Control& control, const TrafficByteWishes& wishes, size_t room,
    ToldControl& told);

/// The address a datagram was sent to; length 0: Linux did not say.
Address destination_from(const HostSocket::Control& control);

/// What control data of a send may depend on.
struct ControlTarget {
    const HostSocket& socket;
    bool is_inet6; // the socket's family
    bool is_mapped; // an IPv4 destination of an IPv6 socket
};

/// Makes Linux' control data of what a program passed. Errors: STATUS_INVALID_PARAMETER, there is
/// something in it that is malformed, unknown, or cannot be done on this socket.
NTSTATUS read_control(
    const uint8_t* given, size_t length, const ControlTarget& target, HostSocket::Control& control);

} // namespace afd
