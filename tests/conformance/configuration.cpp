// The newer configuration functions: layered providers with their chains, categories, the catalog
// of 32-bit programs, name spaces that programs provide. (The older ones are in providers.cpp.)

#include "exports.h"

#include <cstring>
#include <cwchar>

#include <ws2spi.h>
#include <sporder.h>

using namespace conformance;

namespace {

GUID nobody = { 0x12345678, 1, 2, { 3, 4, 5, 6, 7, 8, 9, 10 } };

/// The whole catalog, in memory of the harness.
WSAPROTOCOL_INFOW* whole_catalog(int* count)
{
    DWORD size = 0;
    INT error;
    WSCEnumProtocols(nullptr, nullptr, &size, &error);
    auto* infos = static_cast<WSAPROTOCOL_INFOW*>(lasting_memory(size));
    *count = WSCEnumProtocols(nullptr, infos, &size, &error);
    assert_true(*count > 0);
    return infos;
}

void categories_of_a_provider_cannot_be_set(void**) // [service-providers/21]
{
    const auto set = EXPORT_OF(WSCSetProviderInfo);
    int count;
    GUID known = whole_catalog(&count)[0].ProviderId;
    DWORD categories = LSP_INSPECTOR;
    auto* const info = (BYTE*)&categories;
    const auto fails = [&](GUID* id, WSC_PROVIDER_INFO_TYPE type, BYTE* data, size_t size,
                           DWORD flags, int expected) {
        INT error = 0;
        assert_int_equal(set(id, type, data, size, flags, &error), SOCKET_ERROR);
        assert_int_equal(error, expected);
    };
    fails(nullptr, ProviderInfoLspCategories, info, sizeof(categories), 0, WSAEFAULT);
    fails(&nobody, ProviderInfoLspCategories, info, sizeof(categories), 0, WSANO_RECOVERY);
    fails(&known, ProviderInfoAudit, info, sizeof(categories), 0, ERROR_CALL_NOT_IMPLEMENTED);
    fails(&known, ProviderInfoLspCategories, info, 1, 0, WSAEINVAL);
    fails(&known, ProviderInfoLspCategories, info, sizeof(categories), 7, WSAEINVAL);
    fails(&known, ProviderInfoLspCategories, nullptr, sizeof(categories), 0, WSAEFAULT);
    fails(&known, ProviderInfoLspCategories, info, sizeof(categories), 0, WSANO_RECOVERY);
}

void a_layered_provider_cannot_be_installed(void**) // [service-providers/18]
{
    const auto install = export_of<int(WSPAPI*)(GUID*, const wchar_t*, const wchar_t*, DWORD,
        WSAPROTOCOL_INFOW*, DWORD, DWORD*, INT*)>("WSCInstallProviderAndChains");
    int count;
    WSAPROTOCOL_INFOW* const catalog = whole_catalog(&count);
    WSAPROTOCOL_INFOW unknown = catalog[0];
    unknown.iAddressFamily = AF_APPLETALK;
    wchar_t long_name[WSAPROTOCOL_LEN + 2] = {};
    wmemset(long_name, 'x', WSAPROTOCOL_LEN + 1);
    const auto fails = [&](GUID* id, const wchar_t* path, const wchar_t* name,
                           WSAPROTOCOL_INFOW* entries, DWORD entry_count, int expected) {
        INT error = 0;
        DWORD entry_id = 0;
        assert_int_equal(
            install(id, path, name, XP1_IFS_HANDLES, entries, entry_count, &entry_id, &error),
            SOCKET_ERROR);
        assert_int_equal(error, expected);
    };
    fails(nullptr, L"x.dll", L"x", nullptr, 0, WSAEINVAL);
    fails(&nobody, nullptr, L"x", nullptr, 0, WSAEINVAL);
    fails(&nobody, L"x.dll", nullptr, nullptr, 0, WSAEINVAL);
    fails(&nobody, L"x.dll", long_name, nullptr, 0, WSAEINVAL);
    fails(&nobody, L"x.dll", L"x", catalog, 0, WSAEINVAL);
    fails(&nobody, L"x.dll", L"x", &unknown, 1, WSAEINVAL);
    fails(&catalog[0].ProviderId, L"x.dll", L"x", catalog, 1, WSAEINVAL);
    fails(&nobody, L"x.dll", L"x", nullptr, 0, WSANO_RECOVERY);
    fails(&nobody, L"x.dll", L"x", catalog, count, WSANO_RECOVERY);
}

/// Orders that do not have every entry of the catalog once, and the one that has. Returns what no
/// list is.
template <typename Id> int check_orders(int(WSPAPI* write)(Id*, DWORD), Id* ids, int count)
{
    const auto number = static_cast<DWORD>(count);
    assert_int_equal(write(ids, number - 1), WSAEINVAL);
    assert_int_equal(write(ids, number), WSANO_RECOVERY);
    ids[0] = ids[number - 1]; // one is there twice, and one is missing
    assert_int_equal(write(ids, number), WSAEINVAL);
    return write(nullptr, number);
}

void an_order_has_every_provider_once(void**) // [service-providers/5]
{
    int count;
    WSAPROTOCOL_INFOW* const catalog = whole_catalog(&count);
    auto* ids = static_cast<DWORD*>(lasting_memory(static_cast<size_t>(count) * sizeof(DWORD)));
    for (int i = 0; i < count; ++i)
        ids[i] = catalog[i].dwCatalogEntryId;
    assert_int_equal(check_orders(EXPORT_OF(WSCWriteProviderOrder), ids, count), WSAEINVAL);
}

/// The name space providers, as one of the functions lists them, in memory of the harness.
template <typename Info> Info* list_providers(INT(WSAAPI* list)(DWORD*, Info*), int* count)
{
    DWORD size = 0;
    assert_wsa_fails(list(&size, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_true(size > sizeof(Info));
    auto* infos = static_cast<Info*>(lasting_memory(size));
    *count = list(&size, infos);
    assert_true(*count > 0);
    return infos;
}

void name_spaces_are_listed_with_their_data(void**) // [service-providers/6]
{
    int count, plain_count, plain_ansi_count, ansi_count;
    const auto* infos = list_providers(EXPORT_OF(WSAEnumNameSpaceProvidersExW), &count);
    const auto* ansi = list_providers(EXPORT_OF(WSAEnumNameSpaceProvidersExA), &ansi_count);
    const auto* plain = list_providers(&WSAEnumNameSpaceProvidersW, &plain_count);
    const auto* plain_ansi = list_providers(&WSAEnumNameSpaceProvidersA, &plain_ansi_count);
    assert_int_equal(plain_ansi_count, plain_count);
    assert_int_equal(count, plain_count);
    assert_int_equal(ansi_count, plain_count);
    for (int i = 0; i < count; ++i) {
        assert_memory_equal(&infos[i].NSProviderId, &plain[i].NSProviderId, sizeof(GUID));
        assert_memory_equal(&ansi[i].NSProviderId, &plain[i].NSProviderId, sizeof(GUID));
        assert_int_equal(infos[i].dwNameSpace, plain[i].dwNameSpace);
        assert_int_equal(ansi[i].dwNameSpace, plain[i].dwNameSpace);
        assert_int_equal(wcscmp(infos[i].lpszIdentifier, plain[i].lpszIdentifier), 0);
        assert_int_equal(strlen(ansi[i].lpszIdentifier), wcslen(plain[i].lpszIdentifier));
        assert_string_equal(ansi[i].lpszIdentifier, plain_ansi[i].lpszIdentifier);
        // Only the e-mail provider's have any.
        assert_true(infos[i].dwNameSpace == NS_EMAIL || !infos[i].ProviderSpecific.cbSize);
    }
}

void an_order_has_every_name_space_once(void**) // [service-providers/5]
{
    int count;
    const auto* infos = list_providers(&WSAEnumNameSpaceProvidersW, &count);
    auto* ids = static_cast<GUID*>(lasting_memory(static_cast<size_t>(count) * sizeof(GUID)));
    for (int i = 0; i < count; ++i)
        ids[i] = infos[i].NSProviderId;
    assert_int_equal(check_orders(EXPORT_OF(WSCWriteNameSpaceOrder), ids, count), WSAEFAULT);
}

void a_name_space_cannot_be_changed(void**) // [service-providers/7]
{
    int count;
    GUID known = list_providers(&WSAEnumNameSpaceProvidersW, &count)[0].NSProviderId;
    const auto enable = EXPORT_OF(WSCEnableNSProvider);
    assert_wsa_fails(enable(&nobody, FALSE), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(enable(nullptr, FALSE), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(enable(&known, FALSE), SOCKET_ERROR, WSANO_RECOVERY);
    assert_wsa_fails(EXPORT_OF(WSCUnInstallNameSpace)(&known), SOCKET_ERROR, WSANO_RECOVERY);
    wchar_t name[] = L"name";
    wchar_t path[] = L"x.dll";
    const auto install = EXPORT_OF(WSCInstallNameSpace);
    assert_wsa_fails(install(name, path, NS_DNS, 1, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(install(name, path, NS_DNS, 1, &nobody), SOCKET_ERROR, WSANO_RECOVERY);
}

void a_provider_cannot_be_changed(void**) // [service-providers/2]
{
    int count;
    WSAPROTOCOL_INFOW* const catalog = whole_catalog(&count);
    GUID known = catalog[0].ProviderId;
    const auto update = EXPORT_OF(WSCUpdateProvider);
    const auto fails = [](int result, INT error, int expected) {
        assert_int_equal(result, SOCKET_ERROR);
        assert_int_equal(error, expected);
    };
    INT error = 0;
    const int updated = update(&known, L"x.dll", catalog, 1, &error);
    fails(updated, error, WSANO_RECOVERY);
    const int unknown = update(&nobody, L"x.dll", catalog, 1, &error);
    fails(unknown, error, WSAEINVAL);
    const int installed = EXPORT_OF(WSCInstallProvider)(&nobody, L"x.dll", catalog, 1, &error);
    fails(installed, error, WSANO_RECOVERY);
    const int removed = EXPORT_OF(WSCDeinstallProvider)(&known, &error);
    fails(removed, error, WSANO_RECOVERY);
}

void a_name_space_with_data_cannot_be_installed(void**) // [service-providers/7]
{
    const auto install = EXPORT_OF(WSCInstallNameSpaceEx);
    wchar_t name[] = L"name";
    wchar_t path[] = L"x.dll";
    BLOB blob = {};

    assert_wsa_fails(install(name, nullptr, NS_DNS, 1, &nobody, &blob), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(install(name, path, NS_DNS, 1, &nobody, &blob), SOCKET_ERROR, WSANO_RECOVERY);
}

void what_is_no_provider_cannot_be_advertised(void**) // [service-providers/20]
{
    const auto advertise
        = export_of<INT(WSAAPI*)(const GUID*, const NSPV2_ROUTINE*)>("WSAAdvertiseProvider");
    const auto unadvertise = EXPORT_OF(WSAUnadvertiseProvider);
    NSPV2_ROUTINE routines = {};
    routines.cbSize = sizeof(routines);
    routines.dwMajorVersion = 2;

    assert_wsa_fails(advertise(nullptr, &routines), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(advertise(&nobody, nullptr), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(advertise(&nobody, &routines), SOCKET_ERROR, WSAEINVAL);
    // They are not called.
    routines.NSPv2LookupServiceBegin = (LPNSPV2LOOKUPSERVICEBEGIN)1;
    routines.NSPv2LookupServiceNextEx = (LPNSPV2LOOKUPSERVICENEXTEX)1;
    routines.NSPv2LookupServiceEnd = (LPNSPV2LOOKUPSERVICEEND)1;
    assert_wsa_fails(advertise(&nobody, &routines), SOCKET_ERROR, WSAEINVALIDPROVIDER);
    assert_wsa_fails(unadvertise(nullptr), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(EXPORT_OF(WSAProviderCompleteAsyncCall)(nullptr, 0), SOCKET_ERROR, WSAEINVAL);
}

/// Calls a function of that many arguments, the last of which is for the error, with null for all
/// else.
template <typename... Nulls> void refuses_by_its_last_argument(const char* name, Nulls... nulls)
{
    INT error = 0;
    const auto function = export_of<int(WSPAPI*)(Nulls..., INT*)>(name);
    assert_int_equal(function(nulls..., &error), SOCKET_ERROR);
    assert_int_equal(error, WSANO_RECOVERY);
    assert_int_equal(function(nulls..., nullptr), SOCKET_ERROR);
}

void undescribed_forms_refuse(void**) // [service-providers/19]
{
    void* const null = nullptr;
    refuses_by_its_last_argument("WSCDeinstallProviderEx", null, null);
    refuses_by_its_last_argument("WSCEnumProtocolsEx", null, null, null, null);
    refuses_by_its_last_argument("WSCUpdateProviderEx", null, null, null, null, null);
    refuses_by_its_last_argument("WSCInstallProviderEx", null, null, null, null, null, null);
    refuses_by_its_last_argument("WSCGetApplicationCategoryEx", null, null, null, null, null, null);
    refuses_by_its_last_argument(
        "WSCSetApplicationCategoryEx", null, null, null, null, null, null, null);
    refuses_by_its_last_argument("WPUGetProviderPathEx", null, null, null, null);
    assert_int_equal(export_of<int(WSPAPI*)(void*, void*, void*)>("WSCWriteProviderOrderEx")(
                         nullptr, nullptr, nullptr),
        WSANO_RECOVERY);
    assert_wsa_fails(
        export_of<int(WSPAPI*)(void*, void*)>("WSCUnInstallNameSpaceEx2")(nullptr, nullptr),
        SOCKET_ERROR, WSANO_RECOVERY);
    const auto install = export_of<int(WSPAPI*)(void*, void*, void*, void*, void*, void*, void*)>(
        "WSCInstallNameSpaceEx2");
    assert_wsa_fails(
        install(null, null, null, null, null, null, null), SOCKET_ERROR, WSANO_RECOVERY);
}

void the_catalog_of_32_bit_programs_is_there(void**) // [service-providers/17]
{
#ifdef _WIN64
    int count;
    WSAPROTOCOL_INFOW* const catalog = whole_catalog(&count);
    const auto list = EXPORT_OF(WSCEnumProtocols32);
    DWORD size = 0;
    INT error = 0;
    assert_int_equal(list(nullptr, nullptr, &size, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOBUFS);
    auto* infos = static_cast<WSAPROTOCOL_INFOW*>(lasting_memory(size));
    assert_int_equal(list(nullptr, infos, &size, &error), size / sizeof(*infos));

    GUID id = infos[0].ProviderId;
    wchar_t path[MAX_PATH];
    INT length = MAX_PATH;
    assert_int_equal(EXPORT_OF(WSCGetProviderPath32)(&id, path, &length, &error), 0);
    BYTE info[64];
    size_t info_size = sizeof(info);
    assert_int_equal(EXPORT_OF(WSCGetProviderInfo32)(
                         &nobody, ProviderInfoLspCategories, info, &info_size, 0, &error),
        SOCKET_ERROR);
    assert_int_equal(error, WSANO_RECOVERY);
    int name_spaces, extended;
    list_providers(EXPORT_OF(WSCEnumNameSpaceProviders32), &name_spaces);
    list_providers(EXPORT_OF(WSCEnumNameSpaceProvidersEx32), &extended);
    assert_int_equal(name_spaces, extended);

    // And it cannot be changed.
    wchar_t dll[] = L"x.dll";
    wchar_t name[] = L"x";
    DWORD order[] = { 1 };
    const auto refused = [&](int result) {
        assert_int_equal(result, SOCKET_ERROR);
        assert_int_equal(error, WSANO_RECOVERY);
        error = 0;
    };
    refused(EXPORT_OF(WSCInstallProvider64_32)(&nobody, dll, catalog, 1, &error));
    refused(export_of<int(WSPAPI*)(GUID*, const wchar_t*, const wchar_t*, const wchar_t*, DWORD,
            WSAPROTOCOL_INFOW*, DWORD, DWORD*, INT*)>("WSCInstallProviderAndChains64_32")(
        &nobody, dll, dll, name, 0, nullptr, 0, nullptr, &error));
    refused(EXPORT_OF(WSCUpdateProvider32)(&id, dll, catalog, 1, &error));
    refused(EXPORT_OF(WSCDeinstallProvider32)(&id, &error));
    DWORD categories = 0;
    refused(EXPORT_OF(WSCSetProviderInfo32)(
        &id, ProviderInfoLspCategories, (BYTE*)&categories, sizeof(categories), 0, &error));
    assert_int_not_equal(EXPORT_OF(WSCWriteProviderOrder32)(order, 1), 0);
    assert_int_not_equal(EXPORT_OF(WSCWriteNameSpaceOrder32)(&nobody, 1), 0);
    assert_int_equal(EXPORT_OF(WSCInstallNameSpace32)(name, dll, NS_DNS, 1, &nobody), SOCKET_ERROR);
    assert_int_equal(
        EXPORT_OF(WSCInstallNameSpaceEx32)(name, dll, NS_DNS, 1, &nobody, nullptr), SOCKET_ERROR);
    assert_int_equal(EXPORT_OF(WSCUnInstallNameSpace32)(&nobody), SOCKET_ERROR);
    assert_int_equal(EXPORT_OF(WSCEnableNSProvider32)(&nobody, TRUE), SOCKET_ERROR);
#else
    skip(); // Only a 64-bit program asks.
#endif
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(categories_of_a_provider_cannot_be_set),
    cmocka_unit_test(a_layered_provider_cannot_be_installed),
    cmocka_unit_test(an_order_has_every_provider_once),
    cmocka_unit_test(name_spaces_are_listed_with_their_data),
    cmocka_unit_test(an_order_has_every_name_space_once),
    cmocka_unit_test(a_name_space_cannot_be_changed),
    cmocka_unit_test(a_provider_cannot_be_changed),
    cmocka_unit_test(a_name_space_with_data_cannot_be_installed),
    cmocka_unit_test(what_is_no_provider_cannot_be_advertised),
    cmocka_unit_test(undescribed_forms_refuse),
    cmocka_unit_test(the_catalog_of_32_bit_programs_is_there),
};

} // namespace

CONFORMANCE_GROUP(configuration, kCases);
