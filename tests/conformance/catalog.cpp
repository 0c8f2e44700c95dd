// WSAEnumProtocolsA/W.

#include "harness.h"

using namespace conformance;

namespace {

/// The whole catalog, in memory of the harness.
WSAPROTOCOL_INFOW* enum_all(int* count)
{
    DWORD size = 0;
    WSAEnumProtocolsW(nullptr, nullptr, &size);
    auto* infos = static_cast<WSAPROTOCOL_INFOW*>(lasting_memory(size));
    *count = WSAEnumProtocolsW(nullptr, infos, &size);
    assert_int_not_equal(*count, SOCKET_ERROR);
    return infos;
}

void tcp_and_udp_are_there(void**) // [WSAEnumProtocols/1]
{
    int count;
    const WSAPROTOCOL_INFOW* infos = enum_all(&count);
    bool tcp = false;
    bool udp = false;
    for (int i = 0; i < count; ++i) {
        const bool ipv4 = infos[i].iAddressFamily == AF_INET;
        tcp |= ipv4 && infos[i].iSocketType == SOCK_STREAM && infos[i].iProtocol == IPPROTO_TCP;
        udp |= ipv4 && infos[i].iSocketType == SOCK_DGRAM && infos[i].iProtocol == IPPROTO_UDP;
        assert_int_equal(infos[i].ProtocolChain.ChainLen, BASE_PROTOCOL);
        assert_int_equal(infos[i].iVersion, 2);
        assert_int_not_equal(infos[i].dwCatalogEntryId, 0);
        assert_true(infos[i].dwServiceFlags1 & XP1_IFS_HANDLES);
    }
    assert_true(tcp && udp);
}

void a_buffer_that_is_too_small_learns_its_size(void**) // [WSAEnumProtocols/2]
{
    DWORD size = 0;
    assert_wsa_fails(WSAEnumProtocolsW(nullptr, nullptr, &size), SOCKET_ERROR, WSAENOBUFS);
    assert_int_equal(size % sizeof(WSAPROTOCOL_INFOW), 0);
    assert_int_not_equal(size, 0);
    const DWORD needed = size;
    auto* infos = static_cast<WSAPROTOCOL_INFOW*>(lasting_memory(needed));
    --size;
    assert_wsa_fails(WSAEnumProtocolsW(nullptr, infos, &size), SOCKET_ERROR, WSAENOBUFS);
    assert_int_equal(size, needed);
    assert_int_equal(WSAEnumProtocolsW(nullptr, infos, &size), needed / sizeof(WSAPROTOCOL_INFOW));

    size = 0;
    assert_wsa_fails(WSAEnumProtocolsA(nullptr, nullptr, &size), SOCKET_ERROR, WSAENOBUFS);
    assert_int_equal(size / sizeof(WSAPROTOCOL_INFOA), needed / sizeof(WSAPROTOCOL_INFOW));
}

void a_list_of_protocols_selects(void**) // [WSAEnumProtocols/3]
{
    int wanted[] = { IPPROTO_TCP, 0, IPPROTO_UDP };
    WSAPROTOCOL_INFOA infos[16];
    DWORD size = sizeof(infos);

    const int count = WSAEnumProtocolsA(wanted, infos, &size);
    assert_true(count > 0);
    for (int i = 0; i < count; ++i)
        assert_int_equal(infos[i].iProtocol, IPPROTO_TCP);
    int none[] = { 12345, 0 };
    size = sizeof(infos);
    assert_int_equal(WSAEnumProtocolsA(none, infos, &size), 0);
}

void a_missing_size_is_a_fault(void**) // [WSAEnumProtocols/2]
{
    WSAPROTOCOL_INFOW info;

    assert_wsa_fails(WSAEnumProtocolsW(nullptr, &info, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        WSAEnumProtocolsW(nullptr, &info, reinterpret_cast<DWORD*>(1)), SOCKET_ERROR, WSAEFAULT);
}

void hidden_protocols_are_left_out(void**) // [WSAEnumProtocols/4]
{
    int count;
    const WSAPROTOCOL_INFOW* infos = enum_all(&count);
    for (int i = 0; i < count; ++i)
        assert_false(infos[i].dwProviderFlags & PFL_HIDDEN);
}

void an_entry_opens_its_socket(void**) // [WSAEnumProtocols/5]
{
    int count;
    WSAPROTOCOL_INFOW* infos = enum_all(&count);
    for (int i = 0; i < count; ++i) {
        if (infos[i].iAddressFamily != AF_INET || infos[i].iSocketType == SOCK_RAW)
            continue;
        const SOCKET socket = owned(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
            FROM_PROTOCOL_INFO, &infos[i], 0, WSA_FLAG_OVERLAPPED));
        WSAPROTOCOL_INFOW info;
        int length = sizeof(info);
        assert_wsa_ok(getsockopt(
            socket, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info), &length));
        assert_int_equal(info.dwCatalogEntryId, infos[i].dwCatalogEntryId);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(tcp_and_udp_are_there),
    cmocka_unit_test(a_buffer_that_is_too_small_learns_its_size),
    cmocka_unit_test(a_list_of_protocols_selects),
    cmocka_unit_test(a_missing_size_is_a_fault),
    cmocka_unit_test(hidden_protocols_are_left_out),
    cmocka_unit_test(an_entry_opens_its_socket),
};

} // namespace

CONFORMANCE_GROUP(catalog, kCases);
