// accept and WSAAccept, and what an accepted socket inherits.

#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

/// What a condition function answers, and what it was shown.
struct Condition {
    int answer;
    int calls;
    sockaddr_in caller;
    sockaddr_in callee;
    DWORD_PTR context;
};

int CALLBACK condition_function(
    LPWSABUF caller, LPWSABUF, LPQOS, LPQOS, LPWSABUF callee, LPWSABUF, GROUP*, DWORD_PTR context)
{
    auto* condition = reinterpret_cast<Condition*>(context);
    ++condition->calls;
    if (caller && caller->buf)
        memcpy(&condition->caller, caller->buf, sizeof(condition->caller));
    if (callee && callee->buf)
        memcpy(&condition->callee, callee->buf, sizeof(condition->callee));
    condition->context = context;
    return condition->answer;
}

SOCKET accept_on_condition(const Listener& listener, Condition& condition)
{
    return WSAAccept(listener.socket, nullptr, nullptr, condition_function,
        reinterpret_cast<DWORD_PTR>(&condition));
}

void CALLBACK set_true(ULONG_PTR called)
{
    *reinterpret_cast<bool*>(called) = true;
}

// --- accept

void accept_tells_the_peer(void**) // [accept/1]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    sockaddr_storage address = {};
    int length = sizeof(address);
    WSASetLastError(kPoison);
    const SOCKET server = owned(accept(listener.socket, as_name(address), &length));
    assert_true(server != INVALID_SOCKET);
    assert_int_equal(WSAGetLastError(), 0);
    assert_int_equal(length, sizeof(sockaddr_in));
    const auto* name = reinterpret_cast<sockaddr_in*>(&address);
    assert_int_equal(name->sin_family, AF_INET);
    assert_int_equal(name->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(ntohs(name->sin_port), local_port(client));
}

void an_accepted_socket_has_the_listeners_name(void**) // [accept/2]
{
    const Listener listener = new_listener();
    connect_to(listener);
    const SOCKET server = accept_from(listener);
    assert_int_equal(local_port(server), local_port(listener.socket));
}

