// AcceptEx and GetAcceptExSockaddrs.

#include "extensions.h"
#include "option_checks.h"

#include <cstring>

using namespace conformance;

namespace {

/// An AcceptEx that is not started yet.
PendingAccept new_accept()
{
    return { new_listener(), tcp_socket(), new_operation(new_event()) };
}

// --- What is refused

void accept_ex_refuses_a_listener_that_is_no_socket(void**) // [AcceptEx/1]
{
    PendingAccept accept = new_accept();
    const auto accept_ex = accept_ex_of(accept.listener.socket);

    assert_wsa_fails(
        accept_ex(INVALID_SOCKET, accept.acceptor, accept.operation->data, 0, kAcceptAddressLength,
            kAcceptAddressLength, &accept.operation->transferred, &accept.operation->overlapped),
        FALSE, WSAENOTSOCK);
}

void accept_ex_refuses_a_socket_that_does_not_listen(void**) // [AcceptEx/2]
{
    PendingAccept accept = new_accept();
    const auto accept_ex = accept_ex_of(accept.listener.socket);
    const SOCKET idle = tcp_socket();
    bind_to_loopback(idle);

    assert_wsa_fails(
        accept_ex(idle, accept.acceptor, accept.operation->data, 0, kAcceptAddressLength,
            kAcceptAddressLength, &accept.operation->transferred, &accept.operation->overlapped),
        FALSE, WSAEINVAL);
}

void accept_ex_refuses_an_acceptor_that_is_no_socket(void**) // [AcceptEx/3]
{
    PendingAccept accept = new_accept();
    accept.acceptor = INVALID_SOCKET;

    assert_wsa_fails(call_accept_ex(accept, 0), FALSE, WSAENOTSOCK);
}

void accept_ex_refuses_a_null_buffer(void**) // [AcceptEx/4]
{
    const PendingAccept accept = new_accept();

    assert_wsa_fails(accept_ex_of(accept.listener.socket)(accept.listener.socket, accept.acceptor,
                         nullptr, 0, kAcceptAddressLength, kAcceptAddressLength,
                         &accept.operation->transferred, &accept.operation->overlapped),
        FALSE, WSAEFAULT);
}

void accept_ex_refuses_a_null_overlapped(void**) // [AcceptEx/5]
{
    const PendingAccept accept = new_accept();

    assert_wsa_fails(accept_ex_of(accept.listener.socket)(accept.listener.socket, accept.acceptor,
                         accept.operation->data, 0, kAcceptAddressLength, kAcceptAddressLength,
                         &accept.operation->transferred, nullptr),
        FALSE, ERROR_INVALID_PARAMETER);
}

void accept_ex_refuses_no_space_for_the_remote_address(void**) // [AcceptEx/6]
{
    const PendingAccept accept = new_accept();

    assert_wsa_fails(accept_ex_of(accept.listener.socket)(accept.listener.socket, accept.acceptor,
                         accept.operation->data, 0, kAcceptAddressLength, 0,
                         &accept.operation->transferred, &accept.operation->overlapped),
        FALSE, WSAEFAULT);
}

void accept_ex_refuses_a_bound_acceptor(void**) // [AcceptEx/7]
{
    const PendingAccept accept = new_accept();
    bind_to_loopback(accept.acceptor);

    assert_wsa_fails(call_accept_ex(accept, 0), FALSE, WSAEINVAL);
}

void accept_ex_refuses_a_connected_acceptor(void**) // [AcceptEx/7]
{
    PendingAccept accept = new_accept();
    accept.acceptor = new_tcp_pair().client;

    assert_wsa_fails(call_accept_ex(accept, 0), FALSE, WSAEINVAL);
}

void accept_ex_refuses_a_datagram_acceptor(void**) // [AcceptEx/7]
{
    PendingAccept accept = new_accept();
    accept.acceptor = udp_socket();

    assert_wsa_fails(call_accept_ex(accept, 0), FALSE, WSAEINVAL);
}

void accept_ex_refuses_an_acceptor_that_is_taken(void**) // [AcceptEx/8]
{
    PendingAccept accept = new_pending_accept(0);
    accept.operation = new_operation(new_event());

    assert_wsa_fails(call_accept_ex(accept, 0), FALSE, WSAEINVAL);
}

void a_taken_acceptor_cannot_connect(void**) // [AcceptEx/8]
{
    const PendingAccept accept = new_pending_accept(0);

    assert_wsa_fails(
        connect(accept.acceptor, reinterpret_cast<const sockaddr*>(&accept.listener.address),
            accept.listener.address_length),
        SOCKET_ERROR, WSAEINVAL);
}

// --- When it completes

void without_data_a_connection_completes_it(void**) // [AcceptEx/9]
{
    const PendingAccept accept = new_pending_accept(0);

    connect_to(accept.listener);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    assert_int_equal(accept.operation->overlapped.InternalHigh, 0);
}

void with_data_a_connection_alone_does_not_complete_it(void**) // [AcceptEx/10]
{
    const PendingAccept accept = new_pending_accept(16);

    const SOCKET client = connect_to(accept.listener);
    let_it_settle();
    assert_false(is_signaled(accept.operation->overlapped.hEvent));
    send_text(client, "hello");
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    assert_int_equal(accept.operation->overlapped.InternalHigh, 5);
    assert_memory_equal(accept.operation->data, "hello", 5);
}

void data_beyond_the_wanted_length_stays_queued(void**) // [AcceptEx/10]
{
    const PendingAccept accept = new_pending_accept(2);
    char data[4];

    const SOCKET client = connect_to(accept.listener);
    send_text(client, "hello");
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    assert_int_equal(accept.operation->overlapped.InternalHigh, 2);
    receive_exactly(accept.acceptor, data, 3);
    assert_memory_equal(data, "llo", 3);
}

void a_peer_that_leaves_without_data_completes_it(void**) // [AcceptEx/11]
{
    const PendingAccept accept = new_pending_accept(16);

    close_owned(connect_to(accept.listener));
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    assert_int_equal(accept.operation->overlapped.InternalHigh, 0);
}

void a_queued_connection_is_taken_at_once(void**) // [AcceptEx/12]
{
    const PendingAccept accept = new_accept();
    connect_to(accept.listener);
    wait_until_readable(accept.listener.socket);

    if (!call_accept_ex(accept, 0))
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
}

int CALLBACK defer(LPWSABUF, LPWSABUF, LPQOS, LPQOS, LPWSABUF, LPWSABUF, GROUP*, DWORD_PTR)
{
    return CF_DEFER;
}

void a_deferred_connection_is_taken(void**) // [AcceptEx/12]
{
    const PendingAccept accept = new_accept();
    connect_to(accept.listener);
    assert_wsa_fails(WSAAccept(accept.listener.socket, nullptr, nullptr, defer, 0), INVALID_SOCKET,
        WSATRY_AGAIN);

    if (!call_accept_ex(accept, 0))
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
}

void connections_are_taken_in_the_order_of_the_calls(void**) // [AcceptEx/12]
{
    const PendingAccept first = new_pending_accept(0);
    const PendingAccept second { first.listener, tcp_socket(), new_operation(new_event()) };
    assert_wsa_fails(call_accept_ex(second, 0), FALSE, WSA_IO_PENDING);

    connect_to(first.listener);
    assert_int_equal(await_status(first.operation), STATUS_SUCCESS);
    assert_false(is_signaled(second.operation->overlapped.hEvent));
    connect_to(first.listener);
    assert_int_equal(await_status(second.operation), STATUS_SUCCESS);
}

void a_call_that_waits_comes_before_a_later_accept(void**) // [AcceptEx/12]
{
    const PendingAccept pending = new_pending_accept(0);
    set_nonblocking(pending.listener.socket);

    connect_to(pending.listener);
    assert_wsa_fails(
        accept(pending.listener.socket, nullptr, nullptr), INVALID_SOCKET, WSAEWOULDBLOCK);
    assert_int_equal(await_status(pending.operation), STATUS_SUCCESS);
}

u_short port_of_name(SOCKET socket)
{
    sockaddr_in name {};
    int length = sizeof(name);
    assert_wsa_ok(getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length));
    return name.sin_port;
}

