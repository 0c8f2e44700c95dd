#include "afd/host_socket.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "afd/direct_calls.h"

namespace afd {

namespace {

// Winsock's numbers.
constexpr uint32_t kMsgOob = 1;
constexpr uint32_t kMsgPeek = 2;

static_assert(sizeof(Buffer) == sizeof(iovec));
static_assert(offsetof(Buffer, length) == offsetof(iovec, iov_len));

/// Injected faults, one word a kind: 0 none, else 1 + errno (1: a short transfer) and, above that,
/// how many calls go well before.
std::atomic<uint32_t> g_faults[static_cast<size_t>(HostSocket::FaultyCall::kCount)];
constexpr unsigned kCallsShift = 16;

/// Does a test want this call to fail? Then errno is set.
bool is_to_fail(HostSocket::FaultyCall call, bool* is_short = nullptr)
{
    std::atomic<uint32_t>& fault = g_faults[static_cast<size_t>(call)];
    uint32_t value = fault.load(std::memory_order_relaxed);
    if (!value) [[likely]]
        return false;
    uint32_t next;
    do {
        if (!value)
            return false;
        next = value >> kCallsShift ? value - (1u << kCallsShift) : 0;
    } while (!fault.compare_exchange_weak(value, next));
    if (next)
        return false;
    if (value == 1 && is_short)
        *is_short = true;
    if (value <= 1)
        return false;
    errno = static_cast<int>(value - 1);
    return true;
}

/// Repeats a call that a signal has interrupted.
template <typename Call> auto restarted(Call call)
{
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR)
            return result;
    }
}

/// A look at the queue that leaves it as it is.
template <typename Call> auto peeked(ke::Lock& lock, Call call)
{
    ke::LockGuard guard(lock);
    return restarted(call);
}

struct ErrorRow {
    int error;
    NTSTATUS status;
};

constexpr ErrorRow kErrors[] = {
    { EAGAIN, STATUS_DEVICE_NOT_READY },
    { EINPROGRESS, STATUS_PENDING },
    { EFAULT, STATUS_ACCESS_VIOLATION },
    { EBADF, STATUS_INVALID_HANDLE },
    { EINVAL, STATUS_INVALID_PARAMETER },
    { ENOPROTOOPT, STATUS_INVALID_PARAMETER },
    { ENOMEM, STATUS_NO_MEMORY },
    { ENOBUFS, STATUS_NO_MEMORY },
    { EACCES, STATUS_ACCESS_DENIED },
    { EPERM, STATUS_ACCESS_DENIED },
    { EMFILE, STATUS_TOO_MANY_OPENED_FILES },
    { ENFILE, STATUS_TOO_MANY_OPENED_FILES },
    { EADDRINUSE, STATUS_SHARING_VIOLATION },
    { EADDRNOTAVAIL, STATUS_INVALID_ADDRESS_COMPONENT },
    { EAFNOSUPPORT, STATUS_NOT_SUPPORTED },
    { EOPNOTSUPP, STATUS_NOT_SUPPORTED },
    { ENETDOWN, STATUS_NETWORK_BUSY },
    { EALREADY, STATUS_NETWORK_BUSY },
    { ENOTCONN, STATUS_INVALID_CONNECTION },
    { EDESTADDRREQ, STATUS_INVALID_CONNECTION },
    { EISCONN, STATUS_CONNECTION_ACTIVE },
    { ECONNRESET, STATUS_CONNECTION_RESET },
    { EPIPE, STATUS_CONNECTION_RESET },
    { ECONNREFUSED, STATUS_CONNECTION_REFUSED },
    { ECONNABORTED, STATUS_CONNECTION_ABORTED },
    { ENETUNREACH, STATUS_NETWORK_UNREACHABLE },
    { EHOSTUNREACH, STATUS_HOST_UNREACHABLE },
    { ETIMEDOUT, STATUS_IO_TIMEOUT },
    { EMSGSIZE, STATUS_BUFFER_OVERFLOW },
};

struct ReadyRow {
    uint32_t ready;
    short events;
};

