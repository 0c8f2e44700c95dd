// send, recv, WSASend and WSARecv on streams, without OVERLAPPED.

#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

int receive(SOCKET socket, char* buffer, int length, int flags = 0)
{
    return recv(socket, buffer, length, flags);
}

/// WSARecv without OVERLAPPED: the result, the bytes and the flags that came out.
struct Received {
    int result;
    int error;
    DWORD bytes;
    DWORD flags;
};

Received wsa_receive(SOCKET socket, WSABUF* buffers, DWORD count, DWORD flags = 0)
{
    Received received = { 0, 0, kPoison, flags };
    WSASetLastError(kPoison);
    received.result
        = WSARecv(socket, buffers, count, &received.bytes, &received.flags, nullptr, nullptr);
    received.error = WSAGetLastError();
    return received;
}

// --- Sending

void a_send_takes_everything(void**) // [send/1]
{
    const TcpPair pair = new_tcp_pair();
    WSASetLastError(kPoison);
    assert_int_equal(send(pair.client, "hello", 5, 0), 5);
    assert_int_equal(WSAGetLastError(), 0);
    char buffer[5];
    receive_exactly(pair.server, buffer, 5);
    assert_memory_equal(buffer, "hello", 5);
}

void a_blocking_send_returns_when_all_is_taken(void**) // [send/1]
{
    constexpr int kSize = 8 << 20;
    const TcpPair pair = new_tcp_pair();
    char* data = static_cast<char*>(lasting_memory(kSize));
    memset(data, 'b', kSize);
    Background* background
        = run_in_background([=] { return (long long)send(pair.client, data, kSize, 0); });
    char* sink = static_cast<char*>(lasting_memory(kSize));
    receive_exactly(pair.server, sink, kSize);
    assert_int_equal(join(background).value, kSize);
    assert_memory_equal(data, sink, kSize);
}

void a_full_connection_would_block(void**) // [send/2]
{
    const TcpPair pair = new_tcp_pair();
    assert_true(send_until_full(pair.client) > 0);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_drained_connection_takes_more(void**) // [send/2]
{
    const TcpPair pair = new_tcp_pair();
    const size_t total = send_until_full(pair.client);
    char* sink = static_cast<char*>(lasting_memory(total));
    receive_exactly(pair.server, sink, static_cast<int>(total));
    wait_until_writable(pair.client);
    assert_int_equal(send(pair.client, "x", 1, 0), 1);
}

void an_unconnected_stream_cannot_send(void**) // [send/3]
{
    // On threads of their own: a send that waits must not hang the group.
    for (SOCKET socket : { tcp_socket(), new_listener().socket }) {
        const Outcome outcome
            = join(run_in_background([=] { return (long long)send(socket, "x", 1, 0); }));
        assert_int_equal(outcome.value, SOCKET_ERROR);
        assert_int_equal(outcome.error, WSAENOTCONN);
    }
}

void an_empty_send_succeeds(void**) // [send/4]
{
    const TcpPair pair = new_tcp_pair();
    assert_int_equal(send(pair.client, "", 0, 0), 0);
    send_text(pair.client, "x");
    char byte;
    receive_exactly(pair.server, &byte, 1); // The empty send left nothing in the stream.
    assert_int_equal(byte, 'x');
}

void a_bad_pointer_cannot_be_sent(void**) // [send/9]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_fails(
        send(pair.client, reinterpret_cast<const char*>(8), 16, 0), SOCKET_ERROR, WSAEFAULT);
}

void sending_after_a_reset_fails(void**) // [send/6]
{
    const TcpPair pair = new_tcp_pair();
    reset_connection(pair.server);
    wait_until_readable(pair.client);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAECONNRESET);
}

void wsasend_gathers_its_buffers(void**) // [send/7]
{
    const TcpPair pair = new_tcp_pair();
    char first[] = "one ";
    char second[] = "two ";
    char third[] = "three";
    WSABUF buffers[] = { { 4, first }, { 0, nullptr }, { 4, second }, { 5, third } };
    DWORD sent = 0;
    WSASetLastError(kPoison);
    assert_int_equal(WSASend(pair.client, buffers, 4, &sent, 0, nullptr, nullptr), 0);
    assert_int_equal(WSAGetLastError(), 0);
    assert_int_equal(sent, 13);
    char whole[13];
    receive_exactly(pair.server, whole, sizeof(whole));
    assert_memory_equal(whole, "one two three", 13);
}

