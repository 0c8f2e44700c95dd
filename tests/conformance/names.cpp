// getsockname and getpeername.

#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

struct Name {
    sockaddr_storage address;
    int length;
};

Name poisoned_name(int length = sizeof(sockaddr_storage))
{
    Name name;
    memset(&name.address, 0xCC, sizeof(name.address));
    name.length = length;
    return name;
}

int local_name_of(SOCKET socket, Name& name)
{
    return getsockname(socket, as_name(name.address), &name.length);
}

int peer_name_of(SOCKET socket, Name& name)
{
    return getpeername(socket, as_name(name.address), &name.length);
}

const sockaddr_in& ipv4(const Name& name)
{
    return reinterpret_cast<const sockaddr_in&>(name.address);
}

// --- getsockname

void an_unbound_socket_has_no_name(void**) // [getsockname/1]
{
    Name name = poisoned_name();
    const Name untouched = name;
    assert_wsa_fails(local_name_of(tcp_socket(), name), SOCKET_ERROR, WSAEINVAL);
    assert_memory_equal(&name.address, &untouched.address, sizeof(name.address));
    assert_wsa_fails(local_name_of(udp_socket(), name), SOCKET_ERROR, WSAEINVAL);
}

void a_bound_socket_tells_its_address(void**) // [getsockname/2]
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    Name name = poisoned_name();
    WSASetLastError(kPoison);
    assert_int_equal(local_name_of(socket, name), 0);
    assert_int_equal(WSAGetLastError(), 0);
    assert_int_equal(name.length, sizeof(sockaddr_in));
    assert_int_equal(ipv4(name).sin_family, AF_INET);
    assert_int_equal(ipv4(name).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_not_equal(ipv4(name).sin_port, 0);
}

void the_padding_of_a_name_is_zeroed(void**) // [getsockname/4]
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    Name name = poisoned_name();
    assert_wsa_ok(local_name_of(socket, name));
    const char zeroes[sizeof(sockaddr_in::sin_zero)] = {};
    assert_memory_equal(ipv4(name).sin_zero, zeroes, sizeof(zeroes));
}

void a_buffer_that_is_too_short_is_refused(void**) // [getsockname/3]
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    for (int length : { 0, 1, int { sizeof(sockaddr_in) } - 1 }) {
        Name name = poisoned_name(length);
        assert_wsa_fails(local_name_of(socket, name), SOCKET_ERROR, WSAEFAULT);
        assert_int_equal(name.length, length);
    }
}

