// Flags of sends and receives: what no call has, and what some kinds of socket have not.

#include "peers.h"

using namespace conformance;

namespace {

/// Flags of other systems (MSG_DONTWAIT, MSG_NOSIGNAL of Linux), and those that only messages are
/// received with.
constexpr DWORD kUnknown[]
    = { 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x4000, 0x10000, 0x80000000 };

struct Call {
    const char* name;
    /// Returns whether it succeeded. A send sends a byte of the buffer, a receive fills it.
    bool (*call)(SOCKET socket, Operation& operation, DWORD flags);
};

constexpr Call kReceives[] = {
    { "recv",
        [](SOCKET s, Operation& o, DWORD flags) {
            return recv(s, o.data, 1, static_cast<int>(flags)) == 1;
        } },
    { "recvfrom",
        [](SOCKET s, Operation& o, DWORD flags) {
            return recvfrom(s, o.data, 1, static_cast<int>(flags), nullptr, nullptr) == 1;
        } },
    { "WSARecv",
        [](SOCKET s, Operation& o, DWORD flags) {
            o.flags = flags;
            return WSARecv(s, &o.buffer, 1, &o.transferred, &o.flags, nullptr, nullptr) == 0;
        } },
    { "WSARecvFrom",
        [](SOCKET s, Operation& o, DWORD flags) {
            o.flags = flags;
            return WSARecvFrom(s, &o.buffer, 1, &o.transferred, &o.flags, nullptr, nullptr, nullptr,
                       nullptr)
                == 0;
        } },
    { "WSARecv, overlapped",
        [](SOCKET s, Operation& o, DWORD flags) {
            o.flags = flags;
            return WSARecv(s, &o.buffer, 1, nullptr, &o.flags, &o.overlapped, nullptr) == 0;
        } },
};

constexpr Call kSends[] = {
    { "send",
        [](SOCKET s, Operation& o, DWORD flags) {
            return send(s, o.data, 1, static_cast<int>(flags)) == 1;
        } },
    { "sendto",
        [](SOCKET s, Operation& o, DWORD flags) {
            return sendto(s, o.data, 1, static_cast<int>(flags), nullptr, 0) == 1;
        } },
    { "WSASend",
        [](SOCKET s, Operation& o, DWORD flags) {
            return WSASend(s, &o.buffer, 1, &o.transferred, flags, nullptr, nullptr) == 0;
        } },
    { "WSASendTo",
        [](SOCKET s, Operation& o, DWORD flags) {
            return WSASendTo(s, &o.buffer, 1, &o.transferred, flags, nullptr, 0, nullptr, nullptr)
                == 0;
        } },
    { "WSASend, overlapped",
        [](SOCKET s, Operation& o, DWORD flags) {
            return WSASend(s, &o.buffer, 1, nullptr, flags, &o.overlapped, nullptr) == 0;
        } },
};

/// Tells whether the call is refused with WSAEOPNOTSUPP.
bool is_refused(const Call& call, SOCKET socket, DWORD flags)
{
    Operation& operation = *new_operation();
    operation.buffer.len = 1;
    WSASetLastError(kPoison);
    const bool succeeded = call.call(socket, operation, flags);
    const int error = succeeded ? 0 : WSAGetLastError();
    if (error != WSAEOPNOTSUPP)
        print_error("%s with flags %lx: %d\n", call.name, flags, error);
    return error == WSAEOPNOTSUPP;
}

void a_receive_refuses_flags_nobody_has(void**) // [recv/22]
{
    const TcpPair streams = new_tcp_pair();
    const UdpPair datagrams = new_udp_pair();
    set_nonblocking(streams.server);
    set_nonblocking(datagrams.b);
    int wrong = 0;
    for (const Call& call : kReceives) {
        for (const DWORD flags : kUnknown) {
            wrong += !is_refused(call, streams.server, flags);
            wrong += !is_refused(call, datagrams.b, flags);
        }
    }
    assert_int_equal(wrong, 0);
}

void a_send_refuses_flags_nobody_has(void**) // [send/5]
{
    const TcpPair streams = new_tcp_pair();
    const UdpPair datagrams = new_udp_pair();
    int wrong = 0;
    for (const Call& call : kSends) {
        for (const DWORD flags : kUnknown) {
            wrong += !is_refused(call, streams.client, flags);
            wrong += !is_refused(call, datagrams.a, flags);
        }
        wrong += !is_refused(call, streams.client, MSG_PEEK);
        wrong += !is_refused(call, streams.client, MSG_WAITALL);
    }
    assert_int_equal(wrong, 0);
    // None of them sent anything.
    set_nonblocking(streams.server);
    char byte;
    assert_wsa_fails(recv(streams.server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_datagram_is_never_urgent(void**) // [recv/22] [send/5]
{
    const UdpPair datagrams = new_udp_pair();
    set_nonblocking(datagrams.b);
    int wrong = 0;
    for (const Call& call : kReceives)
        wrong += !is_refused(call, datagrams.b, MSG_OOB);
    for (const Call& call : kSends)
        wrong += !is_refused(call, datagrams.a, MSG_OOB);
    assert_int_equal(wrong, 0);
}

void some_flags_change_nothing(void**) // [recv/22] [send/5]
{
    const TcpPair pair = new_tcp_pair();
    char byte = 'x';
    assert_int_equal(send(pair.client, &byte, 1, MSG_DONTROUTE), 1);
    assert_int_equal(recv(pair.server, &byte, 1, MSG_PUSH_IMMEDIATE), 1);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_receive_refuses_flags_nobody_has),
    cmocka_unit_test(a_send_refuses_flags_nobody_has),
    cmocka_unit_test(a_datagram_is_never_urgent),
    cmocka_unit_test(some_flags_change_nothing),
};

} // namespace

CONFORMANCE_GROUP(transfer_flags, kCases);
