#include "workloads.h"
#include "echo.h"
#include "port.h"
#include "thread.h"
#include "udp_send.h"

#include "sdk/registered_io.h"

#include <atomic>
#include <cstring>
#include <deque>

namespace bench {

namespace {

using sdk::RioBuf;
using sdk::RioCq;
using sdk::RioResult;
using sdk::RioRq;

bool find_functions(SOCKET socket, sdk::RioTable& functions)
{
    GUID guid = sdk::kMultipleRio;
    DWORD size = 0;
    functions = {};
    functions.size = sizeof(functions);
    return !WSAIoctl(socket, sdk::kGetMultipleExtensionFunctionPointer, &guid, sizeof(guid),
        &functions, sizeof(functions), &size, nullptr, nullptr);
}

/// A completion queue and the buffer of its sockets. Owns both.
class Queue {
public:
    ~Queue()
    {
        if (m_queue)
            m_functions.RIOCloseCompletionQueue(m_queue);
        if (m_buffer.id)
            m_functions.RIODeregisterBuffer(m_buffer.id);
    }
    /// Without a port it is polled.
    bool open(SOCKET any, Port* port, DWORD size, char* data, DWORD length)
    {
        if (!find_functions(any, m_functions))
            return fail("there is no registered I/O");
        sdk::RioNotification notification {};
        notification.type = sdk::kRioPort;
        if (port)
            notification.port = { port->get(), this, &m_overlapped };
        m_queue = m_functions.RIOCreateCompletionQueue(size, port ? &notification : nullptr);
        m_buffer.id = m_functions.RIORegisterBuffer(data, length);
        return m_queue && m_buffer.id != sdk::invalid_rio_buffer();
    }
    RioRq add(SOCKET socket, ULONG most, void* context)
    {
        return m_functions.RIOCreateRequestQueue(
            socket, most, 1, most, 1, m_queue, m_queue, context);
    }
    RioBuf piece(ULONG offset, ULONG length) const { return { m_buffer.id, offset, length }; }
    const sdk::RioTable* operator->() const { return &m_functions; }
    ULONG take(RioResult* results, ULONG most)
    {
        return m_functions.RIODequeueCompletion(m_queue, results, most);
    }
    bool notify() { return !m_functions.RIONotify(m_queue); }

private:
    sdk::RioTable m_functions {};
    RioCq m_queue = nullptr;
    RioBuf m_buffer {};
    OVERLAPPED m_overlapped {};
};

/// A datagram there and back between two sockets with a queue each, one thread: the receive goes
/// pending, the send follows, the port tells that there is something in the receiver's queue.
class PingPong : public Workload {
public:
    bool set_up() override
    {
        return expect(m_port.open(), "CreateIoCompletionPort")
            && expect(m_peers[0].make(m_port) && m_peers[1].make(m_port), "making UDP sockets")
            && expect(m_peers[0].connect_to(m_peers[1]) && m_peers[1].connect_to(m_peers[0]),
                "connecting UDP sockets");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!transfer(m_peers[0], m_peers[1], i) || !transfer(m_peers[1], m_peers[0], ~i))
                return false;
        }
        return true;
    }

private:
    struct Peer {
        UniqueSocket socket;
        sockaddr_in address = {};
        uint64_t data[10] = {}; // what is sent, and one more than that for what comes
        Queue queue; // Goes before the memory that it has.
        RioRq requests = nullptr;

