#include "descriptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>

namespace bench {

namespace {

int bound_socket(int type, sockaddr_in& address)
{
    UniqueDescriptor socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address))
        || getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length))
        return -1;
    return socket.release();
}

} // namespace

void UniqueDescriptor::reset(int descriptor)
{
    if (m_descriptor >= 0)
        close(m_descriptor);
    m_descriptor = descriptor;
}

int listen_on_loopback(sockaddr_in& address)
{
    UniqueDescriptor listener(bound_socket(SOCK_STREAM, address));
    return listen(listener.get(), SOMAXCONN) ? -1 : listener.release();
}

int bind_udp_on_loopback(sockaddr_in& address)
{
    return bound_socket(SOCK_DGRAM, address);
}

bool connect_pair(UniqueDescriptor& client, UniqueDescriptor& server)
{
    sockaddr_in address;
    const UniqueDescriptor listener(listen_on_loopback(address));
    return connect_pair(listener.get(), address, client, server);
}

bool connect_pair(
    int listener, const sockaddr_in& address, UniqueDescriptor& client, UniqueDescriptor& server)
{
    client.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
        return false;
    server.reset(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    const int on = 1;
    return server.is_valid() && !setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))
        && !setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool close_with_reset(int socket)
{
    const linger hard = { 1, 0 };
    const bool is_hard = !setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    return !close(socket) && is_hard;
}

bool send_all(int socket, const void* data, size_t length)
{
    const char* next = static_cast<const char*>(data);
    while (length) {
        const ssize_t sent = send(socket, next, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        next += sent;
        length -= static_cast<size_t>(sent);
    }
    return true;
}

bool recv_all(int socket, void* data, size_t length)
{
    char* next = static_cast<char*>(data);
    while (length) {
        const ssize_t received = recv(socket, next, length, 0);
        if (received <= 0)
            return false;
        next += received;
        length -= static_cast<size_t>(received);
    }
    return true;
}

ptrdiff_t recv_some(int socket, void* data, size_t length)
{
    const ssize_t received = recv(socket, data, length, 0);
    if (received >= 0)
        return received;
    return errno == EAGAIN ? kRecvNothing : kRecvFailed;
}

bool set_nonblocking(int socket, bool nonblocking)
{
    return !fcntl(socket, F_SETFL, nonblocking ? O_NONBLOCK : 0);
}

UniqueDescriptor watch_input(int descriptor)
{
    UniqueDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, descriptor, &event))
        epoll.reset();
    return epoll;
}

} // namespace bench
