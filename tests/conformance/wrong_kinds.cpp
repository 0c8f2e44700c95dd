// Calls on the wrong kind of socket: each call on a socket of every kind and state. A row tells the
// error on each of them, and the rules of the calls' own pages say why.

#include "extensions.h"
#include "peers.h"

#include <iterator>

using namespace conformance;

namespace {

/// The columns of the table.
enum Kind {
    kFreshUdp,
    kBoundUdp,
    kConnectedUdp,
    kFreshTcp,
    kBoundTcp,
    kListeningTcp,
    kConnectedTcp,
    kKinds
};

constexpr const char* kKindNames[] = { "fresh UDP", "bound UDP", "connected UDP", "fresh TCP",
    "bound TCP", "listening TCP", "connected TCP" };
static_assert(std::size(kKindNames) == kKinds);

/// A non-blocking socket, so that nothing waits.
SOCKET socket_of(Kind kind)
{
    SOCKET socket = INVALID_SOCKET;
    switch (kind) {
    case kFreshUdp:
        socket = udp_socket();
        break;
    case kBoundUdp:
        socket = udp_socket();
        bind_to_loopback(socket);
        break;
    case kConnectedUdp:
        socket = new_udp_pair().a;
        break;
    case kFreshTcp:
        socket = tcp_socket();
        break;
    case kBoundTcp:
        socket = tcp_socket();
        bind_to_loopback(socket);
        break;
    case kListeningTcp:
        socket = new_listener().socket;
        break;
    case kConnectedTcp:
        socket = new_tcp_pair().client;
        break;
    case kKinds:
        fail();
    }
    set_nonblocking(socket);
    return socket;
}

/// What a call wants beside the socket; each gets fresh ones.
struct Arguments {
    sockaddr_storage name;
    int length;
    char data[64];
    WSABUF buffer;
    DWORD count;
    DWORD flags;
    WSAMSG message;
    Operation* operation;
};

Arguments* new_arguments()
{
    auto* arguments = lasting<Arguments>();
    arguments->length = loopback_address(AF_INET, 9, &arguments->name);
    arguments->buffer = { 1, arguments->data };
    arguments->message.lpBuffers = &arguments->buffer;
    arguments->message.dwBufferCount = 1;
    arguments->operation = new_operation();
    return arguments;
}

/// The outcome is not pinned: it would disturb, or nobody has told.
constexpr int kUntold = -1;
constexpr int kDone = 0;

struct Row {
    const char* name;
    /// Returns whether the call succeeded.
    bool (*call)(SOCKET socket, Arguments& arguments);
    int expected[kKinds]; // errors, in the order of Kind
};

const Row kRows[] = {
    { "listen", [](SOCKET s, Arguments&) { return listen(s, 1) == 0; },
        { WSAEOPNOTSUPP, WSAEOPNOTSUPP, WSAEOPNOTSUPP, WSAEINVAL, kDone, kDone, WSAEISCONN } },
    { "accept", [](SOCKET s, Arguments&) { return accept(s, nullptr, nullptr) != INVALID_SOCKET; },
        { WSAEOPNOTSUPP, WSAEOPNOTSUPP, WSAEOPNOTSUPP, WSAEINVAL, WSAEINVAL, WSAEWOULDBLOCK,
            WSAEINVAL } },
    { "WSAAccept",
        [](SOCKET s, Arguments&) {
            return WSAAccept(s, nullptr, nullptr, nullptr, 0) != INVALID_SOCKET;
        },
        { WSAEOPNOTSUPP, WSAEOPNOTSUPP, WSAEOPNOTSUPP, WSAEINVAL, WSAEINVAL, WSAEWOULDBLOCK,
            WSAEINVAL } },
    { "AcceptEx",
        [](SOCKET s, Arguments& a) {
            return accept_ex_of(s)(s, tcp_socket(), a.operation->data, 0, kAcceptAddressLength,
                       kAcceptAddressLength, &a.count, &a.operation->overlapped)
                != FALSE;
        },
        { kUntold, kUntold, kUntold, WSAEINVAL, WSAEINVAL, WSA_IO_PENDING, WSAEINVAL } },
    { "bind",
        [](SOCKET s, Arguments& a) {
            a.length = loopback_address(AF_INET, 0, &a.name);
            return bind(s, as_name(a.name), a.length) == 0;
        },
        { kDone, WSAEINVAL, WSAEINVAL, kDone, WSAEINVAL, WSAEINVAL, WSAEINVAL } },
    { "connect", [](SOCKET s, Arguments& a) { return connect(s, as_name(a.name), a.length) == 0; },
        { kDone, kDone, kDone, WSAEWOULDBLOCK, WSAEWOULDBLOCK, WSAEINVAL, WSAEISCONN } },
    { "ConnectEx",
        [](SOCKET s, Arguments& a) {
            return connect_ex_of(s)(
                       s, as_name(a.name), a.length, nullptr, 0, nullptr, &a.operation->overlapped)
                != FALSE;
        },
        { kUntold, kUntold, kUntold, WSAEINVAL, kUntold, WSAEINVAL, WSAEISCONN } },
    { "DisconnectEx",
        [](SOCKET s, Arguments&) { return disconnect_ex_of(s)(s, nullptr, 0, 0) != FALSE; },
        { kUntold, kUntold, kUntold, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "shutdown", [](SOCKET s, Arguments&) { return shutdown(s, SD_SEND) == 0; },
        { kDone, kDone, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "WSASendDisconnect", [](SOCKET s, Arguments&) { return WSASendDisconnect(s, nullptr) == 0; },
        { kUntold, kUntold, kUntold, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "WSARecvDisconnect", [](SOCKET s, Arguments&) { return WSARecvDisconnect(s, nullptr) == 0; },
        { kUntold, kUntold, kUntold, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "getpeername",
        [](SOCKET s, Arguments& a) {
            a.length = sizeof(a.name);
            return getpeername(s, as_name(a.name), &a.length) == 0;
        },
        { WSAENOTCONN, WSAENOTCONN, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "getsockname",
        [](SOCKET s, Arguments& a) {
            a.length = sizeof(a.name);
            return getsockname(s, as_name(a.name), &a.length) == 0;
        },
        { WSAEINVAL, kDone, kDone, WSAEINVAL, kDone, kDone, kDone } },
    { "recv", [](SOCKET s, Arguments& a) { return recv(s, a.data, 1, 0) >= 0; },
        { WSAEINVAL, WSAEWOULDBLOCK, WSAEWOULDBLOCK, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN,
            WSAEWOULDBLOCK } },
    { "recvfrom",
        [](SOCKET s, Arguments& a) {
            a.length = sizeof(a.name);
            return recvfrom(s, a.data, 1, 0, as_name(a.name), &a.length) >= 0;
        },
        { WSAEINVAL, WSAEWOULDBLOCK, WSAEWOULDBLOCK, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN,
            WSAEWOULDBLOCK } },
    { "WSARecv",
        [](SOCKET s, Arguments& a) {
            return WSARecv(s, &a.buffer, 1, &a.count, &a.flags, nullptr, nullptr) == 0;
        },
        { WSAEINVAL, WSAEWOULDBLOCK, WSAEWOULDBLOCK, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN,
            WSAEWOULDBLOCK } },
    { "WSARecv, overlapped",
        [](SOCKET s, Arguments& a) {
            return WSARecv(s, &a.buffer, 1, nullptr, &a.flags, &a.operation->overlapped, nullptr)
                == 0;
        },
        { WSAEINVAL, WSA_IO_PENDING, WSA_IO_PENDING, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN,
            WSA_IO_PENDING } },
    { "WSARecvMsg",
        [](SOCKET s, Arguments& a) {
            const GUID id = WSAID_WSARECVMSG;
            const auto receive = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(s, id));
            return receive(s, &a.message, &a.count, nullptr, nullptr) == 0;
        },
        { WSAEINVAL, WSAEWOULDBLOCK, WSAEWOULDBLOCK, kUntold, kUntold, kUntold, kUntold } },
    { "send", [](SOCKET s, Arguments& a) { return send(s, a.data, 1, 0) == 1; },
        { WSAENOTCONN, WSAENOTCONN, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "sendto",
        [](SOCKET s, Arguments& a) {
            return sendto(s, a.data, 1, 0, as_name(a.name), a.length) == 1;
        },
        { kDone, kDone, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "WSASend",
        [](SOCKET s, Arguments& a) {
            return WSASend(s, &a.buffer, 1, &a.count, 0, nullptr, nullptr) == 0;
        },
        { WSAENOTCONN, WSAENOTCONN, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "WSASend, overlapped",
        [](SOCKET s, Arguments& a) {
            return WSASend(s, &a.buffer, 1, nullptr, 0, &a.operation->overlapped, nullptr) == 0
                || WSAGetLastError() == WSA_IO_PENDING;
        },
        { WSAENOTCONN, WSAENOTCONN, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "WSASendTo",
        [](SOCKET s, Arguments& a) {
            return WSASendTo(
                       s, &a.buffer, 1, &a.count, 0, as_name(a.name), a.length, nullptr, nullptr)
                == 0;
        },
        { kDone, kDone, kDone, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
    { "WSASendMsg",
        [](SOCKET s, Arguments& a) {
            a.message.name = as_name(a.name);
            a.message.namelen = a.length;
            return WSASendMsg(s, &a.message, 0, &a.count, nullptr, nullptr) == 0;
        },
        { kDone, kDone, kDone, WSAEINVAL, WSAEINVAL, WSAEINVAL, WSAEINVAL } },
    { "TransmitFile",
        [](SOCKET s, Arguments&) {
            return transmit_file_of(s)(s, nullptr, 0, 0, nullptr, nullptr, 0) != FALSE;
        },
        { WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, WSAENOTCONN, kDone } },
};

void each_call_knows_the_sockets_it_is_for(void**) // [errors/10]
{
    int wrong = 0;
    for (const Row& row : kRows) {
        for (int kind = 0; kind < kKinds; ++kind) {
            const int expected = row.expected[kind];
            if (expected == kUntold)
                continue;
            const SOCKET socket = socket_of(static_cast<Kind>(kind));
            Arguments& arguments = *new_arguments();
            WSASetLastError(kPoison);
            const bool is_done = row.call(socket, arguments);
            const int error = is_done ? kDone : WSAGetLastError();
            if (error != expected) {
                print_error(
                    "%s on a %s socket: %d, not %d\n", row.name, kKindNames[kind], error, expected);
                ++wrong;
            }
            close_owned(socket);
        }
    }
    assert_int_equal(wrong, 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(each_call_knows_the_sockets_it_is_for),
};

} // namespace

CONFORMANCE_GROUP(wrong_kinds, kCases);
