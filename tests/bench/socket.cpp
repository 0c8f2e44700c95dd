#include "workloads.h"
#include "loopback.h"

namespace bench {

namespace {

class OneConnection : public Workload {
public:
    bool set_up() override
    {
        return expect(connect_pair(m_client, m_server), "making a connection");
    }

protected:
    SOCKET socket() const { return m_client.get(); }

private:
    UniqueSocket m_client;
    UniqueSocket m_server;
};

class GetSockName : public OneConnection {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            sockaddr_in address = {};
            int length = sizeof(address);
            if (getsockname(socket(), reinterpret_cast<sockaddr*>(&address), &length)
                || length != sizeof(address) || address.sin_addr.s_addr != htonl(INADDR_LOOPBACK)
                || !address.sin_port)
                return fail("getsockname");
        }
        return true;
    }
};

class GetSockOptType : public OneConnection {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            int type = 0;
            int length = sizeof(type);
            if (getsockopt(socket(), SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length)
                || type != SOCK_STREAM)
                return fail("getsockopt SO_TYPE");
        }
        return true;
    }
};

/// What one more socket costs a process that has `open` of them.
class SocketClose : public Workload {
public:
    explicit SocketClose(unsigned open)
        : m_open(open)
    {
    }
    bool set_up() override
    {
        for (UniqueSocket& open : m_open) {
            open.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
            if (!open.is_valid())
                return fail("opening the sockets that stay open");
        }
        return true;
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const SOCKET one = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
            if (one == INVALID_SOCKET || closesocket(one))
                return fail("socket, closesocket");
        }
        return true;
    }

private:
    std::vector<UniqueSocket> m_open;
};

} // namespace

std::vector<WorkloadRow> socket_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "getsockname", us, create<GetSockName> },
        { "getsockopt_type", us, create<GetSockOptType> },
        { "socket_close_10", us, create_with<SocketClose>, 10 },
        { "socket_close_1000", us, create_with<SocketClose>, 1000 },
        { "socket_close_10000", us, create_with<SocketClose>, 10000 },
    };
}

} // namespace bench
