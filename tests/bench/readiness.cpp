#include "workloads.h"
#include "loopback.h"

namespace bench {

namespace {

/// `count` connected sockets, of which the last has a byte to read. A program that asks about many
/// finds few ready, and not in the first place.
class OneReady : public Workload {
public:
    explicit OneReady(unsigned count)
        : m_clients(count)
        , m_servers(count)
    {
    }
    bool set_up() override
    {
        sockaddr_in address;
        const UniqueSocket listener(listen_on_loopback(address));
        for (size_t i = 0; i < m_clients.size(); ++i) {
            if (!connect_pair(listener.get(), address, m_clients[i], m_servers[i]))
                return fail("making a connection");
        }
        const char byte = 'r';
        return expect(send_all(m_clients.back().get(), &byte, 1), "send");
    }
    bool verify() override
    {
        char byte = 0;
        return expect(recv_all(m_servers.back().get(), &byte, 1) && byte == 'r', "recv");
    }

protected:
    const std::vector<UniqueSocket>& servers() const { return m_servers; }

private:
    std::vector<UniqueSocket> m_clients;
    std::vector<UniqueSocket> m_servers;
};

class Select : public OneReady {
public:
    using OneReady::OneReady;

    bool set_up() override
    {
        if (!OneReady::set_up())
            return false;
        FD_ZERO(&m_all);
        for (const UniqueSocket& server : servers())
            m_all.fd_array[m_all.fd_count++] = server.get();
        return true;
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            // A program refills its set for each call, so the copy belongs to the work.
            m_ready.fd_count = m_all.fd_count;
            for (u_int k = 0; k < m_all.fd_count; ++k)
                m_ready.fd_array[k] = m_all.fd_array[k];
            if (select(0, &m_ready, nullptr, nullptr, nullptr) != 1 || m_ready.fd_count != 1
                || m_ready.fd_array[0] != servers().back().get())
                return fail("select");
        }
        return true;
    }

private:
    fd_set m_all;
    fd_set m_ready;
};

class Poll : public OneReady {
public:
    using OneReady::OneReady;

    bool set_up() override
    {
        if (!OneReady::set_up())
            return false;
        for (const UniqueSocket& server : servers())
            m_fds.push_back({ server.get(), POLLRDNORM, 0 });
        return true;
    }
    bool run(uint64_t iterations) override
    {
        const ULONG count = static_cast<ULONG>(m_fds.size());
        for (uint64_t i = 0; i < iterations; ++i) {
            m_fds.back().revents = 0;
            if (WSAPoll(m_fds.data(), count, -1) != 1 || m_fds.back().revents != POLLRDNORM)
                return fail("WSAPoll");
        }
        for (ULONG k = 0; k + 1 < count; ++k) {
            if (m_fds[k].revents)
                return fail("WSAPoll reports a socket that is not ready");
        }
        return true;
    }

private:
    std::vector<WSAPOLLFD> m_fds;
};

} // namespace

std::vector<WorkloadRow> readiness_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "select_1", us, create_with<Select>, 1 },
        { "select_64", us, create_with<Select>, 64 },
        { "select_1000", us, create_with<Select>, 1000 },
        { "poll_1", us, create_with<Poll>, 1 },
        { "poll_64", us, create_with<Poll>, 64 },
        { "poll_1000", us, create_with<Poll>, 1000 },
    };
}

} // namespace bench
