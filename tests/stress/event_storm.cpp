// 64 threads create, set, wait, select, send and close. They work in pairs: one thread draws what
// to do next, tells the other through an event and does it with it, so that each lost wake-up stops
// a pair for good. At the end the process has as many handles as at the start.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <array>
#include <cstring>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kPairs = 32;
constexpr unsigned kLongestMessage = 6000;

enum class Act {
    Stop,
    Churn,
    PingPong,
    Message,
    Reconnect,
};

/// What two threads share. The leader writes `act` and `seed` before it sets `go`; the follower
/// reads them after it, and sets `done` when it is through.
struct Pair {
    UniqueEvent go;
    UniqueEvent done;
    UniqueEvent ping;
    UniqueEvent pong;
    Act act = Act::Stop;
    uint64_t seed = 0;
    unsigned short port = 0;
    std::atomic<uint64_t> turns = 0;
};

void wait_and_reset(WSAEVENT event)
{
    const WSAEVENT events[] = { event };
    require(WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0,
        "waiting for an event");
    require(WSAResetEvent(event), "WSAResetEvent");
}

void set(WSAEVENT event)
{
    require(WSASetEvent(event), "WSASetEvent");
}

/// Events of one's own, made, used in every way and closed.
void churn(Dice& dice)
{
    std::array<WSAEVENT, 8> events;
    const unsigned count = 1 + dice.below(static_cast<unsigned>(events.size()));
    for (unsigned i = 0; i < count; ++i) {
        events[i] = WSACreateEvent();
        require(events[i] != WSA_INVALID_EVENT, "WSACreateEvent");
    }
    const unsigned chosen = dice.below(count);
    require(WSAWaitForMultipleEvents(count, events.data(), FALSE, 0, FALSE) == WSA_WAIT_TIMEOUT,
        "a new event is signaled");
    set(events[chosen]);
    require(WSAWaitForMultipleEvents(count, events.data(), FALSE, 0, FALSE)
            == WSA_WAIT_EVENT_0 + chosen,
        "the wait names another event than the one that was set");
    for (unsigned i = 0; i < count; ++i)
        set(events[i]);
    require(WSAWaitForMultipleEvents(count, events.data(), TRUE, WSA_INFINITE, FALSE)
            < WSA_WAIT_EVENT_0 + count,
        "waiting for all events");
    for (unsigned i = 0; i < count; ++i)
        require(WSAResetEvent(events[i]) && WSACloseEvent(events[i]), "closing an event");
}

/// One end of a connection whose input is announced by an event.
class Endpoint {
public:
    Endpoint() { m_event.reset(WSACreateEvent()); }

    void take(UniqueSocket socket)
    {
        m_socket = std::move(socket);
        require(
            !WSAEventSelect(m_socket.get(), m_event.get(), FD_READ | FD_CLOSE), "WSAEventSelect");
    }
    void close()
    {
        m_socket.reset();
        require(WSAResetEvent(m_event.get()), "WSAResetEvent");
    }
    bool is_open() const { return m_socket.is_valid(); }

    void send_message(uint64_t seed)
    {
        Dice dice(seed);
        const unsigned length = 1 + dice.below(kLongestMessage);
        dice.fill(m_buffer.data(), length);
        for (unsigned sent = 0; sent < length;) {
            const int moved
                = send(m_socket.get(), m_buffer.data() + sent, static_cast<int>(length - sent), 0);
            require(moved > 0, "send"); // Far less than a socket's buffer: it never blocks.
            sent += static_cast<unsigned>(moved);
        }
    }

    /// Receives the message of `seed`, sleeping on the event in between.
    void receive_message(uint64_t seed)
    {
        Dice dice(seed);
        const unsigned length = 1 + dice.below(kLongestMessage);
        for (unsigned received = 0; received < length;) {
            if (!(wait_for_events() & FD_READ))
                continue;
            const int moved = recv(
                m_socket.get(), m_buffer.data() + received, static_cast<int>(length - received), 0);
            if (moved < 0 && WSAGetLastError() == WSAEWOULDBLOCK)
                continue;
            require(moved > 0, "recv");
            received += static_cast<unsigned>(moved);
        }
        std::array<char, kLongestMessage> expected;
        dice.fill(expected.data(), length);
        require(!std::memcmp(expected.data(), m_buffer.data(), length), "wrong bytes");
    }

private:
    long wait_for_events()
    {
        const WSAEVENT events[] = { m_event.get() };
        require(WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0,
            "waiting for a network event");
        WSANETWORKEVENTS record;
        require(
            !WSAEnumNetworkEvents(m_socket.get(), m_event.get(), &record), "WSAEnumNetworkEvents");
        require(!(record.lNetworkEvents & FD_CLOSE), "FD_CLOSE, and nobody closed");
        return record.lNetworkEvents;
    }

    UniqueSocket m_socket;
    UniqueEvent m_event;
    std::array<char, kLongestMessage> m_buffer;
};

