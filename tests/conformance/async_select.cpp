// WSAAsyncSelect: network events as window messages.

#include "extensions.h"
#include "message_window.h"
#include "network_events.h"
#include "peers.h"
#include "ports.h"

#include <vector>

using namespace conformance;

namespace {

constexpr UINT kMessage = WM_APP + 7;

struct Posted {
    SOCKET socket;
    int event;
    int error;
};

/// The next message of the window, if one is there.
bool next_message(Posted* posted)
{
    MSG message;
    if (!PeekMessageW(&message, window, kMessage, kMessage, PM_REMOVE))
        return false;
    *posted = { static_cast<SOCKET>(message.wParam), WSAGETSELECTEVENT(message.lParam),
        WSAGETSELECTERROR(message.lParam) };
    return true;
}

/// The next message must be this one.
void assert_message(SOCKET socket, int event, int error = 0, Where where = Where::current())
{
    Posted posted;
    const ULONGLONG start = GetTickCount64();
    while (!next_message(&posted)) {
        const ULONGLONG passed = GetTickCount64() - start;
        if (passed >= kEventLimit)
            fail_at(where, "no message came for event %#x", event);
        MsgWaitForMultipleObjects(
            0, nullptr, FALSE, static_cast<DWORD>(kEventLimit - passed), QS_POSTMESSAGE);
    }
    if (posted.socket != socket || posted.event != event || posted.error != error)
        fail_at(where, "message for event %#x with error %d instead of %#x with %d%s", posted.event,
            posted.error, event, error, posted.socket == socket ? "" : " and of another socket");
}

void assert_no_message(Where where = Where::current())
{
    Posted posted;
    let_it_settle();
    if (next_message(&posted))
        fail_at(where, "unexpected message for event %#x", posted.event);
}

void select_messages(SOCKET socket, long mask = kUsualEvents, Where where = Where::current())
{
    if (WSAAsyncSelect(socket, window, kMessage, mask) != 0)
        fail_at(where, "WSAAsyncSelect failed with %d", WSAGetLastError());
}

TcpPair new_selected_pair(long mask)
{
    const TcpPair pair = new_tcp_pair();
    select_messages(pair.server, mask);
    return pair;
}

// --- The call

void message_select_refuses_what_is_no_socket(void**) // [WSAAsyncSelect/1]
{
    assert_wsa_fails(
        WSAAsyncSelect(INVALID_SOCKET, window, kMessage, FD_READ), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(
        WSAAsyncSelect(0x7ffff0, window, kMessage, FD_READ), SOCKET_ERROR, WSAENOTSOCK);
}

void message_select_refuses_what_is_no_window(void**) // [WSAAsyncSelect/1]
{
    const HWND garbage = reinterpret_cast<HWND>(static_cast<uintptr_t>(0x7ffff0));
    assert_wsa_fails(
        WSAAsyncSelect(tcp_socket(), garbage, kMessage, FD_READ), SOCKET_ERROR, WSAEINVAL);
}

void a_message_carries_socket_event_and_error(void**) // [WSAAsyncSelect/2]
{
    const TcpPair pair = new_selected_pair(FD_READ);

    send_text(pair.client, "x");
    assert_message(pair.server, FD_READ, 0);
    assert_no_message();
}

void a_selected_socket_is_nonblocking_and_stays_so(void**) // [WSAAsyncSelect/3]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    u_long blocking = 0;
    char byte;

    assert_wsa_fails(recv(pair.server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_wsa_fails(ioctlsocket(pair.server, FIONBIO, &blocking), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_ok(WSAAsyncSelect(pair.server, window, 0, 0));
    assert_wsa_ok(ioctlsocket(pair.server, FIONBIO, &blocking));
}

void cancelling_stops_messages(void**) // [WSAAsyncSelect/4]
{
    const TcpPair pair = new_selected_pair(FD_READ);

    assert_wsa_ok(WSAAsyncSelect(pair.server, window, 0, 0));
    send_text(pair.client, "x");
    wait_until_readable(pair.server);
    assert_no_message();
}

void cancelling_keeps_posted_messages(void**) // [WSAAsyncSelect/4]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    send_text(pair.client, "x");
    MsgWaitForMultipleObjects(0, nullptr, FALSE, kEventLimit, QS_POSTMESSAGE);

    assert_wsa_ok(WSAAsyncSelect(pair.server, window, 0, 0));
    assert_message(pair.server, FD_READ);
}

void a_call_from_another_thread_posts_to_the_window(void**) // [WSAAsyncSelect/6]
{
    const TcpPair pair = new_tcp_pair();
    const HWND target = window;
    Background* selecting
        = run_in_background([=] { return WSAAsyncSelect(pair.server, target, kMessage, FD_READ); });
    assert_int_equal(join(selecting).value, 0);

    send_text(pair.client, "x");
    assert_message(pair.server, FD_READ);
}

void event_select_ends_message_select(void**) // [WSAAsyncSelect/9] [WSAEventSelect/11]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    const WSAEVENT event = new_event();

    select_events(pair.server, event, FD_READ);
    send_text(pair.client, "x");
    assert_events(pair.server, event, FD_READ);
    assert_no_message();
}

void message_select_ends_event_select(void**) // [WSAAsyncSelect/9] [WSAEventSelect/11]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);

    select_messages(pair.server, FD_READ);
    send_text(pair.client, "x");
    assert_message(pair.server, FD_READ);
    assert_false(is_signaled(event));
}

// --- What is posted

void a_connection_posts_connect_then_write(void**) // [WSAAsyncSelect/2]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    select_messages(client);

