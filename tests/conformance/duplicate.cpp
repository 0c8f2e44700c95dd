// WSADuplicateSocketA/W, DuplicateHandle and inheritance: one socket behind several handles.

#include "child.h"
#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

void assert_joined(SOCKET from, SOCKET to, Where where = Where::current())
{
    char byte = 0;
    send_text(from, "d", where);
    receive_exactly(to, &byte, 1, where);
    if (byte != 'd')
        fail_at(where, "another byte arrived");
}

// --- In one process

void a_duplicate_is_another_handle_of_the_socket(void**) // [WSADuplicateSocket/1]
{
    const TcpPair pair = new_tcp_pair();
    const SOCKET duplicate = duplicate_of(pair.client);
    assert_true(duplicate != pair.client);
    assert_joined(duplicate, pair.server);
    assert_joined(pair.server, duplicate);
    assert_joined(pair.client, pair.server);
}

void the_ansi_form_duplicates_too(void**) // [WSADuplicateSocket/1]
{
    const TcpPair pair = new_tcp_pair();
    WSAPROTOCOL_INFOA info;
    assert_wsa_ok(WSADuplicateSocketA(pair.client, GetCurrentProcessId(), &info));
    const SOCKET duplicate = owned(WSASocketA(0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED));
    assert_true(duplicate != INVALID_SOCKET);
    assert_joined(duplicate, pair.server);
}

void zeroes_open_a_duplicate_as_well(void**) // [WSADuplicateSocket/1]
{
    const TcpPair pair = new_tcp_pair();
    WSAPROTOCOL_INFOW info;
    assert_wsa_ok(WSADuplicateSocketW(pair.client, GetCurrentProcessId(), &info));
    const SOCKET duplicate = owned(WSASocketW(0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED));
    assert_true(duplicate != INVALID_SOCKET);
    assert_joined(duplicate, pair.server);
}

void the_info_describes_the_socket(void**) // [WSADuplicateSocket/2]
{
    WSAPROTOCOL_INFOW info;
    assert_wsa_ok(WSADuplicateSocketW(udp_socket(), GetCurrentProcessId(), &info));
    assert_int_equal(info.iAddressFamily, AF_INET);
    assert_int_equal(info.iSocketType, SOCK_DGRAM);
    assert_int_equal(info.iProtocol, IPPROTO_UDP);
    owned(open_duplicate(info));
}

void the_connection_lasts_to_the_last_handle(void**) // [WSADuplicateSocket/3]
{
    const TcpPair pair = new_tcp_pair();
    const SOCKET duplicate = duplicate_of(pair.client);
    close_owned(pair.client);
    assert_joined(duplicate, pair.server);
    assert_joined(pair.server, duplicate);
    close_owned(duplicate);
    wait_until_readable(pair.server);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
}

