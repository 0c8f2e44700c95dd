#pragma once

// An echo server and its clients as programs write them that ask which sockets are readable, and
// then receive and send without waiting. A Poller is the system's means to ask:
//     bool open();
//     bool watch(SocketHandle socket, size_t index);   from now on `index` is told when readable
//     bool rearm(size_t index);                        what was told has been received
//     int wait(size_t* ready, int most);               readable ones; 0 after end(), -1 on failure
//     void end();                                      every wait, now or later, returns 0
// Threads may wait at the same time; nobody adds while they do.

#include "echo.h"
#include "thread.h"

#include <atomic>
#include <deque>

namespace bench {

/// Receives once for each notification and sends the same back.
template <typename Poller, unsigned Threads = 1> class ReadinessServer {
public:
    bool add(UniqueSocket connected)
    {
        if (m_sockets.empty() && !m_poller.open())
            return fail("making a poller");
        m_sockets.push_back(std::move(connected));
        return expect(set_nonblocking(m_sockets.back().get(), true)
                && m_poller.watch(m_sockets.back().get(), m_sockets.size() - 1),
            "watching a socket of the server");
    }
    bool start()
    {
        m_open = m_sockets.size();
        for (Thread& thread : m_threads) {
            if (!thread.start([this] { serve(); }))
                return false;
        }
        return true;
    }

private:
    void serve()
    {
        size_t ready[64];
        int count;
        while ((count = m_poller.wait(ready, 64)) > 0) {
            for (int i = 0; i < count; ++i) {
                if (!echo(ready[i]))
                    close(ready[i]);
            }
        }
        if (count) {
            fail("the server's wait");
            for (const UniqueSocket& socket : m_sockets)
                shutdown(socket.get(), kShutdownBoth); // The clients notice it.
        }
    }
    bool echo(size_t index)
    {
        char buffer[4096];
        const SocketHandle socket = m_sockets[index].get();
        const ptrdiff_t received = recv_some(socket, buffer, sizeof(buffer));
        if (!received)
            return false;
        if (received == kRecvFailed)
            return fail("the server's recv");
        if (received > 0 && !send_all(socket, buffer, static_cast<size_t>(received)))
            return fail("the server's send");
        return expect(m_poller.rearm(index), "watching a socket of the server again");
    }
    void close(size_t index)
    {
        m_sockets[index].reset();
        if (!--m_open)
            m_poller.end();
    }

    Poller m_poller;
    std::deque<UniqueSocket> m_sockets;
    std::atomic<size_t> m_open = 0;
    Thread m_threads[Threads]; // Joined before what they use goes.
};

/// The clients, all in the thread that calls run().
template <typename Poller> class ReadinessClients {
public:
    bool add(UniqueSocket connected)
    {
        if (m_clients.empty() && !m_poller.open())
            return fail("making a poller");
        m_clients.emplace_back().socket = std::move(connected);
        const SocketHandle socket = m_clients.back().socket.get();
        return expect(set_nonblocking(socket, true) && m_poller.watch(socket, m_clients.size() - 1),
            "watching a socket of the client");
    }
    bool run(uint64_t iterations)
    {
        uint64_t next = 0;
        for (Client& client : m_clients) {
            if (next < iterations && !client.send(next++))
                return false;
        }
        size_t ready[64];
        for (uint64_t done = 0; done < iterations;) {
            const int count = m_poller.wait(ready, 64);
            if (count <= 0)
                return fail("the client's wait");
            for (int i = 0; i < count; ++i) {
                Client& client = m_clients[ready[i]];
                if (!client.receive())
                    return false;
                if (client.is_answered()) {
                    ++done;
                    client.length = 0;
                    if (next < iterations && !client.send(next++))
                        return false;
                }
                if (!m_poller.rearm(ready[i]))
                    return fail("watching a socket of the client again");
            }
        }
        return true;
    }

private:
    struct Client {
        UniqueSocket socket;
        EchoMessage sent;
        EchoMessage received;
        size_t length = 0; // of what has been received

        bool send(uint64_t number)
        {
            sent = EchoMessage(number);
            return expect(send_all(socket.get(), &sent, sizeof(sent)), "the client's send");
        }
        bool receive()
        {
            char* const place = reinterpret_cast<char*>(&received) + length;
            const ptrdiff_t count = recv_some(socket.get(), place, sizeof(received) - length);
            if (!count || count == kRecvFailed)
                return fail("the client's recv");
            length += count > 0 ? static_cast<size_t>(count) : 0;
            return expect(!is_answered() || received == sent, "a wrong answer");
        }
        bool is_answered() const { return length == sizeof(received); }
    };

    Poller m_poller; // Goes last: it may have to see its requests end with their sockets.
    std::deque<Client> m_clients;
};

} // namespace bench
