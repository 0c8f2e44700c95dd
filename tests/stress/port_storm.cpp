// One completion port, several consumers that remove in different ways, and streams over sockets
// and pipes whose every byte is checked. Receives are cancelled, connections closed under their
// requests, packets posted, consumers suspended and resumed and given APCs; the port is used by
// duplicates of its handle. At the end every request was told exactly once, and every APC has run.

#include "requests.h"
#include "thread.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kConsumers = 4;
constexpr unsigned kMakers = 2;
constexpr unsigned kStreamsPerMaker = 20;
constexpr unsigned kPosters = 2;
constexpr unsigned kPostsAtOnce = 16;
constexpr ULONG_PTR kStopKey = 1;
constexpr ULONG_PTR kPostKey = 2;
constexpr unsigned kLongestReceive = 6000;
constexpr unsigned kLongestSend = 20'000;
/// More than a connection's buffers take at once; one send in kBigSends is so long.
constexpr unsigned kBigSend = 3 << 20;
constexpr unsigned kBigSends = 150;

struct Counts {
    std::atomic<uint64_t> streams = 0;
    std::atomic<uint64_t> killed = 0;
    std::atomic<uint64_t> bytes = 0;
    std::atomic<uint64_t> cancelled = 0;
    std::atomic<uint64_t> untold_writes = 0; // of pipes
    std::atomic<uint64_t> posted = 0;
    std::atomic<uint64_t> taken_posts = 0;
    std::atomic<uint64_t> apcs_queued = 0;
    std::atomic<uint64_t> apcs_run = 0;
    std::atomic<int> live = 0;
};
Counts g_counts;