        bool make(Port& port)
        {
            socket.reset(bind_udp_on_loopback(address));
            if (!queue.open(socket.get(), &port, 8, reinterpret_cast<char*>(data), sizeof(data)))
                return false;
            requests = queue.add(socket.get(), 2, this);
            return requests;
        }
        bool connect_to(const Peer& peer)
        {
            return !connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer.address),
                sizeof(peer.address));
        }
        bool receive()
        {
            RioBuf piece = queue.piece(40, 40);
            return queue->RIOReceive(requests, &piece, 1, 0, nullptr) && queue.notify();
        }
        bool send(uint64_t number)
        {
            const uint64_t message[4] = { number, ~number, number + 1, number ^ 0x5555 };
            std::memcpy(data, message, sizeof(message));
            RioBuf piece = queue.piece(0, sizeof(message));
            return queue->RIOSend(requests, &piece, 1, sdk::kRioDontNotify, this);
        }
    };

    bool transfer(Peer& from, Peer& to, uint64_t number)
    {
        if (!to.receive() || !from.send(number))
            return fail("RIOReceive or RIOSend");
        RioResult result[2];
        ULONG sent;
        while (!(sent = from.queue.take(result, 2))) { } // it may end a moment later
        if (sent != 1 || result->status || result->transferred != 32)
            return fail("the completion of RIOSend");
        OVERLAPPED_ENTRY packet;
        if (m_port.remove(&packet, 1) != 1
            || packet.lpCompletionKey != reinterpret_cast<ULONG_PTR>(&to.queue))
            return fail("the notification of the queue");
        if (to.queue.take(result, 2) != 1 || result->status || result->transferred != 32)
            return fail("the completion of RIOReceive");
        return expect(!std::memcmp(to.data + 5, from.data, 32), "a wrong datagram");
    }

    Port m_port;
    Peer m_peers[2];
};

/// As SendOneByOne in deferred batches; the completions are taken by polling.
class SendInBatches : public Sender {
public:
    bool set_up() override
    {
        return Sender::set_up()
            && expect(m_queue.open(m_sender.get(), nullptr, 2 * kBatch, m_data, sizeof(m_data)),
                "making the queue")
            && expect(m_requests = m_queue.add(m_sender.get(), kBatch, this), "the request queue");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t first = 0; first < iterations; first += kBatch) {
            const auto count = static_cast<ULONG>(std::min<uint64_t>(kBatch, iterations - first));
            for (ULONG i = 0; i < count; ++i) {
                RioBuf piece = m_queue.piece(i * kDatagram, kDatagram);
                if (!m_queue->RIOSend(
                        m_requests, &piece, 1, i + 1 < count ? sdk::kRioDefer : 0, nullptr))
                    return fail("RIOSend");
            }
            for (ULONG done = 0; done < count;) {
                RioResult results[kBatch];
                const ULONG number = m_queue.take(results, kBatch);
                for (ULONG i = 0; i < number; ++i) {
                    if (results[i].status || results[i].transferred != kDatagram)
                        return fail("the completion of RIOSend");
                }
                done += number;
            }
        }
        return true;
    }

private:
    Queue m_queue;
    RioRq m_requests = nullptr;
};

/// A batch of receives goes pending, then as many datagrams come in one burst; the completions are
/// taken by polling.
class ReceiveInBatches : public Sender {
public:
    bool set_up() override
    {
        return Sender::set_up()
            && expect(m_queue.open(m_receiver.get(), nullptr, 2 * kBatch, m_room, sizeof(m_room))
                    && m_sends.open(m_sender.get(), nullptr, 2 * kBatch, m_data, sizeof(m_data)),
                "making the queues")
            && expect((m_receives = m_queue.add(m_receiver.get(), kBatch, this))
                    && (m_requests = m_sends.add(m_sender.get(), kBatch, this)),
                "the request queues");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t first = 0; first < iterations; first += kBatch) {
            const auto count = static_cast<ULONG>(std::min<uint64_t>(kBatch, iterations - first));
            if (!request(count) || !take(m_sends, count) || !take(m_queue, count))
                return fail("a request or its completion");
        }
        return true;
    }

