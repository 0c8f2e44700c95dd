#include "../workloads.h"
#include "epoll_poller.h"

#include <sys/socket.h>
#include <cerrno>
#include <cstring>

namespace bench {

namespace {

/// A datagram there and back between two sockets: each receive finds nothing, the send follows,
/// epoll tells of the datagram, and it is received.
class PingPong : public Workload {
public:
    bool set_up() override
    {
        return expect(m_poller.open() && make(0) && make(1), "making UDP sockets");
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
    ssize_t receive(size_t index, uint64_t (&message)[5], sockaddr_in& from)
    {
        socklen_t length = sizeof(from);
        return recvfrom(m_sockets[index].get(), message, sizeof(message), 0,
            reinterpret_cast<sockaddr*>(&from), &length);
    }
    bool transfer(size_t from, size_t to, uint64_t number)
    {
        const uint64_t sent[4] = { number, ~number, number + 1, number ^ 0x5555 };
        uint64_t received[5] = {};
        sockaddr_in sender = {};
        if (receive(to, received, sender) != -1 || errno != EAGAIN)
            return fail("recvfrom with nothing to receive");
        if (sendto(m_sockets[from].get(), sent, sizeof(sent), 0,
                reinterpret_cast<const sockaddr*>(&m_addresses[to]), sizeof(m_addresses[to]))
            != sizeof(sent))
            return fail("sendto");
        size_t ready = from;
        if (m_poller.wait(&ready, 1) != 1 || ready != to)
            return fail("epoll_wait");
        return expect(receive(to, received, sender) == sizeof(sent)
                && !std::memcmp(sent, received, sizeof(sent))
                && sender.sin_port == m_addresses[from].sin_port,
            "a wrong datagram");
    }

    EpollPoller m_poller;
    UniqueDescriptor m_sockets[2];
    sockaddr_in m_addresses[2] = {};
};

} // namespace

std::vector<WorkloadRow> udp_overlapped_workloads()
{
    return { { "udp_overlapped_pingpong", Unit::MicrosecondsPerOperation, create<PingPong> } };
}

} // namespace bench
