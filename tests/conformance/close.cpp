// closesocket and CloseHandle: what becomes of the connection, of blocked calls and of the handle.

#include "peers.h"

#include <algorithm>
#include <cstring>

using namespace conformance;

namespace {

/// What the peer sees next: 0 for a graceful end, or the error.
int end_seen_by(SOCKET peer, Where where = Where::current())
{
    char byte;
    wait_until_readable(peer, where);
    const int result = recv(peer, &byte, 1, 0);
    if (result > 0)
        fail_at(where, "there is data instead of an end");
    return result ? WSAGetLastError() : 0;
}

void set_linger(SOCKET socket, u_short on, u_short seconds, Where where = Where::current())
{
    const linger value = { on, seconds };
    if (setsockopt(
            socket, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&value), sizeof(value))
        != 0)
        fail_at(where, "SO_LINGER failed with %d", WSAGetLastError());
}

// --- The call itself

void closing_twice_is_refused(void**) // [closesocket/1]
{
    const SOCKET socket = tcp_socket();
    close_owned(socket);
    assert_wsa_fails(closesocket(socket), SOCKET_ERROR, WSAENOTSOCK);
}

void closing_keeps_the_last_error(void**) // [closesocket/6]
{
    const SOCKET socket = tcp_socket();
    disown(socket);
    WSASetLastError(kPoison);
    assert_int_equal(closesocket(socket), 0);
    assert_int_equal(WSAGetLastError(), kPoison);
}

void a_closed_socket_is_refused_everywhere(void**) // [closesocket/1]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    close_owned(pair.client);
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(shutdown(pair.client, SD_BOTH), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(listen(pair.client, 1), SOCKET_ERROR, WSAENOTSOCK);
}

void closing_closes_the_kernel_handle(void**) // [closesocket/2]
{
    // Another thread of the process may take the value at once, but not every time.
    assert_eventually([] {
        const SOCKET socket = tcp_socket();
        close_owned(socket);
        DWORD flags;
        return !GetHandleInformation(reinterpret_cast<HANDLE>(socket), &flags)
            && GetLastError() == ERROR_INVALID_HANDLE;
    });
}

// --- The connection

void closing_ends_the_connection_gracefully(void**) // [closesocket/4]
{
    const TcpPair pair = new_tcp_pair();
    close_owned(pair.client);
    assert_int_equal(end_seen_by(pair.server), 0);
}

void data_sent_before_closing_still_arrives(void**) // [closesocket/4]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "last words");
    close_owned(pair.client);
    char buffer[10];
    receive_exactly(pair.server, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "last words", sizeof(buffer));
    assert_int_equal(end_seen_by(pair.server), 0);
}

void lingering_for_no_time_resets_the_connection(void**) // [closesocket/5]
{
    const TcpPair pair = new_tcp_pair();
    set_linger(pair.client, 1, 0);
    close_owned(pair.client);
    assert_int_equal(end_seen_by(pair.server), WSAECONNRESET);
}

void lingering_ends_gracefully_when_all_is_sent(void**) // [closesocket/5]
{
    const TcpPair pair = new_tcp_pair();
    set_linger(pair.client, 1, 5);
    send_text(pair.client, "x");
    close_owned(pair.client);
    char byte;
    receive_exactly(pair.server, &byte, 1);
    assert_int_equal(end_seen_by(pair.server), 0);
}

void not_lingering_ends_gracefully(void**) // [closesocket/5]
{
    const TcpPair pair = new_tcp_pair();
    set_option(pair.client, SOL_SOCKET, SO_DONTLINGER, TRUE);
    send_text(pair.client, "x");
    close_owned(pair.client);
    char byte;
    receive_exactly(pair.server, &byte, 1);
    assert_int_equal(end_seen_by(pair.server), 0);
}

void closing_a_listener_refuses_later_connects(void**) // [closesocket/4]
{
    const Listener listener = new_listener();
    close_owned(listener.socket);
    assert_wsa_fails(connect(tcp_socket(), as_name(listener.address), listener.address_length),
        SOCKET_ERROR, WSAECONNREFUSED);
}

