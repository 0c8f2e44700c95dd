// connect and WSAConnect.

#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

int connect_name(SOCKET socket, const sockaddr_storage& address)
{
    return connect(socket, as_name(address), sizeof(sockaddr_in));
}

int connect_to_port(SOCKET socket, unsigned short port)
{
    sockaddr_storage address;
    loopback_address(AF_INET, port, &address);
    return connect_name(socket, address);
}

int peer_error(SOCKET socket)
{
    sockaddr_storage name;
    int length = sizeof(name);
    return getpeername(socket, as_name(name), &length) ? WSAGetLastError() : 0;
}

void CALLBACK ignore_apc(ULONG_PTR called)
{
    *reinterpret_cast<bool*>(called) = true;
}

// --- Streams

void connect_joins_two_sockets(void**) // [connect/1]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    WSASetLastError(kPoison);
    assert_int_equal(connect_name(client, listener.address), 0);
    assert_int_equal(WSAGetLastError(), 0);
    const SOCKET server = accept_from(listener);
    send_text(client, "x");
    wait_until_readable(server);
}

void wsaconnect_is_connect(void**) // [connect/1]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    assert_wsa_ok(WSAConnect(client, as_name(listener.address), sizeof(sockaddr_in), nullptr,
        nullptr, nullptr, nullptr));
    const SOCKET server = accept_from(listener);
    send_text(server, "x");
    wait_until_readable(client);
}

void connect_binds_an_unbound_socket(void**) // [connect/2]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    assert_int_equal(local_name(client).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_not_equal(local_port(client), 0);
}

void a_refused_connect_says_so(void**) // [connect/3]
{
    const SOCKET client = tcp_socket();
    assert_wsa_fails(connect_name(client, refusing_address()), SOCKET_ERROR, WSAECONNREFUSED);
}

void a_refused_socket_may_try_again(void**) // [connect/4]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    assert_wsa_fails(connect_name(client, refusing_address()), SOCKET_ERROR, WSAECONNREFUSED);
    assert_wsa_ok(connect_name(client, listener.address));
    assert_int_equal(peer_error(client), 0);
}

void a_connected_socket_is_refused(void**) // [connect/17]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    const SOCKET server = accept_from(listener);
    assert_wsa_fails(connect_name(client, listener.address), SOCKET_ERROR, WSAEISCONN);
    assert_wsa_fails(connect_name(server, listener.address), SOCKET_ERROR, WSAEISCONN);
    set_nonblocking(client);
    assert_wsa_fails(connect_name(client, listener.address), SOCKET_ERROR, WSAEISCONN);
}

void a_socket_that_was_shut_down_is_still_connected(void**) // [connect/17]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    assert_wsa_ok(shutdown(client, SD_BOTH));
    assert_wsa_fails(connect_name(client, listener.address), SOCKET_ERROR, WSAEISCONN);
}

void a_listening_socket_cannot_connect(void**) // [connect/6]
{
    const Listener listener = new_listener();
    const Listener other = new_listener();
    assert_wsa_fails(connect_name(listener.socket, other.address), SOCKET_ERROR, WSAEINVAL);
}

// --- Non-blocking streams

void a_non_blocking_connect_would_block(void**) // [connect/7]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    WSASetLastError(kPoison);
    if (connect_name(client, listener.address) != 0)
        assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
    wait_until_writable(client);
    assert_int_equal(peer_error(client), 0);
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), 0);
}

void a_second_connect_meanwhile_is_already_under_way(void**) // [connect/8]
{
    const Listener listener = new_listener();
    const SOCKET client = new_connecting_socket();
    assert_wsa_fails(connect_name(client, listener.address), SOCKET_ERROR, WSAEALREADY);
}

void a_connecting_socket_has_a_local_name(void**) // [connect/15]
{
    assert_int_not_equal(local_port(new_connecting_socket()), 0);
}

void a_connecting_socket_has_a_peer_name(void**) // [connect/15]
{
    assert_int_equal(peer_error(new_connecting_socket()), 0);
}

void a_connecting_socket_cannot_receive(void**) // [connect/10]
{
    char byte;
    const SOCKET client = new_connecting_socket();
    assert_wsa_fails(recv(client, &byte, 1, 0), SOCKET_ERROR, WSAENOTCONN);
}