/// A stream from one end of a connection or pipe to the other. One receive and one send pend at a
/// time, so each direction's state belongs to whoever has taken its packet.
class Stream {
public:
    Stream(HANDLE port, uint64_t seed)
        : m_sender_bytes(seed)
        , m_checker(seed)
        , m_sender_dice(~seed)
        , m_receiver_dice(seed + 99)
        , m_cancel_dice(seed + 7)
    {
        Dice dice(seed ^ 0x5555);
        m_is_pipe = !dice.below(4);
        m_to_send = m_to_receive = 1 + dice.below(120'000);
        if (!dice.below(kBigSends))
            m_to_send = m_to_receive = kBigSend;
        m_to_send_at_start = m_to_send;
        m_is_doomed = !m_is_pipe && !dice.below(5);
        m_ends_by_shutdown = !m_is_pipe && dice.below(2);
        open(port, dice);
        g_counts.live++;
        // Both directions hold the stream; the constructor does meanwhile.
        m_references = 3;
        m_receive = new_request(m_receiver_key);
        m_send = new_request(m_sender_key);
        receive_more();
        send_more();
        release();
    }

    void completed(Request* request, const Packet& packet)
    {
        require(packet.key == request->key, "a packet has another file's key");
        const bool is_success = request->status() >= 0;
        require(!is_success || packet.transferred == request->overlapped.InternalHigh,
            "the packet has another byte count");
        if (request == m_receive) {
            if (received(is_success, packet.transferred))
                receive_more();
        } else if (sent(is_success, packet.transferred)) {
            send_more();
        }
    }

private:
    ~Stream() = default;

    Request* new_request(ULONG_PTR key)
    {
        auto* request = new Request;
        request->owner = this;
        request->key = key;
        return request;
    }

    void open(HANDLE port, Dice& dice)
    {
        static std::atomic<ULONG_PTR> next_key = 100;
        m_sender_key = next_key++;
        m_receiver_key = next_key++;
        if (m_is_pipe) {
            open_pipe();
        } else {
            require(bench::connect_pair(m_client, m_server), "making a connection");
            if (dice.below(2)) {
                m_skips = true;
                for (SOCKET socket : { m_client.get(), m_server.get() })
                    require(SetFileCompletionNotificationModes(
                                handle_of(socket), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS),
                        "setting the mode");
            }
        }
        associate(sender(), port, m_sender_key);
        associate(receiver(), port, m_receiver_key);
    }

    void open_pipe()
    {
        char name[80];
        std::snprintf(name, sizeof(name), "\\\\.\\pipe\\port-storm-%lu-%llu", GetCurrentProcessId(),
            static_cast<unsigned long long>(m_sender_key));
        m_pipe_server.reset(CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
            PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 0, nullptr));
        require(m_pipe_server.get() != INVALID_HANDLE_VALUE, "CreateNamedPipe");
        m_pipe_client.reset(CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, nullptr,
            OPEN_EXISTING, FILE_FLAG_OVERLAPPED, nullptr));
        require(m_pipe_client.get() != INVALID_HANDLE_VALUE, "opening a pipe");
    }

    HANDLE sender() const { return m_is_pipe ? m_pipe_client.get() : handle_of(m_client.get()); }
    HANDLE receiver() const { return m_is_pipe ? m_pipe_server.get() : handle_of(m_server.get()); }

    /// What starting a request has led to.
    enum class Start { kWillBeTold, kDone, kClosed };

    Start start(Request* request, bool is_receive, char* data, DWORD length, DWORD& transferred)
    {
        AcquireSRWLockShared(&m_lock);
        if (m_is_closed) {
            ReleaseSRWLockShared(&m_lock);
            return Start::kClosed;
        }
        request->begin();
        bool is_done = false;
        if (m_is_pipe) {
            is_done = is_receive ? ReadFile(receiver(), data, length, nullptr, &request->overlapped)
                                 : WriteFile(sender(), data, length, nullptr, &request->overlapped);
        } else {
            WSABUF buffer = { length, data };
            DWORD flags = 0;
            is_done = !(is_receive ? WSARecv(m_server.get(), &buffer, 1, &transferred, &flags,
                            &request->overlapped, nullptr)
                                   : WSASend(m_client.get(), &buffer, 1, &transferred, 0,
                                       &request->overlapped, nullptr));
        }
        const DWORD error = is_done ? 0 : GetLastError();
        const bool wants_cancel = is_receive && !is_done && !m_cancel_dice.below(10);
        if (wants_cancel)
            CancelIoEx(receiver(), &request->overlapped);
        // Once the lock is free, a packet that came may end the stream's life on another thread.
        const bool is_told = is_done && m_skips;
        ReleaseSRWLockShared(&m_lock);
        if (is_told) {
            request->end();
            return Start::kDone;
        }
        require(is_done || error == ERROR_IO_PENDING, "starting a request");
        return Start::kWillBeTold;
    }

    void receive_more()
    {
        for (DWORD transferred = 0;;) {
            const DWORD length = 1 + m_receiver_dice.below(kLongestReceive);
            const Start result = start(m_receive, true, m_receive_data.data(), length, transferred);
            if (result == Start::kClosed)
                release();
            if (result != Start::kDone || !received(true, transferred))
                return;
        }
    }

    /// Returns whether there is more to receive.
    bool received(bool is_success, DWORD length)
    {
        if (!is_success) {
            if (m_receive->status() == kCancelled && !m_is_closed) {
                ++g_counts.cancelled;
                return true;
            }
            require(m_is_closed, "a receive failed on an open connection");
            release();
            return false;
        }
        std::array<char, kLongestReceive> expected;
        require(length <= m_to_receive, "more bytes than were sent");
        m_checker.fill(expected.data(), length);
        require(std::equal(expected.begin(), expected.begin() + length, m_receive_data.begin()),
            "wrong bytes");
        m_to_receive -= length;
        g_counts.bytes += length;
        if (m_is_doomed && m_to_receive < m_to_send_at_start / 2 && !m_is_closed) {
            ++g_counts.killed;
            close();
        }
        const bool is_end = m_ends_by_shutdown ? !length : !m_to_receive;
        require(length || m_to_receive == 0 || m_is_closed, "the end of the stream came early");
        if (!is_end)
            return true;
        close();
        release();
        return false;
    }

    void send_more()
    {
        for (DWORD transferred = 0;;) {
            if (!m_to_send) {
                finish_sending();
                return;
            }
            const unsigned longest
                = m_to_send >= kBigSend ? kBigSend : 1 + m_sender_dice.below(kLongestSend);
            m_send_data.resize(std::min(m_to_send, longest));
            m_sender_bytes.fill(m_send_data.data(), m_send_data.size());
            const Start result = start(m_send, false, m_send_data.data(),
                static_cast<DWORD>(m_send_data.size()), transferred);
            if (result == Start::kClosed)
                release();
            if (result != Start::kDone || !sent(true, transferred))
                return;
        }
    }

    /// Returns whether there may be more to send.
    bool sent(bool is_success, DWORD length)
    {
        if (!is_success) {
            require(m_is_closed, "a send failed on an open connection");
            release();
            return false;
        }
        // Of a pipe's writes Wine's own kernel, busy, tells one in a million or so without its
        // count.
        if (m_is_pipe && !length) {
            ++g_counts.untold_writes;
            length = static_cast<DWORD>(m_send_data.size());
        }
        if (length != m_send_data.size()) {
            note((m_is_pipe ? "a pipe: " : "a socket: ") + std::to_string(length) + " of "
                + std::to_string(m_send_data.size()) + " bytes" + (m_is_closed ? ", closed" : "")
                + (m_skips ? ", skips" : ""));
            die("a send has another byte count");
        }
        m_to_send -= length;
        return true;
    }

    void finish_sending()
    {
        AcquireSRWLockShared(&m_lock);
        if (m_ends_by_shutdown && !m_is_closed)
            require(!shutdown(m_client.get(), SD_SEND), "shutdown");
        ReleaseSRWLockShared(&m_lock);
        release();
    }

    /// Closes both ends; what pends is told as a failure.
    void close()
    {
        AcquireSRWLockExclusive(&m_lock);
        m_is_closed = true;
        m_client.reset();
        m_server.reset();
        m_pipe_client.reset();
        m_pipe_server.reset();
        ReleaseSRWLockExclusive(&m_lock);
    }

    void release()
    {
        if (--m_references)
            return;
        ++g_counts.streams;
        --g_counts.live;
        delete this;
    }

    Dice m_sender_bytes;
    Dice m_checker;
    Dice m_sender_dice;
    Dice m_receiver_dice;
    Dice m_cancel_dice;
    SRWLOCK m_lock = SRWLOCK_INIT;
    std::atomic<int> m_references;
    std::atomic<bool> m_is_closed = false;
    bool m_is_pipe = false;
    bool m_skips = false;
    bool m_is_doomed = false;
    bool m_ends_by_shutdown = false;
    unsigned m_to_send = 0;
    unsigned m_to_receive = 0;
    ULONG_PTR m_sender_key = 0;
    ULONG_PTR m_receiver_key = 0;
    UniqueSocket m_client;
    UniqueSocket m_server;
    UniqueHandle m_pipe_client;
    UniqueHandle m_pipe_server;
    Request* m_receive = nullptr;
    Request* m_send = nullptr;
    std::array<char, kLongestReceive> m_receive_data;
    std::vector<char> m_send_data;
    unsigned m_to_send_at_start = 0;
};

