#include "workloads.h"
#include "echo.h"
#include "port.h"
#include "thread.h"

#include <atomic>
#include <deque>

namespace bench {

namespace {

/// An echo server on a completion port: each connection has a receive or a send under way, and
/// whichever thread gets its packet starts the next one.
template <OnSuccess Mode, unsigned Threads = 1> class PortServer {
public:
    bool add(UniqueSocket connected)
    {
        if (m_connections.empty() && !m_port.open())
            return fail("CreateIoCompletionPort");
        Connection& connection = m_connections.emplace_back();
        return expect(connection.stream.attach(std::move(connected), m_port,
                          reinterpret_cast<ULONG_PTR>(&connection), Mode),
            "associating a socket of the server");
    }
    bool start()
    {
        m_open = m_connections.size();
        for (Connection& connection : m_connections)
            go_on(connection, Step::Sent, 0);
        for (Thread& thread : m_threads) {
            if (!thread.start([this] { serve(); }))
                return false;
        }
        return true;
    }

private:
    struct Connection {
        PortStream stream;
        char buffer[4096];
    };
    enum class Step { Received, Sent };
    static constexpr ULONG_PTR kEnd = 0;

    void serve()
    {
        OVERLAPPED_ENTRY packets[64];
        while (const ULONG count = m_port.remove(packets, 64)) {
            for (ULONG i = 0; i < count; ++i) {
                if (packets[i].lpCompletionKey == kEnd) {
                    m_port.post(kEnd); // for the next thread
                    return;
                }
                take(packets[i]);
            }
        }
        fail("the server's GetQueuedCompletionStatusEx");
    }
    void take(const OVERLAPPED_ENTRY& packet)
    {
        Connection& connection = *reinterpret_cast<Connection*>(packet.lpCompletionKey);
        if (!has_succeeded(packet)) {
            fail("an operation of the server");
            close(connection);
            return;
        }
        go_on(connection, connection.stream.is_receive(packet) ? Step::Received : Step::Sent,
            packet.dwNumberOfBytesTransferred);
    }
    /// Starts what follows `step`, until something goes pending.
    void go_on(Connection& connection, Step step, DWORD moved)
    {
        for (;;) {
            if (step == Step::Received && !moved)
                return close(connection); // the end of the stream
            step = step == Step::Received ? Step::Sent : Step::Received;
            const Started started = step == Step::Sent
                ? connection.stream.send(connection.buffer, moved, moved)
                : connection.stream.receive(connection.buffer, sizeof(connection.buffer), moved);
            if (started == Started::Pending)
                return;
            if (started == Started::Failed) {
                fail("WSASend or WSARecv of the server");
                return close(connection);
            }
        }
    }
    void close(Connection& connection)
    {
        connection.stream.close();
        if (!--m_open)
            m_port.post(kEnd);
    }

    Port m_port;
    std::deque<Connection> m_connections;
    std::atomic<size_t> m_open = 0;
    Thread m_threads[Threads]; // Joined before what they use goes.
};

/// The clients, on a port of their own, all in the thread that calls run().
template <OnSuccess Mode> class PortClients {
public:
    bool add(UniqueSocket connected)
    {
        if (m_clients.empty() && !m_port.open())
            return fail("CreateIoCompletionPort");
        Client& client = m_clients.emplace_back();
        return expect(client.stream.attach(
                          std::move(connected), m_port, reinterpret_cast<ULONG_PTR>(&client), Mode),
            "associating a socket of the client");
    }
    bool run(uint64_t iterations)
    {
        m_next = m_done = 0;
        m_end = iterations;
        for (Client& client : m_clients) {
            if (m_next < m_end && !(begin(client) && go_on(client)))
                return false;
        }
        OVERLAPPED_ENTRY packets[64];
        while (m_done < m_end) {
            const ULONG count = m_port.remove(packets, 64);
            if (!count)
                return fail("the client's GetQueuedCompletionStatusEx");
            for (ULONG i = 0; i < count; ++i) {
                if (!take(packets[i]))
                    return false;
            }
        }
        return true;
    }

private:
    /// A message is over when it has come back and its send is over, too.
    struct Client {
        PortStream stream;
        EchoMessage sent;
        EchoMessage received;
        DWORD length = 0; // of what has been received
        bool is_sending = false;
        bool is_receiving = false;
    };

    bool take(const OVERLAPPED_ENTRY& packet)
    {
        Client& client = *reinterpret_cast<Client*>(packet.lpCompletionKey);
        const DWORD moved = packet.dwNumberOfBytesTransferred;
        if (!has_succeeded(packet))
            return fail("an operation of the client");
        if (client.stream.is_receive(packet)) {
            client.is_receiving = false;
            client.length += moved;
            if (!moved)
                return fail("the server closed a connection");
        } else {
            client.is_sending = false;
            if (moved != sizeof(client.sent))
                return fail("a send of the client was not whole");
        }
        return go_on(client);
    }
    bool begin(Client& client)
    {
        DWORD moved = 0;
        client.sent = EchoMessage(m_next++);
        client.received = {};
        client.length = 0;
        const Started started = client.stream.send(&client.sent, sizeof(client.sent), moved);
        client.is_sending = started == Started::Pending;
        if (started == Started::Failed
            || (started == Started::Done && moved != sizeof(client.sent)))
            return fail("WSASend of the client");
        return receive(client);
    }
    bool receive(Client& client)
    {
        DWORD moved = 0;
        char* const place = reinterpret_cast<char*>(&client.received) + client.length;
        const Started started
            = client.stream.receive(place, sizeof(client.received) - client.length, moved);
        client.is_receiving = started == Started::Pending;
        if (started == Started::Done)
            client.length += moved;
        return expect(
            client.is_receiving || (started == Started::Done && moved), "WSARecv of the client");
    }
    /// Goes on until something is pending or there is no message left to send.
    bool go_on(Client& client)
    {
        while (!client.is_sending && !client.is_receiving) {
            if (client.length < sizeof(client.received)) {
                if (!receive(client))
                    return false;
                continue;
            }
            if (client.received != client.sent)
                return fail("a wrong answer");
            ++m_done;
            if (m_next == m_end)
                return true;
            if (!begin(client))
                return false;
        }
        return true;
    }

    Port m_port;
    std::deque<Client> m_clients;
    uint64_t m_next = 0;
    uint64_t m_done = 0;
    uint64_t m_end = 0;
};

template <OnSuccess Mode, unsigned Threads = 1>
using PortEcho = Echo<PortServer<Mode, Threads>, PortClients<Mode>>;

} // namespace

std::vector<WorkloadRow> iocp_echo_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    constexpr Unit per_second = Unit::OperationsPerSecond;
    constexpr OnSuccess packet = OnSuccess::Packet;
    constexpr OnSuccess skip = OnSuccess::Skip;
    return {
        { "iocp_echo_rtt", us, create_with<PortEcho<packet>>, 1 },
        { "iocp_echo_rtt_skip", us, create_with<PortEcho<skip>>, 1 },
        { "iocp_echo_throughput_64", per_second, create_with<PortEcho<packet>>, 64 },
        { "iocp_echo_throughput_64_skip", per_second, create_with<PortEcho<skip>>, 64 },
        { "iocp_echo_64_threads_4", per_second, create_with<PortEcho<skip, 4>>, 64 },
    };
}

} // namespace bench