void an_accepted_socket_does_not_listen(void**) // [accept/2]
{
    const Listener listener = new_listener();
    connect_to(listener);
    const SOCKET server = accept_from(listener);
    assert_int_equal(option(server, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(option(server, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
}

void a_length_of_zero_is_refused(void**) // [accept/3]
{
    const Listener listener = new_listener();
    connect_to(listener);
    wait_until_readable(listener.socket);
    sockaddr_storage address;
    int length = 0;
    assert_wsa_fails(accept(listener.socket, as_name(address), &length), INVALID_SOCKET, WSAEFAULT);
    assert_int_equal(length, 0);
}

void an_address_without_a_length_is_not_written(void**) // [accept/4]
{
    const Listener listener = new_listener();
    connect_to(listener);
    sockaddr_storage address;
    sockaddr_storage untouched;
    memset(&address, 0xCC, sizeof(address));
    memset(&untouched, 0xCC, sizeof(untouched));
    const SOCKET server = owned(accept(listener.socket, as_name(address), nullptr));
    assert_true(server != INVALID_SOCKET);
    assert_memory_equal(&address, &untouched, sizeof(address));
}

void a_length_without_an_address_is_accepted(void**) // [accept/4]
{
    const Listener listener = new_listener();
    connect_to(listener);
    int length = 0;
    assert_true(owned(accept(listener.socket, nullptr, &length)) != INVALID_SOCKET);
}

void a_non_blocking_accept_without_connections_would_block(void**) // [accept/5]
{
    const Listener listener = new_listener();
    set_nonblocking(listener.socket);
    assert_wsa_fails(accept(listener.socket, nullptr, nullptr), INVALID_SOCKET, WSAEWOULDBLOCK);
}

void a_socket_that_does_not_listen_cannot_accept(void**) // [accept/6]
{
    const SOCKET socket = tcp_socket();
    assert_wsa_fails(accept(socket, nullptr, nullptr), INVALID_SOCKET, WSAEINVAL);
    bind_to_loopback(socket);
    assert_wsa_fails(accept(socket, nullptr, nullptr), INVALID_SOCKET, WSAEINVAL);
}

void a_connected_socket_cannot_accept(void**) // [accept/6]
{
    assert_wsa_fails(accept(new_tcp_pair().client, nullptr, nullptr), INVALID_SOCKET, WSAEINVAL);
}

void a_datagram_socket_cannot_accept(void**) // [accept/7]
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    assert_wsa_fails(accept(socket, nullptr, nullptr), INVALID_SOCKET, WSAEOPNOTSUPP);
}

void a_blocked_accept_gets_the_next_connection(void**) // [accept/8]
{
    const Listener listener = new_listener();
    Background* background = run_in_background(
        [listener] { return (long long)accept(listener.socket, nullptr, nullptr); });
    connect_to(listener);
    const Outcome outcome = join(background);
    assert_true(outcome.value != (long long)INVALID_SOCKET);
    owned((SOCKET)outcome.value);
}

void a_blocked_accept_runs_user_apcs(void**) // [accept/8]
{
    const Listener listener = new_listener();
    bool* called = lasting<bool>();
    Background* background = run_in_background(
        [listener] { return (long long)accept(listener.socket, nullptr, nullptr); });
    assert_true(
        QueueUserAPC(set_true, background_thread(background), reinterpret_cast<ULONG_PTR>(called)));
    assert_eventually([=] { return *static_cast<volatile bool*>(called); });
    assert_false(has_ended(background));
    connect_to(listener);
    const Outcome outcome = join(background);
    assert_true(outcome.value != (long long)INVALID_SOCKET);
    owned((SOCKET)outcome.value);
}

void a_connection_outlives_its_listener(void**) // [accept/2]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    const SOCKET server = accept_from(listener);
    close_owned(listener.socket);
    send_text(server, "x");
    wait_until_readable(client);
}

// --- Conditions

void a_condition_that_accepts_gives_the_connection(void**) // [accept/9]
{
    const Listener listener = new_listener();
    connect_to(listener);
    Condition condition = {};
    condition.answer = CF_ACCEPT;
    assert_true(owned(accept_on_condition(listener, condition)) != INVALID_SOCKET);
    assert_int_equal(condition.calls, 1);
}

void a_condition_is_shown_both_addresses_and_its_context(void**) // [accept/9]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    Condition condition = {};
    condition.answer = CF_ACCEPT;
    owned(accept_on_condition(listener, condition));
    assert_int_equal(condition.context, reinterpret_cast<DWORD_PTR>(&condition));
    assert_int_equal(ntohs(condition.caller.sin_port), local_port(client));
    assert_int_equal(ntohs(condition.callee.sin_port), local_port(listener.socket));
}

void a_condition_that_rejects_refuses_the_connection(void**) // [accept/10]
{
    const Listener listener = new_listener();
    connect_to(listener);
    Condition condition = {};
    condition.answer = CF_REJECT;
    assert_wsa_fails(accept_on_condition(listener, condition), INVALID_SOCKET, WSAECONNREFUSED);
    assert_int_equal(condition.calls, 1);
    set_nonblocking(listener.socket);
    assert_wsa_fails(accept(listener.socket, nullptr, nullptr), INVALID_SOCKET, WSAEWOULDBLOCK);
}

void a_rejected_client_sees_its_connection_end(void**) // [accept/10]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    Condition condition = {};
    condition.answer = CF_REJECT;
    assert_wsa_fails(accept_on_condition(listener, condition), INVALID_SOCKET, WSAECONNREFUSED);
    wait_until_readable(client);
    char byte;
    assert_true(recv(client, &byte, 1, 0) <= 0);
}

void a_deferred_connection_stays_for_a_later_accept(void**) // [accept/11]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);
    Condition condition = {};
    condition.answer = CF_DEFER;
    assert_wsa_fails(accept_on_condition(listener, condition), INVALID_SOCKET, WSATRY_AGAIN);
    set_nonblocking(listener.socket); // A connection that is gone must not hang the case.
    const SOCKET server = accept_from(listener);
    send_text(client, "x");
    wait_until_readable(server);
}

void a_condition_that_is_no_function_takes_no_connection(void**) // [accept/14]
{
    const Listener listener = new_listener();
    connect_to(listener);
    assert_wsa_fails(WSAAccept(listener.socket, nullptr, nullptr,
                         reinterpret_cast<LPCONDITIONPROC>(INT_PTR { 8 }), 0),
        INVALID_SOCKET, WSAEFAULT);
    accept_from(listener);
}

void a_condition_is_not_asked_without_a_connection(void**) // [accept/9]
{
    const Listener listener = new_listener();
    set_nonblocking(listener.socket);
    Condition condition = {};
    assert_wsa_fails(accept_on_condition(listener, condition), INVALID_SOCKET, WSAEWOULDBLOCK);
    assert_int_equal(condition.calls, 0);
}

// --- Inheritance

void check_inherited(int level, int name, DWORD value, Where where = Where::current())
{
    const Listener listener = new_listener(AF_INET, where);
    set_option(listener.socket, level, name, value, where);
    const DWORD expected = option(listener.socket, level, name, where);
    connect_to(listener, where);
    const SOCKET server = accept_from(listener, where);
    if (option(server, level, name, where) != expected)
        fail_at(where, "the accepted socket has %lu, not %lu", option(server, level, name, where),
            expected);
}

