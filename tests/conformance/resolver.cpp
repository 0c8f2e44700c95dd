// Host names and addresses: getaddrinfo, GetAddrInfoW, GetAddrInfoExW, getnameinfo, gethostbyname,
// gethostbyaddr, gethostname. No case needs a name server; those that do are in dns.cpp.

#include "sockets.h"

#include <cstring>
#include <cwchar>

// Missing from the SDK's ws2tcpip.h.
extern "C" {
int WSAAPI GetAddrInfoExCancel(HANDLE* handle);
int WSAAPI GetAddrInfoExOverlappedResult(OVERLAPPED* overlapped);
}

using namespace conformance;

namespace {

ADDRINFOA hints_of(int flags, int family, int type = 0, int protocol = 0)
{
    ADDRINFOA hints = {};
    hints.ai_flags = flags;
    hints.ai_family = family;
    hints.ai_socktype = type;
    hints.ai_protocol = protocol;
    return hints;
}

/// The list of the running case; freed by its teardown.
ADDRINFOA* list;

int free_list(void**)
{
    freeaddrinfo(list);
    list = nullptr;
    return 0;
}

/// getaddrinfo into `list`; returns its value after checking the last error against it.
int look_up(const char* node, const char* service, const ADDRINFOA& hints)
{
    free_list(nullptr);
    WSASetLastError(kPoison);
    const int error = getaddrinfo(node, service, &hints, &list);
    assert_int_equal(WSAGetLastError(), error);
    return error;
}

bool has_ipv4(ULONG address, unsigned short port)
{
    for (const ADDRINFOA* info = list; info; info = info->ai_next) {
        const auto* v4 = (const sockaddr_in*)info->ai_addr;
        if (info->ai_family == AF_INET && v4->sin_family == AF_INET
            && info->ai_addrlen == sizeof(*v4) && v4->sin_addr.s_addr == htonl(address)
            && v4->sin_port == htons(port))
            return true;
    }
    return false;
}

bool has_ipv6(const IN6_ADDR& address, unsigned short port)
{
    for (const ADDRINFOA* info = list; info; info = info->ai_next) {
        const auto* v6 = (const sockaddr_in6*)info->ai_addr;
        if (info->ai_family == AF_INET6 && v6->sin6_family == AF_INET6
            && info->ai_addrlen == sizeof(*v6) && !memcmp(&v6->sin6_addr, &address, 16)
            && v6->sin6_port == htons(port))
            return true;
    }
    return false;
}

void numeric_node_and_service_give_one_entry(void**) // [getaddrinfo/1]
{
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, AF_UNSPEC, SOCK_STREAM)), 0);
    assert_true(has_ipv4(INADDR_LOOPBACK, 80));
    assert_null(list->ai_next);
    assert_null(list->ai_canonname);
    assert_int_equal(look_up("::1", "80", hints_of(0, AF_UNSPEC)), 0);
    assert_true(has_ipv6(in6addr_loopback, 80));
    assert_null(list->ai_next);
}

void type_and_protocol_are_repeated(void**) // [getaddrinfo/1]
{
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, AF_UNSPEC)), 0);
    assert_int_equal(list->ai_socktype, 0);
    assert_int_equal(list->ai_protocol, 0);
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, AF_INET, SOCK_DGRAM, IPPROTO_UDP)), 0);
    assert_int_equal(list->ai_socktype, SOCK_DGRAM);
    assert_int_equal(list->ai_protocol, IPPROTO_UDP);
}

void a_protocol_that_suits_no_type_is_repeated(void**) // [getaddrinfo/1]
{
    constexpr int kUnknown = 999;
    for (const int type : { 0, int { SOCK_STREAM }, int { SOCK_DGRAM } }) {
        assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, AF_INET, type, kUnknown)), 0);
        assert_int_equal(list->ai_protocol, kUnknown);
    }
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, AF_INET, SOCK_STREAM, IPPROTO_UDP)), 0);
    assert_int_equal(list->ai_protocol, IPPROTO_UDP);
}

