#include "../bulk.h"
#include "../workloads.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <cerrno>

namespace bench {

namespace {

/// A Stream that does what can be done at once, and waits in epoll for more.
class EpollStream {
public:
    bool attach(UniqueSocket connected)
    {
        m_socket = std::move(connected);
        m_epoll.reset(epoll_create1(EPOLL_CLOEXEC));
        epoll_event event = {};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        return set_nonblocking(m_socket.get(), true)
            && !epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, m_socket.get(), &event);
    }
    void close() { m_socket.reset(); }
    bool send(const void* data, size_t length)
    {
        return transfer(const_cast<char*>(static_cast<const char*>(data)), length,
            [](int socket, char* next, size_t rest) {
                return ::send(socket, next, rest, MSG_NOSIGNAL);
            });
    }
    bool receive(void* data, size_t length)
    {
        return transfer(static_cast<char*>(data), length,
            [](int socket, char* next, size_t rest) { return recv(socket, next, rest, 0); });
    }

private:
    template <typename Call> bool transfer(char* next, size_t length, Call call)
    {
        while (length) {
            const ssize_t moved = call(m_socket.get(), next, length);
            if (moved > 0) {
                next += moved;
                length -= static_cast<size_t>(moved);
                continue;
            }
            epoll_event event;
            if (!moved || errno != EAGAIN || epoll_wait(m_epoll.get(), &event, 1, -1) != 1)
                return false;
        }
        return true;
    }

    UniqueSocket m_socket;
    UniqueDescriptor m_epoll;
};

} // namespace

std::vector<WorkloadRow> iocp_bulk_workloads()
{
    return { { "iocp_bulk_64k", Unit::MegabytesPerSecond, create<Bulk<EpollStream>>, 0,
        kBulkLength } };
}

} // namespace bench
