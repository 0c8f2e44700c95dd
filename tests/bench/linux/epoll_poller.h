#pragma once

#include "descriptor.h"

namespace bench {

/// A Poller of readiness_echo.h: edge-triggered, so that several threads may wait and each event
/// goes to one of them.
class EpollPoller {
public:
    bool open();
    bool watch(int socket, size_t index);
    bool rearm(size_t) { return true; }
    int wait(size_t* ready, int most);
    void end();

private:
    UniqueDescriptor m_epoll;
    UniqueDescriptor m_end; // an eventfd that stays readable for all waits once it is written to
};

} // namespace bench
