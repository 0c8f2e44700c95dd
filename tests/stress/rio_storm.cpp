// Registered I/O: streams that their seed determines go through connections by RIOSend and
// RIOReceive of all sizes, deferred or not, for the whole buffer or for what there is; queues are
// polled, or notify an event or a port. Some connections are closed in the middle. Every byte is
// checked, and every request must end exactly once. At the end all handles are accounted for.

#include "harness.h"
#include "loopback.h"

#include "sdk/registered_io.h"

#include <algorithm>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;
using sdk::RioBuf;
using sdk::RioResult;
using sdk::RioRq;

constexpr unsigned kThreads = 6;
constexpr ULONG kSlots = 8; // requests of a direction
constexpr ULONG kSlotSize = 2048;
constexpr uint64_t kLongestStream = 128 * 1024;

sdk::RioTable g_rio;

struct Totals {
    std::atomic<uint64_t> connections = 0;
    std::atomic<uint64_t> bytes = 0;
    std::atomic<uint64_t> aborted = 0;
};

void find_functions(SOCKET socket)
{
    GUID guid = sdk::kMultipleRio;
    DWORD size = 0;
    g_rio.size = sizeof(g_rio);
    require(!WSAIoctl(socket, sdk::kGetMultipleExtensionFunctionPointer, &guid, sizeof(guid),
                &g_rio, sizeof(g_rio), &size, nullptr, nullptr),
        "the functions of registered I/O");
}

/// A completion queue and how it is waited for. Owned by one thread.
class Queue {
public:
    explicit Queue(unsigned kind)
    {
        sdk::RioNotification notification {};
        if (kind == 1) {
            m_event = WSACreateEvent();
            notification.type = sdk::kRioEvent;
            notification.event = { m_event, TRUE };
        } else if (kind == 2) {
            m_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
            notification.type = sdk::kRioPort;
            notification.port = { m_port, this, &m_overlapped };
        }
        m_queue = g_rio.RIOCreateCompletionQueue(4 * kSlots, kind ? &notification : nullptr);
        require(m_queue, "RIOCreateCompletionQueue");
    }
    ~Queue()
    {
        g_rio.RIOCloseCompletionQueue(m_queue);
        if (m_event)
            WSACloseEvent(m_event);
        if (m_port)
            CloseHandle(m_port);
    }
    Queue(const Queue&) = delete;
    sdk::RioCq get() const { return m_queue; }

    /// Takes at least one result.
    ULONG take(RioResult* results, ULONG most)
    {
        for (;;) {
            const ULONG count = g_rio.RIODequeueCompletion(m_queue, results, most);
            require(count != sdk::kRioCorruptCq, "RIODequeueCompletion");
            if (count)
                return count;
            wait();
        }
    }
    bool is_empty()
    {
        RioResult result;
        return !g_rio.RIODequeueCompletion(m_queue, &result, 1);
    }

private:
    void wait()
    {
        if (!m_event && !m_port) {
            SwitchToThread();
            return;
        }
        require(!g_rio.RIONotify(m_queue), "RIONotify");
        if (m_event)
            require(!WSAWaitForMultipleEvents(1, &m_event, FALSE, INFINITE, FALSE), "the event");
        DWORD moved;
        ULONG_PTR key;
        OVERLAPPED* overlapped = nullptr;
        if (m_port)
            require(GetQueuedCompletionStatus(m_port, &moved, &key, &overlapped, INFINITE)
                    && overlapped == &m_overlapped,
                "the packet");
    }

    sdk::RioCq m_queue = nullptr;
    WSAEVENT m_event = nullptr;
    HANDLE m_port = nullptr;
    OVERLAPPED m_overlapped {};
};

/// One connection: a stream from one end to the other.
class Conversation {
public:
    Conversation(uint64_t seed, Queue& queue, const UniqueSocket& listener,
        const sockaddr_in& address, Totals& totals)
        : m_dice(~seed)
        , m_sender(seed)
        , m_checker(seed)
        , m_queue(queue)
        , m_totals(totals)
        , m_memory(2 * kSlots * kSlotSize)
    {
        require(bench::connect_pair(listener.get(), address, m_ends[0], m_ends[1]), "a connection");
        m_buffer = g_rio.RIORegisterBuffer(m_memory.data(), static_cast<DWORD>(m_memory.size()));
        for (unsigned i = 0; i < 2; ++i) {
            m_requests[i] = g_rio.RIOCreateRequestQueue(
                m_ends[i].get(), kSlots, 1, kSlots, 1, queue.get(), queue.get(), this);
            require(m_requests[i], "RIOCreateRequestQueue");
        }
        m_to_send = m_to_receive = 1 + m_dice.next() % kLongestStream;
        m_close_at = m_dice.below(4) ? 0 : m_dice.next() % m_to_receive;
    }
    ~Conversation() { g_rio.RIODeregisterBuffer(m_buffer); }

    void run()
    {
        RioResult results[4 * kSlots];
        while (m_to_receive > m_close_at) {
            send_some();
            receive_some();
            const ULONG count = m_queue.take(results, m_dice.below(2) ? 1 : 4 * kSlots);
            for (ULONG i = 0; i < count; ++i)
                end(results[i]);
        }
        // Which end goes first is a matter of chance, and requests are left.
        const bool is_receiver_first = m_dice.below(2);
        m_ends[is_receiver_first].reset();
        m_ends[!is_receiver_first].reset();
        m_is_closed = true;
        while (m_sends.outstanding || m_receives.outstanding) {
            const ULONG count = m_queue.take(results, 4 * kSlots);
            for (ULONG i = 0; i < count; ++i)
                end(results[i]);
        }
        require(m_queue.is_empty(), "a request that has ended twice");
        ++m_totals.connections;
    }

private:
    struct Ring {
        ULONG next = 0;
        ULONG oldest = 0;
        ULONG outstanding = 0;
        ULONG lengths[kSlots] = {};

