// CancelIo, CancelIoEx and CancelSynchronousIo on sockets.

#include "extensions.h"
#include "peers.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

/// A receive that another thread has started, which waits until it may end.
struct ForeignReceive {
    Operation* operation;
    HANDLE leave;
    Background* thread;
};

ForeignReceive new_foreign_receive(SOCKET socket, Where where = Where::current())
{
    Operation* operation = new_operation(new_event(where));
    const HANDLE started = new_event(where);
    const HANDLE leave = new_event(where);
    Background* thread = run_in_background(
        [=]() -> long long {
            const int result = start_receive(socket, operation);
            WSASetEvent(started);
            // Its end would cancel the operation too.
            WSAWaitForMultipleEvents(1, &leave, FALSE, kHangLimit, FALSE);
            return result;
        },
        where);
    assert_becomes_signaled(started, where);
    return { operation, leave, thread };
}

void end_thread(const ForeignReceive& receive, Where where = Where::current())
{
    WSASetEvent(receive.leave);
    join(receive.thread, where);
}

bool is_pending(const Operation* operation)
{
    return !HasOverlappedIoCompleted(&operation->overlapped);
}

// --- CancelIo

void cancel_ends_all_operations_of_this_thread(void**) // [overlapped/43]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operations[3];
    for (Operation*& operation : operations)
        operation = pending_receive(pair.server, new_event());

    assert_true(CancelIo(as_handle(pair.server)));
    for (Operation* operation : operations)
        assert_int_equal((DWORD)await_status(operation), (DWORD)STATUS_CANCELLED);
}

void cancel_leaves_operations_of_other_threads(void**) // [overlapped/43]
{
    const TcpPair pair = new_tcp_pair();
    const ForeignReceive foreign = new_foreign_receive(pair.server);
    Operation* own = pending_receive(pair.server, new_event());

    assert_true(CancelIo(as_handle(pair.server)));
    assert_int_equal((DWORD)await_status(own), (DWORD)STATUS_CANCELLED);
    let_it_settle();
    assert_true(is_pending(foreign.operation));
    send_text(pair.client, "x");
    assert_int_equal(await_status(foreign.operation), STATUS_SUCCESS);
    end_thread(foreign);
}

void cancel_leaves_other_sockets_alone(void**) // [overlapped/43]
{
    const TcpPair pair = new_tcp_pair();
    const TcpPair other = new_tcp_pair();
    Operation* receive = pending_receive(other.server, new_event());

    assert_true(CancelIo(as_handle(pair.server)));
    let_it_settle();
    assert_true(is_pending(receive));
}

void cancelling_nothing_succeeds(void**) // [overlapped/43]
{
    assert_true(CancelIo(as_handle(new_tcp_pair().server)));
    assert_true(CancelIo(as_handle(tcp_socket())));
}

void cancel_on_the_acceptor_leaves_its_accept(void**) // [overlapped/43]
{
    const PendingAccept accept = new_pending_accept(0);

    assert_true(CancelIo(as_handle(accept.acceptor)));
    let_it_settle();
    assert_true(is_pending(accept.operation));
    assert_true(CancelIo(as_handle(accept.listener.socket)));
    assert_int_equal((DWORD)await_status(accept.operation), (DWORD)STATUS_CANCELLED);
}

// --- CancelIoEx

void cancel_ex_may_be_repeated(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());

    assert_true(CancelIoEx(as_handle(pair.server), &receive->overlapped));
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);
    assert_wsa_fails(
        CancelIoEx(as_handle(pair.server), &receive->overlapped), FALSE, ERROR_NOT_FOUND);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_CANCELLED);
}

void cancel_ex_ends_no_other_operation(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    Operation* ended = new_operation();

    assert_wsa_fails(
        CancelIoEx(as_handle(pair.server), &ended->overlapped), FALSE, ERROR_NOT_FOUND);
    assert_wsa_fails(
        CancelIoEx(as_handle(pair.client), &receive->overlapped), FALSE, ERROR_NOT_FOUND);
    let_it_settle();
    assert_true(is_pending(receive));
}

void cancel_ex_comes_too_late_for_what_has_ended(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    send_text(pair.client, "x");
    assert_int_equal(await_status(receive), STATUS_SUCCESS);

    assert_wsa_fails(
        CancelIoEx(as_handle(pair.server), &receive->overlapped), FALSE, ERROR_NOT_FOUND);
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
}

