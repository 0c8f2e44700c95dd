// Request queues.
#include <algorithm>
#include <cstring>
#include <new>

#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "heap.h"
#include "name.h"
#include "rio.h"
#include "transfer.h"

namespace ws2::rio {

RequestQueue* RequestQueue::from(sdk::RioRq handle)
{
    auto* const queue = reinterpret_cast<RequestQueue*>(handle);
    uint32_t signature;
    const bool is_one
        = queue && guard::read(&queue->m_signature, signature) && signature == kSignature;
    return is_one ? queue : nullptr;
}

int RequestQueue::create(SocketRef socket, DWORD most_receives, DWORD most_sends,
    CompletionQueue* receive_queue, CompletionQueue* send_queue, void* context,
    RequestQueue*& queue)
{
    Socket& owner = *socket;
    if (owner.request_queue)
        return WSAEINVAL;
    void* const memory = heap_allocate(sizeof(RequestQueue));
    if (!memory)
        return WSAENOBUFS;
    auto* const created = new (memory) RequestQueue(std::move(socket));
    created->m_context = reinterpret_cast<ULONG_PTR>(context);
    const auto connect = [&](Direction direction, CompletionQueue* completions) {
        created->side(direction).owner = created;
        created->side(direction).completions = completions;
        completions->reference();
    };
    connect(Direction::kReceive, receive_queue);
    connect(Direction::kSend, send_queue);
    RequestQueue* none = nullptr;
    int error = 0;
    if (!created->reserve(created->side(Direction::kReceive), most_receives)
        || !created->reserve(created->side(Direction::kSend), most_sends))
        error = WSAENOBUFS;
    else if (!owner.request_queue.compare_exchange_strong(none, created))
        error = WSAEINVAL;
    if (error) {
        created->dereference();
        return error;
    }
    if (owner.closing && owner.request_queue.exchange(nullptr)) {
        created->end(); // which closesocket has not seen
        return WSAEINVAL;
    }
    queue = created;
    return 0;
}

RequestQueue::~RequestQueue()
{
    for (Side& side : m_sides) {
        side.completions->unreserve(side.most);
        side.completions->dereference();
    }
    while (m_chunks)
        heap_free(std::exchange(m_chunks, m_chunks->next));
}

void RequestQueue::dereference()
{
    if (m_references.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    m_signature = 0;
    this->~RequestQueue();
    heap_free(this);
}

bool RequestQueue::reserve(Side& side, DWORD most)
{
    if (!side.completions->reserve(most))
        return false;
    side.most = most;
    return true;
}

int RequestQueue::resize(DWORD most_receives, DWORD most_sends)
{
    if (!most_receives && !most_sends)
        return WSAEINVAL;
    const ExclusiveGuard guard(m_lock);
    const DWORD wanted[] = { most_receives, most_sends };
    int64_t more[2];
    for (int i = 0; i < 2; ++i) {
        if (wanted[i] < m_sides[i].outstanding)
            return WSAETOOMANYREFS;
        more[i] = int64_t { wanted[i] } - m_sides[i].most;
    }
    // What one direction gives back in a queue of both, the other one may take.
    if (m_sides[0].completions == m_sides[1].completions)
        more[0] += std::exchange(more[1], 0);
    if (more[0] > 0 && !m_sides[0].completions->reserve(static_cast<uint64_t>(more[0])))
        return WSAENOBUFS;
    if (more[1] > 0 && !m_sides[1].completions->reserve(static_cast<uint64_t>(more[1]))) {
        if (more[0] > 0)
            m_sides[0].completions->unreserve(static_cast<DWORD>(more[0]));
        return WSAENOBUFS;
    }
    for (int i = 0; i < 2; ++i) {
        if (more[i] < 0)
            m_sides[i].completions->unreserve(static_cast<DWORD>(-more[i]));
        m_sides[i].most = wanted[i];
    }
    return 0;
}

SocketRef RequestQueue::open_socket() const
{
    SocketRef socket = find_known_socket(m_handle);
    return socket && &*socket == &*m_socket ? std::move(socket) : SocketRef();
}

// --- The memory of requests

Request* RequestQueue::allocate()
{
    if (!m_free)
        m_free = m_returned.exchange(nullptr, std::memory_order_acquire);
    if (!m_free) {
        auto* const chunk = static_cast<Chunk*>(heap_allocate(sizeof(Chunk)));
        if (!chunk)
            return nullptr;
        chunk->next = std::exchange(m_chunks, chunk);
        for (Request& request : chunk->requests) {
            request.next = afd::ptr64(m_free);
            m_free = &request;
        }
    }
    return std::exchange(m_free, next_of(*m_free));
}

void RequestQueue::give_back(Request& request)
{
    side(request.flags & ntke::kRegisteredSend ? Direction::kSend : Direction::kReceive)
        .outstanding.fetch_sub(1, std::memory_order_relaxed);
    Request* first = m_returned.load(std::memory_order_relaxed);
    do {
        request.next = afd::ptr64(first);
    } while (!m_returned.compare_exchange_weak(first, &request, std::memory_order_acq_rel));
    dereference();
}

// --- A request on its way down

/// Only what has been deferred is to start. Returns false: something else was given, too.
static bool is_plain_commit(const Call& call)
{
    return call.flags == sdk::kRioCommitOnly && !call.data && !call.count && !call.local
        && !call.remote && !call.control && !call.told_flags && !call.context;
}

int RequestQueue::check(Socket& socket, Direction direction, const Call& call) const
{
    const bool is_receive = direction == Direction::kReceive;
    const DWORD known = sdk::kRioDontNotify | sdk::kRioDefer | (is_receive ? sdk::kRioWaitAll : 0);
    if (call.flags & ~known)
        return WSAEINVAL;
    if ((call.flags & sdk::kRioWaitAll) && !socket.is_stream())
        return WSAEINVAL;
    if (call.count != (call.data ? 1 : 0) || (!call.data && socket.is_stream()))
        return WSAEINVAL;
    if (!is_receive && call.local)
        return WSAEINVAL; // reserved
    if (is_unconnected_stream(socket))
        return WSAENOTCONN;
    if (socket.is_stream())
        return 0;
    if (!is_receive)
        return call.remote || socket.connected ? 0 : WSAENOTCONN;
    return is_bound(socket) ? 0 : WSAEINVAL;
}

/// A datagram's receiver is read at once; a stream's is known. [RIO/32]
int RequestQueue::take_receiver(const Socket& socket, const sdk::RioBuf& piece, Request& request)
{
    const int own_length = address_length(socket.family);
    char* name;
    ULONG length;
    if (const int error = resolve(&piece, static_cast<ULONG>(own_length), name, length))
        return error;
    if (socket.is_stream())
        return 0;
    SOCKADDR_STORAGE receiver;
    if (const int error
        = read_destination(socket, reinterpret_cast<const sockaddr*>(name), own_length, receiver))
        return error;
    std::memcpy(&request.receiver, &receiver, static_cast<size_t>(own_length));
    request.address = afd::ptr64(&request.receiver);
    request.address_length = own_length;
    return 0;
}

/// Of a stream both names are known by now; where a datagram comes from is told with it, and where
/// it was sent to by ntke alone.
int RequestQueue::take_rooms(Socket& socket, const Call& call, Request& request)
{
    const struct {
        const sdk::RioBuf* piece;
        ULONG code; // how a name is asked for
        uint64_t& room;
        int32_t& length;
    } names[] = { { call.remote, afd::kIoctlGetPeerName, request.address, request.address_length },
        { call.local, afd::kIoctlGetSockName, request.local, request.local_length } };
    for (const auto& name : names) {
        if (!name.piece)
            continue;
        char* room;
        ULONG length;
        const auto least = static_cast<ULONG>(address_length(socket.family));
        if (const int error
            = resolve(name.piece, std::max<ULONG>(sizeof(SOCKADDR_INET), least), room, length))
            return error; // [RIO/5]
        SOCKADDR_STORAGE known;
        int known_length;
        const bool is_known = (socket.is_stream() || name.code == afd::kIoctlGetSockName)
            && NT_SUCCESS(query_name(socket, name.code, known, known_length));
        if (is_known && !guard::copy(room, &known, static_cast<size_t>(known_length)))
            return WSAEFAULT;
        if (socket.is_stream())
            continue;
        name.room = afd::ptr64(room);
        name.length = sizeof(SOCKADDR_INET);
    }
    return 0;
}

int RequestQueue::take_addresses(
    Socket& socket, Direction direction, const Call& call, Request& request)
{
    request.address = request.local = 0;
    request.address_length = request.local_length = 0;
    if (direction == Direction::kReceive)
        return take_rooms(socket, call, request);
    return call.remote ? take_receiver(socket, *call.remote, request) : 0;
}

int RequestQueue::take_control(Direction direction, const Call& call, Request& request)
{
    request.control = 0;
    request.told_control = nullptr;
    request.told_flags = nullptr;
    request.control_room = {};
    char* data;
    ULONG length;
    const bool is_receive = direction == Direction::kReceive;
    if (call.told_flags) {
        if (const int error = resolve(call.told_flags, sizeof(DWORD), data, length))
            return error;
        request.told_flags = reinterpret_cast<DWORD*>(data);
    }
    if (!call.control)
        return 0;
    if (const int error = resolve(call.control, sdk::kRioControlBase, data, length))
        return error;
    auto* const control = reinterpret_cast<sdk::RioControl*>(data);
    if (is_receive) {
        request.told_control = control;
    } else {
        ULONG total;
        if (!guard::read(&control->total_length, total))
            return WSAEFAULT;
        if (total < sdk::kRioControlBase || total > length)
            return WSAEINVAL;
        length = total;
    }
    request.control_room = { length - sdk::kRioControlBase, data + sdk::kRioControlBase };
    if (request.control_room.len && !m_socket->is_stream())
        request.control = afd::ptr64(&request.control_room);
    else
        request.control_room.len = 0;
    return 0;
}

int RequestQueue::prepare(Socket& socket, Direction direction, const Call& call, Request& request)
{
    char* data = &request.dropped;
    ULONG length = direction == Direction::kReceive ? sizeof(request.dropped) : 0;
    if (call.data) {
        if (const int error = resolve(call.data, 0, data, length))
            return error;
    }
    if (const int error = take_addresses(socket, direction, call, request))
        return error;
    if (const int error = take_control(direction, call, request))
        return error;
    request.queue = afd::ptr64(&side(direction).completions->shared());
    request.data = afd::ptr64(data);
    request.length = length;
    request.flags = (direction == Direction::kSend ? ntke::kRegisteredSend : 0u)
        | (call.flags & sdk::kRioWaitAll ? ntke::kRegisteredWaitAll : 0u)
        | (call.flags & sdk::kRioDontNotify ? ntke::kRegisteredQuiet : 0u);
    if (!socket.is_stream() && direction == Direction::kReceive
        && (request.told_control || request.told_flags))
        request.flags |= ntke::kRegisteredTellsMessage;
    request.message_flags = 0;
    request.owner = this;
    request.context = reinterpret_cast<ULONG_PTR>(call.context);
    request.drops_data = !call.data && direction == Direction::kReceive;
    return 0;
}

int RequestQueue::request(Direction direction, const Call& call)
{
    const ExclusiveGuard guard(m_lock);
    SocketRef socket = open_socket();
    if (!socket || m_is_ended)
        return WSAEINVAL;
    if (call.flags & sdk::kRioCommitOnly) {
        if (!is_plain_commit(call))
            return WSAEINVAL;
        commit(*socket, direction);
        return 0;
    }
    if (const int error = check(*socket, direction, call))
        return error;
    Side& used = side(direction);
    if (used.outstanding.load(std::memory_order_relaxed) >= used.most)
        return WSAENOBUFS;
    Request* const request = allocate();
    if (!request)
        return WSAENOBUFS;
    if (const int error = prepare(*socket, direction, call, *request)) {
        request->next = afd::ptr64(m_free);
        m_free = request;
        return error;
    }
    reference();
    used.outstanding.fetch_add(1, std::memory_order_relaxed);
    used.deferred.append(*request);
    if (!(call.flags & sdk::kRioDefer))
        commit(*socket, direction);
    return 0;
}

/// Starts what has been collected. What the worker has already must stay in front.
void RequestQueue::commit(Socket& socket, Direction direction)
{
    Side& used = side(direction);
    Request* first = used.deferred.take_all();
    if (!first)
        return;
    if (direction == Direction::kSend && !socket.is_stream())
        bind_implicitly(socket);
    if (!used.host.count)
        first = static_cast<Request*>(filter::submit(socket, first));
    if (first)
        submit_to_host(used, first);
}

void end(RequestQueue& queue)
{
    queue.end();
}

/// The handle is closed: what was in the kernel has ended, or will.
void RequestQueue::end()
{
    {
        const ExclusiveGuard guard(m_lock);
        m_is_ended = true;
        for (Side& side : m_sides) {
            while (Request* request = side.deferred.take_first())
                CompletionQueue::complete(*request, STATUS_CANCELLED, 0);
        }
    }
    for (Side& side : m_sides) {
        side.completions->unreserve(std::exchange(side.most, 0));
        side.completions->drop_if_closed();
    }
    dereference();
}

} // namespace ws2::rio
