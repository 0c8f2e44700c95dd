// socket, WSASocketA, WSASocketW: which sockets there are, and what their handles are like.

#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

constexpr int kUnknown = 0xABCD;

/// Checks what kind of socket came out, from its own protocol info.
void assert_is(SOCKET socket, int family, int type, int protocol, Where where = Where::current())
{
    if (socket == INVALID_SOCKET)
        fail_at(where, "there is no socket: error %d", WSAGetLastError());
    WSAPROTOCOL_INFOW info;
    int length = sizeof(info);
    if (getsockopt(
            owned(socket), SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info), &length)
        != 0)
        fail_at(where, "SO_PROTOCOL_INFOW failed with %d", WSAGetLastError());
    if (info.iAddressFamily != family || info.iSocketType != type || info.iProtocol != protocol)
        fail_at(where, "the socket is (%d, %d, %d), not (%d, %d, %d)", info.iAddressFamily,
            info.iSocketType, info.iProtocol, family, type, protocol);
}

WSAPROTOCOL_INFOW info_of(SOCKET socket)
{
    WSAPROTOCOL_INFOW info;
    int length = sizeof(info);
    assert_wsa_ok(
        getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info), &length));
    return info;
}

bool is_inheritable(SOCKET socket)
{
    DWORD flags = 0;
    assert_true(GetHandleInformation(reinterpret_cast<HANDLE>(socket), &flags));
    return flags & HANDLE_FLAG_INHERIT;
}

// --- The table of families, types and protocols

void an_unknown_family_is_refused(void**) // [WSASocket/1]
{
    assert_wsa_fails(socket(kUnknown, SOCK_STREAM, 0), INVALID_SOCKET, WSAEAFNOSUPPORT);
    assert_wsa_fails(socket(kUnknown, SOCK_STREAM, IPPROTO_TCP), INVALID_SOCKET, WSAEAFNOSUPPORT);
}

void an_unknown_family_with_an_unknown_protocol_is_refused(void**) // [WSASocket/1]
{
    assert_wsa_fails(socket(kUnknown, SOCK_STREAM, kUnknown), INVALID_SOCKET, WSAEAFNOSUPPORT);
}

void an_unknown_type_is_refused(void**) // [WSASocket/1]
{
    for (int protocol : { 0, int { IPPROTO_TCP }, int { IPPROTO_UDP } }) {
        assert_wsa_fails(socket(AF_INET, kUnknown, protocol), INVALID_SOCKET, WSAESOCKTNOSUPPORT);
        assert_wsa_fails(socket(AF_INET, -1, protocol), INVALID_SOCKET, WSAESOCKTNOSUPPORT);
    }
}

void an_unknown_family_and_type_complain_of_the_type(void**) // [WSASocket/1]
{
    assert_wsa_fails(socket(kUnknown, kUnknown, IPPROTO_TCP), INVALID_SOCKET, WSAESOCKTNOSUPPORT);
}

void an_unknown_protocol_is_refused(void**) // [WSASocket/1]
{
    assert_wsa_fails(socket(AF_INET, SOCK_STREAM, kUnknown), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_INET, SOCK_STREAM, -1), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_INET, 0, kUnknown), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_INET, 0, -1), INVALID_SOCKET, WSAEPROTONOSUPPORT);
}

void a_protocol_of_another_type_is_refused(void**) // [WSASocket/1]
{
    assert_wsa_fails(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), INVALID_SOCKET, WSAEPROTONOSUPPORT);
}

