// Sockets that are given away by WSADuplicateSocket in the moment in which another thread uses
// them and lives by the network events they tell: a listener that accepts, told by an event or by
// messages, and a connection that receives. Whoever has the record of events by then, no event is
// lost: accepted sockets have the listener's selection, and each connection and each byte is told
// of.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <array>
#include <vector>

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

constexpr unsigned kConnections = 6;

/// Connections that wait to be accepted, with a byte each.
class Clients {
public:
    explicit Clients(const sockaddr_in& address)
    {
        for (UniqueSocket& client : m_clients) {
            client.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
            require(
                !connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address))
                    && bench::send_all(client.get(), "x", 1),
                "connecting");
        }
    }
    ~Clients()
    {
        for (const UniqueSocket& client : m_clients)
            bench::close_with_reset(client.get());
    }
    Clients(const Clients&) = delete;

private:
    std::array<UniqueSocket, kConnections> m_clients;
};

/// A window whose messages its thread reads. It tells what sockets have had posted.
class Window {
public:
    Window()
        : m_window(CreateWindowExW(
            0, L"STATIC", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, nullptr, nullptr, nullptr))
    {
        require(m_window, "making a window");
    }
    ~Window() { DestroyWindow(m_window); }
    Window(const Window&) = delete;

    void select(SOCKET socket, long events)
    {
        require(!WSAAsyncSelect(socket, m_window, kMessage, events), "WSAAsyncSelect");
    }
    /// Waits until a message of this event has come since the last call for it.
    void wait_for(SOCKET socket, long which, const char* lost)
    {
        const double end = now() + kPatience / 1000.0;
        for (;; Sleep(0)) {
            require(now() < end, lost);
            read_messages();
            for (MSG& message : m_messages) {
                if (message.wParam == socket && WSAGETSELECTEVENT(message.lParam) == which) {
                    message.wParam = INVALID_SOCKET;
                    return;
                }
            }
        }
    }
    /// The sockets are closed, and their handles may be others' by and by.
    void forget()
    {
        read_messages();
        m_messages.clear();
    }

private:
    static constexpr UINT kMessage = WM_USER;
    void read_messages()
    {
        for (MSG message; PeekMessageW(&message, m_window, kMessage, kMessage, PM_REMOVE);)
            m_messages.push_back(message);
    }

    HWND m_window;
    std::vector<MSG> m_messages;
};

/// Connections are accepted as messages tell of them while the listener is given away.
void give_a_listener_of_messages(Giver& giver, unsigned delay, Window& window, Activity& activity)
{
    sockaddr_in address;
    const UniqueSocket listener(bench::listen_on_loopback(address));
    require(listener.is_valid(), "opening a listener");
    window.select(listener.get(), kEvents);
    const Clients clients(address);
    giver.begin(listener.get(), delay);
    activity.doing("accepting as messages tell");
    std::array<UniqueSocket, kConnections> accepted;
    for (UniqueSocket& each : accepted) {
        while (!each.is_valid()) {
            window.wait_for(listener.get(), FD_ACCEPT, "no message told of a connection");
            each.reset(accept(listener.get(), nullptr, nullptr));
            require(each.is_valid() || WSAGetLastError() == WSAEWOULDBLOCK, "accept");
        }
    }
    giver.wait();
    activity.doing("looking for messages of what was accepted");
    for (const UniqueSocket& each : accepted)
        window.wait_for(each.get(), FD_READ, "an accepted socket has no window");
}

/// Connections are accepted as they are told of while the listener is given away.
void give_a_listener(Giver& giver, unsigned delay, Activity& activity)
{
    sockaddr_in address;
    const UniqueSocket listener(bench::listen_on_loopback(address));
    const UniqueEvent event(WSACreateEvent());
    require(listener.is_valid() && !WSAEventSelect(listener.get(), event.get(), kEvents),
        "opening a listener");
    const Clients clients(address);
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
    Window window;
    Dice dice(1);
    for (const double deadline = now() + seconds; now() < deadline;) {
        receiver.doing("opening a listener");
        give_a_listener(giver, dice.below(kLongestDelay), receiver);
        receiver.doing("opening a listener of messages");
        give_a_listener_of_messages(giver, dice.below(kLongestDelay), window, receiver);
        window.forget();
        totals.listeners += 2;
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
