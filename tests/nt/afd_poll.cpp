// AFD: polls. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

constexpr int32_t kIdleConnection = afd::kPollSend | afd::kPollConnect;

/// The answer of a finished poll.
PollBlock answer_of(const Request* request)
{
    PollBlock block {};
    memcpy(&block, request->data, request->length);
    return block;
}

HANDLE socket_of(const afd::PollEntry& entry)
{
    return reinterpret_cast<HANDLE>(entry.socket);
}

// --- Conditions

void a_stream_is_ready_for_nothing_before_it_is_connected(void**) // [afd/75]
{
    const HANDLE socket = new_stream();
    assert_int_equal(poll_now(socket), 0);
    bind_to_loopback(socket);
    assert_int_equal(poll_now(socket), 0);
    assert_status(listen(socket), STATUS_SUCCESS);
    assert_int_equal(poll_now(socket), 0);
}

void a_connection_can_send(void**) // [afd/75]
{
    const Pair pair = new_pair();
    await(pair.server, afd::kPollSend);
    assert_int_equal(poll_now(pair.client), kIdleConnection);
    assert_int_equal(poll_now(pair.server), kIdleConnection);
}

void data_can_be_received(void**) // [afd/75]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "x");
    await(pair.server, afd::kPollReceive);
    assert_int_equal(poll_now(pair.server), kIdleConnection | afd::kPollReceive);
    assert_receives(pair.server, "x");
    assert_int_equal(poll_now(pair.server), kIdleConnection);
}

void a_connection_that_waits_can_be_accepted(void**) // [afd/75]
{
    const Listener listener = new_listener();
    connect_to(listener);
    await(listener.socket, afd::kPollAccept);
    assert_int_equal(poll_now(listener.socket), afd::kPollAccept);
}

void a_datagram_socket_can_always_send(void**) // [afd/75]
{
    assert_int_equal(poll_now(new_datagram()), afd::kPollSend);
}

void urgent_data_is_a_condition_of_its_own(void**) // [afd/75]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "!", kUrgent);
    await(pair.server, afd::kPollReceiveExpedited);
    assert_int_equal(poll_now(pair.server), kIdleConnection | afd::kPollReceiveExpedited);
}

void the_end_stays(void**) // [afd/76]
{
    const Pair pair = new_pair();
    char data[1];
    close_owned(pair.client);
    await(pair.server, afd::kPollDisconnect);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(poll_now(pair.server), kIdleConnection | afd::kPollDisconnect);
        assert_int_equal(receive(pair.server, data, 1).count, 0);
    }
}

void a_reset_stays(void**) // [afd/76]
{
    const Pair pair = new_pair();
    char data[1];
    reset(pair.client);
    await(pair.server, afd::kPollAbort);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(poll_now(pair.server), kIdleConnection | afd::kPollAbort);
        receive(pair.server, data, 1);
    }
}

void a_refusal_stays_until_a_connection_succeeds(void**) // [afd/76]
{
    const HANDLE socket = new_stream();
    const Listener listener = new_listener();
    assert_status(connect(socket, unused_address()), STATUS_CONNECTION_REFUSED);
    for (int i = 0; i < 2; ++i) {
        PollBlock block = poll_block(0, socket, 0x7FF);
        assert_status(poll(block), STATUS_SUCCESS);
        assert_int_equal(block.header.count, 1);
        assert_int_equal(block.entries[0].flags, afd::kPollConnectFail);
        assert_status(block.entries[0].status, STATUS_CONNECTION_REFUSED);
    }
    if (connect(socket, listener.address) != STATUS_SUCCESS) // a case of its own elsewhere
        assert_status(connect(socket, listener.address), STATUS_SUCCESS);
    assert_int_equal(poll_now(socket), kIdleConnection);
}

void only_what_was_asked_for_is_told(void**) // [afd/77]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "x");
    await(pair.server, afd::kPollReceive);
    assert_int_equal(poll_now(pair.server, afd::kPollReceive), afd::kPollReceive);
    assert_int_equal(poll_now(pair.server, afd::kPollDisconnect | afd::kPollAbort), 0);
}

// --- The answer

