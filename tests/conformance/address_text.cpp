// Addresses as text: inet_addr, inet_ntoa, inet_ntop, inet_pton, WSAAddressToString,
// WSAStringToAddress.

#include "harness.h"

#include <cstring>
#include <cwchar>

using namespace conformance;

namespace {

struct DottedRow {
    const char* text;
    unsigned long address; // in memory order
};

void inet_addr_reads_one_to_four_parts(void**) // [inet_addr/3]
{
    const DottedRow rows[] = {
        { "1.2.3.4", 0x04030201 },
        { "1.2.3", 0x03000201 },
        { "1.2", 0x02000001 },
        { "1", 0x01000000 },
        { "1.2.65535", 0xFFFF0201 },
        { "1.16777215", 0xFFFFFF01 },
        { "255.255.255.255", INADDR_NONE },
    };
    for (const DottedRow& row : rows)
        assert_int_equal(inet_addr(row.text), row.address);
}

void inet_addr_reads_octal_and_hexadecimal_parts(void**) // [inet_addr/4]
{
    assert_int_equal(inet_addr("004.003.002.020"), 0x10020304);
    assert_int_equal(inet_addr("0x4.0X3.0x2.0x10"), 0x10020304);
    assert_int_equal(inet_addr("4.003.002.0x10"), 0x10020304);
    assert_int_equal(inet_addr("0x7f000001"), 0x0100007F);
}

void inet_addr_refuses_what_is_no_address(void**) // [inet_addr/1]
{
    const char* const texts[]
        = { "", "x", "256.1.1.1", "1.256.1.1", "1.2.3.256", "1.2.65536", "1.16777216", "4294967296",
              "1.2.3.4.5", "1.2.3.4x", "1..2", "1.", ".1", "-1", "08.1.1.1", "0x", " 1.2.3.4" };
    for (const char* text : texts)
        assert_int_equal(inet_addr(text), INADDR_NONE);
}

void inet_addr_stops_at_white_space(void**) // [inet_addr/5]
{
    assert_int_equal(inet_addr("1.2.3.4 x"), 0x04030201);
    assert_int_equal(inet_addr("1 .2"), 0x01000000);
    assert_int_equal(inet_addr(" "), 0);
}

void inet_addr_sets_an_error_for_null_only(void**) // [inet_addr/2]
{
    WSASetLastError(kPoison);
    assert_int_equal(inet_addr("x"), INADDR_NONE);
    assert_int_equal(WSAGetLastError(), kPoison);

    WSASetLastError(kPoison);
    assert_int_equal(inet_addr(nullptr), INADDR_NONE);
    assert_int_equal(WSAGetLastError(), WSAEFAULT);
}

void inet_ntoa_keeps_one_text_per_thread(void**) // [inet_ntoa/1]
{
    IN_ADDR address;
    address.s_addr = 0x04030201;
    char* const text = inet_ntoa(address);
    assert_string_equal(text, "1.2.3.4");

    const Outcome outcome = join(run_in_background([] {
        IN_ADDR other;
        other.s_addr = 0xFFFFFFFF;
        return (long long)(strcmp(inet_ntoa(other), "255.255.255.255") == 0);
    }));
    assert_true(outcome.value);
    assert_string_equal(text, "1.2.3.4");
    address.s_addr = 0;
    assert_ptr_equal(inet_ntoa(address), text);
}

void inet_pton_reads_four_decimal_parts(void**) // [inet_pton/1]
{
    IN_ADDR address;
    assert_int_equal(inet_pton(AF_INET, "1.2.3.4", &address), 1);
    assert_int_equal(address.s_addr, 0x04030201);

    const char* const refused[] = { "", "1.2.3", "1", "01.2.3.4", "0x1.2.3.4", "1.2.3.256",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "::1", "localhost" };
    for (const char* text : refused) {
        WSASetLastError(kPoison);
        assert_int_equal(inet_pton(AF_INET, text, &address), 0);
        assert_int_equal(WSAGetLastError(), kPoison);
    }
}

void inet_pton_reads_ipv6(void**) // [inet_pton/2]
{
    IN6_ADDR address;
    assert_int_equal(inet_pton(AF_INET6, "::1", &address), 1);
    assert_memory_equal(&address, &in6addr_loopback, sizeof(address));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:1.2.3.4", &address), 1);
    assert_int_equal(address.s6_addr[10], 0xFF);
    assert_int_equal(address.s6_addr[15], 4);

    const char* const refused[] = { "", "fe80::1%3", "[::1]", "[::1]:80", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "12345::", ":::", "g::", "1.2.3.4" };
    for (const char* text : refused)
        assert_int_equal(inet_pton(AF_INET6, text, &address), 0);
}

void inet_pton_rejects_bad_arguments(void**) // [inet_pton/3]
{
    IN_ADDR address;
    assert_wsa_fails(inet_pton(99, "1.2.3.4", &address), -1, WSAEAFNOSUPPORT);
    assert_wsa_fails(inet_pton(AF_INET, nullptr, &address), -1, WSAEFAULT);
    assert_wsa_fails(inet_pton(AF_INET, "1.2.3.4", nullptr), -1, WSAEFAULT);
    assert_wsa_fails(InetPtonW(99, L"1.2.3.4", &address), -1, WSAEAFNOSUPPORT);
    for (const int family : { AF_UNSPEC, 99 }) {
        assert_wsa_fails(inet_pton(family, nullptr, &address), -1, WSAEFAULT);
        assert_wsa_fails(InetPtonW(family, nullptr, &address), -1, WSAEFAULT);
        assert_wsa_fails(inet_pton(family, "1.2.3.4", nullptr), -1, WSAEFAULT);
        assert_wsa_fails(InetPtonW(family, L"1.2.3.4", nullptr), -1, WSAEFAULT);
    }
    assert_wsa_fails(inet_pton(AF_UNSPEC, "1.2.3.4", &address), -1, WSAEAFNOSUPPORT);
}

void inet_pton_rejects_what_is_no_memory(void**) // [inet_pton/5]
{
    IN6_ADDR address;
    auto* const bad = reinterpret_cast<void*>(16);
    for (const int family : { AF_INET, AF_INET6 }) {
        assert_wsa_fails(inet_pton(family, static_cast<const char*>(bad), &address), -1, WSAEFAULT);
        assert_wsa_fails(
            InetPtonW(family, static_cast<const wchar_t*>(bad), &address), -1, WSAEFAULT);
    }
    assert_wsa_fails(inet_pton(AF_INET, "1.2.3.4", bad), -1, WSAEFAULT);
    assert_wsa_fails(inet_pton(AF_INET6, "::1", bad), -1, WSAEFAULT);
    assert_wsa_fails(InetPtonW(AF_INET, L"1.2.3.4", bad), -1, WSAEFAULT);
    assert_wsa_fails(InetPtonW(AF_INET6, L"::1", bad), -1, WSAEFAULT);
}

void only_the_wide_inet_pton_tells_of_no_address(void**) // [inet_pton/4]
{
    IN6_ADDR address;
    for (const int family : { AF_INET, AF_INET6 }) {
        assert_wsa_fails(inet_pton(family, "1.2.3", &address), 0, kPoison);
        assert_wsa_fails(InetPtonW(family, L"1.2.3", &address), 0, WSAEINVAL);
    }
    assert_wsa_fails(InetPtonW(AF_INET, L"1.2.3.4", &address), 1, kPoison);
    assert_wsa_fails(InetPtonW(AF_INET6, L"::1", &address), 1, kPoison);
}

void inet_ntop_writes_the_standard_form(void**) // [inet_ntop/1]
{
    char text[64];
    wchar_t wide[64];
    IN_ADDR v4;
    v4.s_addr = 0x04030201;
    assert_ptr_equal(inet_ntop(AF_INET, &v4, text, 8), text);
    assert_string_equal(text, "1.2.3.4");
    assert_ptr_equal(inet_ntop(AF_INET6, &in6addr_loopback, text, sizeof(text)), text);
    assert_string_equal(text, "::1");
    assert_ptr_equal(InetNtopW(AF_INET6, &in6addr_any, wide, 64), wide);
    assert_int_equal(wcscmp(wide, L"::"), 0);

    const unsigned char mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4 };
    assert_ptr_equal(inet_ntop(AF_INET6, mapped, text, sizeof(text)), text);
    assert_string_equal(text, "::ffff:1.2.3.4");
}

