#include "fake_host_socket.h"

#include <cerrno>
#include <cstring>
#include <poll.h>

#include "afd/pump.h"
#include "afd/thread_pump.h"

namespace fake {

Socket network[kMostSockets];
bool is_watch_to_fail;

int free_descriptor()
{
    for (uint32_t i = 0; i < kMostSockets; ++i) {
        if (!network[i].is_open && !network[i].leaving)
            return static_cast<int>(i);
    }
    return -1;
}

void Socket::create(Kind socket_kind, Link socket_link)
{
    *this = Socket();
    is_open = true;
    kind = socket_kind;
    link = socket_link;
}

// --- The peer and the wire

void Socket::connect_ends(int connect_error)
{
    link = connect_error ? Link::Failed : Link::Open;
    error = connect_error;
    wake();
}

void Socket::data_arrives(uint32_t bytes)
{
    unread += bytes;
    received += bytes;
    wake();
}

void Socket::urgent_arrives()
{
    if (mark == 0 && !is_inline) // the next to be read: gone
        --unread;
    mark = static_cast<int32_t>(unread);
    is_urgent_unread = true;
    data_arrives(1);
}

void Socket::end_arrives()
{
    has_ended = true;
    ++received;
    wake();
}

void Socket::reset_arrives()
{
    was_reset = true;
    error = has_ended ? EPIPE : ECONNRESET;
    wake();
}

void Socket::peer_reads(uint32_t bytes)
{
    unsent -= bytes < unsent ? bytes : unsent;
    if (wants_room && has_room()) {
        wants_room = false;
        wake();
    }
}

void Socket::connection_arrives()
{
    ++queued;
    wake();
}

void Socket::datagram_arrives(uint32_t bytes)
{
    datagrams[queued++] = bytes;
    wake();
}

void Socket::error_arrives()
{
    error = ECONNREFUSED;
    wake();
}

// --- The host

void Socket::connect()
{
    link = Link::Connecting;
    error = 0;
}

void Socket::shut_down_sends()
{
    is_send_shut_down = true;
    wake();
}

void Socket::accept()
{
    --queued;
}

// --- What is true

bool Socket::has_data() const
{
    if (kind == Kind::Datagram)
        return queued || error;
    const bool is_mark_skipped = mark >= 0 && !is_inline;
    return unread > (is_mark_skipped ? 1u : 0u);
}

bool Socket::has_room() const
{
    if (kind == Kind::Datagram)
        return true;
    // Linux: a third of the buffer.
    return !was_reset && link == Link::Open && (kSpace - unsent) * 3 >= kSpace;
}

// --- Linux

bool Socket::is_dead() const
{
    return link == Link::Fresh || link == Link::Failed || was_reset
        || (has_ended && is_send_shut_down);
}

uint32_t Socket::ready()
{
    using namespace afd;
    const uint32_t error_bit = error ? kReadyError : 0u;
    switch (kind) {
    case Kind::Listener:
        return queued ? kReadyIn : 0u;
    case Kind::Datagram:
        return kReadyOut | error_bit | (queued ? kReadyIn : 0u);
    case Kind::Stream:
        break;
    }
    switch (link) {
    case Link::Fresh:
        return kReadyOut | kReadyHangUp;
    case Link::Connecting:
        return 0;
    case Link::Failed:
        return kReadyIn | kReadyOut | kReadyPeerEnd | kReadyHangUp | error_bit;
    case Link::Open:
        break;
    }
    uint32_t bits = error_bit;
    if (is_dead())
        bits |= kReadyHangUp;
    if (has_ended || is_dead())
        bits |= kReadyIn | kReadyPeerEnd;
    // The urgent byte alone is nothing to read when it is next.
    if (unread > (mark == 0 && !is_inline ? 1u : 0u))
        bits |= kReadyIn;
    if (mark >= 0 && is_urgent_unread)
        bits |= kReadyUrgent;
    if (is_send_shut_down || is_dead() || has_room())
        bits |= kReadyOut;
    else
        wants_room = true;
    return bits;
}

// --- epoll

uint32_t Socket::wanted() const
{
    using namespace afd;
    constexpr uint32_t kAlways = kReadyError | kReadyHangUp;
    return is_muted ? kAlways : kAlways | kReadyIn | kReadyUrgent | kReadyOut | kReadyPeerEnd;
}

void Socket::fetch()
{
    if (is_on_ready_list && !fetched)
        fetched = ready() & wanted();
    is_on_ready_list = false;
}

void Socket::tell()
{
    if (leaving) {
        leaving->on_ready(fetched);
        leaving->dereference();
        leaving = nullptr;
        fetched = 0;
    } else if (fetched) {
        const uint32_t bits = fetched;
        fetched = 0;
        watcher->on_ready(bits);
    }
}

} // namespace fake

