#include "afd_poller.h"
#include "counted.h"
#include "port.h"

#include <optional>

namespace bench {

/// A connection with both ends on one port, or a poller that watches what is always ready.
struct CountedPort {
    Port port;
    std::optional<SocketStream> sender;
    std::optional<SocketStream> receiver;
    AfdPoller poller;
    UniqueSocket readable;
    char sent[8] = "counted";
    char received[8] = {};

    bool set_up(CountedFixture& f, OnSuccess on_success)
    {
        UniqueSocket client;
        UniqueSocket server;
        if (!port.open() || !connect_pair(f.listener.get(), f.address, client, server))
            return false;
        sender.emplace(std::move(client));
        receiver.emplace(std::move(server));
        return sender->attach(port, kSender, on_success)
            && receiver->attach(port, kReceiver, on_success);
    }
    /// Nobody ever receives what is sent to the watched socket.
    bool watch(CountedFixture& f)
    {
        sockaddr_in address = {};
        readable.reset(bind_udp_on_loopback(address));
        size_t index = 1;
        return readable.is_valid() && poller.open()
            && sendto(
                   f.left.get(), "p", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof(address))
            == 1
            && poller.watch(readable.get(), 0) && poller.wait(&index, 1) == 1 && !index;
    }
    /// Takes the packet of an operation that has begun like this; checks how much it moved.
    bool finish(Started started, DWORD moved, ULONG_PTR key)
    {
        if (started == Started::Pending) {
            OVERLAPPED_ENTRY packet;
            if (port.remove(&packet, 1) != 1 || !has_succeeded(packet)
                || packet.lpCompletionKey != key)
                return false;
            moved = packet.dwNumberOfBytesTransferred;
        }
        return started != Started::Failed && moved == sizeof(sent);
    }

    static constexpr ULONG_PTR kSender = 1;
    static constexpr ULONG_PTR kReceiver = 2;
};

namespace {

using Fixture = CountedFixture;

template <OnSuccess Mode> bool make_port(Fixture& f)
{
    if (f.port)
        return true;
    f.port = std::make_shared<CountedPort>();
    return f.port->set_up(f, Mode);
}

bool make_poller(Fixture& f)
{
    if (f.port)
        return true;
    f.port = std::make_shared<CountedPort>();
    return f.port->watch(f);
}

/// A send and the receive of it, which finds the data there.
bool send_then_receive(Fixture& f)
{
    CountedPort& p = *f.port;
    DWORD moved = 0;
    const Started sending = p.sender->send(p.sent, sizeof(p.sent), moved);
    if (!p.finish(sending, moved, CountedPort::kSender))
        return false;
    const Started receiving = p.receiver->receive(p.received, sizeof(p.received), moved);
    return p.finish(receiving, moved, CountedPort::kReceiver);
}

/// A receive that goes pending, and the send that ends it. Which packet comes first is the system's
/// choice.
bool receive_then_send(Fixture& f)
{
    CountedPort& p = *f.port;
    DWORD moved = 0;
    if (p.receiver->receive(p.received, sizeof(p.received), moved) != Started::Pending)
        return false;
    ULONG waiting = p.sender->send(p.sent, sizeof(p.sent), moved) == Started::Pending ? 2 : 1;
    while (waiting) {
        OVERLAPPED_ENTRY packets[2];
        const ULONG count = p.port.remove(packets, waiting);
        if (!count)
            return false;
        for (ULONG i = 0; i < count; ++i) {
            if (!has_succeeded(packets[i])
                || packets[i].dwNumberOfBytesTransferred != sizeof(p.sent))
                return false;
        }
        waiting -= count;
    }
    return true;
}

bool post_and_get(Fixture& f)
{
    OVERLAPPED_ENTRY packet;
    return f.port->port.post(7) && f.port->port.remove(&packet, 1) == 1
        && packet.lpCompletionKey == 7;
}

bool poll_ready(Fixture& f)
{
    size_t index = 1;
    return f.port->poller.rearm(0) && f.port->poller.wait(&index, 1) == 1 && !index;
}

/// What a program does between connect and close that uses the connection once.
bool connect_to_close(Fixture& f)
{
    UniqueSocket client;
    UniqueSocket server;
    char received[8] = {};
    if (!connect_pair(f.listener.get(), f.address, client, server)
        || !send_all(client.get(), "counted", sizeof(received))
        || !recv_all(server.get(), received, sizeof(received)))
        return false;
    server.reset();
    return close_with_reset(client.release());
}

} // namespace

std::vector<CountedCall> counted_port_calls()
{
    return {
        { "receive, send (port)", make_port<OnSuccess::Packet>, receive_then_send, nullptr },
        { "send, receive (port)", make_port<OnSuccess::Packet>, send_then_receive, nullptr },
        { "receive, send (port, skip)", make_port<OnSuccess::Skip>, receive_then_send, nullptr },
        { "send, receive (port, skip)", make_port<OnSuccess::Skip>, send_then_receive, nullptr },
        { "post, get (port)", make_port<OnSuccess::Packet>, post_and_get, nullptr },
        { "IOCTL_AFD_POLL (ready)", make_poller, poll_ready, nullptr },
        { "connect to close", nullptr, connect_to_close, nullptr },
    };
}

} // namespace bench
