// A socket with selected events gets another handle: nothing of its record is lost or told twice.

#include "network_events.h"

using namespace conformance;

namespace {

/// A connected pair whose `server` has events selected; what it starts with has been told.
struct Selected {
    TcpPair pair;
    WSAEVENT event;
};

Selected new_selected(WSAEVENT event)
{
    const Selected selected { new_tcp_pair(), event };
    select_events(selected.pair.server, event);
    take_first_events(selected.pair.server, event);
    return selected;
}

void what_is_pending_stays_pending(void**) // [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_event());
    send_text(s.pair.client, "x");
    assert_becomes_signaled(s.event);
    duplicate_of(s.pair.server);
    assert_true(is_signaled(s.event));
    assert_events(s.pair.server, s.event, FD_READ);
}

void an_event_that_resets_itself_stays_signaled(void**) // [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_auto_event());
    const HANDLE witness = new_event();
    // The other event tells that the first one has been set, without a wait on it.
    const TcpPair other = new_tcp_pair();
    select_events(other.server, witness, FD_READ);
    send_text(s.pair.client, "x");
    wait_until_readable(s.pair.server);
    send_text(other.client, "y");
    assert_becomes_signaled(witness);
    duplicate_of(s.pair.server);
    assert_becomes_signaled(s.event);
    assert_int_equal(enumerate(s.pair.server, nullptr), FD_READ);
}

void the_signal_of_another_socket_stays(void**) // [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_event());
    const TcpPair other = new_tcp_pair();
    select_events(other.server, s.event, FD_READ);
    send_text(other.client, "x");
    assert_becomes_signaled(s.event);
    duplicate_of(s.pair.server);
    assert_true(is_signaled(s.event));
    assert_int_equal(enumerate(other.server, nullptr), FD_READ);
}

void what_was_told_is_not_told_again(void**) // [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_event());
    send_text(s.pair.client, "x");
    assert_events(s.pair.server, s.event, FD_READ);
    duplicate_of(s.pair.server);
    assert_false(is_signaled(s.event));
    assert_no_events(s.pair.server, s.event);
}

void what_comes_later_is_told(void**) // [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_event());
    duplicate_of(s.pair.server);
    send_text(s.pair.client, "x");
    assert_events(s.pair.server, s.event, FD_READ);
    drain(s.pair.server, 1);
    close_owned(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE);
}

void an_end_that_was_told_is_not_told_as_a_reset(
    void**) // [WSAEventSelect/61] [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_event());
    assert_int_equal(shutdown(s.pair.client, SD_SEND), 0);
    assert_events(s.pair.server, s.event, FD_CLOSE);
    duplicate_of(s.pair.server);
    reset_connection(s.pair.client);
    while (send(s.pair.server, "x", 1, 0) == 1) // until the reset has come
        Sleep(1);
    assert_int_equal(enumerate(s.pair.server, nullptr), 0);
}

void what_is_pending_sets_a_new_event(void**) // [WSAEventSelect/13] [WSADuplicateSocket/10]
{
    const Selected s = new_selected(new_event());
    send_text(s.pair.client, "x");
    assert_becomes_signaled(s.event);
    duplicate_of(s.pair.server);
    const WSAEVENT fresh = new_event();
    select_events(s.pair.server, fresh);
    assert_true(is_signaled(fresh));
    assert_events(s.pair.server, fresh, FD_READ);
}

void a_failed_connect_keeps_its_code(void**) // [WSADuplicateSocket/10]
{
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    select_events(client, event);
    start_connect(client, address, length);
    assert_becomes_signaled(event);
    duplicate_of(client);
    assert_events(client, event, FD_CONNECT, WSAECONNREFUSED);
}

void a_new_connect_is_told(void**) // [WSAEventSelect/34] [WSADuplicateSocket/10]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    select_events(client, event);
    start_connect(client, address, length);
    assert_events(client, event, FD_CONNECT, WSAECONNREFUSED);
    duplicate_of(client);
    start_connect(client, listener.address, listener.address_length);
    assert_events(client, event, FD_CONNECT | FD_WRITE);
}