void absent_hints_are_zeros(void**) // [getaddrinfo/1]
{
    assert_int_equal(getaddrinfo("127.0.0.1", "80", nullptr, &list), 0);
    assert_true(has_ipv4(INADDR_LOOPBACK, 80));
}

void hints_with_result_members_are_refused(void**) // [getaddrinfo/2]
{
    ADDRINFOA hints = hints_of(0, AF_INET);
    hints.ai_addrlen = 1;
    assert_int_equal(look_up("127.0.0.1", "80", hints), WSANO_RECOVERY);
    hints = hints_of(0, AF_INET);
    hints.ai_canonname = (char*)"x";
    assert_int_equal(look_up("127.0.0.1", "80", hints), WSANO_RECOVERY);
}

void neither_node_nor_service_is_not_found(void**) // [getaddrinfo/3]
{
    ADDRINFOA* result = (ADDRINFOA*)1;
    assert_wsa_fails(
        getaddrinfo(nullptr, nullptr, nullptr, &result), WSAHOST_NOT_FOUND, WSAHOST_NOT_FOUND);
    assert_null(result);
}

void unknown_family_and_type_are_refused(void**) // [getaddrinfo/3]
{
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, 99)), WSAEAFNOSUPPORT);
    for (const int protocol : { 0, int { IPPROTO_TCP }, 999 })
        assert_int_equal(
            look_up("127.0.0.1", "80", hints_of(0, AF_INET, 999, protocol)), WSAESOCKTNOSUPPORT);
}

void no_node_means_loopback(void**) // [getaddrinfo/5]
{
    assert_int_equal(look_up(nullptr, "80", hints_of(0, AF_INET, SOCK_STREAM)), 0);
    assert_true(has_ipv4(INADDR_LOOPBACK, 80));
    assert_int_equal(look_up(nullptr, "80", hints_of(0, AF_INET6, SOCK_STREAM)), 0);
    assert_true(has_ipv6(in6addr_loopback, 80));
}

void no_node_and_passive_means_any(void**) // [getaddrinfo/5]
{
    assert_int_equal(look_up(nullptr, "80", hints_of(AI_PASSIVE, AF_INET, SOCK_STREAM)), 0);
    assert_true(has_ipv4(INADDR_ANY, 80));
    assert_int_equal(look_up(nullptr, "80", hints_of(AI_PASSIVE, AF_INET6, SOCK_STREAM)), 0);
    assert_true(has_ipv6(in6addr_any, 80));
}

void numeric_node_has_no_port(void**) // [getaddrinfo/6]
{
    assert_int_equal(look_up("127.0.0.1:80", nullptr, hints_of(0, AF_UNSPEC)), WSAHOST_NOT_FOUND);
    assert_int_equal(look_up("127.0.0.1 ", nullptr, hints_of(0, AF_UNSPEC)), WSAHOST_NOT_FOUND);
}

void what_follows_the_brackets_is_ignored(void**) // [getaddrinfo/6]
{
    IN6_ADDR address = {};
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &address), 1);
    for (const int flags : { 0, AI_NUMERICHOST }) {
        assert_int_equal(look_up("[2001:db8::7]:8080", nullptr, hints_of(flags, AF_UNSPEC)), 0);
        assert_true(has_ipv6(address, 0));
        assert_int_equal(look_up("[2001:db8::7]:8080", "80", hints_of(flags, AF_INET6)), 0);
        assert_true(has_ipv6(address, 80));
        for (const char* node : { "[::1]", "[::1]:", "[::1]:0", "[::1]:99999", "[::1]x" }) {
            assert_int_equal(look_up(node, nullptr, hints_of(flags, AF_UNSPEC)), 0);
            assert_true(has_ipv6(in6addr_loopback, 0));
        }
    }
}

