#include "workloads.h"
#include "echo.h"
#include "port_server.h"

namespace bench {

namespace {

/// The clients, on a port of their own, all in the thread that calls run().
template <OnSuccess Mode> class PortClients {
public:
    bool add(UniqueSocket connected)
    {
        if (m_clients.empty() && !m_port.open())
            return fail("CreateIoCompletionPort");
        Client& client = m_clients.emplace_back(std::move(connected));
        return expect(client.stream.attach(m_port, reinterpret_cast<ULONG_PTR>(&client), Mode),
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
        SocketStream stream;
        EchoMessage sent;
        EchoMessage received;
        DWORD length = 0; // of what has been received
        bool is_sending = false;
        bool is_receiving = false;

        explicit Client(UniqueSocket connected)
            : stream(std::move(connected))
        {
        }
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
