// FD_CLOSE.

#include "network_events.h"

using namespace conformance;

namespace {

struct SelectedPair {
    TcpPair pair;
    WSAEVENT event;
};

SelectedPair new_selected_pair(long mask = FD_READ | FD_CLOSE)
{
    SelectedPair selected { new_tcp_pair(), new_event() };
    select_events(selected.pair.server, selected.event, mask);
    return selected;
}

void the_end_of_the_peer_is_recorded_once(void**) // [WSAEventSelect/55]
{
    const SelectedPair s = new_selected_pair();

    close_owned(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE);
    assert_no_events(s.pair.server, s.event);
}

void a_shutdown_of_the_peer_is_recorded_and_its_close_is_not(void**) // [WSAEventSelect/55]
{
    const SelectedPair s = new_selected_pair();

    assert_wsa_ok(shutdown(s.pair.client, SD_SEND));
    assert_events(s.pair.server, s.event, FD_CLOSE);
    close_owned(s.pair.client);
    assert_no_events(s.pair.server, s.event);
}

void the_end_is_recorded_while_data_is_unread(void**) // [WSAEventSelect/56]
{
    const SelectedPair s = new_selected_pair();
    char data[8];
    send_text(s.pair.client, "hello");
    wait_until_received(s.pair.server, 5);
    assert_events(s.pair.server, s.event, FD_READ);

    close_owned(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE);
    assert_int_equal(recv(s.pair.server, data, 3, 0), 3);
    assert_events(s.pair.server, s.event, FD_READ);
    assert_int_equal(recv(s.pair.server, data, sizeof(data), 0), 2);
    assert_no_events(s.pair.server, s.event);
    assert_int_equal(recv(s.pair.server, data, sizeof(data), 0), 0);
}

void a_program_that_reads_to_the_end_gets_everything(void**) // [WSAEventSelect/56]
{
    const SelectedPair s = new_selected_pair();
    char data[8];
    long reported = 0;
    send_text(s.pair.client, "hello");
    close_owned(s.pair.client);

    int received = 0;
    for (int last = 1; last != 0;) {
        assert_becomes_signaled(s.event);
        const long now = enumerate(s.pair.server, s.event);
        reported |= now;
        if (!(now & (FD_READ | FD_CLOSE)))
            continue;
        last = recv(s.pair.server, data, 2, 0);
        if (last < 0)
            assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
        else
            received += last;
        if (now & FD_CLOSE) { // No event comes for the end itself.
            while ((last = recv(s.pair.server, data, 2, 0)) > 0)
                received += last;
        }
    }
    assert_int_equal(received, 5);
    assert_int_equal(reported, FD_READ | FD_CLOSE);
}

void the_end_is_not_recorded_as_data(void**) // [WSAEventSelect/48]
{
    const SelectedPair s = new_selected_pair(FD_READ);

    assert_wsa_ok(shutdown(s.pair.client, SD_SEND));
    wait_until_readable(s.pair.server);
    assert_no_events(s.pair.server, s.event);
}

void shutdowns_that_send_nothing_are_not_recorded(void**) // [WSAEventSelect/57]
{
    const SelectedPair s = new_selected_pair();

    assert_wsa_ok(shutdown(s.pair.client, SD_RECEIVE));
    assert_no_events(s.pair.server, s.event);
    assert_wsa_ok(shutdown(s.pair.server, SD_BOTH));
    assert_no_events(s.pair.server, s.event);
}

void the_end_is_recorded_after_a_local_shutdown_of_sends(void**) // [WSAEventSelect/57]
{
    const SelectedPair s = new_selected_pair();
    assert_wsa_ok(shutdown(s.pair.server, SD_SEND));

    close_owned(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE);
}

void an_end_that_answers_a_shutdown_is_no_reset(void**) // [WSAEventSelect/57]
{
    for (int round = 0; round < 50; ++round) {
        const SelectedPair s = new_selected_pair(FD_CLOSE);
        Background* const peer = run_in_background([client = s.pair.client] {
            char byte;
            return recv(client, &byte, 1, 0) || shutdown(client, SD_SEND);
        });

        assert_wsa_ok(shutdown(s.pair.server, SD_SEND));
        assert_events(s.pair.server, s.event, FD_CLOSE);
        assert_int_equal(join(peer).value, 0);
        close_owned(s.pair.client);
        close_owned(s.pair.server);
    }
}

void the_end_is_recorded_after_a_local_shutdown_of_both(void**) // [WSAEventSelect/58]
{
    const SelectedPair s = new_selected_pair();
    assert_wsa_ok(shutdown(s.pair.server, SD_BOTH));
    assert_no_events(s.pair.server, s.event);

    assert_wsa_ok(shutdown(s.pair.client, SD_SEND));
    assert_events(s.pair.server, s.event, FD_CLOSE);
}

void a_reset_is_recorded_as_an_abort(void**) // [WSAEventSelect/59]
{
    const SelectedPair s = new_selected_pair();

    reset_connection(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE, WSAECONNABORTED);
    assert_no_events(s.pair.server, s.event);
}

void a_receive_after_a_reset_tells_it(void**) // [WSAEventSelect/59]
{
    const SelectedPair s = new_selected_pair();
    char byte;
    reset_connection(s.pair.client);
    assert_becomes_signaled(s.event);

    assert_wsa_fails(recv(s.pair.server, &byte, 1, 0), SOCKET_ERROR, WSAECONNRESET);
}

void a_reset_that_a_receive_has_told_is_recorded_as_one(void**) // [WSAEventSelect/59]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    char byte;
    reset_connection(pair.client);
    wait_until_readable(pair.server);
    assert_wsa_fails(recv(pair.server, &byte, 1, 0), SOCKET_ERROR, WSAECONNRESET);
    select_events(pair.server, event, FD_CLOSE);
    assert_events(pair.server, event, FD_CLOSE, WSAECONNABORTED);
}

