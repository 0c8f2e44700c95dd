// Arrays of buffers longer than what the kernels of other systems take in one call, and counts that
// no array can have.

#include "extensions.h"
#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

constexpr DWORD kMany = 2400;

char pattern(DWORD i)
{
    return static_cast<char>('a' + i % 23);
}

/// Buffers of one byte each, no two side by side.
struct Parts {
    WSABUF buffers[kMany];
    char bytes[2 * kMany];
    WSAMSG message;
    sockaddr_storage name;
    DWORD flags;
    WSAOVERLAPPED overlapped;
};

Parts* new_parts()
{
    auto* parts = lasting<Parts>();
    for (DWORD i = 0; i < kMany; ++i)
        parts->buffers[i] = { 1, parts->bytes + 2 * i };
    parts->message.lpBuffers = parts->buffers;
    parts->message.dwBufferCount = kMany;
    parts->message.name = as_name(parts->name);
    parts->message.namelen = sizeof(parts->name);
    parts->overlapped.hEvent = new_event();
    return parts;
}

Parts* new_full_parts()
{
    Parts* parts = new_parts();
    for (DWORD i = 0; i < kMany; ++i)
        *parts->buffers[i].buf = pattern(i);
    return parts;
}

/// `count` bytes of the pattern, in one piece.
char* new_pattern(DWORD count)
{
    auto* bytes = static_cast<char*>(lasting_memory(count));
    for (DWORD i = 0; i < count; ++i)
        bytes[i] = pattern(i);
    return bytes;
}

void assert_filled(const Parts* parts, Where where = Where::current())
{
    for (DWORD i = 0; i < kMany; ++i) {
        if (*parts->buffers[i].buf != pattern(i))
            fail_at(where, "buffer %lu is %#x", i, *parts->buffers[i].buf);
        if (parts->buffers[i].buf[1])
            fail_at(where, "something was written behind buffer %lu", i);
    }
}

/// The stream has all that the parts hold.
void assert_stream_has_pattern(SOCKET socket)
{
    char received[kMany];
    receive_exactly(socket, received, kMany);
    assert_memory_equal(received, new_pattern(kMany), kMany);
}

void assert_datagram_has_pattern(SOCKET socket)
{
    char received[kMany + 1];
    limit_receives(socket);
    assert_int_equal(recv(socket, received, sizeof(received), 0), kMany);
    assert_memory_equal(received, new_pattern(kMany), kMany);
}

SOCKET bound_receiver()
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    limit_receives(socket);
    return socket;
}

/// Sends so many bytes of the pattern as a datagram and waits for their arrival.
void send_datagram(SOCKET receiver, DWORD count)
{
    sockaddr_storage to;
    const int length = loopback_address(AF_INET, local_port(receiver), &to);
    assert_int_equal(
        sendto(udp_socket(), new_pattern(count), count, 0, as_name(to), length), count);
    wait_until_readable(receiver);
}

// --- Sending

void send_on_stream(bool is_nonblocking)
{
    const TcpPair pair = new_tcp_pair();
    set_nonblocking(pair.client, is_nonblocking);
    Parts* parts = new_full_parts();
    DWORD sent = 0;
    assert_wsa_ok(WSASend(pair.client, parts->buffers, kMany, &sent, 0, nullptr, nullptr));
    assert_int_equal(sent, kMany);
    assert_stream_has_pattern(pair.server);
}

void a_stream_takes_thousands_of_buffers(void**) // [send/11]
{
    send_on_stream(false);
}

void a_nonblocking_stream_takes_thousands_of_buffers(void**) // [send/11]
{
    send_on_stream(true);
}

void an_overlapped_send_takes_thousands_of_buffers(void**) // [send/11]
{
    const TcpPair pair = new_tcp_pair();
    Parts* parts = new_full_parts();
    const int result
        = WSASend(pair.client, parts->buffers, kMany, nullptr, 0, &parts->overlapped, nullptr);
    assert_true(!result || WSAGetLastError() == WSA_IO_PENDING);
    assert_becomes_signaled(parts->overlapped.hEvent);
    assert_int_equal(parts->overlapped.InternalHigh, kMany);
    assert_stream_has_pattern(pair.server);
}

