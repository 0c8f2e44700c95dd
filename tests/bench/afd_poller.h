#pragma once

// Readiness out of a completion port, by the ioctl that mio, wepoll and libuv send to the AFD
// device themselves.

#include "port.h"

#include <memory>
#include <vector>

namespace bench {

/// A Poller of readiness_echo.h: one poll a socket on a helper handle of \Device\Afd, sent again
/// after each event.
class AfdPoller {
public:
    AfdPoller();
    AfdPoller(const AfdPoller&) = delete;
    AfdPoller& operator=(const AfdPoller&) = delete;
    /// Waits for the end of the polls, since the system writes into them: the sockets must have
    /// been closed.
    ~AfdPoller();

    bool open();
    bool watch(SOCKET socket, size_t index);
    bool rearm(size_t index);
    int wait(size_t* ready, int most);
    void end();

private:
    struct Poll;

    bool send(Poll& poll);

    Port m_port;
    HANDLE m_device = nullptr;
    std::vector<std::unique_ptr<Poll>> m_polls; // by index
    size_t m_pending = 0;
};

} // namespace bench