namespace afd {

namespace {

constexpr uint32_t kMsgOob = 1;
constexpr uint32_t kMsgPeek = 2;

fake::Socket& at(int fd)
{
    return fake::network[fd];
}

NTSTATUS error_status(fake::Socket& socket)
{
    const int error = socket.error;
    socket.error = 0;
    return status_from_errno(error);
}

NTSTATUS receive_urgent(fake::Socket& socket, bool is_peek, size_t* received)
{
    if (socket.is_inline || socket.mark < 0 || !socket.is_urgent_unread)
        return STATUS_INVALID_PARAMETER;
    socket.is_urgent_unread = is_peek;
    *received = 1;
    return STATUS_SUCCESS;
}

NTSTATUS receive_datagram(
    fake::Socket& socket, uint64_t length, bool is_peek, bool is_bad, size_t* received)
{
    if (socket.error)
        return error_status(socket);
    if (!socket.queued)
        return STATUS_DEVICE_NOT_READY;
    const uint32_t size = socket.datagrams[0];
    if (!is_peek) { // also where it cannot be copied
        --socket.queued;
        memmove(socket.datagrams, socket.datagrams + 1, socket.queued * sizeof(uint32_t));
    }
    if (is_bad)
        return STATUS_ACCESS_VIOLATION;
    *received = length < size ? length : size;
    return length < size ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

void take(fake::Socket& socket, uint32_t bytes)
{
    socket.unread -= bytes;
    if (socket.mark < 0)
        return;
    socket.mark -= static_cast<int32_t>(bytes);
    if (socket.mark < 0)
        socket.mark = -1;
}

NTSTATUS receive_stream(
    fake::Socket& socket, uint64_t length, bool is_peek, bool is_bad, size_t* received)
{
    if (!length)
        return STATUS_SUCCESS;
    // Up to the mark, or from it; the urgent byte itself is skipped.
    uint64_t skipped = 0;
    uint64_t limit = socket.unread;
    if (socket.mark > 0)
        limit = static_cast<uint64_t>(socket.mark);
    else if (socket.mark == 0 && !socket.is_inline)
        skipped = 1;
    const uint64_t available = limit > skipped ? limit - skipped : 0;
    const uint64_t copied = length < available ? length : available;
    if (is_bad && copied)
        return STATUS_ACCESS_VIOLATION;
    if (!is_peek && limit)
        take(socket, static_cast<uint32_t>(copied + skipped));
    *received = copied;
    if (copied || socket.has_ended)
        return STATUS_SUCCESS;
    if (socket.error)
        return error_status(socket);
    return socket.is_dead() ? STATUS_SUCCESS : STATUS_DEVICE_NOT_READY;
}

} // namespace

NTSTATUS status_from_errno(int error)
{
    switch (error) {
    case 0:
        return STATUS_SUCCESS;
    case ECONNREFUSED:
        return STATUS_CONNECTION_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return STATUS_CONNECTION_RESET;
    case ETIMEDOUT:
        return STATUS_IO_TIMEOUT;
    default:
        return STATUS_UNSUCCESSFUL;
    }
}

void HostSocket::adopt(int fd)
{
    m_fd = fd;
}

void HostSocket::close()
{
    if (m_fd >= 0)
        at(m_fd).is_open = false;
    m_fd = -1;
}

NTSTATUS HostSocket::receive(const afd::Buffer* buffers, uint32_t count, uint32_t flags, Address*,
    size_t* received, Control*) const
{
    uint64_t length = 0;
    bool is_bad = false;
    for (uint32_t i = 0; i < count; ++i) {
        length += buffers[i].length;
        is_bad |= !buffers[i].data;
    }
    fake::Socket& socket = at(m_fd);
    const bool is_peek = flags & kMsgPeek;
    if (socket.kind == fake::Socket::Kind::Datagram)
        return receive_datagram(socket, length, is_peek, is_bad, received);
    if (flags & kMsgOob)
        return receive_urgent(socket, is_peek, received);
    return receive_stream(socket, length, is_peek, is_bad, received);
}

NTSTATUS HostSocket::send(const afd::Buffer* buffers, uint32_t count, uint32_t, const Address*,
    size_t* sent, const Control*)
{
    uint64_t length = 0;
    for (uint32_t i = 0; i < count; ++i)
        length += buffers[i].length;
    fake::Socket& socket = at(m_fd);
    if (socket.error)
        return error_status(socket);
    if (socket.kind == fake::Socket::Kind::Datagram) {
        *sent = length;
        return STATUS_SUCCESS;
    }
    if (socket.was_reset || socket.is_send_shut_down)
        return STATUS_CONNECTION_RESET;
    const uint64_t room = fake::kSpace - socket.unsent;
    const uint64_t taken = length < room ? length : room;
    socket.wants_room |= taken < length;
    if (!taken && length)
        return STATUS_DEVICE_NOT_READY;
    socket.unsent += static_cast<uint32_t>(taken);
    *sent = taken;
    return STATUS_SUCCESS;
}

uint32_t HostSocket::send_many(const Datagram*, uint32_t count)
{
    return at(m_fd).error ? 0 : count;
}

uint32_t HostSocket::ready_now() const
{
    return at(m_fd).ready();
}

uint32_t HostSocket::wait_ready(uint32_t wanted, uint32_t) const
{
    return at(m_fd).ready() & (wanted | kReadyError | kReadyHangUp);
}

uint32_t HostSocket::readable_bytes() const
{
    const fake::Socket& socket = at(m_fd);
    if (socket.kind == fake::Socket::Kind::Datagram)
        return socket.queued ? socket.datagrams[0] : 0;
    if (socket.mark >= 0 && !socket.is_inline)
        return static_cast<uint32_t>(socket.mark);
    return socket.unread;
}

HostSocket::TcpState HostSocket::tcp_state() const
{
    const fake::Socket& socket = at(m_fd);
    TcpState state;
    if (socket.is_dead())
        state.link = LinkState::Dead;
    else if (socket.has_ended)
        state.link = LinkState::PeerEnded;
    state.bytes_received = socket.received;
    state.queued_connections = socket.kind == fake::Socket::Kind::Listener ? socket.queued : 0;
    return state;
}

uint32_t HostSocket::queued_memory() const
{
    constexpr uint32_t kOverhead = 768;
    const fake::Socket& socket = at(m_fd);
    uint32_t memory = 0;
    for (uint32_t i = 0; i < socket.queued; ++i)
        memory += kOverhead + socket.datagrams[i];
    return memory;
}

NTSTATUS HostSocket::take_error()
{
    return error_status(at(m_fd));
}

bool HostSocket::is_at_mark() const
{
    return at(m_fd).mark == 0;
}

// What endpoints do not ask for in the model's world.

NTSTATUS HostSocket::create(int, int, int)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::share(const HostSocket&)
{
    return STATUS_NOT_SUPPORTED;
}

void HostSocket::replace_with(HostSocket&)
{
}

bool HostSocket::closes_with_reset() const
{
    return false;
}

NTSTATUS HostSocket::bind(const Address&)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::listen(int)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::connect(const Address&)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::accept(HostSocket&, Address*)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::local_name(Address&) const
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::peer_name(Address&) const
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::shutdown(int)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::get_option(int, int, void*, uint32_t*) const
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS HostSocket::set_option(int, int, const void*, uint32_t)
{
    return STATUS_NOT_SUPPORTED;
}

void HostSocket::tell_destinations(bool)
{
}

void HostSocket::pass_read_urgent() const
{
}

void HostSocket::pass_inline_urgent() const
{
    fake::Socket& socket = at(m_fd);
    if (socket.mark == 0 && !socket.is_urgent_unread)
        take(socket, 1);
}

bool HostSocket::has_peer_ended() const
{
    return at(m_fd).has_ended;
}

uint32_t HostSocket::datagram_bytes()
{
    return 0;
}

NTSTATUS HostSocket::drop_own_groups(bool, bool)
{
    return STATUS_NOT_SUPPORTED;
}

uint32_t HostSocket::unsent_bytes() const
{
    return 0;
}

bool HostSocket::is_broadcast(const Address&)
{
    return false;
}

short HostSocket::poll_events_from_ready(uint32_t ready)
{
    return static_cast<short>(ready);
}

uint32_t HostSocket::ready_from_poll_events(short events)
{
    return static_cast<uint32_t>(events);
}

int HostSocket::poll_many(pollfd* fds, uint32_t count, uint32_t)
{
    int ready = 0;
    for (uint32_t i = 0; i < count; ++i) {
        fds[i].revents
            = fds[i].fd < 0 ? short { 0 } : poll_events_from_ready(at(fds[i].fd).ready());
        ready += fds[i].revents != 0;
    }
    return ready;
}

void HostSocket::fail_next(FaultyCall, int, uint32_t)
{
}

bool HostSocket::is_fault_pending(FaultyCall)
{
    return false;
}

void HostSocket::clear_faults()
{
}

// --- The pump

Pump& Pump::instance()
{
    static constinit Pump pump;
    return pump;
}

NTSTATUS Pump::watch(Endpoint& endpoint)
{
    if (fake::is_watch_to_fail)
        return STATUS_INSUFFICIENT_RESOURCES;
    endpoint.reference();
    fake::Socket& socket = at(endpoint.socket().descriptor());
    socket.watcher = &endpoint;
    socket.is_muted = false;
    socket.is_on_ready_list = socket.ready() != 0;
    return STATUS_SUCCESS;
}

NTSTATUS Pump::watch_arrivals(Endpoint& endpoint)
{
    return watch(endpoint);
}

void Watcher::mute(Endpoint& endpoint)
{
    fake::Socket& socket = at(endpoint.socket().descriptor());
    socket.is_muted = true;
    socket.is_on_ready_list |= (socket.ready() & socket.wanted()) != 0;
}

void Watcher::unmute(Endpoint& endpoint)
{
    fake::Socket& socket = at(endpoint.socket().descriptor());
    socket.is_muted = false;
    socket.is_on_ready_list |= (socket.ready() & socket.wanted()) != 0;
}

void Watcher::watch_again(Endpoint&)
{
}

void Watcher::unwatch_for_now(Endpoint&)
{
}

void Pump::drain()
{
}

void Pump::unwatch(Endpoint& endpoint)
{
    fake::Socket& socket = at(endpoint.socket().descriptor());
    socket.watcher = nullptr;
    socket.is_on_ready_list = false;
    socket.leaving = &endpoint;
}

NTSTATUS Pump::run(int)
{
    return STATUS_SUCCESS;
}

void Pump::wake()
{
}

// Nobody waits.

ke::EventSource* ThreadPump::own()
{
    return nullptr;
}

NTSTATUS ThreadPump::add(Endpoint&)
{
    return STATUS_INSUFFICIENT_RESOURCES;
}

void ThreadPump::remove(Endpoint&)
{
}

} // namespace afd
