// WSAConnectByName.

#include "sockets.h"

#include <cstdio>
#include <cwchar>

using namespace conformance;

namespace {

/// The port of a listener as the text a service argument takes.
struct ServiceText {
    explicit ServiceText(const Listener& listener)
    {
        snprintf(text, sizeof(text), "%u", local_port(listener.socket));
    }
    char text[8];
};

void connects_and_tells_the_peer(void**) // [WSAConnectByName/1]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    const SOCKET client = tcp_socket();
    sockaddr_in peer = {};
    DWORD length = sizeof(peer);

    assert_true(WSAConnectByNameA(client, (char*)"127.0.0.1", service.text, nullptr, nullptr,
        &length, (sockaddr*)&peer, nullptr, nullptr));
    assert_int_equal(length, sizeof(peer));
    assert_int_equal(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(ntohs(peer.sin_port), local_port(listener.socket));
    send_text(client, "x");
    char byte;
    receive_exactly(accept_from(listener), &byte, 1);
}

void resolves_the_name(void**) // [WSAConnectByName/1]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    const SOCKET client = tcp_socket();

    assert_true(WSAConnectByNameA(client, (char*)"localhost", service.text, nullptr, nullptr,
        nullptr, nullptr, nullptr, nullptr));
    accept_from(listener);
}

void local_address_is_told_without_its_port(void**) // [WSAConnectByName/6]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    sockaddr_in local = {};
    DWORD length = sizeof(local);

    assert_true(WSAConnectByNameA(tcp_socket(), (char*)"127.0.0.1", service.text, &length,
        (sockaddr*)&local, nullptr, nullptr, nullptr, nullptr));
    assert_int_equal(length, sizeof(local));
    assert_int_equal(local.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(local.sin_port, 0);
}

void a_timeout_does_not_change_the_blocking_mode(void**) // [WSAConnectByName/5]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    const SOCKET client = tcp_socket();
    timeval timeout = { 10, 0 };

    assert_true(WSAConnectByNameA(client, (char*)"127.0.0.1", service.text, nullptr, nullptr,
        nullptr, nullptr, &timeout, nullptr));
    const SOCKET server = accept_from(listener);
    Background* receiver = run_in_background([client] {
        char byte;
        return (long long)recv(client, &byte, 1, 0);
    });
    send_text(server, "x"); // A non-blocking receive may have failed before this.
    assert_int_equal(join(receiver).value, 1);
}

void missing_names_are_invalid(void**) // [WSAConnectByName/2]
{
    const SOCKET client = tcp_socket();

    assert_wsa_fails(WSAConnectByNameA(client, nullptr, (char*)"80", nullptr, nullptr, nullptr,
                         nullptr, nullptr, nullptr),
        FALSE, WSAEINVAL);
    assert_wsa_fails(WSAConnectByNameA(client, (char*)"127.0.0.1", nullptr, nullptr, nullptr,
                         nullptr, nullptr, nullptr, nullptr),
        FALSE, WSAEINVAL);
}

void a_reserved_argument_is_invalid(void**) // [WSAConnectByName/2]
{
    WSAOVERLAPPED reserved = {};
    assert_wsa_fails(WSAConnectByNameA(tcp_socket(), (char*)"127.0.0.1", (char*)"80", nullptr,
                         nullptr, nullptr, nullptr, nullptr, &reserved),
        FALSE, WSAEINVAL);
}

void what_is_no_socket_is_refused(void**) // [WSAConnectByName/2]
{
    assert_wsa_fails(WSAConnectByNameA(INVALID_SOCKET, (char*)"127.0.0.1", (char*)"80", nullptr,
                         nullptr, nullptr, nullptr, nullptr, nullptr),
        FALSE, WSAENOTSOCK);
}

void the_names_are_looked_at_before_the_socket(void**) // [WSAConnectByName/2]
{
    const SOCKET closed = tcp_socket();
    close_owned(closed);
    for (const SOCKET socket : { closed, INVALID_SOCKET }) {
        assert_wsa_fails(WSAConnectByNameA(socket, (char*)"127.0.0.1", nullptr, nullptr, nullptr,
                             nullptr, nullptr, nullptr, nullptr),
            FALSE, WSAEINVAL);
        assert_wsa_fails(WSAConnectByNameW(socket, nullptr, (wchar_t*)L"80", nullptr, nullptr,
                             nullptr, nullptr, nullptr, nullptr),
            FALSE, WSAEINVAL);
    }
}

