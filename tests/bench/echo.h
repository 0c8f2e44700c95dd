#pragma once

// What all echo workloads have in common, on Windows and on Linux: the messages, the connections,
// and clients of which the server is to notice nothing.

#include "measure.h"
#include "sockets.h"

#include <algorithm>

namespace bench {

/// 64 bytes that tell in each word which message this is: another one's, or a mixture, is noticed.
struct EchoMessage {
    uint64_t words[8] = {};

    EchoMessage() = default;
    explicit EchoMessage(uint64_t number)
    {
        for (uint64_t& word : words)
            word = number++ * 0x9E3779B97F4A7C15;
    }
    bool operator==(const EchoMessage&) const = default;
};

/// `Server` and `Clients` with a number of connections between them. Both have
///     bool add(UniqueSocket connected);    takes the end of a connection, before the start
/// and then
///     bool Server::start();                serves with threads of its own until every client is
///     gone bool Clients::run(uint64_t n);       n messages there and back, each checked, one under
///     way
///                                          on each connection at most
template <typename Server, typename Clients> class Echo : public Workload {
public:
    explicit Echo(unsigned connections)
        : m_connections(connections)
    {
    }
    bool set_up() override
    {
        sockaddr_in address;
        const UniqueSocket listener(listen_on_loopback(address));
        for (unsigned i = 0; i < m_connections; ++i) {
            UniqueSocket client;
            UniqueSocket server;
            if (!connect_pair(listener.get(), address, client, server)
                || !m_server.add(std::move(server)) || !m_clients.add(std::move(client)))
                return fail("making a connection");
        }
        return expect(m_server.start(), "starting the server");
    }
    bool run(uint64_t iterations) override { return m_clients.run(iterations); }

private:
    unsigned m_connections;
    Server m_server;
    Clients m_clients; // Goes first, so that the server ends.
};

/// Clients in one thread with blocking sockets: the server is what is measured.
class BlockingClients {
public:
    bool add(UniqueSocket connected)
    {
        m_sockets.push_back(std::move(connected));
        return true;
    }
    bool run(uint64_t iterations)
    {
        // The last turn may be short of some connections.
        for (uint64_t first = 0; first < iterations; first += m_sockets.size()) {
            const size_t count = std::min<uint64_t>(m_sockets.size(), iterations - first);
            for (size_t i = 0; i < count; ++i) {
                const EchoMessage sent(first + i);
                if (!send_all(m_sockets[i].get(), &sent, sizeof(sent)))
                    return fail("the client's send");
            }
            for (size_t i = 0; i < count; ++i) {
                EchoMessage received;
                if (!recv_all(m_sockets[i].get(), &received, sizeof(received))
                    || received != EchoMessage(first + i))
                    return fail("the client's recv");
            }
        }
        return true;
    }

private:
    std::vector<UniqueSocket> m_sockets;
};

} // namespace bench
