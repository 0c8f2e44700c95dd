// Several threads send messages on one stream, blocking and overlapped, while its receiver is now
// fast and now slow. The bytes of one send must not get between those of another, however it was
// split on its way, and each thread's messages must come in its order. (Microsoft Learn, WSASend,
// warns of providers that split sends; Microsoft's own TCP does not, nor does Wine's.)

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

constexpr unsigned kSenders = 4;
constexpr unsigned kMostBytes = 300'000;

struct Header {
    uint32_t sender;
    uint32_t length; // bytes behind the header
    uint32_t number; // counts the sender's messages; the last one has no bytes
};

Dice dice_of(const Header& header)
{
    return Dice((uint64_t { header.sender } << 32 | header.number) + 1);
}

class Sender {
public:
    Sender(unsigned number, SOCKET socket, bool overlapped)
        : m_dice(number + 77)
        , m_activity(*new Activity("sender", number)) // The watchdog may read it for ever.
        , m_number(number)
        , m_socket(socket)
        , m_is_overlapped(overlapped)
        , m_completed(WSACreateEvent())
        , m_message(sizeof(Header) + kMostBytes)
    {
        require(m_completed.is_valid(), "WSACreateEvent");
    }
    void run(double deadline)
    {
        uint32_t count = 0;
        while (now() < deadline)
            send_message({ m_number, 1 + draw_length(), count++ });
        send_message({ m_number, 0, count });
        m_activity.doing("finished");
    }

private:
    unsigned draw_length() { return m_dice.below(m_dice.below(3) ? 3000 : kMostBytes - 1); }

    void send_message(const Header& header)
    {
        std::copy_n(reinterpret_cast<const char*>(&header), sizeof(header), m_message.data());
        dice_of(header).fill(m_message.data() + sizeof(header), header.length);
        const DWORD length = static_cast<DWORD>(sizeof(header)) + header.length;
        WSABUF buffer = { length, m_message.data() };
        DWORD sent = 0;
        if (!m_is_overlapped) {
            m_activity.doing("sending");
            require(!WSASend(m_socket, &buffer, 1, &sent, 0, nullptr, nullptr), "WSASend");
        } else {
            m_activity.doing("sending overlapped");
            WSAOVERLAPPED overlapped = {};
            overlapped.hEvent = m_completed.get();
            DWORD flags = 0;
            require(!WSASend(m_socket, &buffer, 1, nullptr, 0, &overlapped, nullptr)
                    || WSAGetLastError() == WSA_IO_PENDING,
                "WSASend");
            require(WSAGetOverlappedResult(m_socket, &overlapped, &sent, TRUE, &flags),
                "WSAGetOverlappedResult");
        }
        require(sent == length, "a blocking send that took a part");
    }

    Dice m_dice;
    Activity& m_activity;
    const unsigned m_number;
    const SOCKET m_socket;
    const bool m_is_overlapped;
    UniqueEvent m_completed;
    std::vector<char> m_message;
};

/// Receives messages until each sender has sent its last one. Returns their number.
uint64_t receive_messages(SOCKET socket, Activity& activity)
{
    Dice dice(5);
    std::array<uint32_t, kSenders> next = {};
    std::vector<char> received(kMostBytes);
    std::vector<char> expected(kMostBytes);
    uint64_t count = 0;
    for (unsigned running = kSenders; running;) {
        Header header;
        activity.doing("receiving a header");
        require(bench::recv_all(socket, reinterpret_cast<char*>(&header), sizeof(header)), "recv");
        require(header.sender < kSenders && header.length <= kMostBytes
                && header.number == next[header.sender]++,
            "a header in the middle of a message, or a message too early");
        if (!dice.below(40))
            Sleep(dice.below(12)); // What is sent meanwhile finds no room.
        activity.doing("receiving a message");
        require(bench::recv_all(socket, received.data(), header.length), "recv");
        dice_of(header).fill(expected.data(), header.length);
        require(std::equal(expected.begin(),
                    expected.begin() + static_cast<ptrdiff_t>(header.length), received.begin()),
            "another message in the middle of one");
        running -= !header.length;
        ++count;
    }
    activity.doing("finished");
    return count;
}

/// `overlapped` of the senders use overlapped sends.
uint64_t storm(double seconds, unsigned overlapped)
{
    static Activity& activity = *new Activity("receiver");
    UniqueSocket client;
    UniqueSocket server;
    require(bench::connect_pair(client, server), "making a connection");
    // Small buffers, so that most messages do not fit.
    const int size = 16384;
    require(!setsockopt(client.get(), SOL_SOCKET, SO_SNDBUF, reinterpret_cast<const char*>(&size),
                sizeof(size)),
        "SO_SNDBUF");
    std::array<std::unique_ptr<Sender>, kSenders> senders;
    std::array<bench::Thread, kSenders> threads;
    const double deadline = now() + seconds;
    for (unsigned i = 0; i < kSenders; ++i) {
        senders[i] = std::make_unique<Sender>(i, client.get(), i < overlapped);
        require(threads[i].start([&, i] { senders[i]->run(deadline); }), "starting a thread");
    }
    const uint64_t count = receive_messages(server.get(), activity);
    for (bench::Thread& thread : threads)
        thread.join();
    return count;
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    stress::storm(1, 1); // What is made once per process may stay.
    const unsigned before = stress::count_handles();
    for (const unsigned overlapped : { 0, 1 }) {
        const uint64_t count = stress::storm(options.seconds / 2.0, overlapped);
        stress::note(std::to_string(count) + " messages");
        stress::report(count > 0,
            overlapped ? "overlapped_sends_stay_in_one_piece" : "blocking_sends_stay_in_one_piece");
    }
    stress::report_handles(before);
    return stress::finish();
}
