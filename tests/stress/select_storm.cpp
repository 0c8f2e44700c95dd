// One event shared by many sockets, while several threads select anew: other masks, none, another
// event. Whoever selects ends with the full mask, so data that is there must be announced. After
// each gust the selecting threads rest and all that was sent has to arrive without their help: a
// record or a signal lost in between stops the program, which the watchdog reports.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kSockets = 48;
constexpr unsigned kSelectors = 4;
constexpr unsigned kSenders = 2;
constexpr long kFullMask = FD_READ | FD_CLOSE;
constexpr double kGustSeconds = 0.5;

struct Channel {
    UniqueSocket client;
    UniqueSocket server;
    std::unique_ptr<Dice> sender;
    std::unique_ptr<Dice> checker;
    std::atomic<uint64_t> sent = 0;
    std::atomic<uint64_t> received = 0;
};

class Storm {
public:
    Storm()
    {
        sockaddr_in address;
        const UniqueSocket listener(bench::listen_on_loopback(address));
        for (UniqueEvent& event : m_events)
            event.reset(WSACreateEvent());
        for (unsigned i = 0; i < kSockets; ++i) {
            Channel& channel = m_channels[i];
            require(bench::connect_pair(listener.get(), address, channel.client, channel.server),
                "making the connections");
            channel.sender = std::make_unique<Dice>(i);
            channel.checker = std::make_unique<Dice>(i);
            select(channel, m_events[0].get(), kFullMask);
        }
    }

    /// One gust and the calm after it. Returns the number of bytes that arrived.
    uint64_t run(double seconds)
    {
        std::array<bench::Thread, kSelectors> selectors;
        std::array<bench::Thread, kSenders> senders;
        bench::Thread receiver;
        m_deadline = now() + seconds;
        m_is_sending = true;
        for (unsigned i = 0; i < kSelectors; ++i)
            require(selectors[i].start([this, i] { select_at_random(i); }), "starting a thread");
        for (unsigned i = 0; i < kSenders; ++i)
            require(senders[i].start([this, i] { send_at_random(i); }), "starting a thread");
        require(receiver.start([this] { receive_all(); }), "starting a thread");
        for (bench::Thread& thread : selectors)
            thread.join();
        for (bench::Thread& thread : senders)
            thread.join();
        // The receiver may be asleep with everything received, so it is told.
        m_is_sending = false;
        require(WSASetEvent(m_events[0].get()), "WSASetEvent");
        receiver.join();
        uint64_t bytes = 0;
        for (const Channel& channel : m_channels)
            bytes += channel.received;
        return bytes;
    }
    uint64_t selections() const { return m_selections; }

private:
    static void select(const Channel& channel, WSAEVENT event, long mask)
    {
        require(!WSAEventSelect(channel.server.get(), event, mask), "WSAEventSelect");
    }
    void select_at_random(unsigned number)
    {
        static constexpr long s_masks[]
            = { 0, FD_CLOSE, FD_WRITE, FD_READ, FD_OOB | FD_READ, FD_READ | FD_WRITE | FD_CLOSE };
        Activity& activity = *m_selector_activities[number];
        Dice& dice = m_selector_dice[number];
        while (now() < m_deadline) {
            const Channel& channel = m_channels[dice.below(kSockets)];
            activity.doing("selecting");
            select(channel, m_events[dice.below(2)].get(), s_masks[dice.below(6)]);
            if (dice.below(2))
                SwitchToThread();
            select(channel, m_events[dice.below(2)].get(), kFullMask);
            ++m_selections;
        }
        activity.doing("finished");
    }