u_short told_peer_port(const PendingAccept& accept)
{
    sockaddr *local = nullptr, *remote = nullptr;
    int local_length = 0, remote_length = 0;
    accept_addresses_of(accept.listener.socket)(accept.operation->data, 0, kAcceptAddressLength,
        kAcceptAddressLength, &local, &local_length, &remote, &remote_length);
    assert_int_equal(remote_length, sizeof(sockaddr_in));
    return reinterpret_cast<sockaddr_in*>(remote)->sin_port;
}

void many_calls_take_one_connection_each(void**) // [AcceptEx/12]
{
    constexpr int kMany = 16;
    PendingAccept calls[kMany] = { new_pending_accept(0) };
    for (int i = 1; i < kMany; ++i) {
        calls[i] = { calls[0].listener, tcp_socket(), new_operation(new_event()) };
        assert_wsa_fails(call_accept_ex(calls[i], 0), FALSE, WSA_IO_PENDING);
    }

    SOCKET clients[kMany];
    for (SOCKET& client : clients)
        client = connect_to(calls[0].listener);
    for (int i = 0; i < kMany; ++i) {
        assert_int_equal(await_status(calls[i].operation), STATUS_SUCCESS);
        assert_int_equal(told_peer_port(calls[i]), port_of_name(clients[i]));
        char data[4];
        send_text(calls[i].acceptor, "ping");
        receive_exactly(clients[i], data, 4);
    }
}

