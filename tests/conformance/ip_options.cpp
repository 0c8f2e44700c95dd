// getsockopt and setsockopt at IPPROTO_IP and IPPROTO_IPV6.

#include "multicast.h"
#include "option_checks.h"
#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

void stream_sockets_have_few_ip_options(void**) // [getsockopt/16] [setsockopt/16]
{
    static constexpr Validity kTable[] = {
        { IP_HDRINCL, WSAEINVAL, WSAEINVAL },
        { IP_TOS, 0, 0 },
        { IP_TTL, 0, 0 },
        { IP_MULTICAST_IF, WSAEINVAL, WSAEINVAL },
        { IP_MULTICAST_TTL, WSAEINVAL, WSAEINVAL },
        { IP_MULTICAST_LOOP, WSAEINVAL, WSAEINVAL },
        { IP_DONTFRAGMENT, 0, 0 },
        { IP_PKTINFO, WSAEINVAL, WSAEINVAL },
        { IP_RECVTTL, WSAEINVAL, WSAEINVAL },
        { IP_RECVTOS, WSAEINVAL, WSAEINVAL },
        { IP_UNICAST_IF, 0, 0 },
    };
    assert_validity(tcp_socket(), IPPROTO_IP, kTable);
}

void stream_sockets_have_few_newer_ip_options(void**) // [getsockopt/16] [setsockopt/16]
{
    static constexpr Validity kTable[] = {
        { IP_RECEIVE_BROADCAST, WSAEINVAL, WSAEINVAL },
        { IP_RECVIF, WSAEINVAL, WSAEINVAL },
        { IP_RECVDSTADDR, WSAEINVAL, WSAEINVAL },
        { IP_IFLIST, 0, 0 },
        { IP_RTHDR, 0, 0 },
        { IP_RECVRTHDR, WSAEINVAL, WSAEINVAL },
        { IP_ECN, WSAEINVAL, WSAEINVAL },
        { IP_USER_MTU, 0, 0 },
    };
    assert_validity(tcp_socket(), IPPROTO_IP, kTable);
}

void datagram_sockets_have_most_ip_options(void**) // [getsockopt/16] [setsockopt/16]
{
    static constexpr Validity kTable[] = {
        { IP_HDRINCL, WSAEINVAL, WSAEINVAL },
        { IP_TOS, 0, 0 },
        { IP_TTL, 0, 0 },
        { IP_MULTICAST_IF, 0, 0 },
        { IP_MULTICAST_TTL, 0, 0 },
        { IP_MULTICAST_LOOP, 0, 0 },
        { IP_DONTFRAGMENT, 0, 0 },
        { IP_PKTINFO, 0, 0 },
        { IP_RECVTTL, 0, 0 },
        { IP_RECVTOS, 0, 0 },
        { IP_UNICAST_IF, 0, 0 },
    };
    assert_validity(udp_socket(), IPPROTO_IP, kTable);
}

void datagram_sockets_have_newer_ip_options(void**) // [getsockopt/16] [setsockopt/16]
{
    static constexpr Validity kTable[] = {
        { IP_RECEIVE_BROADCAST, 0, 0 },
        { IP_RECVIF, 0, 0 },
        { IP_RECVDSTADDR, 0, 0 },
        { IP_RECVRTHDR, 0, 0 },
        { IP_ORIGINAL_ARRIVAL_IF, 0, 0 },
        { IP_ECN, 0, 0 },
        { IP_PKTINFO_EX, 0, 0 },
        { IP_RECVERR, 0, 0 },
    };
    assert_validity(udp_socket(), IPPROTO_IP, kTable);
}

void the_mtu_needs_a_peer(void**) // [getsockopt/17]
{
    DWORD mtu;
    int length = sizeof(mtu);

    assert_wsa_fails(
        getsockopt(udp_socket(), IPPROTO_IP, IP_MTU, reinterpret_cast<char*>(&mtu), &length),
        SOCKET_ERROR, WSAENOTCONN);
}

