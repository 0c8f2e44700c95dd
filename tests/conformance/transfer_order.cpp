// The order of pending operations, sends that do not fit, and the ways to wait for a result.

#include "extensions.h"
#include "peers.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

/// Byte number `place` of the stream these cases send.
char stream_byte(size_t place)
{
    return static_cast<char>(place * 31 + (place >> 8));
}

/// A send of `length` bytes of the stream from `start` on.
Operation* new_stream_send(size_t start, ULONG length, WSAEVENT event)
{
    Operation* operation = new_operation(event);
    operation->buffer = { length, static_cast<char*>(lasting_memory(length)) };
    for (ULONG i = 0; i < length; ++i)
        operation->buffer.buf[i] = stream_byte(start + i);
    return operation;
}

/// Reads the stream from `start` to its end, in small pieces. Returns the place of its end, or -1
/// for a wrong byte. For a background thread.
long long read_stream(SOCKET socket, size_t start)
{
    char data[5000];
    size_t place = start;
    for (int length; (length = recv(socket, data, sizeof(data), 0)) > 0;)
        for (int i = 0; i < length; ++i, ++place)
            if (data[i] != stream_byte(place))
                return -1;
    return static_cast<long long>(place);
}

// --- Receives

void one_send_fills_pending_receives_in_order(void**) // [overlapped/10]
{
    constexpr int kReceives = 6;
    constexpr ULONG kLength = 50;
    const PortPair p = new_port_pair();
    Operation* receives[kReceives];
    Operation* send = new_stream_send(0, kReceives * kLength, new_event());
    for (Operation*& receive : receives) {
        receive = new_operation();
        receive->buffer.len = kLength;
        assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);
    }

    if (WSASend(p.pair.client, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr) != 0)
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    size_t place = 0;
    for (Operation* receive : receives) {
        const Packet packet = next_packet(p.port);
        assert_ptr_equal(packet.overlapped, &receive->overlapped);
        assert_int_equal(packet.transferred, kLength);
        for (ULONG i = 0; i < kLength; ++i, ++place)
            assert_int_equal(receive->data[i], stream_byte(place));
    }
    assert_int_equal(await_status(send), STATUS_SUCCESS);
    assert_no_packet(p.port);
}

void each_of_several_sends_goes_to_the_oldest_receive(void**) // [overlapped/10]
{
    const PortPair p = new_port_pair();
    Operation* receives[3];
    for (Operation*& receive : receives)
        receive = pending_receive(p.pair.server);

    const char* const texts[] = { "a", "bc", "def" };
    for (int i = 0; i < 3; ++i) {
        send_text(p.pair.client, texts[i]);
        const Packet packet = next_packet(p.port);
        assert_ptr_equal(packet.overlapped, &receives[i]->overlapped);
        assert_int_equal(packet.transferred, i + 1);
        assert_memory_equal(receives[i]->data, texts[i], i + 1);
    }
}

void datagrams_fill_pending_receives_in_order(void**) // [overlapped/10]
{
    const UdpPair pair = new_udp_pair();
    const HANDLE port = new_port();
    associate(pair.b, port, 1);
    Operation* receives[4];
    for (Operation*& receive : receives)
        receive = pending_receive(pair.b);

    for (const char* text : { "one", "two", "three", "four" })
        send_text(pair.a, text);
    const char* const texts[] = { "one", "two", "three", "four" };
    for (int i = 0; i < 4; ++i) {
        const Packet packet = next_packet(port);
        assert_ptr_equal(packet.overlapped, &receives[i]->overlapped);
        assert_int_equal(packet.transferred, strlen(texts[i]));
        assert_memory_equal(receives[i]->data, texts[i], strlen(texts[i]));
    }
}

