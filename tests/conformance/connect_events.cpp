// FD_CONNECT and FD_WRITE.

#include "network_events.h"

using namespace conformance;

namespace {

const sockaddr* generic(const sockaddr_storage& address)
{
    return reinterpret_cast<const sockaddr*>(&address);
}

// --- FD_CONNECT

void a_connection_records_connect_and_write(void**) // [WSAEventSelect/28]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    select_events(client, event);

    start_connect(client, listener.address, listener.address_length);
    assert_events(client, event, FD_CONNECT | FD_WRITE);
    assert_no_events(client, event);
}

void a_v6_connection_records_connect_and_write(void**) // [WSAEventSelect/28]
{
    if (!has_ipv6())
        skip();
    const Listener listener = new_listener(AF_INET6);
    const SOCKET client = tcp_socket(AF_INET6);
    const WSAEVENT event = new_event();
    select_events(client, event);

    start_connect(client, listener.address, listener.address_length);
    assert_events(client, event, FD_CONNECT | FD_WRITE);
}

void a_connection_made_before_the_selection_is_recorded_by_it(void**) // [WSAEventSelect/29]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    const WSAEVENT event = new_event();

    select_events(client, event, FD_CONNECT | FD_WRITE | FD_READ | FD_CLOSE);
    assert_events(client, event, FD_CONNECT | FD_WRITE);
    select_events(client, event, FD_CONNECT | FD_WRITE | FD_READ | FD_CLOSE);
    assert_no_events(client, event);
}

void connect_is_still_recorded_for_a_mask_that_gets_it_late(void**) // [WSAEventSelect/33]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    select_events(client, event, FD_WRITE);
    start_connect(client, listener.address, listener.address_length);
    assert_events(client, event, FD_WRITE);

    select_events(client, event, FD_CONNECT | FD_WRITE);
    assert_events(client, event, FD_CONNECT);
    assert_no_events(client, event);
}

void an_accepted_socket_records_write_and_no_connect(void**) // [WSAEventSelect/30]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();

    select_events(pair.server, event);
    assert_events(pair.server, event, FD_WRITE);
    assert_no_events(pair.server, event);
}

void a_refused_connection_records_connect_with_its_error(void**) // [WSAEventSelect/31]
{
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    select_events(client, event);

    assert_wsa_fails(connect(client, generic(address), length), SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_events(client, event, FD_CONNECT, WSAECONNREFUSED);
    assert_no_events(client, event);
}

void a_reported_refusal_is_not_reported_again(void**) // [WSAEventSelect/32]
{
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    select_events(client, event, FD_CONNECT);
    start_connect(client, address, length);
    assert_events(client, event, FD_CONNECT, WSAECONNREFUSED);

    select_events(client, event, FD_CONNECT);
    assert_no_events(client, event);
}

void a_socket_connects_after_it_was_refused(void**) // [WSAEventSelect/34]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    select_events(client, event);
    start_connect(client, address, length);
    assert_events(client, event, FD_CONNECT, WSAECONNREFUSED);

    start_connect(client, listener.address, listener.address_length);
    assert_events(client, event, FD_CONNECT | FD_WRITE);
}

void connect_ex_records_connect_and_write(void**) // [WSAEventSelect/35]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    const auto connect_ex
        = reinterpret_cast<LPFN_CONNECTEX>(extension_function(client, WSAID_CONNECTEX));
    Operation* operation = new_operation(new_event());
    bind_to_loopback(client);
    select_events(client, event);

    assert_wsa_fails(connect_ex(client, generic(listener.address), listener.address_length, nullptr,
                         0, nullptr, &operation->overlapped),
        FALSE, WSA_IO_PENDING);
    assert_becomes_signaled(operation->overlapped.hEvent);
    assert_events(client, event, FD_CONNECT | FD_WRITE);
}

// --- FD_WRITE

void write_is_recorded_once_for_a_writable_socket(void**) // [WSAEventSelect/36]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();

    select_events(pair.server, event, FD_WRITE);
    assert_events(pair.server, event, FD_WRITE);
    select_events(pair.server, event, FD_WRITE | FD_READ);
    assert_no_events(pair.server, event);
}

void a_send_neither_clears_nor_records_write(void**) // [WSAEventSelect/37]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event);
    assert_becomes_signaled(event);

    send_text(pair.server, "hello");
    assert_int_equal(enumerate(pair.server, event), FD_WRITE);
    send_text(pair.server, "hello");
    assert_no_events(pair.server, event);
}