/// GetAddrInfoW and GetAddrInfoExW for one node; both values must be the same.
int look_up_wide(const wchar_t* node, int flags, int* address_family = nullptr)
{
    ADDRINFOW hints = {};
    hints.ai_flags = flags;
    ADDRINFOEXW hints_ex = {};
    hints_ex.ai_flags = flags;
    ADDRINFOW* wide = nullptr;
    ADDRINFOEXW* extended = nullptr;
    const int error = GetAddrInfoW(node, nullptr, &hints, &wide);
    assert_int_equal(WSAGetLastError(), error);
    assert_int_equal(GetAddrInfoExW(node, nullptr, NS_DNS, nullptr, &hints_ex, &extended, nullptr,
                         nullptr, nullptr, nullptr),
        error);
    assert_true(!wide == !!error && !extended == !!error);
    if (error)
        return error;
    const int family = wide->ai_family;
    const bool is_same = family == extended->ai_family
        && !memcmp(wide->ai_addr, extended->ai_addr, wide->ai_addrlen);
    FreeAddrInfoW(wide);
    FreeAddrInfoExW(extended);
    assert_true(is_same);
    if (address_family)
        *address_family = family;
    return 0;
}

void wide_nodes_may_have_brackets_and_a_port(void**) // [getaddrinfo/6]
{
    int family = 0;
    assert_int_equal(look_up_wide(L"[2001:db8::7]:8080", 0, &family), 0);
    assert_int_equal(family, AF_INET6);
    assert_int_equal(look_up_wide(L"[2001:db8::7", AI_NUMERICHOST), WSAHOST_NOT_FOUND);
}

void brackets_must_match(void**) // [getaddrinfo/6]
{
    for (const char* node : { "[2001:db8::7", "2001:db8::7]", "[]", "[", "192.168.1.253:1024" })
        assert_int_equal(
            look_up(node, nullptr, hints_of(AI_NUMERICHOST, AF_UNSPEC)), WSAHOST_NOT_FOUND);
    assert_int_equal(
        look_up("192.168.1.253:1024", nullptr, hints_of(0, AF_UNSPEC)), WSAHOST_NOT_FOUND);
    for (const int flags : { 0, AI_NUMERICHOST })
        assert_int_equal(
            look_up("[2001:db8::7]:8080", nullptr, hints_of(flags, AF_INET)), WSAHOST_NOT_FOUND);
}

void numeric_node_of_the_other_family_is_not_found(void**) // [getaddrinfo/6]
{
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(0, AF_INET6)), WSAHOST_NOT_FOUND);
    assert_int_equal(look_up("::1", "80", hints_of(0, AF_INET)), WSAHOST_NOT_FOUND);
}

void scope_of_a_numeric_node_is_kept(void**) // [getaddrinfo/6]
{
    assert_int_equal(look_up("fe80::1%1", "80", hints_of(0, AF_UNSPEC)), 0);
    assert_int_equal(((sockaddr_in6*)list->ai_addr)->sin6_scope_id, 1);
}

void numeric_host_asks_nobody(void**) // [getaddrinfo/6]
{
    const ADDRINFOA hints = hints_of(AI_NUMERICHOST, AF_UNSPEC);
    assert_int_equal(look_up("localhost", "80", hints), WSAHOST_NOT_FOUND);
    assert_int_equal(look_up("127.0.0.1", "80", hints), 0);
}

void service_name_must_suit_the_type(void**) // [getaddrinfo/7]
{
    assert_int_equal(look_up("127.0.0.1", "http", hints_of(0, AF_INET, SOCK_STREAM)), 0);
    assert_true(has_ipv4(INADDR_LOOPBACK, 80));
    assert_int_equal(
        look_up("127.0.0.1", "tftp", hints_of(0, AF_INET, SOCK_STREAM)), WSATYPE_NOT_FOUND);
    assert_int_equal(
        look_up("127.0.0.1", "no-such-service", hints_of(0, AF_INET)), WSATYPE_NOT_FOUND);
    assert_int_equal(
        look_up(nullptr, "no-such-service", hints_of(0, AF_UNSPEC)), WSATYPE_NOT_FOUND);
}

void numeric_service_asks_nobody(void**) // [getaddrinfo/7]
{
    assert_int_equal(
        look_up("127.0.0.1", "http", hints_of(AI_NUMERICSERV, AF_INET)), WSAHOST_NOT_FOUND);
}