void the_answer_has_the_ready_sockets_in_order(void**) // [afd/78]
{
    const HANDLE ready[] = { new_datagram(), new_datagram() };
    PollBlock block = poll_block(kHangLimit.QuadPart, new_stream(), 0x7FF);
    add_socket(block, ready[0], afd::kPollSend);
    add_socket(block, new_stream(), 0x7FF);
    add_socket(block, ready[1], afd::kPollSend);
    Request* request = start_poll(block);
    assert_status(finish(request), STATUS_SUCCESS);
    const PollBlock answer = answer_of(request);
    assert_int_equal(answer.header.count, 2);
    for (int i = 0; i < 2; ++i) {
        assert_ptr_equal(socket_of(answer.entries[i]), ready[i]);
        assert_int_equal(answer.entries[i].flags, afd::kPollSend);
        assert_status(answer.entries[i].status, STATUS_SUCCESS);
    }
    assert_int_equal(request->iosb.Information, size_of(answer));
}

void a_socket_may_be_listed_twice(void**) // [afd/78]
{
    const Pair pair = new_pair();
    PollBlock block = poll_block(kHangLimit.QuadPart, pair.client, afd::kPollConnect);
    add_socket(block, pair.client, afd::kPollSend);
    assert_status(poll(block), STATUS_SUCCESS);
    assert_int_equal(block.header.count, 2);
    assert_int_equal(block.entries[0].flags, afd::kPollConnect);
    assert_int_equal(block.entries[1].flags, afd::kPollSend);
}

void the_device_need_not_be_a_socket(void**) // [afd/2]
{
    const Pair pair = new_pair();
    const HANDLE device = open_afd();
    PollBlock block = poll_block(kHangLimit.QuadPart, pair.server, afd::kPollReceive);
    Request* request = start_poll(block, device);
    assert_status(request->issued, STATUS_PENDING);
    assert_sends(pair.client, "x");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(answer_of(request).header.count, 1);
}

void a_poll_checks_its_block(void**) // [afd/79]
{
    const HANDLE socket = new_datagram();
    PollBlock block = poll_block(0, socket, 0x7FF), output {};
    assert_status(
        control(socket, afd::kIoctlPoll, &block, size_of(block), &output, sizeof(output.header)),
        STATUS_INVALID_PARAMETER);
    block.header.count = 2;
    assert_status(control(socket, afd::kIoctlPoll, &block,
                      sizeof(block.header) + sizeof(block.entries[0]), &output, sizeof(output)),
        STATUS_INVALID_PARAMETER);
    block.header.count = 0;
    assert_status(
        control(socket, afd::kIoctlPoll, &block, sizeof(block.header), &output, sizeof(output)),
        STATUS_INVALID_PARAMETER);
}

void what_is_no_socket_cannot_be_polled(void**) // [afd/79]
{
    PollBlock block = poll_block(0, new_datagram(), 0x7FF);
    add_socket(block, new_event(kNotificationEvent), 0x7FF);
    assert_status(poll(block), STATUS_OBJECT_TYPE_MISMATCH);
    block = poll_block(0, new_datagram(), 0x7FF);
    add_socket(block, nullptr, 0x7FF);
    assert_status(poll(block), STATUS_INVALID_HANDLE);
}

// --- Waiting

void a_poll_without_time_answers_at_once(void**) // [afd/80]
{
    PollBlock block = poll_block(0, new_stream(), 0x7FF);
    Request* request = start_poll(block);
    assert_status(request->issued, STATUS_SUCCESS);
    assert_int_equal(answer_of(request).header.count, 0);
    assert_int_equal(request->iosb.Information, sizeof(afd::PollHeader));
}

void a_ready_socket_is_told_at_once(void**) // [afd/80]
{
    PollBlock block = poll_block(afd::kPollForever, new_datagram(), 0x7FF);
    assert_status(start_poll(block)->issued, STATUS_SUCCESS);
}

void a_poll_waits_for_its_condition(void**) // [afd/81]
{
    const Pair pair = new_pair();
    PollBlock block = poll_block(afd::kPollForever, pair.server, afd::kPollReceive);
    Request* request = start_poll(block);
    assert_status(request->issued, STATUS_PENDING);
    assert_sends(pair.client, "x");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(answer_of(request).entries[0].flags, afd::kPollReceive);
}

