// FD_ACCEPT, and what accepted sockets inherit.

#include "network_events.h"

using namespace conformance;

namespace {

struct SelectedListener {
    Listener listener;
    WSAEVENT event;
};

SelectedListener new_selected_listener(long mask = FD_ACCEPT)
{
    SelectedListener selected { new_listener(), new_event() };
    select_events(selected.listener.socket, selected.event, mask);
    return selected;
}

// --- FD_ACCEPT

void a_queued_connection_is_recorded(void**) // [WSAEventSelect/22]
{
    const SelectedListener selected = new_selected_listener();

    assert_no_events(selected.listener.socket, selected.event);
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
}

void a_selection_made_before_bind_records_connections(void**) // [WSAEventSelect/22]
{
    Listener listener = {};
    const WSAEVENT event = new_event();
    listener.socket = tcp_socket();
    select_events(listener.socket, event, FD_ACCEPT);
    bind_to_loopback(listener.socket);
    assert_int_equal(listen(listener.socket, SOMAXCONN), 0);
    listener.address_length
        = loopback_address(AF_INET, local_port(listener.socket), &listener.address);

    connect_to(listener);
    assert_events(listener.socket, event, FD_ACCEPT);
}

void a_reported_connection_is_not_reported_again(void**) // [WSAEventSelect/15]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);

    select_events(selected.listener.socket, selected.event, FD_ACCEPT);
    assert_no_events(selected.listener.socket, selected.event);
}

void a_second_connection_is_recorded_although_the_first_is_unaccepted(void**) // [WSAEventSelect/23]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);

    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
}

void accept_records_the_next_queued_connection(void**) // [WSAEventSelect/24]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    let_it_settle();
    enumerate(selected.listener.socket, selected.event); // The second may be recorded by itself.

    accept_from(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    accept_from(selected.listener);
    assert_no_events(selected.listener.socket, selected.event);
}

void connections_and_accepts_are_recorded_in_turn(void**) // [WSAEventSelect/23] [WSAEventSelect/24]
{
    const SelectedListener selected = new_selected_listener();

    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    accept_from(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    accept_from(selected.listener);
    assert_no_events(selected.listener.socket, selected.event);
}

void a_connection_accepted_before_the_selection_is_not_recorded(void**) // [WSAEventSelect/25]
{
    const Listener listener = new_listener();
    const WSAEVENT event = new_event();
    connect_to(listener);
    accept_from(listener);

    select_events(listener.socket, event, FD_ACCEPT);
    assert_no_events(listener.socket, event);
}

int CALLBACK defer(LPWSABUF, LPWSABUF, LPQOS, LPQOS, LPWSABUF, LPWSABUF, GROUP*, DWORD_PTR)
{
    return CF_DEFER;
}

void a_deferred_connection_is_not_recorded_again(void**) // [WSAEventSelect/27]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);

    assert_wsa_fails(WSAAccept(selected.listener.socket, nullptr, nullptr, defer, 0),
        INVALID_SOCKET, WSATRY_AGAIN);
    assert_no_events(selected.listener.socket, selected.event);
    accept_from(selected.listener); // It stayed queued.
}

void a_connection_for_a_pending_accept_ex_is_not_recorded(void**) // [WSAEventSelect/26]
{
    const SelectedListener selected = new_selected_listener();
    const auto accept_ex = reinterpret_cast<LPFN_ACCEPTEX>(
        extension_function(selected.listener.socket, WSAID_ACCEPTEX));
    const SOCKET acceptor = tcp_socket();
    Operation* operation = new_operation(new_event());
    constexpr DWORD kAddressLength = sizeof(sockaddr_in) + 16;
    assert_wsa_fails(
        accept_ex(selected.listener.socket, acceptor, operation->data, 0, kAddressLength,
            kAddressLength, &operation->transferred, &operation->overlapped),
        FALSE, WSA_IO_PENDING);

    connect_to(selected.listener);
    assert_becomes_signaled(operation->overlapped.hEvent);
    assert_no_events(selected.listener.socket, selected.event);
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
}

// --- Accepted sockets

void an_accepted_socket_inherits_event_and_mask(void**) // [WSAEventSelect/69]
{
    const SelectedListener selected = new_selected_listener(FD_ACCEPT | FD_READ | FD_CLOSE);
    const SOCKET client = connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    const SOCKET server = accept_from(selected.listener);

    assert_no_events(server, selected.event);
    send_text(client, "x");
    assert_events(server, selected.event, FD_READ);
}

void an_accepted_socket_is_writable_at_once(void**) // [WSAEventSelect/69]
{
    const SelectedListener selected = new_selected_listener(FD_ACCEPT | FD_WRITE);
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    const SOCKET server = accept_from(selected.listener);

    assert_events(server, selected.event, FD_WRITE);
}