void a_connecting_socket_cannot_send(void**) // [connect/10]
{
    const SOCKET client = new_connecting_socket();
    assert_wsa_fails(send(client, "x", 1, 0), SOCKET_ERROR, WSAENOTCONN);
}

void a_refused_non_blocking_connect_is_exceptional(void**) // [connect/11]
{
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    assert_wsa_fails(connect_name(client, refusing_address()), SOCKET_ERROR, WSAEWOULDBLOCK);
    wait_until_exceptional(client);
    assert_false(is_writable(client));
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
}

void the_error_of_a_refused_connect_stays(void**) // [connect/11]
{
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    assert_wsa_fails(connect_name(client, refusing_address()), SOCKET_ERROR, WSAEWOULDBLOCK);
    wait_until_exceptional(client);
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
    assert_true(is_exceptional(client));
}

void a_refused_non_blocking_socket_may_try_again(void**) // [connect/4]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    assert_wsa_fails(connect_name(client, refusing_address()), SOCKET_ERROR, WSAEWOULDBLOCK);
    wait_until_exceptional(client);
    WSASetLastError(kPoison);
    if (connect_name(client, listener.address) != 0)
        assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
    wait_until_writable(client);
    assert_int_equal(peer_error(client), 0);
}

void a_refused_blocking_connect_leaves_no_socket_error(void**) // [connect/12]
{
    const SOCKET client = tcp_socket();
    assert_wsa_fails(connect_name(client, refusing_address()), SOCKET_ERROR, WSAECONNREFUSED);
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), 0);
    assert_true(is_exceptional(client));
}

// --- Addresses

void a_short_or_null_name_is_refused(void**) // [connect/13]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    assert_wsa_fails(connect(client, as_name(listener.address), 3), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(connect(client, as_name(listener.address), sizeof(sockaddr_in) - 1),
        SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(connect(client, nullptr, sizeof(sockaddr_in)), SOCKET_ERROR, WSAEFAULT);
}

void a_name_of_another_family_is_refused(void**) // [connect/14]
{
    sockaddr_storage address;
    const int length = loopback_address(AF_INET6, 7, &address);
    assert_wsa_fails(
        connect(tcp_socket(), as_name(address), length), SOCKET_ERROR, WSAEAFNOSUPPORT);
}

void port_zero_is_no_destination(void**) // [connect/5]
{
    assert_wsa_fails(connect_to_port(tcp_socket(), 0), SOCKET_ERROR, WSAEADDRNOTAVAIL);
}

void the_any_address_is_no_destination(void**) // [connect/5]
{
    sockaddr_storage address = new_listener().address;
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_ANY);
    assert_wsa_fails(connect_name(tcp_socket(), address), SOCKET_ERROR, WSAEADDRNOTAVAIL);
}

void connect_works_over_ipv6(void**) // [connect/1]
{
    if (!has_ipv6())
        skip();
    const TcpPair pair = new_tcp_pair(AF_INET6);
    send_text(pair.client, "x");
    wait_until_readable(pair.server);
}

// --- Datagrams

void connecting_a_datagram_socket_sets_its_peer(void**) // [connect/16]
{
    const SOCKET receiver = udp_socket();
    const SOCKET sender = udp_socket();
    bind_to_loopback(receiver);
    assert_wsa_ok(connect_to_port(sender, local_port(receiver)));
    assert_int_equal(peer_error(sender), 0);
    assert_int_equal(send(sender, "x", 1, 0), 1);
    wait_until_readable(receiver);
}

void a_datagram_socket_may_change_its_peer(void**) // [connect/16]
{
    const SOCKET first = udp_socket();
    const SOCKET second = udp_socket();
    const SOCKET sender = udp_socket();
    bind_to_loopback(first);
    bind_to_loopback(second);
    assert_wsa_ok(connect_to_port(sender, local_port(first)));
    assert_wsa_ok(connect_to_port(sender, local_port(second)));
    assert_int_equal(send(sender, "x", 1, 0), 1);
    wait_until_readable(second);
    assert_false(is_readable(first));
}