void the_interface_of_sends_is_an_index(void**) // [setsockopt/26]
{
    constexpr DWORD kLoopback = 1; // the index it has everywhere
    const SOCKET socket = udp_socket();
    assert_option(socket, IPPROTO_IP, IP_UNICAST_IF, 0);
    set_option(socket, IPPROTO_IP, IP_UNICAST_IF, htonl(kLoopback));
    assert_option(socket, IPPROTO_IP, IP_UNICAST_IF, kLoopback);
    set_option(socket, IPPROTO_IP, IP_UNICAST_IF, 0);
    assert_option(socket, IPPROTO_IP, IP_UNICAST_IF, 0);
    if (!has_ipv6())
        return;
    const SOCKET ipv6 = udp_socket(AF_INET6);
    set_option(ipv6, IPPROTO_IPV6, IPV6_UNICAST_IF, kLoopback);
    assert_option(ipv6, IPPROTO_IPV6, IPV6_UNICAST_IF, kLoopback);
    set_option(ipv6, IPPROTO_IPV6, IPV6_MULTICAST_IF, kLoopback);
    assert_option(ipv6, IPPROTO_IPV6, IPV6_MULTICAST_IF, kLoopback);
}

void a_membership_cannot_be_read(void**) // [getsockopt/18]
{
    for (const SOCKET socket : { tcp_socket(), udp_socket() }) {
        IP_MREQ request;
        int length = sizeof(request);
        assert_wsa_fails(getsockopt(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP,
                             reinterpret_cast<char*>(&request), &length),
            SOCKET_ERROR, WSAENOPROTOOPT);
    }
}

void a_time_to_live_takes_any_length(void**) // [setsockopt/4]
{
    const SOCKET socket = udp_socket();
    DWORD value = 7;
    for (const int length : { 1, 2, 3, 4 }) {
        ++value;
        assert_wsa_ok(setsockopt(
            socket, IPPROTO_IP, IP_MULTICAST_TTL, reinterpret_cast<char*>(&value), length));
        assert_option(socket, IPPROTO_IP, IP_MULTICAST_TTL, value);
    }
}

void fragments_are_refused_on_streams_only(void**) // [getsockopt/19]
{
    assert_option(tcp_socket(), IPPROTO_IP, IP_DONTFRAGMENT, 1);
    assert_option(udp_socket(), IPPROTO_IP, IP_DONTFRAGMENT, 0);
}

void an_ipv4_socket_has_the_v6only_option(void**) // [getsockopt/20]
{
    unsigned char only = 0xAA;
    int length = sizeof(only);

    assert_wsa_ok(getsockopt(
        tcp_socket(), IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&only), &length));
    assert_int_equal(only, 1);
}

void v6only_is_settled_by_bind(void**) // [setsockopt/17]
{
    if (!has_ipv6())
        skip();
    const SOCKET socket = tcp_socket(AF_INET6);
    DWORD off = 0;

    assert_wsa_ok(
        setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&off), sizeof(off)));
    bind_to_loopback(socket, AF_INET6);
    assert_wsa_fails(
        setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&off), sizeof(off)),
        SOCKET_ERROR, WSAEINVAL);
}

/// The value of IPV6_V6ONLY, which is one byte.
int v6only_of(SOCKET socket, Where where = Where::current())
{
    unsigned char only = 0xAA;
    int length = sizeof(only);
    if (getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&only), &length))
        fail_at(where, "IPV6_V6ONLY cannot be read: %d", WSAGetLastError());
    return only;
}

void v6only_of_an_ipv4_socket_is_settled_by_bind(void**) // [setsockopt/17]
{
    for (const SOCKET socket : { tcp_socket(), udp_socket() }) {
        assert_int_equal(v6only_of(socket), 1);
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
        assert_int_equal(v6only_of(socket), 0);
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        assert_int_equal(v6only_of(socket), 1);
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
        bind_to_loopback(socket);
        for (const DWORD value : { 1, 0 })
            assert_wsa_fails(setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY,
                                 reinterpret_cast<const char*>(&value), sizeof(value)),
                SOCKET_ERROR, WSAEINVAL);
        assert_int_equal(v6only_of(socket), 0);
    }
}

