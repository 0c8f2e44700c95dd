// Completion ports.

#include "extensions.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

void a_pending_receive_queues_one_packet(void**) // [overlapped/20]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    assert_no_packet(p.port);
    send_text(p.pair.client, "hello");
    const Packet packet = next_packet(p.port);
    assert_true(packet.result);
    assert_int_equal(packet.key, kPortKey);
    assert_int_equal(packet.transferred, 5);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_int_equal(packet.error, kPoison); // Success leaves the last error alone.
    assert_no_packet(p.port);
}

void an_immediate_receive_queues_one_packet(void**) // [overlapped/20]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    send_text(p.pair.client, "hello");
    wait_until_received(p.pair.server, 5);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_int_equal(next_packet(p.port).transferred, 5);
    assert_no_packet(p.port);
}

void an_operation_with_event_sets_it_and_queues_a_packet(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation(new_event());
    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(p.pair.client, "x");
    assert_int_equal(next_packet(p.port).transferred, 1);
    assert_becomes_signaled(receive->overlapped.hEvent);
}

void the_low_bit_of_the_event_keeps_the_packet_away(void**) // [overlapped/21]
{
    const PortPair p = new_port_pair();
    const WSAEVENT event = new_event();
    Operation* receive = new_operation(without_packet(event));
    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(p.pair.client, "x");
    assert_becomes_signaled(event);
    assert_no_packet(p.port);
}

void CALLBACK never_called(DWORD, DWORD, LPWSAOVERLAPPED, DWORD)
{
}

void a_completion_routine_is_refused_on_a_port(void**) // [overlapped/22]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();

    assert_wsa_fails(WSARecv(p.pair.server, &receive->buffer, 1, nullptr, &receive->flags,
                         &receive->overlapped, never_called),
        SOCKET_ERROR, WSAEINVAL);
    assert_no_packet(p.port);
}

void an_operation_started_before_the_association_queues_a_packet(void**) // [overlapped/23]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* receive = new_operation();
    assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    associate(pair.server, port, kPortKey);
    send_text(pair.client, "x");
    const Packet packet = next_packet(port);
    assert_int_equal(packet.key, kPortKey);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
}

void calls_without_overlapped_queue_nothing(void**) // [overlapped/24]
{
    const PortPair p = new_port_pair();
    Operation* operation = new_operation();
    char byte;

    send_text(p.pair.server, "x");
    send_text(p.pair.client, "x");
    assert_int_equal(recv(p.pair.server, &byte, 1, 0), 1);
    send_text(p.pair.client, "x");
    assert_wsa_ok(WSARecv(p.pair.server, &operation->buffer, 1, &operation->transferred,
        &operation->flags, nullptr, nullptr));
    assert_wsa_ok(shutdown(p.pair.server, SD_SEND));
    assert_no_packet(p.port);
}

void a_failed_start_queues_nothing(void**) // [overlapped/5]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    reset_connection(p.pair.client);
    wait_until_readable(p.pair.server);

    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSAECONNRESET);
    assert_no_packet(p.port);
}

void a_reset_is_queued_as_a_failure(void**) // [overlapped/25]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    reset_connection(p.pair.client);
    const Packet packet = next_packet(p.port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_NETNAME_DELETED);
    assert_int_equal(packet.transferred, 0);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_CONNECTION_RESET);
}

void the_end_of_the_peer_is_queued_as_success(void**) // [overlapped/12]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    close_owned(p.pair.client);
    const Packet packet = next_packet(p.port);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 0);
}

void skip_on_success_queues_nothing_for_an_immediate_result(void**) // [overlapped/26]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    assert_true(SetFileCompletionNotificationModes(
        reinterpret_cast<HANDLE>(p.pair.server), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    send_text(p.pair.client, "hello");
    wait_until_received(p.pair.server, 5);

    assert_wsa_ok(start_receive(p.pair.server, receive));
    assert_no_packet(p.port);
}

