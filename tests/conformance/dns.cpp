// What names that only DNS knows come to. It takes a name server with certain names, and a computer
// without an IPv6 address that reaches beyond its link: `ws2 test --side names` has both.

#include "sockets.h"

#include <cstdlib>
#include <cstring>

using namespace conformance;

namespace {

constexpr char kBoth[] = "both.ws2.example"; // 192.0.2.77 and .78, 2001:db8::77
constexpr char kAlias[] = "alias.ws2.example"; // of that

void need_name_server()
{
    if (!getenv("WS2_TEST_NAME_SERVER"))
        skip();
}

/// The lookup's error. `count` gets the number of IPv4 addresses; no other may be there.
int look_up(const char* node, int family, int type, int flags, int& count)
{
    ADDRINFOA hints = {};
    hints.ai_family = family;
    hints.ai_socktype = type;
    hints.ai_flags = flags;
    ADDRINFOA* list = nullptr;
    const int error = getaddrinfo(node, "80", &hints, &list);
    bool is_all_ipv4 = true;
    count = 0;
    for (const ADDRINFOA* info = list; info; info = info->ai_next, ++count)
        is_all_ipv4 = is_all_ipv4 && info->ai_family == AF_INET;
    freeaddrinfo(list);
    assert_true(is_all_ipv4);
    return error;
}

void no_ipv6_address_is_given_where_none_can_be_reached(void**) // [getaddrinfo/16]
{
    need_name_server();
    int count = 0;
    for (const int type : { 0, int { SOCK_STREAM }, int { SOCK_DGRAM } }) {
        for (const int flags : { 0, AI_ADDRCONFIG }) {
            assert_int_equal(look_up(kBoth, AF_UNSPEC, type, flags, count), 0);
            assert_int_equal(count, 2);
            assert_int_equal(look_up(kBoth, AF_INET, type, flags, count), 0);
            assert_int_equal(count, 2);
            assert_int_equal(look_up(kBoth, AF_INET6, type, flags, count), WSANO_DATA);
        }
    }
}

void a_name_that_nobody_has_is_not_found(void**) // [getaddrinfo/9]
{
    need_name_server();
    int count = 0;
    assert_int_equal(look_up("nobody.ws2.example", AF_UNSPEC, 0, 0, count), WSAHOST_NOT_FOUND);
}

void the_entry_of_an_alias_is_one_block_in_order(void**) // [gethostbyname/5]
{
    need_name_server();
    const hostent* host = gethostbyname(kAlias);
    assert_non_null(host);
    assert_string_equal(host->h_name, kBoth);
    assert_ptr_equal(host->h_aliases, host + 1);
    assert_string_equal(host->h_aliases[0], kAlias);
    assert_null(host->h_aliases[1]);
    assert_ptr_equal(host->h_addr_list, host->h_aliases + 2);
    assert_ptr_equal(host->h_addr_list[0], host->h_addr_list + 3);
    assert_ptr_equal(host->h_addr_list[1], host->h_addr_list[0] + 4);
    assert_null(host->h_addr_list[2]);
}

/// The address of the first entry, in host order.
ULONG wide_look_up(const wchar_t* node)
{
    ADDRINFOW* list = nullptr;
    assert_int_equal(GetAddrInfoW(node, nullptr, nullptr, &list), 0);
    const ULONG address
        = ntohl(reinterpret_cast<const sockaddr_in*>(list->ai_addr)->sin_addr.s_addr);
    const bool is_named = list->ai_canonname;
    FreeAddrInfoW(list);
    assert_false(is_named);
    return address;
}

void a_wide_name_is_encoded_for_dns(void**) // [getaddrinfo/14]
{
    need_name_server();
    const wchar_t* const encoded = L"\x30C6\x30B9\x30C8.ws2.example";
    assert_int_equal(wide_look_up(encoded), 0xC000024F);
    assert_int_equal(wide_look_up(L"xn--zckzah.ws2.example"), 0xC000024F);
    ADDRINFOW hints = {};
    hints.ai_flags = AI_DISABLE_IDN_ENCODING;
    ADDRINFOW* list = nullptr;
    const int error = GetAddrInfoW(encoded, nullptr, &hints, &list);
    assert_true(error == WSAHOST_NOT_FOUND || error == WSATRY_AGAIN);
    assert_null(list);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(no_ipv6_address_is_given_where_none_can_be_reached),
    cmocka_unit_test(a_name_that_nobody_has_is_not_found),
    cmocka_unit_test(the_entry_of_an_alias_is_one_block_in_order),
    cmocka_unit_test(a_wide_name_is_encoded_for_dns),
};

} // namespace

CONFORMANCE_GROUP(dns, kCases);
