// Receives into memory whose writes are watched: the data arrives, and the watch tells of it.

#include "extensions.h"
#include "network_events.h"
#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPages = 4;
constexpr int kLength = 2 * kPage + 100; // three pages of data

/// Memory that is written to for the first time by what receives into it.
char* watched_memory()
{
    void* memory = VirtualAlloc(
        nullptr, kPages * kPage, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
    assert_non_null(memory);
    return static_cast<char*>(memory);
}

void assert_written(char* memory, size_t pages)
{
    void* written[kPages];
    ULONG_PTR count = kPages;
    DWORD size;
    assert_int_equal(GetWriteWatch(0, memory, kPages * kPage, written, &count, &size), 0);
    assert_true(count >= pages);
    for (size_t i = 0; i < pages; ++i)
        assert_ptr_equal(written[i], memory + i * kPage);
}

void fill(char* data)
{
    for (int i = 0; i < kLength; ++i)
        data[i] = static_cast<char>(i * 7 + i / 256);
}

/// Checks the data, the watch, and frees the memory.
void assert_received(char* memory)
{
    char expected[kLength];
    fill(expected);
    assert_memory_equal(memory, expected, kLength);
    assert_written(memory, 3);
    VirtualFree(memory, 0, MEM_RELEASE);
}

void send_all_of_it(SOCKET socket)
{
    char data[kLength];
    fill(data);
    assert_int_equal(send(socket, data, kLength, 0), kLength);
}

void a_stream_arrives_in_watched_memory(void**) // [recv/17]
{
    const TcpPair pair = new_tcp_pair();
    char* const memory = watched_memory();
    send_all_of_it(pair.client);
    receive_exactly(pair.server, memory, kLength);
    assert_received(memory);
}

void a_stream_with_events_arrives_in_watched_memory(void**) // [recv/17]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    char* const memory = watched_memory();
    select_events(pair.server, event, FD_READ);
    send_all_of_it(pair.client);
    receive_exactly(pair.server, memory, kLength);
    assert_received(memory);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);
}

void a_datagram_arrives_in_watched_memory(void**) // [recv/17]
{
    const UdpPair pair = new_udp_pair();
    char* const memory = watched_memory();
    send_all_of_it(pair.a);
    assert_int_equal(recv(pair.b, memory, kPages * kPage, 0), kLength);
    assert_received(memory);
}

void a_datagrams_name_arrives_in_watched_memory(void**) // [recv/17]
{
    const UdpPair pair = new_udp_pair();
    char* const memory = watched_memory();
    auto* const name = reinterpret_cast<sockaddr_storage*>(memory);
    char* const names = watched_memory();
    auto* const length = reinterpret_cast<int*>(names);
    *length = sizeof(*name);
    char byte;
    assert_int_equal(send(pair.a, "x", 1, 0), 1);
    assert_int_equal(recvfrom(pair.b, &byte, 1, 0, reinterpret_cast<sockaddr*>(name), length), 1);
    assert_int_equal(name->ss_family, AF_INET);
    assert_written(memory, 1);
    VirtualFree(memory, 0, MEM_RELEASE);
    VirtualFree(names, 0, MEM_RELEASE);
}

void a_message_and_its_name_arrive_in_watched_memory(void**) // [recv/17]
{
    const UdpPair pair = new_udp_pair();
    char* const memory = watched_memory();
    char* const names = watched_memory();
    const auto recv_msg
        = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(pair.b, WSAID_WSARECVMSG));
    WSABUF buffer { kPages * kPage, memory };
    WSAMSG message {};
    message.name = reinterpret_cast<sockaddr*>(names);
    message.namelen = sizeof(sockaddr_in);
    message.lpBuffers = &buffer;
    message.dwBufferCount = 1;
    DWORD received = 0;
    send_all_of_it(pair.a);
    assert_wsa_ok(recv_msg(pair.b, &message, &received, nullptr, nullptr));
    assert_int_equal(received, kLength);
    assert_int_equal(message.name->sa_family, AF_INET);
    assert_received(memory);
    VirtualFree(names, 0, MEM_RELEASE);
}

void an_overlapped_receive_fills_watched_memory(void**) // [recv/17]
{
    const TcpPair pair = new_tcp_pair();
    char* const memory = watched_memory();
    Operation* operation = new_operation(new_event());
    operation->buffer = { kLength, memory };
    assert_wsa_fails(WSARecv(pair.server, &operation->buffer, 1, nullptr, &operation->flags,
                         &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    send_all_of_it(pair.client);
    assert_becomes_signaled(operation->overlapped.hEvent);
    // It may have ended with a part.
    const int first = static_cast<int>(operation->overlapped.InternalHigh);
    assert_true(first > 0);
    if (first < kLength)
        receive_exactly(pair.server, memory + first, kLength - first);
    assert_received(memory);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_stream_arrives_in_watched_memory),
    cmocka_unit_test(a_stream_with_events_arrives_in_watched_memory),
    cmocka_unit_test(a_datagram_arrives_in_watched_memory),
    cmocka_unit_test(a_datagrams_name_arrives_in_watched_memory),
    cmocka_unit_test(a_message_and_its_name_arrive_in_watched_memory),
    cmocka_unit_test(an_overlapped_receive_fills_watched_memory),
};

} // namespace

CONFORMANCE_GROUP(watched_memory, kCases);
