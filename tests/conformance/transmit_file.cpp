// TransmitFile.

#include "extensions.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

void transmit_refuses_what_is_no_socket(void**) // [TransmitFile/1]
{
    const auto transmit = transmit_file_of(tcp_socket());

    assert_wsa_fails(
        transmit(INVALID_SOCKET, nullptr, 0, 0, nullptr, nullptr, 0), FALSE, WSAENOTSOCK);
}

void transmit_refuses_an_unconnected_socket(void**) // [TransmitFile/2]
{
    const SOCKET tcp = tcp_socket();
    const SOCKET udp = udp_socket();
    const HANDLE file = new_file("0123456789", false);
    const auto transmit = transmit_file_of(tcp);

    assert_wsa_fails(transmit(tcp, file, 0, 0, nullptr, nullptr, 0), FALSE, WSAENOTCONN);
    assert_wsa_fails(transmit(udp, file, 0, 0, nullptr, nullptr, 0), FALSE, WSAENOTCONN);
}

void nothing_to_send_succeeds(void**) // [TransmitFile/3]
{
    const TcpPair pair = new_tcp_pair();

    assert_true(transmit_file_of(pair.client)(pair.client, nullptr, 0, 0, nullptr, nullptr, 0));
    let_it_settle();
    u_long available = 0;
    assert_wsa_ok(ioctlsocket(pair.server, FIONREAD, &available));
    assert_int_equal(available, 0);
}

void head_and_tail_are_sent_without_file(void**) // [TransmitFile/4]
{
    const TcpPair pair = new_tcp_pair();
    char head[] = "head", tail[] = "tail";
    TRANSMIT_FILE_BUFFERS buffers = { head, 4, tail, 4 };

    assert_true(transmit_file_of(pair.client)(pair.client, nullptr, 0, 0, nullptr, &buffers, 0));
    assert_received(pair.server, "headtail");
}

void the_whole_file_is_sent_between_head_and_tail(void**) // [TransmitFile/5]
{
    const TcpPair pair = new_tcp_pair();
    char head[] = "head", tail[] = "tail";
    TRANSMIT_FILE_BUFFERS buffers = { head, 4, tail, 4 };

    assert_true(transmit_file_of(pair.client)(
        pair.client, new_file("0123456789", false), 0, 0, nullptr, &buffers, 0));
    assert_received(pair.server, "head0123456789tail");
}

void without_overlapped_it_starts_at_the_file_pointer(void**) // [TransmitFile/6]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("0123456789", false);
    SetFilePointer(file, 6, nullptr, FILE_BEGIN);

    assert_true(transmit_file_of(pair.client)(pair.client, file, 0, 0, nullptr, nullptr, 0));
    assert_received(pair.server, "6789");
    assert_int_equal(SetFilePointer(file, 0, nullptr, FILE_CURRENT), 10);
}

void no_more_than_the_wanted_bytes_are_sent(void**) // [TransmitFile/5]
{
    const TcpPair pair = new_tcp_pair();

    assert_true(transmit_file_of(pair.client)(
        pair.client, new_file("0123456789", false), 4, 0, nullptr, nullptr, 0));
    assert_received(pair.server, "0123");
}

void small_sends_change_nothing(void**) // [TransmitFile/5]
{
    const TcpPair pair = new_tcp_pair();

    assert_true(transmit_file_of(pair.client)(
        pair.client, new_file("0123456789", false), 0, 3, nullptr, nullptr, 0));
    assert_received(pair.server, "0123456789");
}

void with_overlapped_it_pends_and_starts_at_the_offset(void**) // [TransmitFile/7]
{
    const TcpPair pair = new_tcp_pair();
    Operation* operation = new_operation(new_event());
    operation->overlapped.Offset = 7;
    char head[] = "head", tail[] = "tail";
    TRANSMIT_FILE_BUFFERS buffers = { head, 4, tail, 4 };

    assert_wsa_fails(transmit_file_of(pair.client)(pair.client, new_file("0123456789", false), 0, 0,
                         &operation->overlapped, &buffers, 0),
        FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 11);
    assert_received(pair.server, "head789tail");
}

void disconnecting_ends_the_stream_after_the_file(void**) // [TransmitFile/8]
{
    const TcpPair pair = new_tcp_pair();
    char data[16];

    assert_true(transmit_file_of(pair.client)(
        pair.client, new_file("0123456789", false), 0, 0, nullptr, nullptr, TF_DISCONNECT));
    receive_exactly(pair.server, data, 10);
    wait_until_readable(pair.server);
    assert_int_equal(recv(pair.server, data, sizeof(data), 0), 0);
}

/// A large file, sent to a peer that does not read it.
struct Transmission {
    TcpPair pair;
    Background* call;
};