void wsasend_needs_a_place_for_the_count(void**) // [send/8]
{
    const TcpPair pair = new_tcp_pair();
    char byte = 'x';
    WSABUF buffer = { 1, &byte };
    assert_wsa_fails(
        WSASend(pair.client, &buffer, 1, nullptr, 0, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
}

void a_stream_has_no_partial_messages(void**) // [send/5]
{
    const TcpPair pair = new_tcp_pair();
    char byte = 'x';
    WSABUF buffer = { 1, &byte };
    DWORD sent;
    assert_wsa_fails(WSASend(pair.client, &buffer, 1, &sent, MSG_PARTIAL, nullptr, nullptr),
        SOCKET_ERROR, WSAEOPNOTSUPP);
}

void a_send_times_out(void**) // [send/10]
{
    const TcpPair pair = new_tcp_pair();
    send_until_full(pair.client);
    set_nonblocking(pair.client, false);
    set_option(pair.client, SOL_SOCKET, SO_SNDTIMEO, 100);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAETIMEDOUT);
}

// --- Receiving

void a_receive_returns_what_is_there(void**) // [recv/1]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[64];
    send_text(pair.client, "abc");
    wait_until_received(pair.server, 3);
    WSASetLastError(kPoison);
    assert_int_equal(receive(pair.server, buffer, sizeof(buffer)), 3);
    assert_int_equal(WSAGetLastError(), 0);
    assert_memory_equal(buffer, "abc", 3);
}

void a_stream_keeps_what_does_not_fit(void**) // [recv/1]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[8];
    send_text(pair.client, "abcdef");
    wait_until_received(pair.server, 6);
    assert_int_equal(receive(pair.server, buffer, 2), 2);
    assert_int_equal(receive(pair.server, buffer + 2, 6), 4);
    assert_memory_equal(buffer, "abcdef", 6);
}

void the_end_of_a_stream_is_zero_bytes(void**) // [recv/2]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    close_owned(pair.client);
    limit_receives(pair.server);
    WSASetLastError(kPoison);
    assert_int_equal(receive(pair.server, &byte, 1), 0);
    assert_int_equal(WSAGetLastError(), 0);
    assert_int_equal(receive(pair.server, &byte, 1), 0); // And it stays the end.
}

void data_comes_before_the_end(void**) // [recv/2]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[8];
    send_text(pair.client, "abc");
    close_owned(pair.client);
    receive_exactly(pair.server, buffer, 3);
    limit_receives(pair.server);
    assert_int_equal(receive(pair.server, buffer, 8), 0);
}

void receiving_after_a_reset_fails(void**) // [recv/3]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    reset_connection(pair.client);
    limit_receives(pair.server);
    assert_wsa_fails(receive(pair.server, &byte, 1), SOCKET_ERROR, WSAECONNRESET);
}

void nothing_there_would_block(void**) // [recv/4]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    set_nonblocking(pair.server);
    assert_wsa_fails(receive(pair.server, &byte, 1), SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_wsa_fails(receive(pair.server, &byte, 1, MSG_PEEK), SOCKET_ERROR, WSAEWOULDBLOCK);
    WSABUF buffer = { 1, &byte };
    const Received received = wsa_receive(pair.server, &buffer, 1);
    assert_int_equal(received.result, SOCKET_ERROR);
    assert_int_equal(received.error, WSAEWOULDBLOCK);
}

