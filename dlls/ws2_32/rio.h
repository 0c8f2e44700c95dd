// Registered I/O: the extension functions that WSAID_MULTIPLE_RIO names.
//
//   RIOReceive, RIOSend ──> RequestQueue ──(a list)──> ntke: filter::submit
//                                            └ not its own ──> the worker: overlapped requests
//   RIODequeueCompletion <── CompletionQueue <──(a stack)── whoever ends the request
//
// ntke/registered.h has what both halves of ntke work on. Source: spec/RIO.md.
#pragma once

#include <atomic>

#include "afd/params.h"
#include "ntke/registered.h"
#include "sdk/registered_io.h"
#include "socket.h"

namespace ws2::rio {

/// The table of the functions.
sdk::RioTable functions();

/// The socket of a request queue has been closed. Gives up the socket's reference.
void end(RequestQueue& queue);

// --- Buffers. rio_buffer.cpp

sdk::RioBufferId register_buffer(char* data, DWORD length);
void deregister_buffer(sdk::RioBufferId id);
/// The memory of a piece of a registered buffer, and how long it is. Returns 0, WSAEFAULT (there is
/// no such buffer, or no piece) or WSAEINVAL (it is not within the buffer, or shorter than
/// `least`).
int resolve(const sdk::RioBuf* piece, ULONG least, char*& data, ULONG& length);

// --- Requests

/// Part of a RequestQueue from RIOReceive or RIOSend to RIODequeueCompletion.
struct Request : ntke::RegisteredRequest {
    RequestQueue* owner;
    ULONGLONG context; // the program's
    // What its end tells beside a RIORESULT; null: that is not wanted.
    sdk::RioControl* told_control;
    DWORD* told_flags;
    WSABUF control_room; // `control` is its address
    SOCKADDR_INET receiver; // `address` is its address
    bool drops_data; // a datagram is wanted for its addresses only
    char dropped; // the byte that is received then
};

inline Request* next_of(const Request& request)
{
    return static_cast<Request*>(ntke::registered_request_from(request.next));
}

/// Requests in a row, linked by `next`. Lock: the owner's.
class RequestList {
public:
    Request* first() const { return m_first; }
    void append(Request& request)
    {
        request.next = 0;
        if (m_first)
            m_last->next = afd::ptr64(&request);
        else
            m_first = &request;
        m_last = &request;
    }
    Request* take_first()
    {
        Request* const first = m_first;
        if (first)
            m_first = next_of(*first);
        return first;
    }
    Request* take_all() { return std::exchange(m_first, nullptr); }

private:
    Request* m_first = nullptr;
    Request* m_last = nullptr;
};

// --- Completion queues. rio_queue.cpp

/// Counterpart: RIO_CQ.
///
/// Owner: references: the program's, each request queue's, and that of whoever is about to notify.
/// Programs let one thread at a time dequeue; the lock makes misuse harmless.
class CompletionQueue {
public:
    /// The queue of a handle, null: it is none.
    static CompletionQueue* from(sdk::RioCq handle);
    sdk::RioCq handle() { return reinterpret_cast<sdk::RioCq>(this); }
    /// Returns 0 or a Winsock error.
    static int create(
        DWORD size, const sdk::RioNotification* notification, CompletionQueue*& queue);

    /// Makes room for so many completions more, or gives it back. False: there is none.
    bool reserve(uint64_t count);
    void unreserve(DWORD count);
    /// Returns 0 or a Winsock error.
    int resize(DWORD size);
    ULONG dequeue(sdk::RioResult* results, ULONG count);
    int request_notification();
    /// The program needs it no more; what ends there is dropped.
    void close();
    /// Drops what is there, if the queue is closed.
    void drop_if_closed();

    void reference() { m_references.fetch_add(1, std::memory_order_relaxed); }
    void dereference();
    ntke::RegisteredQueue& shared() { return m_shared; }
    /// Ends a request on this side.
    static void complete(Request& request, NTSTATUS status, ULONG_PTR information);

private:
    static constexpr uint32_t kSignature = 0x51434952; // RICQ

    explicit CompletionQueue(DWORD size)
        : m_size(size)
    {
    }
    int take_notification(const sdk::RioNotification& notification);
    /// `looks`: also at the sockets, if there is nothing and that is left to us.
    void take_completed(bool looks);
    Request* pop(bool looks);
    void notify();
    bool is_left_to_us() const;

