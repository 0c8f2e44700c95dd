// Overlapped operations: the forms of completion, immediate and pending results, and
// WSAGetOverlappedResult.

#include "ports.h"

#include <atomic>
#include <cstring>

using namespace conformance;

namespace {

int forget_routine_calls(void**)
{
    routine_call = {};
    return 0;
}

// --- How a completion is told

void a_pending_receive_sets_its_event(void**) // [overlapped/1] [overlapped/3]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* receive = pending_receive(pair.server, event);

    assert_false(is_signaled(event));
    assert_int_equal(receive->overlapped.Internal, STATUS_PENDING);
    send_text(pair.client, "hello");
    assert_becomes_signaled(event);
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 5);
    assert_memory_equal(receive->data, "hello", 5);
}

void an_immediate_receive_sets_its_event(void**) // [overlapped/2]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);

    assert_wsa_ok(start_receive(pair.server, receive));
    assert_true(is_signaled(receive->overlapped.hEvent));
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 5);
}

void a_send_sets_its_event(void**) // [overlapped/2]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());
    char data[8];
    operation->buffer.len = 5;
    memcpy(operation->data, "hello", 5);

    const int result
        = WSASend(pair.client, &operation->buffer, 1, nullptr, 0, &operation->overlapped, nullptr);
    if (result != 0)
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_becomes_signaled(operation->overlapped.hEvent);
    assert_int_equal(operation->overlapped.InternalHigh, 5);
    receive_exactly(pair.server, data, 5);
    assert_memory_equal(data, "hello", 5);
}

void starting_an_operation_resets_its_event(void**) // [overlapped/4]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    assert_true(WSASetEvent(event));

    pending_receive(pair.server, event);
    assert_false(is_signaled(event));
}

void an_auto_reset_event_serves_an_operation(void**) // [overlapped/4]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE event = new_auto_event();
    pending_receive(pair.server, event);

    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    assert_false(is_signaled(event));
}

void without_event_the_socket_is_signaled(void**) // [overlapped/1]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server);

    assert_false(is_signaled(reinterpret_cast<HANDLE>(pair.server)));
    send_text(pair.client, "hello");
    assert_becomes_signaled(reinterpret_cast<HANDLE>(pair.server));
    assert_int_equal(receive->overlapped.InternalHigh, 5);
}

void a_failed_start_tells_nothing(void**) // [overlapped/5]
{
    const SOCKET unconnected = tcp_socket();
    Operation* receive = new_operation(new_event());

    assert_wsa_fails(start_receive(unconnected, receive), SOCKET_ERROR, WSAENOTCONN);
    let_it_settle();
    assert_false(is_signaled(receive->overlapped.hEvent));
}

// --- What is written when

void offsets_are_left_alone(void**) // [overlapped/6]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    receive->overlapped.Offset = 0x12345678;
    receive->overlapped.OffsetHigh = 0x9abcdef0;
    assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.client, "x");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal(receive->overlapped.Offset, 0x12345678);
    assert_int_equal(receive->overlapped.OffsetHigh, 0x9abcdef0);
}

void the_transfer_count_is_not_touched_before_completion(void**) // [overlapped/7]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    receive->overlapped.InternalHigh = 0xdead;

    assert_int_equal(WSARecv(pair.server, &receive->buffer, 1, &receive->transferred,
                         &receive->flags, &receive->overlapped, nullptr),
        SOCKET_ERROR);
    assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_int_equal(receive->transferred, kPoison);
    assert_int_equal(receive->overlapped.InternalHigh, 0xdead);
    send_text(pair.client, "x");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal(receive->transferred, kPoison);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
}

void an_immediate_result_fills_the_transfer_count(void**) // [overlapped/7]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);

    assert_wsa_ok(WSARecv(pair.server, &receive->buffer, 1, &receive->transferred, &receive->flags,
        &receive->overlapped, nullptr));
    assert_int_equal(receive->transferred, 5);
}

void a_synchronous_receive_needs_the_transfer_count(void**) // [overlapped/8]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation();
    send_text(pair.client, "x");
    wait_until_readable(pair.server);

    assert_wsa_fails(
        WSARecv(pair.server, &receive->buffer, 1, nullptr, &receive->flags, nullptr, nullptr),
        SOCKET_ERROR, WSAEFAULT);
}