void canonical_name_is_with_the_first_entry(void**) // [getaddrinfo/8]
{
    assert_int_equal(look_up("127.0.0.1", "80", hints_of(AI_CANONNAME, AF_INET)), 0);
    assert_string_equal(list->ai_canonname, "127.0.0.1");
    assert_int_equal(look_up("localhost", "80", hints_of(AI_CANONNAME, AF_INET)), 0);
    assert_non_null(list->ai_canonname);
    assert_int_equal(look_up(nullptr, "80", hints_of(AI_CANONNAME, AF_INET)), WSAEINVAL);
}

void localhost_is_loopback(void**) // [getaddrinfo/9]
{
    assert_int_equal(look_up("localhost", "80", hints_of(0, AF_INET)), 0);
    assert_true(has_ipv4(INADDR_LOOPBACK, 80));
    assert_int_equal(look_up("LOCALHOST", "80", hints_of(0, AF_INET)), 0);
    assert_true(has_ipv4(INADDR_LOOPBACK, 80));
}

void localhost_has_no_other_address(void**) // [getaddrinfo/9]
{
    assert_int_equal(look_up("localhost", "80", hints_of(0, AF_UNSPEC)), 0);
    for (const ADDRINFOA* info = list; info; info = info->ai_next) {
        if (info->ai_family == AF_INET)
            assert_int_equal(((sockaddr_in*)info->ai_addr)->sin_addr.s_addr & 0xFF, 127);
        else
            assert_memory_equal(&((sockaddr_in6*)info->ai_addr)->sin6_addr, &in6addr_loopback, 16);
    }
}

void unknown_host_is_not_found(void**) // [getaddrinfo/9]
{
    assert_int_equal(
        look_up("no-such-host.invalid", "80", hints_of(0, AF_INET)), WSAHOST_NOT_FOUND);
}

void what_is_no_name_is_not_found(void**) // [getaddrinfo/15]
{
    char long_label[80] = {};
    memset(long_label, 'a', 64);
    strcpy(long_label + 64, ".invalid");
    char long_name[256] = {};
    for (int i = 0; i < 254; ++i)
        long_name[i] = i % 50 == 49 ? '.' : 'a';
    for (const char* node : { "a..b", "x..y.", ".a", "a..", ".", "a\\", (const char*)long_label,
             (const char*)long_name }) {
        assert_int_equal(look_up(node, "80", hints_of(0, AF_UNSPEC)), WSAHOST_NOT_FOUND);
        assert_wsa_fails(gethostbyname(node), nullptr, WSAHOST_NOT_FOUND);
    }
}

void wide_nodes_are_encoded(void**) // [getaddrinfo/14]
{
    // The encoding turns full-width letters into ASCII ones, so no name server is needed.
    const wchar_t* const localhost = L"\xFF4C\xFF4F\xFF43\xFF41\xFF4C\xFF48\xFF4F\xFF53\xFF54";
    assert_int_equal(look_up_wide(localhost, 0), 0);
    const int error = look_up_wide(localhost, AI_DISABLE_IDN_ENCODING);
    assert_true(error == WSAHOST_NOT_FOUND || error == WSATRY_AGAIN);
}

void query_flags_do_not_come_back(void**) // [getaddrinfo/17]
{
    constexpr int kDnsOnly = 0x10; // AI_DNS_ONLY
    for (const int flags : { AI_ALL, AI_ALL | kDnsOnly }) {
        assert_int_equal(
            look_up("localhost", nullptr, hints_of(flags, AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP)), 0);
        for (const ADDRINFOA* info = list; info; info = info->ai_next) {
            assert_int_equal(info->ai_flags, 0);
            assert_null(info->ai_canonname);
            assert_int_equal(info->ai_socktype, SOCK_STREAM);
            assert_int_equal(info->ai_protocol, IPPROTO_TCP);
        }
    }
}

void empty_node_is_the_computer_itself(void**) // [getaddrinfo/10]
{
    assert_int_equal(look_up("", "80", hints_of(0, AF_UNSPEC)), 0);
    assert_non_null(list);
}

