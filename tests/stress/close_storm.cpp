// closesocket while another thread is in a call on the socket. Every call has to return with an
// error that tells of the close, and the peer has to see the end of the connection. Which error
// ends the call depends on who comes first; the counts of each are printed. One case per kind of
// call.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kLanes = 8;

/// A call that would wait for ever, or one repeated until it fails. Returns 0 or the error; `event`
/// is not signaled.
using BlockingCall = int (*)(SOCKET socket, WSAEVENT event);

int error_of(int result)
{
    return result == SOCKET_ERROR ? WSAGetLastError() : 0;
}

int blocked_recv(SOCKET socket, WSAEVENT)
{
    char byte;
    return error_of(recv(socket, &byte, 1, 0));
}

int blocked_recvfrom(SOCKET socket, WSAEVENT)
{
    char byte;
    return error_of(recvfrom(socket, &byte, 1, 0, nullptr, nullptr));
}

int blocked_accept(SOCKET socket, WSAEVENT)
{
    return accept(socket, nullptr, nullptr) == INVALID_SOCKET ? WSAGetLastError() : 0;
}

int blocked_select(SOCKET socket, WSAEVENT)
{
    fd_set read = { 1, { socket } };
    return error_of(select(0, &read, nullptr, nullptr, nullptr));
}

int blocked_poll(SOCKET socket, WSAEVENT)
{
    WSAPOLLFD fd = { socket, POLLRDNORM, 0 };
    return error_of(WSAPoll(&fd, 1, -1));
}

int blocked_send(SOCKET socket, WSAEVENT)
{
    static constexpr std::array<char, 65536> s_data = {};
    for (;;) {
        if (send(socket, s_data.data(), static_cast<int>(s_data.size()), 0) < 0)
            return WSAGetLastError();
    }
}

int repeated_selections(SOCKET socket, WSAEVENT event)
{
    WSANETWORKEVENTS record;
    for (;;) {
        if (WSAEventSelect(socket, event, FD_READ | FD_WRITE | FD_CLOSE)
            || WSAEnumNetworkEvents(socket, event, &record) || WSAEventSelect(socket, nullptr, 0))
            return WSAGetLastError();
    }
}

/// An overlapped receive, and a wait for its event: closing the socket cancels the receive, which
/// sets the event.
int blocked_overlapped_recv(SOCKET socket, WSAEVENT event)
{
    char byte;
    WSABUF buffer = { 1, &byte };
    WSAOVERLAPPED overlapped = {};
    DWORD flags = 0;
    overlapped.hEvent = event;
    if (WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr)
        && WSAGetLastError() != WSA_IO_PENDING)
        return WSAGetLastError();
    require(WSAWaitForMultipleEvents(1, &event, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0,
        "waiting for the event of an overlapped receive");
    require(static_cast<DWORD>(overlapped.Internal) != STATUS_PENDING,
        "the event is set and the operation pending");
    return WSA_OPERATION_ABORTED;
}

constexpr int kInterrupted = WSAEINTR;
constexpr int kAborted = WSAECONNABORTED;
constexpr int kClosed = WSAENOTSOCK;

struct Kind {
    const char* name;
    BlockingCall call;
    enum { Connected, Synchronous, Listening, Datagram } socket;
    /// What may end the call. [closesocket/7] [closesocket/8]
    std::array<int, 3> errors = { kInterrupted, kAborted, kClosed };

    bool allows(int error) const
    {
        return std::find(errors.begin(), errors.end(), error) != errors.end();
    }
};

constexpr Kind kKinds[] = {
    { "recv", blocked_recv, Kind::Connected },
    { "recv_of_a_synchronous_socket", blocked_recv, Kind::Synchronous },
    { "recvfrom_of_a_datagram", blocked_recvfrom, Kind::Datagram },
    { "send", blocked_send, Kind::Connected },
    { "send_of_a_synchronous_socket", blocked_send, Kind::Synchronous },
    { "accept", blocked_accept, Kind::Listening },
    { "select", blocked_select, Kind::Connected, { 0, kClosed } },
    { "select_on_a_listener", blocked_select, Kind::Listening, { 0, kClosed } },
    { "poll", blocked_poll, Kind::Connected, { 0, kClosed } },
    { "overlapped_recv", blocked_overlapped_recv, Kind::Connected,
        { WSA_OPERATION_ABORTED, kAborted, kClosed } },
    { "selections_of_events", repeated_selections, Kind::Connected, { kClosed } },
};

/// A thread that blocks, and what it blocks on. The storm's thread sets `go`, closes the socket
/// when it likes, and waits for `done`. All sockets of a round are made before any is closed, so
/// that a call that comes late meets a closed handle, never somebody else's new one.
struct Lane {
    UniqueEvent go { WSACreateEvent() };
    UniqueEvent done { WSACreateEvent() };
    UniqueEvent operation { WSACreateEvent() };
    UniqueSocket socket;
    UniqueSocket peer;
    SOCKET handle = INVALID_SOCKET; // The value of `socket`, which stays when that is closed.
    const Kind* kind = nullptr; // null: end
    int error = 0;
    std::atomic<bool> is_calling = false;
    Activity* activity = nullptr;
    bench::Thread thread;