void a_null_address_dissolves_the_peer(void**) // [connect/5]
{
    const UdpPair pair = new_udp_pair();
    sockaddr_storage nobody = {};
    nobody.ss_family = AF_UNSPEC;
    assert_wsa_ok(connect_name(pair.a, nobody));
    assert_int_equal(peer_error(pair.a), WSAENOTCONN);
    assert_wsa_fails(send(pair.a, "x", 1, 0), SOCKET_ERROR, WSAENOTCONN);
}

void the_any_address_dissolves_the_peer(void**) // [connect/5]
{
    const UdpPair pair = new_udp_pair();
    sockaddr_storage nobody = {};
    nobody.ss_family = AF_INET;
    assert_wsa_ok(connect_name(pair.a, nobody));
    assert_int_equal(peer_error(pair.a), WSAENOTCONN);
}

void the_any_address_is_no_peer(void**) // [connect/5]
{
    const UdpPair pair = new_udp_pair();
    sockaddr_storage address = {};
    address.ss_family = AF_INET;
    reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(9);
    assert_wsa_fails(connect_name(udp_socket(), address), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    assert_wsa_fails(connect_name(pair.a, address), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    assert_int_equal(peer_error(pair.a), 0);
    if (!has_ipv6())
        return;
    address.ss_family = AF_INET6; // the port is in the same place
    assert_wsa_fails(connect(udp_socket(AF_INET6), as_name(address), sizeof(sockaddr_in6)),
        SOCKET_ERROR, WSAEADDRNOTAVAIL);
}

void a_stream_carries_no_connect_data(void**) // [connect/9]
{
    const Listener listener = new_listener();
    char text[] = "abc";
    WSABUF data = { sizeof(text), text };
    WSABUF room = { sizeof(text), text };
    const SOCKET client = tcp_socket();
    assert_wsa_fails(WSAConnect(client, as_name(listener.address), listener.address_length, &data,
                         nullptr, nullptr, nullptr),
        SOCKET_ERROR, WSAEPROTONOSUPPORT);
    data.len = 0;
    assert_wsa_ok(WSAConnect(client, as_name(listener.address), listener.address_length, &data,
        &room, nullptr, nullptr));
    assert_int_equal(room.len, 0);
    assert_ptr_equal(room.buf, text);
}

void connect_data_of_datagrams_are_not_looked_at(void**) // [connect/9]
{
    const SOCKET receiver = udp_socket();
    bind_to_loopback(receiver);
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(receiver), &address);
    char text[] = "abc";
    WSABUF data = { sizeof(text), text };
    assert_wsa_ok(
        WSAConnect(udp_socket(), as_name(address), length, &data, &data, nullptr, nullptr));
    assert_int_equal(data.len, sizeof(text));
}

void connect_data_that_cannot_be_told_are_a_fault(void**) // [connect/9]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    auto* nowhere = reinterpret_cast<WSABUF*>(8);
    assert_wsa_fails(WSAConnect(client, as_name(listener.address), listener.address_length, nullptr,
                         nowhere, nullptr, nullptr),
        SOCKET_ERROR, WSAEFAULT);
    // It is refused before it is connected.
    assert_wsa_ok(connect_name(client, listener.address));
}

void a_connected_datagram_socket_hears_its_peer_only(void**) // [connect/16]
{
    const UdpPair pair = new_udp_pair();
    const SOCKET stranger = udp_socket();
    sockaddr_storage address;
    loopback_address(AF_INET, local_port(pair.a), &address);
    assert_int_equal(sendto(stranger, "no", 2, 0, as_name(address), sizeof(sockaddr_in)), 2);
    assert_int_equal(send(pair.b, "yes", 3, 0), 3);
    wait_until_readable(pair.a);
    char buffer[8];
    assert_int_equal(recv(pair.a, buffer, sizeof(buffer), 0), 3);
    assert_false(is_readable(pair.a));
}

void connecting_to_broadcast_needs_no_option(void**) // [connect/18]
{
    sockaddr_storage address;
    loopback_address(AF_INET, 9, &address);
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_BROADCAST);
    assert_wsa_ok(connect_name(udp_socket(), address));
}

// --- Waiting

