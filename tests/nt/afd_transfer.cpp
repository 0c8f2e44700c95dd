// AFD: sending and receiving on connections. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

struct Message {
    afd::RecvMsgParams params {};
    uint32_t flags = 0;
    Buffer buffers[2] {};
};

NTSTATUS receive_message(HANDLE socket, Message& message, ULONG_PTR* count = nullptr)
{
    message.params.flags = afd::ptr64(&message.flags);
    message.params.buffers = afd::ptr64(message.buffers);
    return control(
        socket, afd::kIoctlRecvMsg, &message.params, sizeof(message.params), nullptr, 0, count);
}

void bytes_arrive_in_order(void**) // [afd/35]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "one");
    assert_sends(pair.client, "two");
    assert_receives(pair.server, "onetwo");
}

void buffers_are_gathered_and_scattered(void**) // [afd/36]
{
    const Pair pair = new_pair();
    char first[] = "gath", second[] = "ered";
    const Buffer sources[] = { { 4, first }, { 4, second } };
    afd::SendMsgParams params {};
    params.count = 2;
    params.buffers = afd::ptr64(sources);
    ULONG_PTR count = 0;
    assert_status(
        control(pair.client, afd::kIoctlSendMsg, &params, sizeof(params), nullptr, 0, &count),
        STATUS_SUCCESS);
    assert_int_equal(count, 8);

    char few[2], many[16];
    Message message;
    message.params.count = 2;
    message.buffers[0] = { sizeof(few), few };
    message.buffers[1] = { sizeof(many), many };
    await(pair.server, afd::kPollReceive);
    assert_status(receive_message(pair.server, message, &count), STATUS_SUCCESS);
    assert_int_equal(count, 8);
    assert_memory_equal(few, "ga", 2);
    assert_memory_equal(many, "thered", 6);
}

void a_peek_leaves_the_data(void**) // [afd/37]
{
    const Pair pair = new_pair();
    char data[8] = {};
    assert_sends(pair.client, "hello");
    await(pair.server, afd::kPollReceive);
    const Transfer peeked = receive(pair.server, data, sizeof(data), kPeek);
    assert_status(peeked.status, STATUS_SUCCESS);
    assert_int_equal(peeked.count, 5);
    assert_memory_equal(data, "hello", 5);
    assert_receives(pair.server, "hello");
}

void a_receive_of_nothing_waits_for_data_and_leaves_it(void**) // [afd/38]
{
    const Pair pair = new_pair();
    Request* request = start_receive(pair.server, 0);
    assert_status(request->issued, STATUS_PENDING);
    assert_sends(pair.client, "x");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, 0);
    assert_receives(pair.server, "x");
}

void a_send_of_nothing_succeeds(void**) // [afd/38]
{
    const Pair pair = new_pair();
    const Transfer sent = send(pair.client, "", 0);
    assert_status(sent.status, STATUS_SUCCESS);
    assert_int_equal(sent.count, 0);
    assert_sends(pair.client, "x");
    assert_receives(pair.server, "x");
}

void a_nonblocking_receive_does_not_wait(void**) // [afd/39]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(set_nonblocking(pair.server), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_DEVICE_NOT_READY);
    assert_status(receive(pair.server, data, 0).status, STATUS_DEVICE_NOT_READY);
}

void a_blocking_receive_pends(void**) // [afd/39]
{
    const Pair pair = new_pair();
    char data[8];
    Background* call
        = run_in_background([&] { return receive(pair.server, data, sizeof(data)).status; });
    assert_sends(pair.client, "hello");
    assert_status(join(call), STATUS_SUCCESS);
    assert_memory_equal(data, "hello", 5);
}

void a_forced_receive_pends_on_a_nonblocking_socket(void**) // [afd/40]
{
    const Pair pair = new_pair();
    assert_status(set_nonblocking(pair.server), STATUS_SUCCESS);
    Request* request = start_receive(pair.server, 8);
    assert_status(request->issued, STATUS_PENDING);
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_received(request, "hello");
}

