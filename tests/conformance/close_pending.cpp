// What becomes of pending operations when their socket is closed or shut down, or their thread
// ends.

#include "extensions.h"
#include "open_handles.h"
#include "ports.h"

using namespace conformance;

namespace {

bool is_pending(const Operation* operation)
{
    return !HasOverlappedIoCompleted(&operation->overlapped);
}

/// CloseHandle, behind Winsock's back.
void close_handle_of(SOCKET socket, Where where = Where::current())
{
    disown(socket);
    if (!CloseHandle(as_handle(socket)))
        fail_at(where, "CloseHandle failed with %lu", GetLastError());
}

// --- Closing

void closing_the_handle_aborts_a_queued_receive(void**) // [overlapped/40]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);

    close_handle_of(p.pair.server);
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_CONNECTION_ABORTED);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_CONNECTION_ABORTED);
}

void closing_queues_every_pending_receive_once(void**) // [overlapped/41]
{
    constexpr int kReceives = 5;
    const PortPair p = new_port_pair();
    Operation* receives[kReceives];
    Consumers* consumers = start_consumers(p.port, 2);
    for (Operation*& receive : receives)
        receive = pending_receive(p.pair.server);

    close_owned(p.pair.server);
    stop_consumers(consumers, kReceives);
    for (Operation* receive : receives) {
        const Packet packet = only_packet_of(consumers, &receive->overlapped);
        assert_false(packet.result);
        assert_int_equal(packet.key, kPortKey);
        assert_int_equal(packet.transferred, 0);
    }
}

void closing_ends_what_has_an_event_and_what_has_none(void**) // [overlapped/41]
{
    const TcpPair pair = new_tcp_pair();
    Operation* with = pending_receive(pair.server, new_event());
    Operation* without = pending_receive(pair.server);

    close_owned(pair.server);
    assert_true(await_status(with) < 0);
    assert_eventually([=] { return !is_pending(without); });
}

void closing_ends_a_datagram_receive(void**) // [overlapped/41]
{
    const UdpPair pair = new_udp_pair();
    const HANDLE port = new_port();
    associate(pair.b, port, 3);
    Operation* receive = pending_receive(pair.b);

    close_owned(pair.b);
    const Packet packet = next_packet(port);
    assert_false(packet.result);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
}

void closing_the_listener_queues_a_cancelled_accept(void**) // [overlapped/42]
{
    const PendingAccept accept = new_pending_accept(0);
    const HANDLE port = new_port();
    associate(accept.listener.socket, port, 8);

    close_owned(accept.listener.socket);
    const Packet packet = next_packet(port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_int_equal(packet.key, 8);
    assert_ptr_equal(packet.overlapped, &accept.operation->overlapped);
    assert_no_packet(port);
}

void closing_the_acceptor_queues_a_cancelled_accept(void**) // [overlapped/42]
{
    const PendingAccept accept = new_pending_accept(0);
    const HANDLE port = new_port();
    associate(accept.listener.socket, port, 8);

    close_owned(accept.acceptor);
    const Packet packet = next_packet(port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_int_equal(packet.key, 8);
    assert_ptr_equal(packet.overlapped, &accept.operation->overlapped);
}

void an_accept_that_has_ended_stays_a_success(void**) // [overlapped/42]
{
    const PendingAccept accept = new_pending_accept(1);
    const HANDLE port = new_port();
    associate(accept.listener.socket, port, 8);
    send_text(connect_to(accept.listener), "x");
    assert_eventually([&] { return !is_pending(accept.operation); });

    close_owned(accept.acceptor);
    close_owned(accept.listener.socket);
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 1);
    assert_no_packet(port);
}

void packets_of_a_closed_socket_stay_queued(void**) // [overlapped/27]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);
    send_text(p.pair.client, "abc");
    assert_eventually([&] { return !is_pending(receive); });

    close_owned(p.pair.server);
    const Packet packet = next_packet(p.port);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 3);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_no_packet(p.port);
}

void closing_with_a_receive_pending_ends_the_connection(void**) // [closesocket/4]
{
    const PortPair p = new_port_pair();
    char byte;
    pending_receive(p.pair.server);

    close_owned(p.pair.server);
    wait_until_readable(p.pair.client);
    assert_int_equal(recv(p.pair.client, &byte, 1, 0), 0);
    next_packet(p.port);
}

/// Memory of an operation is the program's again once it was told.
void a_closed_socket_writes_no_more(void**) // [overlapped/41]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    close_owned(pair.server);
    await_status(receive);

    receive->overlapped.Internal = 0x55;
    receive->overlapped.InternalHigh = 0x66;
    send(pair.client, "hello", 5, 0);
    let_it_settle();
    assert_int_equal(receive->overlapped.Internal, 0x55);
    assert_int_equal(receive->overlapped.InternalHigh, 0x66);
    assert_int_equal(receive->data[0], 0);
}

void a_socket_with_the_value_of_a_closed_one_has_its_own_operations(void**) // [closesocket/11]
{
    const PortPair p = new_port_pair();
    Operation* old = pending_receive(p.pair.server);
    close_owned(p.pair.server);
    assert_false(next_packet(p.port).result);
    assert_false(is_pending(old));

    // One of these most likely has the value of the closed one.
    TcpPair pairs[4];
    const HANDLE port = new_port();
    for (TcpPair& pair : pairs) {
        pair = new_tcp_pair();
        associate(pair.server, port, 1);
        Operation* receive = pending_receive(pair.server);
        send_text(pair.client, "ab");
        const Packet packet = next_packet(port);
        assert_ptr_equal(packet.overlapped, &receive->overlapped);
        assert_int_equal(packet.transferred, 2);
    }
    assert_no_packet(p.port);
}

