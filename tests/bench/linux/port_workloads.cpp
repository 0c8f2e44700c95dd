#include "../workloads.h"
#include "epoll_poller.h"

#include <sys/eventfd.h>

namespace bench {

namespace {

/// A word told to an event loop and taken out of it: an eventfd that epoll watches.
class PostGet : public Workload {
public:
    bool set_up() override
    {
        m_event.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        return expect(m_poller.open() && m_poller.watch(m_event.get(), 0), "watching an eventfd");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            size_t ready = 1;
            uint64_t value = 0;
            if (eventfd_write(m_event.get(), i + 1))
                return fail("eventfd_write");
            if (m_poller.wait(&ready, 1) != 1 || ready || eventfd_read(m_event.get(), &value)
                || value != i + 1)
                return fail("epoll_wait, eventfd_read");
        }
        return true;
    }

private:
    EpollPoller m_poller;
    UniqueDescriptor m_event;
};

} // namespace

std::vector<WorkloadRow> port_workloads()
{
    return { { "port_post_get", Unit::MicrosecondsPerOperation, create<PostGet> } };
}

} // namespace bench