    if (connect(
            client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length)
        != 0)
        assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
    assert_message(client, FD_CONNECT);
    assert_message(client, FD_WRITE);
    assert_no_message();
}

void a_connection_made_before_posts_write_only(void**) // [WSAAsyncSelect/5]
{
    const Listener listener = new_listener();
    const SOCKET client = connect_to(listener);

    select_messages(client);
    assert_message(client, FD_WRITE);
    assert_no_message();
}

void a_refused_connection_posts_connect_with_its_error(void**) // [WSAAsyncSelect/2]
{
    const SOCKET client = tcp_socket();
    sockaddr_storage address;
    const int length = refusing_address(&address);
    select_messages(client);

    assert_wsa_fails(connect(client, reinterpret_cast<sockaddr*>(&address), length), SOCKET_ERROR,
        WSAEWOULDBLOCK);
    assert_message(client, FD_CONNECT, WSAECONNREFUSED);
    assert_no_message();
}

void selecting_again_posts_what_is_still_true(void**) // [WSAAsyncSelect/5]
{
    const TcpPair pair = new_selected_pair(FD_READ | FD_WRITE);
    assert_message(pair.server, FD_WRITE);
    send_text(pair.client, "x");
    assert_message(pair.server, FD_READ);
    assert_no_message();

    select_messages(pair.server, FD_READ);
    assert_message(pair.server, FD_READ);
    select_messages(pair.server, FD_WRITE);
    assert_message(pair.server, FD_WRITE);
    assert_no_message();
}

void a_queued_connection_is_posted_again_by_a_new_selection(void**) // [WSAAsyncSelect/5]
{
    const Listener listener = new_listener();
    select_messages(listener.socket, FD_ACCEPT);
    connect_to(listener);
    assert_message(listener.socket, FD_ACCEPT);
    assert_no_message();

    select_messages(listener.socket, FD_ACCEPT);
    assert_message(listener.socket, FD_ACCEPT);
}

void more_data_is_not_posted_before_a_receive(void**) // [WSAAsyncSelect/7]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    char data[16];
    send_text(pair.client, "hello");
    assert_message(pair.server, FD_READ);

    send_text(pair.client, "hello");
    wait_until_received(pair.server, 10);
    assert_no_message();
    assert_int_equal(recv(pair.server, data, 2, 0), 2);
    assert_message(pair.server, FD_READ);
    assert_int_equal(recv(pair.server, data, sizeof(data), 0), 8);
    assert_no_message();
}

void a_second_connection_is_not_posted_before_accept(void**) // [WSAAsyncSelect/7]
{
    const Listener listener = new_listener();
    select_messages(listener.socket, FD_ACCEPT);
    connect_to(listener);
    assert_message(listener.socket, FD_ACCEPT);
    connect_to(listener);
    assert_no_message();

    accept_from(listener);
    assert_message(listener.socket, FD_ACCEPT);
}

void a_peek_posts_read_again(void**) // [WSAAsyncSelect/10]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    char data[16];
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);
    assert_message(pair.server, FD_READ);

    assert_int_equal(recv(pair.server, data, sizeof(data), MSG_PEEK), 5);
    assert_message(pair.server, FD_READ);
}

void a_failed_receive_posts_read_again(void**) // [WSAAsyncSelect/11]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    char byte;
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);
    assert_message(pair.server, FD_READ);

    assert_wsa_fails(recv(pair.server, &byte, -1, 0), SOCKET_ERROR, WSAEFAULT);
    assert_message(pair.server, FD_READ);
}

void an_accepted_socket_inherits_window_and_mask(void**) // [WSAAsyncSelect/8]
{
    const Listener listener = new_listener();
    select_messages(listener.socket, FD_ACCEPT | FD_READ);
    const SOCKET client = connect_to(listener);
    assert_message(listener.socket, FD_ACCEPT);
    const SOCKET server = accept_from(listener);

    send_text(client, "x");
    assert_message(server, FD_READ);
}

