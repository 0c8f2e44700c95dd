// Connections that end in every way, with data on its way: gracefully, half-closed first, or reset.
// The reader gets every byte of a graceful end, and of a reset no wrong one; it is told which of
// the two it was, once. One case per way of reading.

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

constexpr unsigned kLanes = 8;
constexpr unsigned kLongestStream = 32 * 1024; // fits into the buffers: the writer never waits

enum class End { Graceful, HalfClosed, Reset };

/// One connection: what is sent on it is drawn from `seed`.
struct Connection {
    UniqueSocket reader;
    UniqueEvent event;
    uint64_t seed = 0;
    unsigned length = 0;
    End end = End::Graceful;
    unsigned received = 0;
    Dice checker { 0 };

    bool is_reset() const { return end == End::Reset; }

    void take(const char* data, int count)
    {
        std::array<char, 4096> expected;
        require(static_cast<unsigned>(count) <= length - received, "more bytes than were sent");
        checker.fill(expected.data(), static_cast<size_t>(count));
        require(std::equal(data, data + count, expected.begin()), "wrong bytes");
        received += static_cast<unsigned>(count);
    }
    /// Receives until nothing is there. Returns the error, 0 for the end of the stream.
    int receive_all()
    {
        std::array<char, 4096> data;
        for (;;) {
            const int count = recv(reader.get(), data.data(), static_cast<int>(data.size()), 0);
            if (count <= 0)
                return count < 0 ? WSAGetLastError() : 0;
            take(data.data(), count);
        }
    }
    void check_end(int error) const
    {
        SetLastError(static_cast<DWORD>(error));
        if (is_reset())
            require(error == WSAECONNRESET, "a reset was not told as one");
        else
            require(!error && received == length, "a graceful end with an error or lost bytes");
    }
};

void read_blocking(Connection& connection)
{
    connection.check_end(connection.receive_all());
}

void read_by_events(Connection& connection)
{
    const WSAEVENT events[] = { connection.event.get() };
    require(!WSAEventSelect(connection.reader.get(), events[0], FD_READ | FD_WRITE | FD_CLOSE),
        "WSAEventSelect");
    WSANETWORKEVENTS record;
    int error = WSAEWOULDBLOCK;
    do {
        require(WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0,
            "waiting for a network event");
        require(!WSAEnumNetworkEvents(connection.reader.get(), events[0], &record),
            "WSAEnumNetworkEvents");
        if (record.lNetworkEvents & (FD_READ | FD_CLOSE))
            error = connection.receive_all();
    } while (!(record.lNetworkEvents & FD_CLOSE));
    require(record.iErrorCode[FD_CLOSE_BIT] == (connection.is_reset() ? WSAECONNABORTED : 0),
        "FD_CLOSE has the wrong code");
    connection.check_end(error);
    require(!WSAEnumNetworkEvents(connection.reader.get(), events[0], &record)
            && !(record.lNetworkEvents & FD_CLOSE),
        "FD_CLOSE came twice");
}

void read_by_polling(Connection& connection)
{
    require(bench::set_nonblocking(connection.reader.get(), true), "FIONBIO");
    int error = WSAEWOULDBLOCK;
    while (error == WSAEWOULDBLOCK) {
        WSAPOLLFD fd = { connection.reader.get(), POLLRDNORM, 0 };
        require(WSAPoll(&fd, 1, -1) == 1, "WSAPoll");
        error = connection.receive_all();
    }
    connection.check_end(error);
}

/// Which error tells a reset to an overlapped receive is not checked: Wine 8.0 does not.
void read_overlapped(Connection& connection)
{
    std::array<char, 4096> data;
    for (;;) {
        WSABUF buffer = { static_cast<ULONG>(data.size()), data.data() };
        WSAOVERLAPPED overlapped = {};
        overlapped.hEvent = connection.event.get();
        DWORD flags = 0;
        DWORD count = 0;
        if (WSARecv(connection.reader.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr)
            && WSAGetLastError() != WSA_IO_PENDING)
            break;
        if (!WSAGetOverlappedResult(connection.reader.get(), &overlapped, &count, TRUE, &flags)
            || !count)
            break;
        connection.take(data.data(), static_cast<int>(count));
    }
    require(connection.is_reset() || connection.received == connection.length, "lost bytes");
}

