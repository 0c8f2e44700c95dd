#include "rio.h"

#include <cstring>

namespace conformance {

OVERLAPPED rio_overlapped;

static bool find_functions(SOCKET socket, sdk::RioTable& table)
{
    GUID guid = sdk::kMultipleRio;
    DWORD size = 0;
    table.size = sizeof(table);
    return !WSAIoctl(socket, sdk::kGetMultipleExtensionFunctionPointer, &guid, sizeof(guid), &table,
               sizeof(table), &size, nullptr, nullptr)
        && size == sizeof(table) && table.size == sizeof(table);
}

const sdk::RioTable& rio(Where where)
{
    static sdk::RioTable table;
    if (table.RIOReceive)
        return table;
    const SOCKET socket = udp_socket(AF_INET, where);
    if (!find_functions(socket, table))
        fail_at(where, "no registered I/O: error %d", WSAGetLastError());
    close_owned(socket);
    return table;
}

SOCKET rio_socket(int family, int type, Where where)
{
    const SOCKET socket
        = WSASocketW(family, type, 0, nullptr, 0, sdk::kFlagRegisteredIo | WSA_FLAG_OVERLAPPED);
    if (socket == INVALID_SOCKET)
        fail_at(where, "no socket for registered I/O: error %d", WSAGetLastError());
    return owned(socket);
}

static RioCq checked_queue(DWORD size, sdk::RioNotification* notification, const Where& where)
{
    const RioCq queue = rio(where).RIOCreateCompletionQueue(size, notification);
    if (!queue)
        fail_at(where, "no completion queue: error %d", WSAGetLastError());
    return queue;
}

RioCq new_rio_queue(DWORD size, Where where)
{
    return checked_queue(size, nullptr, where);
}

RioCq new_rio_queue_for(WSAEVENT event, Where where)
{
    sdk::RioNotification notification {};
    notification.type = sdk::kRioEvent;
    notification.event = { event, TRUE };
    return checked_queue(64, &notification, where);
}

RioCq new_rio_queue_for_port(HANDLE port, Where where)
{
    sdk::RioNotification notification {};
    notification.type = sdk::kRioPort;
    notification.port = { port, reinterpret_cast<void*>(kRioKey), &rio_overlapped };
    return checked_queue(64, &notification, where);
}

RioSlab new_slab(ULONG size, Where where)
{
    RioSlab slab { nullptr, static_cast<char*>(lasting_memory(size)), size };
    slab.id = rio(where).RIORegisterBuffer(slab.data, size);
    if (slab.id == sdk::invalid_rio_buffer())
        fail_at(where, "the buffer was not registered: error %d", WSAGetLastError());
    return slab;
}

RioRq new_request_queue(SOCKET socket, RioCq receives, RioCq sends, ULONG most, Where where)
{
    const RioRq requests = rio(where).RIOCreateRequestQueue(
        socket, most, 1, most, 1, receives, sends, reinterpret_cast<void*>(socket));
    if (!requests)
        fail_at(where, "no request queue: error %d", WSAGetLastError());
    return requests;
}

RioRq new_request_queue(SOCKET socket, RioCq queue, Where where)
{
    return new_request_queue(socket, queue, queue, 8, where);
}

/// Two sockets for registered I/O, connected to each other.
static void connect_pair(int family, int type, SOCKET& a, SOCKET& b, const Where& where)
{
    a = rio_socket(family, type, where);
    bind_to_loopback(a, family, where);
    sockaddr_storage address;
    if (type == SOCK_DGRAM) {
        b = rio_socket(family, type, where);
        bind_to_loopback(b, family, where);
        int length = loopback_address(family, local_port(b, where), &address);
        connect(a, reinterpret_cast<sockaddr*>(&address), length);
        length = loopback_address(family, local_port(a, where), &address);
        connect(b, reinterpret_cast<sockaddr*>(&address), length);
        return;
    }
    listen(a, 1);
    const SOCKET client = rio_socket(family, type, where);
    const int length = loopback_address(family, local_port(a, where), &address);
    if (connect(client, reinterpret_cast<sockaddr*>(&address), length))
        fail_at(where, "connect failed: error %d", WSAGetLastError());
    b = accept(a, nullptr, nullptr);
    if (b == INVALID_SOCKET)
        fail_at(where, "accept failed: error %d", WSAGetLastError());
    owned(b);
    close_owned(a);
    a = client;
}

RioPair new_rio_pair(int family, int type, RioCq queue, Where where)
{
    RioPair pair {};
    connect_pair(family, type, pair.a.socket, pair.b.socket, where);
    pair.a.queue = queue;
    pair.b.queue = new_rio_queue(64, where);
    for (RioPeer* peer : { &pair.a, &pair.b }) {
        peer->requests = new_request_queue(peer->socket, peer->queue, where);
        peer->slab = new_slab(4096, where);
    }
    return pair;
}

RioPair new_rio_pair(int family, int type, Where where)
{
    return new_rio_pair(family, type, new_rio_queue(64, where), where);
}

void rio_receive(
    const RioPeer& peer, ULONG offset, ULONG length, ULONG_PTR context, DWORD flags, Where where)
{
    RioBuf piece = peer.slab.piece(offset, length);
    if (!rio(where).RIOReceive(peer.requests, &piece, 1, flags, reinterpret_cast<void*>(context)))
        fail_at(where, "RIOReceive failed: error %d", WSAGetLastError());
}

void rio_send(
    const RioPeer& peer, ULONG offset, ULONG length, ULONG_PTR context, DWORD flags, Where where)
{
    RioBuf piece = peer.slab.piece(offset, length);
    if (!rio(where).RIOSend(peer.requests, &piece, 1, flags, reinterpret_cast<void*>(context)))
        fail_at(where, "RIOSend failed: error %d", WSAGetLastError());
}

void rio_send_text(const RioPeer& peer, ULONG offset, const char* text, ULONG_PTR context,
    DWORD flags, Where where)
{
    const auto length = static_cast<ULONG>(std::strlen(text));
    std::memcpy(peer.slab.data + offset, text, length);
    rio_send(peer, offset, length, context, flags, where);
}

RioResult next_result(RioCq queue, Where where)
{
    RioResult result {};
    const DWORD begin = GetTickCount();
    for (;;) {
        const ULONG number = rio(where).RIODequeueCompletion(queue, &result, 1);
        if (number == 1)
            return result;
        if (number)
            fail_at(where, "RIODequeueCompletion said %lu", number);
        if (GetTickCount() - begin > kHangLimit)
            fail_at(where, "no completion came");
        Sleep(1);
    }
}

void expect_result(RioCq queue, ULONG_PTR context, ULONG transferred, Where where)
{
    const RioResult result = next_result(queue, where);
    if (result.status || result.request_context != context || result.transferred != transferred)
        fail_at(where, "got status %ld, context %llx, %lu bytes", result.status,
            result.request_context, result.transferred);
}

void assert_no_result(RioCq queue, Where where)
{
    let_it_settle();
    RioResult result;
    const ULONG number = rio(where).RIODequeueCompletion(queue, &result, 1);
    if (number)
        fail_at(where, "RIODequeueCompletion said %lu", number);
}

} // namespace conformance
