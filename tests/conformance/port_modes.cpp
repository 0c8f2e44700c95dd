// What a file's association and its notification modes do to the packets, events and signals of its
// operations; duplicates of an associated socket; thread pools that own the port.

#include "extensions.h"
#include "ports.h"

using namespace conformance;

namespace {

// --- Modes

void skip_on_success_leaves_the_event_alone(void**) // [overlapped/26]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation(new_event());
    set_modes(p.pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    send_text(p.pair.client, "hello");
    wait_until_received(p.pair.server, 5);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_true(is_signaled(receive->overlapped.hEvent));
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 5);
    assert_no_packet(p.port);
}

void skip_on_success_may_come_with_other_modes(void**) // [overlapped/26]
{
    constexpr UCHAR kSkipSetUserEventOnFastIo = 4;
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    set_modes(p.pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | kSkipSetUserEventOnFastIo);
    send_text(p.pair.client, "hello");
    wait_until_received(p.pair.server, 5);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_no_packet(p.port);
}

void skip_on_success_queues_failures_that_pended(void**) // [overlapped/26]
{
    const PortPair p = new_port_pair();
    set_modes(p.pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    Operation* receive = pending_receive(p.pair.server);

    assert_true(CancelIoEx(as_handle(p.pair.server), &receive->overlapped));
    const Packet packet = next_packet(p.port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
}

/// A program in this mode uses the buffer again at once, so a packet too many would be taken for
/// the next operation's.
void skip_on_success_tells_each_operation_once(void**) // [overlapped/26]
{
    constexpr int kBytes = 100;
    const PortPair p = new_port_pair();
    Operation* operation = new_operation();
    set_modes(p.pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    Background* peer = run_in_background([=] {
        for (char i = 0; i < kBytes; ++i) {
            if (send(p.pair.client, &i, 1, 0) != 1)
                return -1LL;
        }
        return shutdown(p.pair.client, SD_SEND) + 0LL;
    });

    DWORD received = 0;
    for (;;) {
        DWORD length = 0;
        operation->overlapped = {};
        if (WSARecv(p.pair.server, &operation->buffer, 1, &length, &operation->flags,
                &operation->overlapped, nullptr)
            != 0) {
            assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
            const Packet packet = next_packet(p.port);
            assert_true(packet.result);
            length = packet.transferred;
        }
        if (!length)
            break;
        for (DWORD i = 0; i < length; ++i)
            assert_int_equal(operation->data[i], static_cast<char>(received + i));
        received += length;
    }
    assert_int_equal(join(peer).value, 0);
    assert_int_equal(received, kBytes);
    assert_no_packet(p.port);
}

void skip_on_success_may_be_set_before_the_association(void**) // [overlapped/26]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* receive = new_operation();
    set_modes(pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    associate(pair.server, port, 1);
    send_text(pair.client, "x");
    wait_until_received(pair.server, 1);

    assert_wsa_ok(start_receive(pair.server, receive));
    assert_no_packet(port);
}

void skip_on_success_is_not_taken_back(void**) // [overlapped/33]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    set_modes(p.pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    set_modes(p.pair.server, 0);
    send_text(p.pair.client, "x");
    wait_until_received(p.pair.server, 1);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_no_packet(p.port);
}

void skip_set_event_leaves_the_socket_nonsignaled(void**) // [overlapped/33]
{
    const TcpPair pair = new_tcp_pair();
    set_modes(pair.server, FILE_SKIP_SET_EVENT_ON_HANDLE);
    Operation* receive = pending_receive(pair.server);

    send_text(pair.client, "x");
    assert_eventually([&] { return HasOverlappedIoCompleted(&receive->overlapped); });
    let_it_settle();
    assert_int_equal(WaitForSingleObject(as_handle(pair.server), 0), WAIT_TIMEOUT);
}

void skip_set_event_keeps_the_packet_and_the_event(void**) // [overlapped/33]
{
    const PortPair p = new_port_pair();
    set_modes(p.pair.server, FILE_SKIP_SET_EVENT_ON_HANDLE);
    Operation* receive = pending_receive(p.pair.server, new_event());

    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    assert_becomes_signaled(receive->overlapped.hEvent);
}

// --- Event and packet

void an_immediate_result_sets_the_event_and_queues_a_packet(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation(new_event());
    send_text(p.pair.client, "hello");
    wait_until_received(p.pair.server, 5);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_true(is_signaled(receive->overlapped.hEvent));
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    assert_no_packet(p.port);
}

void the_low_bit_keeps_the_packet_of_an_immediate_result_away(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    const WSAEVENT event = new_event();
    Operation* receive = new_operation(without_packet(event));
    send_text(p.pair.client, "x");
    wait_until_received(p.pair.server, 1);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_true(is_signaled(event));
    assert_no_packet(p.port);
}

void the_low_bit_alone_keeps_the_packet_away(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    const WSAEVENT event = new_event();
    Operation* quiet = pending_receive(p.pair.server, without_packet(event));
    Operation* told = pending_receive(p.pair.server);

    send_text(p.pair.client, "x");
    assert_becomes_signaled(event);
    assert_int_equal(quiet->overlapped.InternalHigh, 1);
    send_text(p.pair.client, "yz");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &told->overlapped);
    assert_int_equal(packet.transferred, 2);
    assert_no_packet(p.port);
}

void a_cancelled_operation_with_the_low_bit_queues_nothing(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    const WSAEVENT event = new_event();
    Operation* receive = pending_receive(p.pair.server, without_packet(event));

    assert_true(CancelIoEx(as_handle(p.pair.server), &receive->overlapped));
    assert_becomes_signaled(event);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_CANCELLED);
    assert_no_packet(p.port);
}

