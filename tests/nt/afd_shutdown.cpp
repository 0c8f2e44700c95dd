// AFD: urgent data and the ends of a connection. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

/// Receives urgent data without waiting; the socket is non-blocking.
void assert_urgent(HANDLE socket, char expected)
{
    char data[4] = {};
    await(socket, afd::kPollReceiveExpedited);
    const Transfer got = receive(socket, data, sizeof(data), kUrgent);
    assert_status(got.status, STATUS_SUCCESS);
    assert_int_equal(got.count, 1);
    assert_int_equal(data[0], expected);
}

void an_urgent_byte_comes_apart(void**) // [afd/51]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "data");
    assert_sends(pair.client, "!", kUrgent);
    assert_urgent(pair.server, '!');
    assert_receives(pair.server, "data");
    assert_int_equal(poll_now(pair.server, afd::kPollReceive), 0);
}

void urgent_bytes_are_queued_one_by_one(void**) // [afd/52]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "1", kUrgent);
    assert_sends(pair.client, "2", kUrgent);
    assert_sends(pair.client, "x");
    await(pair.server, afd::kPollReceive); // so both urgent bytes are there as well
    assert_urgent(pair.server, '1');
    assert_urgent(pair.server, '2');
}

void no_urgent_data_would_block(void**) // [afd/53]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(set_nonblocking(pair.server), STATUS_SUCCESS);
    assert_sends(pair.client, "x");
    await(pair.server, afd::kPollReceive);
    assert_status(receive(pair.server, data, 1, kUrgent).status, STATUS_DEVICE_NOT_READY);
}

void inline_urgent_data_is_data(void**) // [afd/54]
{
    const Pair pair = new_pair();
    char data[4] = {};
    assert_status(set_int(pair.server, afd::kIoctlSetSoOobInline, 1), STATUS_SUCCESS);
    assert_sends(pair.client, "!", kUrgent);
    await(pair.server, afd::kPollReceive);
    assert_status(receive(pair.server, data, 1, kUrgent).status, STATUS_INVALID_PARAMETER);
    const Transfer got = receive(pair.server, data, sizeof(data));
    assert_status(got.status, STATUS_SUCCESS);
    assert_int_equal(got.count, 1);
    assert_int_equal(data[0], '!');
}

// --- The end of the stream

void the_end_is_a_success_with_nothing(void**) // [afd/55]
{
    const Pair pair = new_pair();
    char data[8];
    assert_sends(pair.client, "last");
    close_owned(pair.client);
    assert_receives(pair.server, "last");
    await(pair.server, afd::kPollDisconnect);
    for (int i = 0; i < 2; ++i) {
        const Transfer got = receive(pair.server, data, sizeof(data));
        assert_status(got.status, STATUS_SUCCESS);
        assert_int_equal(got.count, 0);
    }
}

void the_end_completes_every_pending_receive(void**) // [afd/55]
{
    const Pair pair = new_pair();
    Request* requests[] = { start_receive(pair.server, 4), start_receive(pair.server, 4) };
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    for (Request* request : requests) {
        assert_status(finish(request), STATUS_SUCCESS);
        assert_int_equal(request->iosb.Information, 0);
    }
}

void the_other_direction_outlives_the_end(void**) // [afd/55]
{
    const Pair pair = new_pair();
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    await(pair.server, afd::kPollDisconnect);
    assert_sends(pair.server, "still");
    assert_receives(pair.client, "still");
}

// --- Resets

void a_reset_is_told_to_receives(void**) // [afd/56]
{
    const Pair pair = new_pair();
    char data[1];
    reset(pair.client);
    await(pair.server, afd::kPollAbort);
    for (int i = 0; i < 2; ++i)
        assert_status(receive(pair.server, data, 1).status, STATUS_CONNECTION_RESET);
}

void a_reset_is_told_to_sends(void**) // [afd/56]
{
    const Pair pair = new_pair();
    reset(pair.client);
    await(pair.server, afd::kPollAbort);
    assert_status(send(pair.server, "x", 1).status, STATUS_CONNECTION_RESET);
}

void a_reset_ends_pending_receives(void**) // [afd/57]
{
    const Pair pair = new_pair();
    Request* requests[] = { start_receive(pair.server, 4), start_receive(pair.server, 4) };
    reset(pair.client);
    for (Request* request : requests)
        assert_status(finish(request), STATUS_CONNECTION_RESET);
}

void closing_with_unread_data_resets(void**) // [afd/58]
{
    const Pair pair = new_pair();
    assert_sends(pair.client, "unread");
    await(pair.server, afd::kPollReceive);
    close_owned(pair.server);
    await(pair.client, afd::kPollAbort);
    assert_status(send(pair.client, "x", 1).status, STATUS_CONNECTION_RESET);
}

