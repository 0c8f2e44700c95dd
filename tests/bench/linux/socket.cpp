#include "../workloads.h"
#include "descriptor.h"

#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

class OneConnection : public Workload {
public:
    bool set_up() override
    {
        return expect(connect_pair(m_client, m_server), "making a connection");
    }

protected:
    UniqueDescriptor m_client;
    UniqueDescriptor m_server;
};

class GetSockName : public OneConnection {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            sockaddr_in address = {};
            socklen_t length = sizeof(address);
            if (getsockname(m_client.get(), reinterpret_cast<sockaddr*>(&address), &length)
                || address.sin_addr.s_addr != htonl(INADDR_LOOPBACK) || !address.sin_port)
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
            socklen_t length = sizeof(type);
            if (getsockopt(m_client.get(), SOL_SOCKET, SO_TYPE, &type, &length)
                || type != SOCK_STREAM)
                return fail("getsockopt SO_TYPE");
        }
        return true;
    }
};

class SocketClose : public Workload {
public:
    explicit SocketClose(unsigned open)
        : m_open(open)
    {
    }
    bool set_up() override
    {
        for (UniqueDescriptor& open : m_open) {
            open.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (!open.is_valid())
                return fail("opening the sockets that stay open");
        }
        return true;
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (one < 0 || close(one))
                return fail("socket, close");
        }
        return true;
    }

private:
    std::vector<UniqueDescriptor> m_open;
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
