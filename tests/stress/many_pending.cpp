// Thousands of connections on one port, each with a receive that pends. Data comes to them in
// random order and every byte is checked; at the end a third of the receives sees the peer's end, a
// third is cancelled and a third loses its socket. Each is told exactly once. What memory of the
// process a connection takes, with its receive, is bounded.

#include "requests.h"
#include "thread.h"

#include <psapi.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kConnections = 2000;
constexpr unsigned kConnectionsWhenLong = 10'000;
constexpr unsigned kConsumers = 2;
constexpr unsigned kMostData = 48;
constexpr ULONG_PTR kStopKey = ~ULONG_PTR(0);
/// Of a connection: two sockets, a receive that pends, and what is kept of it here. On a server's
/// kernel it is next to nothing.
constexpr double kMostMemory = 10 * 1024; // bytes

/// How the last receive of a connection is to end.
enum class End { kNone, kPeer, kCancelled, kClosed };

struct Connection {
    UniqueSocket client;
    UniqueSocket server;
    Request receive;
    std::array<char, kMostData> data;
    uint64_t sent = 0;
    std::atomic<uint64_t> received = 0;
    std::atomic<End> end = End::kNone;
    std::atomic<bool> has_ended = false;

    char byte_at(uint64_t place) const
    {
        return static_cast<char>(place * 7 + receive.key * 13 + (place >> 8));
    }
    void start_receive()
    {
        WSABUF buffer = { static_cast<ULONG>(data.size()), data.data() };
        DWORD flags = 0;
        receive.begin();
        require(!WSARecv(server.get(), &buffer, 1, nullptr, &flags, &receive.overlapped, nullptr)
                || WSAGetLastError() == WSA_IO_PENDING,
            "WSARecv");
    }
    void send_some(Dice& dice)
    {
        std::array<char, kMostData> out;
        const unsigned length = 1 + dice.below(kMostData);
        for (unsigned i = 0; i < length; ++i)
            out[i] = byte_at(sent + i);
        sent += length;
        require(bench::send_all(client.get(), out.data(), length), "send");
    }
    void completed(BOOL result, DWORD length)
    {
        const End expected = end;
        if (!result || !length) {
            require(result ? expected == End::kPeer
                           : expected == End::kCancelled || expected == End::kClosed,
                "a receive ended that should not");
            require(expected != End::kCancelled || receive.status() == kCancelled,
                "a cancelled receive has another status");
            has_ended = true;
            return;
        }
        for (DWORD i = 0; i < length; ++i)
            require(data[i] == byte_at(received + i), "a wrong byte");
        received += length;
        start_receive();
    }
};

using Connections = std::vector<std::unique_ptr<Connection>>;

void consume(HANDLE port, Activity& activity)
{
    for (;;) {
        DWORD transferred = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        activity.doing("removing");
        const BOOL result
            = GetQueuedCompletionStatus(port, &transferred, &key, &overlapped, INFINITE);
        require(result || overlapped, "GetQueuedCompletionStatus");
        if (key == kStopKey)
            break;
        Request* request = Request::of(overlapped);
        require(key == request->key, "a packet has another socket's key");
        request->end();
        static_cast<Connection*>(request->owner)->completed(result, transferred);
    }
    activity.doing("finished");
}

Connections make_connections(unsigned count, HANDLE port, Activity& activity)
{
    Connections connections;
    sockaddr_in address;
    const UniqueSocket listener(bench::listen_on_loopback(address));
    require(listener.is_valid(), "making a listener");
    for (unsigned i = 0; i < count; ++i) {
        activity.doing("making a connection");
        auto connection = std::make_unique<Connection>();
        if (!bench::connect_pair(listener.get(), address, connection->client, connection->server)) {
            // The large number may be more than the system lets a process have.
            require(i >= kConnections && WSAGetLastError() == WSAEMFILE, "making a connection");
            note("the system gives no more");
            break;
        }
        connection->receive.owner = connection.get();
        connection->receive.key = i;
        associate(handle_of(connection->server.get()), port, i);
        connections.push_back(std::move(connection));
        connections.back()->start_receive();
    }
    return connections;
}

/// Bytes of memory the process has in use.
double memory_in_use()
{
    PROCESS_MEMORY_COUNTERS counters {};
    require(K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters)),
        "GetProcessMemoryInfo");
    return static_cast<double>(counters.WorkingSetSize);
}

