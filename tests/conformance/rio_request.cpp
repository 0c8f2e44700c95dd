// Requests of registered I/O: what they move and tell, and what is refused.

#include "peers.h"
#include "rio.h"

#include <algorithm>
#include <cstring>

using namespace conformance;

namespace {

constexpr int kFamilies[] = { AF_INET, AF_INET6 };
constexpr int kTypes[] = { SOCK_DGRAM, SOCK_STREAM };

bool is_there(int family)
{
    return family == AF_INET || has_ipv6();
}

void a_socket_for_it_is_an_overlapped_one(void**) // [RIO/1]
{
    static_cast<void>(rio()); // where there is none, the receive would wait
    const SOCKET socket
        = owned(WSASocketW(AF_INET, SOCK_DGRAM, 0, nullptr, 0, sdk::kFlagRegisteredIo));
    assert_true(socket != INVALID_SOCKET);
    bind_to_loopback(socket);
    Operation* operation = new_operation(new_event());
    assert_wsa_fails(WSARecv(socket, &operation->buffer, 1, nullptr, &operation->flags,
                         &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_non_null(new_request_queue(socket, new_rio_queue()));
}

void the_functions_come_in_a_table(void**) // [RIO/2]
{
    const SOCKET socket = udp_socket();
    sdk::RioTable table {};
    GUID guid = sdk::kMultipleRio;
    DWORD size = 0;
    const auto ask = [&](DWORD room) {
        return WSAIoctl(socket, sdk::kGetMultipleExtensionFunctionPointer, &guid, sizeof(guid),
            &table, room, &size, nullptr, nullptr);
    };
    assert_wsa_ok(ask(sizeof(table)));
    assert_int_equal(size, sizeof(table));
    assert_int_equal(table.size, sizeof(table));
    assert_non_null(reinterpret_cast<void*>(table.RIOResizeRequestQueue));
    assert_wsa_fails(ask(sizeof(table) - 1), SOCKET_ERROR, WSAEFAULT);
    guid.Data1 ^= 1;
    assert_wsa_fails(ask(sizeof(table)), SOCKET_ERROR, WSAEINVAL);
}

void data_goes_to_and_fro(void**) // [RIO/12]
{
    for (const int family : kFamilies) {
        for (const int type : kTypes) {
            if (!is_there(family))
                continue;
            const RioPair pair = new_rio_pair(family, type);
            rio_receive(pair.b, 0, 64, 1);
            rio_send_text(pair.a, 100, "there", 2);
            expect_result(pair.a.queue, 2, 5);
            const RioResult result = next_result(pair.b.queue);
            assert_int_equal(result.status, 0);
            assert_int_equal(result.transferred, 5);
            assert_int_equal(result.request_context, 1);
            assert_int_equal(result.socket_context, pair.b.socket);
            assert_memory_equal(pair.b.slab.data, "there", 5);
            rio_send_text(pair.b, 200, "back", 3);
            expect_result(pair.b.queue, 3, 4);
            wait_until_readable(pair.a.socket);
            rio_receive(pair.a, 300, 64, 4);
            expect_result(pair.a.queue, 4, 4);
            assert_memory_equal(pair.a.slab.data + 300, "back", 4);
        }
    }
}

void requests_of_one_direction_end_in_order(void**) // [RIO/12]
{
    for (const int type : kTypes) {
        const RioPair pair = new_rio_pair(AF_INET, type);
        for (ULONG i = 0; i < 4; ++i)
            rio_receive(pair.b, 4 * i, 4, 10 + i);
        for (ULONG i = 0; i < 4; ++i) {
            const char text[] = { 'n', 'o', '.', static_cast<char>('0' + i), 0 };
            rio_send_text(pair.a, 8 * i, text, 20 + i);
        }
        for (ULONG i = 0; i < 4; ++i) {
            expect_result(pair.a.queue, 20 + i, 4);
            expect_result(pair.b.queue, 10 + i, 4);
        }
        assert_memory_equal(pair.b.slab.data, "no.0no.1no.2no.3", 16);
    }
}

void deferred_requests_start_with_the_next(void**) // [RIO/13]
{
    for (const int type : kTypes) {
        const RioPair pair = new_rio_pair(AF_INET, type);
        for (ULONG i = 0; i < 8; ++i)
            rio_receive(pair.b, 4 * i, 4, 10 + i, i < 7 ? sdk::kRioDefer : 0);
        for (ULONG i = 0; i < 8; ++i) {
            const char text[] = { 'n', 'o', '.', static_cast<char>('0' + i), 0 };
            rio_send_text(pair.a, 8 * i, text, 20 + i, i < 7 ? sdk::kRioDefer : 0);
        }
        for (ULONG i = 0; i < 8; ++i) {
            expect_result(pair.a.queue, 20 + i, 4);
            expect_result(pair.b.queue, 10 + i, 4);
        }
        assert_memory_equal(pair.b.slab.data, "no.0no.1no.2no.3no.4no.5no.6no.7", 32);
    }
}

void a_commit_starts_what_was_deferred(void**) // [RIO/14]
{
    const sdk::RioTable& functions = rio();
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    rio_receive(pair.b, 0, 64, 1, sdk::kRioDefer);
    assert_true(functions.RIOReceive(pair.b.requests, nullptr, 0, sdk::kRioCommitOnly, nullptr));
    rio_send_text(pair.a, 0, "x", 2, sdk::kRioDefer);
    assert_true(functions.RIOSendEx(pair.a.requests, nullptr, 0, nullptr, nullptr, nullptr, nullptr,
        sdk::kRioCommitOnly, nullptr));
    expect_result(pair.a.queue, 2, 1);
    expect_result(pair.b.queue, 1, 1);

    RioBuf piece = pair.a.slab.piece(0, 1);
    assert_wsa_fails(functions.RIOSend(pair.a.requests, nullptr, 0,
                         sdk::kRioCommitOnly | sdk::kRioDontNotify, nullptr),
        FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOSend(pair.a.requests, &piece, 1, sdk::kRioCommitOnly, nullptr),
        FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOSend(pair.a.requests, nullptr, 0, sdk::kRioCommitOnly, &piece),
        FALSE, WSAEINVAL);
}

void a_request_beyond_the_room_is_refused(void**) // [RIO/9]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    RioBuf piece = pair.a.slab.piece(0, 1);
    for (ULONG i = 0; i < 8; ++i)
        rio_send(pair.a, 0, 1, i, sdk::kRioDefer);
    assert_wsa_fails(rio().RIOSend(pair.a.requests, &piece, 1, 0, nullptr), FALSE, WSAENOBUFS);
    assert_true(rio().RIOSend(pair.a.requests, nullptr, 0, sdk::kRioCommitOnly, nullptr));
    // They have ended, but are still in the queue.
    wait_until_received(pair.b.socket, 1);
    assert_wsa_fails(rio().RIOSend(pair.a.requests, &piece, 1, 0, nullptr), FALSE, WSAENOBUFS);
    expect_result(pair.a.queue, 0, 1);
    rio_send(pair.a, 0, 1, 8);
}

void a_buffer_that_is_none_is_refused(void**) // [RIO/4]
{
    const sdk::RioTable& functions = rio();
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    functions.RIODeregisterBuffer(sdk::invalid_rio_buffer());
    functions.RIODeregisterBuffer(nullptr);
    functions.RIODeregisterBuffer(pair.a.slab.id);
    functions.RIODeregisterBuffer(pair.a.slab.id);
    RioBuf stale = pair.a.slab.piece(0, 1);
    RioBuf invalid { sdk::invalid_rio_buffer(), 0, 1 };
    for (RioBuf* piece : { &stale, &invalid }) {
        assert_wsa_fails(
            functions.RIOSend(pair.a.requests, piece, 1, 0, nullptr), FALSE, WSAEFAULT);
        assert_wsa_fails(
            functions.RIOReceive(pair.a.requests, piece, 1, 0, nullptr), FALSE, WSAEFAULT);
    }
    // The memory can be registered again, under another name.
    const RioBufferId again = functions.RIORegisterBuffer(pair.a.slab.data, 16);
    assert_true(again != sdk::invalid_rio_buffer() && again != pair.a.slab.id);
    assert_wsa_fails(functions.RIOSend(pair.a.requests, &stale, 1, 0, nullptr), FALSE, WSAEFAULT);
    assert_no_result(pair.a.queue);
}

void a_request_outlives_the_registration_of_its_buffer(void**) // [RIO/4]
{
    for (const int type : kTypes) {
        const RioPair pair = new_rio_pair(AF_INET, type);
        rio_receive(pair.a, 0, 16, 1);
        rio().RIODeregisterBuffer(pair.a.slab.id);
        rio_send_text(pair.b, 0, "still", 2);
        expect_result(pair.a.queue, 1, 5);
        assert_memory_equal(pair.a.slab.data, "still", 5);
    }
}

void memory_that_is_gone_is_a_fault(void**) // [RIO/4]
{
    constexpr DWORD kSize = 0x10000;
    auto* const data = static_cast<char*>(VirtualAlloc(nullptr, kSize, MEM_COMMIT, PAGE_READWRITE));
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM);
    RioBuf piece { rio().RIORegisterBuffer(data, kSize), 0, 16 };
    assert_true(rio().RIOReceive(pair.a.requests, &piece, 1, 0, nullptr));
    VirtualFree(data, 0, MEM_RELEASE);
    rio_send_text(pair.b, 0, "nowhere", 2);
    // Windows would have kept it for the request.
    const RioResult result = next_result(pair.a.queue);
    assert_true(result.status == WSAEFAULT || (!result.status && result.transferred == 7));
    rio().RIODeregisterBuffer(piece.id);
}

void a_piece_stays_within_its_buffer(void**) // [RIO/5]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    const RioBuf pieces[] = { pair.a.slab.piece(0, pair.a.slab.size + 1),
        pair.a.slab.piece(pair.a.slab.size, 1), pair.a.slab.piece(1, ~0u) };
    for (RioBuf piece : pieces)
        assert_wsa_fails(
            rio().RIOReceive(pair.a.requests, &piece, 1, 0, nullptr), FALSE, WSAEINVAL);
    rio_receive(pair.a, pair.a.slab.size - 1, 1, 1);
}

