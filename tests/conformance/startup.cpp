// WSAStartup, WSACleanup and the thread's last error.

#include "child.h"
#include "sockets.h"

#include <cstring>

using namespace conformance;

namespace {

struct Negotiation {
    WORD wanted;
    WORD got;
};

int undo_every_start(void**)
{
    while (WSACleanup() == 0) { }
    return 0;
}

void start(WORD version = MAKEWORD(2, 2), Where where = Where::current())
{
    WSADATA data;
    if (const int result = WSAStartup(version, &data))
        fail_at(where, "WSAStartup returned %d", result);
}

WSADATA data_of_start(WORD wanted, int expected = 0, Where where = Where::current())
{
    WSADATA data;
    memset(&data, 0xCC, sizeof(data));
    const int result = WSAStartup(wanted, &data);
    if (result != expected)
        fail_at(where, "WSAStartup(%#x) returned %d", wanted, result);
    return data;
}

// --- WSAStartup

void a_supported_version_is_granted_as_it_is(void**) // [WSAStartup/1]
{
    const Negotiation rows[] = { { MAKEWORD(1, 0), MAKEWORD(1, 0) },
        { MAKEWORD(1, 1), MAKEWORD(1, 1) }, { MAKEWORD(2, 0), MAKEWORD(2, 0) },
        { MAKEWORD(2, 1), MAKEWORD(2, 1) }, { MAKEWORD(2, 2), MAKEWORD(2, 2) } };
    for (const Negotiation& row : rows)
        assert_int_equal(data_of_start(row.wanted).wVersion, row.got);
}

void a_version_above_the_supported_gets_the_next_lower(void**) // [WSAStartup/1]
{
    const Negotiation rows[]
        = { { MAKEWORD(1, 2), MAKEWORD(1, 1) }, { MAKEWORD(1, 255), MAKEWORD(1, 1) },
              { MAKEWORD(2, 3), MAKEWORD(2, 2) }, { MAKEWORD(2, 255), MAKEWORD(2, 2) },
              { MAKEWORD(3, 0), MAKEWORD(2, 2) }, { MAKEWORD(255, 0), MAKEWORD(2, 2) } };
    for (const Negotiation& row : rows)
        assert_int_equal(data_of_start(row.wanted).wVersion, row.got);
}

void major_version_zero_is_refused(void**) // [WSAStartup/1]
{
    assert_int_equal(data_of_start(MAKEWORD(0, 0), WSAVERNOTSUPPORTED).wVersion, MAKEWORD(2, 2));
    assert_int_equal(data_of_start(MAKEWORD(0, 1), WSAVERNOTSUPPORTED).wVersion, MAKEWORD(2, 2));
}

void the_highest_version_and_the_texts_are_always_the_same(void**) // [WSAStartup/3]
{
    for (WORD wanted : { MAKEWORD(1, 1), MAKEWORD(2, 0), MAKEWORD(2, 2), MAKEWORD(7, 7) }) {
        const WSADATA data = data_of_start(wanted);
        assert_int_equal(data.wHighVersion, MAKEWORD(2, 2));
        assert_string_equal(data.szDescription, "WinSock 2.0");
        assert_string_equal(data.szSystemStatus, "Running");
    }
}

void a_refused_start_still_fills_the_data(void**) // [WSAStartup/2]
{
    const WSADATA data = data_of_start(MAKEWORD(0, 0), WSAVERNOTSUPPORTED);
    assert_int_equal(data.wHighVersion, MAKEWORD(2, 2));
    assert_string_equal(data.szDescription, "WinSock 2.0");
    assert_string_equal(data.szSystemStatus, "Running");
}

void the_vendor_info_is_never_written(void**) // [WSAStartup/2]
{
    char* untouched;
    memset(&untouched, 0xCC, sizeof(untouched));
    assert_ptr_equal(data_of_start(MAKEWORD(1, 1)).lpVendorInfo, untouched);
    assert_ptr_equal(data_of_start(MAKEWORD(2, 2)).lpVendorInfo, untouched);
    assert_ptr_equal(data_of_start(0, WSAVERNOTSUPPORTED).lpVendorInfo, untouched);
}

void limits_are_told_to_version_1_only(void**) // [WSAStartup/4]
{
    const WSADATA old_data = data_of_start(MAKEWORD(1, 1));
    assert_int_equal(old_data.iMaxSockets, 32767);
    assert_int_equal(old_data.iMaxUdpDg, 65467);

    const WSADATA new_data = data_of_start(MAKEWORD(2, 2));
    assert_int_equal(new_data.iMaxSockets, 0);
    assert_int_equal(new_data.iMaxUdpDg, 0);
}

void a_null_data_pointer_is_refused(void**) // [WSAStartup/5]
{
    assert_int_equal(WSAStartup(MAKEWORD(2, 2), nullptr), WSAEFAULT);
    assert_wsa_fails(WSACleanup(), SOCKET_ERROR, WSANOTINITIALISED);
}

void the_version_is_checked_before_the_pointer(void**) // [WSAStartup/5]
{
    assert_int_equal(WSAStartup(0, nullptr), WSAVERNOTSUPPORTED);
}

void starts_nest_and_may_differ_in_version(void**) // [WSAStartup/6]
{
    assert_int_equal(data_of_start(MAKEWORD(1, 1)).wVersion, MAKEWORD(1, 1));
    assert_int_equal(data_of_start(MAKEWORD(2, 2)).wVersion, MAKEWORD(2, 2));
    assert_int_equal(data_of_start(MAKEWORD(2, 0)).wVersion, MAKEWORD(2, 0));
    for (int i = 0; i < 3; ++i)
        assert_wsa_ok(WSACleanup());
    assert_wsa_fails(WSACleanup(), SOCKET_ERROR, WSANOTINITIALISED);
}

void a_refused_start_does_not_count(void**) // [WSAStartup/7]
{
    data_of_start(0, WSAVERNOTSUPPORTED);
    assert_wsa_fails(WSACleanup(), SOCKET_ERROR, WSANOTINITIALISED);
}

void sockets_and_names_need_a_start(void**) // [WSAStartup/8]
{
    assert_wsa_fails(socket(AF_INET, SOCK_STREAM, 0), INVALID_SOCKET, WSANOTINITIALISED);
    assert_wsa_fails(
        WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, 0), INVALID_SOCKET, WSANOTINITIALISED);
    assert_wsa_fails(
        WSASocketA(AF_INET, SOCK_STREAM, 0, nullptr, 0, 0), INVALID_SOCKET, WSANOTINITIALISED);
    assert_wsa_fails(gethostbyname("localhost"), nullptr, WSANOTINITIALISED);
}

