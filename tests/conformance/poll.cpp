// WSAPoll.

#include "peers.h"

using namespace conformance;

namespace {

constexpr SHORT kBoth = POLLRDNORM | POLLWRNORM;

/// The revents of one socket polled at once; fails the case when the call fails.
int polled(SOCKET socket, SHORT events = kBoth, Where where = Where::current())
{
    WSAPOLLFD entry = { socket, events, 0x7777 };
    const int result = WSAPoll(&entry, 1, 0);
    if (result == SOCKET_ERROR)
        fail_at(where, "WSAPoll failed with %d", WSAGetLastError());
    if (result != (entry.revents ? 1 : 0))
        fail_at(where, "WSAPoll returned %d with revents %#x", result, entry.revents);
    return entry.revents;
}

void CALLBACK set_true(ULONG_PTR called)
{
    *reinterpret_cast<bool*>(called) = true;
}

void no_entries_are_refused(void**) // [WSAPoll/1]
{
    WSAPOLLFD entry = { udp_socket(), POLLWRNORM, 0 };
    assert_wsa_fails(WSAPoll(&entry, 0, 0), SOCKET_ERROR, WSAEINVAL);
}

void a_null_array_is_refused(void**) // [WSAPoll/1]
{
    assert_wsa_fails(WSAPoll(nullptr, 1, 0), SOCKET_ERROR, WSAEFAULT);
}

void events_it_cannot_watch_are_refused(void**) // [WSAPoll/2]
{
    const SOCKET socket = udp_socket();
    for (SHORT events : { SHORT { POLLERR }, SHORT { POLLHUP }, SHORT { POLLNVAL },
             SHORT { POLLPRI }, SHORT { POLLWRBAND }, SHORT { 0x1000 } }) {
        WSAPOLLFD entry = { socket, events, 0 };
        assert_wsa_fails(WSAPoll(&entry, 1, 0), SOCKET_ERROR, WSAEINVAL);
    }
}

void an_array_with_a_hole_is_a_fault(void**) // [WSAPoll/13]
{
    constexpr size_t kPage = 4096;
    auto* memory = static_cast<char*>(
        VirtualAlloc(nullptr, 3 * kPage, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    assert_non_null(memory);
    const SOCKET socket = udp_socket();
    auto* entries = reinterpret_cast<WSAPOLLFD*>(memory);
    constexpr ULONG kCount = 3 * kPage / sizeof(WSAPOLLFD);
    for (ULONG i = 0; i < kCount; ++i)
        entries[i] = { socket, POLLRDNORM, 0 };
    for (const DWORD protection : { PAGE_NOACCESS, PAGE_READONLY }) {
        DWORD old;
        assert_true(VirtualProtect(memory + kPage, kPage, protection, &old));
        assert_wsa_fails(WSAPoll(entries, kCount, 0), SOCKET_ERROR, WSAEFAULT);
    }
    VirtualFree(memory, 0, MEM_RELEASE);
}

void an_invalid_socket_may_ask_for_anything_before_a_valid_one_only(void**) // [WSAPoll/2]
{
    const UdpPair pair = new_udp_pair();
    WSAPOLLFD behind[] = { { pair.a, POLLIN, 0x77 }, { INVALID_SOCKET, POLLERR, 0x77 } };
    assert_wsa_fails(WSAPoll(behind, 2, 0), SOCKET_ERROR, WSAEINVAL);
    assert_int_equal(behind[0].revents, 0);
    assert_int_equal(behind[1].revents, 0);

    WSAPOLLFD before[] = { { INVALID_SOCKET, POLLERR, 0x77 }, { pair.a, POLLRDNORM, 0x77 } };
    assert_int_equal(WSAPoll(before, 2, 0), 0);
    assert_int_equal(before[0].revents, POLLNVAL);
    assert_int_equal(before[1].revents, 0);

    WSAPOLLFD modest[] = { { pair.a, POLLRDNORM, 0x77 }, { INVALID_SOCKET, POLLRDNORM, 0x77 } };
    assert_int_equal(WSAPoll(modest, 2, 0), 0);
    assert_int_equal(modest[0].revents, 0);
    assert_int_equal(modest[1].revents, POLLNVAL);
}

void nothing_but_invalid_sockets_is_an_error(void**) // [WSAPoll/3]
{
    WSAPOLLFD entries[] = { { 0xDEAD, POLLRDNORM, 0 }, { INVALID_SOCKET, POLLWRNORM, 0 } };
    assert_wsa_fails(WSAPoll(entries, 2, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_int_equal(entries[0].revents, POLLNVAL);
    assert_int_equal(entries[1].revents, POLLNVAL);
}

void an_invalid_socket_is_marked_and_not_counted(void**) // [WSAPoll/3]
{
    WSAPOLLFD entries[] = { { INVALID_SOCKET, POLLRDNORM, 0 }, { udp_socket(), POLLWRNORM, 0 } };
    assert_int_equal(WSAPoll(entries, 2, 0), 1);
    assert_int_equal(entries[0].revents, POLLNVAL);
    assert_int_equal(entries[1].revents, POLLWRNORM);
}

void an_invalid_socket_alone_does_not_end_the_wait(void**) // [WSAPoll/3]
{
    const UdpPair pair = new_udp_pair();
    WSAPOLLFD entries[] = { { INVALID_SOCKET, POLLRDNORM, 0 }, { pair.a, POLLRDNORM, 0 } };
    assert_int_equal(WSAPoll(entries, 2, 20), 0);
    assert_int_equal(entries[0].revents, POLLNVAL);
    assert_int_equal(entries[1].revents, 0);
}

void results_are_always_overwritten(void**) // [WSAPoll/4]
{
    const UdpPair pair = new_udp_pair();
    WSAPOLLFD entry = { pair.a, POLLRDNORM, 0x7777 };
    assert_int_equal(WSAPoll(&entry, 1, 0), 0);
    assert_int_equal(entry.revents, 0);
}

void a_waiting_connection_is_readable(void**) // [WSAPoll/5]
{
    const Listener listener = new_listener();
    assert_int_equal(polled(listener.socket), 0);
    connect_to(listener);
    wait_until_readable(listener.socket);
    assert_int_equal(polled(listener.socket), POLLRDNORM);
}

void a_datagram_socket_is_writable_unbound(void**) // [WSAPoll/6]
{
    assert_int_equal(polled(udp_socket()), POLLWRNORM);
}

void only_what_was_asked_is_told(void**) // [WSAPoll/4]
{
    const UdpPair pair = new_udp_pair();
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    wait_until_readable(pair.b);
    assert_int_equal(polled(pair.b, POLLRDNORM), POLLRDNORM);
    assert_int_equal(polled(pair.b, POLLWRNORM), POLLWRNORM);
    assert_int_equal(polled(pair.b, POLLIN | POLLOUT), POLLRDNORM | POLLWRNORM);
}

void urgent_data_is_in_the_band(void**) // [WSAPoll/7]
{
    const TcpPair pair = new_tcp_pair();
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_exceptional(pair.server);
    assert_int_equal(polled(pair.server, POLLRDBAND), POLLRDBAND);
}

void inline_urgent_data_is_ordinary(void**) // [WSAPoll/7]
{
    const TcpPair pair = new_tcp_pair();
    set_option(pair.server, SOL_SOCKET, SO_OOBINLINE, 1);
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_readable(pair.server);
    assert_int_equal(polled(pair.server, POLLIN | POLLOUT), POLLRDNORM | POLLWRNORM);
}

void an_end_hangs_up(void**) // [WSAPoll/8]
{
    const TcpPair pair = new_tcp_pair();
    close_owned(pair.client);
    wait_until_readable(pair.server);
    assert_int_equal(polled(pair.server), POLLWRNORM | POLLHUP);
}

void an_end_behind_data_hangs_up_at_once(void**) // [WSAPoll/8]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "x");
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    wait_until_readable(pair.server);
    assert_eventually([&] { return polled(pair.server) & POLLHUP; });
    assert_int_equal(polled(pair.server), POLLRDNORM | POLLWRNORM | POLLHUP);
}

void a_local_shutdown_tells_nothing(void**) // [WSAPoll/8]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_int_equal(polled(pair.client, POLLRDNORM), 0);
}

void a_reset_is_an_error(void**) // [WSAPoll/9]
{
    const TcpPair pair = new_tcp_pair();
    reset_connection(pair.client);
    wait_until_readable(pair.server);
    assert_int_equal(polled(pair.server), POLLERR | POLLHUP | POLLWRNORM);
}

void a_refused_connect_is_an_error(void**) // [WSAPoll/10]
{
    const SOCKET client = tcp_socket();
    const sockaddr_storage nobody = refusing_address();
    set_nonblocking(client);
    assert_wsa_fails(
        connect(client, as_name(nobody), sizeof(sockaddr_in)), SOCKET_ERROR, WSAEWOULDBLOCK);
    wait_until_exceptional(client);
    assert_int_equal(polled(client), POLLWRNORM | POLLHUP | POLLERR);
}

void a_blocked_poll_ends_with_the_data(void**) // [WSAPoll/11]
{
    const UdpPair pair = new_udp_pair();
    auto* entry = lasting<WSAPOLLFD>();
    *entry = { pair.b, POLLRDNORM, 0 };
    Background* background = run_in_background([=] { return (long long)WSAPoll(entry, 1, -1); });
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    assert_int_equal(join(background).value, 1);
    assert_int_equal(entry->revents, POLLRDNORM);
}

void a_time_out_returns_zero(void**) // [WSAPoll/11]
{
    const UdpPair pair = new_udp_pair();
    WSAPOLLFD entry = { pair.a, POLLRDNORM, 0 };
    assert_int_equal(WSAPoll(&entry, 1, 20), 0);
}

void a_short_poll_runs_user_apcs(void**) // [WSAPoll/11]
{
    for (const int milliseconds : { 1, 5 }) {
        WSAPOLLFD entry = { udp_socket(), POLLRDNORM, 0 };
        bool called = false;
        assert_true(
            QueueUserAPC(set_true, GetCurrentThread(), reinterpret_cast<ULONG_PTR>(&called)));
        assert_int_equal(WSAPoll(&entry, 1, milliseconds), 0);
        assert_true(called);
    }
}

void a_blocked_poll_runs_user_apcs(void**) // [WSAPoll/11]
{
    const UdpPair pair = new_udp_pair();
    auto* entry = lasting<WSAPOLLFD>();
    *entry = { pair.b, POLLRDNORM, 0 };
    bool* called = lasting<bool>();
    Background* background = run_in_background([=] { return (long long)WSAPoll(entry, 1, -1); });
    assert_true(
        QueueUserAPC(set_true, background_thread(background), reinterpret_cast<ULONG_PTR>(called)));
    assert_eventually([=] { return *static_cast<volatile bool*>(called); });
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    assert_int_equal(join(background).value, 1);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(no_entries_are_refused),
    cmocka_unit_test(a_null_array_is_refused),
    cmocka_unit_test(events_it_cannot_watch_are_refused),
    cmocka_unit_test(an_invalid_socket_may_ask_for_anything_before_a_valid_one_only),
    cmocka_unit_test(an_array_with_a_hole_is_a_fault),
    cmocka_unit_test(nothing_but_invalid_sockets_is_an_error),
    cmocka_unit_test(an_invalid_socket_is_marked_and_not_counted),
    cmocka_unit_test(an_invalid_socket_alone_does_not_end_the_wait),
    cmocka_unit_test(results_are_always_overwritten),
    cmocka_unit_test(a_waiting_connection_is_readable),
    cmocka_unit_test(a_datagram_socket_is_writable_unbound),
    cmocka_unit_test(only_what_was_asked_is_told),
    cmocka_unit_test(urgent_data_is_in_the_band),
    cmocka_unit_test(inline_urgent_data_is_ordinary),
    cmocka_unit_test(an_end_hangs_up),
    cmocka_unit_test(an_end_behind_data_hangs_up_at_once),
    cmocka_unit_test(a_local_shutdown_tells_nothing),
    cmocka_unit_test(a_reset_is_an_error),
    cmocka_unit_test(a_refused_connect_is_an_error),
    cmocka_unit_test(a_blocked_poll_ends_with_the_data),
    cmocka_unit_test(a_time_out_returns_zero),
    cmocka_unit_test(a_short_poll_runs_user_apcs),
    cmocka_unit_test(a_blocked_poll_runs_user_apcs),
};

} // namespace

CONFORMANCE_GROUP(poll, kCases);
