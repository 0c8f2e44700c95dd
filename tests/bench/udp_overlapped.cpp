#include "workloads.h"
#include "port.h"

#include <cstring>

namespace bench {

namespace {

/// A datagram there and back between two sockets on one port, one thread: each receive goes
/// pending, the send to it is done at once, and the port tells of the receive.
class PingPong : public Workload {
public:
    bool set_up() override
    {
        return expect(m_port.open(), "CreateIoCompletionPort")
            && expect(m_left.make(m_port) && m_right.make(m_port), "making UDP sockets");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!transfer(m_left, m_right, i) || !transfer(m_right, m_left, ~i))
                return false;
        }
        return true;
    }

private:
    /// The operation may be pending when a wrong result ends the workload: it lives here.
    struct Peer {
        UniqueSocket socket;
        sockaddr_in address = {};
        OVERLAPPED receiving = {};
        OVERLAPPED sending = {};
        uint64_t received[5] = {}; // one more than is sent
        sockaddr_in from = {};
        int from_length = 0;
        DWORD flags = 0;

        bool make(Port& port)
        {
            socket.reset(bind_udp_on_loopback(address));
            return socket.is_valid()
                && port.associate(reinterpret_cast<HANDLE>(socket.get()),
                    reinterpret_cast<ULONG_PTR>(this), OnSuccess::Skip);
        }
        bool start_receiving()
        {
            WSABUF buffer = { sizeof(received), reinterpret_cast<char*>(received) };
            receiving = {};
            from_length = sizeof(from);
            flags = 0;
            DWORD moved = 0;
            return WSARecvFrom(socket.get(), &buffer, 1, &moved, &flags,
                       reinterpret_cast<sockaddr*>(&from), &from_length, &receiving, nullptr)
                && WSAGetLastError() == WSA_IO_PENDING;
        }
        bool send(const Peer& peer, uint64_t* message, DWORD length)
        {
            WSABUF buffer = { length, reinterpret_cast<char*>(message) };
            DWORD moved = 0;
            sending = {};
            return !WSASendTo(socket.get(), &buffer, 1, &moved, 0,
                       reinterpret_cast<const sockaddr*>(&peer.address), sizeof(peer.address),
                       &sending, nullptr)
                && moved == length;
        }
    };

    bool transfer(Peer& from, Peer& to, uint64_t number)
    {
        uint64_t message[4] = { number, ~number, number + 1, number ^ 0x5555 };
        if (!to.start_receiving())
            return fail("WSARecvFrom that should go pending");
        if (!from.send(to, message, sizeof(message)))
            return fail("WSASendTo that should be done at once");
        OVERLAPPED_ENTRY packet;
        if (m_port.remove(&packet, 1) != 1 || !has_succeeded(packet)
            || packet.lpOverlapped != &to.receiving)
            return fail("the packet of WSARecvFrom");
        return expect(packet.dwNumberOfBytesTransferred == sizeof(message)
                && !std::memcmp(message, to.received, sizeof(message))
                && to.from.sin_port == from.address.sin_port,
            "a wrong datagram");
    }

    Port m_port;
    Peer m_left;
    Peer m_right;
};

} // namespace

std::vector<WorkloadRow> udp_overlapped_workloads()
{
    return { { "udp_overlapped_pingpong", Unit::MicrosecondsPerOperation, create<PingPong> } };
}

} // namespace bench