void the_buffer_array_is_captured_by_the_call(void**) // [overlapped/9]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    WSABUF buffers[] = { { 2, receive->data }, { 8, receive->data + 100 } };
    assert_int_equal(
        WSARecv(pair.server, buffers, 2, nullptr, &receive->flags, &receive->overlapped, nullptr),
        SOCKET_ERROR);
    assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    memset(buffers, 0, sizeof(buffers));

    send_text(pair.client, "hello");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal(receive->overlapped.InternalHigh, 5);
    assert_memory_equal(receive->data, "he\0", 3);
    assert_memory_equal(receive->data + 100, "llo", 3);
}

void pending_receives_are_filled_in_order(void**) // [overlapped/10]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receives[2];
    for (Operation*& receive : receives) {
        receive = new_operation(new_event());
        receive->buffer.len = 4;
        assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);
    }

    send_text(pair.client, "abcdefgh");
    assert_becomes_signaled(receives[0]->overlapped.hEvent);
    assert_becomes_signaled(receives[1]->overlapped.hEvent);
    assert_memory_equal(receives[0]->data, "abcd", 4);
    assert_memory_equal(receives[1]->data, "efgh", 4);
}

void a_receive_of_nothing_waits_for_data_and_leaves_it(void**) // [overlapped/11]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    char data[8];
    receive->buffer.len = 0;
    assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.client, "hello");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal(receive->overlapped.InternalHigh, 0);
    receive_exactly(pair.server, data, 5);
    assert_memory_equal(data, "hello", 5);
}

void the_end_of_the_peer_completes_a_receive_with_nothing(void**) // [overlapped/12]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());

    close_owned(pair.client);
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 0);
}

void a_truncated_datagram_completes_with_a_warning(void**) // [overlapped/13]
{
    const UdpPair pair = new_udp_pair();
    Operation* receive = new_operation(new_event());
    DWORD transferred = 0, flags = 0;
    receive->buffer.len = 2;
    assert_wsa_fails(start_receive(pair.b, receive), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.a, "hello");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_BUFFER_OVERFLOW);
    assert_int_equal(receive->overlapped.InternalHigh, 2);
    assert_wsa_fails(
        WSAGetOverlappedResult(pair.b, &receive->overlapped, &transferred, FALSE, &flags), FALSE,
        WSAEMSGSIZE);
    assert_int_equal(transferred, 2);
}

void a_pending_receive_of_nothing_takes_a_datagram(void**) // [recvfrom/12]
{
    const UdpPair pair = new_udp_pair();
    Operation* receive = new_operation(new_event());
    receive->buffer.len = 0;
    assert_wsa_fails(start_receive(pair.b, receive), SOCKET_ERROR, WSA_IO_PENDING);
    send_text(pair.a, "first");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal((DWORD)receive->overlapped.Internal, (DWORD)STATUS_BUFFER_OVERFLOW);
    assert_int_equal(receive->overlapped.InternalHigh, 0);

    Operation* read = new_operation(new_event());
    DWORD transferred = 0;
    assert_wsa_fails(ReadFile(as_handle(pair.b), read->data, 0, nullptr, &read->overlapped), FALSE,
        ERROR_IO_PENDING);
    send_text(pair.a, "second");
    assert_becomes_signaled(read->overlapped.hEvent);
    assert_wsa_fails(GetOverlappedResult(as_handle(pair.b), &read->overlapped, &transferred, FALSE),
        FALSE, ERROR_MORE_DATA);
    char data[4];
    send_text(pair.a, "next");
    receive_exactly(pair.b, data, 4);
    assert_memory_equal(data, "next", 4);
}

/// Starts a receive of 2 bytes where a datagram of 5 is waiting.
Operation* start_short_receive(
    SOCKET socket, WSAEVENT event, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr)
{
    wait_until_readable(socket);
    Operation* receive = new_operation(event);
    receive->buffer.len = 2;
    assert_wsa_fails(start_receive(socket, receive, routine), SOCKET_ERROR, WSA_IO_PENDING);
    return receive;
}

