// bind, and who may share an address with whom.

#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

sockaddr_in ipv4(const char* address, unsigned short port)
{
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = inet_addr(address);
    return name;
}

int bind_ipv4(SOCKET socket, const char* address, unsigned short port)
{
    const sockaddr_in name = ipv4(address, port);
    return bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
}

void set_flag(SOCKET socket, int name, Where where = Where::current())
{
    set_option(socket, SOL_SOCKET, name, TRUE, where);
}

// --- What is refused

void a_null_or_short_address_is_refused(void**) // [bind/1]
{
    const SOCKET socket = tcp_socket();
    const sockaddr_in name = ipv4("127.0.0.1", 0);
    assert_wsa_fails(bind(socket, nullptr, 0), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(bind(socket, nullptr, sizeof(name)), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        bind(socket, reinterpret_cast<const sockaddr*>(&name), 0), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof(name) - 1),
        SOCKET_ERROR, WSAEFAULT);
}

void a_short_ipv6_address_is_refused(void**) // [bind/1]
{
    if (!has_ipv6())
        skip();
    sockaddr_storage name;
    loopback_address(AF_INET6, 0, &name);
    // 24 bytes are the sockaddr_in6 of old, without a scope.
    assert_wsa_fails(bind(tcp_socket(AF_INET6), as_name(name), 24), SOCKET_ERROR, WSAEFAULT);
}

void an_address_of_an_unknown_family_is_refused(void**) // [bind/2]
{
    sockaddr_in name = ipv4("127.0.0.1", 0);
    name.sin_family = 0xABCD;
    assert_wsa_fails(bind(tcp_socket(), reinterpret_cast<sockaddr*>(&name), sizeof(name)),
        SOCKET_ERROR, WSAEAFNOSUPPORT);
}

void an_address_of_another_family_is_refused(void**) // [bind/2]
{
    sockaddr_storage six;
    const int length = loopback_address(AF_INET6, 0, &six);
    assert_wsa_fails(bind(tcp_socket(), as_name(six), length), SOCKET_ERROR, WSAEAFNOSUPPORT);
}

void an_address_that_is_not_local_is_refused(void**) // [bind/3]
{
    // A documentation address, which no host has. A stream only: whether Wine binds a datagram
    // socket to the any address instead differs from one start of its server to the next.
    assert_wsa_fails(bind_ipv4(tcp_socket(), "203.0.113.1", 0), SOCKET_ERROR, WSAEADDRNOTAVAIL);
}

