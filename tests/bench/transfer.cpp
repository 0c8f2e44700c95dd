#include "workloads.h"
#include "bulk.h"
#include "loopback.h"
#include "thread.h"

#include <cstring>

namespace bench {

namespace {

class SendRecvOne : public Workload {
public:
    bool set_up() override
    {
        return expect(connect_pair(m_client, m_server), "making a connection");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const char sent = static_cast<char>(i);
            char received = static_cast<char>(~sent);
            if (send(m_client.get(), &sent, 1, 0) != 1)
                return fail("send of 1 byte");
            if (recv(m_server.get(), &received, 1, 0) != 1 || received != sent)
                return fail("recv of 1 byte");
        }
        return true;
    }

private:
    UniqueSocket m_client;
    UniqueSocket m_server;
};

class RecvWouldBlock : public Workload {
public:
    bool set_up() override
    {
        return expect(connect_pair(m_client, m_server), "making a connection")
            && expect(set_nonblocking(m_server.get(), true), "FIONBIO");
    }
    bool run(uint64_t iterations) override
    {
        char byte;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (recv(m_server.get(), &byte, 1, 0) != SOCKET_ERROR
                || WSAGetLastError() != WSAEWOULDBLOCK)
                return fail("recv with nothing to receive");
        }
        return true;
    }

private:
    UniqueSocket m_client;
    UniqueSocket m_server;
};

/// A request and its response, both sides blocking, the server in a second thread.
class BlockingPingPong : public Workload {
public:
    ~BlockingPingPong() override { m_client.reset(); }

    bool set_up() override
    {
        return expect(connect_pair(m_client, m_server), "making a connection")
            && expect(m_thread.start([this] { serve(); }), "CreateThread");
    }
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

private:
    void serve()
    {
        uint64_t message;
        while (recv_all(m_server.get(), &message, sizeof(message))) {
            message = ~message;
            if (!send_all(m_server.get(), &message, sizeof(message)))
                return;
        }
    }

    UniqueSocket m_server;
    UniqueSocket m_client;
    Thread m_thread;
};

/// sendto and recvfrom of one datagram within one thread.
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
            uint64_t sent[4] = { i, ~i, i + 1, i ^ 0x5555 };
            uint64_t received[5] = {};
            sockaddr_in from = {};
            int from_length = sizeof(from);
            if (sendto(m_left.get(), reinterpret_cast<char*>(sent), sizeof(sent), 0,
                    reinterpret_cast<sockaddr*>(&m_right_address), sizeof(m_right_address))
                != sizeof(sent))
                return fail("sendto");
            if (recvfrom(m_right.get(), reinterpret_cast<char*>(received), sizeof(received), 0,
                    reinterpret_cast<sockaddr*>(&from), &from_length)
                    != sizeof(sent)
                || std::memcmp(sent, received, sizeof(sent))
                || from.sin_port != m_left_address.sin_port)
                return fail("recvfrom");
        }
        return true;
    }

private:
    UniqueSocket m_left;
    UniqueSocket m_right;
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