void unknown_names_are_not_found(void**) // [WSAConnectByName/4]
{
    const SOCKET client = tcp_socket();

    assert_wsa_fails(WSAConnectByNameA(client, (char*)"127.0.0.1", (char*)"no-such-service",
                         nullptr, nullptr, nullptr, nullptr, nullptr, nullptr),
        FALSE, WSATYPE_NOT_FOUND);
    assert_wsa_fails(WSAConnectByNameA(client, (char*)"no-such-host.invalid", (char*)"80", nullptr,
                         nullptr, nullptr, nullptr, nullptr, nullptr),
        FALSE, WSAHOST_NOT_FOUND);
}

void a_short_length_is_left_alone(void**) // [WSAConnectByName/3]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    sockaddr_in peer = {};
    DWORD length = 3;

    assert_wsa_fails(WSAConnectByNameA(tcp_socket(), (char*)"127.0.0.1", service.text, nullptr,
                         nullptr, &length, (sockaddr*)&peer, nullptr, nullptr),
        FALSE, WSAEFAULT);
    assert_int_equal(length, 3);
}

void a_long_length_becomes_the_real_one(void**) // [WSAConnectByName/3]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    sockaddr_storage local = {}, remote = {};
    DWORD local_length = 50, remote_length = 50;

    assert_true(WSAConnectByNameA(tcp_socket(), (char*)"127.0.0.1", service.text, &local_length,
        (sockaddr*)&local, &remote_length, (sockaddr*)&remote, nullptr, nullptr));
    assert_int_equal(local_length, sizeof(sockaddr_in));
    assert_int_equal(remote_length, sizeof(sockaddr_in));
}

void half_an_end_is_not_told(void**) // [WSAConnectByName/7]
{
    const Listener listener = new_listener();
    ServiceText service(listener);
    sockaddr_in untouched = {};
    untouched.sin_family = 0x7BAB;
    for (const DWORD given : { 16, 50, 3 }) {
        sockaddr_in local = untouched;
        DWORD remote_length = given;
        assert_true(WSAConnectByNameA(tcp_socket(), (char*)"127.0.0.1", service.text, nullptr,
            (sockaddr*)&local, &remote_length, nullptr, nullptr, nullptr));
        assert_int_equal(local.sin_family, untouched.sin_family);
        assert_int_equal(remote_length, given);
    }
    sockaddr_in local = {}, remote = untouched;
    DWORD length = sizeof(local);
    assert_true(WSAConnectByNameA(tcp_socket(), (char*)"127.0.0.1", service.text, &length,
        (sockaddr*)&local, nullptr, (sockaddr*)&remote, nullptr, nullptr));
    assert_int_equal(local.sin_family, AF_INET);
    assert_int_equal(remote.sin_family, untouched.sin_family);
}

void the_wide_form_tells_the_same(void**) // [WSAConnectByName/3] [WSAConnectByName/7]
{
    const Listener listener = new_listener();
    wchar_t service[8];
    swprintf(service, 8, L"%u", local_port(listener.socket));
    const auto connect_by_name = [&](DWORD* local_length, sockaddr_storage* local,
                                     DWORD* remote_length, sockaddr_storage* remote) {
        return WSAConnectByNameW(tcp_socket(), (wchar_t*)L"127.0.0.1", service, local_length,
            (sockaddr*)local, remote_length, (sockaddr*)remote, nullptr, nullptr);
    };
    sockaddr_storage local = {}, remote = {};
    DWORD local_length = 50, remote_length = 3;
    assert_true(connect_by_name(&local_length, &local, &remote_length, nullptr));
    assert_int_equal(local_length, sizeof(sockaddr_in));
    assert_int_equal(remote_length, 3);
    assert_wsa_fails(
        connect_by_name(&local_length, &local, &remote_length, &remote), FALSE, WSAEFAULT);
    assert_int_equal(remote_length, 3);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(connects_and_tells_the_peer),
    cmocka_unit_test(resolves_the_name),
    cmocka_unit_test(local_address_is_told_without_its_port),
    cmocka_unit_test(a_timeout_does_not_change_the_blocking_mode),
    cmocka_unit_test(missing_names_are_invalid),
    cmocka_unit_test(a_reserved_argument_is_invalid),
    cmocka_unit_test(what_is_no_socket_is_refused),
    cmocka_unit_test(the_names_are_looked_at_before_the_socket),
    cmocka_unit_test(unknown_names_are_not_found),
    cmocka_unit_test(a_short_length_is_left_alone),
    cmocka_unit_test(a_long_length_becomes_the_real_one),
    cmocka_unit_test(half_an_end_is_not_told),
    cmocka_unit_test(the_wide_form_tells_the_same),
};

} // namespace

CONFORMANCE_GROUP(connect_by_name, kCases);
