#include "echo_server.h"

#include <cstdio>
#include <vector>

namespace {

constexpr size_t kBufferSize = 16 * 1024;
constexpr size_t kStop = 0; // slots of m_events
constexpr size_t kListener = 1;
constexpr size_t kFirst = 2;

/// A connection and what it still has to send back.
struct Connection {
    SOCKET socket;
    std::vector<char> backlog;
    size_t sent; // how much of the backlog is gone
    bool peer_done; // FD_CLOSE has come; close when the backlog is empty
};

class Server {
public:
    Server(SOCKET listener, WSAEVENT stop, demo::ServerCounts& counts)
        : m_listener(listener)
        , m_stop(stop)
        , m_counts(counts)
    {
    }
    ~Server();
    bool run();

private:
    bool accept_one();
    bool handle(size_t index);
    bool receive(Connection& connection);
    bool flush(Connection& connection);
    void close(size_t index);
    bool complain(const char* call);

    SOCKET m_listener;
    WSAEVENT m_stop;
    bool m_stopped = false;
    demo::ServerCounts& m_counts;
    // The first two slots are m_stop and the listener's; then connection n has slot n + kFirst.
    std::vector<WSAEVENT> m_events;
    std::vector<Connection> m_connections;
};

Server::~Server()
{
    while (!m_connections.empty())
        close(m_connections.size() - 1);
    if (!m_events.empty()) {
        WSAEventSelect(m_listener, nullptr, 0);
        WSACloseEvent(m_events[kListener]);
    }
}

bool Server::complain(const char* call)
{
    fprintf(stderr, "server: %s failed with %d\n", call, WSAGetLastError());
    ++m_counts.errors;
    return false;
}

bool Server::run()
{
    const WSAEVENT event = WSACreateEvent();
    if (event == WSA_INVALID_EVENT)
        return complain("WSACreateEvent");
    m_events = { m_stop, event };
    if (WSAEventSelect(m_listener, event, FD_ACCEPT) != 0)
        return complain("WSAEventSelect");

    while (!m_stopped || !m_connections.empty()) {
        const DWORD count = static_cast<DWORD>(m_events.size());
        const DWORD woken
            = WSAWaitForMultipleEvents(count, m_events.data(), FALSE, WSA_INFINITE, FALSE);
        if (woken == WSA_WAIT_FAILED)
            return complain("WSAWaitForMultipleEvents");
        ++m_counts.waits;
        // The wait names the first signaled event; the later ones are asked too, so that a busy
        // early connection starves nobody. Backwards, since closing moves the last into the gap.
        for (size_t index = m_events.size(); index-- > woken - WSA_WAIT_EVENT_0;) {
            if (!handle(index))
                return false;
        }
    }
    return true;
}

bool Server::handle(size_t index)
{
    if (index == kStop) {
        // Asked like any other slot, it may not be signaled; then this wait has ended for another.
        if (WSAWaitForMultipleEvents(1, &m_stop, FALSE, 0, FALSE) == WSA_WAIT_EVENT_0) {
            m_stopped = true;
            WSAResetEvent(m_stop);
        }
        return true;
    }
    const SOCKET socket = index == kListener ? m_listener : m_connections[index - kFirst].socket;
    WSANETWORKEVENTS record;
    if (WSAEnumNetworkEvents(socket, m_events[index], &record) != 0)
        return complain("WSAEnumNetworkEvents");
    for (int bit = 0; bit < FD_MAX_EVENTS; ++bit) {
        if (record.lNetworkEvents & 1 << bit)
            ++m_counts.events[bit];
    }
    if (record.lNetworkEvents & FD_ACCEPT)
        return accept_one();
    if (index == kListener)
        return true;

    Connection& connection = m_connections[index - kFirst];
    if (record.lNetworkEvents & FD_WRITE && !flush(connection))
        return false;
    if (record.lNetworkEvents & (FD_READ | FD_CLOSE) && !receive(connection))
        return false;
    if (record.lNetworkEvents & FD_CLOSE) {
        if (record.iErrorCode[FD_CLOSE_BIT])
            ++m_counts.errors;
        connection.peer_done = true;
    }
    if (connection.peer_done && connection.sent == connection.backlog.size())
        close(index - kFirst);
    return true;
}

bool Server::accept_one()
{
    const SOCKET socket = accept(m_listener, nullptr, nullptr);
    if (socket == INVALID_SOCKET)
        return WSAGetLastError() == WSAEWOULDBLOCK || complain("accept");
    const WSAEVENT event = WSACreateEvent();
    if (event == WSA_INVALID_EVENT)
        return complain("WSACreateEvent");
    // An accepted socket inherits the listener's event and mask; this gives it its own.
    if (WSAEventSelect(socket, event, FD_READ | FD_WRITE | FD_CLOSE) != 0)
        return complain("WSAEventSelect");
    m_events.push_back(event);
    m_connections.push_back({ socket, {}, 0, false });
    ++m_counts.connections;
    return true;
}

bool Server::receive(Connection& connection)
{
    char buffer[kBufferSize];
    for (;;) {
        const int received = recv(connection.socket, buffer, sizeof(buffer), 0);
        if (received == 0)
            return true; // All is read; FD_CLOSE says the rest.
        if (received < 0)
            return WSAGetLastError() == WSAEWOULDBLOCK || complain("recv");
        connection.backlog.insert(connection.backlog.end(), buffer, buffer + received);
        if (!flush(connection))
            return false;
    }
}

/// Sends what there is until the peer's window is full; FD_WRITE then tells when to go on.
bool Server::flush(Connection& connection)
{
    while (connection.sent < connection.backlog.size()) {
        const int sent = send(connection.socket, connection.backlog.data() + connection.sent,
            static_cast<int>(connection.backlog.size() - connection.sent), 0);
        if (sent < 0)
            return WSAGetLastError() == WSAEWOULDBLOCK || complain("send");
        connection.sent += static_cast<size_t>(sent);
        m_counts.bytes += static_cast<unsigned>(sent);
    }
    connection.backlog.clear();
    connection.sent = 0;
    return true;
}

void Server::close(size_t index)
{
    closesocket(m_connections[index].socket);
    WSACloseEvent(m_events[index + kFirst]);
    m_connections[index] = std::move(m_connections.back());
    m_connections.pop_back();
    m_events[index + kFirst] = m_events.back();
    m_events.pop_back();
}

} // namespace

bool demo::serve(SOCKET listener, WSAEVENT stop, ServerCounts& counts)
{
    return Server(listener, stop, counts).run();
}
