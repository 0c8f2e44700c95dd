// The sockets of the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "filter.h"
#include "gathered_file.h"
#include "lock.h"
#include "option_store.h"
#include "sdk.h"

namespace ntke {
struct Registration;
}

namespace ws2 {

namespace rio {
class RequestQueue;
}

/// Everything ws2_32 knows of one socket handle. The socket itself is a file object of the kernel.
///
/// Two counts keep it. Every SocketRef and the socket table hold the memory. The table, and each
/// SocketRef until release_handle(), hold the handle too: the last of them closes it, so that its
/// value cannot be reused under a call that has looked the socket up but not yet issued its
/// request. A call that waits lets go of the handle first, for closing it is what ends the wait.
/// (Calls on synchronous handles wait inside the kernel; closesocket ends those waits first.)
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
    const DWORD flags; // WSA_FLAG_* of its creation
    /// The number of the info of WSADuplicateSocket that the handle came from, or 0.
    std::atomic<DWORD> opened_by { 0 };

    // What the process has done to the socket, as far as it must be known here. Another process
    // that shares the socket may have done more: the kernel has the last word.
    std::atomic<bool> nonblocking { false };
    std::atomic<bool> bound { false };
    std::atomic<bool> listening { false };
    std::atomic<bool> connect_pending { false }; // a non-blocking connect or ConnectEx was issued
    std::atomic<bool> connected { false }; // stream: known to be connected; datagram: has a peer
    std::atomic<bool> needs_connect_context {
        false
    }; // ConnectEx, not yet SO_UPDATE_CONNECT_CONTEXT
    std::atomic<bool> needs_accept_context { false }; // AcceptEx, not yet SO_UPDATE_ACCEPT_CONTEXT
    std::atomic<bool> shared { false }; // other handles may exist in this or another process
    std::atomic<bool> pended { false }; // an overlapped request has been left pending
    std::atomic<bool> closing { false }; // out of the table, its handle about to close
    std::atomic<int> blocking_calls { 0 }; // requests that wait on the kernel, or are about to
    std::atomic<int> blocking_sends { 0 }; // the sends among them
    std::atomic<bool> blocking_connect_failed { false }; // the last connect, while it blocked
    std::atomic<bool> connect_failed {
        false
    }; // the last non-blocking connect, and no new one began
    std::atomic<bool> told_reset { false }; // stream: the program knows that the peer has reset it
    std::atomic<bool> accepted { false }; // connected by accept or AcceptEx
    std::atomic<bool> reusable { false }; // disconnected for another AcceptEx [DisconnectEx/6]

    FilterState filter; // what the emulation does for the socket
    /// Of registered I/O; holds a reference.
    std::atomic<rio::RequestQueue*> request_queue { nullptr };
    /// Of socket state notifications.
    std::atomic<ntke::Registration*> notification { nullptr };
    std::atomic<bool> notification_removed { false };

    bool is_overlapped() const { return flags & WSA_FLAG_OVERLAPPED; }
    bool is_stream() const { return type == SOCK_STREAM; }
    bool has_urgent_data() const { return is_stream() && family != AF_UNIX; }
    /// Is the socket ntke's, of which the host has but the handle?
    bool is_of_process() const { return family == AF_UNIX; }

    /// Names once they can no longer change. Guarded by `lock`; 0 length means unknown.
    struct Name {
        SOCKADDR_STORAGE address;
        int length = 0;
    };

    SrwLock lock;
    Name local_name;
    Name peer_name;
    Name connecting_to; // of the connect that is pending
    OptionStore options; // options that never reach the kernel; guarded by `lock`
    /// What SO_ERROR tells until a connect succeeds; guarded by `lock`. [getsockopt/8]
    int option_error = 0;
    /// Does an ICMP port unreachable fail a datagram socket's next receive? SIO_UDP_CONNRESET
    std::atomic<bool> reports_unreachable { true };

    SrwLock borrowing; // BorrowedOptions; taken before `lock`
    GatheredFiles gathered_files; // of TransmitPackets