struct Way {
    const char* name;
    void (*read)(Connection&);
};

constexpr Way kWays[] = {
    { "blocking_receives", read_blocking },
    { "events", read_by_events },
    { "polls", read_by_polling },
    { "overlapped_receives", read_overlapped },
};

/// A writer on the lane's own thread and a reader on another.
class Lane {
public:
    explicit Lane(unsigned number)
        : m_dice(number + 1)
        , m_writer_activity(*new Activity("writer", number))
        , m_reader_activity(*new Activity("reader", number))
    {
        m_connection.event.reset(WSACreateEvent());
        m_listener.reset(bench::listen_on_loopback(m_address));
        require(m_listener.is_valid() && m_connection.event.is_valid(), "making a listener");
    }

    void run(const Way& way, double deadline)
    {
        do {
            UniqueSocket writer = connect();
            bench::Thread reader;
            require(reader.start([&] {
                m_reader_activity.doing(way.name);
                way.read(m_connection);
                m_connection.reader.reset();
                m_reader_activity.doing("finished");
            }),
                "starting a reader");
            write(writer);
            reader.join();
            require(WSAResetEvent(m_connection.event.get()), "WSAResetEvent");
            ++m_ends;
        } while (now() < deadline);
        m_writer_activity.doing("finished");
    }
    unsigned ends() const { return m_ends; }

private:
    UniqueSocket connect()
    {
        UniqueSocket writer;
        m_writer_activity.doing("connecting");
        require(bench::connect_pair(m_listener.get(), m_address, writer, m_connection.reader),
            "making a connection");
        m_connection.seed = m_dice.next();
        m_connection.checker = Dice(m_connection.seed);
        m_connection.length = m_dice.below(4) ? m_dice.below(kLongestStream) : 0;
        m_connection.end = static_cast<End>(m_dice.below(3));
        m_connection.received = 0;
        return writer;
    }
    void write(UniqueSocket& writer)
    {
        std::vector<char> data(m_connection.length);
        Dice(m_connection.seed).fill(data.data(), data.size());
        m_writer_activity.doing("sending");
        require(bench::send_all(writer.get(), data.data(), data.size()), "send");
        for (unsigned turns = m_dice.below(20); turns--;)
            SwitchToThread();
        m_writer_activity.doing("ending the connection");
        switch (m_connection.end) {
        case End::HalfClosed: {
            char byte;
            require(!shutdown(writer.get(), SD_SEND), "shutdown");
            // The reader answers with nothing, and with its end when it has seen ours.
            require(m_dice.below(2) || recv(writer.get(), &byte, 1, 0) <= 0, "a byte nobody sent");
            break;
        }
        case End::Reset:
            require(bench::close_with_reset(writer.release()), "closing with a reset");
            break;
        case End::Graceful:
            break;
        }
        writer.reset();
    }

    Dice m_dice;
    Activity& m_writer_activity; // never freed: the watchdog may read it at any time
    Activity& m_reader_activity;
    sockaddr_in m_address = {};
    UniqueSocket m_listener;
    Connection m_connection;
    unsigned m_ends = 0;
};

/// All lanes in one way; returns the number of connections that ended.
unsigned storm(std::vector<std::unique_ptr<Lane>>& lanes, const Way& way, double seconds)
{
    run_threads(
        kLanes, seconds, [&](unsigned i, double deadline) { lanes[i]->run(way, deadline); });
    unsigned ends = 0;
    for (const auto& lane : lanes)
        ends += lane->ends();
    return ends;
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    std::vector<std::unique_ptr<stress::Lane>> lanes;
    for (unsigned i = 0; i < stress::kLanes; ++i)
        lanes.push_back(std::make_unique<stress::Lane>(i));
    for (const stress::Way& way : stress::kWays)
        stress::storm(lanes, way, 0.1); // What is made once per process may stay.
    const unsigned before = stress::count_handles();
    unsigned ends = 0;
    for (const stress::Way& way : stress::kWays) {
        ends = stress::storm(lanes, way, options.seconds / 4.0);
        stress::report(true, std::string("ends_are_told_to_") + way.name);
    }
    stress::note(std::to_string(ends) + " connections");
    stress::report_handles(before);
    return stress::finish();
}