void no_socket_has_the_address_of_a_group_or_a_broadcast(void**) // [bind/3]
{
    for (const char* address : { "239.255.77.9", "224.0.0.251", "255.255.255.255" }) {
        assert_wsa_fails(bind_ipv4(udp_socket(), address, 0), SOCKET_ERROR, WSAEADDRNOTAVAIL);
        assert_wsa_fails(bind_ipv4(tcp_socket(), address, 0), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    }
    // Here and not in a case of its own: see an_address_that_is_not_local_is_refused.
    const SOCKET socket = udp_socket();
    assert_wsa_fails(bind_ipv4(socket, "203.0.113.1", 0), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    assert_wsa_ok(bind_ipv4(socket, "127.0.0.1", 0));
}

void no_ipv6_socket_has_an_address_that_is_not_local(void**) // [bind/3]
{
    if (!has_ipv6())
        skip();
    // A documentation address, and a group.
    constexpr unsigned char kAddresses[][16]
        = { { 0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
              { 0xFF, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77 } };
    for (const auto& address : kAddresses) {
        for (const SOCKET socket : { tcp_socket(AF_INET6), udp_socket(AF_INET6) }) {
            sockaddr_storage name;
            const int length = loopback_address(AF_INET6, 0, &name);
            memcpy(&reinterpret_cast<sockaddr_in6&>(name).sin6_addr, address, sizeof(address));
            assert_wsa_fails(bind(socket, as_name(name), length), SOCKET_ERROR, WSAEADDRNOTAVAIL);
        }
    }
}

void a_datagram_socket_takes_each_of_the_hosts_addresses(void**) // [bind/3]
{
    char room[4096];
    DWORD size = 0;
    assert_wsa_ok(WSAIoctl(udp_socket(), SIO_ADDRESS_LIST_QUERY, nullptr, 0, room, sizeof(room),
        &size, nullptr, nullptr));
    const auto* list = reinterpret_cast<const SOCKET_ADDRESS_LIST*>(room);
    for (int i = 0; i < list->iAddressCount; ++i) {
        const SOCKET_ADDRESS& address = list->Address[i];
        assert_wsa_ok(bind(udp_socket(), address.lpSockaddr, address.iSockaddrLength));
    }
}

void a_bound_socket_cannot_be_bound_again(void**) // [bind/4]
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    assert_wsa_fails(bind_ipv4(socket, "127.0.0.1", 0), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(bind_ipv4(socket, "127.0.0.1", local_port(socket)), SOCKET_ERROR, WSAEINVAL);
}

void a_taken_address_is_refused(void**) // [bind/5]
{
    const SOCKET first = tcp_socket();
    bind_to_loopback(first);
    assert_wsa_fails(
        bind_ipv4(tcp_socket(), "127.0.0.1", local_port(first)), SOCKET_ERROR, WSAEADDRINUSE);

    const SOCKET datagram = udp_socket();
    bind_to_loopback(datagram);
    assert_wsa_fails(
        bind_ipv4(udp_socket(), "127.0.0.1", local_port(datagram)), SOCKET_ERROR, WSAEADDRINUSE);
}

void the_any_address_cannot_be_taken_twice(void**) // [bind/5]
{
    const SOCKET first = tcp_socket();
    assert_wsa_ok(bind_ipv4(first, "0.0.0.0", 0));
    assert_wsa_fails(
        bind_ipv4(tcp_socket(), "0.0.0.0", local_port(first)), SOCKET_ERROR, WSAEADDRINUSE);
}

// --- What is granted

void port_zero_takes_a_free_port(void**) // [bind/6]
{
    const SOCKET first = tcp_socket();
    const SOCKET second = tcp_socket();
    bind_to_loopback(first);
    bind_to_loopback(second);
    assert_int_not_equal(local_port(first), 0);
    assert_int_not_equal(local_port(first), local_port(second));
}

void a_successful_bind_clears_the_last_error(void**) // [bind/6]
{
    WSASetLastError(kPoison);
    const SOCKET socket = tcp_socket();
    WSASetLastError(kPoison);
    assert_int_equal(bind_ipv4(socket, "127.0.0.1", 0), 0);
    assert_int_equal(WSAGetLastError(), 0);
}

void a_failed_bind_leaves_the_socket_usable(void**) // [bind/7]
{
    const SOCKET first = tcp_socket();
    const SOCKET second = tcp_socket();
    bind_to_loopback(first);
    assert_wsa_fails(
        bind_ipv4(second, "127.0.0.1", local_port(first)), SOCKET_ERROR, WSAEADDRINUSE);
    bind_to_loopback(second);
}

void the_port_is_free_again_after_closesocket(void**) // [bind/8]
{
    const SOCKET first = udp_socket();
    bind_to_loopback(first);
    const unsigned short port = local_port(first);
    close_owned(first);
    assert_wsa_ok(bind_ipv4(udp_socket(), "127.0.0.1", port));
}

void tcp_and_udp_ports_are_apart(void**) // [bind/8]
{
    const SOCKET stream = tcp_socket();
    bind_to_loopback(stream);
    assert_wsa_ok(bind_ipv4(udp_socket(), "127.0.0.1", local_port(stream)));
}

// --- Sharing

void two_that_allow_reuse_share_an_address(void**) // [bind/9]
{
    const SOCKET first = tcp_socket();
    const SOCKET second = tcp_socket();
    set_flag(first, SO_REUSEADDR);
    set_flag(second, SO_REUSEADDR);
    bind_to_loopback(first);
    assert_wsa_ok(bind_ipv4(second, "127.0.0.1", local_port(first)));
}

void two_that_allow_reuse_may_both_listen(void**) // [bind/9]
{
    const SOCKET first = tcp_socket();
    const SOCKET second = tcp_socket();
    set_flag(first, SO_REUSEADDR);
    set_flag(second, SO_REUSEADDR);
    bind_to_loopback(first);
    assert_wsa_ok(bind_ipv4(second, "127.0.0.1", local_port(first)));
    assert_wsa_ok(listen(first, 5));
    assert_wsa_ok(listen(second, 5));
}

void reuse_needs_the_first_to_allow_it(void**) // [bind/10]
{
    const SOCKET first = tcp_socket();
    const SOCKET second = tcp_socket();
    bind_to_loopback(first);
    set_flag(second, SO_REUSEADDR);
    assert_wsa_fails(bind_ipv4(second, "127.0.0.1", local_port(first)), SOCKET_ERROR, WSAEACCES);
}

void reuse_of_an_exclusive_address_is_refused(void**) // [bind/10]
{
    const SOCKET first = tcp_socket();
    const SOCKET second = tcp_socket();
    set_flag(first, SO_EXCLUSIVEADDRUSE);
    bind_to_loopback(first);
    set_flag(second, SO_REUSEADDR);
    assert_wsa_fails(bind_ipv4(second, "127.0.0.1", local_port(first)), SOCKET_ERROR, WSAEACCES);
}

void reuse_and_exclusive_exclude_each_other(void**) // [bind/11]
{
    const BOOL yes = TRUE;
    const SOCKET first = tcp_socket();
    set_flag(first, SO_REUSEADDR);
    assert_wsa_fails(setsockopt(first, SOL_SOCKET, SO_EXCLUSIVEADDRUSE,
                         reinterpret_cast<const char*>(&yes), sizeof(yes)),
        SOCKET_ERROR, WSAEINVAL);
    const SOCKET second = tcp_socket();
    set_flag(second, SO_EXCLUSIVEADDRUSE);
    assert_wsa_fails(setsockopt(second, SOL_SOCKET, SO_REUSEADDR,
                         reinterpret_cast<const char*>(&yes), sizeof(yes)),
        SOCKET_ERROR, WSAEINVAL);
}

void the_more_specific_of_two_listeners_gets_the_connection(void**) // [bind/12]
{
    const SOCKET any = tcp_socket();
    const SOCKET specific = tcp_socket();
    assert_wsa_ok(bind_ipv4(any, "0.0.0.0", 0));
    assert_wsa_ok(bind_ipv4(specific, "127.0.0.1", local_port(any)));
    assert_wsa_ok(listen(any, 5));
    assert_wsa_ok(listen(specific, 5));
    set_nonblocking(any);
    set_nonblocking(specific);
    const SOCKET client = tcp_socket();
    const sockaddr_in name = ipv4("127.0.0.1", local_port(any));
    assert_wsa_ok(connect(client, reinterpret_cast<const sockaddr*>(&name), sizeof(name)));
    wait_until_readable(specific);
    assert_wsa_fails(accept(any, nullptr, nullptr), INVALID_SOCKET, WSAEWOULDBLOCK);
}

/// How one of the two sockets of a sharing row is bound. IPv6 sockets are dual-stack.
struct Bound {
    enum Address { kAny, kLoopback, kAny6, kLoopback6, kMappedAny, kMappedLoopback } address;
    bool exclusive;
};

struct SharingRow {
    Bound first;
    Bound second;
    int error;
};

int bind_as(const Bound& how, unsigned short port, SOCKET* result)
{
    const bool six = how.address >= Bound::kAny6;
    *result = tcp_socket(six ? AF_INET6 : AF_INET);
    if (six)
        set_option(*result, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (how.exclusive)
        set_flag(*result, SO_EXCLUSIVEADDRUSE);
    if (!six)
        return bind_ipv4(*result, how.address == Bound::kAny ? "0.0.0.0" : "127.0.0.1", port);

    sockaddr_in6 name = {};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    if (how.address == Bound::kLoopback6)
        name.sin6_addr.s6_addr[15] = 1;
    if (how.address >= Bound::kMappedAny)
        memset(name.sin6_addr.s6_addr + 10, 0xFF, 2);
    if (how.address == Bound::kMappedLoopback) {
        name.sin6_addr.s6_addr[12] = 127;
        name.sin6_addr.s6_addr[15] = 1;
    }
    return bind(*result, reinterpret_cast<sockaddr*>(&name), sizeof(name));
}

void check_sharing(void** state)
{
    const auto* row = static_cast<const SharingRow*>(*state);
    if ((row->first.address >= Bound::kAny6 || row->second.address >= Bound::kAny6) && !has_ipv6())
        skip();
    SOCKET first;
    SOCKET second;
    assert_wsa_ok(bind_as(row->first, 0, &first));
    WSASetLastError(kPoison);
    const int result = bind_as(row->second, local_port(first), &second);
    assert_int_equal(result ? WSAGetLastError() : 0, row->error);
}

SharingRow rows[] = {
    { { Bound::kAny, true }, { Bound::kLoopback, false }, WSAEACCES },
    { { Bound::kAny6, true }, { Bound::kLoopback, false }, WSAEACCES },
    { { Bound::kAny, false }, { Bound::kLoopback, true }, 0 },
    { { Bound::kAny, true }, { Bound::kLoopback, true }, WSAEACCES },
    { { Bound::kLoopback, true }, { Bound::kAny, false }, 0 },
    { { Bound::kLoopback, false }, { Bound::kAny, true }, WSAEADDRINUSE },
    { { Bound::kLoopback, false }, { Bound::kAny6, true }, WSAEADDRINUSE },
    { { Bound::kLoopback6, false }, { Bound::kAny, true }, 0 },
    { { Bound::kLoopback6, true }, { Bound::kLoopback, true }, 0 },
    { { Bound::kMappedLoopback, false }, { Bound::kAny, true }, WSAEADDRINUSE },
    { { Bound::kAny6, true }, { Bound::kAny, false }, WSAEACCES },
    { { Bound::kAny6, false }, { Bound::kAny, true }, 0 },
    { { Bound::kAny, false }, { Bound::kAny, true }, WSAEADDRINUSE },
    { { Bound::kAny6, false }, { Bound::kAny, false }, 0 },
    { { Bound::kMappedAny, false }, { Bound::kAny, false }, WSAEADDRINUSE },
    { { Bound::kMappedLoopback, false }, { Bound::kLoopback, false }, WSAEADDRINUSE },
    { { Bound::kLoopback, true }, { Bound::kLoopback, false }, WSAEADDRINUSE },
    { { Bound::kLoopback, false }, { Bound::kLoopback, true }, WSAEADDRINUSE },
};

#define SHARING_CASE(name, index)                                                                  \
    {                                                                                              \
#name, check_sharing, nullptr, nullptr, &rows[index]                                       \
    }

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_null_or_short_address_is_refused),
    cmocka_unit_test(a_short_ipv6_address_is_refused),
    cmocka_unit_test(an_address_of_an_unknown_family_is_refused),
    cmocka_unit_test(an_address_of_another_family_is_refused),
    cmocka_unit_test(an_address_that_is_not_local_is_refused),
    cmocka_unit_test(no_socket_has_the_address_of_a_group_or_a_broadcast),
    cmocka_unit_test(no_ipv6_socket_has_an_address_that_is_not_local),
    cmocka_unit_test(a_datagram_socket_takes_each_of_the_hosts_addresses),
    cmocka_unit_test(a_bound_socket_cannot_be_bound_again),
    cmocka_unit_test(a_taken_address_is_refused),
    cmocka_unit_test(the_any_address_cannot_be_taken_twice),
    cmocka_unit_test(port_zero_takes_a_free_port),
    cmocka_unit_test(a_successful_bind_clears_the_last_error),
    cmocka_unit_test(a_failed_bind_leaves_the_socket_usable),
    cmocka_unit_test(the_port_is_free_again_after_closesocket),
    cmocka_unit_test(tcp_and_udp_ports_are_apart),
    cmocka_unit_test(two_that_allow_reuse_share_an_address),
    cmocka_unit_test(two_that_allow_reuse_may_both_listen),
    cmocka_unit_test(reuse_needs_the_first_to_allow_it),
    cmocka_unit_test(reuse_of_an_exclusive_address_is_refused),
    cmocka_unit_test(reuse_and_exclusive_exclude_each_other),
    cmocka_unit_test(the_more_specific_of_two_listeners_gets_the_connection),
    SHARING_CASE(loopback_under_an_exclusive_any_is_refused, 0), // [bind/13]
    SHARING_CASE(loopback_under_an_exclusive_dual_any_is_refused, 1), // [bind/13]
    SHARING_CASE(exclusive_loopback_under_any_is_granted, 2), // [bind/13]
    SHARING_CASE(exclusive_loopback_under_an_exclusive_any_is_refused, 3), // [bind/13]
    SHARING_CASE(any_over_an_exclusive_loopback_is_granted, 4), // [bind/13]
    SHARING_CASE(exclusive_any_over_loopback_is_refused, 5), // [bind/13]
    SHARING_CASE(exclusive_dual_any_over_loopback_is_refused, 6), // [bind/13]
    SHARING_CASE(exclusive_any_beside_ipv6_loopback_is_granted, 7), // [bind/13]
    SHARING_CASE(exclusive_loopbacks_of_both_families_are_granted, 8), // [bind/13]
    SHARING_CASE(exclusive_any_over_a_mapped_loopback_is_refused, 9), // [bind/13]
    SHARING_CASE(any_under_an_exclusive_dual_any_is_refused, 10), // [bind/13]
    SHARING_CASE(exclusive_any_under_a_dual_any_is_granted, 11), // [bind/13]
    SHARING_CASE(exclusive_any_over_any_is_refused, 12), // [bind/13]
    SHARING_CASE(any_under_a_dual_any_is_granted, 13), // [bind/13]
    SHARING_CASE(any_over_a_mapped_any_is_refused, 14), // [bind/13]
    SHARING_CASE(loopback_over_a_mapped_loopback_is_refused, 15), // [bind/13]
    SHARING_CASE(loopback_over_an_exclusive_loopback_is_refused, 16), // [bind/13]
    SHARING_CASE(exclusive_loopback_over_loopback_is_refused, 17), // [bind/13]
};

} // namespace

CONFORMANCE_GROUP(bind, kCases);