void pending_receives_are_filled_in_order(void**) // [afd/41]
{
    const Pair pair = new_pair();
    Request* first = start_receive(pair.server, 2);
    Request* second = start_receive(pair.server, 2);
    Request* third = start_receive(pair.server, 2);
    assert_sends(pair.client, "aabbcc");
    for (Request* request : { first, second, third })
        assert_status(finish(request), STATUS_SUCCESS);
    assert_received(first, "aa");
    assert_received(second, "bb");
    assert_received(third, "cc");
}

void the_buffer_array_is_captured(void**) // [afd/42]
{
    const Pair pair = new_pair();
    Request* request = new_request(pair.server, 8);
    Buffer buffer { request->length, request->data };
    afd::RecvMsgParams params {};
    params.flags = afd::ptr64(&request->flags);
    params.force_async = 1;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    issue(request, afd::kIoctlRecvMsg, &params, sizeof(params));
    buffer = { 0, nullptr };
    params = {};
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_received(request, "hello");
}

void the_flags_word_is_mandatory(void**) // [afd/43]
{
    char data[8];
    const Buffer buffer { sizeof(data), data };
    afd::RecvMsgParams params {};
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    assert_status(control(new_pair().server, afd::kIoctlRecvMsg, &params, sizeof(params)),
        STATUS_ACCESS_VIOLATION);
}

void the_plain_receive_names_its_kind_of_data(void**) // [afd/44]
{
    const Pair pair = new_pair();
    char data[8] = {};
    const Buffer buffer { sizeof(data), data };
    assert_sends(pair.client, "hello");
    await(pair.server, afd::kPollReceive);
    for (int32_t flags : { 0, 0x60, 0x80 }) {
        const afd::RecvParams params { &buffer, 1, 0, flags };
        assert_status(control(pair.server, afd::kIoctlRecv, &params, sizeof(params)),
            STATUS_INVALID_PARAMETER);
    }
    for (int32_t flags : { 0xA0, 0x20 }) { // a peek and a receive
        const afd::RecvParams params { &buffer, 1, 0, flags };
        ULONG_PTR count = 0;
        assert_status(
            control(pair.server, afd::kIoctlRecv, &params, sizeof(params), nullptr, 0, &count),
            STATUS_SUCCESS);
        assert_int_equal(count, 5);
        assert_memory_equal(data, "hello", 5);
        memset(data, 0, sizeof(data));
    }
    assert_int_equal(poll_now(pair.server, afd::kPollReceive), 0);
}

void an_unconnected_stream_does_not_receive(void**) // [afd/45]
{
    char data[1];
    assert_status(receive(new_stream(), data, 1).status, STATUS_INVALID_CONNECTION);
}

void a_listener_does_not_receive(void**) // [afd/45]
{
    assert_status(start_receive(new_listener().socket, 1)->issued, STATUS_INVALID_CONNECTION);
}

void an_unconnected_stream_does_not_send(void**) // [afd/45]
{
    assert_status(send(new_stream(), "x", 1).status, STATUS_INVALID_CONNECTION);
}

// --- Flow control

void a_nonblocking_send_is_taken_whole(void**) // [afd/46]
{
    const Pair pair = new_pair();
    static char data[8 << 20];
    assert_status(set_nonblocking(pair.client), STATUS_SUCCESS);
    const Transfer sent = send(pair.client, data, sizeof(data));
    assert_status(sent.status, STATUS_SUCCESS);
    assert_int_equal(sent.count, sizeof(data));
    drain(pair.server, sizeof(data));
}

void a_full_connection_would_block(void**) // [afd/47]
{
    const Pair pair = new_pair();
    assert_status(set_nonblocking(pair.client), STATUS_SUCCESS);
    const ULONG_PTR taken = fill(pair.client);
    assert_int_equal(poll_now(pair.client, afd::kPollSend), 0);
    assert_status(send(pair.client, "x", 1).status, STATUS_DEVICE_NOT_READY);
    drain(pair.server, taken);
    await(pair.client, afd::kPollSend);
    assert_sends(pair.client, "more");
    assert_receives(pair.server, "more");
}

