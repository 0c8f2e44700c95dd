// The sockets of the process.
#pragma once

#include <atomic>
#include <utility>

#include "lock.h"
#include "option_store.h"
#include "sdk.h"

namespace ws2 {

/// Everything ws2_32 knows of one socket handle. The socket itself is a file object of the kernel.
///
/// Owner: the socket table, plus a reference for every call that is about to use the handle. The
/// last reference closes the handle, so the value cannot be reused under a call that has looked the
/// socket up but not yet issued its request. A call that blocks must drop its reference before it
/// waits: closesocket has to reach the kernel to wake it. (Synchronous handles block inside the
/// kernel with the reference held; closesocket closes those at once.)
class Socket {
public:
    Socket(HANDLE handle, int family, int type, int protocol, DWORD flags)
        : handle(handle)
        , family(family)
        , type(type)
        , protocol(protocol)
        , flags(flags)
    {
    }

    const HANDLE handle;
    const int family;
    const int type;
    const int protocol;
    const DWORD flags; // WSA_FLAG_* of its creation; only OVERLAPPED and NO_HANDLE_INHERIT matter

    // What the process has done to the socket, as far as it must be known here. Another process
    // that shares the socket may have done more: the kernel has the last word.
    std::atomic<bool> nonblocking { false };
    std::atomic<bool> bound { false };
    std::atomic<bool> listening { false };
    std::atomic<bool> connect_pending { false }; // a non-blocking connect or ConnectEx was issued
    std::atomic<bool> connected { false }; // stream: known to be connected; datagram: has a peer
    std::atomic<bool> accept_pending { false }; // acceptor of an AcceptEx
    std::atomic<bool> shared { false }; // other handles may exist in this or another process
    std::atomic<bool> pended { false }; // an overlapped request has been left pending
    std::atomic<int> blocking_sends { 0 };

    bool is_overlapped() const { return flags & WSA_FLAG_OVERLAPPED; }
    bool is_stream() const { return type == SOCK_STREAM; }

    /// Names once they can no longer change. Guarded by `lock`; 0 length means unknown.
    struct Name {
        SOCKADDR_STORAGE address;
        int length = 0;
    };

    SrwLock lock;
    Name local_name;
    Name peer_name;
    int connect_error = 0; // what the last blocking connect failed with
    OptionStore options; // options that never reach the kernel; guarded by `lock`
    /// What SO_ERROR tells until a connect succeeds; guarded by `lock`. [getsockopt/8]
    int option_error = 0;
    /// Does an ICMP port unreachable fail a datagram socket's next receive? SIO_UDP_CONNRESET
    std::atomic<bool> reports_unreachable { true };

    /// Forgets the cached names, because the next request may change them.
    void forget_names();

private:
    friend class SocketRef;
    friend class SocketTable;
    friend void close_handle_now(Socket&);
    std::atomic<long> m_references { 2 }; // the table's and its maker's
    std::atomic<bool> m_handle_is_ours { true };

    ~Socket();
};

/// A reference to a socket; null when there is none.
class SocketRef {
public:
    SocketRef() = default;
    /// Takes over one reference.
    explicit SocketRef(Socket* socket)
        : m_socket(socket)
    {
    }
    SocketRef(SocketRef&& other) noexcept
        : m_socket(std::exchange(other.m_socket, nullptr))
    {
    }
    SocketRef& operator=(SocketRef&& other) noexcept
    {
        std::swap(m_socket, other.m_socket);
        return *this;
    }
    ~SocketRef() { release(); }

    /// Drops the reference early; the object must not be used afterwards.
    void release();

    Socket* operator->() const { return m_socket; }
    Socket& operator*() const { return *m_socket; }
    explicit operator bool() const { return m_socket; }

private:
    Socket* m_socket = nullptr;
};

/// Looks up the socket of a call: the process must have started Winsock (WSANOTINITIALISED) and
/// `socket` must be a socket (WSAENOTSOCK). On failure the last error is set and the result is null.
///
/// A handle the table does not know (inherited, duplicated, opened by hand) is asked what it is and
/// taken in if it is an AFD socket.
SocketRef find_socket(SOCKET socket);

/// Like find_socket, but knows only sockets that are in the table already and does not look at
/// whether Winsock was started. Sets no error.
SocketRef find_known_socket(SOCKET socket);

/// Puts a socket under its handle, replacing a stale one. From here the table owns the handle. Null
/// when memory is out; the handle is then still the caller's.
SocketRef insert_socket(HANDLE handle, int family, int type, int protocol, DWORD flags);

/// Takes the socket out of the table and drops the table's reference. False: it was not there.
bool remove_socket(SOCKET socket);

/// Takes out a socket whose handle the kernel no longer takes for one, without closing the handle.
void forget_stale_socket(Socket& socket);

/// Closes a socket: takes it out of the table, ends what would keep it alive in the kernel and drops
/// the table's reference. False: another thread closed it first.
bool close_socket(Socket& socket);

/// Closes the handle without waiting for the last reference.
void close_handle_now(Socket& socket);

/// Closes every socket of the table. For the last WSACleanup.
void close_all_sockets();

inline SOCKET socket_from_handle(HANDLE handle)
{
    return reinterpret_cast<SOCKET>(handle);
}

inline HANDLE handle_from_socket(SOCKET socket)
{
    return reinterpret_cast<HANDLE>(socket);
}

} // namespace ws2