constexpr ReadyRow kReadyRows[] = {
    { kReadyIn, POLLIN },
    { kReadyUrgent, POLLPRI },
    { kReadyOut, POLLOUT },
    { kReadyPeerEnd, POLLRDHUP },
    { kReadyHangUp, POLLHUP },
    { kReadyError, POLLERR },
};

void set_family(Address& address, uint16_t family)
{
    address.bytes[0] = static_cast<uint8_t>(family);
    address.bytes[1] = static_cast<uint8_t>(family >> 8);
}

/// The name of an AF_UNIX socket. One that was bound through its folder has a name that means
/// something else to everybody else, so it has none.
void name_from_linux(Address& address, uint32_t length)
{
    constexpr char kThroughFolder[] = "/proc/self/fd/";
    uint8_t* const path = address.bytes + sizeof(uint16_t);
    const bool is_through_folder = memcmp(path, kThroughFolder, sizeof(kThroughFolder) - 1) == 0;
    const uint32_t used = is_through_folder ? sizeof(uint16_t) : length;
    memset(address.bytes + used, 0, sizeof(address.bytes) - used);
    address.length = kUnixNameSize;
}

int message_flags(uint32_t flags)
{
    return MSG_DONTWAIT | MSG_NOSIGNAL | (flags & kMsgOob ? MSG_OOB : 0)
        | (flags & kMsgPeek ? MSG_PEEK : 0);
}

/// Makes a transfer one of a single byte.
void shorten(msghdr& message, iovec& one_byte)
{
    if (!message.msg_iovlen || !message.msg_iov->iov_len)
        return;
    one_byte = { message.msg_iov->iov_base, 1 };
    message.msg_iov = &one_byte;
    message.msg_iovlen = 1;
}

NTSTATUS status_of(int result)
{
    return result < 0 ? status_from_errno(errno) : STATUS_SUCCESS;
}

} // namespace

Address to_linux(const Address& address)
{
    Address result = address;
    if (result.family() == kFamilyInet6)
        set_family(result, AF_INET6);
    return result;
}

void from_linux(Address& address, uint32_t length)
{
    address.length = length;
    if (length < sizeof(uint16_t))
        return;
    if (address.family() == AF_INET6)
        set_family(address, kFamilyInet6);
    else if (address.family() == AF_UNIX)
        name_from_linux(address, length);
}

NTSTATUS status_from_errno(int error)
{
    for (const ErrorRow& row : kErrors) {
        if (row.error == error)
            return row.status;
    }
    return STATUS_UNSUCCESSFUL;
}

void HostSocket::fail_next(FaultyCall call, int error, uint32_t successes)
{
    g_faults[static_cast<size_t>(call)]
        = (static_cast<uint32_t>(error) + 1) | successes << kCallsShift;
}

bool HostSocket::is_fault_pending(FaultyCall call)
{
    return g_faults[static_cast<size_t>(call)] != 0;
}

void HostSocket::clear_faults()
{
    for (std::atomic<uint32_t>& fault : g_faults)
        fault = 0;
}