void write_is_recorded_when_a_full_buffer_has_space_again(void**) // [WSAEventSelect/38]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event);
    take_first_events(pair.server, event);
    const size_t bytes = fill_send_buffer(pair.server);

    assert_no_events(pair.server, event);
    drain(pair.client, bytes);
    assert_events(pair.server, event, FD_WRITE);
    assert_no_events(pair.server, event);
}

void an_empty_send_tells_whether_the_buffer_is_full(void**) // [WSAEventSelect/39]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    WSABUF nothing = { 0, nullptr };
    DWORD sent = kPoison;
    select_events(pair.server, event);
    take_first_events(pair.server, event);

    assert_wsa_ok(WSASend(pair.server, &nothing, 1, &sent, 0, nullptr, nullptr));
    assert_int_equal(sent, 0);
    const size_t bytes = fill_send_buffer(pair.server);
    assert_wsa_fails(WSASend(pair.server, &nothing, 1, &sent, 0, nullptr, nullptr), SOCKET_ERROR,
        WSAEWOULDBLOCK);
    drain(pair.client, bytes);
    assert_events(pair.server, event, FD_WRITE);
    assert_wsa_ok(WSASend(pair.server, &nothing, 1, &sent, 0, nullptr, nullptr));
}

// --- UDP

void nothing_is_recorded_for_an_unbound_udp_socket(void**) // [WSAEventSelect/65]
{
    const SOCKET socket = udp_socket();
    const WSAEVENT event = new_event();

    select_events(socket, event);
    assert_no_events(socket, event);
}

void connecting_a_udp_socket_records_connect_and_write(void**) // [WSAEventSelect/66]
{
    const SOCKET socket = udp_socket();
    const WSAEVENT event = new_event();
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, 9, &address);
    select_events(socket, event);
    enumerate(socket, event);

    assert_wsa_ok(connect(socket, generic(address), length));
    assert_events(socket, event, FD_CONNECT | FD_WRITE);
}

void a_bound_udp_socket_records_write_once(void**) // [WSAEventSelect/67]
{
    const SOCKET socket = udp_socket();
    const WSAEVENT event = new_event();
    bind_to_loopback(socket);

    select_events(socket, event, FD_READ | FD_WRITE);
    assert_events(socket, event, FD_WRITE);
    for (int i = 0; i < 4; ++i) {
        select_events(socket, event, FD_READ | FD_WRITE);
        assert_no_events(socket, event);
    }
}

/// Nobody asks what has become of the connect.
void a_socket_whose_connect_fails_unseen_cannot_receive(void**) // [recv/5]
{
    const SOCKET client = tcp_socket();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    set_nonblocking(client);
    start_connect(client, address, length);
    for (int i = 0; i < 5; ++i) {
        char byte;
        assert_wsa_fails(recv(client, &byte, 1, 0), SOCKET_ERROR, WSAENOTCONN);
        Sleep(40);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_socket_whose_connect_fails_unseen_cannot_receive),
    cmocka_unit_test(a_connection_records_connect_and_write),
    cmocka_unit_test(a_v6_connection_records_connect_and_write),
    cmocka_unit_test(a_connection_made_before_the_selection_is_recorded_by_it),
    cmocka_unit_test(connect_is_still_recorded_for_a_mask_that_gets_it_late),
    cmocka_unit_test(an_accepted_socket_records_write_and_no_connect),
    cmocka_unit_test(a_refused_connection_records_connect_with_its_error),
    cmocka_unit_test(a_reported_refusal_is_not_reported_again),
    cmocka_unit_test(a_socket_connects_after_it_was_refused),
    cmocka_unit_test(connect_ex_records_connect_and_write),
    cmocka_unit_test(write_is_recorded_once_for_a_writable_socket),
    cmocka_unit_test(a_send_neither_clears_nor_records_write),
    cmocka_unit_test(write_is_recorded_when_a_full_buffer_has_space_again),
    cmocka_unit_test(an_empty_send_tells_whether_the_buffer_is_full),
    cmocka_unit_test(nothing_is_recorded_for_an_unbound_udp_socket),
    cmocka_unit_test(connecting_a_udp_socket_records_connect_and_write),
    cmocka_unit_test(a_bound_udp_socket_records_write_once),
};

} // namespace

CONFORMANCE_GROUP(connect_events, kCases);
