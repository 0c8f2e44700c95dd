// WSAConnectByList.

#include "exports.h"
#include "sockets.h"

#include <cstring>

using namespace conformance;

namespace {

/// A list of addresses, and the call on it.
class AddressList {
public:
    void add(const void* address, int length)
    {
        const int i = m_list.count++;
        memcpy(&m_addresses[i], address, length);
        m_list.entries[i] = { (sockaddr*)&m_addresses[i], length };
    }
    void add(const Listener& listener) { add(&listener.address, listener.address_length); }

    SOCKET_ADDRESS_LIST* get() { return (SOCKET_ADDRESS_LIST*)&m_list; }
    SOCKET_ADDRESS& operator[](int i) { return m_list.entries[i]; }

private:
    struct {
        INT count;
        SOCKET_ADDRESS entries[4];
    } m_list = {};
    static_assert(offsetof(decltype(m_list), entries) == offsetof(SOCKET_ADDRESS_LIST, Address));
    sockaddr_storage m_addresses[4] = {};
};

BOOL connect_by(
    SOCKET socket, AddressList& list, timeval* timeout = nullptr, WSAOVERLAPPED* reserved = nullptr)
{
    return EXPORT_OF(WSAConnectByList)(
        socket, list.get(), nullptr, nullptr, nullptr, nullptr, timeout, reserved);
}

/// The address of a port nobody listens on: bound, so that nobody else does either.
sockaddr_in refusing_address()
{
    const SOCKET bound = tcp_socket();
    bind_to_loopback(bound);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(local_port(bound));
    return address;
}

void connects_to_an_address_and_tells_both_ends(void**) // [WSAConnectByList/1]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    AddressList list;
    list.add(listener);
    sockaddr_in local = {}, remote = {}, name = {};
    DWORD local_length = 50, remote_length = sizeof(remote);
    int length = sizeof(name);

    assert_true(EXPORT_OF(WSAConnectByList)(client, list.get(), &local_length, (sockaddr*)&local,
        &remote_length, (sockaddr*)&remote, nullptr, nullptr));
    assert_int_equal(local_length, sizeof(local));
    assert_int_equal(remote_length, sizeof(remote));
    assert_memory_equal(&remote, &listener.address, sizeof(remote));
    assert_wsa_ok(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
    assert_wsa_ok(getsockname(client, (sockaddr*)&name, &length));
    assert_memory_equal(&local, &name, sizeof(name));
    send_text(client, "x");
    char byte;
    receive_exactly(accept_from(listener), &byte, 1);
}

void the_first_address_that_answers_is_taken(void**) // [WSAConnectByList/3]
{
    const Listener listener = new_listener();
    const sockaddr_in refusing = refusing_address();
    timeval limit = { 60, 0 };
    for (timeval* timeout : { (timeval*)nullptr, &limit }) {
        AddressList list;
        list.add(&refusing, sizeof(refusing));
        list.add(listener);
        const SOCKET client = tcp_socket();
        assert_true(connect_by(client, list, timeout));
        accept_from(listener);
    }
}

void the_error_is_that_of_the_last_attempt(void**) // [WSAConnectByList/3]
{
    const sockaddr_in refusing = refusing_address();
    AddressList list;
    list.add(&refusing, sizeof(refusing));
    assert_wsa_fails(connect_by(tcp_socket(), list), FALSE, WSAECONNREFUSED);
}

void a_non_blocking_socket_waits_all_the_same(void**) // [WSAConnectByList/4]
{
    const Listener listener = new_listener();
    AddressList list;
    list.add(listener);
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    assert_true(connect_by(client, list));
    accept_from(listener);
    char byte;
    assert_wsa_fails(recv(client, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_socket_of_both_families_takes_ipv4_addresses(void**) // [WSAConnectByList/5]
{
    if (!has_ipv6())
        skip();
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket(AF_INET6);
    DWORD v6_only = 0;
    assert_wsa_ok(
        setsockopt(client, IPPROTO_IPV6, IPV6_V6ONLY, (const char*)&v6_only, sizeof(v6_only)));
    AddressList list;
    list.add(listener);
    sockaddr_in6 remote = {};
    DWORD length = sizeof(remote);
    assert_true(EXPORT_OF(WSAConnectByList)(
        client, list.get(), nullptr, nullptr, &length, (sockaddr*)&remote, nullptr, nullptr));
    assert_int_equal(length, sizeof(remote));
    assert_true(IN6_IS_ADDR_V4MAPPED(&remote.sin6_addr));
    accept_from(listener);
}

void bad_arguments_of_a_list_are_refused(void**) // [WSAConnectByList/2]
{
    const Listener listener = new_listener();
    AddressList none, list, torn;
    list.add(listener);
    torn.add(listener);
    torn[0].lpSockaddr = nullptr;
    WSAOVERLAPPED reserved = {};
    sockaddr_in remote = {};
    DWORD length = 3;
    const SOCKET bound = tcp_socket();
    bind_to_loopback(bound);

    assert_wsa_fails(connect_by(INVALID_SOCKET, list), FALSE, WSAENOTSOCK);
    assert_wsa_fails(EXPORT_OF(WSAConnectByList)(tcp_socket(), nullptr, nullptr, nullptr, nullptr,
                         nullptr, nullptr, nullptr),
        FALSE, WSAEINVAL);
    assert_wsa_fails(connect_by(tcp_socket(), list, nullptr, &reserved), FALSE, WSAEINVAL);
    assert_wsa_fails(connect_by(udp_socket(), list), FALSE, WSAEINVAL);
    assert_wsa_fails(connect_by(bound, list), FALSE, WSAEINVAL);
    assert_wsa_fails(connect_by(tcp_socket(), none), FALSE, WSAEINVAL);
    assert_wsa_fails(connect_by(tcp_socket(), torn), FALSE, WSAEFAULT);
    assert_wsa_fails(EXPORT_OF(WSAConnectByList)(tcp_socket(), list.get(), nullptr, nullptr,
                         &length, (sockaddr*)&remote, nullptr, nullptr),
        FALSE, WSAEFAULT);
    assert_int_equal(length, 3);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(connects_to_an_address_and_tells_both_ends),
    cmocka_unit_test(the_first_address_that_answers_is_taken),
    cmocka_unit_test(the_error_is_that_of_the_last_attempt),
    cmocka_unit_test(a_non_blocking_socket_waits_all_the_same),
    cmocka_unit_test(a_socket_of_both_families_takes_ipv4_addresses),
    cmocka_unit_test(bad_arguments_of_a_list_are_refused),
};

} // namespace

CONFORMANCE_GROUP(connect_by_list, kCases);