void arguments_that_make_no_sense_are_refused(void**) // [RIO/10]
{
    const sdk::RioTable& functions = rio();
    const RioPair datagrams = new_rio_pair(AF_INET, SOCK_DGRAM);
    const RioPair streams = new_rio_pair(AF_INET, SOCK_STREAM);
    RioBuf piece = datagrams.a.slab.piece(0, 64);
    assert_wsa_fails(functions.RIOSend(nullptr, &piece, 1, 0, nullptr), FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOReceive(nullptr, &piece, 1, 0, nullptr), FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOSend(datagrams.a.requests, &piece, 1, sdk::kRioWaitAll, nullptr),
        FALSE, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOReceive(datagrams.a.requests, &piece, 1, 0x10, nullptr), FALSE, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOReceive(datagrams.a.requests, &piece, 2, 0, nullptr), FALSE, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOReceive(datagrams.a.requests, &piece, 0, 0, nullptr), FALSE, WSAEINVAL);
    assert_wsa_fails(
        functions.RIOReceive(streams.a.requests, nullptr, 0, 0, nullptr), FALSE, WSAEINVAL);
    assert_wsa_fails(functions.RIOSendEx(datagrams.a.requests, &piece, 1, &piece, nullptr, nullptr,
                         nullptr, 0, nullptr),
        FALSE, WSAEINVAL);
}