void the_end_completes_all_pending_receives(void**) // [overlapped/12]
{
    const PortPair p = new_port_pair();
    Operation* receives[3];
    for (Operation*& receive : receives)
        receive = pending_receive(p.pair.server);

    send_text(p.pair.client, "x");
    assert_wsa_ok(shutdown(p.pair.client, SD_SEND));
    for (int i = 0; i < 3; ++i) {
        const Packet packet = next_packet(p.port);
        assert_true(packet.result);
        assert_ptr_equal(packet.overlapped, &receives[i]->overlapped);
        assert_int_equal(packet.transferred, i ? 0 : 1);
    }
}

void waiting_receives_of_nothing_all_see_the_data(void**) // [overlapped/11]
{
    const PortPair p = new_port_pair();
    Operation* empty = new_operation();
    char data[3];
    empty->buffer.len = 0;
    assert_wsa_fails(start_receive(p.pair.server, empty), SOCKET_ERROR, WSA_IO_PENDING);

    send_text(p.pair.client, "abc");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &empty->overlapped);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 0);
    receive_exactly(p.pair.server, data, 3);
    assert_memory_equal(data, "abc", 3);
}

/// One that was started later does not overtake one that pends.
void a_later_receive_waits_for_its_turn(void**) // [overlapped/10]
{
    const PortPair p = new_port_pair();
    Operation* first = pending_receive(p.pair.server);
    Operation* second = new_operation();

    send_text(p.pair.client, "abc");
    if (start_receive(p.pair.server, second) != 0)
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &first->overlapped);
    const DWORD taken = packet.transferred;
    assert_in_range(taken, 1, 3);
    if (taken == 3)
        send_text(p.pair.client, "d");
    packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &second->overlapped);
    assert_int_equal(second->data[0], "abcd"[taken]);
}

// --- Sends

