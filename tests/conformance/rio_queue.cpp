// The queues and buffers of registered I/O: making, resizing and closing them.

#include "rio.h"

using namespace conformance;

namespace {

RioRq try_request_queue(
    SOCKET socket, ULONG most_receives, ULONG most_sends, RioCq receives, RioCq sends)
{
    return rio().RIOCreateRequestQueue(
        socket, most_receives, 1, most_sends, 1, receives, sends, nullptr);
}

void a_buffer_has_bytes_that_are_there(void**) // [RIO/3]
{
    char* const data = static_cast<char*>(lasting_memory(16));
    const RioBufferId invalid = sdk::invalid_rio_buffer();
    assert_wsa_fails(rio().RIORegisterBuffer(data, 0), invalid, WSAEINVAL);
    assert_wsa_fails(rio().RIORegisterBuffer(nullptr, 16), invalid, WSAEFAULT);
    assert_wsa_fails(
        rio().RIORegisterBuffer(reinterpret_cast<char*>(0x10), 16), invalid, WSAEFAULT);
    const RioBufferId id = rio().RIORegisterBuffer(data, 16);
    assert_true(id != invalid);
    rio().RIODeregisterBuffer(id);
}

void a_completion_queue_has_a_size_and_somebody_to_notify(void**) // [RIO/6]
{
    const sdk::RioTable& functions = rio();
    assert_wsa_fails(functions.RIOCreateCompletionQueue(0, nullptr), 0, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOCreateCompletionQueue(sdk::kRioMostCompletions + 1, nullptr), 0, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOCreateCompletionQueue(8, reinterpret_cast<sdk::RioNotification*>(0x10)), 0,
        WSAEFAULT);
    sdk::RioNotification notification {};
    assert_wsa_fails(functions.RIOCreateCompletionQueue(8, &notification), 0, WSAEINVAL);
    notification.type = sdk::kRioPort;
    notification.port
        = { CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0), nullptr, nullptr };
    owned(notification.port.handle);
    assert_wsa_fails(functions.RIOCreateCompletionQueue(8, &notification), 0, WSAEINVAL);
    notification.port.overlapped = &rio_overlapped;
    const RioCq queue = functions.RIOCreateCompletionQueue(8, &notification);
    assert_non_null(queue);
    functions.RIOCloseCompletionQueue(queue);
}

void who_is_notified_is_an_event_or_a_port(void**) // [RIO/6]
{
    const WSAEVENT event = new_event();
    const HANDLE port = owned(CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0));
    const HANDLE mutex = owned(CreateMutexW(nullptr, FALSE, nullptr));
    sdk::RioNotification notification {};
    for (const HANDLE wrong : { port, mutex, HANDLE { nullptr }, INVALID_HANDLE_VALUE }) {
        notification.type = sdk::kRioEvent;
        notification.event = { wrong, FALSE };
        assert_wsa_fails(rio().RIOCreateCompletionQueue(8, &notification), 0, WSAEINVAL);
    }
    for (const HANDLE wrong :
        { HANDLE { event }, mutex, HANDLE { nullptr }, INVALID_HANDLE_VALUE }) {
        notification.type = sdk::kRioPort;
        notification.port = { wrong, nullptr, &rio_overlapped };
        assert_wsa_fails(rio().RIOCreateCompletionQueue(8, &notification), 0, WSAEINVAL);
    }
    // To set it is all that it takes.
    HANDLE settable = nullptr;
    assert_true(DuplicateHandle(
        GetCurrentProcess(), event, GetCurrentProcess(), &settable, EVENT_MODIFY_STATE, FALSE, 0));
    owned(settable);
    const RioCq queue = new_rio_queue_for(settable);
    assert_int_equal(rio().RIONotify(queue), 0);
    rio().RIOCloseCompletionQueue(queue);
}