/// The thread that draws the acts.
class Leader {
public:
    Leader(Pair& pair, unsigned number, Activity& activity)
        : m_pair(pair)
        , m_dice(number + 1)
        , m_activity(activity)
    {
    }
    void run(double deadline)
    {
        perform(Act::Reconnect);
        while (now() < deadline)
            perform(draw());
        perform(Act::Stop);
    }

private:
    Act draw()
    {
        const unsigned number = m_dice.below(100);
        if (number < 25)
            return Act::Churn;
        if (number < 50)
            return Act::PingPong;
        return number < 92 ? Act::Message : Act::Reconnect;
    }
    void perform(Act act)
    {
        m_pair.act = act;
        m_pair.seed = m_dice.next();
        if (act == Act::Reconnect)
            listen_again();
        set(m_pair.go.get());
        follow(act);
        m_activity.doing("waiting for the follower to be done");
        wait_and_reset(m_pair.done.get());
        ++m_pair.turns;
    }
    void follow(Act act)
    {
        switch (act) {
        case Act::Stop:
            m_endpoint.close();
            return;
        case Act::Churn:
            m_activity.doing("churning events");
            return churn(m_dice);
        case Act::PingPong:
            m_activity.doing("waiting for the pong");
            set(m_pair.ping.get());
            return wait_and_reset(m_pair.pong.get());
        case Act::Message:
            m_activity.doing("sending a message");
            m_endpoint.send_message(m_pair.seed);
            m_activity.doing("waiting for the message's answer");
            return m_endpoint.receive_message(~m_pair.seed);
        case Act::Reconnect:
            m_activity.doing("accepting a connection");
            m_endpoint.take(UniqueSocket(accept(m_listener.get(), nullptr, nullptr)));
            m_listener.reset();
            return;
        }
    }
    void listen_again()
    {
        sockaddr_in address;
        if (m_endpoint.is_open())
            m_endpoint.close();
        m_listener.reset(bench::listen_on_loopback(address));
        require(m_listener.is_valid(), "making a listener");
        m_pair.port = ntohs(address.sin_port);
    }

    Pair& m_pair;
    Dice m_dice;
    Activity& m_activity;
    Endpoint m_endpoint;
    UniqueSocket m_listener;
};

class Follower {
public:
    Follower(Pair& pair, unsigned number, Activity& activity)
        : m_pair(pair)
        , m_dice(number + 1001)
        , m_activity(activity)
    {
    }
    void run()
    {
        for (Act act = Act::Churn; act != Act::Stop;) {
            m_activity.doing("waiting for the leader's next act");
            wait_and_reset(m_pair.go.get());
            act = m_pair.act;
            follow(act);
            set(m_pair.done.get());
        }
    }

private:
    void follow(Act act)
    {
        switch (act) {
        case Act::Stop:
            m_endpoint.close();
            return;
        case Act::Churn:
            m_activity.doing("churning events");
            return churn(m_dice);
        case Act::PingPong:
            m_activity.doing("waiting for the ping");
            wait_and_reset(m_pair.ping.get());
            return set(m_pair.pong.get());
        case Act::Message:
            m_activity.doing("waiting for a message");
            m_endpoint.receive_message(m_pair.seed);
            return m_endpoint.send_message(~m_pair.seed);
        case Act::Reconnect:
            m_activity.doing("connecting");
            return connect_again();
        }
    }
    void connect_again()
    {
        if (m_endpoint.is_open())
            m_endpoint.close();
        const sockaddr_in address = bench::loopback_address(m_pair.port);
        UniqueSocket socket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        require(socket.is_valid()
                && !connect(
                    socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            "connect");
        m_endpoint.take(std::move(socket));
    }

    Pair& m_pair;
    Dice m_dice;
    Activity& m_activity;
    Endpoint m_endpoint;
};

/// The threads' activities outlive a storm, so that a second storm counts on with the same ones.
struct Activities {
    std::vector<std::unique_ptr<Activity>> leaders;
    std::vector<std::unique_ptr<Activity>> followers;
};

/// Runs all pairs for `seconds`; returns the number of acts.
uint64_t storm(double seconds, Activities& activities)
{
    std::array<Pair, kPairs> pairs;
    std::array<bench::Thread, 2 * kPairs> threads;
    const double deadline = now() + seconds;
    for (unsigned i = 0; i < kPairs; ++i) {
        Pair& pair = pairs[i];
        for (UniqueEvent* event : { &pair.go, &pair.done, &pair.ping, &pair.pong }) {
            event->reset(WSACreateEvent());
            require(event->is_valid(), "WSACreateEvent");
        }
        Activity& leader = *activities.leaders[i];
        Activity& follower = *activities.followers[i];
        require(threads[2 * i].start([&pair, &leader, i, deadline] {
            Leader(pair, i, leader).run(deadline);
            leader.doing("finished");
        }) && threads[2 * i + 1].start([&pair, &follower, i] {
            Follower(pair, i, follower).run();
            follower.doing("finished");
        }),
            "starting the threads");
    }
    for (bench::Thread& thread : threads)
        thread.join();
    uint64_t turns = 0;
    for (const Pair& pair : pairs)
        turns += pair.turns;
    return turns;
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    stress::Activities activities;
    for (unsigned i = 0; i < stress::kPairs; ++i) {
        activities.leaders.push_back(std::make_unique<stress::Activity>("leader", i));
        activities.followers.push_back(std::make_unique<stress::Activity>("follower", i));
    }
    // The first storm makes what is made once per process; it may stay.
    stress::storm(1, activities);
    const unsigned before = stress::count_handles();
    const uint64_t turns = stress::storm(options.seconds, activities);
    stress::note(std::to_string(turns) + " acts of 32 pairs");
    stress::report(turns >= stress::kPairs, "no_wake_up_is_lost");
    stress::report_handles(before);
    return stress::finish();
}
