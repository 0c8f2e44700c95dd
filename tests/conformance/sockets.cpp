#include "sockets.h"

#include <cstring>

namespace conformance {

RoutineCall routine_call;

void CALLBACK record_completion(
    DWORD error, DWORD transferred, WSAOVERLAPPED* overlapped, DWORD flags)
{
    routine_call
        = { routine_call.calls + 1, error, transferred, overlapped, flags, GetCurrentThreadId() };
}

namespace {

SOCKET new_socket(int family, int type, const Where& where)
{
    const SOCKET result = socket(family, type, 0);
    if (result == INVALID_SOCKET)
        fail_at(where, "socket failed with %d", WSAGetLastError());
    return owned(result);
}

} // namespace

bool has_ipv6()
{
    const SOCKET probe = socket(AF_INET6, SOCK_DGRAM, 0);
    if (probe == INVALID_SOCKET)
        return false;
    sockaddr_storage address;
    const int length = loopback_address(AF_INET6, 0, &address);
    const bool works = bind(probe, reinterpret_cast<sockaddr*>(&address), length) == 0;
    closesocket(probe);
    return works;
}

int loopback_address(int family, unsigned short port, sockaddr_storage* address)
{
    memset(address, 0, sizeof(*address));
    if (family == AF_INET6) {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(address);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        v6->sin6_addr.s6_addr[15] = 1;
        return sizeof(*v6);
    }
    auto* v4 = reinterpret_cast<sockaddr_in*>(address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(*v4);
}

int mapped_loopback(unsigned short port, sockaddr_storage* address)
{
    constexpr unsigned char kMapped[16]
        = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1 };
    const int length = loopback_address(AF_INET6, port, address);
    memcpy(&reinterpret_cast<sockaddr_in6*>(address)->sin6_addr, kMapped, sizeof(kMapped));
    return length;
}

SOCKET tcp_socket(int family, Where where)
{
    return new_socket(family, SOCK_STREAM, where);
}

SOCKET udp_socket(int family, Where where)
{
    return new_socket(family, SOCK_DGRAM, where);
}

SOCKET raw_socket(int family, int protocol, Where where)
{
    const SOCKET raw = owned(socket(family, SOCK_RAW, protocol));
    if (raw == INVALID_SOCKET) {
        disown(raw);
        if (WSAGetLastError() != WSAEACCES)
            fail_at(where, "there is no raw socket: %d", WSAGetLastError());
        skip();
    }
    return raw;
}

void bind_to_loopback(SOCKET socket, int family, Where where)
{
    sockaddr_storage address;
    const int length = loopback_address(family, 0, &address);
    if (bind(socket, reinterpret_cast<sockaddr*>(&address), length) != 0)
        fail_at(where, "bind failed with %d", WSAGetLastError());
}

unsigned short local_port(SOCKET socket, Where where)
{
    sockaddr_storage address;
    int length = sizeof(address);
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        fail_at(where, "getsockname failed with %d", WSAGetLastError());
    return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

Listener new_listener(int family, Where where)
{
    Listener listener;
    listener.socket = tcp_socket(family, where);
    bind_to_loopback(listener.socket, family, where);
    if (listen(listener.socket, SOMAXCONN) != 0)
        fail_at(where, "listen failed with %d", WSAGetLastError());
    listener.address_length
        = loopback_address(family, local_port(listener.socket, where), &listener.address);
    return listener;
}

SOCKET connect_to(const Listener& listener, Where where)
{
    const SOCKET client = tcp_socket(listener.address.ss_family, where);
    if (connect(
            client, reinterpret_cast<const sockaddr*>(&listener.address), listener.address_length)
        != 0)
        fail_at(where, "connect failed with %d", WSAGetLastError());
    return client;
}

SOCKET accept_from(const Listener& listener, Where where)
{
    const SOCKET server = accept(listener.socket, nullptr, nullptr);
    if (server == INVALID_SOCKET)
        fail_at(where, "accept failed with %d", WSAGetLastError());
    return owned(server);
}

TcpPair new_tcp_pair(int family, Where where)
{
    const Listener listener = new_listener(family, where);
    TcpPair pair;
    pair.client = connect_to(listener, where);
    pair.server = accept_from(listener, where);
    close_owned(listener.socket, where);
    return pair;
}

UdpPair new_udp_pair(int family, Where where)
{
    UdpPair pair { udp_socket(family, where), udp_socket(family, where) };
    bind_to_loopback(pair.a, family, where);
    bind_to_loopback(pair.b, family, where);
    sockaddr_storage address;
    int length = loopback_address(family, local_port(pair.b, where), &address);
    if (connect(pair.a, reinterpret_cast<sockaddr*>(&address), length) != 0)
        fail_at(where, "connect failed with %d", WSAGetLastError());
    length = loopback_address(family, local_port(pair.a, where), &address);
    if (connect(pair.b, reinterpret_cast<sockaddr*>(&address), length) != 0)
        fail_at(where, "connect failed with %d", WSAGetLastError());
    return pair;
}

SOCKET open_duplicate(WSAPROTOCOL_INFOW& info)
{
    return WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
}

SOCKET duplicate_of(SOCKET socket, Where where)
{
    WSAPROTOCOL_INFOW info;
    if (WSADuplicateSocketW(socket, GetCurrentProcessId(), &info) != 0)
        fail_at(where, "WSADuplicateSocketW failed with %d", WSAGetLastError());
    const SOCKET result = open_duplicate(info);
    if (result == INVALID_SOCKET)
        fail_at(where, "opening the duplicate failed with %d", WSAGetLastError());
    return owned(result);
}

void set_nonblocking(SOCKET socket, bool nonblocking, Where where)
{
    u_long value = nonblocking;
    if (ioctlsocket(socket, FIONBIO, &value) != 0)
        fail_at(where, "FIONBIO failed with %d", WSAGetLastError());
}

void reset_connection(SOCKET socket, Where where)
{
    const linger abortive = { 1, 0 };
    if (setsockopt(socket, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&abortive),
            sizeof(abortive))
        != 0)
        fail_at(where, "SO_LINGER failed with %d", WSAGetLastError());
    close_owned(socket, where);
}

void send_text(SOCKET socket, const char* text, Where where)
{
    const int length = static_cast<int>(strlen(text));
    const int sent = send(socket, text, length, 0);
    if (sent != length)
        fail_at(where, "send returned %d with error %d", sent, WSAGetLastError());
}

void receive_exactly(SOCKET socket, char* buffer, int length, Where where)
{
    for (int received = 0; received < length;) {
        wait_until_readable(socket, where);
        const int result = recv(socket, buffer + received, length - received, 0);
        if (result <= 0)
            fail_at(where, "recv returned %d with error %d", result, WSAGetLastError());
        received += result;
    }
}

void wait_until_readable(SOCKET socket, Where where)
{
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(socket, &readable);
    timeval limit = { kHangLimit / 1000, 0 };
    const int result = select(0, &readable, nullptr, nullptr, &limit);
    if (result != 1)
        fail_at(where, "the socket did not become readable: select returned %d", result);
}

void wait_until_received(SOCKET socket, unsigned long bytes, Where where)
{
    assert_eventually(
        [&] {
            u_long available = 0;
            return ioctlsocket(socket, FIONREAD, &available) == 0 && available >= bytes;
        },
        where);
}

Operation* new_operation(WSAEVENT event)
{
    auto* operation = lasting<Operation>();
    operation->overlapped.hEvent = event;
    operation->buffer = { sizeof(operation->data), operation->data };
    operation->transferred = kPoison;
    return operation;
}

void* extension_function(SOCKET socket, GUID guid, Where where)
{
    void* function = nullptr;
    DWORD length = 0;
    if (WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &function,
            sizeof(function), &length, nullptr, nullptr)
        != 0)
        fail_at(where, "the extension function is not there: error %d", WSAGetLastError());
    return function;
}

} // namespace conformance