// --- Shutting down

void shutting_down_sends_keeps_a_pending_receive(void**) // [overlapped/46]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);

    assert_wsa_ok(shutdown(p.pair.server, SD_SEND));
    assert_no_packet(p.port);
    send_text(p.pair.client, "x");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_int_equal(packet.transferred, 1);
}

void shutting_down_receives_keeps_a_queued_one(void**) // [overlapped/46]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);
    Operation* refused = new_operation();

    assert_wsa_ok(shutdown(p.pair.server, SD_RECEIVE));
    assert_wsa_fails(start_receive(p.pair.server, refused), SOCKET_ERROR, WSAESHUTDOWN);
    assert_no_packet(p.port);
    send_text(p.pair.client, "x");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 1);
}

// --- The end of a thread

void an_operation_with_event_on_a_port_ends_with_its_thread(void**) // [overlapped/45]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation(new_event());
    Background* starter = run_in_background([=] { return start_receive(p.pair.server, receive); });

    assert_int_equal(join(starter).value, SOCKET_ERROR);
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);
}

void an_operation_of_another_thread_goes_on(void**) // [overlapped/45]
{
    const TcpPair pair = new_tcp_pair();
    Operation* own = pending_receive(pair.server, new_event());
    Operation* other = new_operation(new_event());
    Background* starter = run_in_background([=] { return start_receive(pair.server, other); });

    join(starter);
    assert_int_equal((DWORD)await_status(other), (DWORD)STATUS_CANCELLED);
    assert_true(is_pending(own));
    send_text(pair.client, "x");
    assert_int_equal(await_status(own), STATUS_SUCCESS);
    assert_int_equal(own->overlapped.InternalHigh, 1);
}

void several_operations_on_a_port_outlive_their_threads(void**) // [overlapped/45]
{
    constexpr int kThreads = 4;
    const HANDLE port = new_port();
    TcpPair pairs[kThreads];
    Operation* receives[kThreads];
    for (int i = 0; i < kThreads; ++i) {
        pairs[i] = new_tcp_pair();
        associate(pairs[i].server, port, 1);
        Operation* receive = receives[i] = new_operation();
        const SOCKET socket = pairs[i].server;
        join(run_in_background([=] { return start_receive(socket, receive); }));
    }
    assert_no_packet(port);

    for (int i = 0; i < kThreads; ++i) {
        send_text(pairs[i].client, "x");
        const Packet packet = next_packet(port);
        assert_true(packet.result);
        assert_ptr_equal(packet.overlapped, &receives[i]->overlapped);
    }
}

enum class First { Socket, Port, SocketThenPacket };

/// A port, and a socket that has told it something and has a receive pending, go.
void use_and_close_a_port(First first)
{
    const PortPair pair = new_port_pair();
    pending_receive(pair.pair.server);
    send_text(pair.pair.client, "x");
    assert_true(next_packet(pair.port).result);
    const Operation* last = pending_receive(pair.pair.server);

    if (first == First::Port)
        close_owned(pair.port);
    close_owned(pair.pair.server);
    close_owned(pair.pair.client);
    if (first == First::SocketThenPacket)
        assert_ptr_equal(next_packet(pair.port).overlapped, &last->overlapped);
    if (first != First::Port)
        close_owned(pair.port);
}

void a_port_and_its_socket_leave_nothing_open(void**) // [overlapped/36]
{
    for (const First first : { First::Socket, First::Port, First::SocketThenPacket })
        assert_rounds_leave_nothing_open([first] { use_and_close_a_port(first); });
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(closing_the_handle_aborts_a_queued_receive),
    cmocka_unit_test(closing_queues_every_pending_receive_once),
    cmocka_unit_test(closing_ends_what_has_an_event_and_what_has_none),
    cmocka_unit_test(closing_ends_a_datagram_receive),
    cmocka_unit_test(closing_the_listener_queues_a_cancelled_accept),
    cmocka_unit_test(closing_the_acceptor_queues_a_cancelled_accept),
    cmocka_unit_test(an_accept_that_has_ended_stays_a_success),
    cmocka_unit_test(packets_of_a_closed_socket_stay_queued),
    cmocka_unit_test(closing_with_a_receive_pending_ends_the_connection),
    cmocka_unit_test(a_closed_socket_writes_no_more),
    cmocka_unit_test(a_socket_with_the_value_of_a_closed_one_has_its_own_operations),
    cmocka_unit_test(shutting_down_sends_keeps_a_pending_receive),
    cmocka_unit_test(shutting_down_receives_keeps_a_queued_one),
    cmocka_unit_test(an_operation_with_event_on_a_port_ends_with_its_thread),
    cmocka_unit_test(an_operation_of_another_thread_goes_on),
    cmocka_unit_test(several_operations_on_a_port_outlive_their_threads),
    cmocka_unit_test(a_port_and_its_socket_leave_nothing_open),
};

} // namespace

CONFORMANCE_GROUP(close_pending, kCases);