void a_duplicate_shares_the_blocking_mode(void**) // [WSADuplicateSocket/4]
{
    const TcpPair pair = new_tcp_pair();
    const SOCKET duplicate = duplicate_of(pair.client);
    limit_receives(duplicate);
    set_nonblocking(pair.client);
    char byte;
    assert_wsa_fails(recv(duplicate, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_duplicate_shares_options(void**) // [WSADuplicateSocket/4]
{
    const SOCKET socket = tcp_socket();
    const SOCKET duplicate = duplicate_of(socket);
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    assert_int_equal(option(duplicate, SOL_SOCKET, SO_KEEPALIVE), 1);
}

void a_shutdown_on_the_duplicate_is_one_of_the_socket(void**) // [WSADuplicateSocket/4]
{
    const TcpPair pair = new_tcp_pair();
    const SOCKET duplicate = duplicate_of(pair.client);
    assert_wsa_ok(shutdown(duplicate, SD_SEND));
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
}

void a_duplicate_knows_the_name_of_the_original(void**) // [WSADuplicateSocket/5]
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    const SOCKET duplicate = duplicate_of(socket);
    assert_int_equal(local_port(duplicate), local_port(socket));
}

void an_info_opens_once(void**) // [WSADuplicateSocket/6]
{
    const TcpPair pair = new_tcp_pair();
    WSAPROTOCOL_INFOW info;
    assert_wsa_ok(WSADuplicateSocketW(pair.client, GetCurrentProcessId(), &info));
    const SOCKET first = owned(open_duplicate(info));
    assert_true(first != INVALID_SOCKET);
    assert_wsa_fails(open_duplicate(info), INVALID_SOCKET, WSAEINVAL);
    assert_joined(first, pair.server);
    close_owned(first);
    assert_wsa_fails(open_duplicate(info), INVALID_SOCKET, WSAEINVAL);
    assert_joined(pair.client, pair.server);
}

// --- What is refused

void the_socket_is_checked_first(void**) // [WSADuplicateSocket/7]
{
    assert_wsa_fails(WSADuplicateSocketW(0xDEAD, 0, nullptr), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(WSADuplicateSocketA(0xDEAD, 0, nullptr), SOCKET_ERROR, WSAENOTSOCK);
}

void then_the_process_is_checked(void**) // [WSADuplicateSocket/7]
{
    const SOCKET socket = tcp_socket();
    assert_wsa_fails(WSADuplicateSocketW(socket, 0, nullptr), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(WSADuplicateSocketW(socket, 0x7FFFFFF0, nullptr), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(WSADuplicateSocketA(socket, 0, nullptr), SOCKET_ERROR, WSAEINVAL);
}

void then_the_info_is_checked(void**) // [WSADuplicateSocket/7]
{
    const SOCKET socket = tcp_socket();
    assert_wsa_fails(
        WSADuplicateSocketW(socket, GetCurrentProcessId(), nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        WSADuplicateSocketA(socket, GetCurrentProcessId(), nullptr), SOCKET_ERROR, WSAEFAULT);
}

// --- In another process

void a_child_uses_a_duplicate(void**) // [WSADuplicateSocket/8]
{
    const TcpPair pair = new_tcp_pair();
    const Child child = give_to_child(pair.client, "open-duplicate-w");
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    assert_memory_equal(greeting, "hello", 5);
    send_text(pair.server, "ok");
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_uses_an_ansi_duplicate(void**) // [WSADuplicateSocket/8]
{
    const TcpPair pair = new_tcp_pair();
    const Child child = start_child("open-duplicate-a", 0, false);
    WSAPROTOCOL_INFOA info;
    assert_wsa_ok(WSADuplicateSocketA(pair.client, child.process_id, &info));
    write_to_child(child, &info, sizeof(info));
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    send_text(pair.server, "ok");
    assert_int_equal(exit_code_of(child), 0);
}

void the_original_works_on_after_the_child_closed_its_duplicate(void**) // [WSADuplicateSocket/3]
{
    const TcpPair pair = new_tcp_pair();
    const Child child = give_to_child(pair.client, "open-duplicate-w");
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    send_text(pair.server, "ok");
    assert_int_equal(exit_code_of(child), 0);
    assert_joined(pair.client, pair.server);
    assert_joined(pair.server, pair.client);
}

void a_child_has_the_socket_alone_after_the_original_is_closed(void**) // [WSADuplicateSocket/11]
{
    constexpr int kRounds = 40;
    const TcpPair pair = new_tcp_pair();
    const Child child = give_to_child(pair.client, "echo-on-duplicate");
    for (int i = 0; i < kRounds; ++i) {
        const char out[] = { static_cast<char>('a' + i % 26), static_cast<char>('A' + i % 26), 0 };
        char in[2];
        send_text(pair.server, out);
        receive_exactly(pair.server, in, sizeof(in));
        assert_memory_equal(in, out, sizeof(in));
        if (i == kRounds / 2)
            close_owned(pair.client);
    }
    assert_wsa_ok(shutdown(pair.server, SD_SEND));
    assert_int_equal(exit_code_of(child), 0);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
}

void a_child_that_has_ended_its_stream_is_told_the_end(void**) // [WSADuplicateSocket/11]
{
    const TcpPair pair = new_tcp_pair();
    const Child child = give_to_child(pair.client, "end-on-duplicate");
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
    close_owned(pair.client);
    send_text(pair.server, "data");
    write_to_child(child, "x", 1);
    Sleep(200); // the child receives, and waits for more
    close_owned(pair.server);
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_uses_an_inherited_socket(void**) // [WSADuplicateSocket/9]
{
    const TcpPair pair = new_tcp_pair();
    const Child child = start_child("use-inherited", pair.client, true);
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    assert_memory_equal(greeting, "hello", 5);
    send_text(pair.server, "ok");
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_uses_a_handle_duplicated_by_hand(void**) // [WSADuplicateSocket/8]
{
    const TcpPair pair = new_tcp_pair();
    assert_joined(pair.client, pair.server);
    assert_joined(pair.server, pair.client);
    const Child child = start_child("use-handle", 0, false);
    const HANDLE given = handle_for_child(child, reinterpret_cast<HANDLE>(pair.client));
    write_to_child(child, &given, sizeof(given));
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    assert_memory_equal(greeting, "hello", 5);
    send_text(pair.server, "ok");
    assert_int_equal(exit_code_of(child), 0);
    assert_joined(pair.client, pair.server);
    assert_joined(pair.server, pair.client);
    set_nonblocking(pair.client);
    char byte;
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_child_does_not_hold_a_private_socket_open(void**) // [WSASocket/8]
{
    const TcpPair pair = new_tcp_pair();
    assert_true(
        SetHandleInformation(reinterpret_cast<HANDLE>(pair.client), HANDLE_FLAG_INHERIT, 0));
    const Child child = start_child("wait", 0, true);
    close_owned(pair.client);
    wait_until_readable(pair.server);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
    write_to_child(child, "x", 1);
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_holds_an_inherited_socket_open(void**) // [WSADuplicateSocket/9]
{
    const TcpPair pair = new_tcp_pair();
    const Child child = start_child("wait", 0, true);
    close_owned(pair.client);
    let_it_settle();
    assert_false(is_readable(pair.server));
    write_to_child(child, "x", 1);
    assert_int_equal(exit_code_of(child), 0);
    wait_until_readable(pair.server);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_duplicate_is_another_handle_of_the_socket),
    cmocka_unit_test(the_ansi_form_duplicates_too),
    cmocka_unit_test(zeroes_open_a_duplicate_as_well),
    cmocka_unit_test(the_info_describes_the_socket),
    cmocka_unit_test(the_connection_lasts_to_the_last_handle),
    cmocka_unit_test(a_duplicate_shares_the_blocking_mode),
    cmocka_unit_test(a_duplicate_shares_options),
    cmocka_unit_test(a_shutdown_on_the_duplicate_is_one_of_the_socket),
    cmocka_unit_test(a_duplicate_knows_the_name_of_the_original),
    cmocka_unit_test(an_info_opens_once),
    cmocka_unit_test(the_socket_is_checked_first),
    cmocka_unit_test(then_the_process_is_checked),
    cmocka_unit_test(then_the_info_is_checked),
    cmocka_unit_test(a_child_uses_a_duplicate),
    cmocka_unit_test(a_child_uses_an_ansi_duplicate),
    cmocka_unit_test(the_original_works_on_after_the_child_closed_its_duplicate),
    cmocka_unit_test(a_child_has_the_socket_alone_after_the_original_is_closed),
    cmocka_unit_test(a_child_that_has_ended_its_stream_is_told_the_end),
    cmocka_unit_test(a_child_uses_an_inherited_socket),
    cmocka_unit_test(a_child_uses_a_handle_duplicated_by_hand),
    cmocka_unit_test(a_child_does_not_hold_a_private_socket_open),
    cmocka_unit_test(a_child_holds_an_inherited_socket_open),
};

} // namespace

CONFORMANCE_GROUP(duplicate, kCases);
