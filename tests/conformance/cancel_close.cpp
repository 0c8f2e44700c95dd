// Cancelling operations, and closing sockets under them.

#include "extensions.h"
#include "ports.h"

using namespace conformance;

namespace {

void closing_the_socket_aborts_a_pending_receive(void**) // [overlapped/40]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    associate(pair.server, port, 1);
    Operation* receive = pending_receive(pair.server, new_event());

    close_owned(pair.server);
    const Packet packet = next_packet(port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_CONNECTION_ABORTED);
    assert_int_equal(packet.transferred, 0);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_CONNECTION_ABORTED);
}

void closing_the_socket_ends_a_pending_receive(void**) // [overlapped/41]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());

    close_owned(pair.server);
    assert_true(await_status(receive) < 0);
    assert_int_equal(receive->overlapped.InternalHigh, 0);
}

void closing_the_handle_ends_a_pending_receive(void**) // [overlapped/41]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());

    assert_true(CloseHandle(as_handle(pair.server)));
    assert_true(await_status(receive) < 0);
    disown(pair.server);
    closesocket(pair.server); // The table of sockets may still have the value.
}

void closing_the_listener_cancels_a_pending_accept(void**) // [overlapped/42]
{
    const PendingAccept accept = new_pending_accept(0);

    close_owned(accept.listener.socket);
    assert_int_equal((DWORD)await_status(accept.operation), (DWORD)STATUS_CANCELLED);
}

void closing_the_acceptor_cancels_a_pending_accept(void**) // [overlapped/42]
{
    const PendingAccept accept = new_pending_accept(0);

    close_owned(accept.acceptor);
    assert_int_equal((DWORD)await_status(accept.operation), (DWORD)STATUS_CANCELLED);
}

void cancel_ends_the_operations_of_this_thread(void**) // [overlapped/43]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    DWORD transferred, flags;

    assert_true(CancelIo(as_handle(pair.server)));
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);
    assert_wsa_fails(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, FALSE, &flags),
        FALSE, WSA_OPERATION_ABORTED);
}

void cancel_ex_ends_one_operation(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* first = pending_receive(pair.server, new_event());
    Operation* second = pending_receive(pair.server, new_event());

    assert_true(CancelIoEx(as_handle(pair.server), &first->overlapped));
    assert_int_equal((DWORD)await_status(first), (DWORD)STATUS_CANCELLED);
    assert_int_equal(second->overlapped.Internal, STATUS_PENDING);
    assert_true(CancelIoEx(as_handle(pair.server), nullptr));
    assert_int_equal((DWORD)await_status(second), (DWORD)STATUS_CANCELLED);
}

void cancel_ex_reaches_operations_of_other_threads(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    const HANDLE leave = new_event();
    const HANDLE started = new_event();
    Background* starter = run_in_background([=]() -> long long {
        const int result = WSARecv(pair.server, &receive->buffer, 1, nullptr, &receive->flags,
            &receive->overlapped, nullptr);
        WSASetEvent(started);
        // Its end would cancel the operation too.
        WSAWaitForMultipleEvents(1, &leave, FALSE, kHangLimit, FALSE);
        return result;
    });
    assert_becomes_signaled(started);

    assert_true(CancelIoEx(as_handle(pair.server), &receive->overlapped));
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);
    assert_true(WSASetEvent(leave));
    assert_int_equal(join(starter).value, SOCKET_ERROR);
}

void cancel_ex_tells_when_there_was_nothing(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();

    assert_wsa_fails(CancelIoEx(as_handle(pair.server), nullptr), FALSE, ERROR_NOT_FOUND);
}

void the_end_of_a_thread_cancels_its_operations(void**) // [overlapped/45]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    Background* starter = run_in_background([=] {
        return WSARecv(pair.server, &receive->buffer, 1, nullptr, &receive->flags,
            &receive->overlapped, nullptr);
    });

    assert_int_equal(join(starter).value, SOCKET_ERROR);
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);
}

void an_operation_on_a_port_outlives_its_thread(void**) // [overlapped/45]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* receive = new_operation();
    associate(pair.server, port, 1);
    Background* starter = run_in_background([=] {
        return WSARecv(pair.server, &receive->buffer, 1, nullptr, &receive->flags,
            &receive->overlapped, nullptr);
    });

    assert_int_equal(join(starter).value, SOCKET_ERROR);
    assert_no_packet(port);
    send_text(pair.client, "x");
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 1);
}

void shutting_down_receives_keeps_a_pending_one(void**) // [overlapped/46]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());

    assert_wsa_ok(shutdown(pair.server, SD_RECEIVE));
    let_it_settle();
    assert_int_equal(receive->overlapped.Internal, STATUS_PENDING);
    send_text(pair.client, "x");
    assert_int_equal(await_status(receive), STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
}

/// A blocked call may end with one of these when its socket is closed elsewhere.
void assert_ended_by_close(const Outcome& outcome, Where where = Where::current())
{
    if (outcome.value != SOCKET_ERROR)
        fail_at(where, "the blocked call returned %lld", outcome.value);
    if (outcome.error != WSAEINTR && outcome.error != WSAECONNABORTED
        && outcome.error != WSAENOTSOCK)
        fail_at(where, "the blocked call failed with %d", outcome.error);
}

void closing_the_socket_ends_a_blocked_receive(void**) // [overlapped/47]
{
    const TcpPair pair = new_tcp_pair();
    Background* blocked = run_in_background([=] {
        char byte;
        return recv(pair.server, &byte, 1, 0);
    });

    let_it_settle();
    close_owned(pair.server);
    assert_ended_by_close(join(blocked));
}

void closing_the_socket_ends_a_blocked_accept(void**) // [overlapped/47]
{
    const Listener listener = new_listener();
    Background* blocked = run_in_background([=]() -> long long {
        return static_cast<intptr_t>(accept(listener.socket, nullptr, nullptr));
    });

    let_it_settle();
    close_owned(listener.socket);
    assert_ended_by_close(join(blocked));
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(closing_the_socket_aborts_a_pending_receive),
    cmocka_unit_test(closing_the_socket_ends_a_pending_receive),
    cmocka_unit_test(closing_the_handle_ends_a_pending_receive),
    cmocka_unit_test(closing_the_listener_cancels_a_pending_accept),
    cmocka_unit_test(closing_the_acceptor_cancels_a_pending_accept),
    cmocka_unit_test(cancel_ends_the_operations_of_this_thread),
    cmocka_unit_test(cancel_ex_ends_one_operation),
    cmocka_unit_test(cancel_ex_reaches_operations_of_other_threads),
    cmocka_unit_test(cancel_ex_tells_when_there_was_nothing),
    cmocka_unit_test(the_end_of_a_thread_cancels_its_operations),
    cmocka_unit_test(an_operation_on_a_port_outlives_its_thread),
    cmocka_unit_test(shutting_down_receives_keeps_a_pending_one),
    cmocka_unit_test(closing_the_socket_ends_a_blocked_receive),
    cmocka_unit_test(closing_the_socket_ends_a_blocked_accept),
};

} // namespace

CONFORMANCE_GROUP(cancel_close, kCases);
