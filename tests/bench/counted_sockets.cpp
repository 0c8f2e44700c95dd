#include "counted.h"

namespace bench {

namespace {

using Fixture = CountedFixture;

bool make_tcp(Fixture& f)
{
    f.fresh.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    return f.fresh.is_valid();
}

bool make_udp(Fixture& f)
{
    f.fresh.reset(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
    return f.fresh.is_valid();
}

bool bind_fresh(Fixture& f)
{
    const sockaddr_in any = loopback_address(0);
    return !bind(f.fresh.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any));
}

bool make_bound(Fixture& f)
{
    return make_tcp(f) && bind_fresh(f);
}

bool connect_fresh(Fixture& f)
{
    return !connect(f.fresh.get(), reinterpret_cast<sockaddr*>(&f.address), sizeof(f.address));
}

bool make_connecting(Fixture& f)
{
    return make_tcp(f) && connect_fresh(f);
}

bool close_fresh(Fixture& f)
{
    f.accepted.reset();
    return close_with_reset(f.fresh.release());
}

bool accept_fresh(Fixture& f)
{
    f.accepted.reset(accept(f.listener.get(), nullptr, nullptr));
    return f.accepted.is_valid();
}

bool accept_fresh_with_address(Fixture& f)
{
    sockaddr_in from = {};
    int length = sizeof(from);
    f.accepted.reset(accept(f.listener.get(), reinterpret_cast<sockaddr*>(&from), &length));
    return f.accepted.is_valid() && from.sin_port;
}

template <int Level, int Name> bool get_option(Fixture& f)
{
    int value = -1;
    int length = sizeof(value);
    return !getsockopt(f.client.get(), Level, Name, reinterpret_cast<char*>(&value), &length);
}

template <int Level, int Name, int Value> bool set_option(Fixture& f)
{
    const int value = Value;
    return !setsockopt(
        f.client.get(), Level, Name, reinterpret_cast<const char*>(&value), sizeof(value));
}

template <int(WSAAPI* Function)(SOCKET, sockaddr*, int*)> bool get_name(SOCKET socket)
{
    sockaddr_in name = {};
    int length = sizeof(name);
    return !Function(socket, reinterpret_cast<sockaddr*>(&name), &length) && name.sin_port;
}

bool select_sockets(const std::vector<UniqueSocket>& sockets)
{
    fd_set read = {};
    for (const UniqueSocket& socket : sockets)
        read.fd_array[read.fd_count++] = socket.get();
    timeval now = {};
    return select(0, &read, nullptr, nullptr, &now) == 1;
}

bool poll_sockets(const std::vector<UniqueSocket>& sockets)
{
    WSAPOLLFD fds[64];
    ULONG count = 0;
    for (const UniqueSocket& socket : sockets)
        fds[count++] = { socket.get(), POLLRDNORM, 0 };
    return WSAPoll(fds, count, 0) == 1;
}

/// Only the socket that is ready.
bool make_one(Fixture& f)
{
    if (!f.make_many())
        return false;
    if (f.many.size() > 1)
        f.many.erase(f.many.begin(), f.many.end() - 1);
    return true;
}

} // namespace

std::vector<CountedCall> counted_socket_calls()
{
    return {
        { "socket (TCP)", nullptr, make_tcp, close_fresh },
        { "socket (UDP)", nullptr, make_udp,
            [](Fixture& f) { return !closesocket(f.fresh.release()); } },
        { "closesocket", make_tcp, [](Fixture& f) { return !closesocket(f.fresh.release()); },
            nullptr },
        { "bind", make_tcp, bind_fresh, close_fresh },
        { "listen", make_bound, [](Fixture& f) { return !listen(f.fresh.get(), 5); },
            [](Fixture& f) { return !closesocket(f.fresh.release()); } },
        { "connect", make_tcp, connect_fresh,
            [](Fixture& f) { return accept_fresh(f) && close_fresh(f); } },
        { "accept", make_connecting, accept_fresh, close_fresh },
        { "accept (with address)", make_connecting, accept_fresh_with_address, close_fresh },
        { "shutdown",
            [](Fixture& f) {
                return make_connecting(f) && accept_fresh(f) && send_all(f.fresh.get(), "s", 1);
            },
            [](Fixture& f) { return !shutdown(f.fresh.get(), SD_SEND); }, close_fresh },
        { "getsockname", nullptr, [](Fixture& f) { return get_name<getsockname>(f.client.get()); },
            nullptr },
        { "getpeername", nullptr, [](Fixture& f) { return get_name<getpeername>(f.client.get()); },
            nullptr },
        { "getsockname (accepted)", nullptr,
            [](Fixture& f) { return get_name<getsockname>(f.server.get()); }, nullptr },
        { "getpeername (accepted)", nullptr,
            [](Fixture& f) { return get_name<getpeername>(f.server.get()); }, nullptr },
        { "getsockopt SO_TYPE", nullptr, get_option<SOL_SOCKET, SO_TYPE>, nullptr },
        { "getsockopt SO_ERROR", nullptr, get_option<SOL_SOCKET, SO_ERROR>, nullptr },
        { "getsockopt SO_RCVBUF", nullptr, get_option<SOL_SOCKET, SO_RCVBUF>, nullptr },
        { "getsockopt TCP_NODELAY", nullptr, get_option<IPPROTO_TCP, TCP_NODELAY>, nullptr },
        { "setsockopt SO_RCVBUF", nullptr, set_option<SOL_SOCKET, SO_RCVBUF, 65536>, nullptr },
        { "setsockopt SO_RCVTIMEO", nullptr, set_option<SOL_SOCKET, SO_RCVTIMEO, 60000>, nullptr },
        { "setsockopt TCP_NODELAY", nullptr, set_option<IPPROTO_TCP, TCP_NODELAY, 1>, nullptr },
        { "ioctlsocket FIONBIO", nullptr,
            [](Fixture& f) { return set_nonblocking(f.client.get(), false); }, nullptr },
        { "ioctlsocket FIONREAD", nullptr,
            [](Fixture& f) {
                u_long available = 1;
                return !ioctlsocket(f.client.get(), FIONREAD, &available) && !available;
            },
            nullptr },
        { "select", make_one, [](Fixture& f) { return select_sockets(f.many); }, nullptr },
        { "select (64 sockets)", [](Fixture& f) { return f.make_many(); },
            [](Fixture& f) { return select_sockets(f.many); }, nullptr },
        { "WSAPoll", make_one, [](Fixture& f) { return poll_sockets(f.many); }, nullptr },
        { "WSAPoll (64 sockets)", [](Fixture& f) { return f.make_many(); },
            [](Fixture& f) { return poll_sockets(f.many); }, nullptr },
        { "WSAIoctl SIO_GET_EXTENSION_FUNCTION_POINTER", nullptr,
            [](Fixture& f) {
                return extension_function<LPFN_ACCEPTEX>(f.listener.get(), WSAID_ACCEPTEX)
                    != nullptr;
            },
            nullptr },
        { "WSADuplicateSocketW", nullptr,
            [](Fixture& f) {
                WSAPROTOCOL_INFOW info;
                if (WSADuplicateSocketW(f.client.get(), GetCurrentProcessId(), &info))
                    return false;
                f.fresh.reset(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                    &info, 0, WSA_FLAG_OVERLAPPED));
                return f.fresh.is_valid();
            },
            [](Fixture& f) { return !closesocket(f.fresh.release()); } },
    };
}

} // namespace bench