void texts_and_tables_need_a_start(void**) // [WSAStartup/8]
{
    SOCKADDR_IN address = {};
    address.sin_family = AF_INET;
    auto* const name = reinterpret_cast<SOCKADDR*>(&address);
    int length = sizeof(address);
    char text[64];
    wchar_t wide[64];
    DWORD size = 64;
    addrinfo* list;
    ADDRINFOW* wide_list;

    assert_wsa_fails(gethostname(text, 64), SOCKET_ERROR, WSANOTINITIALISED);
    assert_int_equal(getaddrinfo("127.0.0.1", nullptr, nullptr, &list), WSANOTINITIALISED);
    assert_int_equal(GetAddrInfoW(L"127.0.0.1", nullptr, nullptr, &wide_list), WSANOTINITIALISED);
    assert_int_equal(
        getnameinfo(name, length, text, 64, nullptr, 0, NI_NUMERICHOST), WSANOTINITIALISED);
    assert_int_equal(
        GetNameInfoW(name, length, wide, 64, nullptr, 0, NI_NUMERICHOST), WSANOTINITIALISED);
    assert_wsa_fails(
        WSAAddressToStringA(name, length, nullptr, text, &size), SOCKET_ERROR, WSANOTINITIALISED);
    assert_wsa_fails(
        WSAAddressToStringW(name, length, nullptr, wide, &size), SOCKET_ERROR, WSANOTINITIALISED);
    strcpy(text, "127.0.0.1");
    assert_wsa_fails(WSAStringToAddressA(text, AF_INET, nullptr, name, &length), SOCKET_ERROR,
        WSANOTINITIALISED);
    assert_wsa_fails(getservbyname("http", "tcp"), nullptr, WSANOTINITIALISED);
    assert_wsa_fails(getprotobynumber(6), nullptr, WSANOTINITIALISED);
}

