// Sockets as file handles: ReadFile, WriteFile and what the file functions say of them.

#include "network_events.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

void write_file_sends(void**) // [overlapped/50]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());
    DWORD transferred = 0;
    char data[5];

    if (!WriteFile(as_handle(pair.client), "hello", 5, nullptr, &operation->overlapped))
        assert_int_equal(GetLastError(), ERROR_IO_PENDING);
    assert_true(
        GetOverlappedResult(as_handle(pair.client), &operation->overlapped, &transferred, TRUE));
    assert_int_equal(transferred, 5);
    receive_exactly(pair.server, data, 5);
    assert_memory_equal(data, "hello", 5);
}

void read_file_receives(void**) // [overlapped/50]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());
    DWORD transferred = 0;

    assert_wsa_fails(
        ReadFile(as_handle(pair.server), operation->data, 8, nullptr, &operation->overlapped),
        FALSE, ERROR_IO_PENDING);
    send_text(pair.client, "hello");
    assert_true(
        GetOverlappedResult(as_handle(pair.server), &operation->overlapped, &transferred, TRUE));
    assert_int_equal(transferred, 5);
    assert_memory_equal(operation->data, "hello", 5);
}

void read_file_queues_a_packet(void**) // [overlapped/50]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* operation = new_operation();
    associate(pair.server, port, 9);
    assert_wsa_fails(
        ReadFile(as_handle(pair.server), operation->data, 8, nullptr, &operation->overlapped),
        FALSE, ERROR_IO_PENDING);

    send_text(pair.client, "x");
    const Packet packet = next_packet(port);
    assert_int_equal(packet.key, 9);
    assert_int_equal(packet.transferred, 1);
}

void write_file_queues_a_packet(void**) // [overlapped/50]
{
    const PortPair p = new_port_pair();
    char data[3];

    Operation* write = start_write(as_handle(p.pair.server), "abc");
    const Packet packet = next_packet(p.port);
    assert_true(packet.result);
    assert_ptr_equal(packet.overlapped, &write->overlapped);
    assert_int_equal(packet.transferred, 3);
    receive_exactly(p.pair.client, data, 3);
    assert_memory_equal(data, "abc", 3);
    assert_no_packet(p.port);
}

void read_file_of_what_is_there_queues_a_packet(void**) // [overlapped/50]
{
    const PortPair p = new_port_pair();
    Operation* read = new_operation();
    send_text(p.pair.client, "abc");
    wait_until_received(p.pair.server, 3);

    start_read(as_handle(p.pair.server), read);
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
    assert_int_equal(packet.transferred, 3);
    assert_no_packet(p.port);
}

void read_file_and_receives_take_turns(void**) // [overlapped/50] [overlapped/10]
{
    const PortPair p = new_port_pair();
    Operation* read = new_operation();
    start_read(as_handle(p.pair.server), read);
    Operation* receive = pending_receive(p.pair.server);
    Operation* last = new_operation();
    start_read(as_handle(p.pair.server), last);

    for (Operation* operation : { read, receive, last }) {
        send_text(p.pair.client, "ab");
        const Packet packet = next_packet(p.port);
        assert_ptr_equal(packet.overlapped, &operation->overlapped);
        assert_int_equal(packet.transferred, 2);
    }
}

void read_file_ends_with_the_stream(void**) // [overlapped/60]
{
    const PortPair p = new_port_pair();
    Operation* pending = new_operation();
    Operation* later = new_operation();
    start_read(as_handle(p.pair.server), pending);

    assert_wsa_ok(shutdown(p.pair.client, SD_SEND));
    start_read(as_handle(p.pair.server), later);
    for (Operation* operation : { pending, later }) {
        const Packet packet = next_packet(p.port);
        assert_true(packet.result);
        assert_ptr_equal(packet.overlapped, &operation->overlapped);
        assert_int_equal(packet.transferred, 0);
    }
}

