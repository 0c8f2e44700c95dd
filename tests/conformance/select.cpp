// select.

#include "peers.h"

#include <cstring>
#include <vector>

using namespace conformance;

namespace {

// Not constant: the SDK's declaration takes a plain pointer, although nothing is written.
timeval kNow = { 0, 0 };
timeval kLimit = { kHangLimit / 1000, 0 };

fd_set set_of(std::initializer_list<SOCKET> sockets)
{
    fd_set set;
    FD_ZERO(&set);
    for (SOCKET socket : sockets)
        set.fd_array[set.fd_count++] = socket;
    return set;
}

void CALLBACK set_true(ULONG_PTR called)
{
    *reinterpret_cast<bool*>(called) = true;
}

// --- The call

void no_sets_are_refused(void**) // [select/1]
{
    fd_set empty = set_of({});
    assert_wsa_fails(select(0, nullptr, nullptr, nullptr, &kLimit), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(select(0, &empty, nullptr, nullptr, &kLimit), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(select(0, &empty, &empty, &empty, &kLimit), SOCKET_ERROR, WSAEINVAL);
}

void a_time_below_zero_is_refused(void**) // [select/19]
{
    const UdpPair pair = new_udp_pair();
    for (timeval limit : { timeval { -1, 0 }, timeval { 0, -1 }, timeval { 1, -1 } }) {
        fd_set readable = set_of({ pair.a });
        assert_wsa_fails(select(0, &readable, nullptr, nullptr, &limit), SOCKET_ERROR, WSAEINVAL);
        assert_int_equal(readable.fd_count, 1);
    }
}

void a_value_that_is_no_socket_refuses_the_call(void**) // [select/2]
{
    const UdpPair pair = new_udp_pair();
    fd_set readable = set_of({ pair.a, 0xDEAD });
    assert_wsa_fails(select(0, &readable, nullptr, nullptr, &kNow), SOCKET_ERROR, WSAENOTSOCK);
    assert_int_equal(readable.fd_count, 2);
    fd_set exceptional = set_of({ INVALID_SOCKET });
    fd_set writable = set_of({ pair.a });
    assert_wsa_fails(select(0, nullptr, &writable, &exceptional, &kNow), SOCKET_ERROR, WSAENOTSOCK);
    assert_int_equal(writable.fd_count, 1);
}

void the_first_argument_is_ignored(void**) // [select/3]
{
    for (int count : { -1, 0, 1, 100000 }) {
        fd_set writable = set_of({ udp_socket() });
        assert_int_equal(select(count, nullptr, &writable, nullptr, &kNow), 1);
    }
}

void more_sockets_than_the_set_declares_work(void**) // [select/3]
{
    constexpr int kCount = 100;
    auto* set = static_cast<fd_set*>(lasting_memory(sizeof(u_int) * 2 + kCount * sizeof(SOCKET)));
    for (int i = 0; i < kCount; ++i)
        set->fd_array[set->fd_count++] = udp_socket();
    assert_int_equal(select(0, nullptr, set, nullptr, &kNow), kCount);
    assert_int_equal(set->fd_count, kCount);
}

void results_keep_their_order(void**) // [select/4]
{
    const UdpPair pair = new_udp_pair();
    const UdpPair other = new_udp_pair();
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    assert_int_equal(send(other.b, "x", 1, 0), 1);
    wait_until_readable(pair.b);
    wait_until_readable(other.a);
    fd_set readable = set_of({ other.b, other.a, pair.a, pair.b });
    assert_int_equal(select(0, &readable, nullptr, nullptr, &kNow), 2);
    assert_int_equal(readable.fd_count, 2);
    assert_true(readable.fd_array[0] == other.a);
    assert_true(readable.fd_array[1] == pair.b);
}

void a_socket_named_twice_counts_once(void**) // [select/4]
{
    const SOCKET socket = udp_socket();
    fd_set writable = set_of({ socket, socket });
    assert_int_equal(select(0, nullptr, &writable, nullptr, &kNow), 1);
    assert_int_equal(writable.fd_count, 1);
}

void the_result_counts_every_set(void**) // [select/12]
{
    const UdpPair pair = new_udp_pair();
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    wait_until_readable(pair.b);
    fd_set readable = set_of({ pair.b });
    fd_set writable = set_of({ pair.b });
    fd_set exceptional = set_of({ pair.b });
    assert_int_equal(select(0, &readable, &writable, &exceptional, &kNow), 2);
    assert_int_equal(exceptional.fd_count, 0);
}

void a_time_out_empties_the_sets(void**) // [select/6]
{
    const UdpPair pair = new_udp_pair();
    fd_set readable = set_of({ pair.a, pair.b });
    timeval brief = { 0, 20000 };
    WSASetLastError(kPoison);
    assert_int_equal(select(0, &readable, nullptr, nullptr, &brief), 0);
    assert_int_equal(readable.fd_count, 0);
    assert_int_equal(brief.tv_usec, 20000);
}

void a_blocked_select_ends_with_the_data(void**) // [select/6]
{
    const UdpPair pair = new_udp_pair();
    auto* readable = lasting<fd_set>();
    *readable = set_of({ pair.b });
    Background* background = run_in_background(
        [=] { return (long long)select(0, readable, nullptr, nullptr, nullptr); });
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    assert_int_equal(join(background).value, 1);
}

void a_blocked_select_runs_user_apcs(void**) // [select/7]
{
    const UdpPair pair = new_udp_pair();
    auto* readable = lasting<fd_set>();
    bool* called = lasting<bool>();
    *readable = set_of({ pair.b });
    Background* background = run_in_background(
        [=] { return (long long)select(0, readable, nullptr, nullptr, nullptr); });
    assert_true(
        QueueUserAPC(set_true, background_thread(background), reinterpret_cast<ULONG_PTR>(called)));
    assert_eventually([=] { return *static_cast<volatile bool*>(called); });
    assert_false(has_ended(background));
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    assert_int_equal(join(background).value, 1);
}

void a_short_select_runs_user_apcs(void**) // [select/7]
{
    for (const long microseconds : { 1L, 500L, 5000L }) {
        fd_set readable = set_of({ udp_socket() });
        bool called = false;
        timeval time { 0, microseconds };
        assert_true(
            QueueUserAPC(set_true, GetCurrentThread(), reinterpret_cast<ULONG_PTR>(&called)));
        assert_int_equal(select(0, &readable, nullptr, nullptr, &time), 0);
        assert_true(called);
    }
}

void a_ready_socket_leaves_apcs_queued(void**) // [select/7]
{
    bool called = false;
    fd_set writable = set_of({ udp_socket() });
    assert_true(QueueUserAPC(set_true, GetCurrentThread(), reinterpret_cast<ULONG_PTR>(&called)));
    const int result = select(0, nullptr, &writable, nullptr, &kLimit);
    const bool called_meanwhile = called;
    SleepEx(0, TRUE);
    assert_int_equal(result, 1);
    assert_false(called_meanwhile);
    assert_true(called);
}

// --- Readable

void data_is_readable(void**) // [select/8]
{
    const TcpPair pair = new_tcp_pair();
    assert_false(is_readable(pair.server));
    send_text(pair.client, "x");
    wait_until_readable(pair.server);
}

void an_end_is_readable(void**) // [select/8]
{
    const TcpPair pair = new_tcp_pair();
    close_owned(pair.client);
    wait_until_readable(pair.server);
}

void a_reset_is_readable_and_writable_but_not_exceptional(void**) // [select/8] [select/10]
{
    const TcpPair pair = new_tcp_pair();
    reset_connection(pair.client);
    wait_until_readable(pair.server);
    assert_true(is_writable(pair.server));
    assert_false(is_exceptional(pair.server));
}

void a_waiting_connection_is_readable(void**) // [select/8]
{
    const Listener listener = new_listener();
    assert_false(is_readable(listener.socket));
    connect_to(listener);
    wait_until_readable(listener.socket);
    accept_from(listener);
    assert_false(is_readable(listener.socket));
}

// --- Writable

void a_connected_stream_is_writable(void**) // [select/9]
{
    const TcpPair pair = new_tcp_pair();
    assert_true(is_writable(pair.client));
    assert_true(is_writable(pair.server));
}

void a_full_stream_is_not_writable(void**) // [select/9]
{
    const TcpPair pair = new_tcp_pair();
    send_until_full(pair.client);
    assert_false(is_writable(pair.client));
}

void a_datagram_socket_is_writable_unbound(void**) // [select/9]
{
    assert_true(is_writable(udp_socket()));
}

void a_connecting_stream_is_not_writable(void**) // [select/9]
{
    assert_false(is_writable(new_connecting_socket()));
}

// --- Exceptional, or nothing

void urgent_data_is_exceptional(void**) // [select/10]
{
    const TcpPair pair = new_tcp_pair();
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_exceptional(pair.server);
}

void inline_urgent_data_is_readable(void**) // [select/10]
{
    const TcpPair pair = new_tcp_pair();
    set_option(pair.server, SOL_SOCKET, SO_OOBINLINE, 1);
    assert_int_equal(send(pair.client, "u", 1, MSG_OOB), 1);
    wait_until_readable(pair.server);
    assert_false(is_exceptional(pair.server));
}

void an_unconnected_stream_is_nothing(void**) // [select/11]
{
    const SOCKET fresh = tcp_socket();
    const SOCKET bound = tcp_socket();
    bind_to_loopback(bound);
    for (SOCKET socket : { fresh, bound }) {
        assert_false(is_readable(socket));
        assert_false(is_writable(socket));
        assert_false(is_exceptional(socket));
    }
}

void one_set_may_serve_for_two(void**) // [select/5]
{
    const UdpPair pair = new_udp_pair();
    fd_set both = set_of({ pair.a });
    assert_int_equal(select(0, &both, &both, nullptr, &kNow), 1);
    assert_int_equal(both.fd_count, 1);
    assert_true(both.fd_array[0] == pair.a);
}

void fd_isset_looks_the_socket_up(void**) // [select/13]
{
    fd_set set = set_of({ 4, 12 });
    assert_true(__WSAFDIsSet(4, &set));
    assert_true(__WSAFDIsSet(12, &set));
    assert_false(__WSAFDIsSet(8, &set));
}

void a_set_that_cannot_be_written_is_a_fault(void**) // [select/18]
{
    auto* set = static_cast<fd_set*>(
        VirtualAlloc(nullptr, sizeof(fd_set), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    assert_non_null(set);
    set->fd_array[set->fd_count++] = udp_socket();
    DWORD old;
    assert_true(VirtualProtect(set, sizeof(fd_set), PAGE_READONLY, &old));
    timeval now = {};
    assert_wsa_fails(select(0, set, nullptr, nullptr, &now), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(select(0, nullptr, set, nullptr, &now), SOCKET_ERROR, WSAEFAULT);
    VirtualFree(set, 0, MEM_RELEASE);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(no_sets_are_refused),
    cmocka_unit_test(a_time_below_zero_is_refused),
    cmocka_unit_test(a_value_that_is_no_socket_refuses_the_call),
    cmocka_unit_test(the_first_argument_is_ignored),
    cmocka_unit_test(more_sockets_than_the_set_declares_work),
    cmocka_unit_test(results_keep_their_order),
    cmocka_unit_test(a_socket_named_twice_counts_once),
    cmocka_unit_test(the_result_counts_every_set),
    cmocka_unit_test(a_time_out_empties_the_sets),
    cmocka_unit_test(a_blocked_select_ends_with_the_data),
    cmocka_unit_test(a_blocked_select_runs_user_apcs),
    cmocka_unit_test(a_ready_socket_leaves_apcs_queued),
    cmocka_unit_test(data_is_readable),
    cmocka_unit_test(an_end_is_readable),
    cmocka_unit_test(a_reset_is_readable_and_writable_but_not_exceptional),
    cmocka_unit_test(a_waiting_connection_is_readable),
    cmocka_unit_test(a_connected_stream_is_writable),
    cmocka_unit_test(a_full_stream_is_not_writable),
    cmocka_unit_test(a_datagram_socket_is_writable_unbound),
    cmocka_unit_test(a_connecting_stream_is_not_writable),
    cmocka_unit_test(urgent_data_is_exceptional),
    cmocka_unit_test(inline_urgent_data_is_readable),
    cmocka_unit_test(an_unconnected_stream_is_nothing),
    cmocka_unit_test(one_set_may_serve_for_two),
    cmocka_unit_test(fd_isset_looks_the_socket_up),
    cmocka_unit_test(a_set_that_cannot_be_written_is_a_fault),
    cmocka_unit_test(a_short_select_runs_user_apcs),
};

} // namespace

CONFORMANCE_GROUP(select, kCases);
