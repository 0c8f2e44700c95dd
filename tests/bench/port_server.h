#pragma once

#include "measure.h"
#include "port.h"
#include "thread.h"

#include <atomic>
#include <deque>
#include <memory>

namespace bench {

/// An echo server on a completion port: each connection has a receive or a send under way, and
/// whichever thread gets its packet starts the next one.
template <OnSuccess Mode, unsigned Threads = 1> class PortServer {
public:
    bool add(UniqueSocket connected)
    {
        return add(std::make_unique<SocketStream>(std::move(connected)));
    }
    bool add(std::unique_ptr<PortStream> stream)
    {
        if (m_connections.empty() && !m_port.open())
            return fail("CreateIoCompletionPort");
        Connection& connection = m_connections.emplace_back();
        connection.stream = std::move(stream);
        return expect(
            connection.stream->attach(m_port, reinterpret_cast<ULONG_PTR>(&connection), Mode),
            "associating a handle of the server");
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
        std::unique_ptr<PortStream> stream;
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
        for (Connection& connection : m_connections)
            connection.stream->close(); // The clients notice it.
    }
    void take(const OVERLAPPED_ENTRY& packet)
    {
        Connection& connection = *reinterpret_cast<Connection*>(packet.lpCompletionKey);
        const bool is_receive = connection.stream->is_receive(packet);
        if (is_receive && is_end_of_stream(packet))
            return close(connection);
        if (!has_succeeded(packet)) {
            fail("an operation of the server");
            return close(connection);
        }
        go_on(connection, is_receive ? Step::Received : Step::Sent,
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
                ? connection.stream->send(connection.buffer, moved, moved)
                : connection.stream->receive(connection.buffer, sizeof(connection.buffer), moved);
            if (started == Started::Pending)
                return;
            if (started == Started::Failed) {
                fail("a send or a receive of the server");
                return close(connection);
            }
        }
    }
    void close(Connection& connection)
    {
        connection.stream->close();
        if (!--m_open)
            m_port.post(kEnd);
    }

    Port m_port;
    std::deque<Connection> m_connections;
    std::atomic<size_t> m_open = 0;
    Thread m_threads[Threads]; // Joined before what they use goes.
};

} // namespace bench