void an_end_before_the_selection_is_recorded_by_it(void**) // [WSAEventSelect/60]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    close_owned(pair.client);
    wait_until_readable(pair.server);

    select_events(pair.server, event, FD_READ | FD_CLOSE);
    assert_events(pair.server, event, FD_CLOSE);
}

void a_reported_end_is_not_reported_again(void**) // [WSAEventSelect/61]
{
    const SelectedPair s = new_selected_pair();
    const WSAEVENT fresh = new_event();
    close_owned(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE);

    select_events(s.pair.server, s.event, FD_READ | FD_CLOSE);
    assert_no_events(s.pair.server, s.event);
    select_nothing(s.pair.server);
    select_events(s.pair.server, fresh, FD_READ | FD_CLOSE);
    assert_no_events(s.pair.server, fresh);
    assert_false(is_signaled(fresh));
}

void a_pending_end_is_not_lost_to_a_new_event(void**) // [WSAEventSelect/62]
{
    const SelectedPair s = new_selected_pair();
    const WSAEVENT fresh = new_event();
    close_owned(s.pair.client);
    assert_becomes_signaled(s.event);

    select_events(s.pair.server, fresh, FD_READ | FD_CLOSE);
    assert_events(s.pair.server, fresh, FD_CLOSE);
}

void receiving_the_end_again_records_nothing(void**) // [WSAEventSelect/63]
{
    const SelectedPair s = new_selected_pair();
    char byte;
    close_owned(s.pair.client);
    assert_events(s.pair.server, s.event, FD_CLOSE);

    for (int i = 0; i < 3; ++i)
        assert_int_equal(recv(s.pair.server, &byte, 1, 0), 0);
    assert_no_events(s.pair.server, s.event);
}

void closing_the_own_socket_records_nothing(void**) // [WSAEventSelect/64]
{
    const SelectedPair s = new_selected_pair();

    close_owned(s.pair.server);
    let_it_settle();
    assert_false(is_signaled(s.event));
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_end_of_the_peer_is_recorded_once),
    cmocka_unit_test(a_shutdown_of_the_peer_is_recorded_and_its_close_is_not),
    cmocka_unit_test(the_end_is_recorded_while_data_is_unread),
    cmocka_unit_test(a_program_that_reads_to_the_end_gets_everything),
    cmocka_unit_test(the_end_is_not_recorded_as_data),
    cmocka_unit_test(shutdowns_that_send_nothing_are_not_recorded),
    cmocka_unit_test(the_end_is_recorded_after_a_local_shutdown_of_sends),
    cmocka_unit_test(an_end_that_answers_a_shutdown_is_no_reset),
    cmocka_unit_test(the_end_is_recorded_after_a_local_shutdown_of_both),
    cmocka_unit_test(a_reset_is_recorded_as_an_abort),
    cmocka_unit_test(a_receive_after_a_reset_tells_it),
    cmocka_unit_test(a_reset_that_a_receive_has_told_is_recorded_as_one),
    cmocka_unit_test(an_end_before_the_selection_is_recorded_by_it),
    cmocka_unit_test(a_reported_end_is_not_reported_again),
    cmocka_unit_test(a_pending_end_is_not_lost_to_a_new_event),
    cmocka_unit_test(receiving_the_end_again_records_nothing),
    cmocka_unit_test(closing_the_own_socket_records_nothing),
};

} // namespace

CONFORMANCE_GROUP(close_events, kCases);