// --- Consumers

void take(const Packet& packet)
{
    Request* request = packet.request;
    request->end();
    if (packet.key != kPostKey) {
        static_cast<Stream*>(request->owner)->completed(request, packet);
        return;
    }
    require(packet.transferred == static_cast<DWORD>(request->key), "a post has other bytes");
    ++g_counts.taken_posts;
    static_cast<std::atomic<int>*>(request->owner)->fetch_sub(1);
}

/// Each of these returns whether it may go on.
bool remove_one(HANDLE port, DWORD timeout)
{
    Packet packet;
    OVERLAPPED* overlapped = nullptr;
    const BOOL result
        = GetQueuedCompletionStatus(port, &packet.transferred, &packet.key, &overlapped, timeout);
    if (!overlapped && !result) {
        require(GetLastError() == WAIT_TIMEOUT, "GetQueuedCompletionStatus");
        return true;
    }
    if (packet.key == kStopKey)
        return false;
    packet.request = Request::of(overlapped);
    take(packet);
    return true;
}

bool remove_several(HANDLE port, bool is_alertable)
{
    std::array<OVERLAPPED_ENTRY, 8> entries;
    ULONG count = 0;
    if (!GetQueuedCompletionStatusEx(
            port, entries.data(), entries.size(), &count, INFINITE, is_alertable)) {
        require(
            is_alertable && GetLastError() == WAIT_IO_COMPLETION, "GetQueuedCompletionStatusEx");
        return true;
    }
    require(count >= 1 && count <= entries.size(), "the number of packets");
    bool goes_on = true;
    unsigned stops = 0;
    for (ULONG i = 0; i < count; ++i) {
        const OVERLAPPED_ENTRY& entry = entries[i];
        if (entry.lpCompletionKey == kStopKey) {
            goes_on = false;
            ++stops;
            continue;
        }
        take({ Request::of(entry.lpOverlapped), entry.lpCompletionKey,
            entry.dwNumberOfBytesTransferred });
    }
    for (; stops > 1; --stops) // The others' share.
        require(PostQueuedCompletionStatus(port, 0, kStopKey, nullptr), "posting");
    return goes_on;
}