void an_auto_reset_event_is_set_beside_the_packet(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    const HANDLE event = new_auto_event();
    pending_receive(p.pair.server, event);

    send_text(p.pair.client, "x");
    next_packet(p.port);
    assert_becomes_signaled(event);
    assert_false(is_signaled(event));
}

void several_operations_started_before_the_association_are_queued(void**) // [overlapped/23]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* operations[3];
    for (Operation*& operation : operations) {
        operation = pending_receive(pair.server);
    }
    Operation* with_event = pending_receive(pair.server, new_event());

    associate(pair.server, port, kPortKey);
    assert_true(CancelIoEx(as_handle(pair.server), &operations[2]->overlapped));
    Packet packet = next_packet(port);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_ptr_equal(packet.overlapped, &operations[2]->overlapped);
    close_owned(pair.client);
    for (int i = 0; i < 3; ++i) {
        packet = next_packet(port);
        assert_true(packet.result);
        assert_int_equal(packet.transferred, 0);
        assert_int_equal(packet.key, kPortKey);
    }
    assert_becomes_signaled(with_event->overlapped.hEvent);
    assert_no_packet(port);
}

// --- Duplicates of an associated socket

void a_copied_handle_shares_association_and_modes(void**) // [overlapped/30]
{
    const PortPair p = new_port_pair();
    const HANDLE copy = copy_of(as_handle(p.pair.server));
    Operation* read = new_operation();

    start_read(copy, read);
    send_text(p.pair.client, "abc");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
    assert_int_equal(packet.key, kPortKey);
    assert_int_equal(packet.transferred, 3);
    assert_true(SetFileCompletionNotificationModes(copy, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    send_text(p.pair.client, "x");
    wait_until_received(p.pair.server, 1);
    Operation* receive = new_operation();
    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_no_packet(p.port);
}

void an_association_by_a_copied_handle_is_the_sockets(void**) // [overlapped/30]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* receive = pending_receive(pair.server);
    const HANDLE copy = copy_of(as_handle(pair.server));

    associate(copy, port, 4);
    send_text(pair.client, "x");
    const Packet packet = next_packet(port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_int_equal(packet.key, 4);
}

void an_operation_goes_on_when_a_copied_handle_is_closed(void**) // [overlapped/48]
{
    const PortPair p = new_port_pair();
    const HANDLE copy = copy_of(as_handle(p.pair.server));
    Operation* read = new_operation();
    start_read(copy, read);

    close_owned(copy);
    assert_no_packet(p.port);
    send_text(p.pair.client, "x");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
    assert_int_equal(packet.transferred, 1);
}

void an_operation_goes_on_when_a_duplicate_remains(void**) // [overlapped/48]
{
    const PortPair p = new_port_pair();
    const SOCKET duplicate = duplicate_of(p.pair.server);
    Operation* receive = pending_receive(p.pair.server);

    close_owned(p.pair.server);
    assert_no_packet(p.port);
    assert_int_equal(receive->overlapped.Internal, STATUS_PENDING);
    send_text(p.pair.client, "x");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_int_equal(packet.transferred, 1);
    Operation* next = pending_receive(duplicate);
    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(p.port).overlapped, &next->overlapped);
}

void an_accept_goes_on_until_the_last_handle_is_closed(void**) // [overlapped/62]
{
    for (const bool closes_duplicate_first : { true, false }) {
        const Listener listener = new_listener();
        const HANDLE port = new_port();
        associate(listener.socket, port, kPortKey);
        const SOCKET duplicate = duplicate_of(listener.socket);
        Operation* accept = new_operation();
        assert_wsa_fails(
            accept_ex_of(duplicate)(duplicate, tcp_socket(), accept->data, 0, kAcceptAddressLength,
                kAcceptAddressLength, nullptr, &accept->overlapped),
            FALSE, WSA_IO_PENDING);
        close_owned(closes_duplicate_first ? duplicate : listener.socket);
        assert_no_packet(port);
        close_owned(closes_duplicate_first ? listener.socket : duplicate);
        const Packet packet = next_packet(port);
        assert_ptr_equal(packet.overlapped, &accept->overlapped);
        assert_false(packet.result);
        assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
        assert_int_equal(packet.key, kPortKey);
        assert_int_equal(packet.transferred, 0);
        assert_int_equal((DWORD)accept->overlapped.Internal, (DWORD)STATUS_CANCELLED);
        assert_no_packet(port);
    }
}

// --- Thread pools

struct PoolRecord {
    std::atomic<LONG> calls;
    void* overlapped;
    ULONG error;
    ULONG_PTR transferred;
    HANDLE called;
};
PoolRecord* pool_record;

PoolRecord* new_pool_record()
{
    pool_record = lasting<PoolRecord>();
    pool_record->called = new_auto_event();
    return pool_record;
}

void record_pool_call(void* overlapped, ULONG error, ULONG_PTR transferred)
{
    PoolRecord* record = pool_record;
    record->overlapped = overlapped;
    record->error = error;
    record->transferred = transferred;
    ++record->calls;
    SetEvent(record->called);
}

void CALLBACK pool_callback(
    PTP_CALLBACK_INSTANCE, void*, void* overlapped, ULONG error, ULONG_PTR transferred, PTP_IO)
{
    record_pool_call(overlapped, error, transferred);
}

void CALLBACK bound_callback(DWORD error, DWORD transferred, OVERLAPPED* overlapped)
{
    record_pool_call(overlapped, error, transferred);
}

void a_thread_pool_hears_of_a_sockets_operations(void**) // [overlapped/34]
{
    const TcpPair pair = new_tcp_pair();
    PoolRecord* record = new_pool_record();
    const PTP_IO io = CreateThreadpoolIo(as_handle(pair.server), pool_callback, nullptr, nullptr);
    assert_non_null(io);

    for (LONG round = 1; round <= 3; ++round) {
        Operation* receive = new_operation();
        StartThreadpoolIo(io);
        if (round == 2) { // one that is done at once
            send_text(pair.client, "ab");
            wait_until_received(pair.server, 2);
            assert_wsa_ok(start_receive(pair.server, receive));
        } else {
            assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);
            send_text(pair.client, "ab");
        }
        assert_becomes_signaled(record->called);
        assert_int_equal(record->calls, round);
        assert_ptr_equal(record->overlapped, &receive->overlapped);
        assert_int_equal(record->error, NO_ERROR);
        assert_int_equal(record->transferred, 2);
    }
    WaitForThreadpoolIoCallbacks(io, FALSE);
    CloseThreadpoolIo(io);
    assert_int_equal(record->calls, 3);
}

