#include "echo_server.h"

#include <array>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kLoops = 9; // One more than the client threads' connections need.
constexpr size_t kLoopCapacity = WSA_MAXIMUM_WAIT_EVENTS - 1;

/// Activities are never freed, since the watchdog may read them at any time.
Activity& new_activity(const char* who, unsigned number)
{
    static std::array<Activity*, kLoops + 1> s_activities;
    Activity*& place = s_activities[number];
    if (!place)
        place = new Activity(who, number);
    return *place;
}

struct Connection {
    UniqueSocket socket;
    UniqueEvent event;
    std::array<char, 8192> buffer;
    int length = 0;
    int sent = 0;

    bool has_output() const { return sent < length; }
};

} // namespace

/// One event loop. The acceptor adds connections under the lock and sets the first event; all
/// else belongs to the loop's thread.
class EchoServer::Loop {
public:
    explicit Loop(unsigned number)
        : m_wake(WSACreateEvent())
        , m_activity(new_activity("server loop", number))
    {
        require(m_wake.is_valid() && m_thread.start([this] { run(); }), "starting a server loop");
    }
    ~Loop()
    {
        AcquireSRWLockExclusive(&m_lock);
        m_is_ending = true;
        ReleaseSRWLockExclusive(&m_lock);
        require(WSASetEvent(m_wake.get()), "waking a server loop");
        m_thread.join();
    }

    /// Takes a connection over; leaves it alone and returns false if the loop is full.
    bool try_post(std::unique_ptr<Connection>& connection)
    {
        AcquireSRWLockExclusive(&m_lock);
        const bool has_room = m_load < kLoopCapacity;
        if (has_room) {
            ++m_load;
            m_arrivals.push_back(std::move(connection));
        }
        ReleaseSRWLockExclusive(&m_lock);
        if (has_room)
            require(WSASetEvent(m_wake.get()), "waking a server loop");
        return has_room;
    }

private:
    void run()
    {
        while (!m_is_over) {
            std::array<WSAEVENT, WSA_MAXIMUM_WAIT_EVENTS> events = { m_wake.get() };
            DWORD count = 1;
            for (const auto& connection : m_connections)
                events[count++] = connection->event.get();
            m_activity.doing("waiting for an event");
            const DWORD index
                = WSAWaitForMultipleEvents(count, events.data(), FALSE, WSA_INFINITE, FALSE)
                - WSA_WAIT_EVENT_0;
            require(index < count, "a server's WSAWaitForMultipleEvents");
            // Serve all that are ready, or a busy first connection starves the last.
            for (DWORD i = count; i-- > index;) {
                if (!i)
                    take_arrivals();
                else
                    serve(i - 1);
            }
        }
        m_activity.doing("finished");
    }
    void take_arrivals()
    {
        require(WSAResetEvent(m_wake.get()), "WSAResetEvent");
        AcquireSRWLockExclusive(&m_lock);
        for (auto& arrival : m_arrivals)
            m_connections.push_back(std::move(arrival));
        m_arrivals.clear();
        m_is_over = m_is_ending && m_connections.empty();
        ReleaseSRWLockExclusive(&m_lock);
    }
    void serve(size_t index)
    {
        Connection& connection = *m_connections[index];
        WSANETWORKEVENTS record;
        m_activity.doing("serving");
        require(!WSAEnumNetworkEvents(connection.socket.get(), connection.event.get(), &record),
            "a server's WSAEnumNetworkEvents");
        bool is_alive = true;
        if (record.lNetworkEvents & (FD_READ | FD_WRITE | FD_CLOSE))
            is_alive = echo(connection);
        if (!is_alive)
            remove(index);
    }

