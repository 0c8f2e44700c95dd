#include "counted.h"

namespace bench {

namespace {

using Fixture = CountedFixture;

constexpr DWORD kAddressLength = sizeof(sockaddr_in) + 16;

/// A new OVERLAPPED with the fixture's event, and a buffer of one byte.
bool prepare_operation(Fixture& f)
{
    f.overlapped = {};
    f.overlapped.hEvent = f.event.get();
    f.buffer = { 1, f.bytes };
    return true;
}

bool start_recv(Fixture& f)
{
    DWORD flags = 0;
    return !WSARecv(f.server.get(), &f.buffer, 1, nullptr, &flags, &f.overlapped, nullptr)
        || WSAGetLastError() == WSA_IO_PENDING;
}

bool finish_operation(Fixture& f, SOCKET socket, DWORD expected)
{
    DWORD moved = ~expected;
    DWORD flags = 0;
    return WSAGetOverlappedResult(socket, &f.overlapped, &moved, TRUE, &flags) && moved == expected;
}

bool make_send_event(Fixture& f)
{
    if (!f.fresh_event.is_valid())
        f.fresh_event.reset(WSACreateEvent());
    return f.fresh_event.is_valid() && prepare_operation(f);
}

/// A receive that goes pending, the send that ends it, and both results: one turn of a program that
/// has its transfers on events.
bool receive_then_send(Fixture& f)
{
    char byte = 's';
    WSABUF buffer = { 1, &byte };
    WSAOVERLAPPED sending = {};
    sending.hEvent = f.fresh_event.get();
    DWORD moved = 0;
    DWORD flags = 0;
    return start_recv(f)
        && (!WSASend(f.client.get(), &buffer, 1, nullptr, 0, &sending, nullptr)
            || WSAGetLastError() == WSA_IO_PENDING)
        && WSAGetOverlappedResult(f.client.get(), &sending, &moved, TRUE, &flags) && moved == 1
        && finish_operation(f, f.server.get(), 1) && f.bytes[0] == 's';
}

bool prepare_accept(Fixture& f)
{
    f.accepted.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    f.fresh.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    return f.accepted.is_valid() && f.fresh.is_valid() && prepare_operation(f);
}

bool start_accept(Fixture& f)
{
    // Static: asking for the pointer is another call.
    static const LPFN_ACCEPTEX accept_ex
        = extension_function<LPFN_ACCEPTEX>(f.listener.get(), WSAID_ACCEPTEX);
    DWORD received = 0;
    return accept_ex(f.listener.get(), f.accepted.get(), f.bytes, 0, kAddressLength, kAddressLength,
               &received, &f.overlapped)
        || WSAGetLastError() == ERROR_IO_PENDING;
}

bool finish_accept(Fixture& f)
{
    const bool ok
        = !connect(f.fresh.get(), reinterpret_cast<sockaddr*>(&f.address), sizeof(f.address))
        && finish_operation(f, f.listener.get(), 0);
    f.accepted.reset();
    return close_with_reset(f.fresh.release()) && ok;
}

/// The connection is there; its socket does not know its context yet.
bool make_accepted(Fixture& f)
{
    return prepare_accept(f) && start_accept(f)
        && !connect(f.fresh.get(), reinterpret_cast<sockaddr*>(&f.address), sizeof(f.address))
        && finish_operation(f, f.listener.get(), 0) && send_all(f.accepted.get(), "a", 1);
}

bool set_accept_context(Fixture& f)
{
    const SOCKET listener = f.listener.get();
    return !setsockopt(f.accepted.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&listener), sizeof(listener));
}

bool prepare_connect(Fixture& f)
{
    const sockaddr_in any = loopback_address(0);
    f.fresh.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    return f.fresh.is_valid()
        && !bind(f.fresh.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any))
        && prepare_operation(f);
}

bool start_connect(Fixture& f)
{
    static const LPFN_CONNECTEX connect_ex
        = extension_function<LPFN_CONNECTEX>(f.listener.get(), WSAID_CONNECTEX);
    return connect_ex(f.fresh.get(), reinterpret_cast<sockaddr*>(&f.address), sizeof(f.address),
               nullptr, 0, nullptr, &f.overlapped)
        || WSAGetLastError() == ERROR_IO_PENDING;
}

bool connect_to_the_end(Fixture& f)
{
    return start_connect(f) && finish_operation(f, f.fresh.get(), 0);
}

bool close_connected(Fixture& f)
{
    f.accepted.reset(accept(f.listener.get(), nullptr, nullptr));
    const bool is_accepted = f.accepted.is_valid();
    f.accepted.reset();
    return close_with_reset(f.fresh.release()) && is_accepted;
}

} // namespace

std::vector<CountedCall> counted_overlapped_calls()
{
    return {
        { "WSARecv (overlapped, pending)", prepare_operation, start_recv,
            [](Fixture& f) {
                return send_all(f.client.get(), "o", 1) && finish_operation(f, f.server.get(), 1);
            } },
        { "WSARecv (overlapped, ready)",
            [](Fixture& f) { return prepare_operation(f) && send_all(f.client.get(), "o", 1); },
            start_recv, [](Fixture& f) { return finish_operation(f, f.server.get(), 1); } },
        { "WSASend (overlapped)", prepare_operation,
            [](Fixture& f) {
                return !WSASend(f.client.get(), &f.buffer, 1, nullptr, 0, &f.overlapped, nullptr)
                    || WSAGetLastError() == WSA_IO_PENDING;
            },
            [](Fixture& f) {
                char byte;
                return finish_operation(f, f.client.get(), 1)
                    && recv(f.server.get(), &byte, 1, 0) == 1;
            } },
        { "WSAGetOverlappedResult (done)",
            [](Fixture& f) {
                return prepare_operation(f) && send_all(f.client.get(), "o", 1) && start_recv(f)
                    && finish_operation(f, f.server.get(), 1);
            },
            [](Fixture& f) { return finish_operation(f, f.server.get(), 1); }, nullptr },
        { "receive, send (events)", make_send_event, receive_then_send, nullptr },
        { "AcceptEx", prepare_accept, start_accept, finish_accept },
        { "setsockopt SO_UPDATE_ACCEPT_CONTEXT", make_accepted, set_accept_context,
            [](Fixture& f) {
                f.accepted.reset();
                return close_with_reset(f.fresh.release());
            } },
        { "ConnectEx (to its end)", prepare_connect, connect_to_the_end, close_connected },
    };
}

} // namespace bench
