#include "connection.h"
#include "port.h"
#include "workloads.h"

namespace bench {

namespace {

/// A whole connection as programs on a port make it: AcceptEx and ConnectEx, both packets, both
/// sockets told of their context, eight bytes, both ends closed.
class PortConnection : public Workload {
public:
    bool set_up() override
    {
        m_listener.reset(listen_on_loopback(m_address));
        if (!m_listener.is_valid())
            return fail("making a listener");
        m_accept_ex = extension_function<LPFN_ACCEPTEX>(m_listener.get(), WSAID_ACCEPTEX);
        m_connect_ex = extension_function<LPFN_CONNECTEX>(m_listener.get(), WSAID_CONNECTEX);
        return expect(m_accept_ex && m_connect_ex, "AcceptEx, ConnectEx")
            && expect(m_port.open() && associate(m_listener), "the completion port");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            UniqueSocket client(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
            UniqueSocket server(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
            if (!start_accept(server) || !start_connect(client) || !finish()
                || !update_contexts(client, server) || !use_and_close(client, server, i))
                return false;
        }
        return true;
    }

private:
    static constexpr DWORD kAddressLength = sizeof(sockaddr_in) + 16;

    bool associate(const UniqueSocket& socket)
    {
        return m_port.associate(reinterpret_cast<HANDLE>(socket.get()), 0, OnSuccess::Packet);
    }
    bool start_accept(const UniqueSocket& server)
    {
        DWORD received = 0;
        m_accepting = {};
        return expect(m_accept_ex(m_listener.get(), server.get(), m_names, 0, kAddressLength,
                          kAddressLength, &received, &m_accepting)
                || WSAGetLastError() == ERROR_IO_PENDING,
            "AcceptEx");
    }
    bool start_connect(const UniqueSocket& client)
    {
        sockaddr_in any = {};
        any.sin_family = AF_INET;
        m_connecting = {};
        if (bind(client.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any))
            || !associate(client))
            return fail("preparing a socket for ConnectEx");
        return expect(m_connect_ex(client.get(), reinterpret_cast<const sockaddr*>(&m_address),
                          sizeof(m_address), nullptr, 0, nullptr, &m_connecting)
                || WSAGetLastError() == ERROR_IO_PENDING,
            "ConnectEx");
    }
    /// Both packets, in any order.
    bool finish()
    {
        const OVERLAPPED* first = nullptr;
        for (int i = 0; i < 2; ++i) {
            OVERLAPPED_ENTRY packet;
            if (m_port.remove(&packet, 1) != 1 || !has_succeeded(packet)
                || packet.lpOverlapped == first
                || (packet.lpOverlapped != &m_accepting && packet.lpOverlapped != &m_connecting))
                return fail("a packet of AcceptEx or ConnectEx");
            first = packet.lpOverlapped;
        }
        return true;
    }
    bool update_contexts(const UniqueSocket& client, const UniqueSocket& server)
    {
        const SOCKET listener = m_listener.get();
        return expect(!setsockopt(server.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                          reinterpret_cast<const char*>(&listener), sizeof(listener)),
                   "SO_UPDATE_ACCEPT_CONTEXT")
            && expect(!setsockopt(client.get(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0),
                "SO_UPDATE_CONNECT_CONTEXT")
            && expect(associate(server), "associating the accepted socket");
    }

    Port m_port;
    UniqueSocket m_listener;
    sockaddr_in m_address = {};
    LPFN_ACCEPTEX m_accept_ex = nullptr;
    LPFN_CONNECTEX m_connect_ex = nullptr;
    OVERLAPPED m_accepting = {};
    OVERLAPPED m_connecting = {};
    char m_names[2 * kAddressLength] = {};
};

} // namespace

std::vector<WorkloadRow> connection_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "connect_accept_close", us, create<ConnectAcceptClose> },
        { "connectex_acceptex_close", us, create<PortConnection> },
    };
}

} // namespace bench
