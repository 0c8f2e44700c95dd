// Transport and name space providers, and what Winsock 2 keeps in name only.

#include "open_handles.h"
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

    for (wchar_t* buffer : { path, (wchar_t*)nullptr }) {
        assert_int_equal(WSCGetProviderPath(&id, buffer, &length, &error), SOCKET_ERROR);
        assert_int_equal(error, WSAEINVAL);
        assert_int_equal(length, MAX_PATH);
        error = 0;
    }
}

void the_path_of_a_provider_checks_pointers_first(void**) // [service-providers/3]
{
    GUID unknown = kNobody;
    GUID known = tcp_provider();
    wchar_t path[MAX_PATH];
    INT length = -1;
    for (GUID* id : { &unknown, &known }) {
        INT error = 0;
        assert_int_equal(WSCGetProviderPath(id, nullptr, nullptr, &error), SOCKET_ERROR);
        assert_int_equal(error, WSAEFAULT);
        assert_int_equal(WSCGetProviderPath(id, path, &length, &error), SOCKET_ERROR);
        assert_int_equal(error, WSAEINVAL);
        assert_int_equal(length, -1);
    }
    INT error = 0;
    assert_int_equal(WSCGetProviderPath(nullptr, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
}

void an_unknown_provider_has_no_information(void**) // [service-providers/4]
{
    GUID id = kNobody;
    BYTE info[64];
    size_t size = sizeof(info);
    for (const int type : { -1, (int)ProviderInfoLspCategories, (int)ProviderInfoAudit }) {
        INT error = 0;
        assert_int_equal(
            WSCGetProviderInfo(&id, (WSC_PROVIDER_INFO_TYPE)type, info, &size, 0, &error),
            SOCKET_ERROR);
        assert_int_equal(error, WSANO_RECOVERY);
        error = 0;
        assert_int_equal(
            WSCGetProviderInfo(&id, (WSC_PROVIDER_INFO_TYPE)type, nullptr, nullptr, 0, &error),
            SOCKET_ERROR);
        assert_int_equal(error, WSANO_RECOVERY);
    }
}

void an_empty_path_has_no_category(void**) // [service-providers/4]
{
    DWORD category = 0;
    for (const wchar_t* path : { (const wchar_t*)nullptr, L"" }) {
        for (const wchar_t* extra : { (const wchar_t*)nullptr, L"extra" }) {
            for (DWORD* categories : { &category, (DWORD*)nullptr }) {
                INT error = 0;
                assert_int_equal(
                    WSCGetApplicationCategory(path, 0, extra, extra ? 5 : 0, categories, &error),
                    SOCKET_ERROR);
                assert_int_equal(error, WSAEINVAL);
            }
        }
    }
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
    bool networks = false;
    for (int i = 0; i < count; ++i) {
        dns |= infos[i].dwNameSpace == NS_DNS;
        networks |= infos[i].dwNameSpace == NS_NLA;
        assert_true(infos[i].lpszIdentifier && infos[i].lpszIdentifier[0]);
    }
    assert_true(dns && networks);
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
    WSAQUERYSETW query = {};
    query.dwSize = sizeof(query);
    assert_wsa_fails(WSALookupServiceBeginW(&query, 0, nullptr), SOCKET_ERROR, WSAEFAULT);
    query.dwSize = 0;
    WSASetLastError(kPoison);
    assert_int_equal(WSALookupServiceBeginW(&query, 0, &lookup), SOCKET_ERROR);
    const int error = WSAGetLastError();
    assert_true(error == WSAEINVAL || error == WSASERVICE_NOT_FOUND);
}

/// Has the computer an address that is not loopback?
bool is_networked()
{
    char memory[4096];
    DWORD size = 0;
    if (WSAIoctl(udp_socket(), SIO_ADDRESS_LIST_QUERY, nullptr, 0, memory, sizeof(memory), &size,
            nullptr, nullptr))
        return false;
    const auto* list = (const SOCKET_ADDRESS_LIST*)memory;
    for (int i = 0; i < list->iAddressCount; ++i) {
        const auto* address = (const sockaddr_in*)list->Address[i].lpSockaddr;
        if (address->sin_addr.S_un.S_un_b.s_b1 != 127)
            return true;
    }
    return false;
}

/// A query of zeros for a name space. Returns the handle; null where the computer is in no network.
template <typename Query>
HANDLE begin_network_lookup(INT(WSAAPI* begin)(Query*, DWORD, HANDLE*), DWORD name_space)
{
    Query query = {};
    query.dwSize = sizeof(query);
    query.dwNameSpace = name_space;
    HANDLE lookup = nullptr;
    if (!is_networked())
        return nullptr;
    assert_wsa_ok(begin(&query, LUP_RETURN_ALL | LUP_DEEP, &lookup));
    assert_non_null(lookup);
    return lookup;
}

void networks_are_found_without_a_class(void**) // [service-providers/15], [service-providers/16]
{
    for (const DWORD name_space : { NS_ALL, NS_NLA }) {
        const HANDLE lookup = begin_network_lookup(WSALookupServiceBeginW, name_space);
        if (!lookup)
            return;
        int count = 0;
        for (;; ++count) {
            auto* result = static_cast<WSAQUERYSETW*>(lasting_memory(4096));
            DWORD size = 4096;
            WSASetLastError(kPoison);
            if (WSALookupServiceNextW(lookup, 0, &size, result))
                break;
            assert_int_equal(result->dwSize, sizeof(*result));
        }
        assert_int_equal(WSAGetLastError(), WSA_E_NO_MORE);
        assert_true(count > 0);
        DWORD size = 0;
        assert_wsa_fails(
            WSALookupServiceNextW(lookup, 0, &size, nullptr), SOCKET_ERROR, WSA_E_NO_MORE);
        assert_wsa_ok(WSALookupServiceEnd(lookup));
        assert_wsa_fails(WSALookupServiceEnd(lookup), SOCKET_ERROR, WSA_INVALID_HANDLE);
    }
}

void a_name_space_that_is_not_there_has_no_services(void**) // [service-providers/15]
{
    WSAQUERYSETW query = {};
    query.dwSize = sizeof(query);
    query.dwNameSpace = NS_NETDES; // of no provider
    HANDLE lookup = nullptr;
    assert_wsa_fails(WSALookupServiceBeginW(&query, LUP_RETURN_ALL, &lookup), SOCKET_ERROR,
        WSASERVICE_NOT_FOUND);
}

void a_network_has_a_name(void**) // [service-providers/16]
{
    const HANDLE lookup = begin_network_lookup(WSALookupServiceBeginW, NS_NLA);
    if (!lookup)
        return;
    auto* result = static_cast<WSAQUERYSETW*>(lasting_memory(4096));
    DWORD size = 1;
    assert_wsa_fails(
        WSALookupServiceNextW(lookup, LUP_RETURN_NAME, &size, result), SOCKET_ERROR, WSAEFAULT);
    assert_true(size > sizeof(*result) && size <= 4096);
    assert_wsa_ok(WSALookupServiceNextW(lookup, LUP_RETURN_NAME, &size, result));
    assert_int_equal(result->dwNameSpace, NS_NLA);
    assert_non_null(result->lpszServiceInstanceName);
    assert_null(result->lpBlob);
    assert_wsa_ok(WSALookupServiceEnd(lookup));
}

void a_network_that_does_not_fit_can_be_dropped(void**) // [service-providers/16]
{
    const HANDLE lookup = begin_network_lookup(WSALookupServiceBeginA, NS_NLA);
    if (!lookup)
        return;
    auto* result = static_cast<WSAQUERYSETA*>(lasting_memory(4096));
    int count = 0;
    int error = WSAEFAULT;
    while (error == WSAEFAULT) {
        DWORD size = 1;
        assert_int_equal(
            WSALookupServiceNextA(lookup, LUP_RETURN_NAME | LUP_FLUSHPREVIOUS, &size, result),
            SOCKET_ERROR);
        error = WSAGetLastError();
        ++count;
    }
    assert_int_equal(error, WSA_E_NO_MORE);
    assert_true(count > 1);
    assert_wsa_ok(WSALookupServiceEnd(lookup));
}

void what_is_no_lookup_is_refused(void**) // [service-providers/8]
{
    DWORD size = 0;
    DWORD returned = 0;
    const HANDLE garbage = reinterpret_cast<HANDLE>(0xDEAD0);

    assert_wsa_fails(WSALookupServiceEnd(garbage), SOCKET_ERROR, WSA_INVALID_HANDLE);
    assert_wsa_fails(WSALookupServiceEnd(nullptr), SOCKET_ERROR, WSA_INVALID_HANDLE);
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

template <typename Set> void check_registration(INT(WSAAPI* set)(Set*, WSAESETSERVICEOP, DWORD))
{
    Set service = {};
    assert_wsa_fails(set(nullptr, RNRSERVICE_REGISTER, 0), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(set(&service, RNRSERVICE_REGISTER, 0), SOCKET_ERROR, WSAEINVAL);
    service.dwSize = sizeof(service);
    assert_wsa_fails(set(&service, static_cast<WSAESETSERVICEOP>(99), 0), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(set(&service, RNRSERVICE_REGISTER, 0), SOCKET_ERROR, WSAEACCES);
    for (const WSAESETSERVICEOP removal : { RNRSERVICE_DEREGISTER, RNRSERVICE_DELETE })
        assert_wsa_fails(set(&service, removal, 0), SOCKET_ERROR, WSASERVICE_NOT_FOUND);
}

void services_cannot_be_registered(void**) // [service-providers/9]
{
    check_registration(WSASetServiceA);
    check_registration(WSASetServiceW);
}

template <typename Info> void check_installation(INT(WSAAPI* install)(Info*))
{
    Info info = {};
    assert_wsa_fails(install(nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(install(&info), SOCKET_ERROR, WSAEINVAL);
}

void service_classes_cannot_be_installed(void**) // [service-providers/9]
{
    check_installation(WSAInstallServiceClassA);
    check_installation(WSAInstallServiceClassW);
    GUID id = kNobody;
    char room[512];
    DWORD size = sizeof(room);
    assert_wsa_fails(
        WSAGetServiceClassInfoA(&id, &id, &size, reinterpret_cast<WSASERVICECLASSINFOA*>(room)),
        SOCKET_ERROR, WSATYPE_NOT_FOUND);
    assert_wsa_fails(
        WSAGetServiceClassInfoW(&id, &id, &size, reinterpret_cast<WSASERVICECLASSINFOW*>(room)),
        SOCKET_ERROR, WSATYPE_NOT_FOUND);
    assert_wsa_fails(
        WSAGetServiceClassInfoW(nullptr, &id, &size, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(WSAGetServiceClassNameByClassIdA(&id, room, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        WSAGetServiceClassNameByClassIdA(&id, room, &size), SOCKET_ERROR, WSATYPE_NOT_FOUND);
}

/// A socket that may join a group.
SOCKET new_leaf(Where where = Where::current())
{
    const SOCKET leaf = owned(WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0,
        WSA_FLAG_OVERLAPPED | WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF));
    if (leaf == INVALID_SOCKET)
        fail_at(where, "there is no socket: error %d", WSAGetLastError());
    return leaf;
}

SOCKET join_group(SOCKET socket, const char* group, unsigned short port)
{
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = inet_addr(group);
    name.sin_port = htons(port);
    return WSAJoinLeaf(socket, reinterpret_cast<sockaddr*>(&name), sizeof(name), nullptr, nullptr,
        nullptr, nullptr, JL_BOTH);
}

void a_leaf_joins_a_multicast_group(void**) // [service-providers/11]
{
    const SOCKET member = new_leaf();
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    assert_wsa_ok(bind(member, reinterpret_cast<sockaddr*>(&any), sizeof(any)));
    assert_int_equal(join_group(member, "239.255.77.9", local_port(member)), member);
}

void a_leaf_joins_once(void**) // [service-providers/11]
{
    const SOCKET member = new_leaf();
    assert_int_equal(join_group(member, "239.255.77.9", 9), member);
    assert_wsa_fails(join_group(member, "239.255.77.9", 9), INVALID_SOCKET, WSAEISCONN);
}

void a_leaf_that_joins_is_bound(void**) // [service-providers/11]
{
    const SOCKET member = new_leaf();
    assert_int_equal(join_group(member, "239.255.77.9", 9), member);
    assert_true(local_port(member) != 0);
    set_nonblocking(member);
    char byte;
    assert_wsa_fails(recv(member, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_leaf_join_checks_its_arguments(void**) // [service-providers/11]
{
    assert_wsa_fails(join_group(INVALID_SOCKET, "239.255.77.9", 9), INVALID_SOCKET, WSAENOTSOCK);
    assert_wsa_fails(join_group(udp_socket(), "239.255.77.9", 9), INVALID_SOCKET, WSAEINVAL);
    assert_wsa_fails(WSAJoinLeaf(new_leaf(), nullptr, sizeof(sockaddr_in), nullptr, nullptr,
                         nullptr, nullptr, JL_BOTH),
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
    HANDLE thread = GetCurrentThread();
    assert_wsa_fails(WSAProviderConfigChange(&thread, lasting<WSAOVERLAPPED>(), nullptr),
        SOCKET_ERROR, WSA_INVALID_HANDLE);
    assert_wsa_fails(WSAProviderConfigChange(nullptr, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
}

void a_notification_that_cannot_be_written_is_lost_nowhere(void**) // [service-providers/22]
{
    static const HANDLE s_read_only = nullptr;
    assert_rounds_leave_nothing_open([] {
        assert_wsa_fails(
            WSAProviderConfigChange(const_cast<HANDLE*>(&s_read_only), nullptr, nullptr),
            SOCKET_ERROR, WSAEFAULT);
    });
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_unknown_provider_has_no_path),
    cmocka_unit_test(the_path_of_a_provider_checks_pointers_first),
    cmocka_unit_test(a_provider_has_a_path),
    cmocka_unit_test(an_unknown_provider_has_no_information),
    cmocka_unit_test(an_empty_path_has_no_category),
    cmocka_unit_test(the_whole_catalog_can_be_listed),
    cmocka_unit_test(a_provider_that_is_not_there_cannot_be_removed),
    cmocka_unit_test(configuration_refuses_null),
    cmocka_unit_test(name_spaces_are_listed),
    cmocka_unit_test(a_missing_name_space_cannot_be_removed),
    cmocka_unit_test(a_lookup_needs_restrictions),
    cmocka_unit_test(networks_are_found_without_a_class),
    cmocka_unit_test(a_name_space_that_is_not_there_has_no_services),
    cmocka_unit_test(a_network_has_a_name),
    cmocka_unit_test(a_network_that_does_not_fit_can_be_dropped),
    cmocka_unit_test(what_is_no_lookup_is_refused),
    cmocka_unit_test(an_unknown_service_class_is_not_found),
    cmocka_unit_test(services_cannot_be_registered),
    cmocka_unit_test(service_classes_cannot_be_installed),
    cmocka_unit_test(a_leaf_joins_a_multicast_group),
    cmocka_unit_test(a_leaf_joins_once),
    cmocka_unit_test(a_leaf_that_joins_is_bound),
    cmocka_unit_test(a_leaf_join_checks_its_arguments),
    cmocka_unit_test(blocking_hooks_are_gone),
    cmocka_unit_test(no_quality_of_service_has_a_name),
    cmocka_unit_test(a_change_of_the_catalog_is_waited_for),
    cmocka_unit_test(a_notification_that_cannot_be_written_is_lost_nowhere),
};

} // namespace

CONFORMANCE_GROUP(providers, kCases);