void too_little_space_for_the_local_address_keeps_the_connection(void**) // [AcceptEx/13]
{
    const PendingAccept accept = new_accept();
    assert_wsa_fails(accept_ex_of(accept.listener.socket)(accept.listener.socket, accept.acceptor,
                         accept.operation->data, 0, 3, kAcceptAddressLength,
                         &accept.operation->transferred, &accept.operation->overlapped),
        FALSE, WSA_IO_PENDING);

    connect_to(accept.listener);
    assert_int_equal((DWORD)await_status(accept.operation), (DWORD)STATUS_BUFFER_TOO_SMALL);
    wait_until_readable(accept.listener.socket);
    accept_from(accept.listener); // It was not accepted, so it can be.
}

void space_for_the_local_address_is_the_address_and_some_more(void**) // [AcceptEx/13]
{
    const PendingAccept accept = new_accept();
    const auto start = [&](DWORD local_length, DWORD remote_length) {
        return accept_ex_of(accept.listener.socket)(accept.listener.socket, accept.acceptor,
            accept.operation->data, 0, local_length, remote_length, &accept.operation->transferred,
            &accept.operation->overlapped);
    };
    connect_to(accept.listener);
    wait_until_readable(accept.listener.socket);
    assert_wsa_fails(start(sizeof(sockaddr_in) + 4, kAcceptAddressLength), FALSE, WSA_IO_PENDING);
    assert_int_equal((DWORD)await_status(accept.operation), (DWORD)STATUS_BUFFER_TOO_SMALL);
    assert_wsa_fails(start(3, 0), FALSE, WSAEFAULT); // the other address is looked at first
    assert_wsa_fails(start(sizeof(sockaddr_in) + 15, kAcceptAddressLength), FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
}

// --- The accepted socket

void the_addresses_are_told(void**) // [AcceptEx/14]
{
    const PendingAccept accept = new_pending_accept(16);
    const SOCKET client = connect_to(accept.listener);
    sockaddr *local = nullptr, *remote = nullptr;
    int local_length = 0, remote_length = 0;
    send_text(client, "hello");
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);

    accept_addresses_of(accept.listener.socket)(accept.operation->data, 16, kAcceptAddressLength,
        kAcceptAddressLength, &local, &local_length, &remote, &remote_length);
    assert_int_equal(local_length, sizeof(sockaddr_in));
    assert_int_equal(remote_length, sizeof(sockaddr_in));
    assert_memory_equal(local, &accept.listener.address, 8);
    assert_int_equal(ntohs(reinterpret_cast<sockaddr_in*>(remote)->sin_port), local_port(client));
}

void the_context_makes_the_acceptor_a_full_socket(void**) // [AcceptEx/15]
{
    const PendingAccept accept = new_pending_accept(0);
    const SOCKET client = connect_to(accept.listener);
    sockaddr_in name = {};
    int length = sizeof(name);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);

    assert_wsa_ok(setsockopt(accept.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&accept.listener.socket), sizeof(SOCKET)));
    assert_wsa_ok(getpeername(accept.acceptor, reinterpret_cast<sockaddr*>(&name), &length));
    assert_int_equal(ntohs(name.sin_port), local_port(client));
    assert_wsa_ok(shutdown(accept.acceptor, SD_SEND));
}

void the_context_brings_the_options_of_the_listener(void**) // [AcceptEx/17]
{
    const PendingAccept accept = new_pending_accept(0);
    set_option(accept.listener.socket, IPPROTO_TCP, kTcpKeepIdle, 100);
    set_option(accept.listener.socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    connect_to(accept.listener);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);

    assert_wsa_ok(setsockopt(accept.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&accept.listener.socket), sizeof(SOCKET)));
    assert_option(accept.acceptor, IPPROTO_TCP, kTcpKeepIdle, 100);
    assert_int_equal(option(accept.acceptor, SOL_SOCKET, SO_KEEPALIVE) & 0xFF, 1);
}

void data_moves_both_ways(void**) // [AcceptEx/9]
{
    const PendingAccept accept = new_pending_accept(0);
    const SOCKET client = connect_to(accept.listener);
    char data[4];
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);

    send_text(accept.acceptor, "ping");
    receive_exactly(client, data, 4);
    assert_memory_equal(data, "ping", 4);
    send_text(client, "pong");
    receive_exactly(accept.acceptor, data, 4);
    assert_memory_equal(data, "pong", 4);
}

