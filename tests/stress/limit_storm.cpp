// Sockets and threads for which the descriptors of the process just suffice: the runner starts this
// program with few. What Wine does with a descriptor of its own for each socket and some for each
// thread must work in full; our DLL may not take what that needs. Every byte and every event is
// checked.

#include "harness.h"
#include "loopback.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kThreads = 2;
constexpr unsigned kPairs = 5; // of a thread
constexpr size_t kMessage = 700;

class Lane {
public:
    explicit Lane(unsigned number)
        : m_dice(number + 11)
        , m_activity(*new Activity("lane", number)) // The watchdog may read it for ever.
        , m_event(WSACreateEvent())
    {
        require(m_event.is_valid(), "WSACreateEvent");
    }
    void run(double deadline)
    {
        do
            run_round();
        while (now() < deadline);
        m_activity.doing("finished");
    }
    uint64_t messages() const { return m_messages; }

private:
    struct Pair {
        UniqueSocket client;
        UniqueSocket server;
    };

    void run_round()
    {
        std::array<Pair, kPairs> pairs;
        for (Pair& pair : pairs) {
            m_activity.doing("making a connection");
            require(bench::connect_pair(pair.client, pair.server), "making a connection");
            send_message(pair.client);
            receive_message(pair.server);
        }
        for (unsigned i = 0; i < 20; ++i) {
            Pair& pair = pairs[m_dice.below(kPairs)];
            m_activity.doing("waiting for an event");
            select(pair.server, FD_READ | FD_CLOSE);
            send_message(pair.client);
            wait_for_read(pair.server);
            receive_message(pair.server);
            select(pair.server, 0);
            m_activity.doing("receiving an answer");
            send_message(pair.server);
            receive_message(pair.client);
        }
    }

    void select(const UniqueSocket& socket, long events)
    {
        require(!WSAEventSelect(socket.get(), m_event.get(), events), "WSAEventSelect");
    }
    void wait_for_read(const UniqueSocket& socket)
    {
        const WSAEVENT event = m_event.get();
        WSANETWORKEVENTS events = {};
        do
            require(
                WSAWaitForMultipleEvents(1, &event, TRUE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0
                    && !WSAEnumNetworkEvents(socket.get(), event, &events),
                "WSAEnumNetworkEvents");
        while (!(events.lNetworkEvents & FD_READ));
        require(!(events.lNetworkEvents & FD_CLOSE), "an end that is none");
    }
    void send_message(const UniqueSocket& socket)
    {
        m_dice.fill(m_sent.data(), m_sent.size());
        require(bench::send_all(socket.get(), m_sent.data(), m_sent.size()), "send");
    }
    void receive_message(const UniqueSocket& socket)
    {
        std::array<char, kMessage> received;
        for (size_t done = 0; done < received.size();) {
            const int length = recv(
                socket.get(), received.data() + done, static_cast<int>(received.size() - done), 0);
            require(length > 0 || WSAGetLastError() == WSAEWOULDBLOCK, "recv");
            done += length > 0 ? static_cast<size_t>(length) : 0;
        }
        require(received == m_sent, "the bytes of a message");
        ++m_messages;
    }

    Dice m_dice;
    Activity& m_activity;
    UniqueEvent m_event;
    uint64_t m_messages = 0;
    std::array<char, kMessage> m_sent = {};
};

void storm(std::vector<std::unique_ptr<Lane>>& lanes, double seconds)
{
    run_threads(kThreads, seconds, [&](unsigned i, double deadline) { lanes[i]->run(deadline); });
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    std::vector<std::unique_ptr<stress::Lane>> lanes;
    for (unsigned i = 0; i < stress::kThreads; ++i)
        lanes.push_back(std::make_unique<stress::Lane>(i));
    stress::storm(lanes, options.seconds / 2.0);
    uint64_t messages = 0;
    for (const auto& lane : lanes)
        messages += lane->messages();
    stress::note(std::to_string(messages) + " messages");
    stress::report(messages > 0, "few_descriptors_are_enough");
    return stress::finish();
}
