#include "../workloads.h"
#include "../readiness_echo.h"
#include "../udp_send.h"
#include "epoll_poller.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace bench {

namespace {

/// A batch of datagrams in memory.
struct Messages {
    explicit Messages(char* data)
    {
        for (unsigned i = 0; i < kBatch; ++i) {
            parts[i] = { data + i * kDatagram, kDatagram };
            each[i].msg_hdr.msg_iov = &parts[i];
            each[i].msg_hdr.msg_iovlen = 1;
        }
    }

    mmsghdr each[kBatch] = {};
    iovec parts[kBatch];
};

/// As SendOneByOne by sendmmsg.
class SendInBatches : public Sender {
public:
    bool run(uint64_t iterations) override
    {
        Messages messages(m_data);
        for (uint64_t first = 0; first < iterations; first += kBatch) {
            const auto count
                = static_cast<unsigned>(std::min<uint64_t>(kBatch, iterations - first));
            if (sendmmsg(m_sender.get(), messages.each, count, 0) != static_cast<int>(count))
                return fail("sendmmsg");
        }
        return true;
    }
};

/// A burst by sendmmsg, and recvmmsg until all of it has come.
class ReceiveInBatches : public Sender {
public:
    bool run(uint64_t iterations) override
    {
        Messages sent(m_data);
        Messages received(m_room);
        for (uint64_t first = 0; first < iterations; first += kBatch) {
            const auto count
                = static_cast<unsigned>(std::min<uint64_t>(kBatch, iterations - first));
            if (sendmmsg(m_sender.get(), sent.each, count, 0) != static_cast<int>(count))
                return fail("sendmmsg");
            for (unsigned done = 0; done < count;) {
                const int number = recvmmsg(
                    m_receiver.get(), received.each, count - done, MSG_WAITFORONE, nullptr);
                if (number <= 0 || received.each[number - 1].msg_len != kDatagram)
                    return fail("recvmmsg");
                done += static_cast<unsigned>(number);
            }
        }
        return true;
    }

private:
    char m_room[kBatch * kDatagram] = {};
};

/// A datagram there and back between two connected sockets: each receive finds nothing, the send
/// follows, epoll tells of the datagram, and it is received.
class PingPong : public Workload {
public:
    bool set_up() override
    {
        if (!m_poller.open() || !make(0) || !make(1))
            return fail("making UDP sockets");
        return expect(connect_to(0, 1) && connect_to(1, 0), "connecting UDP sockets");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!transfer(0, 1, i) || !transfer(1, 0, ~i))
                return false;
        }
        return true;
    }

private:
    bool make(size_t index)
    {
        m_sockets[index].reset(bind_udp_on_loopback(m_addresses[index]));
        return set_nonblocking(m_sockets[index].get(), true)
            && m_poller.watch(m_sockets[index].get(), index);
    }
    bool connect_to(size_t index, size_t peer)
    {
        return !connect(m_sockets[index].get(),
            reinterpret_cast<const sockaddr*>(&m_addresses[peer]), sizeof(m_addresses[peer]));
    }
    bool transfer(size_t from, size_t to, uint64_t number)
    {
        const uint64_t sent[4] = { number, ~number, number + 1, number ^ 0x5555 };
        uint64_t received[5] = {};
        if (recv(m_sockets[to].get(), received, sizeof(received), 0) != -1 || errno != EAGAIN)
            return fail("recv with nothing to receive");
        if (send(m_sockets[from].get(), sent, sizeof(sent), 0) != sizeof(sent))
            return fail("send");
        size_t ready = from;
        if (m_poller.wait(&ready, 1) != 1 || ready != to)
            return fail("epoll_wait");
        return expect(recv(m_sockets[to].get(), received, sizeof(received), 0) == sizeof(sent)
                && !std::memcmp(sent, received, sizeof(sent)),
            "a wrong datagram");
    }

    EpollPoller m_poller;
    UniqueDescriptor m_sockets[2];
    sockaddr_in m_addresses[2] = {};
};

} // namespace

std::vector<WorkloadRow> rio_workloads()
{
    return {
        { "rio_udp_pingpong", Unit::MicrosecondsPerOperation, create<PingPong> },
        { "rio_udp_send_batch_32", Unit::OperationsPerSecond, create<SendInBatches> },
        { "rio_udp_receive_batch_32", Unit::OperationsPerSecond, create<ReceiveInBatches> },
        { "udp_send", Unit::OperationsPerSecond, create<SendOneByOne> },
        { "rio_echo_64", Unit::OperationsPerSecond,
            create_with<Echo<ReadinessServer<EpollPoller>, BlockingClients>>, 64 },
    };
}

std::vector<WorkloadRow> notification_echo_workloads()
{
    using EpollEcho = Echo<ReadinessServer<EpollPoller>, ReadinessClients<EpollPoller>>;
    return { { "notification_echo_64", Unit::OperationsPerSecond, create_with<EpollEcho>, 64 } };
}

} // namespace bench