void mapped_address_stands_in_for_ipv6(void**) // [getaddrinfo/11]
{
    IN6_ADDR mapped = {};
    mapped.s6_addr[10] = mapped.s6_addr[11] = 0xFF;
    mapped.s6_addr[12] = 1;
    mapped.s6_addr[13] = 2;
    mapped.s6_addr[14] = 3;
    mapped.s6_addr[15] = 4;
    assert_int_equal(look_up("1.2.3.4", "80", hints_of(AI_V4MAPPED, AF_INET6)), 0);
    assert_true(has_ipv6(mapped, 80));
}

void wide_form_gives_the_same(void**) // [getaddrinfo/1]
{
    ADDRINFOW* wide = nullptr;
    ADDRINFOW hints = {};
    hints.ai_family = AF_INET;
    hints.ai_flags = AI_CANONNAME;
    assert_int_equal(GetAddrInfoW(L"127.0.0.1", L"80", &hints, &wide), 0);
    const bool is_named = !wcscmp(wide->ai_canonname, L"127.0.0.1");
    const bool is_loopback
        = ((sockaddr_in*)wide->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    FreeAddrInfoW(wide);
    assert_true(is_named);
    assert_true(is_loopback);
}

// --- GetAddrInfoExW

void extended_lookup_blocks_without_overlapped(void**) // [GetAddrInfoEx/1]
{
    ADDRINFOEXW* result = nullptr;
    assert_int_equal(GetAddrInfoExW(L"127.0.0.1", L"80", NS_DNS, nullptr, nullptr, &result, nullptr,
                         nullptr, nullptr, nullptr),
        0);
    assert_non_null(result);
    assert_int_equal(result->ai_family, AF_INET);
    FreeAddrInfoExW(result);
}

void extended_lookup_sets_the_event_at_its_end(void**) // [GetAddrInfoEx/2]
{
    auto* overlapped = lasting<OVERLAPPED>();
    auto** result = lasting<ADDRINFOEXW*>();
    *result = (ADDRINFOEXW*)1;
    overlapped->hEvent = new_event();
    assert_wsa_fails(GetAddrInfoExW(L"localhost", L"80", NS_DNS, nullptr, nullptr, result, nullptr,
                         overlapped, nullptr, nullptr),
        ERROR_IO_PENDING, ERROR_IO_PENDING);
    assert_becomes_signaled(overlapped->hEvent);
    assert_int_equal(GetAddrInfoExOverlappedResult(overlapped), 0);
    assert_non_null(*result);
    FreeAddrInfoExW(*result);
}

void extended_lookup_tells_its_error_at_its_end(void**) // [GetAddrInfoEx/2]
{
    auto* overlapped = lasting<OVERLAPPED>();
    auto** result = lasting<ADDRINFOEXW*>();
    overlapped->hEvent = new_event();
    assert_int_equal(GetAddrInfoExW(L"no-such-host.invalid", L"80", NS_DNS, nullptr, nullptr,
                         result, nullptr, overlapped, nullptr, nullptr),
        ERROR_IO_PENDING);
    assert_becomes_signaled(overlapped->hEvent);
    const int error = (int)overlapped->Internal;
    assert_true(error == WSAHOST_NOT_FOUND || error == WSANO_DATA);
    assert_int_equal(GetAddrInfoExOverlappedResult(overlapped), error);
    assert_null(*result);
}

struct RoutineRecord {
    OVERLAPPED overlapped; // first: the routine gets its address
    ADDRINFOEXW* result;
    HANDLE done;
    DWORD error;
    DWORD thread;
};

void CALLBACK record_completion(DWORD error, DWORD, OVERLAPPED* overlapped)
{
    auto* record = (RoutineRecord*)overlapped;
    record->error = error;
    record->thread = GetCurrentThreadId();
    SetEvent(record->done);
}

void extended_lookup_calls_the_routine_on_another_thread(void**) // [GetAddrInfoEx/3]
{
    auto* record = lasting<RoutineRecord>();
    record->done = new_auto_event();
    assert_int_equal(GetAddrInfoExW(L"127.0.0.1", L"80", NS_DNS, nullptr, nullptr, &record->result,
                         nullptr, &record->overlapped, (void*)record_completion, nullptr),
        ERROR_IO_PENDING);
    assert_becomes_signaled(record->done);
    assert_int_equal(record->error, 0);
    assert_int_not_equal(record->thread, GetCurrentThreadId());
    assert_non_null(record->result);
    FreeAddrInfoExW(record->result);
}

void extended_lookup_tells_its_error_to_the_routine(void**) // [GetAddrInfoEx/3]
{
    auto* record = lasting<RoutineRecord>();
    record->done = new_auto_event();
    assert_int_equal(
        GetAddrInfoExW(L"no-such-host.invalid", L"80", NS_DNS, nullptr, nullptr, &record->result,
            nullptr, &record->overlapped, (void*)record_completion, nullptr),
        ERROR_IO_PENDING);
    assert_becomes_signaled(record->done);
    assert_true(record->error == WSAHOST_NOT_FOUND || record->error == WSANO_DATA);
    assert_null(record->result);
}

void extended_lookup_takes_event_or_routine_not_both(void**) // [GetAddrInfoEx/3]
{
    auto* record = lasting<RoutineRecord>();
    record->overlapped.hEvent = new_event();
    record->done = new_auto_event();
    assert_int_equal(GetAddrInfoExW(L"127.0.0.1", L"80", NS_DNS, nullptr, nullptr, &record->result,
                         nullptr, &record->overlapped, (void*)record_completion, nullptr),
        WSAEINVAL);
}

void extended_result_of_nothing_is_invalid(void**) // [GetAddrInfoEx/4]
{
    assert_int_equal(GetAddrInfoExOverlappedResult(nullptr), WSAEINVAL);
}

void extended_cancel_of_an_unknown_handle_is_refused(void**) // [GetAddrInfoEx/5]
{
    HANDLE handle = (HANDLE)0xDEAD;
    assert_int_equal(GetAddrInfoExCancel(&handle), WSA_INVALID_HANDLE);
}

// --- getnameinfo

sockaddr_in loopback_of(unsigned short port)
{
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void name_info_gives_names(void**) // [getnameinfo/1]
{
    const sockaddr_in address = loopback_of(80);
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
    assert_int_equal(getnameinfo((sockaddr*)&address, sizeof(address), host, sizeof(host), service,
                         sizeof(service), NI_NUMERICHOST),
        0);
    assert_string_equal(host, "127.0.0.1");
    assert_string_equal(service, "http");
}

void name_info_gives_numbers(void**) // [getnameinfo/1]
{
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(53);
    address.sin6_addr = in6addr_loopback;
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
    assert_int_equal(getnameinfo((sockaddr*)&address, sizeof(address), host, sizeof(host), service,
                         sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV),
        0);
    assert_string_equal(host, "::1");
    assert_string_equal(service, "53");
}

void name_info_gives_the_number_of_a_nameless_port(void**) // [getnameinfo/4]
{
    const sockaddr_in address = loopback_of(54321);
    char service[NI_MAXSERV];
    assert_int_equal(
        getnameinfo((sockaddr*)&address, sizeof(address), nullptr, 0, service, sizeof(service), 0),
        0);
    assert_string_equal(service, "54321");
}

void name_info_knows_datagram_services(void**) // [getnameinfo/4]
{
    const sockaddr_in address = loopback_of(69);
    char service[NI_MAXSERV];
    assert_int_equal(getnameinfo((sockaddr*)&address, sizeof(address), nullptr, 0, service,
                         sizeof(service), NI_DGRAM),
        0);
    assert_string_equal(service, "tftp");
}

void name_info_rejects_a_missing_or_short_address(void**) // [getnameinfo/2]
{
    const sockaddr_in address = loopback_of(80);
    char host[NI_MAXHOST];
    assert_int_equal(getnameinfo((sockaddr*)&address, sizeof(address) - 1, host, sizeof(host),
                         nullptr, 0, NI_NUMERICHOST),
        WSAEFAULT);
}

void name_info_rejects_an_unknown_family(void**) // [getnameinfo/2]
{
    sockaddr_in address = loopback_of(80);
    address.sin_family = 99;
    char host[NI_MAXHOST];
    assert_int_equal(getnameinfo((sockaddr*)&address, sizeof(address), host, sizeof(host), nullptr,
                         0, NI_NUMERICHOST),
        WSAEAFNOSUPPORT);
}

void name_info_needs_something_to_give(void**) // [getnameinfo/3]
{
    const sockaddr_in address = loopback_of(80);
    char host[NI_MAXHOST];
    assert_int_equal(getnameinfo((sockaddr*)&address, sizeof(address), nullptr, 0, nullptr, 0, 0),
        WSAHOST_NOT_FOUND);
    assert_int_equal(
        getnameinfo((sockaddr*)&address, sizeof(address), host, 0, nullptr, 0, 0), WSAEINVAL);
}

// --- hostent and the host name

void numeric_name_is_its_own_entry(void**) // [gethostbyname/1]
{
    const hostent* host = gethostbyname("1.2.3.4");
    assert_non_null(host);
    assert_string_equal(host->h_name, "1.2.3.4");
    assert_int_equal(host->h_addrtype, AF_INET);
    assert_int_equal(host->h_length, 4);
    assert_int_equal(*(ULONG*)host->h_addr_list[0], 0x04030201);
    assert_null(host->h_addr_list[1]);
    assert_null(host->h_aliases[0]);
}

void localhost_has_an_entry(void**) // [gethostbyname/2]
{
    const hostent* host = gethostbyname("localhost");
    assert_non_null(host);
    assert_int_equal(*(ULONG*)host->h_addr_list[0], htonl(INADDR_LOOPBACK));
}

void empty_name_is_the_computer_itself(void**) // [gethostbyname/3]
{
    char name[256];
    assert_wsa_ok(gethostname(name, sizeof(name)));
    for (const char* self : { "", (const char*)nullptr, (const char*)name }) {
        const hostent* host = gethostbyname(self);
        assert_non_null(host);
        assert_string_equal(host->h_name, name);
        assert_non_null(host->h_addr_list[0]);
    }
}

/// The pointers of an entry's block follow the structure, and the addresses follow them.
void check_block(const hostent* host)
{
    assert_non_null(host);
    assert_ptr_equal(host->h_aliases, host + 1);
    char** end = host->h_aliases;
    while (*end)
        ++end;
    assert_ptr_equal(host->h_addr_list, end + 1);
    end = host->h_addr_list;
    while (*end)
        ++end;
    const char* address = (const char*)(end + 1);
    for (char** entry = host->h_addr_list; *entry; ++entry, address += host->h_length)
        assert_ptr_equal(*entry, address);
}

void an_entry_is_one_block_in_order(void**) // [gethostbyname/5]
{
    check_block(gethostbyname("1.2.3.4"));
    check_block(gethostbyname("localhost"));
    check_block(gethostbyname(""));
    const ULONG loopback = htonl(INADDR_LOOPBACK);
    check_block(gethostbyaddr((const char*)&loopback, sizeof(loopback), AF_INET));
}

void unknown_name_has_no_entry(void**) // [gethostbyname/4]
{
    assert_wsa_fails(gethostbyname("no-such-host.invalid"), nullptr, WSAHOST_NOT_FOUND);
    assert_wsa_fails(gethostbyname("::1"), nullptr, WSAHOST_NOT_FOUND);
}

void loopback_address_has_a_name(void**) // [gethostbyaddr/1]
{
    const ULONG loopback = htonl(INADDR_LOOPBACK);
    const hostent* host = gethostbyaddr((const char*)&loopback, sizeof(loopback), AF_INET);
    assert_non_null(host);
    assert_int_equal(host->h_addrtype, AF_INET);
    assert_int_equal(*(ULONG*)host->h_addr_list[0], loopback);
}

void address_of_an_unknown_family_is_refused(void**) // [gethostbyaddr/2]
{
    const ULONG loopback = htonl(INADDR_LOOPBACK);
    assert_wsa_fails(gethostbyaddr((const char*)&loopback, 4, 99), nullptr, WSAEAFNOSUPPORT);
}

void short_address_is_refused(void**) // [gethostbyaddr/2]
{
    const ULONG loopback = htonl(INADDR_LOOPBACK);
    assert_wsa_fails(gethostbyaddr((const char*)&loopback, 3, AF_INET), nullptr, WSAEFAULT);
}

void host_name_needs_its_whole_length(void**) // [gethostname/2]
{
    char name[256];
    wchar_t wide[256];
    assert_wsa_ok(gethostname(name, sizeof(name)));
    const int length = (int)strlen(name);

    char text[256] = "unchanged";
    assert_wsa_fails(gethostname(text, length), SOCKET_ERROR, WSAEFAULT);
    assert_string_equal(text, "unchanged");
    assert_wsa_fails(gethostname(nullptr, 256), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_ok(gethostname(text, length + 1));
    assert_string_equal(text, name);
    assert_wsa_fails(GetHostNameW(wide, length), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_ok(GetHostNameW(wide, length + 1));
    assert_int_equal(wcslen(wide), length);
}

#define list_case(name) cmocka_unit_test_teardown(name, free_list)

const CMUnitTest kCases[] = {
    list_case(numeric_node_and_service_give_one_entry),
    list_case(type_and_protocol_are_repeated),
    list_case(a_protocol_that_suits_no_type_is_repeated),
    list_case(absent_hints_are_zeros),
    list_case(hints_with_result_members_are_refused),
    list_case(neither_node_nor_service_is_not_found),
    list_case(unknown_family_and_type_are_refused),
    list_case(no_node_means_loopback),
    list_case(no_node_and_passive_means_any),
    list_case(numeric_node_has_no_port),
    list_case(what_follows_the_brackets_is_ignored),
    cmocka_unit_test(wide_nodes_may_have_brackets_and_a_port),
    list_case(brackets_must_match),
    list_case(numeric_node_of_the_other_family_is_not_found),
    list_case(scope_of_a_numeric_node_is_kept),
    list_case(numeric_host_asks_nobody),
    list_case(service_name_must_suit_the_type),
    list_case(numeric_service_asks_nobody),
    list_case(canonical_name_is_with_the_first_entry),
    list_case(localhost_is_loopback),
    list_case(localhost_has_no_other_address),
    list_case(unknown_host_is_not_found),
    list_case(what_is_no_name_is_not_found),
    cmocka_unit_test(wide_nodes_are_encoded),
    list_case(query_flags_do_not_come_back),
    list_case(empty_node_is_the_computer_itself),
    list_case(mapped_address_stands_in_for_ipv6),
    cmocka_unit_test(wide_form_gives_the_same),
    cmocka_unit_test(extended_lookup_blocks_without_overlapped),
    cmocka_unit_test(extended_lookup_sets_the_event_at_its_end),
    cmocka_unit_test(extended_lookup_tells_its_error_at_its_end),
    cmocka_unit_test(extended_lookup_calls_the_routine_on_another_thread),
    cmocka_unit_test(extended_lookup_tells_its_error_to_the_routine),
    cmocka_unit_test(extended_lookup_takes_event_or_routine_not_both),
    cmocka_unit_test(extended_result_of_nothing_is_invalid),
    cmocka_unit_test(extended_cancel_of_an_unknown_handle_is_refused),
    cmocka_unit_test(name_info_gives_names),
    cmocka_unit_test(name_info_gives_numbers),
    cmocka_unit_test(name_info_gives_the_number_of_a_nameless_port),
    cmocka_unit_test(name_info_knows_datagram_services),
    cmocka_unit_test(name_info_rejects_a_missing_or_short_address),
    cmocka_unit_test(name_info_rejects_an_unknown_family),
    cmocka_unit_test(name_info_needs_something_to_give),
    cmocka_unit_test(numeric_name_is_its_own_entry),
    cmocka_unit_test(localhost_has_an_entry),
    cmocka_unit_test(empty_name_is_the_computer_itself),
    cmocka_unit_test(an_entry_is_one_block_in_order),
    cmocka_unit_test(unknown_name_has_no_entry),
    cmocka_unit_test(loopback_address_has_a_name),
    cmocka_unit_test(address_of_an_unknown_family_is_refused),
    cmocka_unit_test(short_address_is_refused),
    cmocka_unit_test(host_name_needs_its_whole_length),
};

} // namespace

CONFORMANCE_GROUP(resolver, kCases);