void type_alone_chooses_the_protocol(void**) // [WSASocket/2]
{
    assert_is(socket(AF_INET, SOCK_STREAM, 0), AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_is(socket(AF_INET, SOCK_DGRAM, 0), AF_INET, SOCK_DGRAM, IPPROTO_UDP);
}

void protocol_alone_chooses_the_type(void**) // [WSASocket/2]
{
    assert_is(socket(AF_INET, 0, IPPROTO_TCP), AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_is(socket(AF_INET, 0, IPPROTO_UDP), AF_INET, SOCK_DGRAM, IPPROTO_UDP);
}

void family_alone_chooses_tcp(void**) // [WSASocket/2]
{
    assert_is(socket(AF_INET, 0, 0), AF_INET, SOCK_STREAM, IPPROTO_TCP);
}

void ipv6_sockets_exist_too(void**) // [WSASocket/2]
{
    if (!has_ipv6())
        skip();
    assert_is(socket(AF_INET6, SOCK_STREAM, 0), AF_INET6, SOCK_STREAM, IPPROTO_TCP);
    assert_is(socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP), AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
}

void no_family_takes_it_from_the_protocol(void**) // [WSASocket/4]
{
    const SOCKET stream = owned(socket(AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP));
    assert_true(stream != INVALID_SOCKET);
    const int family = info_of(stream).iAddressFamily;
    assert_true(family == AF_INET || family == AF_INET6);
    assert_is(socket(AF_UNSPEC, 0, IPPROTO_TCP), family, SOCK_STREAM, IPPROTO_TCP);
    assert_is(socket(AF_UNSPEC, 0, IPPROTO_UDP), family, SOCK_DGRAM, IPPROTO_UDP);
}

void neither_family_nor_protocol_is_invalid(void**) // [WSASocket/4]
{
    assert_wsa_fails(socket(AF_UNSPEC, SOCK_STREAM, 0), INVALID_SOCKET, WSAEINVAL);
    assert_wsa_fails(socket(AF_UNSPEC, SOCK_DGRAM, 0), INVALID_SOCKET, WSAEINVAL);
    assert_wsa_fails(socket(AF_UNSPEC, 0, 0), INVALID_SOCKET, WSAEINVAL);
}

void no_family_with_an_unknown_protocol_is_refused(void**) // [WSASocket/4]
{
    assert_wsa_fails(socket(AF_UNSPEC, SOCK_STREAM, kUnknown), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_UNSPEC, 0, kUnknown), INVALID_SOCKET, WSAEPROTONOSUPPORT);
}

void no_family_with_an_unknown_type_is_refused(void**) // [WSASocket/4]
{
    assert_wsa_fails(socket(AF_UNSPEC, kUnknown, IPPROTO_UDP), INVALID_SOCKET, WSAESOCKTNOSUPPORT);
}

void a_raw_socket_works_or_needs_an_administrator(void**) // [WSASocket/5]
{
    WSASetLastError(kPoison);
    const SOCKET raw = owned(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    if (raw == INVALID_SOCKET)
        assert_int_equal(WSAGetLastError(), WSAEACCES);
    else
        assert_is(raw, AF_INET, SOCK_RAW, info_of(raw).iProtocol);
    disown(raw);
}

/// Asserts that (family, type, protocol) is a raw socket, or one only an administrator may have.
void assert_is_raw(int family, int type, int protocol, Where where = Where::current())
{
    WSASetLastError(kPoison);
    const SOCKET raw = socket(family, type, protocol);
    if (raw == INVALID_SOCKET && WSAGetLastError() == WSAEACCES)
        return;
    assert_is(raw, AF_INET, SOCK_RAW, 0, where);
}

void a_protocol_that_has_no_type_is_raw(void**) // [WSASocket/2]
{
    assert_is_raw(AF_UNSPEC, 0, IPPROTO_RAW);
    assert_is_raw(AF_INET, 0, IPPROTO_RAW);
    assert_is_raw(AF_INET, 0, IPPROTO_ICMP);
    assert_is_raw(AF_UNSPEC, 0, IPPROTO_IPV6);
    assert_is_raw(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

void a_protocol_above_all_is_refused(void**) // [WSASocket/1]
{
    assert_wsa_fails(socket(AF_UNSPEC, 0, 0xDEAD), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_INET, SOCK_RAW, 256), INVALID_SOCKET, WSAEPROTONOSUPPORT);
    assert_wsa_fails(socket(AF_INET, SOCK_RAW, -1), INVALID_SOCKET, WSAEPROTONOSUPPORT);
}

// --- WSASocket with a protocol info

void a_protocol_info_says_everything(void**) // [WSASocket/6]
{
    WSAPROTOCOL_INFOW info = info_of(udp_socket());
    assert_is(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0),
        AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    assert_is(WSASocketW(0, 0, 0, &info, 0, 0), AF_INET, SOCK_DGRAM, IPPROTO_UDP);
}

void an_ansi_protocol_info_says_everything(void**) // [WSASocket/6]
{
    WSAPROTOCOL_INFOA info;
    int length = sizeof(info);
    assert_wsa_ok(getsockopt(
        udp_socket(), SOL_SOCKET, SO_PROTOCOL_INFOA, reinterpret_cast<char*>(&info), &length));
    assert_is(WSASocketA(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0),
        AF_INET, SOCK_DGRAM, IPPROTO_UDP);
}

void explicit_arguments_override_the_info(void**) // [WSASocket/3]
{
    WSAPROTOCOL_INFOW info = info_of(udp_socket());
    assert_is(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, &info, 0, 0), AF_INET, SOCK_STREAM,
        IPPROTO_TCP);
}

void an_info_that_says_nothing_is_refused(void**) // [WSASocket/6]
{
    WSAPROTOCOL_INFOW info = {};
    info.iAddressFamily = -1;
    info.iSocketType = -1;
    info.iProtocol = -1;
    assert_wsa_fails(
        WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0),
        INVALID_SOCKET, WSAEAFNOSUPPORT);
}

void an_info_without_a_family_is_refused(void**) // [WSASocket/6]
{
    WSAPROTOCOL_INFOW info = {};
    WSAPROTOCOL_INFOA ansi_info = {};

    assert_wsa_fails(WSASocketW(0, 0, IPPROTO_UDP, &info, 0, 0), INVALID_SOCKET, WSAEAFNOSUPPORT);
    assert_wsa_fails(
        WSASocketA(0, 0, IPPROTO_UDP, &ansi_info, 0, 0), INVALID_SOCKET, WSAEAFNOSUPPORT);
    assert_is(WSASocketW(AF_INET, 0, IPPROTO_UDP, &info, 0, 0), AF_INET, SOCK_DGRAM, IPPROTO_UDP);
}

// --- Flags and handles

/// Whether a receive that finds nothing pends, as on an overlapped socket, or blocks until data.
bool receive_pends(SOCKET receiver, Where where = Where::current())
{
    bind_to_loopback(receiver, AF_INET, where);
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(receiver, where), &address);
    const SOCKET sender = udp_socket(AF_INET, where);
    Operation* operation = new_operation(new_event(where));
    Background* receive = run_in_background(
        [=] {
            return (long long)WSARecv(receiver, &operation->buffer, 1, nullptr, &operation->flags,
                &operation->overlapped, nullptr);
        },
        where);
    // A receive that pends returns by itself; one that blocks needs the datagram.
    if (WaitForSingleObject(background_thread(receive), 300) == WAIT_OBJECT_0) {
        const Outcome outcome = join(receive, where);
        return outcome.value == SOCKET_ERROR && outcome.error == WSA_IO_PENDING;
    }
    sendto(sender, "x", 1, 0, as_name(address), length);
    const Outcome outcome = join(receive, where);
    if (outcome.value != 0)
        fail_at(where, "the blocked receive failed with %d", outcome.error);
    return false;
}