void a_datagram_is_gathered_from_thousands_of_buffers(void**) // [send/11]
{
    const SOCKET receiver = bound_receiver();
    Parts* parts = new_full_parts();
    const int length = loopback_address(AF_INET, local_port(receiver), &parts->name);
    DWORD sent = 0;
    assert_wsa_ok(WSASendTo(udp_socket(), parts->buffers, kMany, &sent, 0, as_name(parts->name),
        length, nullptr, nullptr));
    assert_int_equal(sent, kMany);
    assert_datagram_has_pattern(receiver);
}

void a_message_is_gathered_from_thousands_of_buffers(void**) // [send/11]
{
    const SOCKET receiver = bound_receiver();
    Parts* parts = new_full_parts();
    parts->message.namelen = loopback_address(AF_INET, local_port(receiver), &parts->name);
    DWORD sent = 0;
    assert_wsa_ok(WSASendMsg(udp_socket(), &parts->message, 0, &sent, nullptr, nullptr));
    assert_int_equal(sent, kMany);
    assert_datagram_has_pattern(receiver);
}

void overlapped_datagrams_are_gathered_from_thousands_of_buffers(void**) // [send/11]
{
    const SOCKET receiver = bound_receiver();
    for (const bool is_message : { false, true }) {
        Parts* parts = new_full_parts();
        parts->message.namelen = loopback_address(AF_INET, local_port(receiver), &parts->name);
        const SOCKET sender = udp_socket();
        const int result = is_message
            ? WSASendMsg(sender, &parts->message, 0, nullptr, &parts->overlapped, nullptr)
            : WSASendTo(sender, parts->buffers, kMany, nullptr, 0, as_name(parts->name),
                parts->message.namelen, &parts->overlapped, nullptr);
        assert_true(!result || WSAGetLastError() == WSA_IO_PENDING);
        assert_becomes_signaled(parts->overlapped.hEvent);
        assert_int_equal(parts->overlapped.InternalHigh, kMany);
        assert_datagram_has_pattern(receiver);
    }
}

// --- Receiving

void receive_on_stream(bool is_nonblocking, DWORD flags)
{
    const TcpPair pair = new_tcp_pair();
    set_nonblocking(pair.server, is_nonblocking);
    assert_int_equal(send(pair.client, new_pattern(kMany), kMany, 0), kMany);
    wait_until_received(pair.server, kMany);
    Parts* parts = new_parts();
    DWORD received = 0;
    assert_wsa_ok(WSARecv(pair.server, parts->buffers, kMany, &received, &flags, nullptr, nullptr));
    assert_int_equal(received, kMany);
    assert_filled(parts);
}

void a_stream_fills_thousands_of_buffers(void**) // [recv/18]
{
    receive_on_stream(false, 0);
}

void a_nonblocking_stream_fills_thousands_of_buffers(void**) // [recv/18]
{
    receive_on_stream(true, 0);
}

void a_receive_of_all_fills_thousands_of_buffers(void**) // [recv/18]
{
    receive_on_stream(false, MSG_WAITALL);
}