    void run()
    {
        for (;;) {
            activity->doing("waiting for the next round");
            wait(go);
            if (!kind)
                return;
            activity->doing(kind->name);
            is_calling = true;
            error = kind->call(handle, operation.get());
            is_calling = false;
            require(WSAResetEvent(operation.get()) && WSASetEvent(done.get()), "WSASetEvent");
        }
    }
    static void wait(const UniqueEvent& event)
    {
        const WSAEVENT events[] = { event.get() };
        require(WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0
                && WSAResetEvent(event.get()),
            "waiting for an event");
    }
    bool connect_synchronous_pair()
    {
        sockaddr_in address;
        const UniqueSocket listener(bench::listen_on_loopback(address));
        socket.reset(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0));
        if (!listener.is_valid() || !socket.is_valid()
            || connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
            return false;
        peer.reset(accept(listener.get(), nullptr, nullptr));
        return peer.is_valid();
    }
    void make_socket()
    {
        sockaddr_in address;
        switch (kind->socket) {
        case Kind::Connected:
            require(bench::connect_pair(peer, socket), "making a connection");
            break;
        case Kind::Synchronous:
            require(connect_synchronous_pair(), "making a connection");
            break;
        case Kind::Listening:
            socket.reset(bench::listen_on_loopback(address));
            break;
        case Kind::Datagram:
            socket.reset(bench::bind_udp_on_loopback(address));
            break;
        }
        require(socket.is_valid(), "making a socket");
        handle = socket.get();
    }
};

class Storm {
public:
    Storm()
    {
        for (unsigned i = 0; i < kLanes; ++i) {
            m_lanes[i].activity = new Activity("lane", i); // The watchdog may read it for ever.
            require(m_lanes[i].thread.start([this, i] { m_lanes[i].run(); }), "starting a thread");
        }
    }
    ~Storm()
    {
        for (Lane& lane : m_lanes) {
            lane.kind = nullptr;
            require(WSASetEvent(lane.go.get()), "WSASetEvent");
        }
    }

    /// Rounds of one kind for `seconds`, at least one. Prints the counts of the errors.
    void run(const Kind& kind, double seconds)
    {
        std::map<int, unsigned> errors;
        const double deadline = now() + seconds;
        do {
            run_round(kind);
            for (const Lane& lane : m_lanes) {
                ++errors[lane.error];
                SetLastError(static_cast<DWORD>(lane.error));
                require(kind.allows(lane.error), "a call ended with an error of no close");
            }
        } while (now() < deadline);
        std::string text = std::string(kind.name) + " ended with";
        for (const auto& [error, count] : errors)
            text += " error " + std::to_string(error) + ": " + std::to_string(count) + " times;";
        note(text);
    }

    void run_round(const Kind& kind)
    {
        for (Lane& lane : m_lanes) {
            lane.kind = &kind;
            lane.make_socket();
        }
        for (Lane& lane : m_lanes)
            require(WSASetEvent(lane.go.get()), "WSASetEvent");
        for (Lane& lane : m_lanes)
            close(lane);
        for (Lane& lane : m_lanes) {
            m_activity.doing("waiting for a call to return");
            Lane::wait(lane.done);
            if (lane.peer.is_valid())
                expect_end(lane);
        }
    }

private:
    void close(Lane& lane)
    {
        m_activity.doing("closing");
        // Mostly into the call, at times before it.
        if (m_dice.below(4)) {
            while (!lane.is_calling)
                SwitchToThread();
            for (unsigned turns = m_dice.below(200); turns--;)
                SwitchToThread();
        }
        require(!closesocket(lane.socket.release()), "closesocket");
    }
    /// The connection is really closed: nothing in the process holds it open.
    void expect_end(Lane& lane)
    {
        std::array<char, 65536> received;
        m_activity.doing("waiting for the end of a connection");
        const bool is_sending = lane.kind->call == blocked_send;
        for (;;) {
            const int length
                = recv(lane.peer.get(), received.data(), static_cast<int>(received.size()), 0);
            if (length <= 0)
                break;
            require(is_sending, "a byte nobody sent");
        }
        lane.peer.reset();
    }

    std::array<Lane, kLanes> m_lanes;
    Dice m_dice { 5 };
    Activity& m_activity = *new Activity("closing thread");
};

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    const double share = static_cast<double>(options.seconds) / std::size(stress::kKinds);
    {
        stress::Storm storm;
        for (const stress::Kind& kind : stress::kKinds)
            storm.run_round(kind); // What is made once per process or thread may stay.
        const unsigned before = stress::count_handles();
        for (const stress::Kind& kind : stress::kKinds) {
            storm.run(kind, share);
            stress::report(true, std::string("closing_ends_") + kind.name);
        }
        stress::report_handles(before);
    }
    return stress::finish();
}