void the_end_of_the_peer_is_posted(void**) // [WSAAsyncSelect/2]
{
    const TcpPair pair = new_selected_pair(FD_CLOSE);

    close_owned(pair.client);
    assert_message(pair.server, FD_CLOSE, 0);
    assert_no_message();
}

void a_reset_is_posted_as_an_abort(void**) // [WSAAsyncSelect/12]
{
    const TcpPair pair = new_selected_pair(FD_CLOSE);

    reset_connection(pair.client);
    assert_message(pair.server, FD_CLOSE, WSAECONNABORTED);
}

void a_reset_is_posted_again_by_a_new_selection(void**) // [WSAAsyncSelect/12]
{
    const TcpPair pair = new_selected_pair(FD_CLOSE);
    reset_connection(pair.client);
    assert_message(pair.server, FD_CLOSE, WSAECONNABORTED);

    select_messages(pair.server, FD_CLOSE);
    assert_message(pair.server, FD_CLOSE, WSAECONNABORTED);
}

void closing_the_socket_posts_nothing(void**) // [WSAAsyncSelect/13]
{
    const TcpPair pair = new_selected_pair(FD_READ | FD_CLOSE);

    close_owned(pair.server);
    assert_no_message();
}

void closing_the_handle_of_a_socket_posts_close(void**) // [WSAAsyncSelect/13]
{
    const TcpPair pair = new_selected_pair(FD_READ | FD_CLOSE);

    assert_true(CloseHandle(reinterpret_cast<HANDLE>(pair.server)));
    assert_message(pair.server, FD_CLOSE);
    // The table of sockets still has the value; closing it there must harm nobody.
    disown(pair.server);
    closesocket(pair.server);
}

#define window_case(function) cmocka_unit_test_setup_teardown(function, make_window, destroy_window)

// --- What posts nothing again

void a_pending_receive_posts_nothing_again(void**) // [WSAAsyncSelect/14]
{
    const TcpPair pair = new_selected_pair(kUsualEvents);
    assert_message(pair.server, FD_WRITE);
    associate(pair.server, new_port(), kPortKey);
    assert_no_message();
    pending_receive(pair.server);
    assert_no_message();
    run_in_background([=] {
        Operation* receive = new_operation();
        return static_cast<long long>(start_receive(pair.server, receive));
    });
    assert_no_message();
}

void the_end_is_not_posted_again(void**) // [WSAAsyncSelect/14]
{
    const TcpPair pair = new_selected_pair(FD_READ | FD_CLOSE);
    close_owned(pair.client);
    assert_message(pair.server, FD_CLOSE);
    start_receive(pair.server, new_operation(new_event()));
    assert_no_message();
}

void a_duplicate_posts_nothing_again(void**) // [WSAAsyncSelect/14]
{
    const TcpPair pair = new_selected_pair(kUsualEvents);
    assert_message(pair.server, FD_WRITE);
    send_text(pair.client, "x");
    assert_message(pair.server, FD_READ);
    duplicate_of(pair.server);
    assert_no_message();
}

void accept_ex_posts_nothing_again(void**) // [WSAAsyncSelect/14]
{
    const Listener listener = new_listener();
    select_messages(listener.socket, FD_ACCEPT);
    connect_to(listener);
    assert_message(listener.socket, FD_ACCEPT);
    Operation* accept = new_operation(new_event());
    assert_wsa_fails(accept_ex_of(listener.socket)(listener.socket, tcp_socket(), accept->data, 0,
                         kAcceptAddressLength, kAcceptAddressLength, nullptr, &accept->overlapped),
        FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(accept), STATUS_SUCCESS);
    assert_no_message();
}

void each_part_that_leaves_data_posts_read(void**) // [WSAAsyncSelect/15]
{
    const TcpPair pair = new_selected_pair(FD_READ);
    send_text(pair.client, "12345678");
    assert_message(pair.server, FD_READ);
    wait_until_received(pair.server, 8);
    for (int left = 7; left >= 0; --left) {
        Operation* receive = new_operation(new_event());
        receive->buffer.len = 1;
        start_receive(pair.server, receive);
        assert_becomes_signaled(receive->overlapped.hEvent);
        if (left)
            assert_message(pair.server, FD_READ);
    }
    assert_no_message();
}

void connecting_datagrams_posts_write_once_more(void**) // [WSAAsyncSelect/16]
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    select_messages(socket, kUsualEvents);
    assert_message(socket, FD_WRITE);
    sockaddr_storage peer;
    const int length = loopback_address(AF_INET, 9, &peer);
    assert_wsa_ok(connect(socket, as_name(peer), length));
    assert_message(socket, FD_WRITE);
    assert_no_message();
}