void a_send_that_does_not_fit_pends_and_is_taken_whole(void**) // [overlapped/35]
{
    constexpr ULONG kLength = 12 << 20; // more than Linux lets a socket buffer grow to
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    associate(pair.client, port, 2);
    Operation* send = new_stream_send(0, kLength, nullptr);
    assert_wsa_fails(WSASend(pair.client, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    assert_no_packet(port);
    Background* peer = run_in_background([=] { return read_stream(pair.server, 0); });
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_ptr_equal(packet.overlapped, &send->overlapped);
    assert_int_equal(packet.transferred, kLength);
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_int_equal(join(peer).value, kLength);
    assert_no_packet(port);
}

void pending_sends_go_in_order(void**) // [overlapped/35]
{
    constexpr ULONG kLength = 4 << 20;
    constexpr int kSends = 4;
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Operation* sends[kSends];
    associate(pair.client, port, 2);
    for (int i = 0; i < kSends; ++i) {
        sends[i] = new_stream_send(i * size_t(kLength), kLength, nullptr);
        if (WSASend(pair.client, &sends[i]->buffer, 1, nullptr, 0, &sends[i]->overlapped, nullptr)
            != 0)
            assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    }

    Background* peer = run_in_background([=] { return read_stream(pair.server, 0); });
    for (Operation* send : sends) {
        const Packet packet = next_packet(port);
        assert_true(packet.result);
        assert_ptr_equal(packet.overlapped, &send->overlapped);
        assert_int_equal(packet.transferred, kLength);
    }
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_int_equal(join(peer).value, kSends * kLength);
}

void a_send_of_several_buffers_pends_as_one(void**) // [overlapped/35] [overlapped/9]
{
    constexpr ULONG kLength = 5 << 20;
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());
    Operation* parts[3];
    WSABUF buffers[3];
    for (int i = 0; i < 3; ++i) {
        parts[i] = new_stream_send(i * size_t(kLength), kLength, nullptr);
        buffers[i] = parts[i]->buffer;
    }
    assert_wsa_fails(WSASend(pair.client, buffers, 3, nullptr, 0, &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    memset(buffers, 0, sizeof(buffers));

    Background* peer = run_in_background([=] { return read_stream(pair.server, 0); });
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 3 * kLength);
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_int_equal(join(peer).value, 3 * kLength);
}

void a_pending_send_fails_when_the_peer_resets(void**) // [overlapped/35] [overlapped/25]
{
    constexpr ULONG kLength = 12 << 20;
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    associate(pair.client, port, 2);
    Operation* send = new_stream_send(0, kLength, nullptr);
    assert_wsa_fails(WSASend(pair.client, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    reset_connection(pair.server);
    const Packet packet = next_packet(port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_NETNAME_DELETED);
    assert_ptr_equal(packet.overlapped, &send->overlapped);
    assert_no_packet(port);
}

void both_directions_pend_at_once(void**) // [overlapped/35]
{
    constexpr ULONG kLength = 12 << 20;
    const PortPair p = new_port_pair();
    Operation* send = new_stream_send(0, kLength, nullptr);
    Operation* receive = pending_receive(p.pair.server);
    assert_wsa_fails(
        WSASend(p.pair.server, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    Background* peer = run_in_background([=] { return read_stream(p.pair.client, 0); });
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &send->overlapped);
    assert_int_equal(packet.transferred, kLength);
    assert_wsa_ok(shutdown(p.pair.server, SD_SEND));
    assert_int_equal(join(peer).value, kLength);
}

void an_empty_send_is_queued(void**) // [overlapped/20]
{
    const PortPair p = new_port_pair();
    Operation* send = new_operation();
    send->buffer.len = 0;

    assert_wsa_ok(WSASend(p.pair.server, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr));
    const Packet packet = next_packet(p.port);
    assert_true(packet.result);
    assert_int_equal(packet.transferred, 0);
    assert_ptr_equal(packet.overlapped, &send->overlapped);
}

// --- Completion routines

struct RoutineCalls {
    LONG count;
    struct {
        DWORD error;
        DWORD transferred;
        WSAOVERLAPPED* overlapped;
    } calls[8];
};
RoutineCalls routine_calls;

void CALLBACK record_call(DWORD error, DWORD transferred, LPWSAOVERLAPPED overlapped, DWORD)
{
    if (routine_calls.count < 8)
        routine_calls.calls[routine_calls.count] = { error, transferred, overlapped };
    ++routine_calls.count;
}

int forget_routine_calls(void**)
{
    routine_calls = {};
    return 0;
}

void routines_are_called_in_order(void**) // [overlapped/10] [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receives[3];
    for (Operation*& receive : receives) {
        receive = new_operation();
        receive->buffer.len = 2;
        assert_wsa_fails(
            start_receive(pair.server, receive, record_call), SOCKET_ERROR, WSA_IO_PENDING);
    }

    send_text(pair.client, "abcdef");
    assert_eventually([&] {
        SleepEx(10, TRUE);
        return routine_calls.count == 3;
    });
    for (int i = 0; i < 3; ++i) {
        assert_int_equal(routine_calls.calls[i].error, 0);
        assert_int_equal(routine_calls.calls[i].transferred, 2);
        assert_ptr_equal(routine_calls.calls[i].overlapped, &receives[i]->overlapped);
        assert_memory_equal(receives[i]->data, "abcdef" + 2 * i, 2);
    }
}

/// The usual way to use them: each starts the next.
SOCKET chain_socket;

void CALLBACK receive_again(DWORD error, DWORD transferred, LPWSAOVERLAPPED overlapped, DWORD flags)
{
    record_call(error, transferred, overlapped, flags);
    if (!error && transferred)
        start_receive(chain_socket, new_operation(), receive_again);
}

void a_routine_may_start_the_next_receive(void**) // [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    chain_socket = pair.server;
    assert_wsa_fails(
        start_receive(pair.server, new_operation(), receive_again), SOCKET_ERROR, WSA_IO_PENDING);

    for (LONG i = 1; i <= 4; ++i) {
        send_text(pair.client, "ab");
        assert_eventually([&] {
            SleepEx(10, TRUE);
            return routine_calls.count == i;
        });
        assert_int_equal(routine_calls.calls[i - 1].transferred, 2);
    }
    close_owned(pair.client);
    assert_eventually([&] {
        SleepEx(10, TRUE);
        return routine_calls.count == 5;
    });
    assert_int_equal(routine_calls.calls[4].error, 0);
    assert_int_equal(routine_calls.calls[4].transferred, 0);
}

void a_routine_runs_on_its_own_thread_only(void**) // [overlapped/16]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation();
    assert_wsa_fails(
        start_receive(pair.server, receive, record_call), SOCKET_ERROR, WSA_IO_PENDING);
    Background* other = run_in_background([] { return SleepEx(200, TRUE); });

    send_text(pair.client, "x");
    assert_int_equal(join(other).value, 0);
    assert_int_equal(routine_calls.count, 0);
    assert_eventually([&] {
        SleepEx(10, TRUE);
        return routine_calls.count == 1;
    });
}

// --- Waiting for the socket itself

void a_wait_for_the_socket_ends_with_its_operation(void**) // [overlapped/1]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server);
    assert_int_equal(WaitForSingleObject(as_handle(pair.server), 0), WAIT_TIMEOUT);
    Background* peer = run_in_background([=] { return send(pair.client, "x", 1, 0); });

    assert_int_equal(WaitForSingleObject(as_handle(pair.server), kHangLimit), WAIT_OBJECT_0);
    assert_int_equal(receive->overlapped.Internal, STATUS_SUCCESS);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
    assert_int_equal(join(peer).value, 1);
}

void a_wait_for_many_mixes_sockets_and_events(void**) // [overlapped/1]
{
    const TcpPair first = new_tcp_pair();
    const TcpPair second = new_tcp_pair();
    pending_receive(first.server);
    Operation* receive = pending_receive(second.server);
    const HANDLE handles[]
        = { new_auto_event(), as_handle(first.server), as_handle(second.server) };
    Background* peer = run_in_background([=] { return send(second.client, "x", 1, 0); });

    assert_int_equal(WaitForMultipleObjects(3, handles, FALSE, kHangLimit), WAIT_OBJECT_0 + 2);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
    assert_int_equal(join(peer).value, 1);
}

void an_event_keeps_the_socket_nonsignaled(void**) // [NtFile/5]
{
    const TcpPair pair = new_tcp_pair();
    Operation* waited = pending_receive(pair.server);
    Operation* receive = pending_receive(pair.server, new_event());
    assert_true(CancelIoEx(as_handle(pair.server), &receive->overlapped));
    assert_int_equal((DWORD)await_status(receive), (DWORD)STATUS_CANCELLED);

    assert_int_equal(WaitForSingleObject(as_handle(pair.server), 0), WAIT_TIMEOUT);
    send_text(pair.client, "x");
    assert_int_equal(WaitForSingleObject(as_handle(pair.server), kHangLimit), WAIT_OBJECT_0);
    assert_int_equal(waited->overlapped.InternalHigh, 1);
}

void the_file_functions_wait_for_the_socket(void**) // [overlapped/54]
{
    const TcpPair pair = new_tcp_pair();
    Operation* receive = pending_receive(pair.server);
    DWORD transferred = 0;
    assert_wsa_fails(
        GetOverlappedResult(as_handle(pair.server), &receive->overlapped, &transferred, FALSE),
        FALSE, ERROR_IO_INCOMPLETE);
    Background* peer = run_in_background([=] { return send(pair.client, "abc", 3, 0); });

    assert_true(
        GetOverlappedResult(as_handle(pair.server), &receive->overlapped, &transferred, TRUE));
    assert_int_equal(transferred, 3);
    assert_int_equal(join(peer).value, 3);
}

void the_file_functions_tell_file_errors(void**) // [overlapped/54]
{
    struct {
        NTSTATUS status;
        DWORD error;
    } const rows[] = {
        { STATUS_CONNECTION_RESET, ERROR_NETNAME_DELETED },
        { STATUS_CONNECTION_REFUSED, ERROR_CONNECTION_REFUSED },
        { STATUS_CONNECTION_ABORTED, ERROR_CONNECTION_ABORTED },
        { STATUS_CANCELLED, ERROR_OPERATION_ABORTED },
        { STATUS_BUFFER_OVERFLOW, ERROR_MORE_DATA },
        { STATUS_BUFFER_TOO_SMALL, ERROR_INSUFFICIENT_BUFFER },
        { STATUS_NOT_SUPPORTED, ERROR_NOT_SUPPORTED },
        { STATUS_IO_TIMEOUT, ERROR_SEM_TIMEOUT },
        { STATUS_HOST_UNREACHABLE, ERROR_HOST_UNREACHABLE },
        { STATUS_NETWORK_UNREACHABLE, ERROR_NETWORK_UNREACHABLE },
        { STATUS_PORT_UNREACHABLE, ERROR_PORT_UNREACHABLE },
    };
    const SOCKET socket = udp_socket();
    for (const auto& row : rows) {
        OVERLAPPED overlapped = {};
        DWORD transferred = 0;
        overlapped.Internal = static_cast<ULONG>(row.status);
        overlapped.InternalHigh = 7;
        assert_wsa_fails(GetOverlappedResult(as_handle(socket), &overlapped, &transferred, FALSE),
            FALSE, row.error);
        assert_int_equal(transferred, 7);
    }
}

#define routine_case(function) cmocka_unit_test_setup(function, forget_routine_calls)

void a_nonblocking_send_takes_all_or_nothing(void**) // [send/13]
{
    constexpr int kMuch = 50 << 20;
    const TcpPair pair = new_tcp_pair();
    char* const data = static_cast<char*>(lasting_memory(kMuch));
    memset(data, 'm', kMuch);
    set_nonblocking(pair.client);
    assert_int_equal(send(pair.client, data, kMuch, 0), kMuch);
    assert_wsa_fails(send(pair.client, data, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    close_owned(pair.client);

    int received = 0;
    int result;
    while ((result = recv(pair.server, data, kMuch, 0)) > 0)
        received += result;
    assert_int_equal(result, 0);
    assert_int_equal(received, kMuch);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(one_send_fills_pending_receives_in_order),
    cmocka_unit_test(each_of_several_sends_goes_to_the_oldest_receive),
    cmocka_unit_test(datagrams_fill_pending_receives_in_order),
    cmocka_unit_test(the_end_completes_all_pending_receives),
    cmocka_unit_test(waiting_receives_of_nothing_all_see_the_data),
    cmocka_unit_test(a_later_receive_waits_for_its_turn),
    cmocka_unit_test(a_send_that_does_not_fit_pends_and_is_taken_whole),
    cmocka_unit_test(pending_sends_go_in_order),
    cmocka_unit_test(a_send_of_several_buffers_pends_as_one),
    cmocka_unit_test(a_pending_send_fails_when_the_peer_resets),
    cmocka_unit_test(both_directions_pend_at_once),
    cmocka_unit_test(an_empty_send_is_queued),
    routine_case(routines_are_called_in_order),
    routine_case(a_routine_may_start_the_next_receive),
    routine_case(a_routine_runs_on_its_own_thread_only),
    cmocka_unit_test(a_wait_for_the_socket_ends_with_its_operation),
    cmocka_unit_test(a_wait_for_many_mixes_sockets_and_events),
    cmocka_unit_test(an_event_keeps_the_socket_nonsignaled),
    cmocka_unit_test(the_file_functions_wait_for_the_socket),
    cmocka_unit_test(the_file_functions_tell_file_errors),
    cmocka_unit_test(a_nonblocking_send_takes_all_or_nothing),
};

} // namespace

CONFORMANCE_GROUP(transfer_order, kCases);