void calls_on_a_socket_need_a_start(void**) // [WSAStartup/8]
{
    char byte;
    assert_wsa_fails(closesocket(INVALID_SOCKET), SOCKET_ERROR, WSANOTINITIALISED);
    assert_wsa_fails(recv(INVALID_SOCKET, &byte, 1, 0), SOCKET_ERROR, WSANOTINITIALISED);
    assert_wsa_fails(listen(INVALID_SOCKET, 1), SOCKET_ERROR, WSANOTINITIALISED);
    assert_wsa_fails(shutdown(INVALID_SOCKET, SD_SEND), SOCKET_ERROR, WSANOTINITIALISED);
}

void the_last_error_works_without_a_start(void**) // [WSAStartup/9]
{
    WSASetLastError(4711);
    assert_int_equal(GetLastError(), 4711);
    SetLastError(1147);
    assert_int_equal(WSAGetLastError(), 1147);
}

void the_last_error_belongs_to_the_thread(void**) // [WSAStartup/9]
{
    WSASetLastError(4711);
    Background* other = run_in_background([] {
        WSASetLastError(12);
        return 0ll;
    });
    assert_int_equal(join(other).error, 12);
    WSASetLastError(4711);
    assert_int_equal(WSAGetLastError(), 4711);
}

void threads_share_the_start_of_the_process(void**) // [WSAStartup/6]
{
    Background* other = run_in_background([] {
        WSADATA data;
        return (long long)WSAStartup(MAKEWORD(2, 2), &data);
    });
    assert_int_equal(join(other).value, 0);
    const SOCKET here = owned(socket(AF_INET, SOCK_STREAM, 0));
    assert_true(here != INVALID_SOCKET);
    assert_wsa_ok(WSACleanup());
}

// --- WSACleanup

void cleanup_without_a_start_is_refused(void**) // [WSACleanup/4]
{
    assert_wsa_fails(WSACleanup(), SOCKET_ERROR, WSANOTINITIALISED);
}

void each_start_takes_one_cleanup(void**) // [WSACleanup/1]
{
    start();
    start();
    assert_wsa_ok(WSACleanup());
    assert_true(owned(socket(AF_INET, SOCK_STREAM, 0)) != INVALID_SOCKET);
    assert_wsa_ok(WSACleanup());
    assert_wsa_fails(socket(AF_INET, SOCK_STREAM, 0), INVALID_SOCKET, WSANOTINITIALISED);
    assert_wsa_fails(WSACleanup(), SOCKET_ERROR, WSANOTINITIALISED);
}

void a_cleanup_that_succeeds_clears_the_last_error(void**) // [WSACleanup/2]
{
    start();
    WSASetLastError(kPoison);
    assert_int_equal(WSACleanup(), 0);
    assert_int_equal(WSAGetLastError(), 0);
}