void a_thread_pool_hears_of_a_cancelled_operation(void**) // [overlapped/34]
{
    const TcpPair pair = new_tcp_pair();
    PoolRecord* record = new_pool_record();
    const PTP_IO io = CreateThreadpoolIo(as_handle(pair.server), pool_callback, nullptr, nullptr);
    assert_non_null(io);

    StartThreadpoolIo(io);
    Operation* receive = pending_receive(pair.server);
    assert_true(CancelIoEx(as_handle(pair.server), &receive->overlapped));
    assert_becomes_signaled(record->called);
    assert_int_equal(record->error, ERROR_OPERATION_ABORTED);
    assert_ptr_equal(record->overlapped, &receive->overlapped);
    WaitForThreadpoolIoCallbacks(io, FALSE);
    CloseThreadpoolIo(io);
}

void a_bound_callback_hears_of_a_sockets_operations(void**) // [overlapped/34]
{
    const TcpPair pair = new_tcp_pair();
    PoolRecord* record = new_pool_record();
    assert_true(BindIoCompletionCallback(as_handle(pair.server), bound_callback, 0));

    for (LONG round = 1; round <= 2; ++round) {
        Operation* receive = pending_receive(pair.server);
        send_text(pair.client, "abc");
        assert_becomes_signaled(record->called);
        assert_int_equal(record->calls, round);
        assert_ptr_equal(record->overlapped, &receive->overlapped);
        assert_int_equal(record->error, NO_ERROR);
        assert_int_equal(record->transferred, 3);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(skip_on_success_leaves_the_event_alone),
    cmocka_unit_test(skip_on_success_may_come_with_other_modes),
    cmocka_unit_test(skip_on_success_queues_failures_that_pended),
    cmocka_unit_test(skip_on_success_tells_each_operation_once),
    cmocka_unit_test(skip_on_success_may_be_set_before_the_association),
    cmocka_unit_test(skip_on_success_is_not_taken_back),
    cmocka_unit_test(skip_set_event_leaves_the_socket_nonsignaled),
    cmocka_unit_test(skip_set_event_keeps_the_packet_and_the_event),
    cmocka_unit_test(an_immediate_result_sets_the_event_and_queues_a_packet),
    cmocka_unit_test(the_low_bit_keeps_the_packet_of_an_immediate_result_away),
    cmocka_unit_test(the_low_bit_alone_keeps_the_packet_away),
    cmocka_unit_test(a_cancelled_operation_with_the_low_bit_queues_nothing),
    cmocka_unit_test(an_auto_reset_event_is_set_beside_the_packet),
    cmocka_unit_test(several_operations_started_before_the_association_are_queued),
    cmocka_unit_test(a_copied_handle_shares_association_and_modes),
    cmocka_unit_test(an_association_by_a_copied_handle_is_the_sockets),
    cmocka_unit_test(an_operation_goes_on_when_a_copied_handle_is_closed),
    cmocka_unit_test(an_operation_goes_on_when_a_duplicate_remains),
    cmocka_unit_test(an_accept_goes_on_until_the_last_handle_is_closed),
    cmocka_unit_test(a_thread_pool_hears_of_a_sockets_operations),
    cmocka_unit_test(a_thread_pool_hears_of_a_cancelled_operation),
    cmocka_unit_test(a_bound_callback_hears_of_a_sockets_operations),
};

} // namespace

CONFORMANCE_GROUP(port_modes, kCases);