void an_unconnected_stream_cannot_receive(void**) // [recv/5]
{
    char byte;
    const SOCKET fresh = tcp_socket();
    const SOCKET listening = new_listener().socket;
    set_nonblocking(fresh); // Not to hang where the state is not looked at.
    set_nonblocking(listening);
    assert_wsa_fails(receive(fresh, &byte, 1), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(receive(listening, &byte, 1), SOCKET_ERROR, WSAENOTCONN);
}

void a_blocking_receive_waits_for_data(void**) // [recv/4]
{
    const TcpPair pair = new_tcp_pair();
    char* byte = static_cast<char*>(lasting_memory(1));
    Background* background
        = run_in_background([=] { return (long long)receive(pair.server, byte, 1); });
    send_text(pair.client, "x");
    assert_int_equal(join(background).value, 1);
    assert_int_equal(*byte, 'x');
}

void a_socket_that_is_not_overlapped_has_no_timeout(void**) // [recv/6]
{
    const Listener listener = new_listener();
    const SOCKET client = owned(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0));
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(listener.socket), &address);
    assert_wsa_ok(connect(client, reinterpret_cast<sockaddr*>(&address), length));
    const SOCKET server = accept_from(listener);
    set_option(client, SOL_SOCKET, SO_RCVTIMEO, 50);
    char byte = 0;
    Background* receiving
        = run_in_background([client, &byte] { return receive(client, &byte, 1); });
    char other;
    set_option(server, SOL_SOCKET, SO_RCVTIMEO, 200); // in which the time of the client passes
    assert_wsa_fails(receive(server, &other, 1), SOCKET_ERROR, WSAETIMEDOUT);
    send_text(server, "x");
    assert_int_equal(join(receiving).value, 1);
    assert_int_equal(byte, 'x');
}

void a_receive_times_out(void**) // [recv/6]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    set_option(pair.server, SOL_SOCKET, SO_RCVTIMEO, 50);
    assert_wsa_fails(receive(pair.server, &byte, 1), SOCKET_ERROR, WSAETIMEDOUT);
    WSABUF buffer = { 1, &byte };
    const Received received = wsa_receive(pair.server, &buffer, 1);
    assert_int_equal(received.result, SOCKET_ERROR);
    assert_int_equal(received.error, WSAETIMEDOUT);
    send_text(pair.client, "x"); // The socket works on.
    receive_exactly(pair.server, &byte, 1);
}

void peeking_leaves_the_data(void**) // [recv/8]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[8];
    send_text(pair.client, "abc");
    wait_until_received(pair.server, 3);
    assert_int_equal(receive(pair.server, buffer, 8, MSG_PEEK), 3);
    assert_int_equal(receive(pair.server, buffer, 8, MSG_PEEK), 3);
    assert_int_equal(receive(pair.server, buffer, 8), 3);
    assert_memory_equal(buffer, "abc", 3);
}

void waiting_for_all_fills_the_buffer(void**) // [recv/7]
{
    const TcpPair pair = new_tcp_pair();
    char* buffer = static_cast<char*>(lasting_memory(8));
    Background* background = run_in_background(
        [=] { return (long long)receive(pair.server, buffer, 6, MSG_WAITALL); });
    send_text(pair.client, "abc");
    let_it_settle();
    assert_false(has_ended(background));
    send_text(pair.client, "def");
    assert_int_equal(join(background).value, 6);
    assert_memory_equal(buffer, "abcdef", 6);
}

void waiting_for_all_ends_with_the_stream(void**) // [recv/7]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[8];
    send_text(pair.client, "abc");
    close_owned(pair.client);
    limit_receives(pair.server);
    assert_int_equal(receive(pair.server, buffer, 8, MSG_WAITALL), 3);
}

void waiting_for_all_needs_a_call_that_may_wait(void**) // [recv/7]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[2];
    send_text(pair.client, "ab");
    wait_until_received(pair.server, 2);
    assert_wsa_fails(
        receive(pair.server, buffer, 2, MSG_WAITALL | MSG_PEEK), SOCKET_ERROR, WSAEOPNOTSUPP);
    set_nonblocking(pair.server);
    assert_wsa_fails(receive(pair.server, buffer, 2, MSG_WAITALL), SOCKET_ERROR, WSAEOPNOTSUPP);
}

void a_bad_pointer_cannot_be_filled(void**) // [recv/9]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "abc");
    wait_until_received(pair.server, 3);
    assert_wsa_fails(receive(pair.server, reinterpret_cast<char*>(8), 16), SOCKET_ERROR, WSAEFAULT);
    char buffer[3];
    receive_exactly(pair.server, buffer, 3); // Nothing was lost.
}

