#include "epoll_poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <algorithm>

namespace bench {

namespace {

constexpr uint64_t kEnd = ~0ULL; // where a socket has its index

bool add(int epoll, int descriptor, uint32_t events, uint64_t what)
{
    epoll_event event = {};
    event.events = events;
    event.data.u64 = what;
    return !epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

} // namespace

bool EpollPoller::open()
{
    m_epoll.reset(epoll_create1(EPOLL_CLOEXEC));
    m_end.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return add(m_epoll.get(), m_end.get(), EPOLLIN, kEnd);
}

bool EpollPoller::watch(int socket, size_t index)
{
    return add(m_epoll.get(), socket, EPOLLIN | EPOLLRDHUP | EPOLLET, index);
}

int EpollPoller::wait(size_t* ready, int most)
{
    epoll_event events[64];
    const int count = epoll_wait(m_epoll.get(), events, std::min(most, 64), -1);
    for (int i = 0; i < count; ++i) {
        if (events[i].data.u64 == kEnd)
            return 0;
        ready[i] = events[i].data.u64;
    }
    return count > 0 ? count : -1;
}

void EpollPoller::end()
{
    eventfd_write(m_end.get(), 1);
}

} // namespace bench