void the_last_cleanup_closes_every_socket(void**) // [WSACleanup/3]
{
    start();
    const SOCKET stream = tcp_socket();
    const SOCKET datagram = udp_socket();
    disown(stream);
    disown(datagram);
    assert_wsa_ok(WSACleanup());

    start();
    assert_wsa_fails(closesocket(stream), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(closesocket(datagram), SOCKET_ERROR, WSAENOTSOCK);
}

void an_inner_cleanup_closes_nothing(void**) // [WSACleanup/3]
{
    start();
    start();
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(WSACleanup());
    send_text(pair.client, "x");
    wait_until_readable(pair.server);
}

void the_last_cleanup_closes_duplicates_too(void**) // [WSACleanup/3]
{
    start();
    WSAPROTOCOL_INFOW info;
    const SOCKET original = tcp_socket();
    assert_wsa_ok(WSADuplicateSocketW(original, GetCurrentProcessId(), &info));
    const SOCKET duplicate = WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    assert_true(duplicate != INVALID_SOCKET);
    disown(original);
    assert_wsa_ok(WSACleanup());

    start();
    assert_wsa_fails(closesocket(duplicate), SOCKET_ERROR, WSAENOTSOCK);
}

void the_last_cleanup_ends_a_blocked_receive(void**) // [WSACleanup/5]
{
    start();
    // No TCP pair: the end of its other side could end the receive, too.
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    Background* receive = run_in_background([socket] {
        char byte;
        return (long long)recv(socket, &byte, 1, 0);
    });
    let_it_settle();
    disown(socket);
    assert_wsa_ok(WSACleanup());
    assert_int_equal(join(receive).value, SOCKET_ERROR);
}

void the_last_cleanup_ends_a_pending_receive(void**) // [WSACleanup/5]
{
    start();
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    const HANDLE event = owned(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    Operation* operation = new_operation(event);
    assert_wsa_fails(WSARecv(socket, &operation->buffer, 1, nullptr, &operation->flags,
                         &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    disown(socket);
    assert_wsa_ok(WSACleanup());
    assert_becomes_signaled(event);
    assert_int_equal(operation->overlapped.InternalHigh, 0);
}

void a_process_ends_with_its_last_thread(void**) // [WSAStartup/10]
{
    const Child child = start_child("end-thread", 0, false);
    assert_int_equal(exit_code_of(child), kThreadsCode);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test_teardown(a_supported_version_is_granted_as_it_is, undo_every_start),
    cmocka_unit_test_teardown(a_version_above_the_supported_gets_the_next_lower, undo_every_start),
    cmocka_unit_test_teardown(major_version_zero_is_refused, undo_every_start),
    cmocka_unit_test_teardown(
        the_highest_version_and_the_texts_are_always_the_same, undo_every_start),
    cmocka_unit_test_teardown(a_refused_start_still_fills_the_data, undo_every_start),
    cmocka_unit_test_teardown(the_vendor_info_is_never_written, undo_every_start),
    cmocka_unit_test_teardown(limits_are_told_to_version_1_only, undo_every_start),
    cmocka_unit_test_teardown(a_null_data_pointer_is_refused, undo_every_start),
    cmocka_unit_test_teardown(the_version_is_checked_before_the_pointer, undo_every_start),
    cmocka_unit_test_teardown(starts_nest_and_may_differ_in_version, undo_every_start),
    cmocka_unit_test_teardown(a_refused_start_does_not_count, undo_every_start),
    cmocka_unit_test_teardown(sockets_and_names_need_a_start, undo_every_start),
    cmocka_unit_test_teardown(texts_and_tables_need_a_start, undo_every_start),
    cmocka_unit_test_teardown(calls_on_a_socket_need_a_start, undo_every_start),
    cmocka_unit_test_teardown(the_last_error_works_without_a_start, undo_every_start),
    cmocka_unit_test_teardown(the_last_error_belongs_to_the_thread, undo_every_start),
    cmocka_unit_test_teardown(threads_share_the_start_of_the_process, undo_every_start),
    cmocka_unit_test_teardown(cleanup_without_a_start_is_refused, undo_every_start),
    cmocka_unit_test_teardown(each_start_takes_one_cleanup, undo_every_start),
    cmocka_unit_test_teardown(a_cleanup_that_succeeds_clears_the_last_error, undo_every_start),
    cmocka_unit_test_teardown(the_last_cleanup_closes_every_socket, undo_every_start),
    cmocka_unit_test_teardown(an_inner_cleanup_closes_nothing, undo_every_start),
    cmocka_unit_test_teardown(the_last_cleanup_closes_duplicates_too, undo_every_start),
    cmocka_unit_test_teardown(the_last_cleanup_ends_a_blocked_receive, undo_every_start),
    cmocka_unit_test_teardown(the_last_cleanup_ends_a_pending_receive, undo_every_start),
    cmocka_unit_test(a_process_ends_with_its_last_thread),
};

} // namespace

CONFORMANCE_GROUP_NOT_STARTED(startup, kCases);