void an_overlapped_receive_fills_thousands_of_buffers(void**) // [recv/18]
{
    const TcpPair pair = new_tcp_pair();
    Parts* parts = new_parts();
    assert_wsa_fails(WSARecv(pair.server, parts->buffers, kMany, nullptr, &parts->flags,
                         &parts->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_int_equal(send(pair.client, new_pattern(kMany), kMany, 0), kMany);
    assert_becomes_signaled(parts->overlapped.hEvent);
    assert_int_equal(parts->overlapped.InternalHigh, kMany);
    assert_filled(parts);
}

void a_datagram_fills_thousands_of_buffers(void**) // [recv/18]
{
    const SOCKET receiver = bound_receiver();
    send_datagram(receiver, kMany);
    Parts* parts = new_parts();
    DWORD received = 0;
    int length = sizeof(parts->name);
    assert_wsa_ok(WSARecvFrom(receiver, parts->buffers, kMany, &received, &parts->flags,
        as_name(parts->name), &length, nullptr, nullptr));
    assert_int_equal(received, kMany);
    assert_filled(parts);
    assert_int_equal(parts->name.ss_family, AF_INET);
}

void a_datagram_too_long_for_thousands_of_buffers_fills_them(void**) // [recv/18]
{
    const SOCKET receiver = bound_receiver();
    send_datagram(receiver, kMany + 1);
    Parts* parts = new_parts();
    DWORD received = 0;
    assert_wsa_fails(WSARecvFrom(receiver, parts->buffers, kMany, &received, &parts->flags, nullptr,
                         nullptr, nullptr, nullptr),
        SOCKET_ERROR, WSAEMSGSIZE);
    assert_int_equal(received, kMany);
    assert_filled(parts);
}

void a_message_fills_thousands_of_buffers(void**) // [recv/18]
{
    const SOCKET receiver = bound_receiver();
    send_datagram(receiver, kMany);
    Parts* parts = new_parts();
    DWORD received = 0;
    const auto receive_message
        = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(receiver, WSAID_WSARECVMSG));
    assert_wsa_ok(receive_message(receiver, &parts->message, &received, nullptr, nullptr));
    assert_int_equal(received, kMany);
    assert_filled(parts);
}

void overlapped_datagrams_fill_thousands_of_buffers(void**) // [recv/18]
{
    for (const bool is_message : { false, true }) {
        const SOCKET receiver = bound_receiver();
        Parts* parts = new_parts();
        const auto receive_message
            = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(receiver, WSAID_WSARECVMSG));
        const int result = is_message
            ? receive_message(receiver, &parts->message, nullptr, &parts->overlapped, nullptr)
            : WSARecvFrom(receiver, parts->buffers, kMany, nullptr, &parts->flags, nullptr, nullptr,
                &parts->overlapped, nullptr);
        assert_int_equal(result, SOCKET_ERROR);
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
        sockaddr_storage to;
        const int length = loopback_address(AF_INET, local_port(receiver), &to);
        assert_int_equal(
            sendto(udp_socket(), new_pattern(kMany), kMany, 0, as_name(to), length), kMany);
        assert_becomes_signaled(parts->overlapped.hEvent);
        assert_int_equal(parts->overlapped.InternalHigh, kMany);
        assert_filled(parts);
    }
}

// --- Arrays that are not there

constexpr DWORD kAbsurdCounts[]
    = { 2 * 4096 / sizeof(WSABUF), 0x0FFFFFFF, 0x10000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF };

/// An array that ends at memory nobody has: a page of buffers of one byte.
WSABUF* new_cut_array()
{
    constexpr size_t kPage = 4096;
    // Never freed: what comes behind must stay nobody's.
    auto* memory = static_cast<char*>(VirtualAlloc(nullptr, 2 * kPage, MEM_RESERVE, PAGE_NOACCESS));
    assert_non_null(VirtualAlloc(memory, kPage, MEM_COMMIT, PAGE_READWRITE));
    auto* array = reinterpret_cast<WSABUF*>(memory);
    auto* bytes = static_cast<char*>(lasting_memory(kPage / sizeof(WSABUF)));
    for (size_t i = 0; i < kPage / sizeof(WSABUF); ++i)
        array[i] = { 1, bytes + i };
    return array;
}

/// A transfer with an array of its own and no OVERLAPPED, or this one.
using Attempt = int (*)(SOCKET, WSABUF*, DWORD count, WSAOVERLAPPED*);

int try_send(SOCKET socket, WSABUF* buffers, DWORD count, WSAOVERLAPPED* overlapped)
{
    DWORD sent;
    return WSASend(socket, buffers, count, &sent, 0, overlapped, nullptr);
}

int try_send_to(SOCKET socket, WSABUF* buffers, DWORD count, WSAOVERLAPPED* overlapped)
{
    DWORD sent;
    sockaddr_storage to;
    const int length = loopback_address(AF_INET, local_port(socket), &to);
    return WSASendTo(socket, buffers, count, &sent, 0, as_name(to), length, overlapped, nullptr);
}

int try_send_message(SOCKET socket, WSABUF* buffers, DWORD count, WSAOVERLAPPED* overlapped)
{
    DWORD sent;
    Parts* parts = new_parts();
    parts->message.namelen = loopback_address(AF_INET, local_port(socket), &parts->name);
    parts->message.lpBuffers = buffers;
    parts->message.dwBufferCount = count;
    return WSASendMsg(socket, &parts->message, 0, &sent, overlapped, nullptr);
}

int try_receive(SOCKET socket, WSABUF* buffers, DWORD count, WSAOVERLAPPED* overlapped)
{
    DWORD received;
    DWORD flags = 0;
    return WSARecv(socket, buffers, count, &received, &flags, overlapped, nullptr);
}

