#include "../workloads.h"
#include "descriptor.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

/// The nearest thing Linux has to an event with a handle: an eventfd. Set is write, reset is read,
/// wait is poll.
class CreateClose : public Workload {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (event < 0 || close(event))
                return fail("eventfd, close");
        }
        return true;
    }
};

class OneEvent : public Workload {
public:
    bool set_up() override
    {
        m_event.reset(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
        return expect(m_event.is_valid(), "eventfd");
    }

protected:
    int event() const { return m_event.get(); }

private:
    UniqueDescriptor m_event;
};

class Set : public OneEvent {
public:
    bool run(uint64_t iterations) override
    {
        const uint64_t one = 1;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (write(event(), &one, sizeof(one)) != sizeof(one))
                return fail("write to an eventfd");
        }
        return true;
    }
};

/// Of an event that is not set, as in the Windows program after its first reset.
class Reset : public OneEvent {
public:
    bool run(uint64_t iterations) override
    {
        uint64_t count;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (read(event(), &count, sizeof(count)) != sizeof(count) && errno != EAGAIN)
                return fail("read from an eventfd");
        }
        return true;
    }
};

class WaitSignaled : public OneEvent {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            pollfd wait = { event(), POLLIN, 0 };
            if (poll(&wait, 1, -1) != 1)
                return fail("poll of an eventfd");
        }
        return true;
    }
};

class SetAndReset : public OneEvent {
public:
    bool run(uint64_t iterations) override
    {
        const uint64_t one = 1;
        uint64_t count;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (write(event(), &one, sizeof(one)) != sizeof(one)
                || read(event(), &count, sizeof(count)) != sizeof(count))
                return fail("write to an eventfd, read from it");
        }
        return true;
    }
};

/// A connected socket in an epoll instance, nothing pending.
class WatchedSocket : public Workload {
public:
    bool set_up() override
    {
        if (!connect_pair(m_client, m_server))
            return fail("making a connection");
        m_epoll = watch_input(m_server.get());
        return expect(m_epoll.is_valid(), "epoll_ctl");
    }

protected:
    int server() const { return m_server.get(); }
    int epoll() const { return m_epoll.get(); }

private:
    UniqueDescriptor m_client;
    UniqueDescriptor m_server;
    UniqueDescriptor m_epoll;
};

class EventSelect : public WatchedSocket {
public:
    bool run(uint64_t iterations) override
    {
        epoll_event event = {};
        event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (epoll_ctl(epoll(), EPOLL_CTL_MOD, server(), &event))
                return fail("epoll_ctl");
        }
        return true;
    }
};

class EnumNetworkEvents : public WatchedSocket {
public:
    bool run(uint64_t iterations) override
    {
        epoll_event event;
        for (uint64_t i = 0; i < iterations; ++i) {
            if (epoll_wait(epoll(), &event, 1, 0) != 0)
                return fail("epoll_wait with nothing pending");
        }
        return true;
    }
};

} // namespace

std::vector<WorkloadRow> event_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "event_create_close", us, create<CreateClose> },
        { "event_set", us, create<Set> },
        { "event_reset", us, create<Reset> },
        { "event_wait_signaled", us, create<WaitSignaled> },
        { "kernel_event_set", us, create<SetAndReset> },
        { "kernel_wait_signaled", us, create<WaitSignaled> },
    };
}

std::vector<WorkloadRow> event_select_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "event_select", us, create<EventSelect> },
        { "enum_network_events", us, create<EnumNetworkEvents> },
    };
}

} // namespace bench