void check_memory(double before, size_t connections)
{
    const double each = (memory_in_use() - before) / static_cast<double>(connections);
    note(std::to_string(static_cast<int>(each)) + " bytes a connection");
    require(each <= kMostMemory, "a connection takes too much memory");
}

void shuffle(std::vector<unsigned>& order, Dice& dice)
{
    for (unsigned i = static_cast<unsigned>(order.size()); i > 1; --i)
        std::swap(order[i - 1], order[dice.below(i)]);
}

template <typename Question>
void wait_for_all(const Connections& connections, Activity& activity, Question question)
{
    for (const auto& connection : connections) {
        activity.doing("waiting for a connection");
        while (!question(*connection))
            Sleep(1);
    }
}

/// Returns the number of rounds in which every connection got data.
unsigned run_rounds(
    const Connections& connections, unsigned seconds, Dice& dice, Activity& activity)
{
    std::vector<unsigned> order(connections.size());
    for (unsigned i = 0; i < order.size(); ++i)
        order[i] = i;
    unsigned rounds = 0;
    for (const double deadline = now() + seconds; !rounds || now() < deadline; ++rounds) {
        shuffle(order, dice);
        for (const unsigned i : order) {
            activity.doing("sending");
            connections[i]->send_some(dice);
        }
        wait_for_all(
            connections, activity, [](const Connection& one) { return one.received == one.sent; });
    }
    return rounds;
}

void end_all(const Connections& connections, Activity& activity)
{
    unsigned number = 0;
    for (const auto& connection : connections) {
        activity.doing("ending a receive");
        switch (number++ % 3) {
        case 0:
            connection->end = End::kPeer;
            require(!shutdown(connection->client.get(), SD_SEND), "shutdown");
            break;
        case 1:
            connection->end = End::kCancelled;
            require(CancelIoEx(handle_of(connection->server.get()), nullptr), "CancelIoEx");
            break;
        default:
            connection->end = End::kClosed;
            connection->server.reset();
        }
    }
    wait_for_all(connections, activity, [](const Connection& one) { return one.has_ended.load(); });
    for (const auto& connection : connections)
        require(!connection->receive.owed, "a receive is owed at the end");
}

unsigned run(unsigned count, unsigned seconds, Activity& activity, std::vector<Activity*>& others)
{
    const UniqueHandle port(new_port());
    Dice dice(count);
    std::array<bench::Thread, kConsumers> consumers;
    for (unsigned i = 0; i < kConsumers; ++i)
        require(
            consumers[i].start([&, i] { consume(port.get(), *others[i]); }), "starting a thread");
    const double before = memory_in_use();
    Connections connections = make_connections(count, port.get(), activity);
    note(std::to_string(connections.size()) + " connections");
    if (count >= kConnections) // fewer share what is there once
        check_memory(before, connections.size());
    const unsigned rounds = run_rounds(connections, seconds, dice, activity);
    end_all(connections, activity);
    for (unsigned i = 0; i < kConsumers; ++i)
        require(PostQueuedCompletionStatus(port.get(), 0, kStopKey, nullptr), "posting");
    for (bench::Thread& consumer : consumers)
        consumer.join();
    DWORD transferred;
    ULONG_PTR key;
    OVERLAPPED* overlapped = nullptr;
    require(
        !GetQueuedCompletionStatus(port.get(), &transferred, &key, &overlapped, 100) && !overlapped,
        "a packet is left at the end");
    // No port stays in TIME_WAIT, of which there are only some tens of thousands.
    for (const auto& connection : connections)
        bench::close_with_reset(connection->client.release());
    return rounds;
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    auto& activity = *new stress::Activity("main");
    std::vector<stress::Activity*> consumers;
    for (unsigned i = 0; i < stress::kConsumers; ++i)
        consumers.push_back(new stress::Activity("consumer", i));
    const unsigned count = options.is_long ? stress::kConnectionsWhenLong : stress::kConnections;
    stress::run(300, 1, activity, consumers);
    const unsigned before = stress::count_handles();
    const unsigned rounds = stress::run(count, options.seconds / 2, activity, consumers);
    stress::note("data to each of them " + std::to_string(rounds) + " times");
    stress::report(true, "every_pending_receive_is_told_once");
    stress::report_handles(before);
    return stress::finish();
}
