// AFD: what data, urgent data, the end of a connection and datagrams record. Rules:
// spec/WSAEventSelect.md.
#include "afd.h"

using namespace nt_suite;

namespace {

/// A connection with the server's end selected.
struct Selected {
    HANDLE client, server, event;
};

Selected new_selected_pair(int32_t mask)
{
    const Pair pair = new_pair();
    return { pair.client, pair.server, selected_event(pair.server, mask) };
}

void receive_some(HANDLE socket, ULONG length, uint32_t flags = 0)
{
    char data[16];
    const Transfer got = receive(socket, data, length, flags);
    assert_status(got.status, STATUS_SUCCESS);
    assert_int_equal(got.count, length);
}

// --- Data

void data_is_recorded(void**) // [WSAEventSelect/40] [WSAEventSelect/15]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    assert_sends(pair.client, "hello");
    assert_events(pair.server, pair.event, kRead);
    assert_status(select(pair.server, pair.event, kRead | kClose), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
}

void more_data_is_recorded_again(void**) // [WSAEventSelect/41]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    assert_sends(pair.client, "hello");
    assert_events(pair.server, pair.event, kRead);
    assert_sends(pair.client, "again");
    assert_events(pair.server, pair.event, kRead);
}

void a_receive_that_leaves_data_records_it(void**) // [WSAEventSelect/42]
{
    const Selected pair = new_selected_pair(kRead);
    assert_sends(pair.client, "hello");
    assert_events(pair.server, pair.event, kRead);
    receive_some(pair.server, 2);
    assert_events(pair.server, pair.event, kRead);
    receive_some(pair.server, 3);
    assert_no_events(pair.server, pair.event);
}

void a_receive_of_nothing_there_records_nothing(void**) // [WSAEventSelect/42]
{
    const Selected pair = new_selected_pair(kRead);
    char data[1];
    assert_status(receive(pair.server, data, 1).status, STATUS_DEVICE_NOT_READY);
    assert_no_events(pair.server, pair.event);
    assert_sends(pair.client, "x");
    assert_events(pair.server, pair.event, kRead);
}

void a_peek_leaves_data(void**) // [WSAEventSelect/43]
{
    const Selected pair = new_selected_pair(kRead);
    assert_sends(pair.client, "hello");
    assert_events(pair.server, pair.event, kRead);
    receive_some(pair.server, 5, kPeek);
    assert_events(pair.server, pair.event, kRead);
}

void data_for_a_pending_receive_is_not_recorded(void**) // [WSAEventSelect/44]
{
    const Selected pair = new_selected_pair(kRead);
    Request* request = start_receive(pair.server, 1);
    assert_sends(pair.client, "1");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
    assert_sends(pair.client, "2");
    assert_events(pair.server, pair.event, kRead);
}

void data_that_waits_is_recorded_by_the_selection(void**) // [WSAEventSelect/45]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "x");
    await(pair.server, afd::kPollReceive);
    assert_events(pair.server, selected_event(pair.server, kRead), kRead);
}

void polls_do_not_touch_the_record(void**) // [WSAEventSelect/46]
{
    const Selected pair = new_selected_pair(kRead);
    assert_sends(pair.client, "x");
    assert_events(pair.server, pair.event, kRead);
    await(pair.server, afd::kPollReceive);
    assert_no_events(pair.server, pair.event);
    assert_int_equal(poll_now(pair.server, afd::kPollReceive), afd::kPollReceive);
}