        ULONG begin(ULONG length)
        {
            const ULONG slot = next;
            lengths[slot] = length;
            next = (next + 1) % kSlots;
            ++outstanding;
            return slot;
        }
        ULONG end()
        {
            const ULONG slot = oldest;
            oldest = (oldest + 1) % kSlots;
            --outstanding;
            return slot;
        }
    };
    static constexpr uintptr_t kSend = 0x100;

    void send_some()
    {
        const ULONG most = m_sends.outstanding + 1 + m_dice.below(kSlots);
        bool is_deferred = false;
        while (m_to_send && m_sends.outstanding < std::min(most, kSlots)) {
            const auto length
                = static_cast<ULONG>(std::min<uint64_t>(m_to_send, 1 + m_dice.below(kSlotSize)));
            const ULONG slot = m_sends.begin(length);
            RioBuf piece { m_buffer, slot * kSlotSize, length };
            m_sender.fill(m_memory.data() + piece.offset, length);
            m_to_send -= length;
            is_deferred = m_dice.below(2);
            require(g_rio.RIOSend(m_requests[0], &piece, 1, is_deferred ? sdk::kRioDefer : 0,
                        reinterpret_cast<void*>(kSend | slot)),
                "RIOSend");
        }
        if (is_deferred)
            require(g_rio.RIOSend(m_requests[0], nullptr, 0, sdk::kRioCommitOnly, nullptr),
                "committing sends");
    }
    void receive_some()
    {
        bool is_deferred = false;
        while (m_receives.outstanding < kSlots) {
            const ULONG length = 1 + m_dice.below(kSlotSize);
            const ULONG slot = m_receives.begin(length);
            RioBuf piece { m_buffer, (kSlots + slot) * kSlotSize, length };
            is_deferred = m_dice.below(2);
            // Near the end of the stream there may be no more to wait for.
            const bool is_whole = m_to_receive > kLongestStream / 2 && !m_dice.below(4);
            require(g_rio.RIOReceive(m_requests[1], &piece, 1,
                        (is_deferred ? sdk::kRioDefer : 0) | (is_whole ? sdk::kRioWaitAll : 0),
                        reinterpret_cast<void*>(static_cast<uintptr_t>(slot))),
                "RIOReceive");
        }
        if (is_deferred)
            require(g_rio.RIOReceive(m_requests[1], nullptr, 0, sdk::kRioCommitOnly, nullptr),
                "committing receives");
    }
    void end(const RioResult& result)
    {
        require(result.socket_context == reinterpret_cast<uintptr_t>(this), "another's request");
        const bool is_send = result.request_context & kSend;
        Ring& ring = is_send ? m_sends : m_receives;
        require(ring.outstanding, "a request that was not made");
        if (result.status) {
            require(m_is_closed, "an operation on an open connection");
            --ring.outstanding;
            ++m_totals.aborted;
            return;
        }
        if (m_is_closed) {
            // Errors may have come between.
            --ring.outstanding;
            return;
        }
        const ULONG slot = ring.end();
        require((result.request_context & 0xFF) == slot, "a request out of order");
        if (is_send) {
            require(result.transferred == ring.lengths[slot], "a send in part");
            return;
        }
        require(result.transferred && result.transferred <= ring.lengths[slot]
                && result.transferred <= m_to_receive,
            "the length of a receive");
        char expected[kSlotSize];
        m_checker.fill(expected, result.transferred);
        require(std::equal(expected, expected + result.transferred,
                    m_memory.data() + (kSlots + slot) * kSlotSize),
            "wrong bytes");
        m_to_receive -= result.transferred;
        m_totals.bytes += result.transferred;
    }

    Dice m_dice;
    Dice m_sender;
    Dice m_checker;
    Queue& m_queue;
    Totals& m_totals;
    std::vector<char> m_memory;
    sdk::RioBufferId m_buffer {};
    UniqueSocket m_ends[2]; // sender, receiver
    RioRq m_requests[2] = {};
    Ring m_sends;
    Ring m_receives;
    uint64_t m_to_send = 0;
    uint64_t m_to_receive = 0;
    uint64_t m_close_at = 0; // bytes that are left then
    bool m_is_closed = false;
};

void converse(unsigned number, double deadline, Totals& totals)
{
    Activity activity("talker", number);
    sockaddr_in address;
    const UniqueSocket listener(bench::listen_on_loopback(address));
    Dice seeds(number + 4711);
    unsigned kind = number;
    while (now() < deadline) {
        Queue queue(kind++ % 3);
        for (int i = 0; i < 4; ++i) {
            activity.doing("talking");
            Conversation(seeds.next(), queue, listener, address, totals).run();
        }
    }
}

} // namespace

} // namespace stress

using namespace stress;

int main(int argc, char** argv)
{
    const Options options = start(argc, argv);
    {
        const UniqueSocket any(socket(AF_INET, SOCK_STREAM, 0));
        find_functions(any.get());
    }
    Totals totals;
    run_threads(kThreads, 0.2, [&](unsigned number, double deadline) {
        converse(number, deadline, totals); // what is made once
    });
    const unsigned handles = count_handles();
    run_threads(kThreads, options.seconds,
        [&](unsigned number, double deadline) { converse(number, deadline, totals); });
    note(std::to_string(totals.connections) + " connections, " + std::to_string(totals.bytes)
        + " bytes checked, " + std::to_string(totals.aborted) + " requests aborted");
    report(totals.connections && totals.bytes, "every_byte_and_every_request_is_accounted_for");
    report_handles(handles);
    return finish();
}