void a_truncated_datagram_that_is_there_is_told_once(void**) // [overlapped/61]
{
    const UdpPair pair = new_udp_pair();
    DWORD transferred = 0, flags = 0;
    send_text(pair.a, "hello");
    Operation* receive = start_short_receive(pair.b, new_event());
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_wsa_fails(
        WSAGetOverlappedResult(pair.b, &receive->overlapped, &transferred, FALSE, &flags), FALSE,
        WSAEMSGSIZE);
    assert_int_equal(transferred, 2);
}

void a_truncated_datagram_that_is_there_queues_one_packet(void**) // [overlapped/61]
{
    const UdpPair pair = new_udp_pair();
    const HANDLE port = new_port();
    associate(pair.b, port, kPortKey);
    send_text(pair.a, "hello");
    Operation* receive = start_short_receive(pair.b, nullptr);
    const Packet packet = next_packet(port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_MORE_DATA);
    assert_int_equal(packet.transferred, 2);
    assert_no_packet(port);
}

/// A datagram too long for a receive of two bytes is told by a packet or by the call, not by both.
void assert_truncation_is_told_once(SOCKET socket, HANDLE port)
{
    Operation* receive = new_operation();
    receive->buffer.len = 2;
    assert_int_equal(start_receive(socket, receive), SOCKET_ERROR);
    if (WSAGetLastError() == WSA_IO_PENDING)
        assert_ptr_equal(next_packet(port).overlapped, &receive->overlapped);
    else
        assert_int_equal(WSAGetLastError(), WSAEMSGSIZE);
    assert_no_packet(port);
}

void skip_on_success_tells_a_truncated_datagram_once(void**) // [overlapped/61]
{
    const UdpPair pair = new_udp_pair();
    const HANDLE port = new_port();
    associate(pair.b, port, kPortKey);
    set_modes(pair.b, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    send_text(pair.a, "hello");
    wait_until_readable(pair.b);
    assert_truncation_is_told_once(pair.b, port);
}

/// Truncated datagrams are told once, whoever has the socket by then.
void skip_on_success_tells_a_truncated_datagram_of_a_shared_socket_once(void**) // [overlapped/61]
{
    const UdpPair pair = new_udp_pair();
    const HANDLE port = new_port();
    associate(pair.b, port, kPortKey);
    set_modes(pair.b, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    send_text(pair.a, "first");
    send_text(pair.a, "second");
    wait_until_readable(pair.b);
    for (const bool is_shared : { false, true }) {
        if (is_shared)
            duplicate_of(pair.b);
        assert_truncation_is_told_once(pair.b, port);
    }
}

void a_truncated_datagram_that_is_there_is_told_to_the_routine(void**) // [overlapped/61]
{
    const UdpPair pair = new_udp_pair();
    routine_call = {};
    send_text(pair.a, "hello");
    start_short_receive(pair.b, nullptr, record_completion);
    assert_int_equal(routine_call.calls, 0);
    assert_int_equal(SleepEx(kHangLimit, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(routine_call.calls, 1);
    assert_int_equal(routine_call.error, WSAEMSGSIZE);
    assert_int_equal(routine_call.transferred, 2);
}

// --- Blocking mode

void a_receive_pends_on_a_nonblocking_socket(void**) // [overlapped/14]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(new_event());
    set_nonblocking(pair.server);

    assert_wsa_fails(WSARecv(pair.server, &receive->buffer, 1, &receive->transferred,
                         &receive->flags, nullptr, nullptr),
        SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);
    send_text(pair.client, "x");
    assert_becomes_signaled(receive->overlapped.hEvent);
}

void a_socket_that_is_not_overlapped_blocks(void**) // [overlapped/15]
{
    const Listener listener = new_listener();
    const SOCKET client = owned(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0));
    assert_wsa_ok(connect(
        client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length));
    const SOCKET server = accept_from(listener);
    Operation* receive = new_operation();
    set_nonblocking(client);

    Background* blocked = run_in_background([=] { return start_receive(client, receive); });
    let_it_settle();
    assert_false(has_ended(blocked));
    send_text(server, "hello");
    assert_int_equal(join(blocked).value, 0);
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 5);
}

// --- Completion routines

/// Waits alertably until the routine ran.
void run_completion_routine(Where where = Where::current())
{
    const ULONGLONG start = GetTickCount64();
    while (!routine_call.calls) {
        if (GetTickCount64() - start > kHangLimit)
            fail_at(where, "the completion routine was not called");
        SleepEx(100, TRUE);
    }
}

void a_completion_routine_runs_in_an_alertable_wait(void**) // [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation();
    assert_wsa_fails(
        start_receive(pair.server, receive, record_completion), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.client, "hello");
    let_it_settle();
    assert_int_equal(routine_call.calls, 0); // Not before this thread waits alertably.
    run_completion_routine();
    assert_int_equal(routine_call.calls, 1);
    assert_int_equal(routine_call.error, 0);
    assert_int_equal(routine_call.transferred, 5);
    assert_ptr_equal(routine_call.overlapped, &receive->overlapped);
    assert_int_equal(routine_call.thread_id, GetCurrentThreadId());
}