void an_empty_receive_takes_nothing(void**) // [recv/10]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "abc");
    wait_until_received(pair.server, 3);
    assert_int_equal(receive(pair.server, nullptr, 0), 0);
    char buffer[3];
    receive_exactly(pair.server, buffer, 3);
}

void wsarecv_scatters_into_its_buffers(void**) // [recv/11]
{
    const TcpPair pair = new_tcp_pair();
    char first[4];
    char second[2];
    char third[16];
    WSABUF buffers[] = { { 4, first }, { 2, second }, { 16, third } };
    send_text(pair.client, "0123456789");
    wait_until_received(pair.server, 10);
    const Received received = wsa_receive(pair.server, buffers, 3);
    assert_int_equal(received.result, 0);
    assert_int_equal(received.error, 0);
    assert_int_equal(received.bytes, 10);
    assert_int_equal(received.flags, 0);
    assert_memory_equal(first, "0123", 4);
    assert_memory_equal(second, "45", 2);
    assert_memory_equal(third, "6789", 4);
}

void wsarecv_without_buffers_is_refused(void**) // [recv/12]
{
    const TcpPair pair = new_tcp_pair();
    WSABUF buffer = {};
    set_nonblocking(pair.server); // Not to hang where no buffer is one that waits.
    assert_int_equal(wsa_receive(pair.server, &buffer, 0).error, WSAEINVAL);
    assert_int_equal(wsa_receive(pair.server, nullptr, 0).error, WSAEINVAL);
}

void wsarecv_needs_a_place_for_the_count(void**) // [recv/13]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    WSABUF buffer = { 1, &byte };
    DWORD flags = 0;
    send_text(pair.client, "x");
    wait_until_received(pair.server, 1);
    assert_wsa_fails(WSARecv(pair.server, &buffer, 1, nullptr, &flags, nullptr, nullptr),
        SOCKET_ERROR, WSAEFAULT);
}

void wsarecv_tells_the_end(void**) // [recv/2]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    WSABUF buffer = { 1, &byte };
    close_owned(pair.client);
    limit_receives(pair.server);
    const Received received = wsa_receive(pair.server, &buffer, 1);
    assert_int_equal(received.result, 0);
    assert_int_equal(received.bytes, 0);
}

// --- Urgent data

void urgent_data_is_received_apart(void**) // [recv/14]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[8];
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_exceptional(pair.server);
    assert_false(is_readable(pair.server));
    assert_int_equal(receive(pair.server, buffer, 8, MSG_OOB), 1);
    assert_int_equal(buffer[0], 'u');
}

void ordinary_data_flows_around_the_urgent_byte(void**) // [recv/14]
{
    const TcpPair pair = new_tcp_pair();
    char buffer[8];
    send_text(pair.client, "ab");
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_exceptional(pair.server);
    send_text(pair.client, "cd");
    receive_exactly(pair.server, buffer, 4);
    assert_memory_equal(buffer, "abcd", 4);
}

void no_urgent_data_would_block(void**) // [recv/15]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    set_nonblocking(pair.server);
    assert_wsa_fails(receive(pair.server, &byte, 1, MSG_OOB), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void inline_urgent_data_is_ordinary(void**) // [recv/16]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    set_option(pair.server, SOL_SOCKET, SO_OOBINLINE, 1);
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_readable(pair.server);
    assert_wsa_fails(receive(pair.server, &byte, 1, MSG_OOB), SOCKET_ERROR, WSAEINVAL);
    assert_int_equal(receive(pair.server, &byte, 1), 1);
    assert_int_equal(byte, 'u');
}

