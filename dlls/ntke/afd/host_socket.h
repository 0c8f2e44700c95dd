// Sockets of Linux: only this class of ntke's calls them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ke/lock.h"
#include "nt/status.h"
#include "nt/types.h"
#include "ntke/calls.h"

struct pollfd;

namespace afd {

/// A socket address as Winsock lays it out. Linux' differs in the number of one family only.
struct Address {
    alignas(8) uint8_t bytes[128] {};
    uint32_t length = 0; // bytes used, 0: none

    uint16_t family() const { return static_cast<uint16_t>(bytes[0] | bytes[1] << 8); }
};

/// Linux' form of an address.
Address to_linux(const Address& address);
/// The same the other way, of a name that Linux has written; `length` is what it told.
void from_linux(Address& address, uint32_t length);

constexpr uint16_t kFamilyUnix = 1;
constexpr uint16_t kFamilyInet = 2;
/// Windows' AF_INET6; Linux has another number.
constexpr uint16_t kFamilyInet6 = 23;

/// Bytes of sockaddr_un: the family, and a path that ends with a zero.
constexpr uint32_t kUnixNameSize = 110;

/// Memory that a transfer fills or empties. Counterpart: WSABUF, laid out as Linux wants it.
struct Buffer {
    uintptr_t data;
    size_t length; // bytes
};

/// Bytes in all buffers.
inline uint64_t total_length(const Buffer* buffers, uint32_t count)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; ++i)
        total += buffers[i].length;
    return total;
}

/// What poll(2) and epoll say about a socket.
enum Ready : uint32_t {
    kReadyIn = 1,
    kReadyUrgent = 2,
    kReadyOut = 4,
    kReadyPeerEnd = 8, // the peer's FIN
    kReadyHangUp = 0x10,
    kReadyError = 0x20,
};

/// A connection's state, as far as it matters after a hang-up.
enum class LinkState { Open, PeerEnded, Dead };

/// A Linux socket. Owner: the endpoint, which closes it explicitly. The kernel has a lock of its
/// own; only close() must not run beside other calls. Nothing here ever waits, except wait_ready
/// and poll_many for as long as they are told.
///
/// The descriptor may share its file description with the host kernel (Wine's server): O_NONBLOCK
/// is always on and stays on.
class HostSocket {
public:
    HostSocket() = default;
    /// Takes over a descriptor.
    explicit HostSocket(int fd)
        : m_fd(fd)
    {
    }
    HostSocket(const HostSocket&) = delete;

    /// Errors: as 0xC001xxxx with the Winsock code in the low half, like the create ioctl.
    NTSTATUS create(int family, int type, int protocol);
    /// Takes over a descriptor, one that no child inherits: it would keep the connection.
    void adopt(int fd);
    /// Becomes another name of the other socket.
    NTSTATUS share(const HostSocket& other);
    /// Becomes the other socket, which is closed, without changing the descriptor's number: other
    /// threads may be using it.
    void replace_with(HostSocket& other);
    void close();
    bool is_open() const { return m_fd >= 0; }
    int descriptor() const { return m_fd; }

    // Transfers. `buffers` may point to memory that is not there: STATUS_ACCESS_VIOLATION, nothing
    // moved. STATUS_DEVICE_NOT_READY: it would have to wait.

    /// Control data in Linux' form.
    struct Control {
        alignas(8) uint8_t bytes[512];
        size_t length = 0;
    };
    /// The types of the control messages, of IPv4 and IPv6, that tell a datagram's destination.
    static constexpr int kDestination = 20;
    static constexpr int kDestination6 = 74;
    /// Has receives tell them. Both, for an IPv6 socket may receive either.
    void tell_destinations(bool is_inet6);
    /// Is this the address of a broadcast? Linux knows by its routes.
    static bool is_broadcast(const Address& address);

    /// `flags`: MSG_OOB (1), MSG_PEEK (2) of Winsock. `from` may be null. STATUS_BUFFER_OVERFLOW:
    /// the datagram did not fit, `received` bytes of it are there, the rest is gone. STATUS_SUCCESS
    /// with 0 bytes on a stream: its end.
    NTSTATUS receive(const Buffer* buffers, uint32_t count, uint32_t flags, Address* from,
        size_t* received, Control* control = nullptr) const;
    /// `to` and `control` may be null. A stream may take less than everything.
    NTSTATUS send(const Buffer* buffers, uint32_t count, uint32_t flags, const Address* to,
        size_t* sent, const Control* control = nullptr);

    /// A datagram of send_many.
    struct Datagram {
        Buffer buffer;
        const Address* to; // null: the peer
    };
    static constexpr uint32_t kMostDatagrams = 64;
    /// Sends up to kMostDatagrams in one call. Returns how many have gone; what keeps the next one
    /// is told when that is sent by itself.
    uint32_t send_many(const Datagram* datagrams, uint32_t count);

    /// A datagram of receive_many: where it goes, and what came.
    struct Arrival {
        Buffer buffer;
        bool wants_from;
        bool is_truncated;
        uint32_t length;
        Address from;
    };
    static constexpr uint32_t kMostArrivals = 16; // more save little, and take memory of the stack
    /// Receives up to kMostArrivals in one call. Returns how many have come; why there are not
    /// more, a receive by itself tells.
    uint32_t receive_many(Arrival* arrivals, uint32_t count) const;

