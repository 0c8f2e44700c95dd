#include "afd/watcher.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "afd/direct_calls.h"
#include "afd/endpoint.h"

namespace afd {

void Watcher::mute(Endpoint& endpoint)
{
    control(EPOLL_CTL_MOD, endpoint, EPOLLET);
}

void Watcher::unmute(Endpoint& endpoint)
{
    control(EPOLL_CTL_MOD, endpoint, kWatched);
}

void Watcher::watch_again(Endpoint& endpoint)
{
    control(EPOLL_CTL_ADD, endpoint, kWatched);
}

void Watcher::unwatch_for_now(Endpoint& endpoint)
{
    control(EPOLL_CTL_DEL, endpoint, 0);
}

bool Watcher::open_descriptors(bool wakes_epoll)
{
    const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event {};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = kWake;
    if (wake_fd >= 0 && epoll >= 0
        && (!wakes_epoll || epoll_ctl(epoll, EPOLL_CTL_ADD, wake_fd, &event) == 0)) {
        m_wake_fd.store(wake_fd, std::memory_order_relaxed);
        m_epoll.store(epoll, std::memory_order_release);
        return true;
    }
    for (const int fd : { wake_fd, epoll }) {
        if (fd >= 0)
            ::close(fd);
    }
    return false;
}

void Watcher::write_to_wake_fd()
{
    const uint64_t one = 1;
    const ssize_t written = direct::write(wake_fd(), &one, sizeof(one));
    static_cast<void>(written); // nobody writes so often that the counter is full
}

int Watcher::control(int operation, Endpoint& endpoint, uint32_t events)
{
    epoll_event event {};
    event.events = events;
    event.data.ptr = &endpoint;
    return epoll_ctl(epoll(), operation, endpoint.socket().descriptor(), &event);
}

uint32_t Watcher::ready_from(const epoll_event& event)
{
    return HostSocket::ready_from_poll_events(static_cast<short>(event.events & 0xFFFF));
}

} // namespace afd