void a_poll_times_out(void**) // [afd/81]
{
    for (LONGLONG timeout : { LONGLONG { -100'000 }, LONGLONG { 1 } }) { // in 10 ms; in 1601
        PollBlock block = poll_block(timeout, new_stream(), 0x7FF);
        Request* request = start_poll(block);
        assert_status(finish(request), STATUS_TIMEOUT);
        assert_int_equal(answer_of(request).header.count, 0);
    }
}

void polls_do_not_disturb_each_other(void**) // [afd/82]
{
    const Pair pair = new_pair();
    PollBlock block = poll_block(afd::kPollForever, pair.server, afd::kPollReceive);
    Request* requests[] = { start_poll(block), start_poll(block) };
    assert_sends(pair.client, "x");
    for (Request* request : requests) {
        assert_status(finish(request), STATUS_SUCCESS);
        assert_int_equal(answer_of(request).entries[0].flags, afd::kPollReceive);
    }
    assert_receives(pair.server, "x");
}

void an_exclusive_poll_ends_the_one_before(void**) // [afd/82]
{
    const Pair pair = new_pair();
    PollBlock block = poll_block(afd::kPollForever, pair.server, afd::kPollReceive);
    block.header.exclusive = 1;
    Request* first = start_poll(block);
    assert_status(first->issued, STATUS_PENDING);
    Request* second = start_poll(block);
    assert_status(finish(first), STATUS_SUCCESS);
    assert_int_equal(answer_of(first).header.count, 0);
    assert_true(is_pending(second));
    assert_sends(pair.client, "x");
    assert_status(finish(second), STATUS_SUCCESS);
    assert_int_equal(answer_of(second).header.count, 1);
}

void a_pending_receive_comes_before_polls(void**) // [afd/83]
{
    const Pair pair = new_pair();
    Request* receive = start_receive(pair.server, 1);
    PollBlock block = poll_block(afd::kPollForever, pair.server, afd::kPollReceive);
    Request* request = start_poll(block);
    assert_sends(pair.client, "1");
    assert_status(finish(receive), STATUS_SUCCESS);
    assert_true(is_pending(request));
    assert_sends(pair.client, "2");
    assert_status(finish(request), STATUS_SUCCESS);
}

void closing_a_socket_ends_its_polls(void**) // [afd/84]
{
    const Pair pair = new_pair();
    const HANDLE device = open_afd();
    PollBlock block
        = poll_block(afd::kPollForever, pair.server, afd::kPollReceive | afd::kPollLocalClose);
    Request* request = start_poll(block, device);
    assert_status(request->issued, STATUS_PENDING);
    close_owned(pair.server);
    assert_status(finish(request), STATUS_SUCCESS);
    const PollBlock answer = answer_of(request);
    assert_int_equal(answer.header.count, 1);
    assert_ptr_equal(socket_of(answer.entries[0]), pair.server);
    assert_int_equal(answer.entries[0].flags, afd::kPollLocalClose);
}

void closing_a_duplicate_ends_no_poll(void**) // [afd/84]
{
    const Pair pair = new_pair();
    HANDLE copy = nullptr;
    assert_status(NtDuplicateObject(current_process(), pair.server, current_process(), &copy, 0, 0,
                      DUPLICATE_SAME_ACCESS),
        STATUS_SUCCESS);
    owned(copy);
    PollBlock block = poll_block(afd::kPollForever, copy, afd::kPollReceive | afd::kPollLocalClose);
    Request* request = start_poll(block, open_afd());
    close_owned(pair.server);
    assert_true(is_pending(request));
    assert_sends(pair.client, "x");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(answer_of(request).entries[0].flags, afd::kPollReceive);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_stream_is_ready_for_nothing_before_it_is_connected),
    cmocka_unit_test(a_connection_can_send),
    cmocka_unit_test(data_can_be_received),
    cmocka_unit_test(a_connection_that_waits_can_be_accepted),
    cmocka_unit_test(a_datagram_socket_can_always_send),
    cmocka_unit_test(urgent_data_is_a_condition_of_its_own),
    cmocka_unit_test(the_end_stays),
    cmocka_unit_test(a_reset_stays),
    cmocka_unit_test(a_refusal_stays_until_a_connection_succeeds),
    cmocka_unit_test(only_what_was_asked_for_is_told),
    cmocka_unit_test(the_answer_has_the_ready_sockets_in_order),
    cmocka_unit_test(a_socket_may_be_listed_twice),
    cmocka_unit_test(the_device_need_not_be_a_socket),
    cmocka_unit_test(a_poll_checks_its_block),
    cmocka_unit_test(what_is_no_socket_cannot_be_polled),
    cmocka_unit_test(a_poll_without_time_answers_at_once),
    cmocka_unit_test(a_ready_socket_is_told_at_once),
    cmocka_unit_test(a_poll_waits_for_its_condition),
    cmocka_unit_test(a_poll_times_out),
    cmocka_unit_test(polls_do_not_disturb_each_other),
    cmocka_unit_test(an_exclusive_poll_ends_the_one_before),
    cmocka_unit_test(a_pending_receive_comes_before_polls),
    cmocka_unit_test(closing_a_socket_ends_its_polls),
    cmocka_unit_test(closing_a_duplicate_ends_no_poll),
};

} // namespace

NT_GROUP(afd_poll, kCases);