void inet_ntop_rejects_an_unknown_family(void**) // [inet_ntop/2]
{
    char text[64];
    wchar_t wide[64];
    IN_ADDR v4 = {};
    assert_wsa_fails(inet_ntop(99, &v4, text, sizeof(text)), nullptr, WSAEAFNOSUPPORT);
    assert_wsa_fails(InetNtopW(99, &v4, wide, 64), nullptr, WSAEAFNOSUPPORT);
}

void inet_ntop_rejects_a_short_buffer(void**) // [inet_ntop/3]
{
    char text[64];
    IN_ADDR v4;
    v4.s_addr = 0x04030201;
    assert_wsa_fails(inet_ntop(AF_INET, &v4, text, 7), nullptr, STATUS_INVALID_PARAMETER);
    assert_wsa_fails(inet_ntop(AF_INET, &v4, text, 0), nullptr, STATUS_INVALID_PARAMETER);
    assert_wsa_fails(inet_ntop(AF_INET, &v4, nullptr, 64), nullptr, STATUS_INVALID_PARAMETER);
    assert_wsa_fails(
        inet_ntop(AF_INET6, &in6addr_loopback, text, 3), nullptr, STATUS_INVALID_PARAMETER);
}

void the_wide_inet_ntop_rejects_a_short_buffer(void**) // [inet_ntop/3]
{
    wchar_t text[64];
    IN_ADDR v4;
    v4.s_addr = 0x04030201;
    assert_wsa_fails(InetNtopW(AF_INET, &v4, text, 7), nullptr, STATUS_INVALID_PARAMETER);
    assert_wsa_fails(InetNtopW(AF_INET, &v4, text, 0), nullptr, STATUS_INVALID_PARAMETER);
    assert_wsa_fails(InetNtopW(AF_INET, &v4, nullptr, 64), nullptr, STATUS_INVALID_PARAMETER);
    assert_wsa_fails(
        InetNtopW(AF_INET6, &in6addr_loopback, text, 3), nullptr, STATUS_INVALID_PARAMETER);
    assert_ptr_equal(InetNtopW(AF_INET, &v4, text, 8), text);
}