void without_a_peer_nothing_is_sent(void**) // [RIO/11]
{
    const sdk::RioTable& functions = rio();
    const RioSlab slab = new_slab();
    RioBuf piece = slab.piece(0, 4);
    for (const int type : kTypes) {
        const SOCKET socket = rio_socket(AF_INET, type);
        const RioRq requests = new_request_queue(socket, new_rio_queue());
        assert_wsa_fails(functions.RIOSend(requests, &piece, 1, 0, nullptr), FALSE, WSAENOTCONN);
        assert_wsa_fails(functions.RIOReceive(requests, &piece, 1, 0, nullptr), FALSE,
            type == SOCK_STREAM ? WSAENOTCONN : WSAEINVAL);
    }
}

void a_receive_may_wait_for_all(void**) // [RIO/20]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM);
    rio_receive(pair.b, 0, 8, 1, sdk::kRioWaitAll);
    rio_receive(pair.b, 8, 8, 2);
    rio_receive(pair.b, 16, 8, 3, sdk::kRioWaitAll);
    rio_send_text(pair.a, 0, "one", 4);
    expect_result(pair.a.queue, 4, 3);
    assert_no_result(pair.b.queue);
    rio_send_text(pair.a, 0, "two", 5);
    rio_send_text(pair.a, 8, "threef", 6);
    expect_result(pair.b.queue, 1, 8);
    expect_result(pair.b.queue, 2, 4);
    assert_memory_equal(pair.b.slab.data, "onetwothreef", 12);
    rio_send_text(pair.a, 16, "end", 7);
    expect_result(pair.a.queue, 5, 3);
    expect_result(pair.a.queue, 6, 6);
    expect_result(pair.a.queue, 7, 3); // closing would end it
    wait_until_received(pair.b.socket, 0);
    close_owned(pair.a.socket);
    expect_result(pair.b.queue, 3, 3);
    assert_memory_equal(pair.b.slab.data + 16, "end", 3);

    const RioPair datagrams = new_rio_pair(AF_INET, SOCK_DGRAM);
    RioBuf piece = datagrams.a.slab.piece(0, 4);
    assert_wsa_fails(rio().RIOReceive(datagrams.a.requests, &piece, 1, sdk::kRioWaitAll, nullptr),
        FALSE, WSAEINVAL);
}