void an_immediate_result_calls_the_routine_too(void**) // [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation();
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);

    assert_wsa_ok(start_receive(pair.server, receive, record_completion));
    assert_int_equal(routine_call.calls, 0);
    run_completion_routine();
    assert_int_equal(routine_call.transferred, 5);
}

void a_winsock_wait_runs_the_routine(void**) // [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* receive = new_operation();
    assert_wsa_fails(
        start_receive(pair.server, receive, record_completion), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.client, "x");
    assert_int_equal(
        WSAWaitForMultipleEvents(1, &event, FALSE, kHangLimit, TRUE), WSA_WAIT_IO_COMPLETION);
    assert_int_equal(routine_call.calls, 1);
}

void the_event_is_left_alone_when_a_routine_is_given(void**) // [overlapped/17]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* receive = new_operation(event);
    assert_wsa_fails(
        start_receive(pair.server, receive, record_completion), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.client, "x");
    run_completion_routine();
    assert_false(is_signaled(event));
}

void hevent_may_be_anything_when_a_routine_is_given(void**) // [overlapped/17]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation(reinterpret_cast<WSAEVENT>(&routine_call));
    assert_wsa_fails(
        start_receive(pair.server, receive, record_completion), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(pair.client, "x");
    run_completion_routine();
    assert_ptr_equal(receive->overlapped.hEvent, &routine_call);
}

void a_routine_is_told_that_its_operation_was_aborted(void**) // [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation();
    assert_wsa_fails(
        start_receive(pair.server, receive, record_completion), SOCKET_ERROR, WSA_IO_PENDING);

    assert_true(CancelIoEx(reinterpret_cast<HANDLE>(pair.server), nullptr));
    run_completion_routine();
    assert_int_equal(routine_call.error, WSA_OPERATION_ABORTED);
    assert_int_equal(routine_call.transferred, 0);
}

void CALLBACK release_peer(DWORD, DWORD, LPWSAOVERLAPPED overlapped, DWORD)
{
    ++routine_call.calls;
    SetEvent(overlapped->hEvent);
}

void a_blocked_receive_runs_routines_and_goes_on(void**) // [overlapped/18]
{
    const TcpPair first = new_tcp_pair();
    const TcpPair second = new_tcp_pair();
    const HANDLE release = new_auto_event();
    Operation* receive = new_operation(release);
    char byte = 0;
    assert_wsa_fails(
        start_receive(first.server, receive, release_peer), SOCKET_ERROR, WSA_IO_PENDING);
    Background* peer = run_in_background([=]() -> long long {
        send(first.client, "x", 1, 0);
        // The blocked receive must outlive the routine, so its data comes after it.
        const DWORD waited = WSAWaitForMultipleEvents(1, &release, FALSE, kHangLimit, FALSE);
        send(second.client, "y", 1, 0);
        return waited;
    });

    assert_int_equal(recv(second.server, &byte, 1, 0), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(routine_call.calls, 1);
    assert_int_equal(join(peer).value, WAIT_OBJECT_0);
}

// --- WSAGetOverlappedResult

void a_running_operation_is_incomplete(void**) // [WSAGetOverlappedResult/2]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    DWORD transferred = kPoison, flags = 0;

    assert_wsa_fails(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, FALSE, &flags),
        FALSE, WSA_IO_INCOMPLETE);
}