    /// Sends and receives until a call would block. False when the connection is over.
    static bool echo(Connection& connection)
    {
        for (;;) {
            while (connection.has_output()) {
                const int sent
                    = send(connection.socket.get(), connection.buffer.data() + connection.sent,
                        connection.length - connection.sent, 0);
                if (sent < 0)
                    return WSAGetLastError() == WSAEWOULDBLOCK; // FD_WRITE says when to go on.
                connection.sent += sent;
            }
            connection.sent = connection.length = 0;
            const int received = recv(connection.socket.get(), connection.buffer.data(),
                static_cast<int>(connection.buffer.size()), 0);
            if (received == 0)
                return false; // All has been sent back; the client waits for our end.
            if (received < 0)
                return WSAGetLastError() == WSAEWOULDBLOCK; // Else a reset: the client's choice.
            connection.length = received;
        }
    }
    void remove(size_t index)
    {
        m_connections.erase(m_connections.begin() + static_cast<ptrdiff_t>(index));
        AcquireSRWLockExclusive(&m_lock);
        --m_load;
        m_is_over = m_is_ending && m_connections.empty() && m_arrivals.empty();
        ReleaseSRWLockExclusive(&m_lock);
    }

    UniqueEvent m_wake;
    Activity& m_activity;
    SRWLOCK m_lock = SRWLOCK_INIT;
    std::vector<std::unique_ptr<Connection>> m_arrivals; // m_lock
    size_t m_load = 0; // m_lock
    bool m_is_ending = false; // m_lock
    std::vector<std::unique_ptr<Connection>> m_connections;
    bool m_is_over = false;
    bench::Thread m_thread;
};

EchoServer::EchoServer()
    : m_listener(bench::listen_on_loopback(m_address))
    , m_acceptable(WSACreateEvent())
    , m_stop(WSACreateEvent())
    , m_activity(&new_activity("acceptor", kLoops))
{
    require(m_listener.is_valid() && m_acceptable.is_valid() && m_stop.is_valid()
            && !WSAEventSelect(m_listener.get(), m_acceptable.get(), FD_ACCEPT),
        "making the server");
    for (unsigned i = 0; i < kLoops; ++i)
        m_loops.push_back(std::make_unique<Loop>(i));
    require(m_acceptor.start([this] { accept_connections(); }), "starting the acceptor");
}

EchoServer::~EchoServer()
{
    require(WSASetEvent(m_stop.get()), "WSASetEvent");
    m_acceptor.join();
}

void EchoServer::accept_connections()
{
    const WSAEVENT events[] = { m_acceptable.get(), m_stop.get() };
    size_t next = 0;
    for (;;) {
        m_activity->doing("waiting for a connection");
        const DWORD index = WSAWaitForMultipleEvents(2, events, FALSE, WSA_INFINITE, FALSE);
        if (index == WSA_WAIT_EVENT_0 + 1)
            break;
        require(index == WSA_WAIT_EVENT_0, "the acceptor's WSAWaitForMultipleEvents");
        WSANETWORKEVENTS record;
        require(!WSAEnumNetworkEvents(m_listener.get(), m_acceptable.get(), &record),
            "the acceptor's WSAEnumNetworkEvents");
        if (!(record.lNetworkEvents & FD_ACCEPT))
            continue;
        auto connection = std::make_unique<Connection>();
        connection->socket.reset(accept(m_listener.get(), nullptr, nullptr));
        if (!connection->socket.is_valid() && WSAGetLastError() == WSAEWOULDBLOCK)
            continue;
        connection->event.reset(WSACreateEvent());
        require(connection->socket.is_valid() && connection->event.is_valid(), "accept");
        // Data may have come before this call, which then must report it.
        require(!WSAEventSelect(connection->socket.get(), connection->event.get(),
                    FD_READ | FD_WRITE | FD_CLOSE),
            "WSAEventSelect on an accepted socket");
        // A loop that is full keeps nothing, so the connection is still ours.
        while (!m_loops[next % kLoops]->try_post(connection))
            ++next;
        ++next;
    }
    m_activity->doing("finished");
}

} // namespace stress
