// Transport and name space providers, and what Winsock 2 keeps in name only.

#include "sockets.h"

#include <ws2spi.h>

using namespace conformance;

namespace {

constexpr GUID kNobody = { 0x12345678, 1, 2, { 3, 4, 5, 6, 7, 8, 9, 10 } };

/// The identifier of the provider of TCP.
GUID tcp_provider()
{
    WSAPROTOCOL_INFOW info;
    int length = sizeof(info);
    assert_wsa_ok(getsockopt(
        tcp_socket(), SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info), &length));
    return info.ProviderId;
}

void an_unknown_provider_has_no_path(void**) // [service-providers/3]
{
    GUID id = kNobody;
    wchar_t path[MAX_PATH];
    INT length = MAX_PATH;
    INT error = 0;

    assert_int_equal(WSCGetProviderPath(&id, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
}

void a_provider_has_a_path(void**) // [service-providers/3]
{
    GUID id = tcp_provider();
    wchar_t path[MAX_PATH];
    INT length = MAX_PATH;
    INT error = 0;

    assert_int_equal(WSCGetProviderPath(&id, path, &length, &error), 0);
    wchar_t expanded[MAX_PATH];
    assert_int_not_equal(ExpandEnvironmentStringsW(path, expanded, MAX_PATH), 0);
    assert_int_not_equal(GetFileAttributesW(expanded), INVALID_FILE_ATTRIBUTES);
    length = 3;
    assert_int_equal(WSCGetProviderPath(&id, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    length = MAX_PATH;
    assert_int_equal(WSCGetProviderPath(nullptr, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
}

void the_whole_catalog_can_be_listed(void**) // [service-providers/1]
{
    DWORD size = 0;
    INT error = 0;

    assert_int_equal(WSCEnumProtocols(nullptr, nullptr, &size, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOBUFS);
    auto* infos = static_cast<WSAPROTOCOL_INFOW*>(lasting_memory(size));
    const int count = WSCEnumProtocols(nullptr, infos, &size, &error);
    assert_int_equal(count, size / sizeof(*infos));
    DWORD visible_size = 0;
    WSAEnumProtocolsW(nullptr, nullptr, &visible_size);
    assert_true(size >= visible_size);
}

void a_provider_that_is_not_there_cannot_be_removed(void**) // [service-providers/2]
{
    GUID id = kNobody;
    INT error = 0;

    assert_int_equal(WSCDeinstallProvider(&id, &error), SOCKET_ERROR);
    assert_true(error == WSAEINVAL || error == WSANO_RECOVERY);
}

void configuration_refuses_null(void**) // [service-providers/4]
{
    INT error = 0;
    size_t size = 4;
    DWORD category = 0;

    assert_int_equal(WSCInstallProvider(nullptr, L"x.dll", nullptr, 0, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    error = 0;
    assert_int_equal(
        WSCGetProviderInfo(nullptr, ProviderInfoLspCategories, nullptr, &size, 0, &error),
        SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    error = 0;
    assert_int_equal(
        WSCSetApplicationCategory(nullptr, 0, nullptr, 0, 0, &category, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
}

void name_spaces_are_listed(void**) // [service-providers/6]
{
    DWORD size = 0;
    assert_wsa_fails(WSAEnumNameSpaceProvidersW(&size, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_true(size > sizeof(WSANAMESPACE_INFOW));
    auto* infos = static_cast<WSANAMESPACE_INFOW*>(lasting_memory(size));
    const int count = WSAEnumNameSpaceProvidersW(&size, infos);
    assert_true(count > 0);
    bool dns = false;
    for (int i = 0; i < count; ++i) {
        dns |= infos[i].dwNameSpace == NS_DNS;
        assert_non_null(infos[i].lpszIdentifier);
    }
    assert_true(dns);
}

void a_missing_name_space_cannot_be_removed(void**) // [service-providers/7]
{
    GUID id = kNobody;

    assert_int_equal(WSCUnInstallNameSpace(&id), SOCKET_ERROR);
    assert_int_not_equal(WSAGetLastError(), 0);
}

void a_lookup_needs_restrictions(void**) // [service-providers/8]
{
    HANDLE lookup = nullptr;

    assert_wsa_fails(WSALookupServiceBeginW(nullptr, 0, &lookup), SOCKET_ERROR, WSAEFAULT);
}

void what_is_no_lookup_is_refused(void**) // [service-providers/8]
{
    DWORD size = 0;
    DWORD returned = 0;
    const HANDLE garbage = reinterpret_cast<HANDLE>(0xDEAD0);

    assert_wsa_fails(WSALookupServiceEnd(garbage), SOCKET_ERROR, WSA_INVALID_HANDLE);
    assert_wsa_fails(
        WSALookupServiceNextW(garbage, 0, &size, nullptr), SOCKET_ERROR, WSA_INVALID_HANDLE);
    assert_wsa_fails(WSANSPIoctl(garbage, 0, nullptr, 0, nullptr, 0, &returned, nullptr),
        SOCKET_ERROR, WSA_INVALID_HANDLE);
}

void an_unknown_service_class_is_not_found(void**) // [service-providers/9]
{
    GUID id = kNobody;
    wchar_t name[64];
    DWORD size = sizeof(name);

    assert_wsa_fails(
        WSAGetServiceClassNameByClassIdW(&id, name, &size), SOCKET_ERROR, WSATYPE_NOT_FOUND);
    assert_wsa_fails(WSARemoveServiceClass(&id), SOCKET_ERROR, WSATYPE_NOT_FOUND);
}

void a_leaf_joins_a_multicast_group(void**) // [service-providers/11]
{
    const SOCKET member = owned(WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0,
        WSA_FLAG_OVERLAPPED | WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF));
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    assert_wsa_ok(bind(member, reinterpret_cast<sockaddr*>(&name), sizeof(name)));
    name.sin_addr.s_addr = inet_addr("239.255.77.9");
    name.sin_port = htons(local_port(member));

    assert_int_equal(WSAJoinLeaf(member, reinterpret_cast<sockaddr*>(&name), sizeof(name), nullptr,
                         nullptr, nullptr, nullptr, JL_BOTH),
        member);
}

void a_leaf_join_checks_its_arguments(void**) // [service-providers/11]
{
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = inet_addr("239.255.77.9");

    assert_wsa_fails(WSAJoinLeaf(INVALID_SOCKET, reinterpret_cast<sockaddr*>(&name), sizeof(name),
                         nullptr, nullptr, nullptr, nullptr, JL_BOTH),
        INVALID_SOCKET, WSAENOTSOCK);
    assert_wsa_fails(WSAJoinLeaf(udp_socket(), nullptr, sizeof(name), nullptr, nullptr, nullptr,
                         nullptr, JL_BOTH),
        INVALID_SOCKET, WSAEFAULT);
}

void blocking_hooks_are_gone(void**) // [service-providers/10]
{
    assert_wsa_fails(WSAUnhookBlockingHook(), SOCKET_ERROR, WSAEOPNOTSUPP);
    assert_wsa_fails(WSACancelBlockingCall(), SOCKET_ERROR, WSAEOPNOTSUPP);
    assert_null(WSASetBlockingHook(nullptr));
    assert_false(WSAIsBlocking());
}

void no_quality_of_service_has_a_name(void**) // [service-providers/12]
{
    char text[] = "G711";
    WSABUF name = { sizeof(text), text };
    QOS qos;

    assert_false(WSAGetQOSByName(tcp_socket(), &name, &qos));
    assert_wsa_fails(WSAGetQOSByName(INVALID_SOCKET, &name, &qos), FALSE, WSAENOTSOCK);
}

void a_change_of_the_catalog_is_waited_for(void**) // [service-providers/13]
{
    HANDLE notification = nullptr;

    assert_wsa_ok(WSAProviderConfigChange(&notification, nullptr, nullptr));
    assert_non_null(owned(notification));
    assert_wsa_fails(WSAProviderConfigChange(nullptr, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_unknown_provider_has_no_path),
    cmocka_unit_test(a_provider_has_a_path),
    cmocka_unit_test(the_whole_catalog_can_be_listed),
    cmocka_unit_test(a_provider_that_is_not_there_cannot_be_removed),
    cmocka_unit_test(configuration_refuses_null),
    cmocka_unit_test(name_spaces_are_listed),
    cmocka_unit_test(a_missing_name_space_cannot_be_removed),
    cmocka_unit_test(a_lookup_needs_restrictions),
    cmocka_unit_test(what_is_no_lookup_is_refused),
    cmocka_unit_test(an_unknown_service_class_is_not_found),
    cmocka_unit_test(a_leaf_joins_a_multicast_group),
    cmocka_unit_test(a_leaf_join_checks_its_arguments),
    cmocka_unit_test(blocking_hooks_are_gone),
    cmocka_unit_test(no_quality_of_service_has_a_name),
    cmocka_unit_test(a_change_of_the_catalog_is_waited_for),
};

} // namespace

CONFORMANCE_GROUP(providers, kCases);
