#include "afd/watcher.h"

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