/// A handle that is made past Winsock.
SOCKET other_handle_of(SOCKET socket)
{
    HANDLE handle = nullptr;
    assert_true(DuplicateHandle(GetCurrentProcess(), reinterpret_cast<HANDLE>(socket),
        GetCurrentProcess(), &handle, 0, FALSE, DUPLICATE_SAME_ACCESS));
    return owned(reinterpret_cast<SOCKET>(handle));
}

/// Who accepts by another handle is told of every connection, and the accepted socket inherits.
void assert_accepts_by_another_handle(bool is_first_closed)
{
    const Listener listener = new_listener();
    const WSAEVENT event = new_event();
    select_events(listener.socket, event, FD_READ);
    const SOCKET other = other_handle_of(listener.socket);
    if (is_first_closed)
        close_owned(listener.socket);
    select_events(other, event, FD_ACCEPT | FD_READ);
    for (int i = 0; i < 2; ++i) {
        const SOCKET client = tcp_socket();
        assert_wsa_ok(connect(
            client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
        assert_events(other, event, FD_ACCEPT);
        const SOCKET accepted = owned(accept(other, nullptr, nullptr));
        assert_true(accepted != INVALID_SOCKET);
        send_text(client, "x");
        assert_events(accepted, event, FD_READ);
    }
}

void a_listener_is_told_by_another_handle(void**) // [WSADuplicateSocket/10]
{
    assert_accepts_by_another_handle(false);
    assert_accepts_by_another_handle(true);
}

void an_accept_by_another_handle_re_enables(void**) // [WSADuplicateSocket/10]
{
    const Listener listener = new_listener();
    const WSAEVENT event = new_event();
    select_events(listener.socket, event, FD_ACCEPT);
    const SOCKET other = other_handle_of(listener.socket);
    for (int i = 0; i < 2; ++i) {
        const SOCKET client = tcp_socket();
        assert_wsa_ok(connect(
            client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
        assert_events(listener.socket, event, FD_ACCEPT);
        assert_true(owned(accept(other, nullptr, nullptr)) != INVALID_SOCKET);
    }
}

void assert_connects_by_another_handle(bool is_first_closed)
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    select_events(client, event, FD_READ);
    const SOCKET other = other_handle_of(client);
    if (is_first_closed)
        close_owned(client);
    select_events(other, event);
    start_connect(other, listener.address, listener.address_length);
    assert_events(other, event, FD_CONNECT | FD_WRITE);
}

void a_connect_is_told_by_another_handle(void**) // [WSADuplicateSocket/10]
{
    assert_connects_by_another_handle(false);
    assert_connects_by_another_handle(true);
}

void a_pending_connection_that_is_accepted_is_told_no_more(void**) // [WSADuplicateSocket/10]
{
    const Listener listener = new_listener();
    const WSAEVENT event = new_event();
    select_events(listener.socket, event, FD_ACCEPT);
    const SOCKET client = tcp_socket();
    assert_wsa_ok(connect(
        client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
    assert_becomes_signaled(event);
    duplicate_of(listener.socket);
    assert_true(owned(accept(listener.socket, nullptr, nullptr)) != INVALID_SOCKET);
    assert_no_events(listener.socket, event);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(what_is_pending_stays_pending),
    cmocka_unit_test(an_event_that_resets_itself_stays_signaled),
    cmocka_unit_test(the_signal_of_another_socket_stays),
    cmocka_unit_test(what_was_told_is_not_told_again),
    cmocka_unit_test(what_comes_later_is_told),
    cmocka_unit_test(an_end_that_was_told_is_not_told_as_a_reset),
    cmocka_unit_test(what_is_pending_sets_a_new_event),
    cmocka_unit_test(a_failed_connect_keeps_its_code),
    cmocka_unit_test(a_new_connect_is_told),
    cmocka_unit_test(a_listener_is_told_by_another_handle),
    cmocka_unit_test(an_accept_by_another_handle_re_enables),
    cmocka_unit_test(a_connect_is_told_by_another_handle),
    cmocka_unit_test(a_pending_connection_that_is_accepted_is_told_no_more),
};

} // namespace

CONFORMANCE_GROUP(duplicate_events, kCases);