struct TextRow {
    int family;
    unsigned short port;
    unsigned long scope;
    const char* text;
};

/// Loopback of the family with port and scope. Returns the length.
int address_of(const TextRow& row, sockaddr_in6* address)
{
    *address = {};
    if (row.family == AF_INET) {
        auto* v4 = (sockaddr_in*)address;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(row.port);
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*v4);
    }
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(row.port);
    address->sin6_addr = in6addr_loopback;
    address->sin6_scope_id = row.scope;
    return sizeof(*address);
}

const TextRow kTextRows[] = {
    { AF_INET, 0, 0, "127.0.0.1" },
    { AF_INET, 80, 0, "127.0.0.1:80" },
    { AF_INET, 65535, 0, "127.0.0.1:65535" },
    { AF_INET6, 0, 0, "::1" },
    { AF_INET6, 80, 0, "[::1]:80" },
    { AF_INET6, 0, 5, "::1%5" },
    { AF_INET6, 80, 5, "[::1%5]:80" },
};

void address_to_string_writes_port_and_scope(void**) // [WSAAddressToString/1]
{
    for (const TextRow& row : kTextRows) {
        sockaddr_in6 address;
        const int length = address_of(row, &address);
        char text[64];
        DWORD size = sizeof(text);
        assert_wsa_ok(WSAAddressToStringA((sockaddr*)&address, length, nullptr, text, &size));
        assert_string_equal(text, row.text);
        assert_int_equal(size, strlen(row.text) + 1);
    }
}