    // Readiness.

    /// What can be asked for. Errors and hang-ups are told in any case.
    static constexpr uint32_t kAllReady = kReadyIn | kReadyUrgent | kReadyOut | kReadyPeerEnd;
    /// Ready bits now.
    uint32_t ready_now() const;
    /// Waits up to `microseconds` for one of `wanted`. Returns the bits there are. A signal may end
    /// the wait early.
    uint32_t wait_ready(uint32_t wanted, uint32_t microseconds) const;
    static short poll_events_from_ready(uint32_t ready);
    static uint32_t ready_from_poll_events(short events);
    /// poll(2) on many sockets; returns how many are ready, 0 also after a signal.
    static int poll_many(pollfd* fds, uint32_t count, uint32_t microseconds);

    /// Bytes that can be read; of a datagram socket: in the next datagram. Stops at an urgent byte.
    uint32_t readable_bytes() const;
    /// Bytes in all datagrams of the queue. [ioctlsocket/3]
    uint32_t datagram_bytes();
    bool is_at_mark() const;
    /// Drops an urgent byte that has been read, if the next one is it and it is the last.
    void pass_read_urgent() const;
    /// The same where urgent bytes are inline by now: it is the next byte of data then.
    void pass_inline_urgent() const;
    /// Bytes that the peer has not acknowledged.
    uint32_t unsent_bytes() const;
    /// What TCP keeps of a stream.
    struct TcpState {
        LinkState link = LinkState::Open;
        uint64_t bytes_received = 0; // ever, urgent ones included
        uint32_t queued_connections = 0; // of a listener
    };
    TcpState tcp_state() const;
    /// Has its connect ever been answered, whatever has become of the connection since?
    bool was_ever_connected() const;
    /// Memory that a datagram socket's queue takes, in bytes: grows with each datagram that comes.
    uint32_t queued_memory() const;
    /// The pending error, cleared by asking. STATUS_SUCCESS: none.
    NTSTATUS take_error();
    /// Of a connection with nothing left to read: has the peer ended it, whatever came then?
    bool has_peer_ended() const;

    // Names and state changes.

    NTSTATUS bind(const Address& address);
    NTSTATUS listen(int backlog);
    /// STATUS_PENDING: on its way.
    NTSTATUS connect(const Address& address);
    /// STATUS_DEVICE_NOT_READY: none queued. The result is open, non-blocking and close-on-exec.
    NTSTATUS accept(HostSocket& accepted, Address* peer);
    // AF_UNIX: names are files of Linux, their paths as long as they may be. host_socket_unix.cpp

    NTSTATUS bind_to_file(const char* path);
    /// Never on its way: a listener whose queue is full refuses.
    NTSTATUS connect_to_file(const char* path);
    /// Keeps with the socket that it is one of ntke's, and whether it is a non-blocking one, for
    /// all processes that have it.
    void tell_mode(bool is_nonblocking);
    /// False: nobody has told it. It is not ntke's.
    bool find_mode(bool& is_nonblocking) const;
    /// This socket, which is not connected, leads to the connection from here on, for all processes
    /// that have it. Without room for that in Linux, it leads nowhere.
    void lead_to(const HostSocket& connection);
    /// If it leads to a connection, becomes that.
    void follow();

    NTSTATUS local_name(Address& address) const;
    NTSTATUS peer_name(Address& address) const;
    /// Has SO_LINGER been set to no time at all?
    bool closes_with_reset() const;
    /// `how`: 0 receive, 1 send, 2 both.
    NTSTATUS shutdown(int how);

    // Options, by Linux' level and name.

    NTSTATUS get_option(int level, int name, void* value, uint32_t* length) const;
    NTSTATUS set_option(int level, int name, const void* value, uint32_t length);
    /// Of what is sent to groups, a datagram socket receives what it has joined itself. Linux gives
    /// it otherwise what anybody on the machine has joined. [setsockopt/24]
    void receive_own_groups_only();
    /// Has a datagram socket drop what this machine sends to groups it has joined. [setsockopt/25]
    NTSTATUS drop_own_groups(bool of_ipv4, bool of_ipv6);

    /// Faults for tests, none in production: the nth call of a kind, n being `successes` + 1, fails
    /// with `error` (an errno) or, where `error` is 0, moves one byte only. Then things go on as
    /// usual.
    enum class FaultyCall : uint32_t {
        Socket,
        Receive,
        Send,
        Poll,
        Accept,
        Connect,
        Bind,
        Listen,
        Option,
        kCount
    };
    static void fail_next(FaultyCall call, int error, uint32_t successes = 0);
    static bool is_fault_pending(FaultyCall call);
    static void clear_faults();

private:
    int m_fd = -1;
    /// Peeks are meant to see the front of the queue: held by them, and while datagrams are
    /// counted.
    mutable ke::Lock m_peek_lock;
};

/// The status for an errno value.
NTSTATUS status_from_errno(int error);

} // namespace afd