/// The thread has waited for the event, so ntke tells it of the socket where it waits; now it asks,
/// and never waits.
void a_result_that_is_asked_for_again_and_again_is_told_at_once(
    void**) // [WSAGetOverlappedResult/9]
{
    constexpr int kRounds = 10;
    constexpr ULONGLONG kLimit = kRounds * 50; // milliseconds
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    ULONGLONG taken = 0;
    for (int round = 0; round < kRounds; ++round) {
        Operation* receive = pending_receive(pair.server, event);
        assert_int_equal(WaitForSingleObject(event, 1), WAIT_TIMEOUT);
        send_text(pair.client, "x");
        assert_becomes_signaled(event);
        receive = pending_receive(pair.server, event);
        send_text(pair.client, "x");
        const ULONGLONG begin = GetTickCount64();
        DWORD transferred = 0, flags = 0;
        while (
            !WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, FALSE, &flags)
            && GetTickCount64() - begin < kEventLimit) { }
        taken += GetTickCount64() - begin;
        assert_int_equal(transferred, 1);
    }
    assert_true(taken < kLimit);
}

/// Where another thread is at work on the same processor, who gives way loses a turn.
void asking_for_a_result_does_not_give_way(void**) // [WSAGetOverlappedResult/9]
{
    constexpr int kQuestions = 500;
    constexpr ULONGLONG kLimit = 250; // milliseconds
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    auto* is_over = lasting<std::atomic<bool>>();
    DWORD_PTR before, of_system;
    assert_true(GetProcessAffinityMask(GetCurrentProcess(), &before, &of_system));
    const DWORD_PTR one_processor = before & (~before + 1);
    assert_true(SetProcessAffinityMask(GetCurrentProcess(), one_processor));
    Background* at_work = run_in_background([=]() -> long long {
        while (!*is_over) { }
        return 0;
    });
    Sleep(1); // it has begun
    const ULONGLONG begin = GetTickCount64();
    int incomplete = 0;
    for (int i = 0; i < kQuestions; ++i) {
        DWORD transferred, flags;
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, FALSE, &flags);
        incomplete += WSAGetLastError() == WSA_IO_INCOMPLETE;
    }
    const ULONGLONG taken = GetTickCount64() - begin;
    *is_over = true;
    join(at_work);
    SetProcessAffinityMask(GetCurrentProcess(), before);
    assert_int_equal(incomplete, kQuestions);
    assert_true(taken < kLimit);
}

void the_result_of_a_completed_operation_is_told(void**) // [WSAGetOverlappedResult/3]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    DWORD transferred = 0, flags = kPoison;
    send_text(pair.client, "hello");
    assert_becomes_signaled(receive->overlapped.hEvent);

    assert_true(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, FALSE, &flags));
    assert_int_equal(transferred, 5);
    assert_int_equal(flags, 0);
}

void the_result_may_be_waited_for(void**) // [WSAGetOverlappedResult/4]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    DWORD transferred = 0, flags = 0;
    Background* peer = run_in_background([=] { return send(pair.client, "hello", 5, 0); });

    assert_true(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, TRUE, &flags));
    assert_int_equal(transferred, 5);
    assert_int_equal(join(peer).value, 5);
}

void without_event_the_wait_is_on_the_socket(void**) // [WSAGetOverlappedResult/4]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server);
    DWORD transferred = 0, flags = 0;
    Background* peer = run_in_background([=] { return send(pair.client, "hello", 5, 0); });

    assert_true(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, TRUE, &flags));
    assert_int_equal(transferred, 5);
    assert_int_equal(join(peer).value, 5);
}

void CALLBACK count_call(ULONG_PTR counter)
{
    ++*reinterpret_cast<int*>(counter);
}

void waiting_for_a_result_runs_no_apc(void**) // [WSAGetOverlappedResult/5]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server, new_event());
    DWORD transferred = 0, flags = 0;
    int calls = 0;
    assert_true(QueueUserAPC(count_call, GetCurrentThread(), reinterpret_cast<ULONG_PTR>(&calls)));
    Background* peer = run_in_background([=] { return send(pair.client, "x", 1, 0); });

    const BOOL result
        = WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, TRUE, &flags);
    const int calls_of_wait = calls;
    SleepEx(0, TRUE);
    assert_true(result);
    assert_int_equal(calls_of_wait, 0);
    assert_int_equal(calls, 1);
    join(peer);
}