void asking_for_the_count_records_nothing(void**) // [WSAEventSelect/47]
{
    const Selected pair = new_selected_pair(kRead);
    int32_t count = 0;
    assert_sends(pair.client, "x");
    assert_events(pair.server, pair.event, kRead);
    assert_status(get_int(pair.server, afd::kIoctlFionread, &count), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
}

// --- Urgent data

void an_urgent_byte_is_no_data(void**) // [WSAEventSelect/51]
{
    const Selected pair = new_selected_pair(kRead | kOob);
    assert_sends(pair.client, "!", kUrgent);
    assert_events(pair.server, pair.event, kOob);
    receive_some(pair.server, 1, kUrgent);
    assert_no_events(pair.server, pair.event);
}

void a_second_urgent_byte_is_recorded_again(void**) // [WSAEventSelect/52]
{
    const Selected pair = new_selected_pair(kOob);
    assert_sends(pair.client, "1", kUrgent);
    assert_events(pair.server, pair.event, kOob);
    assert_sends(pair.client, "2", kUrgent);
    assert_events(pair.server, pair.event, kOob);
}

void receiving_an_urgent_byte_records_the_next(void**) // [WSAEventSelect/53]
{
    const Selected pair = new_selected_pair(kOob);
    assert_sends(pair.client, "1", kUrgent);
    assert_sends(pair.client, "2", kUrgent);
    assert_sends(pair.client, "x");
    await(pair.server, afd::kPollReceive); // so both urgent bytes are there as well
    assert_events(pair.server, pair.event, kOob);
    receive_some(pair.server, 1, kUrgent);
    assert_events(pair.server, pair.event, kOob);
    receive_some(pair.server, 1, kUrgent);
    assert_no_events(pair.server, pair.event);
}

void inline_urgent_data_is_recorded_as_data(void**) // [WSAEventSelect/54]
{
    const Selected pair = new_selected_pair(kRead | kOob);
    assert_status(set_int(pair.server, afd::kIoctlSetSoOobInline, 1), STATUS_SUCCESS);
    assert_sends(pair.client, "!", kUrgent);
    assert_events(pair.server, pair.event, kRead);
}

// --- The end

void the_end_is_recorded_once(void**) // [WSAEventSelect/48] [WSAEventSelect/55] [WSAEventSelect/63]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    char data[1];
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    assert_events(pair.server, pair.event, afd::kPollDisconnect);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(receive(pair.server, data, 1).count, 0);
        assert_no_events(pair.server, pair.event);
    }
    assert_status(select(pair.server, pair.event, kRead | kClose), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
}

void the_end_is_recorded_with_data_unread(void**) // [WSAEventSelect/56]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    assert_sends(pair.client, "hello");
    assert_events(pair.server, pair.event, kRead);
    close_owned(pair.client);
    assert_events(pair.server, pair.event, afd::kPollDisconnect);
    receive_some(pair.server, 3);
    assert_events(pair.server, pair.event, kRead);
    receive_some(pair.server, 2);
    assert_no_events(pair.server, pair.event);
}

void an_end_after_all_data_was_received_is_recorded(void**) // [WSAEventSelect/55]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    assert_sends(pair.client, "x");
    assert_events(pair.server, pair.event, kRead);
    receive_some(pair.server, 1);
    close_owned(pair.client);
    assert_events(pair.server, pair.event, afd::kPollDisconnect);
}

void shutdowns_of_receives_are_not_recorded(void**) // [WSAEventSelect/57] [WSAEventSelect/50]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    assert_status(shutdown(pair.client, kReceives), STATUS_SUCCESS);
    assert_status(shutdown(pair.server, kSends), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    assert_events(pair.server, pair.event, afd::kPollDisconnect);
}

void the_end_is_recorded_after_a_shutdown_of_both(void**) // [WSAEventSelect/58]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    assert_status(shutdown(pair.server, kBoth), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    assert_events(pair.server, pair.event, afd::kPollDisconnect);
}