    /// Each sender has its own channels, and sends on one only when all it sent there has arrived:
    /// so no later data announces what was lost before.
    void send_at_random(unsigned number)
    {
        std::array<char, 1024> buffer;
        Activity& activity = *m_sender_activities[number];
        Dice& dice = m_sender_dice[number];
        while (now() < m_deadline) {
            Channel& channel = m_channels[dice.below(kSockets / kSenders) * kSenders + number];
            if (channel.received != channel.sent) {
                SwitchToThread();
                continue;
            }
            activity.doing("sending");
            const unsigned length = 1 + dice.below(static_cast<unsigned>(buffer.size()));
            channel.sender->fill(buffer.data(), length);
            channel.sent += length;
            require(bench::send_all(channel.client.get(), buffer.data(), length), "send");
        }
        activity.doing("finished");
    }
    void receive_all()
    {
        const std::array<WSAEVENT, 2> events = { m_events[0].get(), m_events[1].get() };
        do {
            m_receiver_activity.doing("waiting for either event");
            const DWORD index
                = WSAWaitForMultipleEvents(2, events.data(), FALSE, WSA_INFINITE, FALSE);
            require(index <= WSA_WAIT_EVENT_0 + 1, "WSAWaitForMultipleEvents");
            // Reset first: what comes after it sets the event again.
            require(WSAResetEvent(events[index - WSA_WAIT_EVENT_0]), "WSAResetEvent");
            m_receiver_activity.doing("enumerating");
            for (Channel& channel : m_channels) {
                WSANETWORKEVENTS record;
                require(!WSAEnumNetworkEvents(channel.server.get(), nullptr, &record),
                    "WSAEnumNetworkEvents");
                require(!(record.lNetworkEvents & FD_CLOSE), "FD_CLOSE, and nobody closed");
                if (record.lNetworkEvents & FD_READ)
                    receive(channel);
            }
        } while (m_is_sending || !has_all_arrived());
        m_receiver_activity.doing("finished");
    }
    static void receive(Channel& channel)
    {
        std::array<char, 512> received;
        std::array<char, 512> expected;
        for (;;) {
            const int length
                = recv(channel.server.get(), received.data(), static_cast<int>(received.size()), 0);
            if (length < 0) {
                require(WSAGetLastError() == WSAEWOULDBLOCK, "recv");
                return;
            }
            require(length > 0, "the end of the stream, and nobody closed");
            channel.checker->fill(expected.data(), static_cast<size_t>(length));
            require(std::equal(received.begin(), received.begin() + length, expected.begin()),
                "wrong bytes");
            channel.received += static_cast<uint64_t>(length);
        }
    }
    bool has_all_arrived() const
    {
        for (const Channel& channel : m_channels) {
            if (channel.received != channel.sent)
                return false;
        }
        return true;
    }

    std::array<UniqueEvent, 2> m_events;
    std::array<Channel, kSockets> m_channels;
    std::atomic<bool> m_is_sending = false;
    std::atomic<uint64_t> m_selections = 0;
    double m_deadline = 0;
    // Activities are never freed: the watchdog may read them at any time.
    Activity& m_receiver_activity = *new Activity("receiver");
    std::array<Activity*, kSelectors> m_selector_activities = { new Activity("selector", 0),
        new Activity("selector", 1), new Activity("selector", 2), new Activity("selector", 3) };
    std::array<Activity*, kSenders> m_sender_activities
        = { new Activity("sender", 0), new Activity("sender", 1) };
    std::array<Dice, kSelectors> m_selector_dice = { Dice(11), Dice(12), Dice(13), Dice(14) };
    std::array<Dice, kSenders> m_sender_dice = { Dice(21), Dice(22) };
};

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    const auto storm = std::make_unique<stress::Storm>();
    const double deadline = stress::now() + options.seconds;
    uint64_t bytes = 0;
    unsigned gusts = 0;
    do {
        const uint64_t total = storm->run(stress::kGustSeconds);
        stress::require(total >= bytes, "fewer bytes than before");
        bytes = total;
        ++gusts;
    } while (stress::now() < deadline);
    stress::note(std::to_string(gusts) + " gusts, " + std::to_string(storm->selections())
        + " selections, " + std::to_string(bytes) + " bytes");
    stress::report(bytes > 0 && storm->selections() > 0, "selecting_anew_loses_no_event");
    return stress::finish();
}