void a_blocked_connect_runs_user_apcs(void**) // [connect/19]
{
    // Neither answered nor refused, so the calling thread waits.
    sockaddr_storage address;
    new_connecting_socket(&address);
    bool* called = lasting<bool>();
    const SOCKET client = tcp_socket();
    Background* background
        = run_in_background([=] { return (long long)connect_name(client, address); });
    assert_true(QueueUserAPC(
        ignore_apc, background_thread(background), reinterpret_cast<ULONG_PTR>(called)));
    assert_eventually([=] { return *static_cast<volatile bool*>(called); });
    close_owned(client);
    join(background);
}

void a_socket_of_ipv6_alone_cannot_reach_ipv4(void**) // [connect/20]
{
    if (!has_ipv6())
        skip();
    const Listener listener = new_listener();
    sockaddr_storage name;
    const int length = mapped_loopback(local_port(listener.socket), &name);

    assert_wsa_fails(
        connect(tcp_socket(AF_INET6), as_name(name), length), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    assert_wsa_fails(
        connect(udp_socket(AF_INET6), as_name(name), length), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    const SOCKET both = tcp_socket(AF_INET6);
    set_option(both, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    assert_wsa_ok(connect(both, as_name(name), length));
}

void a_non_blocking_socket_of_ipv6_alone_fails_later(void**) // [connect/20]
{
    if (!has_ipv6())
        skip();
    sockaddr_storage name;
    const int length = mapped_loopback(local_port(new_listener().socket), &name);
    const SOCKET socket = tcp_socket(AF_INET6);
    set_nonblocking(socket);

    assert_wsa_fails(connect(socket, as_name(name), length), SOCKET_ERROR, WSAEWOULDBLOCK);
    wait_until_exceptional(socket);
    assert_int_equal(option(socket, SOL_SOCKET, SO_ERROR), WSAEADDRNOTAVAIL);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(connect_joins_two_sockets),
    cmocka_unit_test(wsaconnect_is_connect),
    cmocka_unit_test(connect_binds_an_unbound_socket),
    cmocka_unit_test(a_refused_connect_says_so),
    cmocka_unit_test(a_refused_socket_may_try_again),
    cmocka_unit_test(a_connected_socket_is_refused),
    cmocka_unit_test(a_socket_that_was_shut_down_is_still_connected),
    cmocka_unit_test(a_listening_socket_cannot_connect),
    cmocka_unit_test(a_non_blocking_connect_would_block),
    cmocka_unit_test(a_second_connect_meanwhile_is_already_under_way),
    cmocka_unit_test(a_connecting_socket_has_a_local_name),
    cmocka_unit_test(a_connecting_socket_has_a_peer_name),
    cmocka_unit_test(a_connecting_socket_cannot_receive),
    cmocka_unit_test(a_connecting_socket_cannot_send),
    cmocka_unit_test(a_refused_non_blocking_connect_is_exceptional),
    cmocka_unit_test(the_error_of_a_refused_connect_stays),
    cmocka_unit_test(a_refused_non_blocking_socket_may_try_again),
    cmocka_unit_test(a_refused_blocking_connect_leaves_no_socket_error),
    cmocka_unit_test(a_short_or_null_name_is_refused),
    cmocka_unit_test(a_name_of_another_family_is_refused),
    cmocka_unit_test(port_zero_is_no_destination),
    cmocka_unit_test(the_any_address_is_no_destination),
    cmocka_unit_test(connect_works_over_ipv6),
    cmocka_unit_test(connecting_a_datagram_socket_sets_its_peer),
    cmocka_unit_test(a_datagram_socket_may_change_its_peer),
    cmocka_unit_test(a_null_address_dissolves_the_peer),
    cmocka_unit_test(the_any_address_dissolves_the_peer),
    cmocka_unit_test(the_any_address_is_no_peer),
    cmocka_unit_test(a_stream_carries_no_connect_data),
    cmocka_unit_test(connect_data_of_datagrams_are_not_looked_at),
    cmocka_unit_test(connect_data_that_cannot_be_told_are_a_fault),
    cmocka_unit_test(a_connected_datagram_socket_hears_its_peer_only),
    cmocka_unit_test(connecting_to_broadcast_needs_no_option),
    cmocka_unit_test(a_blocked_connect_runs_user_apcs),
    cmocka_unit_test(a_socket_of_ipv6_alone_cannot_reach_ipv4),
    cmocka_unit_test(a_non_blocking_socket_of_ipv6_alone_fails_later),
};

} // namespace

CONFORMANCE_GROUP(connect, kCases);
