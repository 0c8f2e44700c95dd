// One listener on a completion port, AcceptEx calls that are cancelled and whose acceptors are
// closed at any moment, and clients that check what is echoed. Every call is told exactly once, and
// no connection is lost but those whose acceptor was closed.

#include "harness.h"
#include "loopback.h"

#include <array>
#include <cstring>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kConsumers = 3;
constexpr unsigned kClients = 3;
constexpr unsigned kCalls = 8;
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
            else
                disturb(deadline);
        });
        CloseHandle(m_port);
        require(m_started == m_told, "a call was not told once");
        require(m_echoed && m_cancelled, "the storm has not blown");
        require(m_lost <= m_closed, "a connection was lost");
        note(std::to_string(m_echoed) + " connections, " + std::to_string(m_cancelled)
            + " calls cancelled, " + std::to_string(m_closed) + " acceptors closed, "
            + std::to_string(m_lost) + " connections with them");
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
            if (is_success && acceptor.is_valid())
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
        require(bench::send_all(acceptor.get(), reinterpret_cast<char*>(&data), sizeof(data)),
            "answering a client");
    }

    void make_connections(unsigned number, double deadline)
    {
        Activity activity("client", number);
        Dice dice(number);
        while (now() < deadline) {
            UniqueSocket client(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
            activity.doing("connecting");
            require(!connect(client.get(), reinterpret_cast<const sockaddr*>(&m_address),
                        sizeof(m_address)),
                "connecting");
            activity.doing("echoing");
            const uint64_t sent = dice.next();
            uint64_t received = 0;
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

    /// Nobody connects any more.
    void end()
    {
        m_is_ending = true;
        while (m_live) {
            CancelIoEx(reinterpret_cast<HANDLE>(m_listener.get()), nullptr);
            Sleep(1);
        }
        PostQueuedCompletionStatus(m_port, 0, kStopKey, nullptr);
    }

    static constexpr SOCKET kClosed = INVALID_SOCKET - 1;

    UniqueSocket m_listener;
    sockaddr_in m_address = {};
    LPFN_ACCEPTEX m_accept_ex = nullptr;
    HANDLE m_port = nullptr;
    std::array<Call, kCalls> m_calls;
    std::atomic<bool> m_is_ending = false;
    std::atomic<unsigned> m_clients_done = 0;
    std::atomic<unsigned> m_live = 0;
    std::atomic<uint64_t> m_started = 0;
    std::atomic<uint64_t> m_told = 0;
    std::atomic<uint64_t> m_echoed = 0;
    std::atomic<uint64_t> m_cancelled = 0;
    std::atomic<uint64_t> m_closed = 0;
    std::atomic<uint64_t> m_lost = 0;
};

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using namespace stress;
    const Options options = start(argc, argv);
    const auto blow = [](unsigned seconds) {
        Storm storm;
        require(storm.open(), "opening the listener and its port");
        storm.blow(seconds);
    };
    blow(1); // makes what is made on first use
    const unsigned handles = count_handles();
    blow(options.seconds);
    report(true, "every_accept_is_told_once");
    report_handles(handles);
    return finish();
}
