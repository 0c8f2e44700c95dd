// Sockets that are given away by WSADuplicateSocket in the moment in which another thread uses
// them and lives by the network events they tell: a listener that accepts, and a connection that
// receives. Whoever has the record of events by then, no event is lost: accepted sockets have the
// listener's selection, and each connection and each byte is told of.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <array>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr DWORD kPatience = 20'000; // milliseconds, then an event is lost
constexpr unsigned kLongestDelay = 60'000; // turns; some of the work in whose midst a socket goes
constexpr unsigned kMadeLate = 2; // handles: what each of two threads waits by, the first time
constexpr long kEvents = FD_ACCEPT | FD_READ | FD_CLOSE;

/// A thread that gives sockets away, a moment after it is told to.
class Giver {
public:
    explicit Giver(Activity& activity)
        : m_activity(activity)
        , m_go(CreateEventW(nullptr, FALSE, FALSE, nullptr))
        , m_done(CreateEventW(nullptr, FALSE, FALSE, nullptr))
    {
        require(m_thread.start([this] { run(); }), "starting a thread");
    }
    ~Giver()
    {
        begin(INVALID_SOCKET, 0);
        m_thread.join();
    }
    Giver(const Giver&) = delete;

    void begin(SOCKET socket, unsigned delay)
    {
        m_socket = socket;
        m_delay = delay;
        SetEvent(m_go.get());
    }
    void wait() { WaitForSingleObject(m_done.get(), INFINITE); }

private:
    void run()
    {
        for (;;) {
            WaitForSingleObject(m_go.get(), INFINITE);
            if (m_socket == INVALID_SOCKET)
                return;
            for (std::atomic<unsigned> turn = 0; turn < m_delay;)
                ++turn;
            m_activity.doing("giving a socket away");
            WSAPROTOCOL_INFOW info;
            require(
                !WSADuplicateSocketW(m_socket, GetCurrentProcessId(), &info), "WSADuplicateSocket");
            // The duplicate is in this process: it ends with the one that opens it.
            const UniqueSocket opened(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED));
            require(opened.is_valid(), "opening a duplicate");
            m_activity.doing("waiting for a socket to give away");
            SetEvent(m_done.get());
        }
    }

    Activity& m_activity;
    const UniqueEvent m_go;
    const UniqueEvent m_done;
    std::atomic<SOCKET> m_socket = INVALID_SOCKET;
    std::atomic<unsigned> m_delay = 0;
    bench::Thread m_thread;
};

/// Waits until the socket tells of this event. What else it tells does not count.
void wait_for(SOCKET socket, WSAEVENT event, long which, const char* lost)
{
    for (;;) {
        require(
            WSAWaitForMultipleEvents(1, &event, TRUE, kPatience, FALSE) == WSA_WAIT_EVENT_0, lost);
        WSANETWORKEVENTS told = {};
        require(!WSAEnumNetworkEvents(socket, event, &told), "WSAEnumNetworkEvents");
        if (told.lNetworkEvents & which)
            return;
    }
}

/// The same of a socket that shares its event with others, which may have reset it.
void look_for(SOCKET socket, long which, const char* lost)
{
    const double end = now() + kPatience / 1000.0;
    for (WSANETWORKEVENTS told = {}; !(told.lNetworkEvents & which); Sleep(0)) {
        require(now() < end, lost);
        require(!WSAEnumNetworkEvents(socket, nullptr, &told), "WSAEnumNetworkEvents");
    }
}

UniqueSocket accept_when_told(SOCKET listener, WSAEVENT event)
{
    for (;;) {
        UniqueSocket accepted(accept(listener, nullptr, nullptr));
        if (accepted.is_valid())
            return accepted;
        require(WSAGetLastError() == WSAEWOULDBLOCK, "accept");
        wait_for(listener, event, FD_ACCEPT, "a connection was not told of");
    }
}

/// Connections are accepted as they are told of while the listener is given away.
void give_a_listener(Giver& giver, unsigned delay, Activity& activity)
{
    constexpr unsigned kConnections = 6;
    sockaddr_in address;
    const UniqueSocket listener(bench::listen_on_loopback(address));
    const UniqueEvent event(WSACreateEvent());
    require(listener.is_valid() && !WSAEventSelect(listener.get(), event.get(), kEvents),
        "opening a listener");
    std::array<UniqueSocket, kConnections> clients;
    for (UniqueSocket& client : clients) {
        client.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        require(!connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address))
                && bench::send_all(client.get(), "x", 1),
            "connecting");
    }
    giver.begin(listener.get(), delay);
    activity.doing("accepting");
    std::array<UniqueSocket, kConnections> accepted;
    for (UniqueSocket& each : accepted) {
        wait_for(listener.get(), event.get(), FD_ACCEPT, "a connection was not told of");
        each = accept_when_told(listener.get(), event.get());
    }
    giver.wait();
    activity.doing("looking at what was accepted");
    for (const UniqueSocket& each : accepted)
        look_for(each.get(), FD_READ, "an accepted socket has no selection");
    for (const UniqueSocket& client : clients)
        bench::close_with_reset(client.get());
}

/// Bytes are received as they are told of while their socket is given away.
void give_a_connection(Giver& giver, unsigned delay, Activity& activity)
{
    constexpr unsigned kBytes = 40;
    UniqueSocket sender;
    UniqueSocket receiver;
    const UniqueEvent event(WSACreateEvent());
    require(bench::connect_pair(sender, receiver)
            && !WSAEventSelect(receiver.get(), event.get(), FD_READ),
        "opening a connection");
    giver.begin(receiver.get(), delay);
    activity.doing("receiving");
    for (unsigned sent = 0, received = 0; received < kBytes;) {
        // Two at a time, the second of which mostly comes in the midst of the first one's receive.
        for (unsigned i = 0; i < 2 && sent < kBytes; ++i, ++sent)
            require(bench::send_all(sender.get(), "x", 1), "sending");
        while (received < sent) {
            char byte;
            wait_for(receiver.get(), event.get(), FD_READ, "a byte was not told of");
            const int length = recv(receiver.get(), &byte, 1, 0);
            require(length == 1 || WSAGetLastError() == WSAEWOULDBLOCK, "receiving");
            received += length == 1;
        }
    }
    giver.wait();
}

struct Totals {
    unsigned listeners = 0;
    unsigned connections = 0;
};

Totals storm(double seconds, Activity& receiver, Activity& of_giver)
{
    Totals totals;
    Giver giver(of_giver);
    Dice dice(1);
    for (const double deadline = now() + seconds; now() < deadline;) {
        receiver.doing("opening a listener");
        give_a_listener(giver, dice.below(kLongestDelay), receiver);
        ++totals.listeners;
        receiver.doing("opening a connection");
        give_a_connection(giver, dice.below(kLongestDelay), receiver);
        ++totals.connections;
    }
    receiver.doing("finished");
    return totals;
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using namespace stress;
    const Options options = start(argc, argv);
    auto& receiver = *new Activity("receiver"); // The watchdog may read them for ever.
    auto& giver = *new Activity("giver");
    storm(0.5, receiver, giver);
    const unsigned before = count_handles();
    const Totals totals = storm(options.seconds, receiver, giver);
    note(std::to_string(totals.listeners) + " listeners and " + std::to_string(totals.connections)
        + " connections given away");
    report(true, "a_socket_that_is_given_away_loses_no_event");
    report_handles(before, kMadeLate);
    return finish();
}