void an_urgent_byte_that_was_read_does_not_become_data(void**) // [recv/21]
{
    const TcpPair pair = new_tcp_pair();
    char byte = 0;
    set_nonblocking(pair.server);
    assert_int_equal(send(pair.client, "a", 1, MSG_OOB), 1);
    assert_eventually([&] { return recv(pair.server, &byte, 1, MSG_OOB) == 1; });
    set_option(pair.server, SOL_SOCKET, SO_OOBINLINE, 1);
    assert_int_equal(send(pair.client, "b", 1, MSG_OOB), 1);
    wait_until_readable(pair.server);

    assert_wsa_fails(receive(pair.server, &byte, 1, MSG_OOB), SOCKET_ERROR, WSAEINVAL);
    assert_int_equal(receive(pair.server, &byte, 1), 1);
    assert_int_equal(byte, 'b');
    assert_wsa_fails(receive(pair.server, &byte, 1), SOCKET_ERROR, WSAEWOULDBLOCK);
    close_owned(pair.server);
    limit_receives(pair.client);
    assert_int_equal(receive(pair.client, &byte, 1), 0);
}

void an_urgent_byte_that_was_not_read_becomes_data(void**) // [recv/21]
{
    const TcpPair pair = new_tcp_pair();
    char byte = 0;
    assert_int_equal(send(pair.client, "a", 1, MSG_OOB), 1);
    assert_eventually([&] { return recv(pair.server, &byte, 1, MSG_OOB) == 1; });
    assert_int_equal(send(pair.client, "b", 1, MSG_OOB), 1);
    assert_eventually([&] { return is_exceptional(pair.server); });
    set_option(pair.server, SOL_SOCKET, SO_OOBINLINE, 1);

    send_text(pair.client, "c");
    char text[3] = {};
    receive_exactly(pair.server, text, 2);
    assert_string_equal(text, "bc");
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_send_takes_everything),
    cmocka_unit_test(a_blocking_send_returns_when_all_is_taken),
    cmocka_unit_test(a_full_connection_would_block),
    cmocka_unit_test(a_drained_connection_takes_more),
    cmocka_unit_test(an_unconnected_stream_cannot_send),
    cmocka_unit_test(an_empty_send_succeeds),
    cmocka_unit_test(a_bad_pointer_cannot_be_sent),
    cmocka_unit_test(sending_after_a_reset_fails),
    cmocka_unit_test(wsasend_gathers_its_buffers),
    cmocka_unit_test(wsasend_needs_a_place_for_the_count),
    cmocka_unit_test(a_stream_has_no_partial_messages),
    cmocka_unit_test(a_send_times_out),
    cmocka_unit_test(a_receive_returns_what_is_there),
    cmocka_unit_test(a_stream_keeps_what_does_not_fit),
    cmocka_unit_test(the_end_of_a_stream_is_zero_bytes),
    cmocka_unit_test(data_comes_before_the_end),
    cmocka_unit_test(receiving_after_a_reset_fails),
    cmocka_unit_test(nothing_there_would_block),
    cmocka_unit_test(an_unconnected_stream_cannot_receive),
    cmocka_unit_test(a_blocking_receive_waits_for_data),
    cmocka_unit_test(a_socket_that_is_not_overlapped_has_no_timeout),
    cmocka_unit_test(a_receive_times_out),
    cmocka_unit_test(peeking_leaves_the_data),
    cmocka_unit_test(waiting_for_all_fills_the_buffer),
    cmocka_unit_test(waiting_for_all_ends_with_the_stream),
    cmocka_unit_test(waiting_for_all_needs_a_call_that_may_wait),
    cmocka_unit_test(a_bad_pointer_cannot_be_filled),
    cmocka_unit_test(an_empty_receive_takes_nothing),
    cmocka_unit_test(wsarecv_scatters_into_its_buffers),
    cmocka_unit_test(wsarecv_without_buffers_is_refused),
    cmocka_unit_test(wsarecv_needs_a_place_for_the_count),
    cmocka_unit_test(wsarecv_tells_the_end),
    cmocka_unit_test(urgent_data_is_received_apart),
    cmocka_unit_test(ordinary_data_flows_around_the_urgent_byte),
    cmocka_unit_test(no_urgent_data_would_block),
    cmocka_unit_test(inline_urgent_data_is_ordinary),
    cmocka_unit_test(an_urgent_byte_that_was_read_does_not_become_data),
    cmocka_unit_test(an_urgent_byte_that_was_not_read_becomes_data),
};

} // namespace

CONFORMANCE_GROUP(send_recv, kCases);
