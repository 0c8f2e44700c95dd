// Sockets as file handles: ReadFile, WriteFile and what the file functions say of them.

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
    cmocka_unit_test(a_reset_fails_read_file_with_a_file_error),
    cmocka_unit_test(a_socket_is_a_pipe_to_the_file_functions),
    cmocka_unit_test(a_socket_is_inheritable_unless_asked_otherwise),
};

} // namespace

CONFORMANCE_GROUP(socket_file, kCases);