void boolean_options_are_inherited(void**) // [accept/12]
{
    check_inherited(SOL_SOCKET, SO_KEEPALIVE, 1);
    check_inherited(SOL_SOCKET, SO_OOBINLINE, 1);
}

void the_reuse_option_is_inherited(void**) // [accept/12]
{
    const SOCKET socket = tcp_socket();
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    bind_to_loopback(socket);
    assert_wsa_ok(listen(socket, 1));
    Listener listener { socket, {}, 0 };
    listener.address_length = loopback_address(AF_INET, local_port(socket), &listener.address);
    connect_to(listener);
    assert_int_equal(option(accept_from(listener), SOL_SOCKET, SO_REUSEADDR), 1);
}

void buffer_sizes_are_inherited(void**) // [accept/12]
{
    check_inherited(SOL_SOCKET, SO_SNDBUF, 40000);
    check_inherited(SOL_SOCKET, SO_RCVBUF, 30000);
    check_inherited(SOL_SOCKET, SO_RCVBUF, 300000);
}

void time_outs_are_inherited(void**) // [accept/12]
{
    check_inherited(SOL_SOCKET, SO_SNDTIMEO, 5000);
    check_inherited(SOL_SOCKET, SO_RCVTIMEO, 7000);
}

void the_nodelay_option_is_inherited(void**) // [accept/12]
{
    check_inherited(IPPROTO_TCP, TCP_NODELAY, 1);
}

void the_linger_option_is_inherited(void**) // [accept/12]
{
    const Listener listener = new_listener();
    const linger wanted = { 1, 30 };
    assert_wsa_ok(setsockopt(listener.socket, SOL_SOCKET, SO_LINGER,
        reinterpret_cast<const char*>(&wanted), sizeof(wanted)));
    connect_to(listener);
    linger got = {};
    int length = sizeof(got);
    assert_wsa_ok(getsockopt(
        accept_from(listener), SOL_SOCKET, SO_LINGER, reinterpret_cast<char*>(&got), &length));
    assert_int_equal(got.l_onoff, 1);
    assert_int_equal(got.l_linger, 30);
}

void the_non_blocking_mode_is_inherited(void**) // [accept/13]
{
    const Listener listener = new_listener();
    set_nonblocking(listener.socket);
    connect_to(listener);
    wait_until_readable(listener.socket);
    const SOCKET server = accept_from(listener);
    limit_receives(server);
    char byte;
    assert_wsa_fails(recv(server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void the_blocking_mode_is_inherited(void**) // [accept/13]
{
    const Listener listener = new_listener();
    connect_to(listener);
    const SOCKET server = accept_from(listener);
    set_option(server, SOL_SOCKET, SO_RCVTIMEO, 50);
    char byte;
    assert_wsa_fails(recv(server, &byte, 1, 0), SOCKET_ERROR, WSAETIMEDOUT);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(accept_tells_the_peer),
    cmocka_unit_test(an_accepted_socket_has_the_listeners_name),
    cmocka_unit_test(an_accepted_socket_does_not_listen),
    cmocka_unit_test(a_length_of_zero_is_refused),
    cmocka_unit_test(an_address_without_a_length_is_not_written),
    cmocka_unit_test(a_length_without_an_address_is_accepted),
    cmocka_unit_test(a_non_blocking_accept_without_connections_would_block),
    cmocka_unit_test(a_socket_that_does_not_listen_cannot_accept),
    cmocka_unit_test(a_connected_socket_cannot_accept),
    cmocka_unit_test(a_datagram_socket_cannot_accept),
    cmocka_unit_test(a_blocked_accept_gets_the_next_connection),
    cmocka_unit_test(a_blocked_accept_runs_user_apcs),
    cmocka_unit_test(a_connection_outlives_its_listener),
    cmocka_unit_test(a_condition_that_accepts_gives_the_connection),
    cmocka_unit_test(a_condition_is_shown_both_addresses_and_its_context),
    cmocka_unit_test(a_condition_that_is_no_function_takes_no_connection),
    cmocka_unit_test(a_condition_that_rejects_refuses_the_connection),
    cmocka_unit_test(a_rejected_client_sees_its_connection_end),
    cmocka_unit_test(a_deferred_connection_stays_for_a_later_accept),
    cmocka_unit_test(a_condition_is_not_asked_without_a_connection),
    cmocka_unit_test(boolean_options_are_inherited),
    cmocka_unit_test(the_reuse_option_is_inherited),
    cmocka_unit_test(buffer_sizes_are_inherited),
    cmocka_unit_test(time_outs_are_inherited),
    cmocka_unit_test(the_nodelay_option_is_inherited),
    cmocka_unit_test(the_linger_option_is_inherited),
    cmocka_unit_test(the_non_blocking_mode_is_inherited),
    cmocka_unit_test(the_blocking_mode_is_inherited),
};

} // namespace

CONFORMANCE_GROUP(accept, kCases);
