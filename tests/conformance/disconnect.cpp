// WSASendDisconnect and WSARecvDisconnect.

#include "peers.h"

using namespace conformance;

namespace {

void send_disconnect_is_a_shutdown_of_send(void**) // [shutdown/9]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(WSASendDisconnect(pair.client, nullptr));
    char byte;
    wait_until_readable(pair.server);
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    send_text(pair.server, "x");
    receive_exactly(pair.client, &byte, 1);
}

void receive_disconnect_is_a_shutdown_of_receive(void**) // [shutdown/10]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(WSARecvDisconnect(pair.client, nullptr));
    limit_receives(pair.client);
    char byte;
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    send_text(pair.client, "x");
    receive_exactly(pair.server, &byte, 1);
}

void an_unconnected_stream_cannot_disconnect(void**) // [shutdown/9] [shutdown/10]
{
    assert_wsa_fails(WSASendDisconnect(tcp_socket(), nullptr), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(WSARecvDisconnect(tcp_socket(), nullptr), SOCKET_ERROR, WSAENOTCONN);
}

void what_is_no_socket_cannot_disconnect(void**) // [shutdown/9] [shutdown/10]
{
    assert_wsa_fails(WSASendDisconnect(INVALID_SOCKET, nullptr), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(WSARecvDisconnect(INVALID_SOCKET, nullptr), SOCKET_ERROR, WSAENOTSOCK);
}

void there_is_no_disconnect_data(void**) // [shutdown/13]
{
    const TcpPair pair = new_tcp_pair();
    char text[] = "bye";
    WSABUF data = { sizeof(text), text };
    assert_wsa_fails(WSASendDisconnect(pair.client, &data), SOCKET_ERROR, WSAENOPROTOOPT);
    assert_wsa_fails(
        WSASendDisconnect(pair.client, reinterpret_cast<WSABUF*>(8)), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(WSASendDisconnect(INVALID_SOCKET, &data), SOCKET_ERROR, WSAENOTSOCK);
    send_text(pair.client, "x"); // nothing was shut down
}

void disconnecting_queues_no_packet(void**) // [shutdown/11]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port
        = owned(CreateIoCompletionPort(reinterpret_cast<HANDLE>(pair.client), nullptr, 1, 1));
    assert_non_null(port);
    assert_wsa_ok(WSARecvDisconnect(pair.client, nullptr));
    assert_wsa_ok(WSASendDisconnect(pair.client, nullptr));
    // The witness is posted later, so it comes out first only if there is nothing else.
    assert_true(PostQueuedCompletionStatus(port, 7, 2, nullptr));
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* overlapped = nullptr;
    assert_true(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, kHangLimit));
    assert_int_equal(key, 2);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(send_disconnect_is_a_shutdown_of_send),
    cmocka_unit_test(receive_disconnect_is_a_shutdown_of_receive),
    cmocka_unit_test(an_unconnected_stream_cannot_disconnect),
    cmocka_unit_test(what_is_no_socket_cannot_disconnect),
    cmocka_unit_test(there_is_no_disconnect_data),
    cmocka_unit_test(disconnecting_queues_no_packet),
};

} // namespace

CONFORMANCE_GROUP(disconnect, kCases);