void the_end_of_a_stream_is_nothing_received(void**) // [RIO/21]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM);
    rio_receive(pair.a, 0, 8, 1);
    close_owned(pair.b.socket);
    expect_result(pair.a.queue, 1, 0);
    rio_receive(pair.a, 0, 8, 2);
    expect_result(pair.a.queue, 2, 0);
}

void a_reset_is_no_end(void**) // [RIO/21]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM);
    rio_receive(pair.a, 0, 8, 1);
    reset_connection(pair.b.socket);
    assert_int_equal(next_result(pair.a.queue).status, WSAECONNRESET);
}

void a_datagram_that_does_not_fit_says_so(void**) // [RIO/22]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    rio_receive(pair.b, 0, 4, 1);
    rio_send_text(pair.a, 0, "too long", 2);
    const RioResult result = next_result(pair.b.queue);
    assert_int_equal(result.status, WSAEMSGSIZE);
    assert_int_equal(result.transferred, 4);
    assert_memory_equal(pair.b.slab.data, "too ", 5 - 1);
    assert_int_equal(pair.b.slab.data[4], 0);
}

/// What each receive of a burst has room for, and each datagram has in it.
constexpr ULONG kBurst = 40;
ULONG burst_room(ULONG number)
{
    return number % 5 == 3 ? 2 : 8;
}
const char* burst_text(ULONG number)
{
    static const char* const kTexts[] = { "first", "2nd", "", "longest!", "5", "last" };
    return kTexts[number % 6];
}

