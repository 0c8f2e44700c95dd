// afd-bench: what ntke's sockets cost natively, each beside the same done by plain Linux calls.
#include <array>
#include <cstring>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../native_ke/measure_ke.h"
#include "afd/ioctl.h"
#include "afd/params.h"
#include "check.h"
#include "echo_server.h"
#include "nt_socket.h"

using namespace bench_afd;

namespace {

/// What one side has cost in all its samples, whatever else the machine did meanwhile: processor
/// time of all threads, and how often one of them went to sleep.
class Effort {
public:
    /// Does `body(count)` and adds what it cost.
    template <typename Body> void of(uint64_t count, Body body)
    {
        const Effort before = now();
        body(count);
        const Effort after = now();
        m_microseconds += after.m_microseconds - before.m_microseconds;
        m_sleeps += after.m_sleeps - before.m_sleeps;
        m_count += count;
    }
    double microseconds_each() const { return m_microseconds / static_cast<double>(m_count); }
    double sleeps_each() const
    {
        return static_cast<double>(m_sleeps) / static_cast<double>(m_count);
    }

private:
    static Effort now()
    {
        rusage usage {};
        getrusage(RUSAGE_SELF, &usage);
        timespec time {};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        Effort effort;
        effort.m_microseconds
            = static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
        effort.m_sleeps = usage.ru_nvcsw;
        return effort;
    }

