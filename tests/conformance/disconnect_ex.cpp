// DisconnectEx.

#include "extensions.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

void disconnect_ex_refuses_what_is_no_socket(void**) // [DisconnectEx/1]
{
    const auto disconnect_ex = disconnect_ex_of(tcp_socket());

    assert_wsa_fails(disconnect_ex(INVALID_SOCKET, nullptr, 0, 0), FALSE, WSAENOTSOCK);
}

void disconnect_ex_refuses_an_unconnected_socket(void**) // [DisconnectEx/2]
{
    const SOCKET client = tcp_socket();
    Operation* operation = new_operation(new_event());
    const auto disconnect_ex = disconnect_ex_of(client);

    assert_wsa_fails(disconnect_ex(client, &operation->overlapped, 0, 0), FALSE, WSAENOTCONN);
    assert_wsa_fails(disconnect_ex(client, nullptr, 0, 0), FALSE, WSAENOTCONN);
    const UdpPair datagrams = new_udp_pair();
    assert_wsa_fails(disconnect_ex(udp_socket(), nullptr, 0, 0), FALSE, WSAENOTCONN);
    assert_wsa_fails(disconnect_ex(datagrams.a, nullptr, 0, 0), FALSE, WSAENOTCONN);
}

void disconnect_ex_refuses_unknown_flags(void**) // [DisconnectEx/7]
{
    const TcpPair pair = new_tcp_pair();
    const auto disconnect_ex = disconnect_ex_of(pair.client);

    assert_wsa_fails(disconnect_ex(pair.client, nullptr, TF_DISCONNECT, 0), FALSE, WSAEINVAL);
    assert_wsa_fails(disconnect_ex(pair.client, nullptr, 0, 1), FALSE, WSAEINVAL);
    send_text(pair.client, "x"); // nothing was disconnected
}

void disconnect_ex_pends_and_completes(void**) // [DisconnectEx/3]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());

    assert_wsa_fails(disconnect_ex_of(pair.client)(pair.client, &operation->overlapped, 0, 0),
        FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 0);
}

void disconnect_ex_without_overlapped_returns_when_done(void**) // [DisconnectEx/4]
{
    const TcpPair pair = new_tcp_pair();
    const auto disconnect_ex = disconnect_ex_of(pair.client);

    assert_true(disconnect_ex(pair.client, nullptr, 0, 0));
    assert_true(disconnect_ex(pair.client, nullptr, 0, 0));
}

void disconnect_ex_ends_sending_only(void**) // [DisconnectEx/5]
{
    const TcpPair pair = new_tcp_pair();
    char data[8];
    assert_true(disconnect_ex_of(pair.client)(pair.client, nullptr, 0, 0));

    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    assert_int_equal(recv(pair.server, data, sizeof(data), 0), 0);
    send_text(pair.server, "hello");
    receive_exactly(pair.client, data, 5);
    assert_memory_equal(data, "hello", 5);
}

void disconnect_ex_queues_a_packet(void**) // [DisconnectEx/3]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* operation = new_operation();
    associate(pair.client, port, 4);
    assert_true(SetFileCompletionNotificationModes(
        reinterpret_cast<HANDLE>(pair.client), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));

    assert_wsa_fails(disconnect_ex_of(pair.client)(pair.client, &operation->overlapped, 0, 0),
        FALSE, WSA_IO_PENDING);
    assert_int_equal(next_packet(port).key, 4);
}

void update_accept_context(const PendingAccept& accept)
{
    assert_wsa_ok(setsockopt(accept.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&accept.listener.socket), sizeof(SOCKET)));
}

/// Accepts another client into the socket, and moves data both ways.
SOCKET accept_again(const PendingAccept& accept)
{
    const PendingAccept again { accept.listener, accept.acceptor, new_operation(new_event()) };
    assert_wsa_fails(call_accept_ex(again, 0), FALSE, WSA_IO_PENDING);
    const SOCKET client = connect_to(accept.listener);
    assert_int_equal(await_status(again.operation), STATUS_SUCCESS);
    update_accept_context(accept);
    char data[4];
    send_text(client, "ping");
    receive_exactly(accept.acceptor, data, sizeof(data));
    assert_memory_equal(data, "ping", sizeof(data));
    send_text(accept.acceptor, "pong");
    receive_exactly(client, data, sizeof(data));
    assert_memory_equal(data, "pong", sizeof(data));
    return client;
}

void a_reusable_socket_is_reusable(void**) // [DisconnectEx/6]
{
    const PendingAccept accept = new_pending_accept(0);
    const SOCKET acceptor = accept.acceptor;
    SOCKET client = connect_to(accept.listener);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    update_accept_context(accept);
    for (int round = 0; round < 3; ++round) {
        assert_wsa_ok(shutdown(client, SD_SEND));
        Operation* disconnect = new_operation(new_event());
        if (!disconnect_ex_of(acceptor)(acceptor, &disconnect->overlapped, TF_REUSE_SOCKET, 0))
            assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
        close_owned(client);
        assert_int_equal(await_status(disconnect), STATUS_SUCCESS);
        client = accept_again(accept);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(disconnect_ex_refuses_what_is_no_socket),
    cmocka_unit_test(disconnect_ex_refuses_an_unconnected_socket),
    cmocka_unit_test(disconnect_ex_refuses_unknown_flags),
    cmocka_unit_test(disconnect_ex_pends_and_completes),
    cmocka_unit_test(disconnect_ex_without_overlapped_returns_when_done),
    cmocka_unit_test(disconnect_ex_ends_sending_only),
    cmocka_unit_test(disconnect_ex_queues_a_packet),
    cmocka_unit_test(a_reusable_socket_is_reusable),
};

} // namespace

CONFORMANCE_GROUP(disconnect_ex, kCases);
