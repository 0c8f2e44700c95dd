// shutdown.

#include "extensions.h"
#include "peers.h"

using namespace conformance;

namespace {

/// Receives what must be the end of the stream.
void assert_end(SOCKET socket, Where where = Where::current())
{
    char byte;
    wait_until_readable(socket, where);
    const int result = recv(socket, &byte, 1, 0);
    if (result != 0)
        fail_at(where, "recv returned %d with error %d, not the end", result, WSAGetLastError());
}

void an_unconnected_stream_cannot_shut_down(void**) // [shutdown/1]
{
    for (int how : { SD_RECEIVE, SD_SEND, SD_BOTH })
        assert_wsa_fails(shutdown(tcp_socket(), how), SOCKET_ERROR, WSAENOTCONN);
}

void a_listening_socket_cannot_shut_down(void**) // [shutdown/1]
{
    const Listener listener = new_listener();
    for (int how : { SD_RECEIVE, SD_SEND, SD_BOTH })
        assert_wsa_fails(shutdown(listener.socket, how), SOCKET_ERROR, WSAENOTCONN);
}

void an_unknown_direction_is_refused(void**) // [shutdown/2]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_fails(shutdown(pair.client, 3), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(shutdown(pair.client, -1), SOCKET_ERROR, WSAEINVAL);
}

void a_shutdown_may_be_repeated(void**) // [shutdown/3]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_wsa_ok(shutdown(pair.client, SD_RECEIVE));
    assert_wsa_ok(shutdown(pair.client, SD_BOTH));
    assert_wsa_ok(shutdown(pair.client, SD_BOTH));
}

void a_shutdown_that_succeeds_clears_the_last_error(void**) // [shutdown/3]
{
    const TcpPair pair = new_tcp_pair();
    WSASetLastError(kPoison);
    assert_int_equal(shutdown(pair.client, SD_SEND), 0);
    assert_int_equal(WSAGetLastError(), 0);
}

void after_send_is_shut_down_the_peer_sees_the_end(void**) // [shutdown/4]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_end(pair.server);
}

void data_sent_before_the_shutdown_arrives_before_the_end(void**) // [shutdown/4]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "last words");
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    char buffer[10];
    receive_exactly(pair.server, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "last words", sizeof(buffer));
    assert_end(pair.server);
}

void after_send_is_shut_down_sending_fails(void**) // [shutdown/4]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
}

void after_send_is_shut_down_receiving_goes_on(void**) // [shutdown/4]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    send_text(pair.server, "answer");
    char buffer[6];
    receive_exactly(pair.client, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "answer", sizeof(buffer));
}

void after_receive_is_shut_down_receiving_fails(void**) // [shutdown/5]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_RECEIVE));
    limit_receives(pair.client);
    char byte;
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
}

void after_receive_is_shut_down_sending_goes_on(void**) // [shutdown/5]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_RECEIVE));
    send_text(pair.client, "x");
    char byte;
    receive_exactly(pair.server, &byte, 1);
}

void shutting_down_receive_tells_the_peer_nothing(void**) // [shutdown/5]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_RECEIVE));
    // The byte is causally later than what a FIN would be: nothing but it may arrive.
    send_text(pair.client, "x");
    char byte;
    receive_exactly(pair.server, &byte, 1);
    assert_int_equal(byte, 'x');
    set_nonblocking(pair.server);
    assert_wsa_fails(recv(pair.server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_pending_receive_outlives_the_shutdown_of_receive(void**) // [shutdown/12]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* operation = new_operation(event);
    assert_wsa_fails(WSARecv(pair.client, &operation->buffer, 1, nullptr, &operation->flags,
                         &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_wsa_ok(shutdown(pair.client, SD_RECEIVE));
    send_text(pair.server, "late");
    assert_becomes_signaled(event);
    assert_true(WSAGetOverlappedResult(
        pair.client, &operation->overlapped, &operation->transferred, FALSE, &operation->flags));
    assert_int_equal(operation->transferred, 4);
}

void after_both_are_shut_down_nothing_goes(void**) // [shutdown/7]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_BOTH));
    limit_receives(pair.client);
    char byte;
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    assert_end(pair.server);
}

void a_datagram_socket_may_shut_down_unconnected(void**) // [shutdown/8]
{
    for (int how : { SD_RECEIVE, SD_SEND, SD_BOTH })
        assert_wsa_ok(shutdown(udp_socket(), how));
}

void after_receive_is_shut_down_datagrams_cannot_be_received(void**) // [shutdown/8]
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    limit_receives(socket);
    assert_wsa_ok(shutdown(socket, SD_RECEIVE));
    char byte;
    assert_wsa_fails(recvfrom(socket, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAESHUTDOWN);
}

void after_send_is_shut_down_datagrams_cannot_be_sent(void**) // [shutdown/8]
{
    const SOCKET receiver = udp_socket();
    const SOCKET sender = udp_socket();
    bind_to_loopback(receiver);
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(receiver), &address);
    assert_wsa_ok(shutdown(sender, SD_SEND));
    assert_wsa_fails(
        sendto(sender, "x", 1, 0, as_name(address), length), SOCKET_ERROR, WSAESHUTDOWN);
}

void both_ends_shut_down_send(void**) // [shutdown/4]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_wsa_ok(shutdown(pair.server, SD_SEND));
    assert_end(pair.client);
    assert_end(pair.server);
}

