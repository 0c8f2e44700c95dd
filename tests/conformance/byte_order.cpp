// htonl and its family, WSAHtonl and its family.

#include "sockets.h"

using namespace conformance;

namespace {

void conversion_swaps_the_bytes(void**) // [WSAHtonl/1]
{
    assert_int_equal(htonl(0x01020304), 0x04030201);
    assert_int_equal(ntohl(0x04030201), 0x01020304);
    assert_int_equal(htons(0x0102), 0x0201);
    assert_int_equal(ntohs(0xFEFF), 0xFFFE);
}

void socket_conversion_uses_network_order(void**) // [WSAHtonl/2]
{
    const SOCKET socket = tcp_socket();
    u_long long_value = 0;
    u_short short_value = 0;

    assert_wsa_ok(WSAHtonl(socket, 0x01020304, &long_value));
    assert_int_equal(long_value, 0x04030201);
    assert_wsa_ok(WSANtohl(socket, 0x04030201, &long_value));
    assert_int_equal(long_value, 0x01020304);
    assert_wsa_ok(WSAHtons(socket, 0x0102, &short_value));
    assert_int_equal(short_value, 0x0201);
    assert_wsa_ok(WSANtohs(socket, 0x0201, &short_value));
    assert_int_equal(short_value, 0x0102);
}

void socket_conversion_rejects_what_is_no_socket(void**) // [WSAHtonl/3]
{
    u_long value = 7;
    const HANDLE event = new_auto_event();

    assert_wsa_fails(WSAHtonl(INVALID_SOCKET, 1, &value), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(WSANtohl((SOCKET)event, 1, &value), SOCKET_ERROR, WSAENOTSOCK);
    assert_int_equal(value, 7);
}

void socket_conversion_rejects_a_null_result(void**) // [WSAHtonl/4]
{
    const SOCKET socket = tcp_socket();

    assert_wsa_fails(WSAHtonl(socket, 1, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(WSAHtons(socket, 1, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(WSANtohl(socket, 1, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(WSANtohs(socket, 1, nullptr), SOCKET_ERROR, WSAEFAULT);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(conversion_swaps_the_bytes),
    cmocka_unit_test(socket_conversion_uses_network_order),
    cmocka_unit_test(socket_conversion_rejects_what_is_no_socket),
    cmocka_unit_test(socket_conversion_rejects_a_null_result),
};

} // namespace

CONFORMANCE_GROUP(byte_order, kCases);