void consume(unsigned number, HANDLE port, Activity& activity)
{
    for (bool goes_on = true; goes_on;) {
        activity.doing("removing");
        switch (number % 4) {
        case 0:
            goes_on = remove_one(port, INFINITE);
            break;
        case 1:
            goes_on = remove_several(port, true);
            break;
        case 2:
            goes_on = remove_several(port, false);
            break;
        default:
            goes_on = remove_one(port, 3);
        }
    }
    SleepEx(0, TRUE); // What APCs are left.
    activity.doing("finished");
}

void CALLBACK count_apc(ULONG_PTR)
{
    ++g_counts.apcs_run;
}

// --- The others

/// Keeps its share of streams alive until the deadline.
void make_streams(unsigned number, HANDLE port, double deadline, Activity& activity)
{
    Dice seeds(number + 4711 + GetTickCount());
    while (now() < deadline) {
        if (g_counts.live >= static_cast<int>(kMakers * kStreamsPerMaker)) {
            activity.doing("waiting for streams to end");
            Sleep(1);
            continue;
        }
        activity.doing("making a stream");
        new Stream(port, seeds.next()); // It deletes itself.
    }
    activity.doing("finished");
}

/// Posts through duplicates of the port's handle that live for a moment.
void post_packets(unsigned number, HANDLE port, double deadline, Activity& activity)
{
    static std::atomic<int> outstanding[kPosters];
    std::vector<Request*> requests;
    for (unsigned i = 0; i < kPostsAtOnce; ++i) {
        requests.push_back(new Request);
        requests.back()->owner = &outstanding[number];
        requests.back()->key = number * 1000 + i;
    }
    while (now() < deadline) {
        const UniqueHandle copy(copy_of(port));
        for (Request* request : requests) {
            activity.doing("posting");
            request->begin();
            ++outstanding[number];
            ++g_counts.posted;
            require(PostQueuedCompletionStatus(copy.get(), static_cast<DWORD>(request->key),
                        kPostKey, &request->overlapped),
                "posting");
        }
        activity.doing("waiting for the posts");
        while (outstanding[number])
            Sleep(1);
    }
    activity.doing("finished");
}

/// Suspends and resumes the consumers, and queues APCs to the alertable one. It must not allocate:
/// a suspended thread may have the heap's lock.
void disturb(
    const std::vector<HANDLE>& consumers, const std::atomic<bool>& stop, Activity& activity)
{
    Dice dice(5);
    while (!stop) {
        const unsigned which = dice.below(kConsumers);
        activity.doing("suspending");
        require(SuspendThread(consumers[which]) != static_cast<DWORD>(-1), "SuspendThread");
        Sleep(dice.below(3));
        require(ResumeThread(consumers[which]) != static_cast<DWORD>(-1), "ResumeThread");
        activity.doing("queueing an APC");
        ++g_counts.apcs_queued;
        require(QueueUserAPC(count_apc, consumers[1], 0), "QueueUserAPC");
        Sleep(dice.below(8));
    }
    activity.doing("finished");
}