void a_request_queue_has_room_and_two_completion_queues(void**) // [RIO/7]
{
    const RioCq queue = new_rio_queue();
    const SOCKET socket = rio_socket(AF_INET, SOCK_DGRAM);
    assert_wsa_fails(try_request_queue(socket, 0, 0, queue, queue), 0, WSAEINVAL);
    assert_wsa_fails(try_request_queue(socket, 1, 1, nullptr, queue), 0, WSAEINVAL);
    assert_wsa_fails(try_request_queue(socket, 1, 1, queue, nullptr), 0, WSAEINVAL);
    assert_wsa_fails(
        rio().RIOCreateRequestQueue(socket, 1, 2, 1, 1, queue, queue, nullptr), 0, WSAEINVAL);
    assert_wsa_fails(
        rio().RIOCreateRequestQueue(socket, 1, 1, 1, 2, queue, queue, nullptr), 0, WSAEINVAL);
    assert_wsa_fails(try_request_queue(INVALID_SOCKET, 1, 1, queue, queue), 0, WSAENOTSOCK);
    assert_non_null(try_request_queue(socket, 1, 0, queue, queue));
    assert_wsa_fails(try_request_queue(socket, 1, 1, queue, queue), 0, WSAEINVAL);
}

void a_raw_socket_has_none(void**) // [RIO/7]
{
    const RioCq queue = new_rio_queue();
    assert_wsa_fails(
        try_request_queue(raw_socket(AF_INET, IPPROTO_ICMP), 1, 1, queue, queue), 0, WSAEOPNOTSUPP);
}

void completion_queues_have_room_for_all(void**) // [RIO/8]
{
    const RioCq queue = new_rio_queue(8);
    const SOCKET sockets[] = { rio_socket(AF_INET, SOCK_DGRAM), rio_socket(AF_INET, SOCK_DGRAM) };
    assert_wsa_fails(try_request_queue(sockets[0], 4, 5, queue, queue), 0, WSAENOBUFS);
    assert_non_null(try_request_queue(sockets[0], 4, 4, queue, queue));
    assert_wsa_fails(try_request_queue(sockets[1], 1, 0, queue, queue), 0, WSAENOBUFS);
    close_owned(sockets[0]);
    assert_non_null(try_request_queue(sockets[1], 4, 4, queue, queue));
}

void several_are_dequeued_at_once(void**) // [RIO/28]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    RioResult results[8] = {};
    assert_int_equal(rio().RIODequeueCompletion(pair.a.queue, results, 8), 0);
    for (ULONG i = 0; i < 5; ++i)
        rio_send(pair.a, 0, 1, i, i < 4 ? sdk::kRioDefer : 0);
    wait_until_received(pair.b.socket, 1);
    assert_eventually([&] {
        static ULONG number = 0;
        number += rio().RIODequeueCompletion(pair.a.queue, results + number, 3 - number);
        return number == 3;
    });
    for (ULONG i = 0; i < 3; ++i)
        assert_int_equal(results[i].request_context, i);
    expect_result(pair.a.queue, 3, 1);
    expect_result(pair.a.queue, 4, 1);
    assert_int_equal(rio().RIODequeueCompletion(pair.a.queue, results, 8), 0);
}

void what_is_no_queue_is_corrupt(void**) // [RIO/28]
{
    RioResult result;
    assert_int_equal(rio().RIODequeueCompletion(nullptr, &result, 1), sdk::kRioCorruptCq);
    const auto garbage = static_cast<RioCq>(lasting_memory(256));
    assert_int_equal(rio().RIODequeueCompletion(garbage, &result, 1), sdk::kRioCorruptCq);
}

void a_closed_queue_drops_what_ends_there(void**) // [RIO/29]
{
    const sdk::RioTable& functions = rio();
    functions.RIOCloseCompletionQueue(nullptr);
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM);
    rio_receive(pair.a, 0, 8, 1);
    functions.RIOCloseCompletionQueue(pair.a.queue);
    RioResult result;
    assert_int_equal(functions.RIODequeueCompletion(pair.a.queue, &result, 1), sdk::kRioCorruptCq);
    assert_int_equal(functions.RIONotify(pair.a.queue), WSAEINVAL);
    rio_send_text(pair.b, 0, "lost", 2);
    expect_result(pair.b.queue, 2, 4);
    close_owned(pair.a.socket);
    RioBuf piece = pair.b.slab.piece(0, 8);
    assert_true(functions.RIOReceive(pair.b.requests, &piece, 1, 0, nullptr));
    static_cast<void>(next_result(pair.b.queue)); // the end of the stream
}