void the_result_refuses_what_is_no_socket(void**) // [WSAGetOverlappedResult/1]
{
    Operation* operation = new_operation();
    DWORD transferred, flags;

    for (SOCKET bad : { INVALID_SOCKET, SOCKET(0), SOCKET(0x7ffff0), SOCKET(new_event()) })
        assert_wsa_fails(
            WSAGetOverlappedResult(bad, &operation->overlapped, &transferred, FALSE, &flags), FALSE,
            WSAENOTSOCK);
}

void the_result_refuses_a_duplicated_handle(void**) // [WSAGetOverlappedResult/1]
{
    const HANDLE process = GetCurrentProcess();
    const SOCKET socket = udp_socket();
    Operation* operation = new_operation();
    DWORD transferred, flags;
    HANDLE copy = nullptr;
    assert_true(DuplicateHandle(process, reinterpret_cast<HANDLE>(socket), process, &copy, 0, FALSE,
        DUPLICATE_SAME_ACCESS));
    owned(copy);

    assert_wsa_fails(WSAGetOverlappedResult(reinterpret_cast<SOCKET>(copy), &operation->overlapped,
                         &transferred, FALSE, &flags),
        FALSE, WSAENOTSOCK);
}

void the_result_is_read_from_the_structure(void**) // [WSAGetOverlappedResult/6]
{
    struct {
        NTSTATUS status;
        BOOL result;
        int error;
    } const rows[] = {
        { STATUS_SUCCESS, TRUE, 0 },
        { STATUS_BUFFER_OVERFLOW, FALSE, WSAEMSGSIZE },
        { STATUS_CANCELLED, FALSE, WSA_OPERATION_ABORTED },
        { STATUS_CONNECTION_RESET, FALSE, WSAECONNRESET },
        { STATUS_CONNECTION_REFUSED, FALSE, WSAECONNREFUSED },
        { STATUS_CONNECTION_ABORTED, FALSE, WSAECONNABORTED },
        { STATUS_IO_TIMEOUT, FALSE, WSAETIMEDOUT },
        { STATUS_HOST_UNREACHABLE, FALSE, WSAEHOSTUNREACH },
        { STATUS_NETWORK_UNREACHABLE, FALSE, WSAENETUNREACH },
        { STATUS_ACCESS_VIOLATION, FALSE, WSAEFAULT },
        { STATUS_INVALID_HANDLE, FALSE, WSAENOTSOCK },
    };
    const SOCKET socket = udp_socket();
    for (const auto& row : rows) {
        WSAOVERLAPPED overlapped = {};
        DWORD transferred = 0, flags = kPoison;
        overlapped.Internal = static_cast<ULONG>(row.status);
        overlapped.InternalHigh = 7;
        WSASetLastError(kPoison);
        assert_int_equal(
            WSAGetOverlappedResult(socket, &overlapped, &transferred, FALSE, &flags), row.result);
        if (!row.result)
            assert_int_equal(WSAGetLastError(), row.error);
        assert_int_equal(transferred, 7);
        assert_int_equal(flags, row.result ? 0 : kPoison);
    }
}

void a_status_without_an_error_of_its_own_is_invalid(void**) // [WSAGetOverlappedResult/8]
{
    const SOCKET socket = udp_socket();
    // STATUS_HANDLES_CLOSED, STATUS_INVALID_USER_BUFFER, STATUS_TOO_MANY_OPENED_FILES, and others.
    for (const ULONG status : { 0x8000000Aul, 0xC00000E8ul, 0xC000011Ful, 0xC0000001ul,
             0x80070001ul, 0xC0070001ul, 0xD0000001ul }) {
        WSAOVERLAPPED overlapped = {};
        DWORD transferred = 0, flags = 0;
        overlapped.Internal = status;
        assert_wsa_fails(WSAGetOverlappedResult(socket, &overlapped, &transferred, FALSE, &flags),
            FALSE, WSAEINVAL);
    }
}

void a_hand_set_event_ends_the_wait_for_a_result(void**) // [WSAGetOverlappedResult/7]
{
    const SOCKET socket = udp_socket();
    const WSAEVENT event = new_event();
    WSAOVERLAPPED overlapped = {};
    DWORD transferred = 0, flags = 0;
    overlapped.Internal = STATUS_PENDING;
    overlapped.InternalHigh = 3;
    overlapped.hEvent = event;
    assert_true(WSASetEvent(event));

    assert_true(WSAGetOverlappedResult(socket, &overlapped, &transferred, TRUE, &flags));
    assert_int_equal(transferred, 3);
}