void a_pending_send_ends_when_all_is_taken(void**) // [afd/48]
{
    const Pair pair = new_pair();
    assert_status(set_nonblocking(pair.client), STATUS_SUCCESS);
    const ULONG_PTR taken = fill(pair.client);
    Request* request = start_send(pair.client, 1 << 20);
    assert_status(request->issued, STATUS_PENDING);
    drain(pair.server, taken + request->length);
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, request->length);
}

void a_blocking_send_waits(void**) // [afd/48]
{
    const Pair pair = new_pair();
    static char data[16 << 20];
    ULONG_PTR count = 0;
    Background* call = run_in_background([&] {
        const Transfer sent = send(pair.client, data, sizeof(data));
        count = sent.count;
        return sent.status;
    });
    drain(pair.server, sizeof(data));
    assert_status(join(call), STATUS_SUCCESS);
    assert_int_equal(count, sizeof(data));
}

// --- Transmit

void transmit_sends_head_and_tail(void**) // [afd/49]
{
    const Pair pair = new_pair();
    afd::TransmitParams params {};
    params.head = afd::ptr64("head");
    params.head_length = 4;
    params.tail = afd::ptr64("and tail");
    params.tail_length = 8;
    Request* request = new_request(pair.client);
    issue(request, afd::kIoctlTransmit, &params, sizeof(params));
    assert_status(request->issued, STATUS_PENDING);
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, 12);
    assert_receives(pair.server, "headand tail");
}

void transmit_needs_a_connection(void**) // [afd/49]
{
    const afd::TransmitParams params {};
    assert_status(control(new_stream(), afd::kIoctlTransmit, &params, sizeof(params)),
        STATUS_INVALID_CONNECTION);
}

// --- Synchronous handles

void a_synchronous_handle_answers_with_the_end(void**) // [afd/50]
{
    const Pair pair = new_pair(FILE_SYNCHRONOUS_IO_NONALERT);
    Request* request = new_request(pair.server, 8);
    Background* call = run_in_background([request] {
        issue_receive(request);
        return request->issued;
    });
    assert_sends(pair.client, "hello");
    assert_status(join(call), STATUS_SUCCESS);
    assert_received(request, "hello");
}

void a_synchronous_handle_can_be_nonblocking(void**) // [afd/50]
{
    const Pair pair = new_pair(FILE_SYNCHRONOUS_IO_NONALERT);
    char data[1];
    assert_status(set_nonblocking(pair.server), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_DEVICE_NOT_READY);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(bytes_arrive_in_order),
    cmocka_unit_test(buffers_are_gathered_and_scattered),
    cmocka_unit_test(a_peek_leaves_the_data),
    cmocka_unit_test(a_receive_of_nothing_waits_for_data_and_leaves_it),
    cmocka_unit_test(a_send_of_nothing_succeeds),
    cmocka_unit_test(a_nonblocking_receive_does_not_wait),
    cmocka_unit_test(a_blocking_receive_pends),
    cmocka_unit_test(a_forced_receive_pends_on_a_nonblocking_socket),
    cmocka_unit_test(pending_receives_are_filled_in_order),
    cmocka_unit_test(the_buffer_array_is_captured),
    cmocka_unit_test(the_flags_word_is_mandatory),
    cmocka_unit_test(the_plain_receive_names_its_kind_of_data),
    cmocka_unit_test(an_unconnected_stream_does_not_receive),
    cmocka_unit_test(a_listener_does_not_receive),
    cmocka_unit_test(an_unconnected_stream_does_not_send),
    cmocka_unit_test(a_nonblocking_send_is_taken_whole),
    cmocka_unit_test(a_full_connection_would_block),
    cmocka_unit_test(a_pending_send_ends_when_all_is_taken),
    cmocka_unit_test(a_blocking_send_waits),
    cmocka_unit_test(transmit_sends_head_and_tail),
    cmocka_unit_test(transmit_needs_a_connection),
    cmocka_unit_test(a_synchronous_handle_answers_with_the_end),
    cmocka_unit_test(a_synchronous_handle_can_be_nonblocking),
};

} // namespace

NT_GROUP(afd_transfer, kCases);
