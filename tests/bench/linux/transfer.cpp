#include "../bulk.h"
#include "../workloads.h"
#include "descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <cstring>
#include <thread>

namespace bench {

namespace {

class Connection : public Workload {
public:
    bool set_up() override
    {
        return expect(connect_pair(m_client, m_server), "making a connection");
    }

protected:
    UniqueDescriptor m_client;
    UniqueDescriptor m_server;
};

class SendRecvOne : public Connection {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const char sent = static_cast<char>(i);
            char received = static_cast<char>(~sent);
            if (send(m_client.get(), &sent, 1, MSG_NOSIGNAL) != 1)
                return fail("send of 1 byte");
            if (recv(m_server.get(), &received, 1, 0) != 1 || received != sent)
                return fail("recv of 1 byte");
        }
        return true;
    }
};

class RecvWouldBlock : public Connection {
public:
    bool set_up() override
    {
        return Connection::set_up()
            && expect(!fcntl(m_server.get(), F_SETFL, O_NONBLOCK), "O_NONBLOCK");
    }
    bool run(uint64_t iterations) override
    {
        char byte;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (recv(m_server.get(), &byte, 1, 0) != -1 || errno != EAGAIN)
                return fail("recv with nothing to receive");
        }
        return true;
    }
};

/// A connection whose other end is served by a thread, until the client shuts it down.
class ServedConnection : public Connection {
public:
    bool set_up() override
    {
        if (!Connection::set_up())
            return false;
        m_thread = std::thread([this] { serve(); });
        return true;
    }

protected:
    /// The thread uses the derived object: each destructor calls this first.
    void stop()
    {
        shutdown(m_client.get(), SHUT_RDWR);
        if (m_thread.joinable())
            m_thread.join();
    }
    virtual void serve() = 0;

private:
    std::thread m_thread;
};

class BlockingPingPong : public ServedConnection {
public:
    ~BlockingPingPong() override { stop(); }

    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const uint64_t request = i * 0x9E3779B97F4A7C15;
            uint64_t response = 0;
            if (!send_all(m_client.get(), &request, sizeof(request)))
                return fail("send of a request");
            if (!recv_all(m_client.get(), &response, sizeof(response)) || response != ~request)
                return fail("recv of a response");
        }
        return true;
    }

protected:
    void serve() override
    {
        uint64_t message;
        while (recv_all(m_server.get(), &message, sizeof(message))) {
            message = ~message;
            if (!send_all(m_server.get(), &message, sizeof(message)))
                return;
        }
    }
};

class UdpPingPong : public Workload {
public:
    bool set_up() override
    {
        m_left.reset(bind_udp_on_loopback(m_left_address));
        m_right.reset(bind_udp_on_loopback(m_right_address));
        return expect(m_left.is_valid() && m_right.is_valid(), "making UDP sockets");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const uint64_t sent[4] = { i, ~i, i + 1, i ^ 0x5555 };
            uint64_t received[5] = {};
            sockaddr_in from = {};
            socklen_t from_length = sizeof(from);
            if (sendto(m_left.get(), sent, sizeof(sent), 0,
                    reinterpret_cast<sockaddr*>(&m_right_address), sizeof(m_right_address))
                != sizeof(sent))
                return fail("sendto");
            if (recvfrom(m_right.get(), received, sizeof(received), 0,
                    reinterpret_cast<sockaddr*>(&from), &from_length)
                    != sizeof(sent)
                || std::memcmp(sent, received, sizeof(sent))
                || from.sin_port != m_left_address.sin_port)
                return fail("recvfrom");
        }
        return true;
    }

private:
    UniqueDescriptor m_left;
    UniqueDescriptor m_right;
    sockaddr_in m_left_address = {};
    sockaddr_in m_right_address = {};
};

} // namespace

std::vector<WorkloadRow> transfer_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "send_recv_1", us, create<SendRecvOne> },
        { "recv_wouldblock", us, create<RecvWouldBlock> },
        { "blocking_pingpong", us, create<BlockingPingPong> },
        { "udp_pingpong", us, create<UdpPingPong> },
        { "bulk_64k", Unit::MegabytesPerSecond, create<Bulk<BlockingStream>>, 0, kBulkLength },
    };
}

} // namespace bench
