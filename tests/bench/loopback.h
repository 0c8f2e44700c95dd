#pragma once

// Sockets on 127.0.0.1 and their owners, for the benchmark and the stress programs.

// select on 1,000 sockets: the constant sizes fd_set at compile time.
#ifndef FD_SETSIZE
#define FD_SETSIZE 1024
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <cstddef>
#include <utility>

namespace bench {

/// Owns a SOCKET.
class UniqueSocket {
public:
    explicit UniqueSocket(SOCKET socket = INVALID_SOCKET)
        : m_socket(socket)
    {
    }
    UniqueSocket(UniqueSocket&& other) noexcept
        : m_socket(other.release())
    {
    }
    UniqueSocket& operator=(UniqueSocket&& other) noexcept
    {
        reset(other.release());
        return *this;
    }
    ~UniqueSocket() { reset(); }

    SOCKET get() const { return m_socket; }
    bool is_valid() const { return m_socket != INVALID_SOCKET; }
    SOCKET release() { return std::exchange(m_socket, INVALID_SOCKET); }
    void reset(SOCKET socket = INVALID_SOCKET)
    {
        if (m_socket != INVALID_SOCKET)
            closesocket(m_socket);
        m_socket = socket;
    }

private:
    SOCKET m_socket;
};

/// Owns a WSAEVENT.
class UniqueEvent {
public:
    explicit UniqueEvent(WSAEVENT event = WSA_INVALID_EVENT)
        : m_event(event)
    {
    }
    UniqueEvent(UniqueEvent&& other) noexcept
        : m_event(other.release())
    {
    }
    UniqueEvent& operator=(UniqueEvent&& other) noexcept
    {
        reset(other.release());
        return *this;
    }
    ~UniqueEvent() { reset(); }

    WSAEVENT get() const { return m_event; }
    bool is_valid() const { return m_event != WSA_INVALID_EVENT; }
    WSAEVENT release() { return std::exchange(m_event, WSA_INVALID_EVENT); }
    void reset(WSAEVENT event = WSA_INVALID_EVENT)
    {
        if (m_event != WSA_INVALID_EVENT)
            WSACloseEvent(m_event);
        m_event = event;
    }

private:
    WSAEVENT m_event;
};

/// 127.0.0.1 with `port` in host order.
sockaddr_in loopback_address(unsigned short port);

/// A TCP socket listening on 127.0.0.1 at a port the system chose; INVALID_SOCKET on failure.
/// `address` receives the name. Sockets get the overlapped attribute, as socket() gives it.
SOCKET listen_on_loopback(sockaddr_in& address);

/// A UDP socket bound to 127.0.0.1; `address` receives its name. INVALID_SOCKET on failure.
SOCKET bind_udp_on_loopback(sockaddr_in& address);

/// Two connected TCP sockets with TCP_NODELAY: `client` called connect, `server` came from accept.
/// With `listener` the connection goes through that socket, whose name is `address`.
bool connect_pair(UniqueSocket& client, UniqueSocket& server);
bool connect_pair(
    SOCKET listener, const sockaddr_in& address, UniqueSocket& client, UniqueSocket& server);

/// Closing `socket` resets the connection: no port stays in TIME_WAIT, of which there are only
/// some tens of thousands.
bool close_with_reset(SOCKET socket);

/// Blocking transfers of exactly `length` bytes. False on an error or the end of the stream.
bool send_all(SOCKET socket, const void* data, size_t length);
bool recv_all(SOCKET socket, void* data, size_t length);

/// Receives what is there, at most `length` bytes: their number, 0 at the end of the stream, or one
/// of the two constants.
ptrdiff_t recv_some(SOCKET socket, void* data, size_t length);
inline constexpr ptrdiff_t kRecvNothing = -1; // It would block.
inline constexpr ptrdiff_t kRecvFailed = -2;

bool set_nonblocking(SOCKET socket, bool nonblocking);

/// An extension function such as AcceptEx, or null.
template <typename Function> Function extension_function(SOCKET socket, GUID id)
{
    Function function = nullptr;
    DWORD returned = 0;
    if (WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &function,
            sizeof(function), &returned, nullptr, nullptr))
        return nullptr;
    return function;
}

} // namespace bench
