#pragma once

#include "measure.h"
#include "sockets.h"
#include "thread.h"

namespace bench {

inline constexpr size_t kBulkLength = 64 * 1024;

/// One direction, 64 KiB a call, the sender in a second thread. The receiver says how many buffers
/// it wants; every buffer carries its number in each word. A Stream is an end of a connection:
///     bool attach(UniqueSocket connected);
///     bool send(const void* data, size_t length);      all of it, or false
///     bool receive(void* data, size_t length);         all of it; false at the end, too
///     void close();
template <typename Stream> class Bulk : public Workload {
public:
    ~Bulk() override { m_receiver.close(); }

    bool set_up() override
    {
        UniqueSocket receiver;
        UniqueSocket sender;
        return expect(connect_pair(receiver, sender) && m_receiver.attach(std::move(receiver))
                       && m_sender.attach(std::move(sender)),
                   "making a connection")
            && expect(m_thread.start([this] { serve(); }), "starting a thread");
    }
    bool run(uint64_t iterations) override
    {
        if (!m_receiver.send(&iterations, sizeof(iterations)))
            return fail("send of the number of buffers");
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!m_receiver.receive(m_received, sizeof(m_received)))
                return fail("receive of 64 KiB");
            for (const uint64_t word : m_received) {
                if (word != i)
                    return fail("a wrong word in 64 KiB");
            }
        }
        return true;
    }

private:
    void serve()
    {
        uint64_t count;
        while (m_sender.receive(&count, sizeof(count))) {
            for (uint64_t i = 0; i < count; ++i) {
                for (uint64_t& word : m_sent)
                    word = i;
                if (!m_sender.send(m_sent, sizeof(m_sent)))
                    return;
            }
        }
    }

    Stream m_sender;
    Stream m_receiver;
    uint64_t m_sent[kBulkLength / sizeof(uint64_t)] = {};
    uint64_t m_received[kBulkLength / sizeof(uint64_t)] = {};
    Thread m_thread;
};

/// A Stream with blocking calls.
class BlockingStream {
public:
    bool attach(UniqueSocket connected)
    {
        m_socket = std::move(connected);
        return true;
    }
    void close() { m_socket.reset(); }
    bool send(const void* data, size_t length) { return send_all(m_socket.get(), data, length); }
    bool receive(void* data, size_t length) { return recv_all(m_socket.get(), data, length); }

private:
    UniqueSocket m_socket;
};

} // namespace bench
