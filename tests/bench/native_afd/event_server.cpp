// The echo server over the Nt services.
#include <thread>

#include "afd/ioctl.h"
#include "check.h"
#include "echo_server.h"
#include "nt_socket.h"

namespace bench_afd {

namespace {

LARGE_INTEGER kNow {};

/// The connections of one thread, and the loop around NtWaitForMultipleObjects.
class EventLoop {
public:
    bool is_full() const { return m_sockets.size() == MAXIMUM_WAIT_OBJECTS; }
    void add(HANDLE socket)
    {
        m_sockets.push_back(socket);
        m_events.push_back(select_event(socket));
    }
    void run()
    {
        while (!m_sockets.empty())
            serve_round(wait_from(0, nullptr));
    }

private:
    /// The first signaled event from `first` on; beyond the last: none in time.
    size_t wait_from(size_t first, const LARGE_INTEGER* timeout)
    {
        const size_t count = m_events.size() - first;
        if (!count)
            return first;
        const NTSTATUS status = NtWaitForMultipleObjects(
            static_cast<ULONG>(count), &m_events[first], kWaitAny, FALSE, timeout);
        return status == STATUS_TIMEOUT ? m_events.size() : first + static_cast<size_t>(status);
    }
    /// Serves that connection and those behind it: the first ones must not starve the last.
    void serve_round(size_t index)
    {
        while (index < m_sockets.size())
            index = wait_from(serve(index) ? index + 1 : index, &kNow);
    }
    /// Returns false when the connection is gone.
    bool serve(size_t index)
    {
        const uint32_t events = take_events(m_sockets[index], m_events[index]);
        if (events & afd::kPollReceive)
            echo(m_sockets[index]);
        if (!(events & (afd::kPollDisconnect | afd::kPollAbort)))
            return true;
        NtClose(m_sockets[index]);
        NtClose(m_events[index]);
        m_sockets.erase(m_sockets.begin() + static_cast<ptrdiff_t>(index));
        m_events.erase(m_events.begin() + static_cast<ptrdiff_t>(index));
        return false;
    }
    static void echo(HANDLE socket)
    {
        char buffer[4096];
        size_t received = 0;
        const NTSTATUS status = receive(socket, buffer, sizeof(buffer), received);
        if (status == STATUS_DEVICE_NOT_READY || !received)
            return; // an earlier receive took it
        size_t sent = 0;
        check(status == STATUS_SUCCESS
                && bench_afd::send(socket, buffer, received, sent) == STATUS_SUCCESS
                && sent == received,
            "the event server's transfers");
    }

    std::vector<HANDLE> m_sockets;
    std::vector<HANDLE> m_events;
};

class EventServer final : public EchoServer {
public:
    ~EventServer() override
    {
        for (std::thread& thread : m_threads)
            thread.join();
        NtClose(m_listener);
    }
    uint16_t port() const override { return m_port; }
    void accept_one() override
    {
        if (m_loops.empty() || m_loops.back()->is_full())
            m_loops.push_back(std::make_unique<EventLoop>());
        m_loops.back()->add(accept_from(m_listener));
    }
    void start() override
    {
        for (const std::unique_ptr<EventLoop>& loop : m_loops)
            m_threads.emplace_back([&loop] { loop->run(); });
    }

private:
    uint16_t m_port = 0;
    const HANDLE m_listener = new_listener(m_port);
    std::vector<std::unique_ptr<EventLoop>> m_loops;
    std::vector<std::thread> m_threads;
};

} // namespace

std::unique_ptr<EchoServer> new_event_server()
{
    return std::make_unique<EventServer>();
}

} // namespace bench_afd