// --- Shutdown

void a_shutdown_of_sends_ends_the_peers_stream(void**) // [afd/59]
{
    const Pair pair = new_pair();
    char data[8];
    assert_sends(pair.client, "last");
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    assert_status(send(pair.client, "x", 1).status, STATUS_PIPE_DISCONNECTED);
    assert_receives(pair.server, "last");
    await(pair.server, afd::kPollDisconnect);
    const Transfer got = receive(pair.server, data, sizeof(data));
    assert_status(got.status, STATUS_SUCCESS);
    assert_int_equal(got.count, 0);
}

void a_shutdown_of_receives_is_local(void**) // [afd/60]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(shutdown(pair.server, kReceives), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_PIPE_DISCONNECTED);
    assert_sends(pair.server, "still");
    assert_receives(pair.client, "still");
    assert_int_equal(poll_now(pair.client, afd::kPollDisconnect | afd::kPollAbort), 0);
}

void a_shutdown_of_both_does_both(void**) // [afd/60]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(shutdown(pair.server, kBoth), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_PIPE_DISCONNECTED);
    assert_status(send(pair.server, "x", 1).status, STATUS_PIPE_DISCONNECTED);
    await(pair.client, afd::kPollDisconnect);
}

void queued_sends_come_before_the_shutdown(void**) // [afd/61]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(set_nonblocking(pair.client), STATUS_SUCCESS);
    const ULONG_PTR taken = fill(pair.client);
    Request* request = start_send(pair.client, 1 << 20);
    assert_status(request->issued, STATUS_PENDING);
    assert_status(shutdown(pair.client, kSends), STATUS_SUCCESS);
    drain(pair.server, taken + request->length);
    assert_status(finish(request), STATUS_SUCCESS);
    await(pair.server, afd::kPollDisconnect);
    assert_int_equal(receive(pair.server, data, 1).count, 0);
}

void shutdown_checks_its_argument(void**) // [afd/62]
{
    const Pair pair = new_pair();
    const int32_t how = kSends;
    assert_status(shutdown(pair.client, 3), STATUS_INVALID_PARAMETER);
    assert_status(control(pair.client, afd::kIoctlShutdown, &how, 2), STATUS_BUFFER_TOO_SMALL);
    assert_sends(pair.client, "alive");
    assert_receives(pair.server, "alive");
}

void shutdown_needs_a_connection(void**) // [afd/62]
{
    assert_status(shutdown(new_stream(), kSends), STATUS_INVALID_CONNECTION);
    assert_status(shutdown(new_listener().socket, kBoth), STATUS_INVALID_CONNECTION);
}

void a_datagram_socket_can_be_shut_down(void**) // [afd/62]
{
    const HANDLE socket = new_datagram();
    char data[1];
    const Address own = bind_to_loopback(socket);
    assert_status(shutdown(socket, kReceives), STATUS_SUCCESS);
    assert_status(receive(socket, data, 1).status, STATUS_PIPE_DISCONNECTED);
    assert_status(shutdown(socket, kSends), STATUS_SUCCESS);
    assert_status(send(socket, "x", 1, 0, &own).status, STATUS_PIPE_DISCONNECTED);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_urgent_byte_comes_apart),
    cmocka_unit_test(urgent_bytes_are_queued_one_by_one),
    cmocka_unit_test(no_urgent_data_would_block),
    cmocka_unit_test(inline_urgent_data_is_data),
    cmocka_unit_test(the_end_is_a_success_with_nothing),
    cmocka_unit_test(the_end_completes_every_pending_receive),
    cmocka_unit_test(the_other_direction_outlives_the_end),
    cmocka_unit_test(a_reset_is_told_to_receives),
    cmocka_unit_test(a_reset_is_told_to_sends),
    cmocka_unit_test(a_reset_ends_pending_receives),
    cmocka_unit_test(closing_with_unread_data_resets),
    cmocka_unit_test(a_shutdown_of_sends_ends_the_peers_stream),
    cmocka_unit_test(a_shutdown_of_receives_is_local),
    cmocka_unit_test(a_shutdown_of_both_does_both),
    cmocka_unit_test(queued_sends_come_before_the_shutdown),
    cmocka_unit_test(shutdown_checks_its_argument),
    cmocka_unit_test(shutdown_needs_a_connection),
    cmocka_unit_test(a_datagram_socket_can_be_shut_down),
};

} // namespace

NT_GROUP(afd_shutdown, kCases);
