// Sets of endpoints that Linux watches.
#pragma once

#include <atomic>
#include <cstdint>

#include <sys/epoll.h>

namespace afd {

class Endpoint;

/// Endpoints of which Linux tells, edge-triggered, what happens to them: an epoll, and a descriptor
/// that wakes who waits for it. Keeps no reference to them, and has no lock: who adds and removes
/// an endpoint holds its lock.
class Watcher {
public:
    // An endpoint that is watched here ...

    /// is told of nothing but errors any more / of everything again. What holds is told anew after
    /// that.
    void mute(Endpoint& endpoint);
    void unmute(Endpoint& endpoint);
    /// has a descriptor again that is not: another one, or the same after unwatch_for_now.
    void watch_again(Endpoint& endpoint);
    void unwatch_for_now(Endpoint& endpoint);

protected:
    // epoll's bits are poll's, with the edge bit above them.
    static_assert(EPOLLIN == 1 && EPOLLPRI == 2 && EPOLLOUT == 4 && EPOLLRDHUP == 0x2000);
    static constexpr uint32_t kArrivals = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
    static constexpr uint32_t kWatched = kArrivals | EPOLLOUT;
    /// What the epoll keeps for the descriptor that wakes; for an endpoint it is the address.
    static constexpr uint64_t kWake = 0;

    constexpr Watcher() = default;
    ~Watcher() = default;

    /// Opens both descriptors. `wakes_epoll`: who waits for the epoll is woken, too, not only who
    /// asks for both. False: none is open.
    bool open_descriptors(bool wakes_epoll);
    int wake_fd() const { return m_wake_fd.load(std::memory_order_relaxed); }
    void write_to_wake_fd();

    /// 0, or -1 as epoll_ctl.
    int control(int operation, Endpoint& endpoint, uint32_t events);
    int epoll() const { return m_epoll.load(std::memory_order_relaxed); }
    /// What an event of this epoll says of the endpoint it belongs to.
    static uint32_t ready_from(const epoll_event& event);

    std::atomic<int> m_epoll { -1 };
    std::atomic<int> m_wake_fd { -1 };
};

/// Told by the pump of the process that another epoll has something to tell.
class PumpGuest {
public:
    virtual void on_guest_ready() = 0;

protected:
    ~PumpGuest() = default;
};

} // namespace afd