private:
    bool request(ULONG count)
    {
        for (ULONG i = 0; i < count; ++i) {
            RioBuf piece = m_queue.piece(i * kDatagram, kDatagram);
            if (!m_queue->RIOReceive(
                    m_receives, &piece, 1, i + 1 < count ? sdk::kRioDefer : 0, nullptr))
                return false;
        }
        for (ULONG i = 0; i < count; ++i) {
            RioBuf piece = m_sends.piece(i * kDatagram, kDatagram);
            if (!m_sends->RIOSend(
                    m_requests, &piece, 1, i + 1 < count ? sdk::kRioDefer : 0, nullptr))
                return false;
        }
        return true;
    }
    static bool take(Queue& queue, ULONG count)
    {
        for (ULONG done = 0; done < count;) {
            RioResult results[kBatch];
            const ULONG number = queue.take(results, kBatch);
            for (ULONG i = 0; i < number; ++i) {
                if (results[i].status || results[i].transferred != kDatagram)
                    return false;
            }
            done += number;
        }
        return true;
    }

    char m_room[kBatch * kDatagram] = {};
    Queue m_queue;
    Queue m_sends;
    RioRq m_receives = nullptr;
    RioRq m_requests = nullptr;
};

/// An echo server with one completion queue that notifies a port: each connection has a receive or
/// a send under way.
class Server {
public:
    bool add(UniqueSocket connected)
    {
        m_connections.emplace_back().socket = std::move(connected);
        return true;
    }
    bool start()
    {
        m_memory.resize(m_connections.size() * kRoom);
        const SOCKET any = m_connections.front().socket.get();
        if (!m_port.open()
            || !m_queue.open(any, &m_port, static_cast<DWORD>(m_connections.size() * 2),
                m_memory.data(), static_cast<DWORD>(m_memory.size())))
            return fail("making the queue");
        for (Connection& connection : m_connections) {
            connection.offset = static_cast<ULONG>(m_open++ * kRoom);
            connection.requests = m_queue.add(connection.socket.get(), 1, &connection);
            if (!connection.requests || !receive(connection))
                return fail("starting a connection");
        }
        return m_thread.start([this] { serve(); });
    }

private:
    static constexpr size_t kRoom = 4096;
    struct Connection {
        UniqueSocket socket;
        ULONG offset = 0;
        RioRq requests = nullptr;
    };

    bool receive(Connection& connection)
    {
        RioBuf piece = m_queue.piece(connection.offset, kRoom);
        return m_queue->RIOReceive(connection.requests, &piece, 1, 0, nullptr);
    }
    bool send(Connection& connection, ULONG length)
    {
        RioBuf piece = m_queue.piece(connection.offset, length);
        return m_queue->RIOSend(connection.requests, &piece, 1, 0, &connection);
    }
    void serve()
    {
        RioResult results[64];
        while (m_open) {
            OVERLAPPED_ENTRY packet;
            if (!m_queue.notify() || m_port.remove(&packet, 1) != 1) {
                fail("the server's notification");
                break;
            }
            while (const ULONG count = m_queue.take(results, 64)) {
                for (ULONG i = 0; i < count; ++i)
                    take(results[i]);
            }
        }
        for (Connection& connection : m_connections)
            connection.socket.reset(); // The clients notice it.
    }
    void take(const RioResult& result)
    {
        auto& connection
            = *reinterpret_cast<Connection*>(static_cast<uintptr_t>(result.socket_context));
        const bool is_send = result.request_context;
        const bool is_good = !result.status
            && (is_send ? receive(connection)
                        : result.transferred && send(connection, result.transferred));
        if (is_good)
            return;
        if (result.status)
            fail("an operation of the server");
        connection.socket.reset();
        --m_open;
    }

    std::vector<char> m_memory;
    Port m_port;
    Queue m_queue;
    std::deque<Connection> m_connections;
    size_t m_open = 0;
    Thread m_thread; // Joined before what it uses goes.
};

} // namespace

std::vector<WorkloadRow> rio_workloads()
{
    return {
        { "rio_udp_pingpong", Unit::MicrosecondsPerOperation, create<PingPong> },
        { "rio_udp_send_batch_32", Unit::OperationsPerSecond, create<SendInBatches> },
        { "rio_udp_receive_batch_32", Unit::OperationsPerSecond, create<ReceiveInBatches> },
        { "udp_send", Unit::OperationsPerSecond, create<SendOneByOne> },
        { "rio_echo_64", Unit::OperationsPerSecond, create_with<Echo<Server, BlockingClients>>,
            64 },
    };
}

} // namespace bench
