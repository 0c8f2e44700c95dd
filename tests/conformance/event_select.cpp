// WSAEventSelect: what the call refuses and what it does to the association and the record.

#include "child.h"
#include "network_events.h"

using namespace conformance;

namespace {

// --- What is refused

void select_refuses_what_is_no_socket(void**) // [WSAEventSelect/2]
{
    const WSAEVENT event = new_event();
    const SOCKET closed = udp_socket();
    close_owned(closed);

    for (SOCKET bad : { INVALID_SOCKET, SOCKET(0), SOCKET(0x7ffff0), closed, SOCKET(event) }) {
        assert_wsa_fails(WSAEventSelect(bad, event, FD_READ), SOCKET_ERROR, WSAENOTSOCK);
        assert_wsa_fails(WSAEventSelect(bad, nullptr, FD_READ), SOCKET_ERROR, WSAENOTSOCK);
        assert_wsa_fails(WSAEventSelect(bad, nullptr, 0), SOCKET_ERROR, WSAENOTSOCK);
    }
}

void select_refuses_a_mask_without_event(void**) // [WSAEventSelect/3]
{
    assert_wsa_fails(
        WSAEventSelect(tcp_socket(), WSA_INVALID_EVENT, FD_READ), SOCKET_ERROR, WSAEINVAL);
}

void select_refuses_a_handle_that_is_no_event(void**) // [WSAEventSelect/4]
{
    const SOCKET socket = tcp_socket();
    const WSAEVENT closed = new_event();
    close_owned(closed);
    const HANDLE mutex = owned(CreateMutexW(nullptr, FALSE, nullptr));

    for (HANDLE bad : { closed, mutex == closed ? nullptr : mutex,
             reinterpret_cast<HANDLE>(static_cast<uintptr_t>(0x7ffff0)) }) {
        WSASetLastError(kPoison);
        assert_int_equal(WSAEventSelect(socket, bad, FD_READ), SOCKET_ERROR);
        const int error = WSAGetLastError();
        assert_true(error == WSAENOTSOCK || error == WSAEINVAL);
    }
}

void a_refused_select_keeps_the_association(void**) // [WSAEventSelect/4]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);

    assert_int_equal(WSAEventSelect(pair.server, nullptr, FD_WRITE), SOCKET_ERROR);
    send_text(pair.client, "x");
    assert_events(pair.server, event, FD_READ);
}

void an_empty_mask_ignores_the_event(void**) // [WSAEventSelect/5]
{
    const SOCKET socket = tcp_socket();
    const HANDLE garbage = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(0x7ffff0));

    assert_wsa_ok(WSAEventSelect(socket, nullptr, 0));
    assert_wsa_ok(WSAEventSelect(socket, garbage, 0));
    assert_wsa_ok(WSAEventSelect(socket, new_event(), 0));
}

void any_bit_is_accepted_in_the_mask(void**) // [WSAEventSelect/6]
{
    const WSAEVENT event = new_event();

    for (SOCKET socket : { tcp_socket(), udp_socket(), new_listener().socket }) {
        assert_wsa_ok(WSAEventSelect(socket, event, FD_ALL_EVENTS));
        assert_wsa_ok(WSAEventSelect(socket, event, ~0L));
        assert_wsa_ok(WSAEventSelect(socket, event, 1 << 20));
    }
}

// --- Blocking mode

void assert_nonblocking(SOCKET receiver, Where where = Where::current())
{
    char byte;
    WSASetLastError(kPoison);
    if (recv(receiver, &byte, 1, 0) != SOCKET_ERROR || WSAGetLastError() != WSAEWOULDBLOCK)
        fail_at(where, "the socket is not in non-blocking mode");
}

void select_makes_the_socket_nonblocking(void**) // [WSAEventSelect/7]
{
    const TcpPair pair = new_tcp_pair();

    select_events(pair.server, new_event(), FD_CLOSE);
    assert_nonblocking(pair.server);
}

void select_with_an_empty_mask_makes_the_socket_nonblocking(void**) // [WSAEventSelect/7]
{
    const TcpPair pair = new_tcp_pair();

    select_nothing(pair.server);
    assert_nonblocking(pair.server);
}