NTSTATUS HostSocket::create(int family, int type, int protocol)
{
    constexpr uint32_t kWinsockError = 0xC0010000;
    constexpr uint32_t kProtocolNotSupported = 10043;
    constexpr uint32_t kTypeNotSupported = 10044;
    constexpr uint32_t kFamilyNotSupported = 10047;
    constexpr uint32_t kAccess = 10013;
    constexpr uint32_t kTooManyFiles = 10024;

    const int linux_family = family == kFamilyInet6 ? AF_INET6 : family;
    if (family != kFamilyInet && family != kFamilyInet6 && family != kFamilyUnix)
        return static_cast<NTSTATUS>(kWinsockError | kFamilyNotSupported);
    const bool is_known_type = type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_RAW;
    if (!is_known_type || (family == kFamilyUnix && type != SOCK_STREAM))
        return static_cast<NTSTATUS>(kWinsockError | kTypeNotSupported);
    const int fd = is_to_fail(FaultyCall::Socket)
        ? -1
        : ::socket(linux_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (fd < 0) {
        switch (errno) {
        case EACCES:
        case EPERM:
            return static_cast<NTSTATUS>(kWinsockError | kAccess);
        case EMFILE:
        case ENFILE:
            return static_cast<NTSTATUS>(kWinsockError | kTooManyFiles);
        case ENOMEM:
        case ENOBUFS:
            return STATUS_NO_MEMORY;
        default:
            return static_cast<NTSTATUS>(kWinsockError | kProtocolNotSupported);
        }
    }
    close();
    m_fd = fd;
    if (family == kFamilyInet6) {
        const int on = 1; // Windows' default
        set_option(IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    return STATUS_SUCCESS;
}

NTSTATUS HostSocket::share(const HostSocket& other)
{
    const int fd = fcntl(other.m_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return status_from_errno(errno);
    close();
    m_fd = fd;
    return STATUS_SUCCESS;
}

void HostSocket::replace_with(HostSocket& other)
{
    restarted([&] { return ::dup3(other.m_fd, m_fd, O_CLOEXEC); });
    other.close();
}

void HostSocket::adopt(int fd)
{
    close();
    m_fd = fd;
}

void HostSocket::close()
{
    if (m_fd >= 0)
        ::close(m_fd);
    m_fd = -1;
}

NTSTATUS HostSocket::receive(const Buffer* buffers, uint32_t count, uint32_t flags, Address* from,
    size_t* received, Control* control) const
{
    // A length that no buffer can have: Linux would take the part that is there. [recv/9]
    if (total_length(buffers, count) > INT32_MAX)
        return STATUS_ACCESS_VIOLATION;
    msghdr message {};
    iovec one_byte;
    message.msg_iov = reinterpret_cast<iovec*>(const_cast<Buffer*>(buffers));
    message.msg_iovlen = count;
    if (from) {
        message.msg_name = from->bytes;
        message.msg_namelen = sizeof(from->bytes);
    }
    if (control) {
        message.msg_control = control->bytes;
        message.msg_controllen = sizeof(control->bytes);
    }
    const auto attempt = [&]() -> ssize_t {
        bool is_short = false;
        if (is_to_fail(FaultyCall::Receive, &is_short))
            return -1;
        if (is_short)
            shorten(message, one_byte);
        return direct::recvmsg(m_fd, &message, message_flags(flags));
    };
    const ssize_t result = flags & kMsgPeek ? peeked(m_peek_lock, attempt) : restarted(attempt);
    if (result < 0)
        return status_from_errno(errno);
    *received = static_cast<size_t>(result);
    if (from)
        from_linux(*from, message.msg_namelen);
    if (control)
        control->length = message.msg_controllen;
    return message.msg_flags & MSG_TRUNC ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

void HostSocket::tell_destinations(bool is_inet6)
{
    const int on = 1;
    set_option(IPPROTO_IP, kDestination, &on, sizeof(on));
    if (is_inet6)
        set_option(IPPROTO_IPV6, kDestination6, &on, sizeof(on));
}

bool HostSocket::is_broadcast(const Address& address)
{
    HostSocket probe;
    if (!NT_SUCCESS(probe.create(kFamilyInet, SOCK_DGRAM, 0)))
        return false;
    // What needs SO_BROADCAST is one.
    const bool is_refused = probe.connect(address) == STATUS_ACCESS_DENIED;
    probe.close();
    return is_refused;
}

NTSTATUS HostSocket::send(const Buffer* buffers, uint32_t count, uint32_t flags, const Address* to,
    size_t* sent, const Control* control)
{
    msghdr message {};
    iovec one_byte;
    Address name;
    message.msg_iov = reinterpret_cast<iovec*>(const_cast<Buffer*>(buffers));
    message.msg_iovlen = count;
    if (to) {
        name = to_linux(*to);
        message.msg_name = name.bytes;
        message.msg_namelen = name.length;
    }
    if (control) {
        message.msg_control = const_cast<uint8_t*>(control->bytes);
        message.msg_controllen = control->length;
    }
    const ssize_t result = restarted([&]() -> ssize_t {
        bool is_short = false;
        if (is_to_fail(FaultyCall::Send, &is_short))
            return -1;
        if (is_short)
            shorten(message, one_byte);
        return direct::sendmsg(m_fd, &message, message_flags(flags & kMsgOob));
    });
    if (result < 0)
        return status_from_errno(errno);
    *sent = static_cast<size_t>(result);
    return STATUS_SUCCESS;
}

short HostSocket::poll_events_from_ready(uint32_t ready)
{
    short events = 0;
    for (const ReadyRow& row : kReadyRows) {
        if (ready & row.ready)
            events = static_cast<short>(events | row.events);
    }
    return events;
}

uint32_t HostSocket::ready_from_poll_events(short events)
{
    uint32_t ready = 0;
    for (const ReadyRow& row : kReadyRows) {
        if (events & row.events)
            ready |= row.ready;
    }
    return ready;
}

int HostSocket::poll_many(pollfd* fds, uint32_t count, uint32_t microseconds)
{
    if (is_to_fail(FaultyCall::Poll))
        return 0;
    if (!microseconds) { // the cheaper call
        const int ready = direct::poll(fds, count, 0);
        return ready < 0 ? 0 : ready;
    }
    timespec time { static_cast<time_t>(microseconds / 1000000),
        static_cast<long>(microseconds % 1000000) * 1000 };
    const int ready = direct::ppoll(fds, count, &time);
    return ready < 0 ? 0 : ready;
}

uint32_t HostSocket::ready_now() const
{
    return wait_ready(kAllReady, 0);
}

uint32_t HostSocket::wait_ready(uint32_t wanted, uint32_t microseconds) const
{
    pollfd entry { m_fd, poll_events_from_ready(wanted), 0 };
    if (poll_many(&entry, 1, microseconds) <= 0)
        return 0;
    return ready_from_poll_events(entry.revents);
}

uint32_t HostSocket::readable_bytes() const
{
    int bytes = 0;
    return ::ioctl(m_fd, SIOCINQ, &bytes) < 0 ? 0 : static_cast<uint32_t>(bytes);
}

uint32_t HostSocket::datagram_bytes()
{
    constexpr size_t kMost = 32; // a call
    constexpr int kFront = 0;
    constexpr int kOff = -1;
    ke::LockGuard guard(m_peek_lock);
    // From here on each peek sees what is behind the last one.
    if (!NT_SUCCESS(set_option(SOL_SOCKET, SO_PEEK_OFF, &kFront, sizeof(kFront))))
        return readable_bytes(); // a raw socket
    uint32_t bytes = 0;
    for (int found = kMost; found == kMost;) {
        mmsghdr messages[kMost] {};
        found = direct::recvmmsg(m_fd, messages, kMost, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        for (int i = 0; i < found; ++i)
            bytes += messages[i].msg_len;
    }
    set_option(SOL_SOCKET, SO_PEEK_OFF, &kOff, sizeof(kOff));
    return bytes;
}

bool HostSocket::is_at_mark() const
{
    int at_mark = 0;
    return ::ioctl(m_fd, SIOCATMARK, &at_mark) == 0 && at_mark;
}

void HostSocket::pass_read_urgent() const
{
    uint8_t byte;
    // Linux passes over it when it looks for data behind it.
    if (is_at_mark() && ::recv(m_fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) <= 0)
        static_cast<void>(::recv(m_fd, &byte, sizeof(byte), MSG_DONTWAIT));
}

void HostSocket::pass_inline_urgent() const
{
    uint8_t byte;
    // One that was not read is still told of.
    if (is_at_mark() && !(ready_now() & kReadyUrgent))
        static_cast<void>(::recv(m_fd, &byte, sizeof(byte), MSG_DONTWAIT));
}

uint32_t HostSocket::unsent_bytes() const
{
    int bytes = 0;
    return ::ioctl(m_fd, SIOCOUTQ, &bytes) < 0 ? 0 : static_cast<uint32_t>(bytes);
}

HostSocket::TcpState HostSocket::tcp_state() const
{
    constexpr uint8_t kTcpClose = 7;
    constexpr uint8_t kTcpCloseWait = 8;
    tcp_info info {};
    socklen_t length = sizeof(info);
    ::getsockopt(m_fd, IPPROTO_TCP, TCP_INFO, &info, &length);

    TcpState state;
    if (info.tcpi_state == kTcpClose)
        state.link = LinkState::Dead;
    else if (info.tcpi_state == kTcpCloseWait)
        state.link = LinkState::PeerEnded;
    state.bytes_received = info.tcpi_bytes_received;
    state.queued_connections = info.tcpi_unacked; // a listener's queue length is told here
    return state;
}

bool HostSocket::was_ever_connected() const
{
    tcp_info info {};
    socklen_t length = sizeof(info);
    return ::getsockopt(m_fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_bytes_acked;
}

uint32_t HostSocket::queued_memory() const
{
    uint32_t memory[SK_MEMINFO_VARS] {};
    socklen_t length = sizeof(memory);
    ::getsockopt(m_fd, SOL_SOCKET, SO_MEMINFO, memory, &length);
    return memory[SK_MEMINFO_RMEM_ALLOC];
}

NTSTATUS HostSocket::take_error()
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (::getsockopt(m_fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return status_from_errno(errno);
    return error ? status_from_errno(error) : STATUS_SUCCESS;
}

/// SO_ERROR would tell too, but once, and the host may have asked. A receive that tells how much is
/// left calls the end, too, something to read, and what only looks like it nothing.
bool HostSocket::has_peer_ended() const
{
    const int on = 1;
    const int off = 0;
    uint8_t byte;
    iovec buffer { &byte, sizeof(byte) };
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] {};
    msghdr message {};
    message.msg_iov = &buffer;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    int left = 0;
    ::setsockopt(m_fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on));
    if (direct::recvmsg(m_fd, &message, MSG_PEEK | MSG_DONTWAIT) == 0) {
        const cmsghdr* told = CMSG_FIRSTHDR(&message);
        if (told && told->cmsg_level == IPPROTO_TCP && told->cmsg_type == TCP_CM_INQ)
            memcpy(&left, CMSG_DATA(told), sizeof(left));
    }
    ::setsockopt(m_fd, IPPROTO_TCP, TCP_INQ, &off, sizeof(off));
    return left != 0;
}

NTSTATUS HostSocket::bind(const Address& address)
{
    if (is_to_fail(FaultyCall::Bind))
        return status_from_errno(errno);
    const Address name = to_linux(address);
    return status_of(::bind(m_fd, reinterpret_cast<const sockaddr*>(name.bytes), name.length));
}

NTSTATUS HostSocket::listen(int backlog)
{
    if (is_to_fail(FaultyCall::Listen))
        return status_from_errno(errno);
    return status_of(::listen(m_fd, backlog));
}

NTSTATUS HostSocket::connect(const Address& address)
{
    if (is_to_fail(FaultyCall::Connect))
        return status_from_errno(errno);
    const Address name = to_linux(address);
    // Interrupted, it goes on by itself like one that would have to wait.
    const int result = ::connect(m_fd, reinterpret_cast<const sockaddr*>(name.bytes), name.length);
    return result < 0 && errno == EINTR ? STATUS_PENDING : status_of(result);
}

NTSTATUS HostSocket::accept(HostSocket& accepted, Address* peer)
{
    Address name;
    socklen_t length = sizeof(name.bytes);
    const int fd = restarted([&] {
        if (is_to_fail(FaultyCall::Accept))
            return -1;
        return direct::accept4(
            m_fd, reinterpret_cast<sockaddr*>(name.bytes), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    });
    if (fd < 0)
        return status_from_errno(errno);
    from_linux(name, length);
    if (peer)
        *peer = name;
    accepted.close();
    accepted.m_fd = fd;
    return STATUS_SUCCESS;
}

NTSTATUS HostSocket::local_name(Address& address) const
{
    socklen_t length = sizeof(address.bytes);
    const NTSTATUS status
        = status_of(::getsockname(m_fd, reinterpret_cast<sockaddr*>(address.bytes), &length));
    from_linux(address, length);
    return status;
}

NTSTATUS HostSocket::peer_name(Address& address) const
{
    socklen_t length = sizeof(address.bytes);
    const NTSTATUS status
        = status_of(::getpeername(m_fd, reinterpret_cast<sockaddr*>(address.bytes), &length));
    from_linux(address, length);
    return status;
}

NTSTATUS HostSocket::shutdown(int how)
{
    return status_of(::shutdown(m_fd, how));
}

bool HostSocket::closes_with_reset() const
{
    linger value {};
    socklen_t length = sizeof(value);
    ::getsockopt(m_fd, SOL_SOCKET, SO_LINGER, &value, &length);
    return value.l_onoff && !value.l_linger;
}

NTSTATUS HostSocket::get_option(int level, int name, void* value, uint32_t* length) const
{
    if (is_to_fail(FaultyCall::Option))
        return status_from_errno(errno);
    socklen_t size = *length;
    const NTSTATUS status = status_of(::getsockopt(m_fd, level, name, value, &size));
    *length = size;
    return status;
}

NTSTATUS HostSocket::set_option(int level, int name, const void* value, uint32_t length)
{
    if (is_to_fail(FaultyCall::Option))
        return status_from_errno(errno);
    return status_of(::setsockopt(m_fd, level, name, value, length));
}

void HostSocket::receive_own_groups_only()
{
    const int off = 0;
    set_option(IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off));
    set_option(IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off)); // IPv6 sockets have both
}

/// What Linux' IP_MULTICAST_LOOP does to the sender, Winsock's does to the receiver. So it is a
/// filter: a datagram to a group that was looped back, or has come by the loopback interface.
NTSTATUS HostSocket::drop_own_groups(bool of_ipv4, bool of_ipv6)
{
    constexpr uint32_t kLoopbackInterface = 1; // in every network namespace
    constexpr auto kNetwork = static_cast<uint32_t>(SKF_NET_OFF);
    constexpr auto kMeta = static_cast<uint32_t>(SKF_AD_OFF);
    constexpr uint32_t kAll = UINT32_MAX;
    constexpr uint16_t kLoadByte = BPF_LD | BPF_B | BPF_ABS;
    constexpr uint16_t kLoadWord = BPF_LD | BPF_W | BPF_ABS;
    constexpr uint16_t kJumpIf = BPF_JMP | BPF_JEQ | BPF_K;
    // Jumps are relative: how many instructions are skipped.
    sock_filter program[] = {
        { kLoadByte, 0, 0, kNetwork }, // the version
        { BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xF0 },
        { kJumpIf, 0, 3, 0x40 },
        { kLoadByte, 0, 0, kNetwork + 16 }, // IPv4: the destination begins
        { BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xF0 },
        { kJumpIf, 2, 6, of_ipv4 ? 0xE0u : kAll },
        { kLoadByte, 0, 0, kNetwork + 24 }, // IPv6
        { kJumpIf, 0, 4, of_ipv6 ? 0xFFu : kAll },
        { kLoadWord, 0, 0, kMeta + SKF_AD_PKTTYPE },
        { kJumpIf, 3, 0, PACKET_LOOPBACK },
        { kLoadWord, 0, 0, kMeta + SKF_AD_IFINDEX },
        { kJumpIf, 1, 0, kLoopbackInterface },
        { BPF_RET | BPF_K, 0, 0, kAll },
        { BPF_RET | BPF_K, 0, 0, 0 },
    };
    if (of_ipv4 || of_ipv6) {
        const sock_fprog filter { std::size(program), program };
        return set_option(SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
    }
    const int unused = 0;
    set_option(SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)); // there may be none
    return STATUS_SUCCESS;
}

} // namespace afd