/// Also when the socket is used through another handle meanwhile.
void re_enabling_one_posts_nothing_of_another(void**) // [WSAAsyncSelect/14]
{
    for (const bool is_shared : { false, true }) {
        const TcpPair pair = new_selected_pair(FD_READ | FD_WRITE | FD_CLOSE);
        assert_message(pair.server, FD_WRITE);
        send_text(pair.client, "abc");
        assert_message(pair.server, FD_READ);
        if (is_shared)
            duplicate_of(pair.server);
        char byte;
        assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
        assert_message(pair.server, FD_READ);
        size_t left = send_until_full(pair.server); // re-enables FD_WRITE
        assert_no_message();

        std::vector<char> buffer(1 << 16);
        while (left) {
            const int received
                = recv(pair.client, buffer.data(), static_cast<int>(buffer.size()), 0);
            assert_true(received > 0);
            left -= received;
        }
        assert_message(pair.server, FD_WRITE);
        assert_no_message();
        assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
        assert_message(pair.server, FD_READ);
        assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
        assert_no_message();
        close_owned(pair.client);
        assert_message(pair.server, FD_CLOSE);
        assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
        assert_no_message();
    }
}

/// A socket whose FD_READ was posted, with data left, and which has another handle since.
SOCKET new_shared_socket_with_data()
{
    const TcpPair pair = new_selected_pair(FD_READ);
    send_text(pair.client, "abc");
    assert_message(pair.server, FD_READ);
    duplicate_of(pair.server);
    return pair.server;
}

void a_later_message_of_a_shared_socket_is_posted(void**) // [WSAAsyncSelect/9]
{
    const SOCKET socket = new_shared_socket_with_data();
    assert_wsa_ok(WSAAsyncSelect(socket, window, kMessage + 1, FD_READ));
    for (const char expected : { 'a', 'b', 'c' }) {
        MSG message;
        assert_eventually(
            [&] { return PeekMessageW(&message, window, kMessage + 1, kMessage + 1, PM_REMOVE); });
        char byte = 0;
        assert_int_equal(recv(socket, &byte, 1, 0), 1);
        assert_int_equal(byte, expected);
    }
    assert_no_message(); // of the first selection
}

void a_later_event_of_a_shared_socket_is_set(void**) // [WSAAsyncSelect/9]
{
    const SOCKET socket = new_shared_socket_with_data();
    const WSAEVENT event = new_event();
    assert_wsa_ok(WSAEventSelect(socket, event, FD_READ));
    char byte;
    assert_int_equal(recv(socket, &byte, 1, 0), 1);
    assert_becomes_signaled(event);
    assert_no_message();
}

const CMUnitTest kCases[] = {
    window_case(message_select_refuses_what_is_no_socket),
    window_case(message_select_refuses_what_is_no_window),
    window_case(a_message_carries_socket_event_and_error),
    window_case(a_selected_socket_is_nonblocking_and_stays_so),
    window_case(cancelling_stops_messages),
    window_case(cancelling_keeps_posted_messages),
    window_case(a_call_from_another_thread_posts_to_the_window),
    window_case(event_select_ends_message_select),
    window_case(message_select_ends_event_select),
    window_case(a_connection_posts_connect_then_write),
    window_case(a_connection_made_before_posts_write_only),
    window_case(a_refused_connection_posts_connect_with_its_error),
    window_case(selecting_again_posts_what_is_still_true),
    window_case(a_queued_connection_is_posted_again_by_a_new_selection),
    window_case(more_data_is_not_posted_before_a_receive),
    window_case(a_second_connection_is_not_posted_before_accept),
    window_case(a_peek_posts_read_again),
    window_case(a_failed_receive_posts_read_again),
    window_case(an_accepted_socket_inherits_window_and_mask),
    window_case(the_end_of_the_peer_is_posted),
    window_case(a_reset_is_posted_as_an_abort),
    window_case(a_reset_is_posted_again_by_a_new_selection),
    window_case(closing_the_socket_posts_nothing),
    window_case(closing_the_handle_of_a_socket_posts_close),
    window_case(a_pending_receive_posts_nothing_again),
    window_case(the_end_is_not_posted_again),
    window_case(a_duplicate_posts_nothing_again),
    window_case(accept_ex_posts_nothing_again),
    window_case(each_part_that_leaves_data_posts_read),
    window_case(connecting_datagrams_posts_write_once_more),
    window_case(re_enabling_one_posts_nothing_of_another),
    window_case(a_later_message_of_a_shared_socket_is_posted),
    window_case(a_later_event_of_a_shared_socket_is_set),
};

} // namespace

CONFORMANCE_GROUP(async_select, kCases);