void a_selected_socket_cannot_become_blocking(void**) // [WSAEventSelect/8]
{
    const TcpPair pair = new_tcp_pair();
    u_long blocking = 0;
    u_long nonblocking = 1;
    select_events(pair.server, new_event(), FD_READ);

    assert_wsa_fails(ioctlsocket(pair.server, FIONBIO, &blocking), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_ok(ioctlsocket(pair.server, FIONBIO, &nonblocking));
    assert_nonblocking(pair.server);
}

void a_cancelled_selection_leaves_the_socket_nonblocking(void**) // [WSAEventSelect/9]
{
    const TcpPair pair = new_tcp_pair();
    u_long blocking = 0;
    char byte = 0;
    select_events(pair.server, new_event(), FD_READ);
    select_nothing(pair.server);

    assert_nonblocking(pair.server);
    assert_wsa_ok(ioctlsocket(pair.server, FIONBIO, &blocking));
    Background* receive = run_in_background([=] {
        char data;
        return recv(pair.server, &data, 1, 0);
    });
    send_text(pair.client, "xy");
    assert_int_equal(join(receive).value, 1);
    assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
}

// --- The association

void a_second_select_replaces_the_mask(void**) // [WSAEventSelect/10]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);
    select_events(pair.server, event, FD_CLOSE);

    send_text(pair.client, "x");
    wait_until_received(pair.server, 1);
    assert_no_events(pair.server, event);
    assert_false(is_signaled(event));
}

void a_second_select_replaces_the_event(void**) // [WSAEventSelect/10]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT first = new_event();
    const WSAEVENT second = new_event();
    select_events(pair.server, first, FD_READ);
    select_events(pair.server, second, FD_READ);

    send_text(pair.client, "x");
    assert_becomes_signaled(second);
    assert_false(is_signaled(first));
    assert_events(pair.server, second, FD_READ);
}

void an_auto_reset_event_is_consumed_by_one_wait(void**) // [WSAEventSelect/20]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE event = new_auto_event();
    select_events(pair.server, event, FD_READ);

    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    assert_false(is_signaled(event));
    assert_int_equal(enumerate(pair.server, nullptr), FD_READ);
}

void closing_the_event_handle_keeps_the_association(void**) // [WSAEventSelect/21]
{
    const HANDLE process = GetCurrentProcess();
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    HANDLE other = nullptr;
    assert_true(DuplicateHandle(process, event, process, &other, 0, FALSE, DUPLICATE_SAME_ACCESS));
    owned(other);
    select_events(pair.server, event, FD_READ);

    assert_true(WSACloseEvent(event));
    disown(event);
    send_text(pair.client, "x");
    assert_becomes_signaled(other);
    assert_int_equal(enumerate(pair.server, other), FD_READ);
}

void closing_the_socket_keeps_the_event(void**) // [WSAEventSelect/21]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);

    close_owned(pair.server);
    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
}

// --- The record

void the_record_survives_a_new_selection(void**) // [WSAEventSelect/12]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);

    select_events(pair.server, event, FD_CLOSE);
    select_events(pair.server, event, FD_READ);
    assert_int_equal(enumerate(pair.server, event), FD_READ);
}

void a_pending_event_sets_the_new_event_at_once(void**) // [WSAEventSelect/13]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT first = new_event();
    const WSAEVENT second = new_event();
    select_events(pair.server, first, FD_READ);
    send_text(pair.client, "x");
    assert_becomes_signaled(first);

    select_events(pair.server, second, FD_READ | FD_CLOSE);
    assert_true(is_signaled(second));
    assert_int_equal(enumerate(pair.server, second), FD_READ);
}

void conditions_that_are_true_at_the_call_are_recorded(void**) // [WSAEventSelect/14]
{
    const Listener listener = new_listener();
    const WSAEVENT event = new_event();
    const SOCKET client = connect_to(listener);
    wait_until_readable(listener.socket);

    select_events(listener.socket, event, FD_ACCEPT);
    assert_true(is_signaled(event));
    assert_int_equal(enumerate(listener.socket, event), FD_ACCEPT);

    const SOCKET server = accept_from(listener);
    send_text(client, "x");
    wait_until_readable(server);
    select_nothing(server);
    select_events(server, event, FD_READ | FD_WRITE);
    assert_true(is_signaled(event));
    assert_int_equal(enumerate(server, event), FD_READ | FD_WRITE);
}