    double m_microseconds = 0;
    long m_sleeps = 0;
    uint64_t m_count = 0;
};

/// The echo of one client at a time: a round trip. Of many: how many messages a second.
void echo(size_t connections)
{
    // Both there all the time; the one that is not measured sleeps.
    Conversation ours(new_event_server(), connections);
    Conversation other(new_epoll_server(), connections);
    Effort our_effort;
    Effort other_effort;
    const uint64_t messages = std::max<size_t>(connections * 2, 1'000);
    const bench_ke::Pair pair = bench_ke::compare(
        messages,
        [&](uint64_t count) {
            our_effort.of(count, [&ours](uint64_t some) { ours.exchange(some); });
        },
        [&](uint64_t count) {
            other_effort.of(count, [&other](uint64_t some) { other.exchange(some); });
        });
    char name[64];
    snprintf(name, sizeof(name), "echo, %zu under way", connections);
    bench_ke::print(name, pair, "epoll");
    printf("%44s %10.0f /s   epoll %.0f /s   ratio %.2f   of the fastest samples %.2f\n", "",
        1e9 / pair.ours, 1e9 / pair.other, pair.other / pair.ours,
        pair.fastest_other / pair.fastest_ours);
    printf("%44s %10.2f us of processors   epoll %.2f us   ratio %.2f;   sleeps %.2f   epoll "
           "%.2f\n",
        "", our_effort.microseconds_each(), other_effort.microseconds_each(),
        our_effort.microseconds_each() / other_effort.microseconds_each(), our_effort.sleeps_each(),
        other_effort.sleeps_each());
}

/// Two connected sockets, by each side's own calls.
struct NtPair {
    NtPair()
    {
        uint16_t port = 0;
        const HANDLE listener = new_listener(port);
        sender = new_stream();
        connect_to(sender, port);
        receiver = accept_from(listener);
        NtClose(listener);
    }
    ~NtPair()
    {
        NtClose(sender);
        NtClose(receiver);
    }
    HANDLE sender;
    HANDLE receiver;
};
struct RawPair {
    RawPair()
    {
        uint16_t port = 0;
        const int listener = listen_raw(port);
        sender = connect_raw(port);
        receiver = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        close(listener);
    }
    ~RawPair()
    {
        close(sender);
        close(receiver);
    }
    int sender;
    int receiver;
};

/// One byte sent and received, on one thread.
void send_and_receive(bool is_selected)
{
    const NtPair ours;
    const RawPair other;
    const HANDLE event = is_selected ? select_event(ours.receiver) : nullptr;
    const auto transfer = [&ours](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            char byte = static_cast<char>(i);
            size_t sent = 0;
            size_t received = 0;
            check(bench_afd::send(ours.sender, &byte, 1, sent) == STATUS_SUCCESS && sent == 1,
                "a send");
            byte = 0;
            check(receive(ours.receiver, &byte, 1, received) == STATUS_SUCCESS && received == 1
                    && byte == static_cast<char>(i),
                "a receive");
        }
    };
    const auto transfer_raw = [&other](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            char byte = static_cast<char>(i);
            send_raw(other.sender, &byte, 1);
            byte = 0;
            receive_raw(other.receiver, &byte, 1);
            check(byte == static_cast<char>(i), "a byte");
        }
    };
    bench_ke::print(is_selected ? "send + receive, an event selected" : "send + receive",
        bench_ke::compare(5'000, transfer, transfer_raw), "send + recv");
    if (event)
        NtClose(event);
}

/// GET_EVENTS with nothing to tell: what bringing the record up to date costs.
void take_nothing()
{
    const NtPair ours;
    const RawPair other;
    const HANDLE event = select_event(ours.receiver);
    const auto take = [&](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            check(take_events(ours.receiver, event) == 0, "an event of nothing");
    };
    const auto poll_one = [&other](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            pollfd entry { other.receiver, POLLIN, 0 };
            check(poll(&entry, 1, 0) == 0, "poll");
        }
    };
    bench_ke::print("GET_EVENTS, nothing", bench_ke::compare(20'000, take, poll_one), "poll of 1");
    NtClose(event);
}

/// A poll of 64 sockets of which the last has data.
void poll_sockets()
{
    constexpr ULONG kCount = 64;
    std::vector<NtPair> ours(kCount);
    std::vector<RawPair> other(kCount);
    size_t sent = 0;
    check(bench_afd::send(ours.back().sender, "x", 1, sent) == STATUS_SUCCESS, "a send");
    send_raw(other.back().sender, "x", 1);
    struct Block {
        afd::PollHeader header;
        afd::PollEntry entries[kCount];
    };
    Block asked {};
    asked.header.count = kCount;
    std::array<pollfd, kCount> raw {};
    for (ULONG i = 0; i < kCount; ++i) {
        asked.entries[i]
            = { reinterpret_cast<ULONG_PTR>(ours[i].receiver), afd::kPollReceive, STATUS_SUCCESS };
        raw[i] = { other[i].receiver, POLLIN, 0 };
    }
    const auto poll_ours = [&](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            Block block = asked;
            IO_STATUS_BLOCK iosb {};
            check(NtDeviceIoControlFile(ours[0].receiver, nullptr, nullptr, nullptr, &iosb,
                      afd::kIoctlPoll, &block, sizeof(block), &block, sizeof(block))
                        == STATUS_SUCCESS
                    && block.header.count == 1
                    && block.entries[0].socket == asked.entries[kCount - 1].socket,
                "a poll");
        }
    };
    const auto poll_raw = [&raw](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            check(poll(raw.data(), kCount, 0) == 1 && raw[kCount - 1].revents, "poll");
    };
    bench_ke::print(
        "poll of 64, the last is ready", bench_ke::compare(2'000, poll_ours, poll_raw), "poll(2)");
}

struct Row {
    const char* name;
    void (*run)();
};
constexpr Row kRows[] = {
    { "send_receive", [] { send_and_receive(false); } },
    { "send_receive_selected", [] { send_and_receive(true); } },
    { "take_nothing", take_nothing },
    { "poll_64", poll_sockets },
    { "echo_1", [] { echo(1); } },
    { "echo_64", [] { echo(64); } },
    { "echo_1000", [] { echo(1'000); } },
};

} // namespace

/// Runs the measurements named, or all.
int main(int count, char** names)
{
    rlimit limit {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max; // a thousand connections are four thousand descriptors
    setrlimit(RLIMIT_NOFILE, &limit);
    for (const Row& row : kRows) {
        bool is_wanted = count == 1;
        for (int i = 1; i < count; ++i)
            is_wanted |= strcmp(names[i], row.name) == 0;
        if (is_wanted)
            row.run();
    }
    return 0;
}