void closing_a_listener_ends_connections_nobody_accepted(void**) // [closesocket/4]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    wait_until_readable(listener.socket);
    close_owned(listener.socket);
    wait_until_readable(client);
    char byte;
    assert_true(recv(client, &byte, 1, 0) <= 0);
}

// --- Calls of other threads

long long blocking_receive(SOCKET socket)
{
    char byte;
    return recv(socket, &byte, 1, 0);
}

void assert_ended_by_close(const Outcome& outcome, Where where = Where::current())
{
    // Which of the three Windows answers with depends on its version and on the moment.
    if (outcome.value != SOCKET_ERROR
        || (outcome.error != WSAEINTR && outcome.error != WSAECONNABORTED
            && outcome.error != WSAENOTSOCK))
        fail_at(where, "the call returned %lld with error %d", outcome.value, outcome.error);
}

void closing_ends_a_blocked_receive(void**) // [closesocket/7]
{
    const TcpPair pair = new_tcp_pair();
    Background* receive = run_in_background([pair] { return blocking_receive(pair.client); });
    let_it_settle();
    close_owned(pair.client);
    assert_ended_by_close(join(receive));
}

void closing_ends_a_blocked_receive_of_a_datagram(void**) // [closesocket/7]
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    Background* receive = run_in_background([socket] { return blocking_receive(socket); });
    let_it_settle();
    close_owned(socket);
    assert_ended_by_close(join(receive));
}

void closing_ends_a_blocked_receive_of_all(void**) // [closesocket/7]
{
    for (const bool has_some : { false, true }) {
        const TcpPair pair = new_tcp_pair();
        if (has_some)
            send_text(pair.server, "some");
        auto* buffer = static_cast<char*>(lasting_memory(64));
        Background* receive = run_in_background(
            [=] { return (long long)recv(pair.client, buffer, 64, MSG_WAITALL); });
        if (has_some)
            assert_eventually([&] { return buffer[3] == 'e'; });
        let_it_settle();
        close_owned(pair.client);
        // Its value is soon another socket's, which the receive has nothing to do with.
        const TcpPair later = new_tcp_pair();
        send_text(later.server, "later");
        const Outcome outcome = join(receive);
        if (!has_some)
            assert_ended_by_close(outcome);
        char text[6] = {};
        receive_exactly(later.client, text, 5);
        assert_string_equal(text, "later");
    }
}

void closing_ends_two_blocked_receives(void**) // [closesocket/7]
{
    const TcpPair pair = new_tcp_pair();
    Background* first = run_in_background([pair] { return blocking_receive(pair.client); });
    Background* second = run_in_background([pair] { return blocking_receive(pair.client); });
    let_it_settle();
    close_owned(pair.client);
    assert_ended_by_close(join(first));
    assert_ended_by_close(join(second));
}

void closing_ends_a_blocked_send(void**) // [closesocket/3]
{
    const TcpPair pair = new_tcp_pair();
    send_until_full(pair.client);
    set_nonblocking(pair.client, false);
    char* block = static_cast<char*>(lasting_memory(1 << 20));
    Background* background
        = run_in_background([=] { return (long long)send(pair.client, block, 1 << 20, 0); });
    let_it_settle();
    close_owned(pair.client);
    assert_ended_by_close(join(background));
}

void closing_with_a_blocked_send_ends_the_connection(void**) // [closesocket/3]
{
    const TcpPair pair = new_tcp_pair();
    send_until_full(pair.client);
    set_nonblocking(pair.client, false);
    char* block = static_cast<char*>(lasting_memory(1 << 20));
    Background* background
        = run_in_background([=] { return (long long)send(pair.client, block, 1 << 20, 0); });
    let_it_settle();
    close_owned(pair.client);
    int result;
    do {
        wait_until_readable(pair.server);
        result = recv(pair.server, block, 1 << 20, 0);
    } while (result > 0);
    join(background);
}