int try_receive_from(SOCKET socket, WSABUF* buffers, DWORD count, WSAOVERLAPPED* overlapped)
{
    DWORD received;
    Parts* parts = new_parts();
    int length = sizeof(parts->name);
    return WSARecvFrom(socket, buffers, count, &received, &parts->flags, as_name(parts->name),
        &length, overlapped, nullptr);
}

int try_receive_message(SOCKET socket, WSABUF* buffers, DWORD count, WSAOVERLAPPED* overlapped)
{
    DWORD received;
    Parts* parts = new_parts();
    parts->message.lpBuffers = buffers;
    parts->message.dwBufferCount = count;
    const auto receive_message
        = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(socket, WSAID_WSARECVMSG));
    return receive_message(socket, &parts->message, &received, overlapped, nullptr);
}

void assert_refused(SOCKET socket, Attempt attempt, Where where = Where::current())
{
    for (const DWORD count : kAbsurdCounts) {
        WSABUF* array = new_cut_array();
        Parts* parts = new_parts();
        for (WSAOVERLAPPED* overlapped :
            { static_cast<WSAOVERLAPPED*>(nullptr), &parts->overlapped }) {
            WSASetLastError(kPoison);
            const int result = attempt(socket, array, count, overlapped);
            const int error = WSAGetLastError();
            if (result != SOCKET_ERROR || error != WSAEFAULT)
                fail_at(where, "%#lx buffers, %s: %d, error %d", count,
                    overlapped ? "overlapped" : "plain", result, error);
        }
    }
}

void an_array_that_is_not_there_cannot_be_sent(void**) // [send/12]
{
    const TcpPair pair = new_tcp_pair();
    assert_refused(pair.client, try_send);
    send_text(pair.client, "x"); // and nothing went before it
    char received[2];
    assert_int_equal(recv(pair.server, received, sizeof(received), 0), 1);
    assert_int_equal(received[0], 'x');
}

void an_array_that_is_not_there_makes_no_datagram(void**) // [send/12]
{
    const SOCKET socket = bound_receiver();
    assert_refused(socket, try_send_to);
    assert_refused(socket, try_send_message);
    send_datagram(socket, kMany);
    assert_datagram_has_pattern(socket);
}

void an_array_that_is_not_there_takes_nothing_from_a_stream(void**) // [recv/19]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);
    assert_refused(pair.server, try_receive);
    char received[6];
    assert_int_equal(recv(pair.server, received, sizeof(received), 0), 5);
}

void an_array_that_is_not_there_takes_no_datagram(void**) // [recv/19]
{
    const SOCKET socket = bound_receiver();
    send_datagram(socket, kMany);
    assert_refused(socket, try_receive_from);
    assert_refused(socket, try_receive_message);
    assert_datagram_has_pattern(socket);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_stream_takes_thousands_of_buffers),
    cmocka_unit_test(a_nonblocking_stream_takes_thousands_of_buffers),
    cmocka_unit_test(an_overlapped_send_takes_thousands_of_buffers),
    cmocka_unit_test(a_datagram_is_gathered_from_thousands_of_buffers),
    cmocka_unit_test(a_message_is_gathered_from_thousands_of_buffers),
    cmocka_unit_test(overlapped_datagrams_are_gathered_from_thousands_of_buffers),
    cmocka_unit_test(a_stream_fills_thousands_of_buffers),
    cmocka_unit_test(a_nonblocking_stream_fills_thousands_of_buffers),
    cmocka_unit_test(a_receive_of_all_fills_thousands_of_buffers),
    cmocka_unit_test(an_overlapped_receive_fills_thousands_of_buffers),
    cmocka_unit_test(a_datagram_fills_thousands_of_buffers),
    cmocka_unit_test(a_datagram_too_long_for_thousands_of_buffers_fills_them),
    cmocka_unit_test(a_message_fills_thousands_of_buffers),
    cmocka_unit_test(overlapped_datagrams_fill_thousands_of_buffers),
    cmocka_unit_test(an_array_that_is_not_there_cannot_be_sent),
    cmocka_unit_test(an_array_that_is_not_there_makes_no_datagram),
    cmocka_unit_test(an_array_that_is_not_there_takes_nothing_from_a_stream),
    cmocka_unit_test(an_array_that_is_not_there_takes_no_datagram),
};

} // namespace

CONFORMANCE_GROUP(many_buffers, kCases);
