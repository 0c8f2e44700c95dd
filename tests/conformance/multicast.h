// Groups on the loopback interface, their members, and what is sent to them.
#pragma once

#include "peers.h"

#include <cstring>

namespace conformance {

/// A UDP socket that is in no group, and bound to all addresses.
inline SOCKET member_of_none(int family = AF_INET)
{
    const SOCKET socket = udp_socket(family);
    sockaddr_in6 any = {};
    any.sin6_family = static_cast<ADDRESS_FAMILY>(family);
    assert_wsa_ok(bind(socket, reinterpret_cast<sockaddr*>(&any),
        family == AF_INET ? sizeof(sockaddr_in) : sizeof(any)));
    return socket;
}

/// A UDP socket that is in the group on the loopback interface.
inline SOCKET member_of(const char* group)
{
    const SOCKET socket = member_of_none();
    IP_MREQ request;
    request.imr_multiaddr.s_addr = inet_addr(group);
    request.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    assert_wsa_ok(setsockopt(
        socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, reinterpret_cast<char*>(&request), sizeof(request)));
    return socket;
}

/// Sends text to a group on the loopback interface.
/// `through`: the address of an interface, or its index in the form 0.x.x.x.
inline void send_to_group(
    const char* group, unsigned short port, const char* text, DWORD through = INADDR_LOOPBACK)
{
    const SOCKET sender = udp_socket();
    bind_to_loopback(sender);
    const DWORD loopback = htonl(through);
    assert_wsa_ok(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF,
        reinterpret_cast<const char*>(&loopback), sizeof(loopback)));
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = inet_addr(group);
    name.sin_port = htons(port);
    const int length = static_cast<int>(strlen(text));
    assert_int_equal(
        sendto(sender, text, length, 0, reinterpret_cast<sockaddr*>(&name), sizeof(name)), length);
}

inline void assert_receives(SOCKET socket, const char* text, Where where = Where::current())
{
    wait_until_readable(socket, where);
    char data[16] = {};
    const int length = recv(socket, data, sizeof(data) - 1, 0);
    if (length != static_cast<int>(strlen(text)) || strcmp(data, text) != 0)
        fail_at(where, "%d bytes, \"%s\" instead of \"%s\"", length, data, text);
}

/// Asserts that a datagram to the group passes the socket by: another one, to itself, is the next.
inline void assert_is_passed_by(SOCKET socket, const char* group, Where where = Where::current())
{
    send_to_group(group, local_port(socket, where), "group");
    sockaddr_storage name;
    const int length = loopback_address(AF_INET, local_port(socket, where), &name);
    assert_int_equal(sendto(udp_socket(), "own", 3, 0, as_name(name), length), 3);
    assert_receives(socket, "own", where);
}

/// The group of IPv6 that stands for one of IPv4, on the loopback interface.
inline sockaddr_in6 name_of_ipv6_group(unsigned short port)
{
    sockaddr_in6 name = {};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    inet_pton(AF_INET6, "ff12::77:6", &name.sin6_addr);
    return name;
}

inline SOCKET member_of_ipv6_group()
{
    const SOCKET socket = member_of_none(AF_INET6);
    IPV6_MREQ request = {};
    request.ipv6mr_multiaddr = name_of_ipv6_group(0).sin6_addr;
    if (setsockopt(socket, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, reinterpret_cast<char*>(&request),
            sizeof(request)))
        skip(); // no interface has IPv6
    return socket;
}

inline void send_to_ipv6_group(unsigned short port, const char* text)
{
    const sockaddr_in6 name = name_of_ipv6_group(port);
    const int length = static_cast<int>(strlen(text));
    assert_int_equal(sendto(udp_socket(AF_INET6), text, length, 0,
                         reinterpret_cast<const sockaddr*>(&name), sizeof(name)),
        length);
}

/// The address that what is sent to the group comes from.
inline sockaddr_in6 ipv6_sender()
{
    const SOCKET member = member_of_ipv6_group();
    send_to_ipv6_group(local_port(member), "group");
    wait_until_readable(member);
    char data[16];
    sockaddr_in6 name = {};
    int length = sizeof(name);
    assert_int_equal(
        recvfrom(member, data, sizeof(data), 0, reinterpret_cast<sockaddr*>(&name), &length), 5);
    return name;
}

/// Asserts that a datagram to the group passes the socket by: another one, to itself, is the next.
inline void assert_is_passed_by_ipv6(SOCKET socket, Where where = Where::current())
{
    send_to_ipv6_group(local_port(socket, where), "group");
    sockaddr_storage name;
    const int length = loopback_address(AF_INET6, local_port(socket, where), &name);
    assert_int_equal(sendto(udp_socket(AF_INET6), "own", 3, 0, as_name(name), length), 3);
    assert_receives(socket, "own", where);
}

} // namespace conformance
