#include "workloads.h"
#include "echo.h"
#include "thread.h"

namespace bench {

namespace {

/// The event loop as the documentation's examples write it: wait for any of the events, enumerate
/// the socket it belongs to, receive once, send the same back. One event per connection, at most
/// 64. Serves until every client has closed; on an error it closes its sockets, which the clients
/// then notice.
class EventLoop {
public:
    ~EventLoop() { m_thread.join(); }

    /// Takes over a connected socket. Call before start().
    bool add(UniqueSocket socket)
    {
        UniqueEvent event(WSACreateEvent());
        if (!event.is_valid() || WSAEventSelect(socket.get(), event.get(), FD_READ | FD_CLOSE))
            return false;
        m_sockets.push_back(std::move(socket));
        m_events.push_back(std::move(event));
        return true;
    }
    bool start()
    {
        return m_thread.start([this] {
            while (!m_sockets.empty() && serve_one()) { }
            m_sockets.clear();
        });
    }

private:
    bool serve_one()
    {
        WSAEVENT events[WSA_MAXIMUM_WAIT_EVENTS] = {};
        const DWORD count = static_cast<DWORD>(m_events.size());
        for (DWORD i = 0; i < count; ++i)
            events[i] = m_events[i].get();
        const DWORD index = WSAWaitForMultipleEvents(count, events, FALSE, WSA_INFINITE, FALSE)
            - WSA_WAIT_EVENT_0;
        if (index >= count)
            return fail("the server's WSAWaitForMultipleEvents");

        const SOCKET socket = m_sockets[index].get();
        WSANETWORKEVENTS record;
        if (WSAEnumNetworkEvents(socket, events[index], &record))
            return fail("the server's WSAEnumNetworkEvents");
        if ((record.lNetworkEvents & FD_READ) && !echo(socket))
            return false;
        if (record.lNetworkEvents & FD_CLOSE) {
            m_sockets.erase(m_sockets.begin() + index);
            m_events.erase(m_events.begin() + index);
        }
        return true;
    }
    bool echo(SOCKET socket)
    {
        char buffer[4096];
        const int received = recv(socket, buffer, sizeof(buffer), 0);
        if (received > 0)
            return expect(send(socket, buffer, received, 0) == received, "the server's send");
        // Nothing, after all: FD_READ may be reported for data that an earlier call received.
        return received == 0 || expect(WSAGetLastError() == WSAEWOULDBLOCK, "the server's recv");
    }

    std::vector<UniqueSocket> m_sockets;
    std::vector<UniqueEvent> m_events;
    Thread m_thread;
};

/// One message there and back, both sides driven by events.
class RoundTrip : public Workload {
public:
    ~RoundTrip() override { m_client.reset(); }

    bool set_up() override
    {
        UniqueSocket server;
        m_event.reset(WSACreateEvent());
        return expect(connect_pair(m_client, server), "making a connection")
            && expect(m_event.is_valid(), "WSACreateEvent")
            && expect(!WSAEventSelect(m_client.get(), m_event.get(), FD_READ | FD_CLOSE),
                "WSAEventSelect")
            && expect(m_server.add(std::move(server)) && m_server.start(), "starting the server");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const uint64_t sent = i * 0x9E3779B97F4A7C15;
            if (send(m_client.get(), reinterpret_cast<const char*>(&sent), sizeof(sent), 0)
                != sizeof(sent))
                return fail("the client's send");
            if (!receive(sent))
                return false;
        }
        return true;
    }

private:
    bool receive(uint64_t expected)
    {
        const WSAEVENT events[] = { m_event.get() };
        WSANETWORKEVENTS record;
        do {
            if (WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) != WSA_WAIT_EVENT_0)
                return fail("the client's WSAWaitForMultipleEvents");
            if (WSAEnumNetworkEvents(m_client.get(), m_event.get(), &record)
                || (record.lNetworkEvents & FD_CLOSE))
                return fail("the client's WSAEnumNetworkEvents");
        } while (!(record.lNetworkEvents & FD_READ)); // An event may be set with no record left.
        uint64_t received = 0;
        // Eight bytes sent in one call on the loopback arrive in one piece.
        return expect(recv(m_client.get(), reinterpret_cast<char*>(&received), sizeof(received), 0)
                    == sizeof(received)
                && received == expected,
            "the client's recv");
    }

    EventLoop m_server;
    UniqueEvent m_event;
    UniqueSocket m_client;
};

/// The same server with more connections.
using Throughput = Echo<EventLoop, BlockingClients>;

} // namespace

std::vector<WorkloadRow> event_echo_workloads()
{
    return {
        { "event_echo_rtt", Unit::MicrosecondsPerOperation, create<RoundTrip> },
        { "event_echo_throughput_1", Unit::OperationsPerSecond, create_with<Throughput>, 1 },
        { "event_echo_throughput_8", Unit::OperationsPerSecond, create_with<Throughput>, 8 },
        { "event_echo_throughput_64", Unit::OperationsPerSecond, create_with<Throughput>, 64 },
    };
}

} // namespace bench