void cancel_ex_ends_all_operations_of_all_threads(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    const ForeignReceive foreign = new_foreign_receive(pair.server);
    Operation* own = pending_receive(pair.server, new_event());

    assert_true(CancelIoEx(as_handle(pair.server), nullptr));
    assert_int_equal((DWORD)await_status(own), (DWORD)STATUS_CANCELLED);
    assert_int_equal((DWORD)await_status(foreign.operation), (DWORD)STATUS_CANCELLED);
    end_thread(foreign);
}

void cancel_ex_works_through_a_copied_handle(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());

    assert_true(CancelIoEx(copy_of(as_handle(pair.server)), &receive->overlapped));
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);
}

void cancelling_needs_a_file(void**) // [overlapped/44]
{
    assert_wsa_fails(CancelIo(as_handle(0x7ffff0)), FALSE, ERROR_INVALID_HANDLE);
    assert_wsa_fails(CancelIoEx(as_handle(0x7ffff0), nullptr), FALSE, ERROR_INVALID_HANDLE);
}

// --- How it is told

void a_cancelled_operation_is_queued_once(void**) // [overlapped/25]
{
    const PortPair p = new_port_pair();
    Operation* first = pending_receive(p.pair.server);
    Operation* second = pending_receive(p.pair.server);

    assert_true(CancelIoEx(as_handle(p.pair.server), &second->overlapped));
    const Packet packet = next_packet(p.port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_int_equal(packet.transferred, 0);
    assert_int_equal(packet.key, kPortKey);
    assert_ptr_equal(packet.overlapped, &second->overlapped);
    assert_no_packet(p.port);
    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(p.port).overlapped, &first->overlapped);
}

void a_cancelled_accept_is_queued(void**) // [overlapped/25]
{
    const PendingAccept accept = new_pending_accept(0);
    const HANDLE port = new_port();
    associate(accept.listener.socket, port, 8);

    assert_true(CancelIoEx(as_handle(accept.listener.socket), &accept.operation->overlapped));
    const Packet packet = next_packet(port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_int_equal(packet.key, 8);
    assert_ptr_equal(packet.overlapped, &accept.operation->overlapped);
}

void a_cancelled_receive_is_told_in_winsocks_words(
    void**) // [overlapped/43] [WSAGetOverlappedResult/6]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    DWORD transferred = kPoison, flags = 0;
    assert_true(CancelIoEx(as_handle(pair.server), nullptr));
    await_status(receive);

    assert_wsa_fails(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, TRUE, &flags),
        FALSE, WSA_OPERATION_ABORTED);
    assert_wsa_fails(
        GetOverlappedResult(as_handle(pair.server), &receive->overlapped, &transferred, TRUE),
        FALSE, ERROR_OPERATION_ABORTED);
}

void cancelling_ends_a_wait_for_the_result(void**) // [overlapped/44]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    Background* wait = run_in_background([=] {
        DWORD transferred, flags;
        return WSAGetOverlappedResult(
            pair.server, &receive->overlapped, &transferred, TRUE, &flags);
    });
    let_it_settle();

    assert_true(CancelIoEx(as_handle(pair.server), &receive->overlapped));
    const Outcome outcome = join(wait);
    assert_false(outcome.value);
    assert_int_equal(outcome.error, WSA_OPERATION_ABORTED);
}

// --- What it leaves

void a_cancelled_receive_takes_no_data(void**) // [afd/96]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    char data[5];
    assert_true(CancelIoEx(as_handle(pair.server), &receive->overlapped));
    await_status(receive);

    send_text(pair.client, "hello");
    receive_exactly(pair.server, data, 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(receive->data[0], 0);
}

/// Whichever of the two comes first, each byte arrives exactly once.
void a_cancel_that_races_with_data_loses_none(void**) // [afd/96] [overlapped/3]
{
    constexpr int kRounds = 150;
    const PortPair p = new_port_pair();
    for (int round = 0; round < kRounds; ++round) {
        const char sent = static_cast<char>(round);
        Operation* receive = pending_receive(p.pair.server);
        Background* peer = round % 3
            ? nullptr
            : run_in_background([=] { return send(p.pair.client, &sent, 1, 0); });
        if (!peer)
            assert_int_equal(send(p.pair.client, &sent, 1, 0), 1);
        CancelIoEx(as_handle(p.pair.server), &receive->overlapped);

        const Packet packet = next_packet(p.port);
        assert_ptr_equal(packet.overlapped, &receive->overlapped);
        char received = receive->data[0];
        if (packet.result) {
            assert_int_equal(packet.transferred, 1);
        } else {
            assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
            receive_exactly(p.pair.server, &received, 1);
        }
        assert_int_equal(received, sent);
        if (peer)
            assert_int_equal(join(peer).value, 1);
    }
    assert_no_packet(p.port);
}