void a_raw_ipv6_socket_has_the_v6only_option(void**) // [getsockopt/20]
{
    if (!has_ipv6())
        skip();
    const SOCKET socket = raw_socket(AF_INET6, IPPROTO_UDP);

    set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, v6only_of(socket));
}

void the_interface_of_arrival_is_of_no_stream(void**) // [getsockopt/16] [setsockopt/16]
{
    static constexpr Validity kAbsent[] = { { IP_ORIGINAL_ARRIVAL_IF, WSAEINVAL, WSAEINVAL } };
    static constexpr Validity kPresent[] = { { IP_ORIGINAL_ARRIVAL_IF, 0, 0 } };
    assert_validity(tcp_socket(), IPPROTO_IP, kAbsent);
    assert_validity(udp_socket(), IPPROTO_IP, kPresent);
    if (!has_ipv6())
        return;
    assert_validity(tcp_socket(AF_INET6), IPPROTO_IPV6, kAbsent);
    assert_validity(udp_socket(AF_INET6), IPPROTO_IPV6, kPresent);
}

void a_raw_socket_has_the_interface_of_arrival(void**) // [getsockopt/16] [setsockopt/16]
{
    static constexpr Validity kPresent[] = { { IP_ORIGINAL_ARRIVAL_IF, 0, 0 } };
    assert_validity(raw_socket(AF_INET, IPPROTO_ICMP), IPPROTO_IP, kPresent);
    if (has_ipv6())
        assert_validity(raw_socket(AF_INET6, IPPROTO_UDP), IPPROTO_IPV6, kPresent);
}

int length_of_ip_options(SOCKET socket, Where where = Where::current())
{
    char options[40];
    int length = sizeof(options);
    if (getsockopt(socket, IPPROTO_IP, IP_OPTIONS, options, &length))
        fail_at(where, "IP_OPTIONS cannot be read: %d", WSAGetLastError());
    return length;
}

void ip_options_can_be_removed(void**) // [setsockopt/22]
{
    constexpr char kNoOperations[] = { 1, 1, 1, 0 };
    for (const SOCKET socket : { tcp_socket(), udp_socket() }) {
        assert_int_equal(length_of_ip_options(socket), 0);
        assert_wsa_ok(setsockopt(socket, IPPROTO_IP, IP_OPTIONS, nullptr, 0));
        assert_wsa_ok(setsockopt(socket, IPPROTO_IP, IP_OPTIONS, kNoOperations, 0));
        assert_int_equal(length_of_ip_options(socket), 0);
        for (const char* nothing : { static_cast<const char*>(nullptr), kNoOperations }) {
            assert_wsa_ok(
                setsockopt(socket, IPPROTO_IP, IP_OPTIONS, kNoOperations, sizeof(kNoOperations)));
            assert_int_equal(length_of_ip_options(socket), sizeof(kNoOperations));
            assert_wsa_ok(setsockopt(socket, IPPROTO_IP, IP_OPTIONS, nothing, 0));
            assert_int_equal(length_of_ip_options(socket), 0);
        }
    }
}

void a_raw_socket_has_removable_ip_options(void**) // [setsockopt/22]
{
    const SOCKET socket = raw_socket(AF_INET, IPPROTO_ICMP);

    assert_int_equal(length_of_ip_options(socket), 0);
    assert_wsa_ok(setsockopt(socket, IPPROTO_IP, IP_OPTIONS, nullptr, 0));
    assert_int_equal(length_of_ip_options(socket), 0);
}

void a_member_receives_what_is_sent_to_the_group(void**) // [setsockopt/18]
{
    const SOCKET member = member_of("239.255.77.1");

    send_to_group("239.255.77.1", local_port(member), "multi");
    assert_receives(member, "multi");
}

void groups_are_sent_to_by_the_index_of_an_interface(void**) // [setsockopt/18]
{
    constexpr DWORD kLoopback = 1; // the index it has everywhere
    const SOCKET member = member_of("239.255.77.1");

    send_to_group("239.255.77.1", local_port(member), "index", kLoopback);
    assert_receives(member, "index");
}