void a_burst_finds_the_receives_in_their_order(void**) // [RIO/12] [RIO/22] [RIO/24]
{
    constexpr ULONG kNames = kBurst * 8;
    const SOCKET from = udp_socket();
    bind_to_loopback(from);
    RioPeer to {};
    to.socket = rio_socket(AF_INET, SOCK_DGRAM);
    bind_to_loopback(to.socket);
    to.queue = new_rio_queue(2 * kBurst);
    to.requests = new_request_queue(to.socket, to.queue, to.queue, kBurst);
    to.slab = new_slab();
    for (ULONG i = 0; i < kBurst; ++i) {
        RioBuf data = to.slab.piece(8 * i, burst_room(i));
        RioBuf name = to.slab.piece(kNames + i * sizeof(SOCKADDR_INET), sizeof(SOCKADDR_INET));
        assert_true(rio().RIOReceiveEx(to.requests, &data, 1, nullptr, i % 3 ? &name : nullptr,
            nullptr, nullptr, 0, reinterpret_cast<void*>(ULONG_PTR { i })));
    }
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, local_port(to.socket), &address);
    for (ULONG i = 0; i < kBurst; ++i) {
        const char* const text = burst_text(i);
        const auto size = static_cast<int>(std::strlen(text));
        assert_int_equal(sendto(from, text, size, 0, as_name(address), length), size);
    }
    for (ULONG i = 0; i < kBurst; ++i) {
        const RioResult result = next_result(to.queue);
        const auto size = static_cast<ULONG>(std::strlen(burst_text(i)));
        assert_int_equal(result.request_context, i);
        assert_int_equal(result.status, size > burst_room(i) ? WSAEMSGSIZE : 0);
        assert_int_equal(result.transferred, std::min(size, burst_room(i)));
        assert_memory_equal(to.slab.data + 8 * i, burst_text(i), result.transferred);
        const auto* name = reinterpret_cast<const SOCKADDR_INET*>(
            to.slab.data + kNames + i * sizeof(SOCKADDR_INET));
        assert_int_equal(name->Ipv4.sin_port, i % 3 ? htons(local_port(from)) : 0);
    }
}

void closing_the_socket_ends_what_is_outstanding(void**) // [RIO/27]
{
    for (const int type : kTypes) {
        const RioPair pair = new_rio_pair(AF_INET, type);
        rio_send_text(pair.b, 0, "came", 9);
        wait_until_received(pair.a.socket, 4);
        rio_receive(pair.a, 0, 4, 1);
        wait_until_received(pair.a.socket, 0);
        let_it_settle(); // the result of the first
        rio_receive(pair.a, 8, 8, 2);
        rio_receive(pair.a, 16, 8, 3);
        rio_receive(pair.a, 24, 8, 4, sdk::kRioDefer);
        close_owned(pair.a.socket);
        expect_result(pair.a.queue, 1, 4);
        ULONG_PTR seen = 0;
        for (int i = 0; i < 3; ++i) {
            const RioResult result = next_result(pair.a.queue);
            assert_int_equal(result.status, WSA_OPERATION_ABORTED);
            assert_int_equal(result.transferred, 0);
            assert_int_equal(result.socket_context, pair.a.socket);
            seen |= ULONG_PTR { 1 } << result.request_context;
        }
        assert_int_equal(seen, 1 << 2 | 1 << 3 | 1 << 4);
        assert_no_result(pair.a.queue);
    }
}

constexpr CMUnitTest kCases[] = {
    cmocka_unit_test(a_socket_for_it_is_an_overlapped_one),
    cmocka_unit_test(the_functions_come_in_a_table),
    cmocka_unit_test(data_goes_to_and_fro),
    cmocka_unit_test(requests_of_one_direction_end_in_order),
    cmocka_unit_test(deferred_requests_start_with_the_next),
    cmocka_unit_test(a_commit_starts_what_was_deferred),
    cmocka_unit_test(a_request_beyond_the_room_is_refused),
    cmocka_unit_test(a_buffer_that_is_none_is_refused),
    cmocka_unit_test(a_request_outlives_the_registration_of_its_buffer),
    cmocka_unit_test(memory_that_is_gone_is_a_fault),
    cmocka_unit_test(a_piece_stays_within_its_buffer),
    cmocka_unit_test(arguments_that_make_no_sense_are_refused),
    cmocka_unit_test(without_a_peer_nothing_is_sent),
    cmocka_unit_test(a_receive_may_wait_for_all),
    cmocka_unit_test(the_end_of_a_stream_is_nothing_received),
    cmocka_unit_test(a_reset_is_no_end),
    cmocka_unit_test(a_datagram_that_does_not_fit_says_so),
    cmocka_unit_test(a_burst_finds_the_receives_in_their_order),
    cmocka_unit_test(closing_the_socket_ends_what_is_outstanding),
};

} // namespace

CONFORMANCE_GROUP(rio_request, kCases);