void a_reset_is_recorded_without_a_status(void**) // [afd/74] [WSAEventSelect/59]
{
    const Selected pair = new_selected_pair(kRead | kClose);
    afd::GetEventsResult result {};
    reset(pair.client);
    assert_status(NtWaitForSingleObject(pair.event, FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_int_equal(take_events(pair.server, pair.event, &result), afd::kPollAbort);
    for (int32_t status : result.status)
        assert_status(status, STATUS_SUCCESS);
    assert_status(select(pair.server, pair.event, kRead | kClose), STATUS_SUCCESS);
    assert_no_events(pair.server, pair.event);
}

void an_end_before_the_selection_is_recorded_by_it(void**) // [WSAEventSelect/60]
{
    const Pair pair = new_pair();
    close_owned(pair.client);
    await(pair.server, afd::kPollDisconnect);
    assert_events(pair.server, selected_event(pair.server, kRead | kClose), afd::kPollDisconnect);
}

void a_reported_end_is_not_told_to_another_event(void**) // [WSAEventSelect/61]
{
    const Selected pair = new_selected_pair(kClose);
    close_owned(pair.client);
    assert_events(pair.server, pair.event, afd::kPollDisconnect);
    assert_no_events(pair.server, selected_event(pair.server, kClose));
}

void a_pending_end_is_told_to_another_event(void**) // [WSAEventSelect/62]
{
    const Selected pair = new_selected_pair(kClose);
    close_owned(pair.client);
    assert_status(NtWaitForSingleObject(pair.event, FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_events(pair.server, selected_event(pair.server, kClose), afd::kPollDisconnect);
}

// --- Datagrams

void an_unbound_datagram_socket_records_nothing(void**) // [WSAEventSelect/65]
{
    const HANDLE socket = new_datagram();
    assert_no_events(socket, selected_event(socket, kEverything));
}

void connecting_a_datagram_socket_is_recorded(void**) // [WSAEventSelect/66]
{
    const HANDLE socket = new_datagram(), peer = new_datagram();
    const HANDLE event = selected_event(socket, kEverything);
    assert_status(connect(socket, bind_to_loopback(peer)), STATUS_SUCCESS);
    assert_events(socket, event, afd::kPollConnect | kWrite);
}

void a_bound_datagram_socket_records_write_once(void**) // [WSAEventSelect/67]
{
    const HANDLE socket = new_datagram();
    bind_to_loopback(socket);
    const HANDLE event = selected_event(socket, kRead | kWrite);
    assert_events(socket, event, kWrite);
    assert_status(select(socket, event, kRead | kWrite), STATUS_SUCCESS);
    assert_no_events(socket, event);
}

void every_datagram_is_recorded(void**) // [WSAEventSelect/68] [WSAEventSelect/41]
{
    const Pair pair = new_datagram_pair();
    const HANDLE event = selected_event(pair.server, kRead);
    assert_sends(pair.client, "one");
    assert_events(pair.server, event, kRead);
    assert_sends(pair.client, "two");
    assert_events(pair.server, event, kRead);
}

void a_datagram_that_is_left_is_recorded(void**) // [WSAEventSelect/68]
{
    const Pair pair = new_datagram_pair();
    const HANDLE event = new_event(kNotificationEvent);
    assert_sends(pair.client, "one");
    assert_sends(pair.client, "two");
    await(pair.server, afd::kPollReceive);
    assert_status(select(pair.server, event, kRead), STATUS_SUCCESS);
    assert_events(pair.server, event, kRead);
    receive_some(pair.server, 3);
    assert_events(pair.server, event, kRead);
    receive_some(pair.server, 3);
    assert_no_events(pair.server, event);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(data_is_recorded),
    cmocka_unit_test(more_data_is_recorded_again),
    cmocka_unit_test(a_receive_that_leaves_data_records_it),
    cmocka_unit_test(a_receive_of_nothing_there_records_nothing),
    cmocka_unit_test(a_peek_leaves_data),
    cmocka_unit_test(data_for_a_pending_receive_is_not_recorded),
    cmocka_unit_test(data_that_waits_is_recorded_by_the_selection),
    cmocka_unit_test(polls_do_not_touch_the_record),
    cmocka_unit_test(asking_for_the_count_records_nothing),
    cmocka_unit_test(an_urgent_byte_is_no_data),
    cmocka_unit_test(a_second_urgent_byte_is_recorded_again),
    cmocka_unit_test(receiving_an_urgent_byte_records_the_next),
    cmocka_unit_test(inline_urgent_data_is_recorded_as_data),
    cmocka_unit_test(the_end_is_recorded_once),
    cmocka_unit_test(the_end_is_recorded_with_data_unread),
    cmocka_unit_test(an_end_after_all_data_was_received_is_recorded),
    cmocka_unit_test(shutdowns_of_receives_are_not_recorded),
    cmocka_unit_test(the_end_is_recorded_after_a_shutdown_of_both),
    cmocka_unit_test(a_reset_is_recorded_without_a_status),
    cmocka_unit_test(an_end_before_the_selection_is_recorded_by_it),
    cmocka_unit_test(a_reported_end_is_not_told_to_another_event),
    cmocka_unit_test(a_pending_end_is_told_to_another_event),
    cmocka_unit_test(an_unbound_datagram_socket_records_nothing),
    cmocka_unit_test(connecting_a_datagram_socket_is_recorded),
    cmocka_unit_test(a_bound_datagram_socket_records_write_once),
    cmocka_unit_test(every_datagram_is_recorded),
    cmocka_unit_test(a_datagram_that_is_left_is_recorded),
};

} // namespace

NT_GROUP(afd_event_record, kCases);