void a_cancelled_accept_leaves_the_listener_in_order(void**) // [afd/96]
{
    const PendingAccept accept = new_pending_accept(0);
    assert_true(CancelIoEx(as_handle(accept.listener.socket), nullptr));
    assert_int_equal((DWORD)await_status(accept.operation), (DWORD)STATUS_CANCELLED);

    // The acceptor is free again, and the next connection is nobody's.
    const SOCKET client = connect_to(accept.listener);
    accept.operation->overlapped = {};
    accept.operation->overlapped.hEvent = new_event();
    if (!call_accept_ex(accept, 0))
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_int_equal(await_status(accept.operation), STATUS_SUCCESS);
    send_text(client, "x");
    wait_until_readable(accept.acceptor);
}

void a_pending_send_can_be_cancelled(void**) // [afd/97]
{
    const TcpPair pair = new_tcp_pair();
    const size_t before = send_until_full(pair.client);
    constexpr ULONG kLength = 8 << 20;
    Operation* send = new_operation(new_event());
    send->buffer = { kLength, static_cast<char*>(lasting_memory(kLength)) };
    assert_wsa_fails(WSASend(pair.client, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    assert_true(CancelIoEx(as_handle(pair.client), &send->overlapped));
    assert_int_equal((DWORD)await_status(send), (DWORD)STATUS_CANCELLED);
    assert_true(send->overlapped.InternalHigh < kLength);
    // The stream goes on behind what was taken.
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    size_t received = 0;
    static char data[65536];
    for (int length; (length = recv(pair.server, data, sizeof(data), 0)) > 0;)
        received += static_cast<size_t>(length);
    assert_true(received >= before && received < before + kLength);
}

// --- CancelSynchronousIo

void a_blocked_read_file_can_be_cancelled(void**) // [overlapped/49]
{
    const SOCKET client = owned(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0));
    const Listener listener = new_listener();
    assert_wsa_ok(connect(client, as_name(listener.address), listener.address_length));
    Background* blocked = run_in_background([=] {
        char byte;
        DWORD transferred = 0;
        return ReadFile(as_handle(client), &byte, 1, &transferred, nullptr);
    });

    // It may not have begun; then there is nothing to cancel yet.
    assert_eventually(
        [&] { return CancelSynchronousIo(background_thread(blocked)) || has_ended(blocked); });
    const Outcome outcome = join(blocked);
    assert_false(outcome.value);
    assert_int_equal(outcome.error, ERROR_OPERATION_ABORTED);
}

void there_may_be_nothing_synchronous_to_cancel(void**) // [overlapped/49]
{
    const TcpPair pair = new_tcp_pair();
    const ForeignReceive foreign = new_foreign_receive(pair.server);

    assert_wsa_fails(
        CancelSynchronousIo(background_thread(foreign.thread)), FALSE, ERROR_NOT_FOUND);
    assert_true(is_pending(foreign.operation));
    end_thread(foreign);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(cancel_ends_all_operations_of_this_thread),
    cmocka_unit_test(cancel_leaves_operations_of_other_threads),
    cmocka_unit_test(cancel_leaves_other_sockets_alone),
    cmocka_unit_test(cancelling_nothing_succeeds),
    cmocka_unit_test(cancel_on_the_acceptor_leaves_its_accept),
    cmocka_unit_test(cancel_ex_may_be_repeated),
    cmocka_unit_test(cancel_ex_ends_no_other_operation),
    cmocka_unit_test(cancel_ex_comes_too_late_for_what_has_ended),
    cmocka_unit_test(cancel_ex_ends_all_operations_of_all_threads),
    cmocka_unit_test(cancel_ex_works_through_a_copied_handle),
    cmocka_unit_test(cancelling_needs_a_file),
    cmocka_unit_test(a_cancelled_operation_is_queued_once),
    cmocka_unit_test(a_cancelled_accept_is_queued),
    cmocka_unit_test(a_cancelled_receive_is_told_in_winsocks_words),
    cmocka_unit_test(cancelling_ends_a_wait_for_the_result),
    cmocka_unit_test(a_cancelled_receive_takes_no_data),
    cmocka_unit_test(a_cancel_that_races_with_data_loses_none),
    cmocka_unit_test(a_cancelled_accept_leaves_the_listener_in_order),
    cmocka_unit_test(a_pending_send_can_be_cancelled),
    cmocka_unit_test(a_blocked_read_file_can_be_cancelled),
    cmocka_unit_test(there_may_be_nothing_synchronous_to_cancel),
};

} // namespace

CONFORMANCE_GROUP(cancel_io, kCases);