struct Activities {
    std::vector<std::unique_ptr<Activity>> all;
    Activity& of(unsigned i) { return *all[i]; }
    Activities()
    {
        for (unsigned i = 0; i < kConsumers; ++i)
            all.push_back(std::make_unique<Activity>("consumer", i));
        for (unsigned i = 0; i < kMakers; ++i)
            all.push_back(std::make_unique<Activity>("maker", i));
        for (unsigned i = 0; i < kPosters; ++i)
            all.push_back(std::make_unique<Activity>("poster", i));
        all.push_back(std::make_unique<Activity>("disturber"));
    }
};

void storm(double seconds, Activities& activities)
{
    const UniqueHandle port(new_port());
    std::vector<UniqueHandle> copies;
    std::vector<HANDLE> threads(kConsumers);
    std::array<bench::Thread, kConsumers> consumers;
    bench::Thread disturber;
    std::atomic<unsigned> running = 0;
    std::atomic<bool> stop = false;
    for (unsigned i = 0; i < kConsumers; ++i)
        copies.emplace_back(copy_of(port.get()));
    for (unsigned i = 0; i < kConsumers; ++i) {
        require(consumers[i].start([&, i] {
            threads[i] = copy_of(GetCurrentThread());
            ++running;
            consume(i, copies[i].get(), activities.of(i));
        }),
            "starting a thread");
    }
    while (running < kConsumers)
        Sleep(1);
    require(disturber.start(
                [&] { disturb(threads, stop, activities.of(kConsumers + kMakers + kPosters)); }),
        "starting a thread");
    run_threads(kMakers + kPosters, seconds, [&](unsigned i, double deadline) {
        Activity& activity = activities.of(kConsumers + i);
        if (i < kMakers)
            make_streams(i, port.get(), deadline, activity);
        else
            post_packets(i - kMakers, port.get(), deadline, activity);
    });
    while (g_counts.live)
        Sleep(1);
    stop = true;
    disturber.join();
    for (unsigned i = 0; i < kConsumers; ++i)
        require(PostQueuedCompletionStatus(port.get(), 0, kStopKey, nullptr), "posting");
    for (bench::Thread& consumer : consumers)
        consumer.join();
    for (HANDLE thread : threads)
        CloseHandle(thread);
    // A packet too many would be here.
    DWORD transferred;
    ULONG_PTR key;
    OVERLAPPED* overlapped = nullptr;
    require(!GetQueuedCompletionStatus(port.get(), &transferred, &key, &overlapped, 100)
            && !overlapped && GetLastError() == WAIT_TIMEOUT,
        "a packet is left at the end");
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using stress::g_counts;
    const stress::Options options = stress::start(argc, argv);
    stress::Activities activities;
    stress::storm(0.7, activities);
    const unsigned before = stress::count_handles();
    stress::storm(options.seconds, activities);
    stress::note(std::to_string(g_counts.streams) + " streams, " + std::to_string(g_counts.killed)
        + " of them closed early, " + std::to_string(g_counts.bytes) + " bytes, "
        + std::to_string(g_counts.cancelled) + " receives cancelled, "
        + std::to_string(g_counts.untold_writes) + " writes to pipes without their count, "
        + std::to_string(g_counts.posted) + " packets posted, " + std::to_string(g_counts.apcs_run)
        + " APCs");
    stress::report(g_counts.streams > 0, "every_byte_arrives");
    stress::report(g_counts.posted == g_counts.taken_posts, "every_post_is_taken_once");
    stress::report(g_counts.apcs_queued == g_counts.apcs_run, "every_apc_runs");
    stress::report_handles(before);
    return stress::finish();
}