/// What a peer that waits a while receives until the end, and whether it is what was sent.
void assert_all_before_the_end(SOCKET peer, const char* sent, ULONG length)
{
    static char piece[65536];
    ULONG received = 0;
    limit_receives(peer);
    for (int count; (count = recv(peer, piece, sizeof(piece), 0)) != 0; received += count) {
        if (count < 0)
            fail_at(
                Where::current(), "failed with %d after %lu bytes", WSAGetLastError(), received);
        assert_true(received + count <= length);
        assert_memory_equal(piece, sent + received, count);
    }
    assert_int_equal(received, length);
}

/// A send of more than the connection takes at once.
Operation* pending_send(SOCKET socket)
{
    constexpr ULONG kLength = 12 << 20;
    Operation* send = new_operation(new_event());
    send->buffer = { kLength, static_cast<char*>(lasting_memory(kLength)) };
    for (ULONG i = 0; i < kLength; ++i)
        send->buffer.buf[i] = static_cast<char>(i % 251);
    assert_wsa_fails(WSASend(socket, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    return send;
}

void a_pending_send_goes_before_the_end(void**) // [shutdown/14]
{
    const TcpPair pair = new_tcp_pair();
    const Operation* send = pending_send(pair.client);

    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_wsa_fails(::send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    assert_all_before_the_end(pair.server, send->buffer.buf, send->buffer.len);
    assert_becomes_signaled(send->overlapped.hEvent);
    assert_int_equal(send->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(send->overlapped.InternalHigh, send->buffer.len);
}

void a_pending_send_goes_before_a_disconnect(void**) // [shutdown/14]
{
    const TcpPair pair = new_tcp_pair();
    const Operation* send = pending_send(pair.client);
    Operation* disconnect = new_operation(new_event());

    assert_wsa_fails(disconnect_ex_of(pair.client)(pair.client, &disconnect->overlapped, 0, 0),
        FALSE, WSA_IO_PENDING);
    assert_all_before_the_end(pair.server, send->buffer.buf, send->buffer.len);
    assert_becomes_signaled(disconnect->overlapped.hEvent);
    assert_int_equal(send->overlapped.Internal, STATUS_SUCCESS);
}

void the_end_follows_a_cancelled_send(void**) // [shutdown/14]
{
    const TcpPair pair = new_tcp_pair();
    const Operation* send = pending_send(pair.client);

    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_true(CancelIoEx(reinterpret_cast<HANDLE>(pair.client), nullptr));
    assert_becomes_signaled(send->overlapped.hEvent);
    static char piece[65536];
    limit_receives(pair.server);
    int count;
    while ((count = recv(pair.server, piece, sizeof(piece), 0)) > 0) { }
    assert_int_equal(count, 0);
}

void a_reset_behind_the_end_is_an_abort(void**) // [recv/20]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.server, SD_SEND));
    assert_end(pair.client);
    close_owned(pair.server);
    send_text(pair.client, "hello"); // nobody is there: a reset comes back
    const ULONGLONG end = GetTickCount64() + kEventLimit;
    char byte;
    while (recv(pair.client, &byte, 1, 0) == 0 && GetTickCount64() < end) { } // it is on its way
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAECONNABORTED);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_unconnected_stream_cannot_shut_down),
    cmocka_unit_test(a_listening_socket_cannot_shut_down),
    cmocka_unit_test(an_unknown_direction_is_refused),
    cmocka_unit_test(a_shutdown_may_be_repeated),
    cmocka_unit_test(a_shutdown_that_succeeds_clears_the_last_error),
    cmocka_unit_test(after_send_is_shut_down_the_peer_sees_the_end),
    cmocka_unit_test(data_sent_before_the_shutdown_arrives_before_the_end),
    cmocka_unit_test(after_send_is_shut_down_sending_fails),
    cmocka_unit_test(after_send_is_shut_down_receiving_goes_on),
    cmocka_unit_test(after_receive_is_shut_down_receiving_fails),
    cmocka_unit_test(after_receive_is_shut_down_sending_goes_on),
    cmocka_unit_test(shutting_down_receive_tells_the_peer_nothing),
    cmocka_unit_test(a_pending_receive_outlives_the_shutdown_of_receive),
    cmocka_unit_test(after_both_are_shut_down_nothing_goes),
    cmocka_unit_test(a_datagram_socket_may_shut_down_unconnected),
    cmocka_unit_test(after_receive_is_shut_down_datagrams_cannot_be_received),
    cmocka_unit_test(after_send_is_shut_down_datagrams_cannot_be_sent),
    cmocka_unit_test(both_ends_shut_down_send),
    cmocka_unit_test(a_pending_send_goes_before_the_end),
    cmocka_unit_test(a_pending_send_goes_before_a_disconnect),
    cmocka_unit_test(the_end_follows_a_cancelled_send),
    cmocka_unit_test(a_reset_behind_the_end_is_an_abort),
};

} // namespace

CONFORMANCE_GROUP(shutdown, kCases);