void closing_ends_a_blocked_accept(void**) // [closesocket/7]
{
    const Listener listener = new_listener();
    Background* background = run_in_background(
        [listener] { return (long long)(int)accept(listener.socket, nullptr, nullptr); });
    let_it_settle();
    close_owned(listener.socket);
    assert_ended_by_close(join(background));
}

void closing_ends_a_blocked_connect(void**) // [closesocket/7]
{
    sockaddr_storage address;
    new_connecting_socket(&address);
    const SOCKET client = tcp_socket();
    Background* background = run_in_background(
        [=] { return (long long)connect(client, as_name(address), sizeof(sockaddr_in)); });
    let_it_settle();
    close_owned(client);
    assert_int_equal(join(background).value, SOCKET_ERROR);
}

void closing_ends_a_select_for_reading(void**) // [closesocket/8] [select/17]
{
    const TcpPair pair = new_tcp_pair();
    auto* set = lasting<fd_set>();
    FD_SET(pair.client, set);
    Background* background
        = run_in_background([=] { return (long long)select(0, set, nullptr, nullptr, nullptr); });
    let_it_settle();
    close_owned(pair.client);
    const Outcome outcome = join(background);
    // A select that had not yet begun refuses the closed socket instead.
    if (outcome.value == SOCKET_ERROR)
        assert_int_equal(outcome.error, WSAENOTSOCK);
    else
        assert_int_equal(outcome.value, 1);
}

void closing_ends_a_select_for_exceptions(void**) // [closesocket/8] [select/17]
{
    const TcpPair pair = new_tcp_pair();
    const UdpPair other = new_udp_pair();
    auto* exceptions = lasting<fd_set>();
    auto* readers = lasting<fd_set>();
    FD_SET(pair.client, exceptions);
    FD_SET(other.a, readers);
    Background* background = run_in_background(
        [=] { return (long long)select(0, readers, nullptr, exceptions, nullptr); });
    let_it_settle();
    close_owned(pair.client);
    const Outcome outcome = join(background);
    assert_int_equal(outcome.value, SOCKET_ERROR);
    assert_int_equal(outcome.error, WSAENOTSOCK);
    assert_int_equal(exceptions->fd_count, 0);
    assert_int_equal(readers->fd_count, 0);
}

void closing_ends_a_poll(void**) // [closesocket/8] [WSAPoll/12]
{
    const TcpPair pair = new_tcp_pair();
    auto* entry = lasting<WSAPOLLFD>();
    entry->fd = pair.client;
    entry->events = POLLRDNORM;
    Background* background = run_in_background([=] { return (long long)WSAPoll(entry, 1, -1); });
    let_it_settle();
    close_owned(pair.client);
    const Outcome outcome = join(background);
    if (outcome.value == SOCKET_ERROR) {
        assert_int_equal(outcome.error, WSAENOTSOCK);
    } else {
        assert_int_equal(outcome.value, 1);
        assert_int_equal(entry->revents, POLLNVAL);
    }
}