void the_time_since_the_connection_is_told(void**) // [AcceptEx/16]
{
    const PendingAccept accept = new_accept();
    DWORD seconds = 0;
    int length = sizeof(seconds);
    assert_wsa_ok(getsockopt(
        accept.acceptor, SOL_SOCKET, SO_CONNECT_TIME, reinterpret_cast<char*>(&seconds), &length));
    assert_int_equal(seconds, 0xFFFFFFFF);

    assert_wsa_fails(call_accept_ex(accept, 0), FALSE, WSA_IO_PENDING);
    connect_to(accept.listener);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    assert_wsa_ok(getsockopt(
        accept.acceptor, SOL_SOCKET, SO_CONNECT_TIME, reinterpret_cast<char*>(&seconds), &length));
    assert_true(seconds != 0xFFFFFFFF);
}

void without_the_context_the_acceptor_is_no_full_socket(void**) // [AcceptEx/18]
{
    const PendingAccept accept = new_pending_accept(0);
    const SOCKET client = connect_to(accept.listener);
    sockaddr_in name = {};
    int length = sizeof(name);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);

    auto* const address = reinterpret_cast<sockaddr*>(&name);
    assert_wsa_fails(getpeername(accept.acceptor, address, &length), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(getsockname(accept.acceptor, address, &length), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(shutdown(accept.acceptor, SD_SEND), SOCKET_ERROR, WSAENOTCONN);
    char data[4];
    send_text(accept.acceptor, "ping");
    receive_exactly(client, data, 4);

    assert_wsa_ok(setsockopt(accept.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&accept.listener.socket), sizeof(SOCKET)));
    assert_wsa_ok(getsockname(accept.acceptor, address, &length));
    assert_wsa_ok(shutdown(accept.acceptor, SD_SEND));
}

void a_cancelled_accept_leaves_no_trace(void**) // [AcceptEx/18]
{
    const PendingAccept accept = new_pending_accept(0);
    assert_true(CancelIoEx(
        reinterpret_cast<HANDLE>(accept.listener.socket), &accept.operation->overlapped));
    assert_int_equal(await_status(accept.operation), STATUS_CANCELLED);
    const auto& to = accept.listener;
    assert_wsa_ok(connect(
        accept.acceptor, reinterpret_cast<const sockaddr*>(&to.address), to.address_length));
    sockaddr_in name = {};
    int length = sizeof(name);
    assert_wsa_ok(getpeername(accept.acceptor, reinterpret_cast<sockaddr*>(&name), &length));
    assert_wsa_ok(shutdown(accept.acceptor, SD_SEND));
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(accept_ex_refuses_a_listener_that_is_no_socket),
    cmocka_unit_test(accept_ex_refuses_a_socket_that_does_not_listen),
    cmocka_unit_test(accept_ex_refuses_an_acceptor_that_is_no_socket),
    cmocka_unit_test(accept_ex_refuses_a_null_buffer),
    cmocka_unit_test(accept_ex_refuses_a_null_overlapped),
    cmocka_unit_test(accept_ex_refuses_no_space_for_the_remote_address),
    cmocka_unit_test(accept_ex_refuses_a_bound_acceptor),
    cmocka_unit_test(accept_ex_refuses_a_connected_acceptor),
    cmocka_unit_test(accept_ex_refuses_a_datagram_acceptor),
    cmocka_unit_test(accept_ex_refuses_an_acceptor_that_is_taken),
    cmocka_unit_test(a_taken_acceptor_cannot_connect),
    cmocka_unit_test(without_data_a_connection_completes_it),
    cmocka_unit_test(with_data_a_connection_alone_does_not_complete_it),
    cmocka_unit_test(data_beyond_the_wanted_length_stays_queued),
    cmocka_unit_test(a_peer_that_leaves_without_data_completes_it),
    cmocka_unit_test(a_queued_connection_is_taken_at_once),
    cmocka_unit_test(a_deferred_connection_is_taken),
    cmocka_unit_test(connections_are_taken_in_the_order_of_the_calls),
    cmocka_unit_test(a_call_that_waits_comes_before_a_later_accept),
    cmocka_unit_test(many_calls_take_one_connection_each),
    cmocka_unit_test(too_little_space_for_the_local_address_keeps_the_connection),
    cmocka_unit_test(space_for_the_local_address_is_the_address_and_some_more),
    cmocka_unit_test(the_addresses_are_told),
    cmocka_unit_test(the_context_makes_the_acceptor_a_full_socket),
    cmocka_unit_test(the_context_brings_the_options_of_the_listener),
    cmocka_unit_test(data_moves_both_ways),
    cmocka_unit_test(the_time_since_the_connection_is_told),
    cmocka_unit_test(without_the_context_the_acceptor_is_no_full_socket),
    cmocka_unit_test(a_cancelled_accept_leaves_no_trace),
};

} // namespace

CONFORMANCE_GROUP(accept_ex, kCases);