void address_to_string_tells_the_length_it_needs(void**) // [WSAAddressToString/3]
{
    sockaddr_in6 address;
    const int length = address_of({ AF_INET, 80, 0, nullptr }, &address);
    char text[64] = "x";
    DWORD size = sizeof("127.0.0.1:80") - 1;
    assert_wsa_fails(WSAAddressToStringA((sockaddr*)&address, length, nullptr, text, &size),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(size, sizeof("127.0.0.1:80"));
    assert_string_equal(text, "x");
    assert_wsa_ok(WSAAddressToStringA((sockaddr*)&address, length, nullptr, text, &size));
}

void address_to_string_rejects_what_is_no_address(void**) // [WSAAddressToString/2]
{
    sockaddr_in6 address;
    address_of({ AF_INET, 80, 0, nullptr }, &address);
    char text[64];
    DWORD size = sizeof(text);
    address.sin6_family = 99;
    assert_wsa_fails(
        WSAAddressToStringA((sockaddr*)&address, sizeof(address), nullptr, text, &size),
        SOCKET_ERROR, WSAEINVAL);
}

void address_to_string_rejects_a_short_or_missing_address(void**) // [WSAAddressToString/2]
{
    sockaddr_in6 address;
    address_of({ AF_INET6, 80, 0, nullptr }, &address);
    char text[64];
    DWORD size = sizeof(text);
    assert_wsa_fails(
        WSAAddressToStringA((sockaddr*)&address, sizeof(address) - 1, nullptr, text, &size),
        SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(
        WSAAddressToStringA(nullptr, 0, nullptr, text, &size), SOCKET_ERROR, WSAEINVAL);
}

void string_to_address_reads_port_and_scope(void**) // [WSAStringToAddress/1]
{
    for (const TextRow& row : kTextRows) {
        sockaddr_in6 expected;
        const int length = address_of(row, &expected);
        sockaddr_in6 address;
        int size = sizeof(address);
        assert_wsa_ok(
            WSAStringToAddressA((char*)row.text, row.family, nullptr, (sockaddr*)&address, &size));
        assert_int_equal(size, length);
        assert_memory_equal(&address, &expected, length);
    }
}

void string_to_address_refuses_what_is_no_address(void**) // [WSAStringToAddress/2]
{
    const char* const texts[] = { "", "x", "localhost", "256.1.1.1", "1.2.3.4:0", "1.2.3.4:65536",
        "1.2.3.4:", "1.2.3.4:x", "1.2.3.4 ", "[::1", "::1]", "1::2::3", "[::1]:65536" };
    for (const char* text : texts) {
        for (const int family : { AF_INET, AF_INET6 }) {
            sockaddr_in6 address;
            int size = sizeof(address);
            assert_wsa_fails(
                WSAStringToAddressA((char*)text, family, nullptr, (sockaddr*)&address, &size),
                SOCKET_ERROR, WSAEINVAL);
        }
    }
}

void string_to_address_rejects_family_and_null_text(void**) // [WSAStringToAddress/3]
{
    sockaddr_in6 address;
    int size = sizeof(address);
    assert_wsa_fails(WSAStringToAddressA((char*)"1.2.3.4", 99, nullptr, (sockaddr*)&address, &size),
        SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(WSAStringToAddressA(nullptr, AF_INET, nullptr, (sockaddr*)&address, &size),
        SOCKET_ERROR, WSAEINVAL);
}

void string_to_address_tells_the_length_it_needs(void**) // [WSAStringToAddress/4]
{
    sockaddr_in6 address;
    int size = sizeof(sockaddr_in) - 1;
    assert_wsa_fails(
        WSAStringToAddressA((char*)"1.2.3.4", AF_INET, nullptr, (sockaddr*)&address, &size),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(size, sizeof(sockaddr_in));
}

struct BadTextRow {
    const char* text;
    const char* left; // what of the address was understood
};

/// Reads `text` in both forms into structures of noise, and checks that zeros and `left` are
/// written.
void check_understood_part(const BadTextRow& row, const sockaddr_in6& expected, int family)
{
    constexpr int kRoom = 40;
    const int length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    wchar_t wide[64];
    MultiByteToWideChar(CP_ACP, 0, row.text, -1, wide, 64);
    for (const bool is_wide : { false, true }) {
        sockaddr_in6 address;
        memset(&address, 0xAB, sizeof(address));
        int size = kRoom;
        auto* name = (sockaddr*)&address;
        assert_wsa_fails(is_wide
                ? WSAStringToAddressW(wide, family, nullptr, name, &size)
                : WSAStringToAddressA((char*)row.text, family, nullptr, name, &size),
            SOCKET_ERROR, WSAEINVAL);
        assert_int_equal(size, kRoom);
        if (memcmp(&address, &expected, length))
            fail_at(Where::current(), "\"%s\" does not leave %s", row.text, row.left);
    }
}

void string_to_address_leaves_what_it_understood(void**) // [WSAStringToAddress/5]
{
    const BadTextRow rows[] = {
        { "10.20.30.40:", "10.20.30.40" },
        { "10.20.30.40:0", "10.20.30.40" },
        { "10.20.30.40:70000", "10.20.30.40" },
        { "10.20.30.40:0x", "10.20.30.40" },
        { "10.20.30.40x", "10.20.30.40" },
        { "10.20.30.40 ", "10.20.30.40" },
        { "10.20.30.40:5:6", "10.20.30.40" },
        { "77beef", "0.0.0.77" },
        { "", "0.0.0.0" },
        { "10.20.30.300", "0.0.0.0" },
        { "10.20.30.", "0.0.0.0" },
        { "10.20..30", "0.0.0.0" },
        { " 10.20.30.40", "0.0.0.0" },
        { "[10.20.30.40]", "0.0.0.0" },
        { "fe80::9", "0.0.0.0" },
    };
    for (const BadTextRow& row : rows) {
        sockaddr_in6 expected = {};
        ((sockaddr_in*)&expected)->sin_addr.s_addr = inet_addr(row.left);
        check_understood_part(row, expected, AF_INET);
    }
}

void string_to_ipv6_address_leaves_what_it_understood(void**) // [WSAStringToAddress/5]
{
    const BadTextRow rows[] = {
        { "fe80::9]:7", "fe80::9" },
        { "a:b:c:", "a:b:c::" },
        { "9.8.7.6", "908:700::" },
        { "::1%5x", "::1" },
        { "[::1]:0", "::1" },
        { "[::1]:", "::1" },
        { "[::1", "::1" },
        { "a::b::c", "a::b" },
        { "", "::" },
    };
    for (const BadTextRow& row : rows) {
        sockaddr_in6 expected = {};
        assert_int_equal(inet_pton(AF_INET6, row.left, &expected.sin6_addr), 1);
        check_understood_part(row, expected, AF_INET6);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(inet_addr_reads_one_to_four_parts),
    cmocka_unit_test(inet_addr_reads_octal_and_hexadecimal_parts),
    cmocka_unit_test(inet_addr_refuses_what_is_no_address),
    cmocka_unit_test(inet_addr_stops_at_white_space),
    cmocka_unit_test(inet_addr_sets_an_error_for_null_only),
    cmocka_unit_test(inet_ntoa_keeps_one_text_per_thread),
    cmocka_unit_test(inet_pton_reads_four_decimal_parts),
    cmocka_unit_test(inet_pton_reads_ipv6),
    cmocka_unit_test(inet_pton_rejects_bad_arguments),
    cmocka_unit_test(inet_pton_rejects_what_is_no_memory),
    cmocka_unit_test(only_the_wide_inet_pton_tells_of_no_address),
    cmocka_unit_test(inet_ntop_writes_the_standard_form),
    cmocka_unit_test(inet_ntop_rejects_an_unknown_family),
    cmocka_unit_test(inet_ntop_rejects_a_short_buffer),
    cmocka_unit_test(the_wide_inet_ntop_rejects_a_short_buffer),
    cmocka_unit_test(address_to_string_writes_port_and_scope),
    cmocka_unit_test(address_to_string_tells_the_length_it_needs),
    cmocka_unit_test(address_to_string_rejects_what_is_no_address),
    cmocka_unit_test(address_to_string_rejects_a_short_or_missing_address),
    cmocka_unit_test(string_to_address_reads_port_and_scope),
    cmocka_unit_test(string_to_address_refuses_what_is_no_address),
    cmocka_unit_test(string_to_address_rejects_family_and_null_text),
    cmocka_unit_test(string_to_address_tells_the_length_it_needs),
    cmocka_unit_test(string_to_address_leaves_what_it_understood),
    cmocka_unit_test(string_to_ipv6_address_leaves_what_it_understood),
};

} // namespace

CONFORMANCE_GROUP(address_text, kCases);
