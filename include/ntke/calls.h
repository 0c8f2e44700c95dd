// The call table between the two halves of ntke: ws2_32.dll (PE code) and ntke.so (Linux code).
//
// ntke.so exports the table as `__wine_unix_call_funcs`, and another one for 32-bit programs over
// 64-bit Linux code; a call is an index in it and a pointer to one of the blocks below. Every field
// has a fixed size, so the layout is the same for both compilers and for all programs; pointers of
// a 32-bit program are zero-extended (afd::ptr64). Linux code never calls back: what the PE side
// has to do (post messages, settle a connect) is the pump's work. Requests do not come this way:
// they are system services, which ntke.so takes from the host when it is opened (unix/services.h).
//
// Every call returns a status. kPassDown means "not mine, nothing has happened: ask the host".
#pragma once

#include <cstdint>

#include "afd/params.h"

namespace ntke {

/// Changes with every change of this file; open refuses another one.
constexpr uint32_t kInterfaceVersion = 16;

/// STATUS_MORE_PROCESSING_REQUIRED: the request is the host's.
constexpr int32_t kPassDown = static_cast<int32_t>(0xC0000016);

enum Call : uint32_t {
    kCallOpen, // OpenArgs; may be made more than once, by several threads at a time
    kCallAttach, // AttachArgs
    kCallClose, // EndpointArgs
    kCallRelease, // EndpointArgs
    kCallConnectEnded, // ConnectEndedArgs
    kCallReceive, // TransferArgs
    kCallSend, // TransferArgs
    kCallPoll, // PollArgs
    kCallSelectMessages, // SelectMessagesArgs
    kCallTakeMessages, // TakeMessagesArgs
    kCallHandOver, // HandOverArgs
    kCallStartPump, // no block; with the first socket that is attached
    kCallPump, // PumpArgs; on the thread that kCallStartPump has started
    kCallRelay, // what the thread was started with
    kCallIsHelper, // IsHelperArgs
    kCallWakePump, // no block
    kCallCreateEvent, // CreateEventArgs
    kCallStatistics, // StatisticsArgs
    kCallOpenQueue, // OpenQueueArgs
    kCallCloseQueue, // QueueArgs
    kCallServeQueue, // QueueArgs
    kCallSubmit, // SubmitArgs
    kCallOpenNotifications, // OpenNotificationsArgs
    kCallRecord, // RecordArgs
    kCallCreateUnix, // CreateUnixArgs
    kCallServeSource, // no block; for a thread that asks again and again what has happened
    kCallCount,
};

/// An endpoint as the PE side holds it: a pointer that only the Linux side follows.
using EndpointId = uint64_t;

/// A window that a record is told to. Made by the PE side, then the Linux side's until it comes to
/// the pump with kTargetFree; the PE side keeps what it has to know behind it.
struct MessageTarget {
    uint64_t next; // MessageTarget* of the pump's list
    uint32_t work; // TargetWork, atomic; the pump takes it with one exchange
    uint32_t padding;
};
static_assert(sizeof(MessageTarget) == 16);
enum TargetWork : uint32_t {
    kTargetQueued = 1,
    kTargetPost = 2, // post what is pending
    kTargetFree = 4, // nobody will use it any more
};

/// The Linux side has the host start the threads it needs, its helpers, at functions of the kind
/// `DWORD WINAPI (void*)`. Relays make the call kCallRelay with what they are given.
struct OpenArgs {
    uint32_t version; // kInterfaceVersion
    uint32_t wine_major; // of the host: 8, 10, ...
    uint64_t pump_start;
    uint64_t relay_start;
    char why[104]; // in: empty; out: of failure, a text
};
static_assert(sizeof(OpenArgs) == 128);

/// The state of a socket. Counterpart: the endpoint's type and state in AFD.
enum class SocketState : uint32_t {
    Unconnected, // a stream fresh from socket() or bind()
    Connecting,
    ConnectFailed,
    Connected,
    Listening,
    Datagram, // or raw: connectionless for life
};

/// Facts about a socket that do not follow from its state.
enum SocketFlags : uint32_t {
    kSocketBound = 1, // datagram: has a local address
    kSocketHasPeer = 2, // datagram: connected
    kSocketConnected = 4, // stream: connected by connect(), not by accept()
    kSocketOobInline = 8,
    kSocketReceiveShutDown = 0x10,
    kSocketSendShutDown = 0x20,
};

/// A handle that is a socket. What has been done to it since it was opened, the Linux side has seen
/// in the requests that pass. A handle of an accept that the host had left pending it has not seen
/// come, nor one that is inherited: what is said of the state counts for those, and for a socket
/// that has been another process', too.
struct AttachArgs {
    uint64_t handle; // of the socket on the host; also told back, by the pump
    int32_t family; // Windows' constants
    int32_t type;
    int32_t protocol;
    uint32_t state; // SocketState
    uint32_t flags; // SocketFlags
    uint32_t has_been_elsewhere; // 1: another process has had it
    uint32_t is_synchronous; // 1: requests on the handle wait inside the host
    uint32_t is_nonblocking; // 1: the program has made it so
    uint64_t serial; // tells this socket from others that had the same handle
    EndpointId listener; // an accepted socket's, which it inherits from; 0 = none is known
    EndpointId endpoint; // out: one reference of the caller's
    uint32_t was_on_host; // 1: `listener` was the host's before it accepted
    uint32_t inherited; // out: Inheritance, of the selection of `listener`
};
static_assert(sizeof(AttachArgs) == 72);
enum Inheritance : uint32_t {
    kInheritsNothing,
    kInheritsHere,
    kInheritsOnHost, // and the socket is the host's
};

/// kCallClose says that the caller closes the handle next; kCallRelease gives up the caller's
/// reference.
struct EndpointArgs {
    EndpointId endpoint;
};
static_assert(sizeof(EndpointArgs) == 8);

/// A connect that the host had left pending has ended: whoever has waited for it, or for a poll
/// that tells, sees that, and no request passes.
struct ConnectEndedArgs {
    EndpointId endpoint;
    int32_t status; // NTSTATUS
    uint32_t padding;
};
static_assert(sizeof(ConnectEndedArgs) == 16);

/// A buffer of the caller. Counterpart: WSABUF, with fixed sizes.
struct Buffer {
    uint64_t data;
    uint64_t length; // bytes
};
constexpr uint32_t kMostBuffers = 16; // of a call

/// kCallReceive and kCallSend. Never blocks longer than `patience`.
struct TransferArgs {
    EndpointId endpoint;
    uint64_t buffers; // Buffer[], memory of the PE side
    uint32_t count;
    uint32_t flags; // MSG_OOB 1, MSG_PEEK 2
    uint32_t patience; // microseconds to wait for data or room, 0 = none
    uint32_t address_length; // in: bytes at `address`; out (receive): bytes of the sender's name
    uint64_t address; // sockaddr with Windows' constants, 0 = none; memory of the PE side
    uint64_t transferred; // out: bytes
};
static_assert(sizeof(TransferArgs) == 48);

struct PollItem {
    EndpointId endpoint;
    uint32_t conditions; // afd::PollFlags asked for
    uint32_t found; // out
};
static_assert(sizeof(PollItem) == 16);

struct PollArgs {
    uint64_t items; // PollItem[], memory of the PE side
    uint32_t count;
    uint32_t patience; // microseconds to wait when nothing is ready
    uint32_t ready; // out: items with `found`
    uint32_t padding;
};
static_assert(sizeof(PollArgs) == 24);

/// The record follows the rules of WSAAsyncSelect, and is told to a window. WSAEventSelect is a
/// request.
struct SelectMessagesArgs {
    EndpointId endpoint;
    uint64_t target; // MessageTarget*; 0 with mask 0
    uint32_t mask; // afd::PollFlags
    uint32_t padding;
};
static_assert(sizeof(SelectMessagesArgs) == 24);

/// What is pending for a window; nothing where another one, or none, is selected by now.
struct TakeMessagesArgs {
    EndpointId endpoint;
    uint64_t target; // MessageTarget*
    afd::GetEventsResult result; // out
};
static_assert(sizeof(TakeMessagesArgs) == 72);

/// Gives a socket to the host, with its selection of events. A window is selected there by the
/// caller.
struct HandOverArgs {
    EndpointId endpoint; // 0: the one that `handle` is another handle of; out: that one, or 0
    uint64_t handle; // with endpoint 0; out: the handle by which the endpoint was made known
    // Of messages:
    uint32_t mask; // out: afd::PollFlags
    uint32_t reported; // out: those of them that the window was told of
};
static_assert(sizeof(HandOverArgs) == 24);

/// Helpers keep no process alive.
struct IsHelperArgs {
    uint64_t thread; // the host's number
    uint32_t is_helper; // out
    uint32_t padding;
};
static_assert(sizeof(IsHelperArgs) == 16);

/// kCallPump: waits in Linux until there is something to do for the PE side. Only one thread of a
/// process makes this call.
constexpr uint32_t kPumpCapacity = 64;
/// A socket whose last handle was closed by somebody else.
struct Closed {
    uint64_t handle; // AttachArgs::handle
    uint64_t serial;
};
/// A connect whose outcome the host knows by now.
struct Settle {
    EndpointId endpoint; // a reference that kCallRelease gives up
    uint64_t handle; // AttachArgs::handle
};
struct PumpArgs {
    uint64_t targets; // out: a list of MessageTarget*
    Settle settles[kPumpCapacity]; // out
    Closed closes[kPumpCapacity]; // out
    uint32_t settle_count; // out
    uint32_t close_count; // out
    int32_t patience; // in: milliseconds after which to return with nothing, negative = never
    uint32_t padding;
};

/// kCallCreateEvent makes a notification event whose state the process has: to the services of the
/// process it is an event like every other.
struct CreateEventArgs {
    uint64_t event; // out: a handle of the host
};
static_assert(sizeof(CreateEventArgs) == 8);

/// kCallCreateUnix makes a socket of AF_UNIX, which no host has.
struct CreateUnixArgs {
    uint64_t socket; // out: a handle of the host
    uint32_t is_inheritable;
    uint32_t padding;
};
static_assert(sizeof(CreateUnixArgs) == 16);

/// Requests that came by the system services.
struct RequestCounts {
    uint64_t served; // in the process
    uint64_t passed_down; // by the host
};
struct StatisticsArgs {
    uint64_t pump_wakeups; // out
    uint64_t signals; // out: events set by the record
    uint64_t endpoints; // out: attached in all
    RequestCounts receives; // out
    RequestCounts sends; // out
    RequestCounts polls; // out
    RequestCounts selections; // out
    RequestCounts enumerations; // out
};
static_assert(sizeof(StatisticsArgs) == 104);

/// Gives a completion queue of registered I/O (ntke/registered.h) its notifier.
struct OpenQueueArgs {
    uint64_t queue; // RegisteredQueue*
    uint64_t handle; // of an event or a port; not needed afterwards
    uint64_t key; // of the port's packet
    uint64_t context; // of the port's packet; 0: it is an event
};
static_assert(sizeof(OpenQueueArgs) == 32);

/// kCallCloseQueue takes the notifier away again: nobody will put a request into the queue.
/// kCallServeQueue serves what has happened at the sockets whose requests end there, as far as that
/// is left to the threads of a port.
struct QueueArgs {
    uint64_t queue; // RegisteredQueue*
};
static_assert(sizeof(QueueArgs) == 8);

/// Submits a list of requests of registered I/O on one socket. kPassDown: those from `first` on are
/// the host's; the others are as good as done.
struct SubmitArgs {
    EndpointId endpoint;
    uint64_t first; // RegisteredRequest*, in and out
};
static_assert(sizeof(SubmitArgs) == 16);

/// Gives a port what belongs to its socket state notifications (ntke/notification.h). A port that
/// has some keeps it, and tells.
struct OpenNotificationsArgs {
    uint64_t port; // handle
    uint64_t notifications; // NotificationPort*, in and out; in: 0 asks
};
static_assert(sizeof(OpenNotificationsArgs) == 16);

/// Has ntke record to the process' timeline too (ntke/timeline.h), from the first of these calls
/// on. Each thread that records makes it, so that it has one ring for both halves.
struct RecordArgs {
    uint64_t header; // timeline::Header*
    uint64_t ring; // timeline::Ring*: in: the caller's, 0: none yet; out: what it is to use
    uint32_t thread; // the caller's number
    uint32_t padding;
};
static_assert(sizeof(RecordArgs) == 24);

} // namespace ntke
