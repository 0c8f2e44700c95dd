#include "../workloads.h"
#include "descriptor.h"

#include <poll.h>
#include <sys/select.h>
#include <algorithm>

namespace bench {

namespace {

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
        const UniqueDescriptor listener(listen_on_loopback(address));
        for (size_t i = 0; i < m_clients.size(); ++i) {
            if (!connect_pair(listener.get(), address, m_clients[i], m_servers[i]))
                return fail("making a connection");
        }
        return expect(send_all(m_clients.back().get(), "r", 1), "send");
    }

protected:
    std::vector<UniqueDescriptor> m_clients;
    std::vector<UniqueDescriptor> m_servers;
};

/// The C library's fd_set ends at 1,024 descriptors; the system call takes any length.
class Select : public OneReady {
public:
    using OneReady::OneReady;

    bool set_up() override
    {
        if (!OneReady::set_up())
            return false;
        for (const UniqueDescriptor& server : m_servers) {
            const size_t fd = static_cast<size_t>(server.get());
            m_all.resize(std::max(m_all.size(), fd / kBits + 1));
            m_all[fd / kBits] |= 1UL << fd % kBits;
        }
        return true;
    }
    bool run(uint64_t iterations) override
    {
        const size_t last = static_cast<size_t>(m_servers.back().get());
        for (uint64_t i = 0; i < iterations; ++i) {
            m_ready = m_all;
            if (::select(static_cast<int>(m_all.size() * kBits),
                    reinterpret_cast<fd_set*>(m_ready.data()), nullptr, nullptr, nullptr)
                    != 1
                || !(m_ready[last / kBits] & 1UL << last % kBits))
                return fail("select");
        }
        return true;
    }

private:
    static constexpr size_t kBits = sizeof(unsigned long) * 8;

    std::vector<unsigned long> m_all;
    std::vector<unsigned long> m_ready;
};

class Poll : public OneReady {
public:
    using OneReady::OneReady;

    bool set_up() override
    {
        if (!OneReady::set_up())
            return false;
        for (const UniqueDescriptor& server : m_servers)
            m_fds.push_back({ server.get(), POLLRDNORM, 0 });
        return true;
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            m_fds.back().revents = 0;
            if (poll(m_fds.data(), m_fds.size(), -1) != 1 || m_fds.back().revents != POLLRDNORM)
                return fail("poll");
        }
        return true;
    }

private:
    std::vector<pollfd> m_fds;
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
