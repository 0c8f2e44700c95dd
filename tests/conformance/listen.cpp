// listen.

#include "peers.h"

using namespace conformance;

namespace {

SOCKET bound_tcp_socket()
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    return socket;
}

void what_is_no_socket_cannot_listen(void**) // [listen/1]
{
    assert_wsa_fails(listen(0, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(listen(0xDEAD, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(listen(INVALID_SOCKET, 5), SOCKET_ERROR, WSAENOTSOCK);
}

void a_datagram_socket_cannot_listen(void**) // [listen/2]
{
    const SOCKET socket = udp_socket();
    assert_wsa_fails(listen(socket, 5), SOCKET_ERROR, WSAEOPNOTSUPP);
    bind_to_loopback(socket);
    assert_wsa_fails(listen(socket, 5), SOCKET_ERROR, WSAEOPNOTSUPP);
}

void an_unbound_socket_cannot_listen(void**) // [listen/3]
{
    const SOCKET socket = tcp_socket();
    for (int backlog : { -2, -1, 0, 1, SOMAXCONN })
        assert_wsa_fails(listen(socket, backlog), SOCKET_ERROR, WSAEINVAL);
}

void any_backlog_is_taken(void**) // [listen/4]
{
    for (int backlog : { -200, -1, 0, 1, 5, SOMAXCONN })
        assert_wsa_ok(listen(bound_tcp_socket(), backlog));
}

void listening_twice_is_allowed(void**) // [listen/5]
{
    const SOCKET socket = bound_tcp_socket();
    assert_wsa_ok(listen(socket, 0));
    assert_wsa_ok(listen(socket, 5));
}

void listening_shows_in_the_accept_option(void**) // [listen/6]
{
    const SOCKET socket = bound_tcp_socket();
    assert_int_equal(option(socket, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_wsa_ok(listen(socket, 5));
    assert_int_equal(option(socket, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

void a_connected_socket_cannot_listen(void**) // [listen/7]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_fails(listen(pair.client, 5), SOCKET_ERROR, WSAEISCONN);
    assert_wsa_fails(listen(pair.server, 5), SOCKET_ERROR, WSAEISCONN);
}

void a_socket_can_listen_after_a_refused_connect(void**) // [listen/8]
{
    const sockaddr_storage nobody = refusing_address();
    const SOCKET socket = bound_tcp_socket();
    assert_wsa_fails(
        connect(socket, as_name(nobody), sizeof(sockaddr_in)), SOCKET_ERROR, WSAECONNREFUSED);
    assert_wsa_ok(listen(socket, 5));
}

void connections_queue_before_accept(void**) // [listen/4]
{
    const Listener listener = new_listener();
    const SOCKET clients[] = { connect_to(listener), connect_to(listener), connect_to(listener) };
    // Accepted in the order of their arrival.
    for (SOCKET client : clients) {
        sockaddr_in name;
        int length = sizeof(name);
        const SOCKET server
            = owned(accept(listener.socket, reinterpret_cast<sockaddr*>(&name), &length));
        assert_true(server != INVALID_SOCKET);
        assert_int_equal(ntohs(name.sin_port), local_port(client));
    }
}

void a_successful_listen_clears_the_last_error(void**) // [listen/9]
{
    const SOCKET socket = bound_tcp_socket();
    WSASetLastError(kPoison);
    assert_int_equal(listen(socket, 5), 0);
    assert_int_equal(WSAGetLastError(), 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(what_is_no_socket_cannot_listen),
    cmocka_unit_test(a_datagram_socket_cannot_listen),
    cmocka_unit_test(an_unbound_socket_cannot_listen),
    cmocka_unit_test(any_backlog_is_taken),
    cmocka_unit_test(listening_twice_is_allowed),
    cmocka_unit_test(listening_shows_in_the_accept_option),
    cmocka_unit_test(a_connected_socket_cannot_listen),
    cmocka_unit_test(a_socket_can_listen_after_a_refused_connect),
    cmocka_unit_test(connections_queue_before_accept),
    cmocka_unit_test(a_successful_listen_clears_the_last_error),
};

} // namespace

CONFORMANCE_GROUP(listen, kCases);