    /// Forgets the cached names, because the next request may change them.
    void forget_names();

private:
    friend class SocketRef;
    friend class SocketTable;

    /// Counts of references: memory in the low half, handle in the high half.
    static constexpr uint64_t kMemory = 1;
    static constexpr uint64_t kHandle = uint64_t { 1 } << 32;
    // The table's and its maker's.
    std::atomic<uint64_t> m_references { 2 * (kMemory + kHandle) };
    std::atomic<bool> m_handle_is_ours { true };

    void reference() { m_references.fetch_add(kMemory + kHandle, std::memory_order_relaxed); }
    void dereference();
    void dereference_handle();
    void dereference_memory();
    void close_handle();
};
static_assert(sizeof(Socket) <= 896); // dlls/ntke/README.md, Memory

/// A reference to a socket; null when there is none.
class SocketRef {
public:
    SocketRef() = default;
    /// Takes over one reference.
    explicit SocketRef(Socket* socket)
        : m_socket(socket)
        , m_holds_handle(socket)
    {
    }
    SocketRef(SocketRef&& other) noexcept
        : m_socket(std::exchange(other.m_socket, nullptr))
        , m_holds_handle(std::exchange(other.m_holds_handle, false))
    {
    }
    SocketRef& operator=(SocketRef&& other) noexcept
    {
        std::swap(m_socket, other.m_socket);
        std::swap(m_holds_handle, other.m_holds_handle);
        return *this;
    }
    ~SocketRef()
    {
        if (!m_socket)
            return;
        if (m_holds_handle)
            m_socket->dereference();
        else
            m_socket->dereference_memory();
    }

    /// Lets go of the handle but not of the object. No request may be issued afterwards.
    void release_handle()
    {
        if (std::exchange(m_holds_handle, false))
            m_socket->dereference_handle();
    }

    Socket* operator->() const { return m_socket; }
    Socket& operator*() const { return *m_socket; }
    explicit operator bool() const { return m_socket; }

private:
    Socket* m_socket = nullptr;
    bool m_holds_handle = false;
};

/// Looks up the socket of a call: the process must have started Winsock (WSANOTINITIALISED) and
/// `socket` must be a socket (WSAENOTSOCK). On failure the last error is set and the result is
/// null.
///
/// A handle the table does not know (inherited, duplicated, opened by hand) is asked what it is and
/// taken in if it is an AFD socket.
SocketRef find_socket(SOCKET socket);

/// Like find_socket, but knows only sockets that are in the table already and does not look at
/// whether Winsock was started. Sets no error.
SocketRef find_known_socket(SOCKET socket);

/// Takes in a handle that the table does not know, if the kernel says that it is an AFD socket;
/// null otherwise, or when memory is out. `flags` are the WSA_FLAG_* of its creation where they are
/// known, else null: then the kernel is asked.
SocketRef adopt_socket(SOCKET socket, const DWORD* flags);

/// Puts a socket under its handle, replacing a stale one. From here the table owns the handle. Null
/// when memory is out; the handle is then still the caller's.
SocketRef insert_socket(HANDLE handle, int family, int type, int protocol, DWORD flags);

/// Takes out a socket whose handle the kernel no longer takes for one, without closing the handle.
void forget_stale_socket(Socket& socket);

/// Closes a socket: takes it out of the table, ends what would keep it alive in the kernel and
/// drops the table's reference. False: another thread closed it first.
bool close_socket(Socket& socket);

/// Closes every socket of the table. For the last WSACleanup.
void close_all_sockets();

/// Gives back the table's memory. For the end of a DLL that is freed, when no thread is in a call.
/// Sockets that the program has left open stay open: their handles are the program's.
void free_socket_table();

inline SOCKET socket_from_handle(HANDLE handle)
{
    return reinterpret_cast<SOCKET>(handle);
}

inline HANDLE handle_from_socket(SOCKET socket)
{
    return reinterpret_cast<HANDLE>(socket);
}

} // namespace ws2
