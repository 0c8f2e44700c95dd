// What the AFD groups share: sockets made and used through the ioctls of include/afd and nothing
// else, so that they run on any ntdll and natively on ntke's own AFD device. Rules: spec/afd.md.
//
// Everything here asserts unless it returns a status, and what it opens is owned by the case. Calls
// that return a status wait for the end of the request and may be used on background threads.
#pragma once

#include "harness.h"

#include "afd/ioctl.h"
#include "afd/params.h"

namespace nt_suite {

// Windows' constants; the native build has no SDK and Linux counts otherwise.
constexpr int32_t kInet = 2;
constexpr int32_t kStream = 1, kDatagram = 2;
constexpr int32_t kTcp = 6, kUdp = 17;
constexpr uint32_t kUrgent = 1, kPeek = 2; // MSG_*
constexpr int32_t kReceives = 0, kSends = 1, kBoth = 2; // SD_*

// Network events by their Winsock names.
constexpr int32_t kRead = afd::kPollReceive;
constexpr int32_t kWrite = afd::kPollSend;
constexpr int32_t kOob = afd::kPollReceiveExpedited;
constexpr int32_t kAccept = afd::kPollAccept;
constexpr int32_t kConnect = afd::kPollConnect | afd::kPollConnectFail;
constexpr int32_t kClose = afd::kPollDisconnect | afd::kPollAbort;
constexpr int32_t kEverything = kRead | kWrite | kOob | kAccept | kConnect | kClose;

/// sockaddr_in; the port is in network order and only ever copied.
struct Address {
    uint16_t family;
    uint16_t port;
    uint8_t ip[4];
    uint8_t zero[8];
};
static_assert(sizeof(Address) == 16);

Address loopback(uint16_t port = 0);
bool operator==(const Address& a, const Address& b);

/// WSABUF.
struct Buffer {
    ULONG length;
    char* data;
};

// --- Requests

/// An ioctl, answered by its final status. `information` is only written by success and warnings.
/// STATUS_TIMEOUT means that it hung.
NTSTATUS control(HANDLE file, ULONG code, const void* input = nullptr, ULONG input_length = 0,
    void* output = nullptr, ULONG output_length = 0, ULONG_PTR* information = nullptr);

/// A request that may pend. Never freed: a case that fails may leave it pending.
struct Request {
    IO_STATUS_BLOCK iosb;
    HANDLE file;
    HANDLE event; // owned; may be replaced by null before the request is issued
    PIO_APC_ROUTINE apc;
    PVOID context;
    NTSTATUS issued; // what the service answered
    char* data;
    ULONG length;
    Address address;
    int32_t address_length;
    uint32_t flags;
};

Request* new_request(HANDLE file, ULONG length = 0);
void issue(Request* request, ULONG code, const void* input, ULONG input_length,
    void* output = nullptr, ULONG output_length = 0);
bool is_pending(const Request* request);
/// Waits for the end and returns the final status; fails the case when it hangs.
NTSTATUS finish(Request* request);

/// Overlapped transfers of `request->data`.
void issue_receive(Request* request, uint32_t flags = 0);
void issue_send(Request* request);
Request* start_receive(HANDLE socket, ULONG length, uint32_t flags = 0);
Request* start_send(HANDLE socket, ULONG length);
void assert_received(const Request* request, const char* text);

// --- Sockets

HANDLE open_afd(const char* path = "\\Device\\Afd", ULONG options = 0);
NTSTATUS try_open_afd(const char* path, ULONG options, HANDLE* file);
NTSTATUS create(HANDLE file, int32_t family, int32_t type, int32_t protocol);
HANDLE new_stream(ULONG options = 0);
HANDLE new_datagram(ULONG options = 0);

NTSTATUS bind(HANDLE socket, const Address& address, Address* bound = nullptr);
NTSTATUS listen(HANDLE socket, int32_t backlog = 5);
NTSTATUS connect(HANDLE socket, const Address& address);
/// The new handle is owned by nobody yet when this is called on a background thread.
NTSTATUS accept(HANDLE listener, HANDLE* accepted);
NTSTATUS shutdown(HANDLE socket, int32_t how);
NTSTATUS set_nonblocking(HANDLE socket, bool is_nonblocking = true);
NTSTATUS get_name(HANDLE socket, Address* name);
NTSTATUS get_peer(HANDLE socket, Address* name);
NTSTATUS get_int(HANDLE socket, ULONG code, int32_t* value);
NTSTATUS set_int(HANDLE socket, ULONG code, int32_t value);

struct Listener {
    HANDLE socket;
    Address address;
};
Listener new_listener(ULONG options = 0);
/// A socket that is connected, or on its way; nobody has accepted it.
HANDLE connect_to(const Listener& listener);
HANDLE accept_from(HANDLE listener);

struct Pair {
    HANDLE client, server;
};
Pair new_pair(ULONG options = 0);
/// Two datagram sockets, connected to each other.
Pair new_datagram_pair();
Address bind_to_loopback(HANDLE socket);
/// An address of this machine where nobody listens.
Address unused_address();
/// Closes with a reset.
void reset(HANDLE socket);

struct Transfer {
    NTSTATUS status;
    ULONG_PTR count;
};
/// Not overlapped: they wait, or do not, as the socket's mode says.
Transfer send(HANDLE socket, const char* data, ULONG length, uint32_t flags = 0,
    const Address* address = nullptr);
Transfer receive(
    HANDLE socket, char* data, ULONG length, uint32_t flags = 0, Address* address = nullptr);
void assert_sends(HANDLE socket, const char* text, uint32_t flags = 0);
/// Receives until as much as `text` has come.
void assert_receives(HANDLE socket, const char* text);
/// Sends until the socket would block and returns how much it took. The socket is non-blocking.
ULONG_PTR fill(HANDLE socket);
/// Receives that much.
void drain(HANDLE socket, ULONG_PTR count);

// --- Polls

struct PollBlock {
    afd::PollHeader header;
    afd::PollEntry entries[4];
};
PollBlock poll_block(LONGLONG timeout, HANDLE socket, int32_t flags);
void add_socket(PollBlock& block, HANDLE socket, int32_t flags);
ULONG size_of(const PollBlock& block);
/// On the handle of the first entry, with the output in place of the input.
NTSTATUS poll(PollBlock& block);
Request* start_poll(PollBlock& block, HANDLE device = nullptr);
/// What holds now.
int32_t poll_now(HANDLE socket, int32_t flags = 0x7FF);
/// Waits until one of the conditions holds.
void await(HANDLE socket, int32_t flags);

// --- Network events

NTSTATUS select(HANDLE socket, HANDLE event, int32_t mask);
/// A new event, selected.
HANDLE selected_event(HANDLE socket, int32_t mask);
/// Resets the event and takes the record.
int32_t take_events(HANDLE socket, HANDLE event, afd::GetEventsResult* result = nullptr);
/// Waits for the event until all of `expected` was recorded, and nothing else.
void assert_events(HANDLE socket, HANDLE event, int32_t expected);
/// Nothing is recorded now, and the event is not set.
void assert_no_events(HANDLE socket, HANDLE event);

} // namespace nt_suite
