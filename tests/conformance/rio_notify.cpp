// How completion queues of registered I/O notify.

#include "ports.h"
#include "rio.h"

#include <cstring>

using namespace conformance;

namespace {

/// A pair of which `a` receives into a queue that notifies the event.
struct Notified {
    WSAEVENT event;
    RioPair pair;
};

Notified new_notified_pair(int type = SOCK_DGRAM)
{
    const WSAEVENT event = new_event();
    return { event, new_rio_pair(AF_INET, type, new_rio_queue_for(event)) };
}

void the_next_completion_sets_the_event(void**) // [RIO/15]
{
    for (const int type : { SOCK_DGRAM, SOCK_STREAM }) {
        const auto [event, pair] = new_notified_pair(type);
        rio_receive(pair.a, 0, 8, 1);
        assert_int_equal(rio().RIONotify(pair.a.queue), 0);
        assert_false(is_signaled(event));
        rio_send_text(pair.b, 0, "ping", 2);
        assert_becomes_signaled(event);
        expect_result(pair.a.queue, 1, 4);
    }
}

void what_is_in_the_queue_notifies_at_once(void**) // [RIO/15]
{
    const auto [event, pair] = new_notified_pair();
    rio_send_text(pair.a, 0, "x", 1);
    wait_until_received(pair.b.socket, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    assert_becomes_signaled(event);
    // It is still there, so this is no different.
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    assert_becomes_signaled(event);
    expect_result(pair.a.queue, 1, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    let_it_settle();
    assert_false(is_signaled(event));
}

void one_request_is_one_notification(void**) // [RIO/15]
{
    const auto [event, pair] = new_notified_pair();
    rio_receive(pair.a, 0, 8, 1);
    rio_receive(pair.a, 8, 8, 2);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    rio_send_text(pair.b, 0, "one", 3);
    assert_becomes_signaled(event);
    WSAResetEvent(event);
    rio_send_text(pair.b, 0, "two", 4);
    expect_result(pair.a.queue, 1, 3);
    expect_result(pair.a.queue, 2, 3);
    assert_false(is_signaled(event));
}

void a_second_notification_must_wait(void**) // [RIO/15]
{
    const auto [event, pair] = new_notified_pair();
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    assert_int_equal(rio().RIONotify(pair.a.queue), WSAEALREADY);
    rio_send_text(pair.a, 0, "x", 1);
    assert_becomes_signaled(event);
    expect_result(pair.a.queue, 1, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    assert_int_equal(rio().RIONotify(nullptr), WSAEINVAL);
}

void quiet_requests_notify_nobody(void**) // [RIO/16]
{
    const auto [event, pair] = new_notified_pair();
    rio_send_text(pair.a, 0, "x", 1, sdk::kRioDontNotify);
    wait_until_received(pair.b.socket, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    rio_send_text(pair.a, 0, "y", 2, sdk::kRioDontNotify);
    let_it_settle();
    assert_false(is_signaled(event));
    rio_send_text(pair.a, 0, "z", 3);
    assert_becomes_signaled(event);
    for (ULONG_PTR context = 1; context <= 3; ++context)
        expect_result(pair.a.queue, context, 1);
}

void only_a_queue_that_resets_resets(void**) // [RIO/17]
{
    const sdk::RioTable& functions = rio();
    for (const BOOL resets : { FALSE, TRUE }) {
        const WSAEVENT event = new_event();
        sdk::RioNotification notification {};
        notification.type = sdk::kRioEvent;
        notification.event = { event, resets };
        const RioCq queue = functions.RIOCreateCompletionQueue(8, &notification);
        assert_non_null(queue);
        WSASetEvent(event);
        assert_int_equal(functions.RIONotify(queue), 0);
        assert_int_equal(is_signaled(event), !resets);
    }
}

void the_event_may_be_closed_before_it_is_set(void**) // [RIO/15]
{
    const HANDLE event = new_auto_event();
    const HANDLE copy = copy_of(event);
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM, new_rio_queue_for(event));
    close_owned(event);
    rio_receive(pair.a, 0, 8, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    rio_send_text(pair.b, 0, "ping", 2);
    assert_becomes_signaled(copy);
}

void a_port_is_sent_one_packet(void**) // [RIO/18]
{
    for (const int type : { SOCK_DGRAM, SOCK_STREAM }) {
        const HANDLE port = new_port();
        const RioPair pair = new_rio_pair(AF_INET, type, new_rio_queue_for_port(port));
        rio_receive(pair.a, 0, 4, 1);
        rio_receive(pair.a, 4, 4, 2);
        assert_int_equal(rio().RIONotify(pair.a.queue), 0);
        rio_send_text(pair.b, 0, "fourfour", 3);
        if (type == SOCK_DGRAM)
            rio_send_text(pair.b, 0, "next", 4);
        const Packet packet = next_packet(port);
        assert_true(packet.result);
        assert_int_equal(packet.key, kRioKey);
        assert_ptr_equal(packet.overlapped, &rio_overlapped);
        assert_int_equal(packet.transferred, 0);
        static_cast<void>(next_result(pair.a.queue));
        static_cast<void>(next_result(pair.a.queue));
        assert_no_packet(port);
    }
}

void a_port_is_sent_one_for_what_is_there(void**) // [RIO/18]
{
    const HANDLE port = new_port();
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM, new_rio_queue_for_port(port));
    rio_send_text(pair.a, 0, "x", 1);
    wait_until_received(pair.b.socket, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    assert_int_equal(next_packet(port).key, kRioKey);
    expect_result(pair.a.queue, 1, 1);
}

void a_port_carries_ordinary_packets_too(void**) // [RIO/18]
{
    const HANDLE port = new_port();
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM, new_rio_queue_for_port(port));
    associate(pair.b.socket, port, kPortKey);
    Operation* operation = new_operation();
    assert_wsa_fails(start_receive(pair.b.socket, operation), SOCKET_ERROR, WSA_IO_PENDING);
    rio_send_text(pair.a, 0, "mail", 1);
    const Packet packet = next_packet(port);
    assert_int_equal(packet.key, kPortKey);
    assert_int_equal(packet.transferred, 4);
    rio_receive(pair.a, 0, 8, 2);
    expect_result(pair.a.queue, 1, 4);
    assert_int_equal(rio().RIONotify(pair.a.queue), 0);
    send_text(pair.b.socket, "back");
    assert_int_equal(next_packet(port).key, kRioKey);
    expect_result(pair.a.queue, 2, 4);
}

void a_waiting_consumer_is_woken(void**) // [RIO/18]
{
    const HANDLE port = new_port();
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM, new_rio_queue_for_port(port));
    for (ULONG_PTR round = 1; round <= 20; ++round) {
        rio_receive(pair.a, 0, 8, round);
        assert_int_equal(rio().RIONotify(pair.a.queue), 0);
        Background* consumer
            = run_in_background([=] { return static_cast<long long>(take_packet(port).key); });
        rio_send_text(pair.b, 0, "ping", 2);
        assert_int_equal(join(consumer).value, kRioKey);
        expect_result(pair.a.queue, round, 4);
        expect_result(pair.b.queue, 2, 4);
    }
}

void a_queue_without_notification_is_polled(void**) // [RIO/19]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    rio_receive(pair.a, 0, 8, 1);
    assert_int_equal(rio().RIONotify(pair.a.queue), WSAEINVAL);
    rio_send_text(pair.b, 0, "ping", 2);
    expect_result(pair.a.queue, 1, 4);
}

constexpr CMUnitTest kCases[] = {
    cmocka_unit_test(the_next_completion_sets_the_event),
    cmocka_unit_test(what_is_in_the_queue_notifies_at_once),
    cmocka_unit_test(one_request_is_one_notification),
    cmocka_unit_test(a_second_notification_must_wait),
    cmocka_unit_test(quiet_requests_notify_nobody),
    cmocka_unit_test(only_a_queue_that_resets_resets),
    cmocka_unit_test(the_event_may_be_closed_before_it_is_set),
    cmocka_unit_test(a_port_is_sent_one_packet),
    cmocka_unit_test(a_port_is_sent_one_for_what_is_there),
    cmocka_unit_test(a_port_carries_ordinary_packets_too),
    cmocka_unit_test(a_waiting_consumer_is_woken),
    cmocka_unit_test(a_queue_without_notification_is_polled),
};

} // namespace

CONFORMANCE_GROUP(rio_notify, kCases);
