// One listener on a completion port, AcceptEx calls that are cancelled and whose acceptors are
// closed at any moment, and clients that check what is echoed. Every call is told exactly once, and
// no connection is lost but those whose acceptor was closed. Then the same with threads that are
// terminated where they wait for packets, or accept for all: each takes one packet with it at most.

#include "harness.h"
#include "loopback.h"
#include "requests.h"

#include <cstring>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kConsumers = 3;
constexpr unsigned kClients = 3;
constexpr unsigned kCalls = 8;
constexpr unsigned kMostTerminated = 100;
constexpr ULONG_PTR kListenerKey = 1;
constexpr ULONG_PTR kStopKey = 2;
constexpr DWORD kAddressLength = sizeof(sockaddr_in) + 16;
constexpr DWORD kPatience = 30'000; // milliseconds, then something hangs

/// A call of AcceptEx, made again and again. Owner: the storm.
struct Call {
    OVERLAPPED overlapped = {};
    std::atomic<SOCKET> acceptor = INVALID_SOCKET; // whoever takes it out closes it
    char names[2 * kAddressLength] = {};
};

class Storm {
public:
    explicit Storm(bool terminates)
        : m_calls(terminates ? kCalls + kMostTerminated : kCalls)
        , m_terminates(terminates)
    {
    }
    bool open()
    {
        m_listener.reset(bench::listen_on_loopback(m_address));
        m_accept_ex = bench::extension_function<LPFN_ACCEPTEX>(m_listener.get(), WSAID_ACCEPTEX);
        m_port = CreateIoCompletionPort(
            reinterpret_cast<HANDLE>(m_listener.get()), nullptr, kListenerKey, 0);
        return m_listener.is_valid() && m_accept_ex && m_port;
    }
    void blow(unsigned seconds)
    {
        for (Call& call : m_calls)
            start(call);
        run_threads(kConsumers + kClients + 1, seconds, [this](unsigned number, double deadline) {
            if (number < kConsumers)
                consume(number);
            else if (number < kConsumers + kClients)
                make_connections(number, deadline);
            else if (m_terminates)
                terminate_threads(deadline);
            else
                disturb(deadline);
        });
        CloseHandle(m_port);
        const uint64_t untold = m_started - m_told;
        require(untold <= m_terminated, "a call was not told once");
        require(m_terminates ? m_served && m_terminated : m_echoed && m_cancelled,
            "the storm has not blown");
        require(m_lost <= m_closed, "a connection was lost");
        for (Call& call : m_calls) { // what a thread has taken with it
            const SOCKET left = call.acceptor;
            if (left != INVALID_SOCKET && left != kClosed)
                closesocket(left);
        }
        note(std::to_string(m_served) + " connections, " + std::to_string(m_cancelled)
            + " calls cancelled, " + std::to_string(m_closed) + " acceptors closed, "
            + std::to_string(m_lost) + " connections with them, " + std::to_string(m_terminated)
            + " threads terminated, " + std::to_string(untold) + " calls with them");
    }

private:
    void start(Call& call)
    {
        UniqueSocket acceptor(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        require(acceptor.is_valid(), "making an acceptor");
        const SOCKET made = acceptor.release();
        call.overlapped = {};
        m_started++;
        m_live++;
        DWORD received = 0;
        require(m_accept_ex(m_listener.get(), made, call.names, 0, kAddressLength, kAddressLength,
                    &received, &call.overlapped)
                || WSAGetLastError() == ERROR_IO_PENDING,
            "AcceptEx");
        // From here on it may be closed, unless its packet has been taken.
        SOCKET none = INVALID_SOCKET;
        call.acceptor.compare_exchange_strong(none, made);
    }

    void consume(unsigned number)
    {
        Activity activity("consumer", number);
        for (;;) {
            activity.doing("waiting for a packet");
            DWORD moved = 0;
            ULONG_PTR key = 0;
            OVERLAPPED* told = nullptr;
            const bool is_success
                = GetQueuedCompletionStatus(m_port, &moved, &key, &told, kPatience);
            require(is_success || told, "no packet came");
            if (key == kStopKey)
                break;
            m_told++;
            Call& call = *CONTAINING_RECORD(told, Call, overlapped);
            SOCKET made;
            // The thread that has started it is about to say which.
            while ((made = call.acceptor.exchange(INVALID_SOCKET)) == INVALID_SOCKET)
                SwitchToThread();
            UniqueSocket acceptor(made == kClosed ? INVALID_SOCKET : made);
            activity.doing("serving");
            if (is_success && !told->Internal && acceptor.is_valid())
                serve(acceptor);
            acceptor.reset();
            if (!m_is_ending)
                start(call);
            m_live--;
        }
        PostQueuedCompletionStatus(m_port, 0, kStopKey, nullptr); // for the next
    }

    void serve(UniqueSocket& acceptor)
    {
        const SOCKET listener = m_listener.get();
        require(!setsockopt(acceptor.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                    reinterpret_cast<const char*>(&listener), sizeof(listener)),
            "SO_UPDATE_ACCEPT_CONTEXT");
        uint64_t data = 0;
        require(bench::recv_all(acceptor.get(), reinterpret_cast<char*>(&data), sizeof(data)),
            "receiving from a client");
        m_served++;
        if (!m_terminates)
            require(bench::send_all(acceptor.get(), reinterpret_cast<char*>(&data), sizeof(data)),
                "answering a client");
    }

    void make_connections(unsigned number, double deadline)
    {
        Activity activity("client", number);
        Dice dice(number);
        while (now() < deadline) {
            UniqueSocket client(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
            activity.doing("waiting for room"); // else a full backlog drops connections
            while (m_terminates && m_connected > m_served + m_terminated + kClients)
                SwitchToThread();
            activity.doing("connecting");
            require(!connect(client.get(), reinterpret_cast<const sockaddr*>(&m_address),
                        sizeof(m_address)),
                "connecting");
            m_connected++;
            activity.doing("echoing");
            const uint64_t sent = dice.next();
            uint64_t received = 0;
            if (m_terminates) { // an answer may never come
                require(bench::send_all(
                            client.get(), reinterpret_cast<const char*>(&sent), sizeof(sent)),
                    "sending to a server");
                continue;
            }
            if (!bench::send_all(client.get(), reinterpret_cast<const char*>(&sent), sizeof(sent))
                || !bench::recv_all(
                    client.get(), reinterpret_cast<char*>(&received), sizeof(received))) {
                m_lost++;
                continue;
            }
            require(received == sent, "an echo is wrong");
            m_echoed++;
        }
        if (++m_clients_done == kClients)
            end();
    }

    void disturb(double deadline)
    {
        Activity activity("disturber");
        Dice dice(4711);
        while (now() < deadline) {
            Call& call = m_calls[dice.below(kCalls)];
            activity.doing("cancelling");
            if (CancelIoEx(reinterpret_cast<HANDLE>(m_listener.get()), &call.overlapped))
                m_cancelled++;
            SOCKET acceptor = call.acceptor;
            if (!dice.below(4) && acceptor != INVALID_SOCKET && acceptor != kClosed
                && call.acceptor.compare_exchange_strong(acceptor, kClosed)) {
                activity.doing("closing an acceptor");
                m_closed++;
                closesocket(acceptor);
            }
            Sleep(dice.below(4));
        }
    }

    /// Gives back what it takes, until it is terminated.
    static DWORD WINAPI take_and_give_back(void* self)
    {
        auto& storm = *static_cast<Storm*>(self);
        const HANDLE port = storm.m_port;
        storm.m_begun++;
        for (;;) {
            DWORD moved = 0;
            ULONG_PTR key = 0;
            OVERLAPPED* told = nullptr;
            const bool is_success = GetQueuedCompletionStatus(port, &moved, &key, &told, INFINITE);
            if (!is_success && !told)
                return 1; // the port is closed
            // A packet that is posted tells of no failure: its request still does.
            PostQueuedCompletionStatus(port, moved, key, told);
        }
    }
    void terminate_threads(double deadline)
    {
        Activity activity("reaper");
        Dice dice(1147);
        while (now() < deadline && m_terminated < kMostTerminated) {
            const UniqueHandle thread(
                CreateThread(nullptr, 0, take_and_give_back, this, 0, nullptr));
            require(thread.get(), "starting a thread");
            while (m_begun == m_terminated) // before that, it may have the loader's lock
                Sleep(0);
            activity.doing("letting a thread work");
            Sleep(dice.below(8));
            activity.doing("terminating a thread");
            m_terminated++;
            require(TerminateThread(thread.get(), 0), "terminating a thread");
            require(WaitForSingleObject(thread.get(), INFINITE) == WAIT_OBJECT_0, "its end");
        }
    }

    /// Nobody connects any more.
    void end()
    {
        while (m_terminates && m_served + m_terminated < m_connected)
            Sleep(1); // every one is accepted
        m_is_ending = true;
        do {
            CancelIoEx(reinterpret_cast<HANDLE>(m_listener.get()), nullptr);
            Sleep(1);
        } while (m_live > m_terminated); // those may have taken what is left
        PostQueuedCompletionStatus(m_port, 0, kStopKey, nullptr);
    }

    static constexpr SOCKET kClosed = INVALID_SOCKET - 1;

    UniqueSocket m_listener;
    sockaddr_in m_address = {};
    LPFN_ACCEPTEX m_accept_ex = nullptr;
    HANDLE m_port = nullptr;
    std::vector<Call> m_calls;
    const bool m_terminates;
    std::atomic<bool> m_is_ending = false;
    std::atomic<unsigned> m_clients_done = 0;
    std::atomic<unsigned> m_live = 0;
    std::atomic<uint64_t> m_started = 0;
    std::atomic<uint64_t> m_told = 0;
    std::atomic<uint64_t> m_connected = 0;
    std::atomic<uint64_t> m_served = 0;
    std::atomic<uint64_t> m_echoed = 0;
    std::atomic<uint64_t> m_cancelled = 0;
    std::atomic<uint64_t> m_closed = 0;
    std::atomic<uint64_t> m_begun = 0;
    std::atomic<uint64_t> m_terminated = 0;
    std::atomic<uint64_t> m_lost = 0;
};

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using namespace stress;
    const Options options = start(argc, argv);
    const auto blow = [](unsigned seconds, bool terminates) {
        // Threads that were terminated are nothing its memory could wait for.
        auto* storm = new Storm(terminates);
        require(storm->open(), "opening the listener and its port");
        storm->blow(seconds);
        if (!terminates)
            delete storm;
    };
    blow(1, false); // makes what is made on first use
    const unsigned handles = count_handles();
    blow(options.seconds, false);
    report(true, "every_accept_is_told_once");
    report_handles(handles);
    blow(options.seconds, true);
    report(true, "a_terminated_thread_leaves_the_listener_to_others");
    return finish();
}
