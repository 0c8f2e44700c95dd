#pragma once

// Descriptors and loopback sockets of the native program.

#include <netinet/in.h>
#include <cstddef>
#include <utility>

namespace bench {

/// Owns a descriptor.
class UniqueDescriptor {
public:
    explicit UniqueDescriptor(int descriptor = -1)
        : m_descriptor(descriptor)
    {
    }
    UniqueDescriptor(UniqueDescriptor&& other) noexcept
        : m_descriptor(other.release())
    {
    }
    UniqueDescriptor& operator=(UniqueDescriptor&& other) noexcept
    {
        reset(other.release());
        return *this;
    }
    ~UniqueDescriptor() { reset(); }

    int get() const { return m_descriptor; }
    bool is_valid() const { return m_descriptor >= 0; }
    int release() { return std::exchange(m_descriptor, -1); }
    void reset(int descriptor = -1);

private:
    int m_descriptor;
};

/// Sockets on 127.0.0.1 at a port the system chose; -1 on failure. `address` receives the name.
int listen_on_loopback(sockaddr_in& address);
int bind_udp_on_loopback(sockaddr_in& address);

/// Two connected TCP sockets with TCP_NODELAY.
bool connect_pair(UniqueDescriptor& client, UniqueDescriptor& server);
bool connect_pair(
    int listener, const sockaddr_in& address, UniqueDescriptor& client, UniqueDescriptor& server);

/// Closing `socket` resets the connection: no port stays in TIME_WAIT.
bool close_with_reset(int socket);

/// Blocking transfers of exactly `length` bytes. False on an error or the end of the stream.
bool send_all(int socket, const void* data, size_t length);
bool recv_all(int socket, void* data, size_t length);

/// Receives what is there, at most `length` bytes: their number, 0 at the end of the stream, or one
/// of the two constants.
ptrdiff_t recv_some(int socket, void* data, size_t length);
inline constexpr ptrdiff_t kRecvNothing = -1; // It would block.
inline constexpr ptrdiff_t kRecvFailed = -2;

bool set_nonblocking(int socket, bool nonblocking);

/// A new epoll instance that watches `descriptor` for input, edge-triggered; invalid on failure.
UniqueDescriptor watch_input(int descriptor);

} // namespace bench