    uint32_t m_signature = kSignature;
    std::atomic<uint32_t> m_references { 1 };
    ntke::RegisteredQueue m_shared {}; // `notifier` is set where ntke is on and there is one
    SrwLock m_lock; // guards what follows
    DWORD m_size;
    DWORD m_reserved = 0;
    bool m_is_closed = false;
    RequestList m_completed;
    DWORD m_audible = 0; // in m_completed
    // Whom it notifies; type 0: nobody. The handle in it is a duplicate.
    sdk::RioNotification m_notification {};
};

// --- Request queues. rio_request.cpp

/// The arguments of the functions that request something.
struct Call {
    const sdk::RioBuf* data;
    ULONG count;
    const sdk::RioBuf* local = nullptr;
    const sdk::RioBuf* remote = nullptr;
    const sdk::RioBuf* control = nullptr;
    const sdk::RioBuf* told_flags = nullptr;
    DWORD flags;
    void* context;
};

enum class Direction { kReceive, kSend };

/// One direction of a request queue. Lock: the queue's, but for `host`, which is the worker's.
struct Side {
    RequestQueue* owner = nullptr;
    CompletionQueue* completions = nullptr; // holds a reference
    DWORD most = 0; // requests outstanding
    std::atomic<DWORD> outstanding { 0 };
    RequestList deferred;

    /// What the worker has of it. rio_host.cpp
    struct Host {
        std::atomic<DWORD> count { 0 }; // requests that it has
        RequestList waiting; // guarded by the worker's lock
        Side* next_to_serve = nullptr; // this too
        bool is_to_serve = false; // and this
        // Of the request that runs. Only the worker's thread looks at it.
        Request* running = nullptr;
        ULONG done = 0; // bytes, of one that waits for all
        WSABUF buffer;
        IO_STATUS_BLOCK iosb;
    } host;
};

/// Counterpart: RIO_RQ.
///
/// Owner: references: the socket's and each outstanding request's. Lock: m_lock, held while
/// requests go down, which keeps their order.
class RequestQueue {
public:
    static RequestQueue* from(sdk::RioRq handle);
    sdk::RioRq handle() { return reinterpret_cast<sdk::RioRq>(this); }
    /// Makes the queue of a socket. Returns 0 or a Winsock error.
    static int create(SocketRef socket, DWORD most_receives, DWORD most_sends,
        CompletionQueue* receive_queue, CompletionQueue* send_queue, void* context,
        RequestQueue*& queue);

    /// These return 0 or a Winsock error.
    int request(Direction direction, const Call& call);
    int resize(DWORD most_receives, DWORD most_sends);
    void end();

    void reference() { m_references.fetch_add(1, std::memory_order_relaxed); }
    void dereference();
    /// A request has been dequeued.
    void give_back(Request& request);
    /// The socket with its handle; null: it has been closed.
    SocketRef open_socket() const;
    const Socket& socket() const { return *m_socket; }
    ULONGLONG context() const { return m_context; }
    bool is_ended() const { return m_is_ended.load(std::memory_order_relaxed); }
    Side& side(Direction direction) { return m_sides[static_cast<int>(direction)]; }

private:
    static constexpr uint32_t kSignature = 0x51524952; // RIRQ
    static constexpr DWORD kChunk = 32;
    struct Chunk {
        Chunk* next;
        Request requests[kChunk];
    };

    explicit RequestQueue(SocketRef socket)
        : m_socket(std::move(socket))
        , m_handle(socket_from_handle(m_socket->handle))
    {
        m_socket.release_handle();
    }
    ~RequestQueue();
    bool reserve(Side& side, DWORD most);
    int check(Socket& socket, Direction direction, const Call& call) const;
    int prepare(Socket& socket, Direction direction, const Call& call, Request& request);
    int take_receiver(const Socket& socket, const sdk::RioBuf& piece, Request& request);
    int take_rooms(Socket& socket, const Call& call, Request& request);
    int take_addresses(Socket& socket, Direction direction, const Call& call, Request& request);
    int take_control(Direction direction, const Call& call, Request& request);
    Request* allocate();
    void commit(Socket& socket, Direction direction);

    uint32_t m_signature = kSignature;
    std::atomic<uint32_t> m_references { 1 };
    SocketRef m_socket; // without its handle
    const SOCKET m_handle;
    ULONGLONG m_context = 0; // the program's
    std::atomic<bool> m_is_ended { false };
    Side m_sides[2];
    SrwLock m_lock;
    Chunk* m_chunks = nullptr;
    Request* m_free = nullptr;
    std::atomic<Request*> m_returned { nullptr }; // a stack of those that have been dequeued
};

// --- The worker. rio_host.cpp

/// Requests that ntke does not serve: a list, in order.
void submit_to_host(Side& side, Request* first);

} // namespace ws2::rio