void null_pointers_are_refused(void**) // [getsockname/7]
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    Name name = poisoned_name();
    assert_wsa_fails(getsockname(socket, as_name(name.address), nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(getsockname(socket, nullptr, &name.length), SOCKET_ERROR, WSAEFAULT);
}

void a_socket_bound_to_any_tells_any(void**) // [getsockname/5]
{
    const SOCKET socket = tcp_socket();
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    assert_wsa_ok(bind(socket, reinterpret_cast<sockaddr*>(&any), sizeof(any)));
    assert_int_equal(local_name(socket).sin_addr.s_addr, htonl(INADDR_ANY));
    assert_int_not_equal(local_name(socket).sin_port, 0);
}

void connecting_makes_the_any_address_real(void**) // [getsockname/5]
{
    const Listener listener = new_listener();
    const SOCKET socket = tcp_socket();
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    assert_wsa_ok(bind(socket, reinterpret_cast<sockaddr*>(&any), sizeof(any)));
    assert_int_equal(local_name(socket).sin_addr.s_addr, htonl(INADDR_ANY));
    const unsigned short port = local_port(socket);
    assert_wsa_ok(connect(socket, as_name(listener.address), listener.address_length));
    assert_int_equal(local_name(socket).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(local_port(socket), port);
}

void sending_a_datagram_gives_a_name(void**) // [getsockname/6]
{
    const SOCKET receiver = udp_socket();
    const SOCKET sender = udp_socket();
    bind_to_loopback(receiver);
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(receiver), &address);
    assert_int_equal(sendto(sender, "x", 1, 0, as_name(address), length), 1);
    assert_int_equal(local_name(sender).sin_addr.s_addr, htonl(INADDR_ANY));
    assert_int_not_equal(local_port(sender), 0);
}

void an_ipv6_name_is_a_longer_one(void**) // [getsockname/2]
{
    if (!has_ipv6())
        skip();
    const SOCKET socket = tcp_socket(AF_INET6);
    bind_to_loopback(socket, AF_INET6);
    Name name = poisoned_name();
    assert_wsa_ok(local_name_of(socket, name));
    assert_int_equal(name.length, sizeof(sockaddr_in6));
    assert_int_equal(name.address.ss_family, AF_INET6);
}

// --- getpeername

void both_ends_tell_each_others_names(void**) // [getpeername/1]
{
    const TcpPair pair = new_tcp_pair();
    Name name = poisoned_name();
    WSASetLastError(kPoison);
    assert_int_equal(peer_name_of(pair.client, name), 0);
    assert_int_equal(WSAGetLastError(), 0);
    assert_int_equal(name.length, sizeof(sockaddr_in));
    assert_int_equal(ntohs(ipv4(name).sin_port), local_port(pair.server));
    name = poisoned_name();
    assert_wsa_ok(peer_name_of(pair.server, name));
    assert_int_equal(ntohs(ipv4(name).sin_port), local_port(pair.client));
}

void a_socket_without_a_peer_is_not_connected(void**) // [getpeername/2]
{
    Name name = poisoned_name();
    const Name untouched = name;
    assert_wsa_fails(peer_name_of(tcp_socket(), name), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(peer_name_of(udp_socket(), name), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(peer_name_of(new_listener().socket, name), SOCKET_ERROR, WSAENOTCONN);
    assert_memory_equal(&name.address, &untouched.address, sizeof(name.address));
}

void the_connection_is_checked_before_the_pointers(void**) // [getpeername/3]
{
    int length = 0;
    const SOCKET socket = tcp_socket();
    assert_wsa_fails(getpeername(INVALID_SOCKET, nullptr, nullptr), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(getpeername(socket, nullptr, nullptr), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(getpeername(socket, nullptr, &length), SOCKET_ERROR, WSAENOTCONN);
}

void null_pointers_are_refused_when_connected(void**) // [getpeername/3]
{
    const TcpPair pair = new_tcp_pair();
    Name name = poisoned_name();
    assert_wsa_fails(getpeername(pair.client, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        getpeername(pair.client, as_name(name.address), nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(getpeername(pair.client, nullptr, &name.length), SOCKET_ERROR, WSAEFAULT);
}

void a_peer_name_needs_room(void**) // [getpeername/3]
{
    const TcpPair pair = new_tcp_pair();
    Name name = poisoned_name(sizeof(sockaddr_in) - 1);
    assert_wsa_fails(peer_name_of(pair.client, name), SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(name.length, sizeof(sockaddr_in) - 1);
}

void names_stay_after_shutdown(void**) // [getpeername/4] [shutdown/6]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_BOTH));
    Name name = poisoned_name();
    assert_wsa_ok(peer_name_of(pair.client, name));
    assert_int_equal(ntohs(ipv4(name).sin_port), local_port(pair.server));
    assert_int_not_equal(local_port(pair.client), 0);
}

void names_stay_when_both_ends_have_shut_down(void**) // [getpeername/4]
{
    for (const bool in_two_steps : { false, true }) {
        const TcpPair pair = new_tcp_pair();
        if (in_two_steps) {
            assert_wsa_ok(shutdown(pair.client, SD_SEND));
            assert_wsa_ok(shutdown(pair.client, SD_RECEIVE));
            assert_wsa_ok(shutdown(pair.server, SD_SEND));
        } else {
            assert_wsa_ok(shutdown(pair.client, SD_BOTH));
            assert_wsa_ok(shutdown(pair.server, SD_BOTH));
        }
        let_it_settle();
        Name name = poisoned_name();
        assert_wsa_ok(peer_name_of(pair.client, name));
        assert_int_equal(ntohs(ipv4(name).sin_port), local_port(pair.server));
        name = poisoned_name();
        assert_wsa_ok(peer_name_of(pair.server, name));
        assert_int_equal(ntohs(ipv4(name).sin_port), local_port(pair.client));
    }
}

void names_stay_after_the_peer_has_closed(void**) // [getpeername/4]
{
    const TcpPair pair = new_tcp_pair();
    const unsigned short port = local_port(pair.server);
    close_owned(pair.server);
    wait_until_readable(pair.client);
    Name name = poisoned_name();
    assert_wsa_ok(peer_name_of(pair.client, name));
    assert_int_equal(ntohs(ipv4(name).sin_port), port);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_unbound_socket_has_no_name),
    cmocka_unit_test(a_bound_socket_tells_its_address),
    cmocka_unit_test(the_padding_of_a_name_is_zeroed),
    cmocka_unit_test(a_buffer_that_is_too_short_is_refused),
    cmocka_unit_test(null_pointers_are_refused),
    cmocka_unit_test(a_socket_bound_to_any_tells_any),
    cmocka_unit_test(connecting_makes_the_any_address_real),
    cmocka_unit_test(sending_a_datagram_gives_a_name),
    cmocka_unit_test(an_ipv6_name_is_a_longer_one),
    cmocka_unit_test(both_ends_tell_each_others_names),
    cmocka_unit_test(a_socket_without_a_peer_is_not_connected),
    cmocka_unit_test(the_connection_is_checked_before_the_pointers),
    cmocka_unit_test(null_pointers_are_refused_when_connected),
    cmocka_unit_test(a_peer_name_needs_room),
    cmocka_unit_test(names_stay_after_shutdown),
    cmocka_unit_test(names_stay_after_the_peer_has_closed),
    cmocka_unit_test(names_stay_when_both_ends_have_shut_down),
};

} // namespace

CONFORMANCE_GROUP(names, kCases);
