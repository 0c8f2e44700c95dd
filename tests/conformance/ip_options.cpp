// getsockopt and setsockopt at IPPROTO_IP and IPPROTO_IPV6.

#include "option_checks.h"
#include "sockets.h"

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

/// A UDP socket that is in the group on the loopback interface.
SOCKET member_of(const char* group)
{
    const SOCKET socket = udp_socket();
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    assert_wsa_ok(bind(socket, reinterpret_cast<sockaddr*>(&any), sizeof(any)));
    IP_MREQ request;
    request.imr_multiaddr.s_addr = inet_addr(group);
    request.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    assert_wsa_ok(setsockopt(
        socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, reinterpret_cast<char*>(&request), sizeof(request)));
    return socket;
}

void a_member_receives_what_is_sent_to_the_group(void**) // [setsockopt/18]
{
    const SOCKET member = member_of("239.255.77.1");
    const SOCKET sender = udp_socket();
    bind_to_loopback(sender);
    const DWORD loopback = htonl(INADDR_LOOPBACK);
    assert_wsa_ok(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF,
        reinterpret_cast<const char*>(&loopback), sizeof(loopback)));

    sockaddr_in group = {};
    group.sin_family = AF_INET;
    group.sin_addr.s_addr = inet_addr("239.255.77.1");
    group.sin_port = htons(local_port(member));
    assert_int_equal(
        sendto(sender, "multi", 5, 0, reinterpret_cast<sockaddr*>(&group), sizeof(group)), 5);
    wait_until_readable(member);
    char data[16];
    assert_int_equal(recv(member, data, sizeof(data), 0), 5);
    assert_memory_equal(data, "multi", 5);
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
    cmocka_unit_test(a_membership_cannot_be_read),
    cmocka_unit_test(a_time_to_live_takes_any_length),
    cmocka_unit_test(fragments_are_refused_on_streams_only),
    cmocka_unit_test(an_ipv4_socket_has_the_v6only_option),
    cmocka_unit_test(v6only_is_settled_by_bind),
    cmocka_unit_test(a_member_receives_what_is_sent_to_the_group),
    cmocka_unit_test(leaving_twice_fails),
};

} // namespace

CONFORMANCE_GROUP(ip_options, kCases);