void a_completion_queue_is_resized_as_far_as_it_is_used(void**) // [RIO/30]
{
    const sdk::RioTable& functions = rio();
    const RioCq queue = new_rio_queue(16);
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM, queue); // takes 16
    rio_send_text(pair.a, 0, "kept", 1);
    assert_wsa_fails(functions.RIOResizeCompletionQueue(queue, 15), FALSE, WSAETOOMANYREFS);
    assert_wsa_fails(functions.RIOResizeCompletionQueue(queue, 0), FALSE, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOResizeCompletionQueue(queue, sdk::kRioMostCompletions + 1), FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOResizeCompletionQueue(nullptr, 16), FALSE, WSAEINVAL);
    const SOCKET other = rio_socket(AF_INET, SOCK_DGRAM);
    assert_wsa_fails(try_request_queue(other, 1, 0, queue, queue), 0, WSAENOBUFS);
    assert_true(functions.RIOResizeCompletionQueue(queue, 17));
    assert_non_null(try_request_queue(other, 1, 0, queue, queue));
    expect_result(queue, 1, 4);
}

void a_request_queue_is_resized_as_far_as_it_is_used(void**) // [RIO/31]
{
    const sdk::RioTable& functions = rio();
    const RioCq queue = new_rio_queue(20);
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM, queue); // 8 and 8
    const RioRq requests = pair.a.requests;
    for (ULONG i = 0; i < 3; ++i)
        rio_receive(pair.a, i, 1, i);
    assert_wsa_fails(functions.RIOResizeRequestQueue(requests, 0, 0), FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOResizeRequestQueue(nullptr, 1, 1), FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOResizeRequestQueue(requests, 2, 8), FALSE, WSAETOOMANYREFS);
    assert_wsa_fails(functions.RIOResizeRequestQueue(requests, 12, 9), FALSE, WSAENOBUFS);
    assert_true(functions.RIOResizeRequestQueue(requests, 3, 17));
    RioBuf piece = pair.a.slab.piece(0, 1);
    assert_wsa_fails(functions.RIOReceive(requests, &piece, 1, 0, nullptr), FALSE, WSAENOBUFS);
    for (ULONG i = 0; i < 17; ++i)
        rio_send(pair.a, 0, 1, 100 + i, sdk::kRioDefer);
    assert_wsa_fails(functions.RIOSend(requests, &piece, 1, 0, nullptr), FALSE, WSAENOBUFS);
    assert_true(functions.RIOSend(requests, nullptr, 0, sdk::kRioCommitOnly, nullptr));
    for (ULONG i = 0; i < 17; ++i)
        expect_result(queue, 100 + i, 1);
}

constexpr CMUnitTest kCases[] = {
    cmocka_unit_test(a_buffer_has_bytes_that_are_there),
    cmocka_unit_test(a_completion_queue_has_a_size_and_somebody_to_notify),
    cmocka_unit_test(who_is_notified_is_an_event_or_a_port),
    cmocka_unit_test(a_request_queue_has_room_and_two_completion_queues),
    cmocka_unit_test(a_raw_socket_has_none),
    cmocka_unit_test(completion_queues_have_room_for_all),
    cmocka_unit_test(several_are_dequeued_at_once),
    cmocka_unit_test(what_is_no_queue_is_corrupt),
    cmocka_unit_test(a_closed_queue_drops_what_ends_there),
    cmocka_unit_test(a_completion_queue_is_resized_as_far_as_it_is_used),
    cmocka_unit_test(a_request_queue_is_resized_as_far_as_it_is_used),
};

} // namespace

CONFORMANCE_GROUP(rio_queue, kCases);