void a_reported_event_is_not_reported_by_the_same_selection_again(void**) // [WSAEventSelect/15]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ | FD_CLOSE);
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);
    assert_events(pair.server, event, FD_READ);

    select_events(pair.server, event, FD_READ | FD_CLOSE);
    assert_no_events(pair.server, event);
    assert_false(is_signaled(event));
}

void a_reported_event_is_not_reported_after_a_cancelled_selection(void**) // [WSAEventSelect/15]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event);
    take_first_events(pair.server, event);

    select_events(pair.server, event);
    assert_no_events(pair.server, event);
    select_nothing(pair.server);
    select_events(pair.server, event);
    assert_no_events(pair.server, event);
}

void a_new_selection_leaves_the_event_set(void**) // [WSAEventSelect/16]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);

    select_events(pair.server, event, FD_CLOSE);
    assert_true(is_signaled(event));
    assert_true(WSAResetEvent(event));
    select_events(pair.server, event, FD_CLOSE);
    assert_false(is_signaled(event));
}

void a_pending_event_waits_for_a_mask_that_has_it(void**) // [WSAEventSelect/17]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    select_events(pair.server, event, FD_CLOSE);
    assert_true(WSAResetEvent(event));

    assert_int_equal(enumerate(pair.server, nullptr), 0);
    assert_false(is_signaled(event));
    select_events(pair.server, event, FD_READ | FD_CLOSE);
    assert_true(is_signaled(event));
    assert_int_equal(enumerate(pair.server, event), FD_READ);
}

void an_empty_mask_hides_the_record(void**) // [WSAEventSelect/18]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);

    select_nothing(pair.server);
    assert_int_equal(enumerate(pair.server, nullptr), 0);
}

void nothing_is_recorded_for_an_unconnected_tcp_socket(void**) // [WSAEventSelect/19]
{
    const SOCKET unbound = tcp_socket();
    const SOCKET bound = tcp_socket();
    const WSAEVENT event = new_event();
    bind_to_loopback(bound);

    select_events(unbound, event, FD_ALL_EVENTS);
    assert_no_events(unbound, event);
    select_events(bound, event, FD_ALL_EVENTS);
    assert_no_events(bound, event);
}

void events_come_although_all_other_threads_were_terminated(void**) // [WSAEventSelect/73]
{
    const Child child = start_child("be-told-alone", 0, false);
    assert_int_equal(exit_code_of(child), 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(select_refuses_what_is_no_socket),
    cmocka_unit_test(select_refuses_a_mask_without_event),
    cmocka_unit_test(select_refuses_a_handle_that_is_no_event),
    cmocka_unit_test(a_refused_select_keeps_the_association),
    cmocka_unit_test(an_empty_mask_ignores_the_event),
    cmocka_unit_test(any_bit_is_accepted_in_the_mask),
    cmocka_unit_test(select_makes_the_socket_nonblocking),
    cmocka_unit_test(select_with_an_empty_mask_makes_the_socket_nonblocking),
    cmocka_unit_test(a_selected_socket_cannot_become_blocking),
    cmocka_unit_test(a_cancelled_selection_leaves_the_socket_nonblocking),
    cmocka_unit_test(a_second_select_replaces_the_mask),
    cmocka_unit_test(a_second_select_replaces_the_event),
    cmocka_unit_test(an_auto_reset_event_is_consumed_by_one_wait),
    cmocka_unit_test(closing_the_event_handle_keeps_the_association),
    cmocka_unit_test(closing_the_socket_keeps_the_event),
    cmocka_unit_test(the_record_survives_a_new_selection),
    cmocka_unit_test(a_pending_event_sets_the_new_event_at_once),
    cmocka_unit_test(conditions_that_are_true_at_the_call_are_recorded),
    cmocka_unit_test(a_reported_event_is_not_reported_by_the_same_selection_again),
    cmocka_unit_test(a_reported_event_is_not_reported_after_a_cancelled_selection),
    cmocka_unit_test(a_new_selection_leaves_the_event_set),
    cmocka_unit_test(a_pending_event_waits_for_a_mask_that_has_it),
    cmocka_unit_test(an_empty_mask_hides_the_record),
    cmocka_unit_test(nothing_is_recorded_for_an_unconnected_tcp_socket),
    cmocka_unit_test(events_come_although_all_other_threads_were_terminated),
};

} // namespace

CONFORMANCE_GROUP(event_select, kCases);
