// GetAddrInfoExA and SetAddrInfoExA/W, and what GetAddrInfoEx has beyond getaddrinfo: providers,
// both names, cancelling. (The wide lookup and its completion are in resolver.cpp.)

#include "exports.h"

#include <cwchar>

// Missing from the SDK's ws2tcpip.h.
extern "C" {
int WSAAPI GetAddrInfoExCancel(HANDLE* handle);
int WSAAPI GetAddrInfoExOverlappedResult(OVERLAPPED* overlapped);
}

using namespace conformance;

namespace {

constexpr GUID kNobody = { 0x12345678, 1, 2, { 3, 4, 5, 6, 7, 8, 9, 10 } };

/// The identifier of the provider of a name space.
GUID provider_of(DWORD name_space)
{
    DWORD size = 0;
    WSAEnumNameSpaceProvidersW(&size, nullptr);
    auto* infos = static_cast<WSANAMESPACE_INFOW*>(lasting_memory(size));
    const int count = WSAEnumNameSpaceProvidersW(&size, infos);
    for (int i = 0; i < count; ++i) {
        if (infos[i].dwNameSpace == name_space)
            return infos[i].NSProviderId;
    }
    fail_at(Where::current(), "no provider has the name space %lu", name_space);
}

void the_ansi_lookup_gives_ansi_names(void**) // [GetAddrInfoEx/7]
{
    const auto look_up = EXPORT_OF(GetAddrInfoExA);
    ADDRINFOEXA hints = {};
    hints.ai_flags = AI_CANONNAME;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    ADDRINFOEXA* result = nullptr;

    assert_int_equal(look_up("localhost", "80", NS_ALL, nullptr, &hints, &result, nullptr, nullptr,
                         nullptr, nullptr),
        0);
    assert_non_null(result);
    assert_string_equal(result->ai_canonname, "localhost");
    const auto* address = (const sockaddr_in*)result->ai_addr;
    assert_int_equal(result->ai_addrlen, sizeof(*address));
    assert_int_equal(address->sin_port, htons(80));
    assert_int_equal(address->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    // The SDK has it under this name for ANSI.
    export_of<void(WSAAPI*)(ADDRINFOEXA*)>("FreeAddrInfoEx")(result);

    result = (ADDRINFOEXA*)1;
    assert_wsa_fails(look_up("no-such-host.invalid", nullptr, NS_DNS, nullptr, nullptr, &result,
                         nullptr, nullptr, nullptr, nullptr),
        WSAHOST_NOT_FOUND, WSAHOST_NOT_FOUND);
    assert_null(result);
    hints.ai_addrlen = 1;
    assert_int_equal(look_up("localhost", "80", NS_ALL, nullptr, &hints, &result, nullptr, nullptr,
                         nullptr, nullptr),
        WSANO_RECOVERY);
}

void the_ansi_lookup_blocks_always(void**) // [GetAddrInfoEx/7]
{
    const auto look_up = EXPORT_OF(GetAddrInfoExA);
    ADDRINFOEXA* result = nullptr;
    timeval timeout = { 10, 0 };
    auto* overlapped = lasting<OVERLAPPED>();
    overlapped->hEvent = new_event();
    HANDLE handle = nullptr;
    const auto fails = [&](timeval* limit, OVERLAPPED* pending, HANDLE* name) {
        assert_wsa_fails(look_up("localhost", "80", NS_DNS, nullptr, nullptr, &result, limit,
                             pending, nullptr, name),
            WSAEINVAL, WSAEINVAL);
        assert_null(result);
    };
    fails(&timeout, nullptr, nullptr);
    fails(nullptr, overlapped, nullptr);
    fails(nullptr, nullptr, &handle);
}

void a_lookup_can_be_sent_to_one_provider(void**) // [GetAddrInfoEx/6]
{
    GUID nobody = kNobody;
    GUID dns = provider_of(NS_DNS);
    ADDRINFOEXW* result = nullptr;
    ADDRINFOEXA* ansi = nullptr;

    assert_int_equal(GetAddrInfoExW(L"127.0.0.1", L"80", NS_DNS, &dns, nullptr, &result, nullptr,
                         nullptr, nullptr, nullptr),
        0);
    FreeAddrInfoExW(result);
    assert_int_equal(GetAddrInfoExW(L"127.0.0.1", L"80", NS_DNS, &nobody, nullptr, &result, nullptr,
                         nullptr, nullptr, nullptr),
        WSASERVICE_NOT_FOUND);
    assert_null(result);
    assert_int_equal(EXPORT_OF(GetAddrInfoExA)("127.0.0.1", "80", NS_ALL, &nobody, nullptr, &ansi,
                         nullptr, nullptr, nullptr, nullptr),
        WSASERVICE_NOT_FOUND);
    assert_null(ansi);
}

/// ADDRINFOEX2W, which the SDK may lack.
struct AddressInfo2 {
    ADDRINFOEXW base;
    int version;
    wchar_t* full_name;
};

void both_names_of_a_host_can_be_asked_for(void**) // [GetAddrInfoEx/8]
{
    ADDRINFOEXW hints = {};
    hints.ai_family = AF_INET;
    hints.ai_flags = AI_CANONNAME | AI_FQDN;
    ADDRINFOEXW* result = nullptr;
    assert_int_equal(GetAddrInfoExW(L"localhost", L"80", NS_DNS, nullptr, &hints, &result, nullptr,
                         nullptr, nullptr, nullptr),
        0);
    const auto* extended = (const AddressInfo2*)result;
    assert_int_equal(extended->version, 2);
    assert_int_equal(wcsncmp(result->ai_canonname, L"localhost", 9), 0);
    assert_int_equal(wcsncmp(extended->full_name, L"localhost", 9), 0);
    FreeAddrInfoExW(result);
}

void a_cancelled_lookup_ends_once(void**) // [GetAddrInfoEx/5]
{
    auto* overlapped = lasting<OVERLAPPED>();
    auto** result = lasting<ADDRINFOEXW*>();
    overlapped->hEvent = new_event();
    for (int i = 0; i < 50; ++i) {
        HANDLE handle = nullptr;
        WSAResetEvent(overlapped->hEvent);
        assert_int_equal(GetAddrInfoExW(L"localhost", L"80", NS_DNS, nullptr, nullptr, result,
                             nullptr, overlapped, nullptr, &handle),
            ERROR_IO_PENDING);
        // The lookup may be over by now.
        const int cancelled = GetAddrInfoExCancel(&handle);
        assert_true(!cancelled || cancelled == WSA_INVALID_HANDLE);
        assert_becomes_signaled(overlapped->hEvent);
        assert_int_equal(
            GetAddrInfoExOverlappedResult(overlapped), cancelled ? 0 : WSA_E_CANCELLED);
        assert_int_equal(*result != nullptr, cancelled != 0);
        FreeAddrInfoExW(*result);
        assert_int_equal(GetAddrInfoExCancel(&handle), WSA_INVALID_HANDLE);
    }
}

void names_cannot_be_registered(void**) // [SetAddrInfoEx/1]
{
    sockaddr_in loopback = {};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SOCKET_ADDRESS address = { (sockaddr*)&loopback, sizeof(loopback) };
    timeval timeout = { 1, 0 };
    const auto ansi = EXPORT_OF(SetAddrInfoExA);
    const auto wide = EXPORT_OF(SetAddrInfoExW);

    assert_wsa_fails(ansi("name", nullptr, &address, 1, nullptr, 0, NS_DNS, nullptr, nullptr,
                         nullptr, nullptr, nullptr),
        WSANO_RECOVERY, WSANO_RECOVERY);
    assert_wsa_fails(wide(L"name", nullptr, &address, 1, nullptr, 0, NS_ALL, nullptr, nullptr,
                         nullptr, nullptr, nullptr),
        WSANO_RECOVERY, WSANO_RECOVERY);
    assert_wsa_fails(ansi("name", nullptr, &address, 1, nullptr, 0, NS_DNS, nullptr, &timeout,
                         nullptr, nullptr, nullptr),
        WSAEINVAL, WSAEINVAL);
    assert_wsa_fails(wide(nullptr, nullptr, &address, 1, nullptr, 0, NS_DNS, nullptr, nullptr,
                         nullptr, nullptr, nullptr),
        WSAEINVAL, WSAEINVAL);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_ansi_lookup_gives_ansi_names),
    cmocka_unit_test(the_ansi_lookup_blocks_always),
    cmocka_unit_test(a_lookup_can_be_sent_to_one_provider),
    cmocka_unit_test(both_names_of_a_host_can_be_asked_for),
    cmocka_unit_test(a_cancelled_lookup_ends_once),
    cmocka_unit_test(names_cannot_be_registered),
};

} // namespace

CONFORMANCE_GROUP(extended_names, kCases);
