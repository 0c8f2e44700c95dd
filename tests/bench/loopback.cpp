#include "loopback.h"

namespace bench {

namespace {

/// Binds `socket` to a free port of 127.0.0.1 and asks for its name.
bool bind_to_loopback(SOCKET socket, sockaddr_in& address)
{
    address = loopback_address(0);
    int length = sizeof(address);
    return !bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address))
        && !getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
}

} // namespace

sockaddr_in loopback_address(unsigned short port)
{
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

SOCKET listen_on_loopback(sockaddr_in& address)
{
    UniqueSocket listener(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    if (!listener.is_valid() || !bind_to_loopback(listener.get(), address)
        || listen(listener.get(), SOMAXCONN))
        return INVALID_SOCKET;
    return listener.release();
}

SOCKET bind_udp_on_loopback(sockaddr_in& address)
{
    UniqueSocket datagram(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
    if (!datagram.is_valid() || !bind_to_loopback(datagram.get(), address))
        return INVALID_SOCKET;
    return datagram.release();
}

bool connect_pair(UniqueSocket& client, UniqueSocket& server)
{
    sockaddr_in address;
    const UniqueSocket listener(listen_on_loopback(address));
    return listener.is_valid() && connect_pair(listener.get(), address, client, server);
}

bool connect_pair(
    SOCKET listener, const sockaddr_in& address, UniqueSocket& client, UniqueSocket& server)
{
    client.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    if (!client.is_valid()
        || connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
        return false;
    server.reset(accept(listener, nullptr, nullptr));
    if (!server.is_valid())
        return false;
    const BOOL on = TRUE;
    for (const SOCKET socket : { client.get(), server.get() }) {
        if (setsockopt(
                socket, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof(on)))
            return false;
    }
    return true;
}

bool close_with_reset(SOCKET socket)
{
    const linger hard = { 1, 0 };
    const bool is_hard = !setsockopt(
        socket, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&hard), sizeof(hard));
    return !closesocket(socket) && is_hard;
}

bool send_all(SOCKET socket, const void* data, size_t length)
{
    const char* next = static_cast<const char*>(data);
    while (length) {
        const int sent = send(socket, next, static_cast<int>(length), 0);
        if (sent <= 0)
            return false;
        next += sent;
        length -= static_cast<size_t>(sent);
    }
    return true;
}

bool recv_all(SOCKET socket, void* data, size_t length)
{
    char* next = static_cast<char*>(data);
    while (length) {
        const int received = recv(socket, next, static_cast<int>(length), 0);
        if (received <= 0)
            return false;
        next += received;
        length -= static_cast<size_t>(received);
    }
    return true;
}

ptrdiff_t recv_some(SOCKET socket, void* data, size_t length)
{
    const int received = recv(socket, static_cast<char*>(data), static_cast<int>(length), 0);
    if (received >= 0)
        return received;
    return WSAGetLastError() == WSAEWOULDBLOCK ? kRecvNothing : kRecvFailed;
}

bool set_nonblocking(SOCKET socket, bool nonblocking)
{
    u_long value = nonblocking;
    return !ioctlsocket(socket, static_cast<long>(FIONBIO), &value);
}

} // namespace bench