void an_accepted_socket_is_nonblocking_like_its_listener(void**) // [WSAEventSelect/69]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    const SOCKET server = accept_from(selected.listener);
    char byte;

    assert_wsa_fails(recv(server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void an_accepted_socket_may_take_an_event_of_its_own(void**) // [WSAEventSelect/70]
{
    const SelectedListener selected = new_selected_listener(FD_ACCEPT | FD_READ);
    const WSAEVENT own = new_event();
    const SOCKET client = connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    const SOCKET server = accept_from(selected.listener);

    select_events(server, own, FD_READ);
    send_text(client, "x");
    assert_events(server, own, FD_READ);
    assert_false(is_signaled(selected.event));
}

void an_accepted_socket_becomes_blocking_after_cancelling(void**) // [WSAEventSelect/70]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, FD_ACCEPT);
    const SOCKET server = accept_from(selected.listener);
    u_long blocking = 0;

    assert_wsa_fails(ioctlsocket(server, FIONBIO, &blocking), SOCKET_ERROR, WSAEINVAL);
    select_nothing(server);
    assert_wsa_ok(ioctlsocket(server, FIONBIO, &blocking));
}

void the_socket_of_accept_ex_inherits_no_selection(void**) // [WSAEventSelect/72]
{
    const SelectedListener selected = new_selected_listener(FD_ACCEPT | FD_READ);
    const auto accept_ex = reinterpret_cast<LPFN_ACCEPTEX>(
        extension_function(selected.listener.socket, WSAID_ACCEPTEX));
    const SOCKET acceptor = tcp_socket();
    Operation* operation = new_operation(new_event());
    constexpr DWORD kAddressLength = sizeof(sockaddr_in) + 16;
    assert_wsa_fails(
        accept_ex(selected.listener.socket, acceptor, operation->data, 0, kAddressLength,
            kAddressLength, &operation->transferred, &operation->overlapped),
        FALSE, WSA_IO_PENDING);
    const SOCKET client = connect_to(selected.listener);
    assert_becomes_signaled(operation->overlapped.hEvent);

    send_text(client, "x");
    wait_until_readable(acceptor);
    assert_no_events(acceptor, nullptr);
    assert_false(is_signaled(selected.event));
}

void duplicates_of_a_socket_share_one_selection(void**) // [WSAEventSelect/71]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    WSAPROTOCOL_INFOW info;
    assert_wsa_ok(WSADuplicateSocketW(pair.server, GetCurrentProcessId(), &info));
    const SOCKET duplicate = owned(WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED));
    assert_true(duplicate != INVALID_SOCKET);
    select_events(pair.server, event, FD_READ);

    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    assert_int_equal(enumerate(duplicate, event), FD_READ);
    assert_int_equal(enumerate(pair.server, event), 0);
}

void closing_a_duplicate_keeps_the_selection(void**) // [WSAEventSelect/71]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    WSAPROTOCOL_INFOW info;
    assert_wsa_ok(WSADuplicateSocketW(pair.server, GetCurrentProcessId(), &info));
    const SOCKET duplicate = owned(WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED));
    assert_true(duplicate != INVALID_SOCKET);
    select_events(duplicate, event, FD_READ);

    close_owned(duplicate);
    send_text(pair.client, "x");
    assert_events(pair.server, event, FD_READ);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_queued_connection_is_recorded),
    cmocka_unit_test(a_selection_made_before_bind_records_connections),
    cmocka_unit_test(a_reported_connection_is_not_reported_again),
    cmocka_unit_test(a_second_connection_is_recorded_although_the_first_is_unaccepted),
    cmocka_unit_test(accept_records_the_next_queued_connection),
    cmocka_unit_test(connections_and_accepts_are_recorded_in_turn),
    cmocka_unit_test(a_connection_accepted_before_the_selection_is_not_recorded),
    cmocka_unit_test(a_deferred_connection_is_not_recorded_again),
    cmocka_unit_test(a_connection_for_a_pending_accept_ex_is_not_recorded),
    cmocka_unit_test(an_accepted_socket_inherits_event_and_mask),
    cmocka_unit_test(an_accepted_socket_is_writable_at_once),
    cmocka_unit_test(an_accepted_socket_is_nonblocking_like_its_listener),
    cmocka_unit_test(an_accepted_socket_may_take_an_event_of_its_own),
    cmocka_unit_test(an_accepted_socket_becomes_blocking_after_cancelling),
    cmocka_unit_test(the_socket_of_accept_ex_inherits_no_selection),
    cmocka_unit_test(duplicates_of_a_socket_share_one_selection),
    cmocka_unit_test(closing_a_duplicate_keeps_the_selection),
};

} // namespace

CONFORMANCE_GROUP(accept_events, kCases);
