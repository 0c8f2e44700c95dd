// Services, protocols, and the calls that post their entries to a window.

#include "harness.h"

#include <cstring>
#include <iterator>

using namespace conformance;

namespace {

void service_is_found_by_name(void**) // [getservbyname/1]
{
    servent* service = getservbyname("http", "tcp");
    assert_non_null(service);
    assert_string_equal(service->s_name, "http");
    assert_int_equal(service->s_port, (short)htons(80));
    assert_string_equal(service->s_proto, "tcp");
    assert_non_null(service->s_aliases);
}

void service_name_and_protocol_ignore_case(void**) // [getservbyname/2]
{
    servent* service = getservbyname("HTTP", "TCP");
    assert_non_null(service);
    assert_int_equal(service->s_port, (short)htons(80));
}

void service_without_protocol_takes_the_first(void**) // [getservbyname/3]
{
    servent* service = getservbyname("domain", nullptr);
    assert_non_null(service);
    assert_int_equal(service->s_port, (short)htons(53));
}

void unknown_service_has_no_data(void**) // [getservbyname/4]
{
    assert_wsa_fails(getservbyname("no-such-service", "tcp"), nullptr, WSANO_DATA);
    assert_wsa_fails(getservbyname("http", "no-such-protocol"), nullptr, WSANO_DATA);
    assert_wsa_fails(getservbyname("tftp", "tcp"), nullptr, WSANO_DATA);
}

void service_is_found_by_port(void**) // [getservbyport/1]
{
    servent* service = getservbyport(htons(53), "udp");
    assert_non_null(service);
    assert_string_equal(service->s_name, "domain");
    assert_string_equal(service->s_proto, "udp");
    assert_non_null(getservbyport(htons(53), nullptr));
    assert_wsa_fails(getservbyport(htons(53), "no-such-protocol"), nullptr, WSANO_DATA);
}

void protocol_is_found_by_name_and_number(void**) // [getprotobyname/1]
{
    protoent* protocol = getprotobyname("tcp");
    assert_non_null(protocol);
    assert_string_equal(protocol->p_name, "tcp");
    assert_int_equal(protocol->p_proto, IPPROTO_TCP);
    protocol = getprotobyname("UDP");
    assert_non_null(protocol);
    assert_int_equal(protocol->p_proto, IPPROTO_UDP);
    protocol = getprotobynumber(IPPROTO_ICMP);
    assert_non_null(protocol);
    assert_string_equal(protocol->p_name, "icmp");
}

struct ProtocolRow {
    int number;
    const char* name;
    const char* alias;
};

const ProtocolRow kProtocols[] = {
    { 0, "ip", "IP" },
    { 1, "icmp", "ICMP" },
    { 3, "ggp", "GGP" },
    { 6, "tcp", "TCP" },
    { 8, "egp", "EGP" },
    { 12, "pup", "PUP" },
    { 17, "udp", "UDP" },
    { 20, "hmp", "HMP" },
    { 22, "xns-idp", "XNS-IDP" },
    { 27, "rdp", "RDP" },
    { 41, "ipv6", "IPv6" },
    { 43, "ipv6-route", "IPv6-Route" },
    { 44, "ipv6-frag", "IPv6-Frag" },
    { 50, "esp", "ESP" },
    { 51, "ah", "AH" },
    { 58, "ipv6-icmp", "IPv6-ICMP" },
    { 59, "ipv6-nonxt", "IPv6-NoNxt" },
    { 60, "ipv6-opts", "IPv6-Opts" },
    { 66, "rvd", "RVD" },
};

void check_protocol(const ProtocolRow& row, const protoent* protocol)
{
    assert_non_null(protocol);
    assert_string_equal(protocol->p_name, row.name);
    assert_int_equal(protocol->p_proto, row.number);
    assert_string_equal(protocol->p_aliases[0], row.alias);
}

void these_protocols_have_names_and_no_others(void**) // [getprotobyname/3]
{
    const ProtocolRow* row = kProtocols;
    for (int number = -1; number <= 256; ++number) {
        if (row < std::end(kProtocols) && row->number == number)
            check_protocol(*row++, getprotobynumber(number));
        else
            assert_wsa_fails(getprotobynumber(number), nullptr, WSANO_DATA);
    }
}

void protocol_names_ignore_case(void**) // [getprotobyname/1]
{
    for (const ProtocolRow& row : kProtocols) {
        char upper[32];
        strcpy(upper, row.name);
        CharUpperA(upper);
        check_protocol(row, getprotobyname(row.name));
        check_protocol(row, getprotobyname(row.alias));
        check_protocol(row, getprotobyname(upper));
    }
    assert_wsa_fails(getprotobyname("igmp"), nullptr, WSANO_DATA);
    assert_wsa_fails(getprotobyname("gre"), nullptr, WSANO_DATA);
}

void unknown_protocol_has_no_data(void**) // [getprotobyname/2]
{
    assert_wsa_fails(getprotobyname("no-such-protocol"), nullptr, WSANO_DATA);
    assert_wsa_fails(getprotobynumber(-1), nullptr, WSANO_DATA);
    assert_wsa_fails(getprotobynumber(65000), nullptr, WSANO_DATA);
}

void entries_belong_to_the_thread(void**) // [getservbyname/5]
{
    servent* service = getservbyname("http", "tcp");
    protoent* protocol = getprotobyname("tcp");
    assert_non_null(service);
    assert_non_null(protocol);

    const Outcome outcome = join(run_in_background(
        [] { return (long long)(getservbyname("domain", "tcp") && getprotobyname("udp")); }));
    assert_true(outcome.value);
    assert_string_equal(service->s_name, "http");
    assert_string_equal(protocol->p_name, "tcp");
}

/// Does the thread's entry stay where it is, whatever is asked?
bool services_stay()
{
    const servent* const first = getservbyname("domain", "udp");
    bool stays = first != nullptr;
    for (int i = 0; i < 20; ++i)
        stays = stays && getservbyname("telnet", "tcp") == first
            && getservbyname("domain", "udp") == first && getservbyport(htons(80), "tcp") == first;
    return stays;
}

void entries_stay_where_they_are(void**) // [getservbyname/6]
{
    Background* threads[3];
    for (Background*& thread : threads)
        thread = run_in_background([] { return (long long)services_stay(); });
    for (Background* thread : threads)
        assert_true(join(thread).value);

    const protoent* const protocol = getprotobyname("tcp");
    assert_ptr_equal(getprotobyname("ipv6-nonxt"), protocol);
    assert_ptr_equal(getprotobynumber(0), protocol);
    assert_string_equal(protocol->p_name, "ip");

    const hostent* const host = gethostbyname("1.2.3.4");
    assert_ptr_equal(gethostbyname("5.6.7.8"), host);
    assert_string_equal(host->h_name, "5.6.7.8");
    const ULONG loopback = htonl(INADDR_LOOPBACK);
    assert_ptr_equal(gethostbyaddr((const char*)&loopback, sizeof(loopback), AF_INET), host);
}

constexpr UINT kLookupMessage = WM_USER + 1;

/// Waits for the message of a lookup and returns its lParam.
LPARAM lookup_result(HWND window, HANDLE task)
{
    MSG message;
    const ULONGLONG end = GetTickCount64() + kHangLimit;
    while (!PeekMessageW(&message, window, kLookupMessage, kLookupMessage, PM_REMOVE)) {
        if (GetTickCount64() > end)
            fail_at(Where::current(), "the lookup posted no message");
        MsgWaitForMultipleObjects(0, nullptr, FALSE, 100, QS_POSTMESSAGE);
    }
    assert_ptr_equal((HANDLE)message.wParam, task);
    return message.lParam;
}

int make_window(void** state)
{
    *state = CreateWindowExW(
        0, L"STATIC", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, nullptr, nullptr, nullptr);
    return *state ? 0 : -1;
}

int destroy_window(void** state)
{
    return DestroyWindow((HWND)*state) ? 0 : -1;
}

void async_service_lookup_posts_its_entry(void** state) // [WSAAsyncGetXByY/1]
{
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    const HANDLE task = WSAAsyncGetServByName(
        (HWND)*state, kLookupMessage, "http", "tcp", buffer, MAXGETHOSTSTRUCT);
    assert_non_null(task);
    const LPARAM result = lookup_result((HWND)*state, task);
    assert_int_equal(WSAGETASYNCERROR(result), 0);
    const auto* service = (servent*)buffer;
    assert_string_equal(service->s_name, "http");
    assert_int_equal(service->s_port, (short)htons(80));
}

void async_host_lookup_posts_its_entry(void** state) // [WSAAsyncGetXByY/1] [gethostbyname/5]
{
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    const HANDLE task = WSAAsyncGetHostByName(
        (HWND)*state, kLookupMessage, "127.0.0.1", buffer, MAXGETHOSTSTRUCT);
    assert_non_null(task);
    const LPARAM result = lookup_result((HWND)*state, task);
    assert_int_equal(WSAGETASYNCERROR(result), 0);
    const auto* host = (hostent*)buffer;
    assert_int_equal(host->h_length, 4);
    assert_int_equal(*(ULONG*)host->h_addr_list[0], htonl(INADDR_LOOPBACK));
    assert_ptr_equal(host->h_aliases, host + 1);
    assert_ptr_equal(host->h_addr_list, host->h_aliases + 1);
    assert_ptr_equal(host->h_addr_list[0], host->h_addr_list + 2);
}

void async_lookups_by_number_post_their_entries(void** state) // [WSAAsyncGetXByY/1]
{
    const auto window = (HWND)*state;
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    HANDLE task
        = WSAAsyncGetServByPort(window, kLookupMessage, htons(80), "tcp", buffer, MAXGETHOSTSTRUCT);
    assert_int_equal(WSAGETASYNCERROR(lookup_result(window, task)), 0);
    assert_string_equal(((servent*)buffer)->s_name, "http");

    const ULONG loopback = htonl(INADDR_LOOPBACK);
    task = WSAAsyncGetHostByAddr(window, kLookupMessage, (const char*)&loopback, sizeof(loopback),
        AF_INET, buffer, MAXGETHOSTSTRUCT);
    assert_int_equal(WSAGETASYNCERROR(lookup_result(window, task)), 0);
    assert_int_equal(*(ULONG*)((hostent*)buffer)->h_addr_list[0], loopback);
}

void async_lookups_by_number_post_their_errors(void** state) // [WSAAsyncGetXByY/2]
{
    const auto window = (HWND)*state;
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    HANDLE task = WSAAsyncGetServByPort(
        window, kLookupMessage, htons(80), "no-such-protocol", buffer, MAXGETHOSTSTRUCT);
    assert_non_null(task);
    assert_int_equal(WSAGETASYNCERROR(lookup_result(window, task)), WSANO_DATA);
    const ULONG loopback = htonl(INADDR_LOOPBACK);
    for (const int length : { 3, 0, -1 }) {
        task = WSAAsyncGetHostByAddr(window, kLookupMessage, (const char*)&loopback, length,
            AF_INET, buffer, MAXGETHOSTSTRUCT);
        assert_non_null(task);
        assert_int_equal(WSAGETASYNCERROR(lookup_result(window, task)), WSAEFAULT);
    }
    task = WSAAsyncGetHostByAddr(
        window, kLookupMessage, (const char*)&loopback, 4, 99, buffer, MAXGETHOSTSTRUCT);
    assert_int_equal(WSAGETASYNCERROR(lookup_result(window, task)), WSAEAFNOSUPPORT);
}

void async_lookup_tells_the_size_it_needs(void** state) // [WSAAsyncGetXByY/3]
{
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    const HANDLE task = WSAAsyncGetProtoByName((HWND)*state, kLookupMessage, "tcp", buffer, 1);
    assert_non_null(task);
    const LPARAM result = lookup_result((HWND)*state, task);
    assert_int_equal(WSAGETASYNCERROR(result), WSAENOBUFS);
    assert_true(WSAGETASYNCBUFLEN(result) > sizeof(protoent));
}

void async_lookup_posts_its_error(void** state) // [WSAAsyncGetXByY/2]
{
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    const HANDLE task = WSAAsyncGetServByName(
        (HWND)*state, kLookupMessage, "no-such-service", "tcp", buffer, MAXGETHOSTSTRUCT);
    assert_non_null(task);
    assert_int_equal(WSAGETASYNCERROR(lookup_result((HWND)*state, task)), WSANO_DATA);
}

void finished_lookup_cannot_be_cancelled(void** state) // [WSAAsyncGetXByY/4]
{
    char* const buffer = (char*)lasting_memory(MAXGETHOSTSTRUCT);
    const HANDLE task = WSAAsyncGetProtoByNumber(
        (HWND)*state, kLookupMessage, IPPROTO_TCP, buffer, MAXGETHOSTSTRUCT);
    lookup_result((HWND)*state, task);
    assert_wsa_fails(WSACancelAsyncRequest(task), SOCKET_ERROR, WSAEALREADY);
    assert_wsa_fails(WSACancelAsyncRequest(nullptr), SOCKET_ERROR, WSAEINVAL);
}

#define window_case(name) cmocka_unit_test_setup_teardown(name, make_window, destroy_window)

const CMUnitTest kCases[] = {
    cmocka_unit_test(service_is_found_by_name),
    cmocka_unit_test(service_name_and_protocol_ignore_case),
    cmocka_unit_test(service_without_protocol_takes_the_first),
    cmocka_unit_test(unknown_service_has_no_data),
    cmocka_unit_test(service_is_found_by_port),
    cmocka_unit_test(protocol_is_found_by_name_and_number),
    cmocka_unit_test(these_protocols_have_names_and_no_others),
    cmocka_unit_test(protocol_names_ignore_case),
    cmocka_unit_test(unknown_protocol_has_no_data),
    cmocka_unit_test(entries_belong_to_the_thread),
    cmocka_unit_test(entries_stay_where_they_are),
    window_case(async_service_lookup_posts_its_entry),
    window_case(async_host_lookup_posts_its_entry),
    window_case(async_lookups_by_number_post_their_entries),
    window_case(async_lookups_by_number_post_their_errors),
    window_case(async_lookup_tells_the_size_it_needs),
    window_case(async_lookup_posts_its_error),
    window_case(finished_lookup_cannot_be_cancelled),
};

} // namespace

CONFORMANCE_GROUP(services, kCases);
