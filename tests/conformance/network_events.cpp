#include "network_events.h"

#include <vector>

namespace conformance {

void select_events(SOCKET socket, WSAEVENT event, long mask, Where where)
{
    if (WSAEventSelect(socket, event, mask) != 0)
        fail_at(where, "WSAEventSelect failed with %d", WSAGetLastError());
}

void select_nothing(SOCKET socket, Where where)
{
    select_events(socket, nullptr, 0, where);
}

long enumerate(SOCKET socket, WSAEVENT event, WSANETWORKEVENTS* record, Where where)
{
    WSANETWORKEVENTS local = {};
    if (!record)
        record = &local;
    if (WSAEnumNetworkEvents(socket, event, record) != 0)
        fail_at(where, "WSAEnumNetworkEvents failed with %d", WSAGetLastError());
    return record->lNetworkEvents;
}

void assert_events(SOCKET socket, WSAEVENT event, long expected, int code, Where where)
{
    for (long reported = 0; (reported & expected) != expected;) {
        const DWORD result = WSAWaitForMultipleEvents(1, &event, FALSE, kEventLimit, FALSE);
        if (result != WSA_WAIT_EVENT_0)
            fail_at(where, "events %#lx were reported, %#lx did not come", reported, expected);
        WSANETWORKEVENTS record = {};
        const long now = enumerate(socket, event, &record, where);
        reported |= now;
        if (reported & ~expected)
            fail_at(where, "events %#lx were reported, only %#lx expected", reported, expected);
        for (int bit = 0; bit < FD_MAX_EVENTS; ++bit) {
            if ((now & (1 << bit)) && record.iErrorCode[bit] != code)
                fail_at(where, "event %#x has code %d", 1 << bit, record.iErrorCode[bit]);
        }
    }
}

void assert_no_events(SOCKET socket, WSAEVENT event, Where where)
{
    let_it_settle();
    const long reported = enumerate(socket, event, nullptr, where);
    if (reported)
        fail_at(where, "events %#lx were reported, none expected", reported);
}

void take_first_events(SOCKET socket, WSAEVENT event, Where where)
{
    const DWORD result = WSAWaitForMultipleEvents(1, &event, FALSE, kEventLimit, FALSE);
    if (result != WSA_WAIT_EVENT_0)
        fail_at(where, "FD_WRITE did not come");
    const long reported = enumerate(socket, event, nullptr, where);
    if ((reported & ~FD_CONNECT) != FD_WRITE)
        fail_at(where, "events %#lx were reported instead of FD_WRITE", reported);
}

void start_connect(SOCKET client, const sockaddr_storage& address, int length)
{
    if (connect(client, reinterpret_cast<const sockaddr*>(&address), length) != 0)
        assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
}

size_t fill_send_buffer(SOCKET socket, Where where)
{
    static const char chunk[65536] = {};
    constexpr size_t kEnough = size_t(256) << 20;
    for (size_t total = 0; total < kEnough;) {
        const int sent = send(socket, chunk, sizeof(chunk), 0);
        if (sent > 0) {
            total += sent;
            continue;
        }
        if (WSAGetLastError() != WSAEWOULDBLOCK)
            fail_at(where, "send failed with %d", WSAGetLastError());
        return total;
    }
    fail_at(where, "the send buffer has no end");
}

void drain(SOCKET socket, size_t bytes, Where where)
{
    std::vector<char> chunk(65536);
    while (bytes) {
        wait_until_readable(socket, where);
        const int wanted = static_cast<int>(bytes < chunk.size() ? bytes : chunk.size());
        const int received = recv(socket, chunk.data(), wanted, 0);
        if (received <= 0)
            fail_at(where, "recv returned %d with error %d", received, WSAGetLastError());
        bytes -= received;
    }
}

int refusing_address(sockaddr_storage* address, Where where)
{
    const SOCKET socket = tcp_socket(AF_INET, where);
    bind_to_loopback(socket, AF_INET, where);
    const int length = loopback_address(AF_INET, local_port(socket, where), address);
    close_owned(socket, where);
    return length;
}

} // namespace conformance