void skip_on_success_queues_a_packet_for_a_pending_result(void**) // [overlapped/26]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    assert_true(SetFileCompletionNotificationModes(
        reinterpret_cast<HANDLE>(p.pair.server), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(p.pair.client, "x");
    assert_int_equal(next_packet(p.port).transferred, 1);
}

void closing_an_idle_socket_queues_nothing(void**) // [overlapped/27]
{
    const PortPair p = new_port_pair();

    close_owned(p.pair.server);
    assert_no_packet(p.port);
}

void an_ioctl_answered_at_once_queues_a_packet(void**) // [overlapped/28]
{
    const PortPair p = new_port_pair();
    Operation* operation = new_operation();
    u_long nonblocking = 1;
    DWORD returned = kPoison;

    assert_wsa_ok(WSAIoctl(p.pair.server, FIONBIO, &nonblocking, sizeof(nonblocking), nullptr, 0,
        &returned, &operation->overlapped, nullptr));
    const Packet packet = next_packet(p.port);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 0);
    assert_ptr_equal(packet.overlapped, &operation->overlapped);
}

void an_accept_is_queued_with_the_key_of_the_listener(void**) // [overlapped/29]
{
    const PendingAccept accept = new_pending_accept(0);
    const HANDLE port = new_port();
    associate(accept.listener.socket, port, kPortKey);
    associate(accept.acceptor, port, kPortKey + 1);

    connect_to(accept.listener);
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_int_equal(packet.key, kPortKey);
    assert_ptr_equal(packet.overlapped, &accept.operation->overlapped);
    assert_no_packet(port);
}

void a_duplicate_shares_the_association(void**) // [overlapped/30]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    WSAPROTOCOL_INFOW info;
    assert_wsa_ok(WSADuplicateSocketW(p.pair.server, GetCurrentProcessId(), &info));
    const SOCKET duplicate = owned(WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED));
    assert_true(duplicate != INVALID_SOCKET);

    assert_wsa_fails(start_receive(duplicate, receive), SOCKET_ERROR, WSA_IO_PENDING);
    send_text(p.pair.client, "x");
    const Packet packet = next_packet(p.port);
    assert_int_equal(packet.key, kPortKey);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
}

void event_selection_works_beside_a_port(void**) // [overlapped/31]
{
    const PortPair p = new_port_pair();
    const WSAEVENT event = new_event();
    WSANETWORKEVENTS record = {};
    assert_wsa_ok(WSAEventSelect(p.pair.server, event, FD_READ));

    send_text(p.pair.client, "x");
    assert_becomes_signaled(event);
    assert_wsa_ok(WSAEnumNetworkEvents(p.pair.server, event, &record));
    assert_int_equal(record.lNetworkEvents, FD_READ);
    assert_no_packet(p.port);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_pending_receive_queues_one_packet),
    cmocka_unit_test(an_immediate_receive_queues_one_packet),
    cmocka_unit_test(an_operation_with_event_sets_it_and_queues_a_packet),
    cmocka_unit_test(the_low_bit_of_the_event_keeps_the_packet_away),
    cmocka_unit_test(a_completion_routine_is_refused_on_a_port),
    cmocka_unit_test(an_operation_started_before_the_association_queues_a_packet),
    cmocka_unit_test(calls_without_overlapped_queue_nothing),
    cmocka_unit_test(a_failed_start_queues_nothing),
    cmocka_unit_test(a_reset_is_queued_as_a_failure),
    cmocka_unit_test(the_end_of_the_peer_is_queued_as_success),
    cmocka_unit_test(skip_on_success_queues_nothing_for_an_immediate_result),
    cmocka_unit_test(skip_on_success_queues_a_packet_for_a_pending_result),
    cmocka_unit_test(closing_an_idle_socket_queues_nothing),
    cmocka_unit_test(an_ioctl_answered_at_once_queues_a_packet),
    cmocka_unit_test(an_accept_is_queued_with_the_key_of_the_listener),
    cmocka_unit_test(a_duplicate_shares_the_association),
    cmocka_unit_test(event_selection_works_beside_a_port),
};

} // namespace

CONFORMANCE_GROUP(completion_port, kCases);
