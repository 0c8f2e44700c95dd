// FD_READ and FD_OOB.

#include "network_events.h"

using namespace conformance;

namespace {

struct SelectedPair {
    TcpPair pair;
    WSAEVENT event;
};

SelectedPair new_selected_pair(long mask = FD_READ | FD_OOB | FD_CLOSE)
{
    SelectedPair selected { new_tcp_pair(), new_event() };
    select_events(selected.pair.server, selected.event, mask);
    return selected;
}

void send_urgent(SOCKET sender, char byte)
{
    assert_int_equal(send(sender, &byte, 1, MSG_OOB), 1);
}

// --- FD_READ

void arriving_data_is_recorded(void**) // [WSAEventSelect/40]
{
    const SelectedPair s = new_selected_pair();

    assert_no_events(s.pair.server, s.event);
    send_text(s.pair.client, "x");
    assert_events(s.pair.server, s.event, FD_READ);
}

/// Whoever would have seen the data first, had it not been suspended meanwhile.
void a_suspended_waiter_keeps_nobody_from_the_event(void**) // [WSAEventSelect/40]
{
    constexpr int kRounds = 6;
    const SelectedPair s = new_selected_pair(FD_READ);
    Background* echo = run_in_background([s]() -> long long {
        for (int round = 0; round < kRounds;) {
            char byte;
            WSANETWORKEVENTS record;
            if (WSAWaitForMultipleEvents(1, &s.event, FALSE, WSA_INFINITE, FALSE)
                    != WSA_WAIT_EVENT_0
                || WSAEnumNetworkEvents(s.pair.server, s.event, &record) != 0)
                return round;
            if (recv(s.pair.server, &byte, 1, 0) == 1)
                round += send(s.pair.server, &byte, 1, 0);
        }
        return kRounds;
    });
    char byte;
    for (int round = 1; round < kRounds; ++round) {
        send_text(s.pair.client, "x");
        assert_int_equal(recv(s.pair.client, &byte, 1, 0), 1);
    }
    let_it_settle(); // it waits

    assert_int_equal(SuspendThread(background_thread(echo)), 0);
    send_text(s.pair.client, "x");
    const DWORD told = WSAWaitForMultipleEvents(1, &s.event, FALSE, kHangLimit, FALSE);
    assert_int_equal(ResumeThread(background_thread(echo)), 1);
    assert_int_equal(told, WSA_WAIT_EVENT_0);
    assert_int_equal(join(echo).value, kRounds);
}

void more_data_is_recorded_although_the_first_is_unread(void**) // [WSAEventSelect/41]
{
    const SelectedPair s = new_selected_pair();
    send_text(s.pair.client, "hello");
    assert_events(s.pair.server, s.event, FD_READ);
    assert_no_events(s.pair.server, s.event);

    send_text(s.pair.client, "hello");
    assert_events(s.pair.server, s.event, FD_READ);
}

void a_receive_that_leaves_data_records_it_again(void**) // [WSAEventSelect/42]
{
    const SelectedPair s = new_selected_pair();
    char data[8];
    send_text(s.pair.client, "hello");
    wait_until_received(s.pair.server, 5);
    assert_events(s.pair.server, s.event, FD_READ);

    assert_int_equal(recv(s.pair.server, data, 2, 0), 2);
    assert_events(s.pair.server, s.event, FD_READ);
    assert_int_equal(recv(s.pair.server, data, 3, 0), 3);
    assert_no_events(s.pair.server, s.event);
}

void a_peek_records_the_data_it_leaves(void**) // [WSAEventSelect/43]
{
    const SelectedPair s = new_selected_pair();
    char data[8];
    send_text(s.pair.client, "hello");
    wait_until_received(s.pair.server, 5);
    assert_events(s.pair.server, s.event, FD_READ);

    assert_int_equal(recv(s.pair.server, data, sizeof(data), MSG_PEEK), 5);
    assert_events(s.pair.server, s.event, FD_READ);
}

void an_overlapped_receive_records_the_data_it_leaves(void**) // [WSAEventSelect/44]
{
    const SelectedPair s = new_selected_pair();
    Operation* receive = new_operation(new_event());
    receive->buffer.len = 2;
    send_text(s.pair.client, "hello");
    wait_until_received(s.pair.server, 5);
    assert_events(s.pair.server, s.event, FD_READ);

    assert_wsa_ok(WSARecv(s.pair.server, &receive->buffer, 1, nullptr, &receive->flags,
        &receive->overlapped, nullptr));
    assert_events(s.pair.server, s.event, FD_READ);
}

void data_for_a_pending_receive_is_not_recorded(void**) // [WSAEventSelect/44]
{
    const SelectedPair s = new_selected_pair();
    Operation* receive = new_operation(new_event());
    receive->buffer.len = 1;
    assert_wsa_fails(WSARecv(s.pair.server, &receive->buffer, 1, nullptr, &receive->flags,
                         &receive->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    send_text(s.pair.client, "a");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_no_events(s.pair.server, s.event);
    send_text(s.pair.client, "b");
    assert_events(s.pair.server, s.event, FD_READ);
}

void data_that_came_before_the_selection_is_recorded_by_it(void**) // [WSAEventSelect/45]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    char byte;
    send_text(pair.client, "x");
    wait_until_readable(pair.server);

    select_events(pair.server, event, FD_READ);
    assert_true(is_signaled(event));
    assert_events(pair.server, event, FD_READ);
    select_nothing(pair.server);
    assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
    send_text(pair.client, "y");
    wait_until_readable(pair.server);
    assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
    select_events(pair.server, event, FD_CLOSE);
    assert_no_events(pair.server, event);
}

void data_read_before_the_selection_is_not_recorded(void**) // [WSAEventSelect/45]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    char byte;
    send_text(pair.client, "x");
    assert_int_equal(recv(pair.server, &byte, 1, 0), 1);

    select_events(pair.server, event, FD_READ);
    assert_no_events(pair.server, event);
}

void select_and_poll_leave_the_record_alone(void**) // [WSAEventSelect/46]
{
    const SelectedPair s = new_selected_pair();
    WSAPOLLFD poll = { s.pair.server, POLLRDNORM, 0 };
    send_text(s.pair.client, "x");
    assert_becomes_signaled(s.event);

    wait_until_readable(s.pair.server);
    assert_int_equal(WSAPoll(&poll, 1, 0), 1);
    assert_int_equal(enumerate(s.pair.server, s.event), FD_READ);
    wait_until_readable(s.pair.server);
    assert_int_equal(WSAPoll(&poll, 1, 0), 1);
    assert_no_events(s.pair.server, s.event);
    assert_false(is_signaled(s.event));
}

void asking_for_the_amount_records_nothing(void**) // [WSAEventSelect/47]
{
    const SelectedPair s = new_selected_pair();
    u_long available = 0;
    send_text(s.pair.client, "hello");
    wait_until_received(s.pair.server, 5);
    assert_events(s.pair.server, s.event, FD_READ);

    assert_wsa_ok(ioctlsocket(s.pair.server, FIONREAD, &available));
    assert_int_equal(available, 5);
    assert_no_events(s.pair.server, s.event);
}

void a_receive_without_data_would_block_and_records_nothing(void**) // [WSAEventSelect/42]
{
    const SelectedPair s = new_selected_pair();
    char byte;

    assert_wsa_fails(recv(s.pair.server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_no_events(s.pair.server, s.event);
}

void a_receive_into_a_bad_buffer_records_nothing(void**) // [WSAEventSelect/49]
{
    const SelectedPair s = new_selected_pair();
    char byte;
    send_text(s.pair.client, "hello");
    wait_until_received(s.pair.server, 5);
    assert_events(s.pair.server, s.event, FD_READ);

    assert_wsa_fails(recv(s.pair.server, &byte, -1, 0), SOCKET_ERROR, WSAEFAULT);
    assert_no_events(s.pair.server, s.event);
}

void shutting_down_receives_records_nothing(void**) // [WSAEventSelect/50]
{
    const SelectedPair s = new_selected_pair();

    assert_wsa_ok(shutdown(s.pair.server, SD_RECEIVE));
    assert_no_events(s.pair.server, s.event);
}

void every_datagram_is_recorded(void**) // [WSAEventSelect/68]
{
    const UdpPair pair = new_udp_pair();
    const WSAEVENT event = new_event();
    char data[8];
    select_events(pair.b, event, FD_READ);

    send_text(pair.a, "one");
    assert_events(pair.b, event, FD_READ);
    assert_int_equal(recv(pair.b, data, sizeof(data), 0), 3);
    assert_no_events(pair.b, event);
    send_text(pair.a, "two");
    assert_events(pair.b, event, FD_READ);
}

void a_second_datagram_is_recorded_although_the_first_is_unread(void**) // [WSAEventSelect/41]
{
    const UdpPair pair = new_udp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.b, event, FD_READ);
    send_text(pair.a, "one");
    assert_events(pair.b, event, FD_READ);

    send_text(pair.a, "two");
    assert_events(pair.b, event, FD_READ);
}

void receiving_a_datagram_records_the_next(void**) // [WSAEventSelect/68]
{
    const UdpPair pair = new_udp_pair();
    const WSAEVENT event = new_event();
    char data[8];
    send_text(pair.a, "one");
    send_text(pair.a, "two");
    wait_until_readable(pair.b);
    let_it_settle();
    select_events(pair.b, event, FD_READ);
    assert_events(pair.b, event, FD_READ);

    assert_int_equal(recv(pair.b, data, sizeof(data), 0), 3);
    assert_events(pair.b, event, FD_READ);
    assert_int_equal(recv(pair.b, data, sizeof(data), 0), 3);
    assert_no_events(pair.b, event);
}

// --- FD_OOB

void an_urgent_byte_is_recorded_apart_from_data(void**) // [WSAEventSelect/51]
{
    const SelectedPair s = new_selected_pair();

    send_urgent(s.pair.client, 'u');
    assert_events(s.pair.server, s.event, FD_OOB);
    assert_no_events(s.pair.server, s.event);
}

void a_second_urgent_byte_is_recorded_although_the_first_is_unread(void**) // [WSAEventSelect/52]
{
    const SelectedPair s = new_selected_pair(FD_OOB);
    send_urgent(s.pair.client, 'u');
    assert_events(s.pair.server, s.event, FD_OOB);

    send_urgent(s.pair.client, 'v');
    assert_events(s.pair.server, s.event, FD_OOB);
}

void receiving_the_urgent_byte_ends_its_event(void**) // [WSAEventSelect/53]
{
    const SelectedPair s = new_selected_pair(FD_OOB);
    char byte = 0;
    send_urgent(s.pair.client, 'u');
    assert_events(s.pair.server, s.event, FD_OOB);

    assert_int_equal(recv(s.pair.server, &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, 'u');
    assert_no_events(s.pair.server, s.event);
}

void urgent_bytes_are_queued_one_by_one(void**) // [WSAEventSelect/53]
{
    const SelectedPair s = new_selected_pair(FD_OOB);
    char byte = 0;
    send_urgent(s.pair.client, 'u');
    assert_events(s.pair.server, s.event, FD_OOB);
    send_urgent(s.pair.client, 'v');
    assert_events(s.pair.server, s.event, FD_OOB);

    assert_int_equal(recv(s.pair.server, &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, 'u');
    assert_events(s.pair.server, s.event, FD_OOB);
    assert_int_equal(recv(s.pair.server, &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, 'v');
    assert_no_events(s.pair.server, s.event);
}

void an_inline_urgent_byte_is_data(void**) // [WSAEventSelect/54]
{
    const SelectedPair s = new_selected_pair();
    const BOOL inlined = TRUE;
    char byte = 0;
    assert_wsa_ok(setsockopt(s.pair.server, SOL_SOCKET, SO_OOBINLINE,
        reinterpret_cast<const char*>(&inlined), sizeof(inlined)));

    send_urgent(s.pair.client, 'u');
    assert_events(s.pair.server, s.event, FD_READ);
    assert_int_equal(recv(s.pair.server, &byte, 1, 0), 1);
    assert_int_equal(byte, 'u');
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(arriving_data_is_recorded),
    cmocka_unit_test(a_suspended_waiter_keeps_nobody_from_the_event),
    cmocka_unit_test(more_data_is_recorded_although_the_first_is_unread),
    cmocka_unit_test(a_receive_that_leaves_data_records_it_again),
    cmocka_unit_test(a_peek_records_the_data_it_leaves),
    cmocka_unit_test(an_overlapped_receive_records_the_data_it_leaves),
    cmocka_unit_test(data_for_a_pending_receive_is_not_recorded),
    cmocka_unit_test(data_that_came_before_the_selection_is_recorded_by_it),
    cmocka_unit_test(data_read_before_the_selection_is_not_recorded),
    cmocka_unit_test(select_and_poll_leave_the_record_alone),
    cmocka_unit_test(asking_for_the_amount_records_nothing),
    cmocka_unit_test(a_receive_without_data_would_block_and_records_nothing),
    cmocka_unit_test(a_receive_into_a_bad_buffer_records_nothing),
    cmocka_unit_test(shutting_down_receives_records_nothing),
    cmocka_unit_test(every_datagram_is_recorded),
    cmocka_unit_test(a_second_datagram_is_recorded_although_the_first_is_unread),
    cmocka_unit_test(receiving_a_datagram_records_the_next),
    cmocka_unit_test(an_urgent_byte_is_recorded_apart_from_data),
    cmocka_unit_test(a_second_urgent_byte_is_recorded_although_the_first_is_unread),
    cmocka_unit_test(receiving_the_urgent_byte_ends_its_event),
    cmocka_unit_test(urgent_bytes_are_queued_one_by_one),
    cmocka_unit_test(an_inline_urgent_byte_is_data),
};

} // namespace

CONFORMANCE_GROUP(read_events, kCases);