void a_group_is_received_by_its_own_members_only(void**) // [setsockopt/24]
{
    const SOCKET member = member_of("239.255.77.3");

    assert_is_passed_by(member_of("239.255.77.4"), "239.255.77.3");
    send_to_group("239.255.77.3", local_port(member), "group");
    assert_receives(member, "group");
}

void a_member_of_no_group_receives_none(void**) // [setsockopt/24]
{
    const SOCKET member = member_of("239.255.77.5");
    const SOCKET other = member_of_none();
    set_nonblocking(other);
    char byte;
    assert_wsa_fails(recv(other, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);

    assert_is_passed_by(other, "239.255.77.5");
    send_to_group("239.255.77.5", local_port(member), "group");
    assert_receives(member, "group");
}

void the_loop_is_switched_off_by_the_receiver(void**) // [setsockopt/25]
{
    const SOCKET member = member_of("239.255.77.6");
    assert_int_equal(option(member, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
    set_option(member, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    assert_int_equal(option(member, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
    assert_is_passed_by(member, "239.255.77.6");
    set_option(member, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    send_to_group("239.255.77.6", local_port(member), "group");
    assert_receives(member, "group");
}

void the_loop_is_no_business_of_the_sender(void**) // [setsockopt/25]
{
    const SOCKET member = member_of("239.255.77.7");
    const SOCKET sender = udp_socket();
    const DWORD loopback = htonl(INADDR_LOOPBACK);
    set_option(sender, IPPROTO_IP, IP_MULTICAST_IF, loopback);
    set_option(sender, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = inet_addr("239.255.77.7");
    name.sin_port = htons(local_port(member));
    assert_int_equal(
        sendto(sender, "group", 5, 0, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 5);
    assert_receives(member, "group");
}

void the_loop_of_ipv6_is_switched_off_by_the_receiver(void**) // [setsockopt/25]
{
    if (!has_ipv6())
        skip();
    const SOCKET member = member_of_ipv6_group();
    send_to_ipv6_group(local_port(member), "group");
    assert_receives(member, "group");
    set_option(member, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
    send_to_ipv6_group(local_port(member), "group");
    sockaddr_storage name;
    const int length = loopback_address(AF_INET6, local_port(member), &name);
    assert_int_equal(sendto(udp_socket(AF_INET6), "own", 3, 0, as_name(name), length), 3);
    assert_receives(member, "own");
}

void an_ipv6_group_is_received_by_its_own_members_only(void**) // [setsockopt/24]
{
    if (!has_ipv6())
        skip();
    const SOCKET member = member_of_ipv6_group();
    const SOCKET other = member_of_none(AF_INET6);
    IPV6_MREQ request = {};
    inet_pton(AF_INET6, "ff12::77:7", &request.ipv6mr_multiaddr);
    assert_wsa_ok(setsockopt(other, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP,
        reinterpret_cast<char*>(&request), sizeof(request)));

    assert_is_passed_by_ipv6(other);
    send_to_ipv6_group(local_port(member), "group");
    assert_receives(member, "group");
}

/// A request about a source of the group.
GROUP_SOURCE_REQ source_of_ipv6_group(const sockaddr_in6& source)
{
    GROUP_SOURCE_REQ request = {};
    const sockaddr_in6 group = name_of_ipv6_group(0);
    memcpy(&request.gsr_group, &group, sizeof(group));
    memcpy(&request.gsr_source, &source, sizeof(source));
    return request;
}

int set_source(SOCKET socket, int option, const GROUP_SOURCE_REQ& request)
{
    return setsockopt(
        socket, IPPROTO_IPV6, option, reinterpret_cast<const char*>(&request), sizeof(request));
}

void a_source_of_an_ipv6_group_can_be_blocked(void**) // [setsockopt/30]
{
    if (!has_ipv6())
        skip();
    const GROUP_SOURCE_REQ source = source_of_ipv6_group(ipv6_sender());
    const SOCKET member = member_of_ipv6_group();
    assert_wsa_ok(set_source(member, MCAST_BLOCK_SOURCE, source));
    assert_is_passed_by_ipv6(member);
    assert_wsa_ok(set_source(member, MCAST_UNBLOCK_SOURCE, source));
    send_to_ipv6_group(local_port(member), "group");
    assert_receives(member, "group");
}

void an_ipv6_group_can_be_joined_for_one_source(void**) // [setsockopt/30]
{
    if (!has_ipv6())
        skip();
    const GROUP_SOURCE_REQ source = source_of_ipv6_group(ipv6_sender());
    const SOCKET member = member_of_none(AF_INET6);
    sockaddr_in6 other = {};
    other.sin6_family = AF_INET6;
    inet_pton(AF_INET6, "2001:db8::1", &other.sin6_addr);
    assert_wsa_ok(set_source(member, MCAST_JOIN_SOURCE_GROUP, source_of_ipv6_group(other)));
    assert_is_passed_by_ipv6(member);
    assert_wsa_ok(set_source(member, MCAST_JOIN_SOURCE_GROUP, source));
    send_to_ipv6_group(local_port(member), "group");
    assert_receives(member, "group");
    assert_wsa_ok(set_source(member, MCAST_LEAVE_SOURCE_GROUP, source));
    assert_is_passed_by_ipv6(member);
    assert_wsa_fails(
        set_source(member, MCAST_LEAVE_SOURCE_GROUP, source), SOCKET_ERROR, WSAEADDRNOTAVAIL);
}

void leaving_twice_fails(void**) // [setsockopt/18]
{
    const SOCKET member = member_of("239.255.77.2");
    IP_MREQ request;
    request.imr_multiaddr.s_addr = inet_addr("239.255.77.2");
    request.imr_interface.s_addr = htonl(INADDR_LOOPBACK);

    assert_wsa_ok(setsockopt(member, IPPROTO_IP, IP_DROP_MEMBERSHIP,
        reinterpret_cast<char*>(&request), sizeof(request)));
    assert_int_equal(setsockopt(member, IPPROTO_IP, IP_DROP_MEMBERSHIP,
                         reinterpret_cast<char*>(&request), sizeof(request)),
        SOCKET_ERROR);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(stream_sockets_have_few_ip_options),
    cmocka_unit_test(stream_sockets_have_few_newer_ip_options),
    cmocka_unit_test(datagram_sockets_have_most_ip_options),
    cmocka_unit_test(datagram_sockets_have_newer_ip_options),
    cmocka_unit_test(the_mtu_needs_a_peer),
    cmocka_unit_test(the_interface_of_sends_is_an_index),
    cmocka_unit_test(a_membership_cannot_be_read),
    cmocka_unit_test(a_time_to_live_takes_any_length),
    cmocka_unit_test(fragments_are_refused_on_streams_only),
    cmocka_unit_test(an_ipv4_socket_has_the_v6only_option),
    cmocka_unit_test(v6only_is_settled_by_bind),
    cmocka_unit_test(v6only_of_an_ipv4_socket_is_settled_by_bind),
    cmocka_unit_test(a_raw_ipv6_socket_has_the_v6only_option),
    cmocka_unit_test(the_interface_of_arrival_is_of_no_stream),
    cmocka_unit_test(a_raw_socket_has_the_interface_of_arrival),
    cmocka_unit_test(ip_options_can_be_removed),
    cmocka_unit_test(a_raw_socket_has_removable_ip_options),
    cmocka_unit_test(a_member_receives_what_is_sent_to_the_group),
    cmocka_unit_test(groups_are_sent_to_by_the_index_of_an_interface),
    cmocka_unit_test(a_group_is_received_by_its_own_members_only),
    cmocka_unit_test(a_member_of_no_group_receives_none),
    cmocka_unit_test(an_ipv6_group_is_received_by_its_own_members_only),
    cmocka_unit_test(the_loop_is_switched_off_by_the_receiver),
    cmocka_unit_test(the_loop_is_no_business_of_the_sender),
    cmocka_unit_test(the_loop_of_ipv6_is_switched_off_by_the_receiver),
    cmocka_unit_test(a_source_of_an_ipv6_group_can_be_blocked),
    cmocka_unit_test(an_ipv6_group_can_be_joined_for_one_source),
    cmocka_unit_test(leaving_twice_fails),
};

} // namespace

CONFORMANCE_GROUP(ip_options, kCases);
