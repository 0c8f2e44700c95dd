// The echo server over epoll: the yardstick.
#include <thread>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "echo_server.h"

namespace bench_afd {

namespace {

class EpollServer final : public EchoServer {
public:
    ~EpollServer() override
    {
        m_thread.join();
        close(m_listener);
        close(m_epoll);
    }
    uint16_t port() const override { return m_port; }
    void accept_one() override
    {
        const int socket = accept4(m_listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        epoll_event event {};
        event.events = EPOLLIN;
        event.data.fd = socket;
        check(epoll_ctl(m_epoll, EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
        ++m_open;
    }
    void start() override
    {
        m_thread = std::thread([this] {
            while (m_open)
                serve_some();
        });
    }

private:
    void serve_some()
    {
        epoll_event events[64];
        const int count = epoll_wait(m_epoll, events, 64, -1);
        for (int i = 0; i < count; ++i) {
            const int socket = events[i].data.fd;
            char buffer[4096];
            const ssize_t received = recv(socket, buffer, sizeof(buffer), 0);
            if (received > 0) {
                check(send(socket, buffer, static_cast<size_t>(received), MSG_NOSIGNAL) == received,
                    "the epoll server's send");
            } else {
                close(socket);
                --m_open;
            }
        }
    }

    uint16_t m_port = 0;
    const int m_listener = listen_raw(m_port);
    const int m_epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t m_open = 0;
    std::thread m_thread;
};

} // namespace

std::unique_ptr<EchoServer> new_epoll_server()
{
    return std::make_unique<EpollServer>();
}

} // namespace bench_afd