void socket_makes_overlapped_sockets(void**) // [WSASocket/7]
{
    assert_true(receive_pends(udp_socket()));
}

void wsasocket_makes_overlapped_sockets_when_asked(void**) // [WSASocket/7]
{
    const SOCKET socket
        = owned(WSASocketW(AF_INET, SOCK_DGRAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED));
    assert_true(socket != INVALID_SOCKET);
    assert_true(receive_pends(socket));
}

void wsasocket_without_the_flag_makes_synchronous_sockets(void**) // [WSASocket/7]
{
    const SOCKET socket = owned(WSASocketW(AF_INET, SOCK_DGRAM, 0, nullptr, 0, 0));
    assert_true(socket != INVALID_SOCKET);
    assert_false(receive_pends(socket));
}

void sockets_are_inheritable(void**) // [WSASocket/8]
{
    assert_true(is_inheritable(tcp_socket()));
    const SOCKET socket
        = owned(WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED));
    assert_true(is_inheritable(socket));
}

void the_no_inherit_flag_makes_a_private_handle(void**) // [WSASocket/8]
{
    const SOCKET socket = owned(WSASocketW(
        AF_INET, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
    assert_true(socket != INVALID_SOCKET);
    assert_false(is_inheritable(socket));
}

void sockets_are_kernel_handles(void**) // [WSASocket/9]
{
    const SOCKET socket = tcp_socket();
    assert_true(socket != 0);
    assert_int_equal(socket % 4, 0);
    assert_int_equal(GetFileType(reinterpret_cast<HANDLE>(socket)), FILE_TYPE_PIPE);
}

void a_new_socket_clears_the_last_error(void**) // [WSASocket/10]
{
    WSASetLastError(kPoison);
    assert_true(owned(socket(AF_INET, SOCK_STREAM, 0)) != INVALID_SOCKET);
    assert_int_equal(WSAGetLastError(), 0);
}

void a_new_socket_blocks(void**) // [WSASocket/7]
{
    const UdpPair pair = new_udp_pair();
    set_option(pair.a, SOL_SOCKET, SO_RCVTIMEO, 50);
    char byte;
    // A non-blocking socket would answer WSAEWOULDBLOCK.
    assert_wsa_fails(recv(pair.a, &byte, 1, 0), SOCKET_ERROR, WSAETIMEDOUT);
}

void the_group_argument_is_ignored(void**) // [WSASocket/11]
{
    assert_is(WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, SG_UNCONSTRAINED_GROUP, 0), AF_INET,
        SOCK_STREAM, IPPROTO_TCP);
}

void multipoint_sockets_are_leaves_of_datagrams(void**) // [WSASocket/12]
{
    const auto make = [](int type, DWORD flags) {
        return WSASocketW(AF_INET, type, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | flags);
    };
    constexpr DWORD kLeaf = WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF;
    assert_is(make(SOCK_DGRAM, kLeaf), AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    for (const DWORD root : { WSA_FLAG_MULTIPOINT_C_ROOT, WSA_FLAG_MULTIPOINT_D_ROOT }) {
        assert_wsa_fails(make(SOCK_DGRAM, root), INVALID_SOCKET, WSAEINVAL);
        assert_wsa_fails(make(SOCK_DGRAM, root | kLeaf), INVALID_SOCKET, WSAEINVAL);
        assert_wsa_fails(make(SOCK_STREAM, root), INVALID_SOCKET, WSAEINVAL);
    }
    assert_wsa_fails(make(SOCK_STREAM, kLeaf), INVALID_SOCKET, WSAEINVAL);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_unknown_family_is_refused),
    cmocka_unit_test(an_unknown_family_with_an_unknown_protocol_is_refused),
    cmocka_unit_test(an_unknown_type_is_refused),
    cmocka_unit_test(an_unknown_family_and_type_complain_of_the_type),
    cmocka_unit_test(an_unknown_protocol_is_refused),
    cmocka_unit_test(a_protocol_of_another_type_is_refused),
    cmocka_unit_test(type_alone_chooses_the_protocol),
    cmocka_unit_test(protocol_alone_chooses_the_type),
    cmocka_unit_test(family_alone_chooses_tcp),
    cmocka_unit_test(ipv6_sockets_exist_too),
    cmocka_unit_test(no_family_takes_it_from_the_protocol),
    cmocka_unit_test(neither_family_nor_protocol_is_invalid),
    cmocka_unit_test(no_family_with_an_unknown_protocol_is_refused),
    cmocka_unit_test(no_family_with_an_unknown_type_is_refused),
    cmocka_unit_test(a_raw_socket_works_or_needs_an_administrator),
    cmocka_unit_test(a_protocol_that_has_no_type_is_raw),
    cmocka_unit_test(a_protocol_above_all_is_refused),
    cmocka_unit_test(a_protocol_info_says_everything),
    cmocka_unit_test(an_ansi_protocol_info_says_everything),
    cmocka_unit_test(explicit_arguments_override_the_info),
    cmocka_unit_test(an_info_that_says_nothing_is_refused),
    cmocka_unit_test(an_info_without_a_family_is_refused),
    cmocka_unit_test(socket_makes_overlapped_sockets),
    cmocka_unit_test(wsasocket_makes_overlapped_sockets_when_asked),
    cmocka_unit_test(wsasocket_without_the_flag_makes_synchronous_sockets),
    cmocka_unit_test(sockets_are_inheritable),
    cmocka_unit_test(the_no_inherit_flag_makes_a_private_handle),
    cmocka_unit_test(sockets_are_kernel_handles),
    cmocka_unit_test(a_new_socket_clears_the_last_error),
    cmocka_unit_test(a_new_socket_blocks),
    cmocka_unit_test(the_group_argument_is_ignored),
    cmocka_unit_test(multipoint_sockets_are_leaves_of_datagrams),
};

} // namespace

CONFORMANCE_GROUP(socket_create, kCases);