void read_file_of_nothing_leaves_the_data(void**) // [overlapped/11] [overlapped/50]
{
    const TcpPair pair = new_tcp_pair();
    Operation* read = new_operation(new_auto_event());
    char byte = 0;
    send_text(pair.client, "x");
    wait_until_received(pair.server, 1);

    if (!ReadFile(as_handle(pair.server), read->data, 0, nullptr, &read->overlapped))
        assert_int_equal(GetLastError(), ERROR_IO_PENDING);
    assert_becomes_signaled(read->overlapped.hEvent);
    assert_int_equal(read->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(read->overlapped.InternalHigh, 0);
    receive_exactly(pair.server, &byte, 1);
    assert_int_equal(byte, 'x');
}

void write_file_of_nothing_succeeds(void**) // [overlapped/50]
{
    const TcpPair pair = new_tcp_pair();
    Operation* write = new_operation(new_auto_event());

    if (!WriteFile(as_handle(pair.client), write->data, 0, nullptr, &write->overlapped))
        assert_int_equal(GetLastError(), ERROR_IO_PENDING);
    assert_becomes_signaled(write->overlapped.hEvent);
    assert_int_equal(write->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(write->overlapped.InternalHigh, 0);
}

void a_socket_that_is_not_overlapped_reads_and_writes_at_once(void**) // [overlapped/50]
{
    const Listener listener = new_listener();
    const SOCKET client = owned(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0));
    DWORD transferred = 0;
    char data[8] = {};
    assert_wsa_ok(connect(
        client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
    const SOCKET server = accept_from(listener);

    assert_true(WriteFile(as_handle(client), "hello", 5, &transferred, nullptr));
    assert_int_equal(transferred, 5);
    receive_exactly(server, data, 5);
    assert_memory_equal(data, "hello", 5);
    Background* peer = run_in_background([=] { return send(server, "abc", 3, 0); });
    assert_true(ReadFile(as_handle(client), data, sizeof(data), &transferred, nullptr));
    assert_int_equal(transferred, 3);
    assert_memory_equal(data, "abc", 3);
    assert_int_equal(join(peer).value, 3);
    assert_wsa_ok(shutdown(server, SD_SEND));
    assert_true(ReadFile(as_handle(client), data, sizeof(data), &transferred, nullptr));
    assert_int_equal(transferred, 0);
}

void read_file_records_the_data_it_leaves(void**) // [WSAEventSelect/42] [overlapped/50]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* read = new_operation(new_auto_event());
    select_events(pair.server, event, FD_READ);
    send_text(pair.client, "ab");
    assert_events(pair.server, event, FD_READ);
    wait_until_received(pair.server, 2);

    if (!ReadFile(as_handle(pair.server), read->data, 1, nullptr, &read->overlapped))
        assert_int_equal(GetLastError(), ERROR_IO_PENDING);
    assert_becomes_signaled(read->overlapped.hEvent);
    assert_events(pair.server, event, FD_READ);
}

/// A connected client without WSA_FLAG_OVERLAPPED, and the accepted end.
TcpPair new_plain_pair()
{
    const Listener listener = new_listener();
    const SOCKET client = owned(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0));
    assert_wsa_ok(connect(
        client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
    return { client, accept_from(listener) };
}

void read_plainly(SOCKET socket, DWORD length)
{
    char data[8] = {};
    DWORD transferred = 0;
    assert_true(ReadFile(as_handle(socket), data, length, &transferred, nullptr));
    assert_int_equal(transferred, length);
}

/// The sockets of gnulib are such.
void a_plain_read_file_records_the_data_it_leaves(void**) // [WSAEventSelect/42] [overlapped/50]
{
    const TcpPair pair = new_plain_pair();
    const WSAEVENT event = new_event();
    select_events(pair.client, event, FD_READ);
    send_text(pair.server, "ab");
    assert_events(pair.client, event, FD_READ);
    wait_until_received(pair.client, 2);

    read_plainly(pair.client, 1);
    assert_events(pair.client, event, FD_READ);
    read_plainly(pair.client, 1);
    assert_no_events(pair.client, event);
}

void what_a_plain_read_file_took_is_not_recorded_by_a_selection(void**) // [WSAEventSelect/42]
{
    const TcpPair pair = new_plain_pair();
    const WSAEVENT event = new_event();
    u_long is_on = 0;
    select_events(pair.client, event, FD_READ | FD_CLOSE);
    send_text(pair.server, "ab");
    assert_becomes_signaled(event);
    select_nothing(pair.client);
    assert_wsa_ok(ioctlsocket(pair.client, FIONBIO, &is_on));
    read_plainly(pair.client, 2);

    assert_true(WSAResetEvent(event));
    select_events(pair.client, event, FD_READ | FD_CLOSE);
    assert_no_events(pair.client, event);
}

void the_record_goes_on_behind_a_pending_receive(void**) // [WSAEventSelect/44]
{
    const PortPair p = new_port_pair();
    const WSAEVENT event = new_event();
    char byte;
    select_events(p.pair.server, event, FD_READ | FD_CLOSE);
    for (int round = 0; round < 3; ++round) {
        Operation* receive = pending_receive(p.pair.server);
        send_text(p.pair.client, "x");
        assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
        assert_no_events(p.pair.server, event);

        send_text(p.pair.client, "y");
        assert_events(p.pair.server, event, FD_READ);
        receive_exactly(p.pair.server, &byte, 1);
    }
    close_owned(p.pair.client);
    assert_events(p.pair.server, event, FD_CLOSE);
}

void a_reset_fails_read_file_with_a_file_error(void**) // [overlapped/51]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());
    DWORD transferred = 0;
    assert_wsa_fails(
        ReadFile(as_handle(pair.server), operation->data, 8, nullptr, &operation->overlapped),
        FALSE, ERROR_IO_PENDING);

    reset_connection(pair.client);
    assert_becomes_signaled(operation->overlapped.hEvent);
    assert_wsa_fails(
        GetOverlappedResult(as_handle(pair.server), &operation->overlapped, &transferred, FALSE),
        FALSE, ERROR_NETNAME_DELETED);
}

void a_socket_is_a_pipe_to_the_file_functions(void**) // [overlapped/52]
{
    assert_int_equal(GetFileType(as_handle(tcp_socket())), FILE_TYPE_PIPE);
}

void a_socket_is_inheritable_unless_asked_otherwise(void**) // [overlapped/53]
{
    const SOCKET plain = tcp_socket();
    const SOCKET kept = owned(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
        WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
    DWORD flags = 0;
    assert_true(kept != INVALID_SOCKET);

    assert_true(GetHandleInformation(as_handle(plain), &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    assert_true(GetHandleInformation(as_handle(kept), &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(write_file_sends),
    cmocka_unit_test(read_file_receives),
    cmocka_unit_test(read_file_queues_a_packet),
    cmocka_unit_test(write_file_queues_a_packet),
    cmocka_unit_test(read_file_of_what_is_there_queues_a_packet),
    cmocka_unit_test(read_file_and_receives_take_turns),
    cmocka_unit_test(read_file_ends_with_the_stream),
    cmocka_unit_test(read_file_of_nothing_leaves_the_data),
    cmocka_unit_test(write_file_of_nothing_succeeds),
    cmocka_unit_test(a_socket_that_is_not_overlapped_reads_and_writes_at_once),
    cmocka_unit_test(read_file_records_the_data_it_leaves),
    cmocka_unit_test(a_plain_read_file_records_the_data_it_leaves),
    cmocka_unit_test(what_a_plain_read_file_took_is_not_recorded_by_a_selection),
    cmocka_unit_test(the_record_goes_on_behind_a_pending_receive),
    cmocka_unit_test(a_reset_fails_read_file_with_a_file_error),
    cmocka_unit_test(a_socket_is_a_pipe_to_the_file_functions),
    cmocka_unit_test(a_socket_is_inheritable_unless_asked_otherwise),
};

} // namespace

CONFORMANCE_GROUP(socket_file, kCases);