Transmission transmit_much(DWORD per_send, Where where = Where::current())
{
    const TcpPair pair = new_tcp_pair(AF_INET, where);
    const HANDLE file = new_file("", false, where);
    // The rest of the file are zeros.
    if (SetFilePointer(file, 32 << 20, nullptr, FILE_BEGIN) == INVALID_SET_FILE_POINTER
        || !SetEndOfFile(file))
        fail_at(where, "the file could not be made large: error %lu", GetLastError());
    SetFilePointer(file, 0, nullptr, FILE_BEGIN);
    const auto transmit = transmit_file_of(pair.client, where);
    return { pair, run_in_background([=] {
                return transmit(pair.client, file, 0, per_send, nullptr, nullptr, 0);
            }) };
}

/// The call must end by itself, with an error.
void assert_fails_soon(const Transmission& transmission, Where where = Where::current())
{
    if (WaitForSingleObject(background_thread(transmission.call), kEventLimit) != WAIT_OBJECT_0)
        fail_at(where, "the call does not end");
    const Outcome outcome = join(transmission.call, where);
    if (outcome.value || !outcome.error)
        fail_at(where, "the call returned %lld with error %d", outcome.value, outcome.error);
}

void a_peer_that_leaves_unread_ends_a_transmission(void**) // [TransmitFile/9]
{
    for (DWORD per_send : { 0, 28 }) {
        const Transmission transmission = transmit_much(per_send);
        let_it_settle();
        close_owned(transmission.pair.server);
        assert_fails_soon(transmission);
    }
}

void a_peer_that_has_left_ends_a_transmission(void**) // [TransmitFile/9]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("0123456789", false);
    const auto transmit = transmit_file_of(pair.client);
    char head[] = "abc";
    TRANSMIT_FILE_BUFFERS buffers = { head, 3, nullptr, 0 };
    reset_connection(pair.server);
    wait_until_readable(pair.client);

    const Transmission transmission { pair,
        run_in_background(
            [=]() mutable { return transmit(pair.client, file, 0, 2, nullptr, &buffers, 0); }) };
    assert_fails_soon(transmission);
}

void closing_the_socket_ends_a_transmission(void**) // [TransmitFile/9]
{
    const Transmission transmission = transmit_much(0);

    let_it_settle();
    close_owned(transmission.pair.client);
    assert_fails_soon(transmission);
}

void a_file_that_ends_too_early_is_an_error(void**) // [TransmitFile/10]
{
    char head[] = "head";
    TRANSMIT_FILE_BUFFERS with_head = { head, 4, nullptr, 0 };
    for (TRANSMIT_FILE_BUFFERS* buffers :
        { static_cast<TRANSMIT_FILE_BUFFERS*>(nullptr), &with_head }) {
        const TcpPair pair = new_tcp_pair();
        WSASetLastError(0);
        assert_false(transmit_file_of(pair.client)(
            pair.client, new_file("0123456789", false), 11, 0, nullptr, buffers, 0));
        assert_int_not_equal(WSAGetLastError(), 0);
    }
}

void an_overlapped_start_behind_the_end_is_an_error(void**) // [TransmitFile/10]
{
    struct {
        DWORD offset;
        DWORD to_write;
    } constexpr kBad[] = { { 7, 4 }, { 11, 0 }, { 20, 1 } };
    for (const auto& bad : kBad) {
        const TcpPair pair = new_tcp_pair();
        Operation* operation = new_operation(new_event());
        operation->overlapped.Offset = bad.offset;
        const BOOL is_done = transmit_file_of(pair.client)(pair.client,
            new_file("0123456789", false), bad.to_write, 0, &operation->overlapped, nullptr, 0);
        assert_false(is_done);
        if (WSAGetLastError() == WSA_IO_PENDING)
            assert_true(await_status(operation) < 0);
        else if (bad.offset > 10)
            assert_int_equal(WSAGetLastError(), WSAEINVAL);
    }
}

void reuse_needs_a_disconnect(void**) // [TransmitFile/12]
{
    const TcpPair pair = new_tcp_pair();
    assert_wsa_fails(transmit_file_of(pair.client)(
                         pair.client, nullptr, 0, 0, nullptr, nullptr, TF_REUSE_SOCKET),
        FALSE, WSAEINVAL);
    send_text(pair.client, "x"); // nothing was disconnected
}

void too_many_bytes_are_refused(void**) // [TransmitFile/11]
{
    const TcpPair pair = new_tcp_pair();
    const auto transmit = transmit_file_of(pair.client);
    assert_wsa_fails(
        transmit(pair.client, new_file("0123456789", false), 0x7FFFFFFF, 0, nullptr, nullptr, 0),
        FALSE, WSAEINVAL);
}

/// Receives so many bytes of '.', and then the text.
void assert_text_behind(SOCKET socket, ULONG length, const char* text)
{
    static char piece[65536];
    ULONG received = 0;
    while (received < length) {
        const ULONG left = length - received;
        const int count = recv(socket, piece, left < sizeof(piece) ? left : sizeof(piece), 0);
        assert_true(count > 0);
        for (int i = 0; i < count; ++i)
            assert_int_equal(piece[i], '.');
        received += count;
    }
    assert_received(socket, text);
}