void closing_completes_a_pending_receive(void**) // [closesocket/9]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* operation = new_operation(event);
    assert_wsa_fails(WSARecv(pair.client, &operation->buffer, 1, nullptr, &operation->flags,
                         &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    close_owned(pair.client);
    assert_becomes_signaled(event);
    assert_int_equal(operation->overlapped.InternalHigh, 0);
}

void a_receive_closed_while_pending_was_aborted(void**) // [closesocket/9]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* operation = new_operation(event);
    assert_wsa_fails(WSARecv(pair.client, &operation->buffer, 1, nullptr, &operation->flags,
                         &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    close_owned(pair.client);
    assert_becomes_signaled(event);
    assert_int_equal((NTSTATUS)operation->overlapped.Internal, STATUS_CONNECTION_ABORTED);
}

// --- CloseHandle, and handle values used again

void closing_the_handle_ends_the_connection(void**) // [closesocket/10]
{
    const TcpPair pair = new_tcp_pair();
    disown(pair.client);
    assert_true(CloseHandle(reinterpret_cast<HANDLE>(pair.client)));
    assert_int_equal(end_seen_by(pair.server), 0);
}

void closing_the_handle_after_use_ends_the_connection(void**) // [closesocket/10]
{
    const TcpPair pair = new_tcp_pair();
    char byte;
    send_text(pair.client, "x");
    receive_exactly(pair.server, &byte, 1);
    send_text(pair.server, "y");
    receive_exactly(pair.client, &byte, 1);
    disown(pair.client);
    assert_true(CloseHandle(reinterpret_cast<HANDLE>(pair.client)));
    assert_int_equal(end_seen_by(pair.server), 0);
}

void a_socket_whose_handle_was_closed_cannot_transfer(void**) // [closesocket/10]
{
    const TcpPair pair = new_tcp_pair();
    disown(pair.client);
    assert_true(CloseHandle(reinterpret_cast<HANDLE>(pair.client)));
    char byte;
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAENOTSOCK);
}

/// A new socket with the value of one that is closed; makes at most `limit` attempts.
SOCKET reused(SOCKET value, SOCKET (*make)(int, Where), int limit)
{
    for (int i = 0; i < limit; ++i) {
        const SOCKET socket = make(AF_INET, Where::current());
        if (socket == value)
            return socket;
    }
    return INVALID_SOCKET;
}

void a_value_used_again_is_a_new_socket(void**) // [closesocket/11]
{
    const TcpPair pair = new_tcp_pair();
    set_nonblocking(pair.client);
    close_owned(pair.client);
    const SOCKET socket = reused(pair.client, udp_socket, 64);
    if (socket == INVALID_SOCKET)
        skip();
    assert_int_equal(option(socket, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    sockaddr_storage name;
    int length = sizeof(name);
    assert_wsa_fails(getsockname(socket, as_name(name), &length), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(getpeername(socket, as_name(name), &length), SOCKET_ERROR, WSAENOTCONN);
    set_option(socket, SOL_SOCKET, SO_RCVTIMEO, 50);
    bind_to_loopback(socket);
    char byte;
    assert_wsa_fails(recv(socket, &byte, 1, 0), SOCKET_ERROR, WSAETIMEDOUT);
}

void a_value_used_again_after_closehandle_is_a_new_socket(void**) // [closesocket/11]
{
    const TcpPair pair = new_tcp_pair();
    local_port(pair.client);
    disown(pair.client);
    assert_true(CloseHandle(reinterpret_cast<HANDLE>(pair.client)));
    const SOCKET socket = reused(pair.client, udp_socket, 64);
    if (socket == INVALID_SOCKET)
        skip();
    assert_int_equal(option(socket, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    sockaddr_storage name;
    int length = sizeof(name);
    assert_wsa_fails(getsockname(socket, as_name(name), &length), SOCKET_ERROR, WSAEINVAL);
}

void a_value_used_again_by_another_object_is_no_socket(void**) // [closesocket/11]
{
    const SOCKET socket = tcp_socket();
    close_owned(socket);
    HANDLE event = nullptr;
    for (int i = 0; i < 64 && event != reinterpret_cast<HANDLE>(socket); ++i)
        event = new_auto_event();
    if (event != reinterpret_cast<HANDLE>(socket))
        skip();
    assert_wsa_fails(listen(socket, 1), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(closesocket(socket), SOCKET_ERROR, WSAENOTSOCK);
    assert_true(SetEvent(event)); // Nobody closed it.
}

// The DLL takes an interest in sockets that live for longer than a moment.
constexpr DWORD kForAWhile = 700; // milliseconds

void a_datagram_port_is_free_when_the_call_returns(void**) // [closesocket/12]
{
    const SOCKET first = udp_socket();
    bind_to_loopback(first);
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(first), &address);
    assert_false(is_readable(first));
    Sleep(kForAWhile);
    close_owned(first);
    assert_wsa_ok(bind(udp_socket(), reinterpret_cast<const sockaddr*>(&address), length));
}

void a_listening_port_is_free_when_the_call_returns(void**) // [closesocket/12]
{
    const Listener listener = new_listener();
    assert_false(is_readable(listener.socket));
    Sleep(kForAWhile);
    close_owned(listener.socket);
    const SOCKET second = tcp_socket();
    assert_wsa_ok(bind(
        second, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
}

void a_received_urgent_byte_leaves_an_orderly_end(void**) // [closesocket/15]
{
    const TcpPair pair = new_tcp_pair();
    limit_receives(pair.client);
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    char byte = 0;
    assert_eventually([&] { return recv(pair.server, &byte, 1, MSG_OOB) == 1; });
    close_owned(pair.server);
    assert_int_equal(recv(pair.client, &byte, 1, 0), 0);
    assert_int_equal(send(pair.client, "x", 1, 0), 1); // there was no reset
}

void what_would_linger_is_not_closed(void**) // [closesocket/16]
{
    const TcpPair pair = new_tcp_pair();
    const linger time { 1, 3 };
    assert_wsa_ok(setsockopt(
        pair.client, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&time), sizeof(time)));
    size_t left = send_until_full(pair.client);
    assert_wsa_fails(closesocket(pair.client), SOCKET_ERROR, WSAEWOULDBLOCK);

    // The socket is still open, and can be closed when all has gone.
    char buffer[65536];
    while (left) {
        const int received = recv(pair.server, buffer, sizeof(buffer), 0);
        assert_true(received > 0);
        left -= received;
    }
    assert_eventually([&] { return closesocket(pair.client) == 0; });
    disown(pair.client);
    assert_int_equal(recv(pair.server, buffer, sizeof(buffer), 0), 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(closing_twice_is_refused),
    cmocka_unit_test(closing_keeps_the_last_error),
    cmocka_unit_test(a_closed_socket_is_refused_everywhere),
    cmocka_unit_test(closing_closes_the_kernel_handle),
    cmocka_unit_test(closing_ends_the_connection_gracefully),
    cmocka_unit_test(data_sent_before_closing_still_arrives),
    cmocka_unit_test(lingering_for_no_time_resets_the_connection),
    cmocka_unit_test(lingering_ends_gracefully_when_all_is_sent),
    cmocka_unit_test(not_lingering_ends_gracefully),
    cmocka_unit_test(closing_a_listener_refuses_later_connects),
    cmocka_unit_test(closing_a_listener_ends_connections_nobody_accepted),
    cmocka_unit_test(closing_ends_a_blocked_receive),
    cmocka_unit_test(closing_ends_a_blocked_receive_of_a_datagram),
    cmocka_unit_test(closing_ends_a_blocked_receive_of_all),
    cmocka_unit_test(closing_ends_two_blocked_receives),
    cmocka_unit_test(closing_ends_a_blocked_send),
    cmocka_unit_test(closing_with_a_blocked_send_ends_the_connection),
    cmocka_unit_test(closing_ends_a_blocked_accept),
    cmocka_unit_test(closing_ends_a_blocked_connect),
    cmocka_unit_test(closing_ends_a_select_for_reading),
    cmocka_unit_test(closing_ends_a_select_for_exceptions),
    cmocka_unit_test(closing_ends_a_poll),
    cmocka_unit_test(closing_completes_a_pending_receive),
    cmocka_unit_test(a_receive_closed_while_pending_was_aborted),
    cmocka_unit_test(closing_the_handle_ends_the_connection),
    cmocka_unit_test(closing_the_handle_after_use_ends_the_connection),
    cmocka_unit_test(a_socket_whose_handle_was_closed_cannot_transfer),
    cmocka_unit_test(a_value_used_again_is_a_new_socket),
    cmocka_unit_test(a_value_used_again_after_closehandle_is_a_new_socket),
    cmocka_unit_test(a_value_used_again_by_another_object_is_no_socket),
    cmocka_unit_test(a_datagram_port_is_free_when_the_call_returns),
    cmocka_unit_test(a_listening_port_is_free_when_the_call_returns),
    cmocka_unit_test(a_received_urgent_byte_leaves_an_orderly_end),
    cmocka_unit_test(what_would_linger_is_not_closed),
};

} // namespace

CONFORMANCE_GROUP(close, kCases);
