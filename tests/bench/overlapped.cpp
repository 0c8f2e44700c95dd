#include "workloads.h"
#include "loopback.h"

namespace bench {

namespace {

/// WSARecv that goes pending, the WSASend that completes it, both results fetched. Each operation
/// has its own event, as the documentation asks.
class SendRecv : public Workload {
public:
    bool set_up() override
    {
        m_send_event.reset(WSACreateEvent());
        m_recv_event.reset(WSACreateEvent());
        return expect(connect_pair(m_client, m_server), "making a connection")
            && expect(m_send_event.is_valid() && m_recv_event.is_valid(), "WSACreateEvent");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!transfer(i * 0x9E3779B97F4A7C15))
                return false;
        }
        return true;
    }

private:
    bool transfer(uint64_t sent)
    {
        uint64_t received = 0;
        WSABUF in = { sizeof(received), reinterpret_cast<char*>(&received) };
        WSABUF out = { sizeof(sent), reinterpret_cast<char*>(&sent) };
        WSAOVERLAPPED receiving = {};
        WSAOVERLAPPED sending = {};
        receiving.hEvent = m_recv_event.get();
        sending.hEvent = m_send_event.get();
        DWORD flags = 0;
        if (WSARecv(m_server.get(), &in, 1, nullptr, &flags, &receiving, nullptr) != SOCKET_ERROR
            || WSAGetLastError() != WSA_IO_PENDING)
            return fail("WSARecv that should go pending");
        if (WSASend(m_client.get(), &out, 1, nullptr, 0, &sending, nullptr)
            && WSAGetLastError() != WSA_IO_PENDING)
            return fail("WSASend");
        DWORD moved = 0;
        if (!WSAGetOverlappedResult(m_client.get(), &sending, &moved, TRUE, &flags)
            || moved != sizeof(sent))
            return fail("WSAGetOverlappedResult of WSASend");
        if (!WSAGetOverlappedResult(m_server.get(), &receiving, &moved, TRUE, &flags)
            || moved != sizeof(received) || received != sent)
            return fail("WSAGetOverlappedResult of WSARecv");
        return true;
    }

    UniqueEvent m_send_event;
    UniqueEvent m_recv_event;
    UniqueSocket m_client;
    UniqueSocket m_server;
};

/// A whole connection: AcceptEx posted, connect, the packet from the completion port, the accepted
/// socket made ready for use, both ends closed.
class AcceptPort : public Workload {
public:
    ~AcceptPort() override
    {
        m_listener.reset();
        if (m_port)
            CloseHandle(m_port);
    }
    bool set_up() override
    {
        m_listener.reset(listen_on_loopback(m_address));
        if (!m_listener.is_valid())
            return fail("making a listener");
        m_accept_ex = extension_function<LPFN_ACCEPTEX>(m_listener.get(), WSAID_ACCEPTEX);
        m_port
            = CreateIoCompletionPort(reinterpret_cast<HANDLE>(m_listener.get()), nullptr, kKey, 1);
        return expect(m_accept_ex && m_port, "AcceptEx or its completion port");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!accept_one())
                return false;
        }
        return true;
    }

private:
    static constexpr ULONG_PTR kKey = 7;
    static constexpr DWORD kAddressLength = sizeof(sockaddr_in) + 16;

    bool accept_one()
    {
        UniqueSocket accepted(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        UniqueSocket client(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        char names[2 * kAddressLength];
        OVERLAPPED accepting = {};
        DWORD received = 0;
        if (!m_accept_ex(m_listener.get(), accepted.get(), names, 0, kAddressLength, kAddressLength,
                &received, &accepting)
            && WSAGetLastError() != ERROR_IO_PENDING)
            return fail("AcceptEx");
        if (connect(client.get(), reinterpret_cast<sockaddr*>(&m_address), sizeof(m_address)))
            return fail("connect");

        DWORD moved = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* completed = nullptr;
        if (!GetQueuedCompletionStatus(m_port, &moved, &key, &completed, INFINITE) || key != kKey
            || completed != &accepting)
            return fail("GetQueuedCompletionStatus");
        const SOCKET listener = m_listener.get();
        if (setsockopt(accepted.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                reinterpret_cast<const char*>(&listener), sizeof(listener)))
            return fail("SO_UPDATE_ACCEPT_CONTEXT");
        return expect(close_with_reset(client.release()), "closing the client")
            && expect(!closesocket(accepted.release()), "closing the accepted socket");
    }

    UniqueSocket m_listener;
    sockaddr_in m_address = {};
    HANDLE m_port = nullptr;
    LPFN_ACCEPTEX m_accept_ex = nullptr;
};

} // namespace

std::vector<WorkloadRow> overlapped_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "overlapped_send_recv", us, create<SendRecv> },
        { "acceptex_iocp", us, create<AcceptPort> },
    };
}

} // namespace bench