void the_low_bit_of_the_event_is_ignored_by_the_wait(void**) // [WSAGetOverlappedResult/7]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    Operation* receive
        = new_operation(reinterpret_cast<WSAEVENT>(reinterpret_cast<uintptr_t>(event) | 1));
    DWORD transferred = 0, flags = 0;
    assert_wsa_fails(start_receive(pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);
    Background* peer = run_in_background([=] { return send(pair.client, "x", 1, 0); });

    assert_true(
        WSAGetOverlappedResult(pair.server, &receive->overlapped, &transferred, TRUE, &flags));
    assert_int_equal(transferred, 1);
    join(peer);
}

#define routine_case(function) cmocka_unit_test_setup(function, forget_routine_calls)

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_pending_receive_sets_its_event),
    cmocka_unit_test(an_immediate_receive_sets_its_event),
    cmocka_unit_test(a_send_sets_its_event),
    cmocka_unit_test(starting_an_operation_resets_its_event),
    cmocka_unit_test(an_auto_reset_event_serves_an_operation),
    cmocka_unit_test(without_event_the_socket_is_signaled),
    cmocka_unit_test(a_failed_start_tells_nothing),
    cmocka_unit_test(offsets_are_left_alone),
    cmocka_unit_test(the_transfer_count_is_not_touched_before_completion),
    cmocka_unit_test(an_immediate_result_fills_the_transfer_count),
    cmocka_unit_test(a_synchronous_receive_needs_the_transfer_count),
    cmocka_unit_test(the_buffer_array_is_captured_by_the_call),
    cmocka_unit_test(pending_receives_are_filled_in_order),
    cmocka_unit_test(a_receive_of_nothing_waits_for_data_and_leaves_it),
    cmocka_unit_test(the_end_of_the_peer_completes_a_receive_with_nothing),
    cmocka_unit_test(a_pending_receive_of_nothing_takes_a_datagram),
    cmocka_unit_test(a_truncated_datagram_completes_with_a_warning),
    cmocka_unit_test(a_receive_pends_on_a_nonblocking_socket),
    cmocka_unit_test(a_socket_that_is_not_overlapped_blocks),
    routine_case(a_completion_routine_runs_in_an_alertable_wait),
    routine_case(an_immediate_result_calls_the_routine_too),
    routine_case(a_winsock_wait_runs_the_routine),
    routine_case(the_event_is_left_alone_when_a_routine_is_given),
    routine_case(hevent_may_be_anything_when_a_routine_is_given),
    routine_case(a_routine_is_told_that_its_operation_was_aborted),
    routine_case(a_blocked_receive_runs_routines_and_goes_on),
    cmocka_unit_test(a_running_operation_is_incomplete),
    cmocka_unit_test(a_result_that_is_asked_for_again_and_again_is_told_at_once),
    cmocka_unit_test(asking_for_a_result_does_not_give_way),
    cmocka_unit_test(the_result_of_a_completed_operation_is_told),
    cmocka_unit_test(the_result_may_be_waited_for),
    cmocka_unit_test(without_event_the_wait_is_on_the_socket),
    cmocka_unit_test(waiting_for_a_result_runs_no_apc),
    cmocka_unit_test(the_result_refuses_what_is_no_socket),
    cmocka_unit_test(the_result_refuses_a_duplicated_handle),
    cmocka_unit_test(the_result_is_read_from_the_structure),
    cmocka_unit_test(a_status_without_an_error_of_its_own_is_invalid),
    cmocka_unit_test(a_hand_set_event_ends_the_wait_for_a_result),
    cmocka_unit_test(the_low_bit_of_the_event_is_ignored_by_the_wait),
    cmocka_unit_test(a_truncated_datagram_that_is_there_is_told_once),
    cmocka_unit_test(a_truncated_datagram_that_is_there_queues_one_packet),
    cmocka_unit_test(a_truncated_datagram_that_is_there_is_told_to_the_routine),
    cmocka_unit_test(skip_on_success_tells_a_truncated_datagram_once),
    cmocka_unit_test(skip_on_success_tells_a_truncated_datagram_of_a_shared_socket_once),
};

} // namespace

CONFORMANCE_GROUP(overlapped, kCases);