constexpr ULONG kMuch = 12 << 20; // more than the connection takes at once

char* new_dots()
{
    auto* dots = static_cast<char*>(lasting_memory(kMuch));
    memset(dots, '.', kMuch);
    return dots;
}

/// Of much memory and `file`, which may be null: `text` is what then comes, with the send.
void assert_send_comes_behind(HANDLE file, const char* text)
{
    const TcpPair pair = new_tcp_pair();
    Operation* transmission = new_operation(new_event());
    TRANSMIT_FILE_BUFFERS buffers = { new_dots(), kMuch, nullptr, 0 };

    assert_wsa_fails(transmit_file_of(pair.client)(
                         pair.client, file, 0, 0, &transmission->overlapped, &buffers, 0),
        FALSE, WSA_IO_PENDING);
    start_send(pair.client, "behind");
    assert_text_behind(pair.server, kMuch, text);
    assert_becomes_signaled(transmission->overlapped.hEvent);
}

void a_send_keeps_its_place_behind_a_transmission(void**) // [TransmitFile/13]
{
    assert_send_comes_behind(nullptr, "behind");
}

void a_send_keeps_its_place_behind_a_file(void**) // [TransmitFile/13]
{
    assert_send_comes_behind(new_file("a file, ", true), "a file, behind");
}

void a_transmission_keeps_its_place_behind_a_send(void**) // [TransmitFile/13]
{
    const TcpPair pair = new_tcp_pair();
    Operation* send = new_operation(new_event());
    Operation* transmission = new_operation(new_event());
    send->buffer = { kMuch, new_dots() };

    assert_wsa_fails(WSASend(pair.client, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_wsa_fails(transmit_file_of(pair.client)(pair.client, new_file("a file", true), 0, 0,
                         &transmission->overlapped, nullptr, 0),
        FALSE, WSA_IO_PENDING);
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_text_behind(pair.server, kMuch, "a file");
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
    assert_becomes_signaled(transmission->overlapped.hEvent);
    assert_int_equal(transmission->overlapped.InternalHigh, 6);
}

/// Windows keeps a file that is mapped from being cut. One that is small goes at once, of another
/// the peer has to take.
void a_file_is_free_when_its_transmission_has_ended(void**) // [TransmitFile/7]
{
    const TcpPair pair = new_tcp_pair();
    for (const LONG length : { 10L, 16L << 20 }) {
        const HANDLE file = new_file("0123456789", true);
        assert_int_equal(SetFilePointer(file, length, nullptr, FILE_BEGIN), length);
        assert_true(SetEndOfFile(file));
        Operation* operation = new_operation(new_event());
        assert_wsa_fails(transmit_file_of(pair.client)(
                             pair.client, file, 0, 0, &operation->overlapped, nullptr, 0),
            FALSE, WSA_IO_PENDING);
        static char bytes[64 << 10];
        for (LONG left = length; left;) {
            const int received = recv(pair.server, bytes, sizeof(bytes), 0);
            assert_in_range(received, 1, left);
            left -= received;
        }
        assert_becomes_signaled(operation->overlapped.hEvent);
        assert_int_equal(SetFilePointer(file, 2, nullptr, FILE_BEGIN), 2);
        assert_true(SetEndOfFile(file));
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(transmit_refuses_what_is_no_socket),
    cmocka_unit_test(transmit_refuses_an_unconnected_socket),
    cmocka_unit_test(nothing_to_send_succeeds),
    cmocka_unit_test(head_and_tail_are_sent_without_file),
    cmocka_unit_test(the_whole_file_is_sent_between_head_and_tail),
    cmocka_unit_test(without_overlapped_it_starts_at_the_file_pointer),
    cmocka_unit_test(no_more_than_the_wanted_bytes_are_sent),
    cmocka_unit_test(small_sends_change_nothing),
    cmocka_unit_test(with_overlapped_it_pends_and_starts_at_the_offset),
    cmocka_unit_test(disconnecting_ends_the_stream_after_the_file),
    cmocka_unit_test(a_peer_that_leaves_unread_ends_a_transmission),
    cmocka_unit_test(a_peer_that_has_left_ends_a_transmission),
    cmocka_unit_test(closing_the_socket_ends_a_transmission),
    cmocka_unit_test(a_file_that_ends_too_early_is_an_error),
    cmocka_unit_test(an_overlapped_start_behind_the_end_is_an_error),
    cmocka_unit_test(reuse_needs_a_disconnect),
    cmocka_unit_test(too_many_bytes_are_refused),
    cmocka_unit_test(a_file_is_free_when_its_transmission_has_ended),
    cmocka_unit_test(a_send_keeps_its_place_behind_a_transmission),
    cmocka_unit_test(a_send_keeps_its_place_behind_a_file),
    cmocka_unit_test(a_transmission_keeps_its_place_behind_a_send),
};

} // namespace

CONFORMANCE_GROUP(transmit_file, kCases);
