#include "peers.h"

#include <vector>

namespace conformance {

namespace {

enum class Set { kRead, kWrite, kExcept };

int select_one(SOCKET socket, Set which, timeval limit)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(socket, &set);
    return select(0, which == Set::kRead ? &set : nullptr, which == Set::kWrite ? &set : nullptr,
        which == Set::kExcept ? &set : nullptr, &limit);
}

constexpr timeval kAtOnce = { 0, 0 };
constexpr timeval kLimit = { kHangLimit / 1000, 0 };

} // namespace

sockaddr_storage refusing_address(Where where)
{
    const SOCKET holder = tcp_socket(AF_INET, where);
    bind_to_loopback(holder, AF_INET, where);
    sockaddr_storage address;
    loopback_address(AF_INET, local_port(holder, where), &address);
    return address;
}

sockaddr_storage unbound_udp_address(Where where)
{
    const SOCKET holder = udp_socket(AF_INET, where);
    bind_to_loopback(holder, AF_INET, where);
    sockaddr_storage address;
    loopback_address(AF_INET, local_port(holder, where), &address);
    close_owned(holder, where);
    return address;
}

SOCKET new_connecting_socket(sockaddr_storage* peer, Where where)
{
    const SOCKET listener = tcp_socket(AF_INET, where);
    bind_to_loopback(listener, AF_INET, where);
    if (listen(listener, 1) != 0)
        fail_at(where, "listen failed with %d", WSAGetLastError());
    sockaddr_storage address;
    loopback_address(AF_INET, local_port(listener, where), &address);
    if (peer)
        *peer = address;

    for (int i = 0; i < 32; ++i) {
        const SOCKET client = tcp_socket(AF_INET, where);
        set_nonblocking(client, true, where);
        if (connect(client, as_name(address), sizeof(sockaddr_in)) != 0
            && WSAGetLastError() != WSAEWOULDBLOCK)
            fail_at(where, "connect failed with %d", WSAGetLastError());
        if (select_one(client, Set::kWrite, { 0, 100000 }) == 0 && !is_exceptional(client))
            return client;
    }
    fail_at(where, "every connection was answered");
}

bool is_readable(SOCKET socket)
{
    return select_one(socket, Set::kRead, kAtOnce) == 1;
}

bool is_writable(SOCKET socket)
{
    return select_one(socket, Set::kWrite, kAtOnce) == 1;
}

bool is_exceptional(SOCKET socket)
{
    return select_one(socket, Set::kExcept, kAtOnce) == 1;
}

void wait_until_writable(SOCKET socket, Where where)
{
    const int result = select_one(socket, Set::kWrite, kLimit);
    if (result != 1)
        fail_at(where, "the socket did not become writable: select returned %d", result);
}

void wait_until_exceptional(SOCKET socket, Where where)
{
    const int result = select_one(socket, Set::kExcept, kLimit);
    if (result != 1)
        fail_at(where, "no exceptional condition came: select returned %d", result);
}

DWORD option(SOCKET socket, int level, int name, Where where)
{
    DWORD value = 0;
    int length = sizeof(value);
    if (getsockopt(socket, level, name, reinterpret_cast<char*>(&value), &length) != 0)
        fail_at(where, "getsockopt failed with %d", WSAGetLastError());
    return value;
}

void set_option(SOCKET socket, int level, int name, DWORD value, Where where)
{
    if (setsockopt(socket, level, name, reinterpret_cast<const char*>(&value), sizeof(value)) != 0)
        fail_at(where, "setsockopt failed with %d", WSAGetLastError());
}

sockaddr_in local_name(SOCKET socket, Where where)
{
    sockaddr_in name = {};
    int length = sizeof(name);
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length) != 0)
        fail_at(where, "getsockname failed with %d", WSAGetLastError());
    return name;
}

void limit_receives(SOCKET socket, Where where)
{
    set_option(socket, SOL_SOCKET, SO_RCVTIMEO, kHangLimit, where);
}

size_t send_until_full(SOCKET socket, Where where)
{
    const std::vector<char> block(65536, 'x');
    set_nonblocking(socket, true, where);
    size_t total = 0;
    // A block that does not fit may mean that the last one is still on its way: settled twice.
    for (int refusals = 0; refusals < 2;) {
        const int sent = send(socket, block.data(), static_cast<int>(block.size()), 0);
        if (sent > 0) {
            total += static_cast<size_t>(sent);
            refusals = 0;
            if (total > 256u << 20)
                fail_at(where, "the connection never fills");
            continue;
        }
        if (WSAGetLastError() != WSAEWOULDBLOCK)
            fail_at(where, "send failed with %d", WSAGetLastError());
        let_it_settle();
        ++refusals;
    }
    return total;
}

} // namespace conformance
