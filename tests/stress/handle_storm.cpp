// CloseHandle on a SOCKET, of which Winsock does not hear. The connection has to end all the same,
// in whatever the DLL was doing for it, and the next socket of the same value must be a new one:
// every byte on it is checked. [closesocket/10] [closesocket/11]

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

constexpr unsigned kLanes = 4;
constexpr unsigned kPairs = 16; // of a lane

/// What a connection is doing when its handle is closed.
enum class Use { Fresh, Transferred, Selected, Receiving, Polled, kCount };

struct Pair {
    UniqueSocket client;
    UniqueSocket server; // Its handle is closed behind Winsock's back.
    WSAOVERLAPPED overlapped = {};
    char byte = 0;
};

class Lane {
public:
    explicit Lane(unsigned number)
        : m_dice(number + 5)
        , m_activity(*new Activity("lane", number)) // The watchdog may read it for ever.
        , m_listener(bench::listen_on_loopback(m_address))
    {
        for (UniqueEvent* event : { &m_selected, &m_completed })
            event->reset(WSACreateEvent());
        require(m_listener.is_valid() && m_selected.is_valid() && m_completed.is_valid(),
            "making a listener");
    }

    void run(double deadline)
    {
        do
            run_round();
        while (now() < deadline);
        m_activity.doing("finished");
    }
    uint64_t closed() const { return m_closed; }
    uint64_t reused() const { return m_reused; }

private:
    void run_round()
    {
        std::vector<Pair> pairs(kPairs);
        for (Pair& pair : pairs) {
            m_activity.doing("making a connection");
            require(bench::connect_pair(m_listener.get(), m_address, pair.client, pair.server),
                "making a connection");
            use(pair, static_cast<Use>(m_dice.below(static_cast<unsigned>(Use::kCount))));
        }
        // Some live for a while, as the sockets of most programs do.
        if (!m_dice.below(4))
            Sleep(m_dice.below(900));
        std::vector<SOCKET> values;
        for (Pair& pair : pairs) {
            values.push_back(pair.server.get());
            m_activity.doing("closing a handle");
            require(CloseHandle(reinterpret_cast<HANDLE>(pair.server.release())), "CloseHandle");
        }
        use_values_again(values);
        for (Pair& pair : pairs) {
            char byte;
            m_activity.doing("waiting for the end of a connection whose handle is closed");
            require(recv(pair.client.get(), &byte, 1, 0) <= 0, "a byte nobody sent");
            ++m_closed;
        }
        for (const Pair& pair : pairs) {
            m_activity.doing("waiting for a receive to end");
            while (static_cast<const volatile ULONG_PTR&>(pair.overlapped.Internal)
                == static_cast<ULONG_PTR>(STATUS_PENDING))
                Sleep(1);
        }
    }

    void use(Pair& pair, Use use)
    {
        m_activity.doing("using a connection");
        switch (use) {
        case Use::Transferred:
            return transfer(pair.client, pair.server);
        case Use::Selected:
            transfer(pair.server, pair.client);
            require(
                !WSAEventSelect(pair.server.get(), m_selected.get(), FD_READ | FD_WRITE | FD_CLOSE),
                "WSAEventSelect");
            return;
        case Use::Receiving: {
            WSABUF buffer = { 1, &pair.byte };
            DWORD flags = 0;
            pair.overlapped.hEvent = m_completed.get();
            require(
                WSARecv(pair.server.get(), &buffer, 1, nullptr, &flags, &pair.overlapped, nullptr)
                    && WSAGetLastError() == WSA_IO_PENDING,
                "WSARecv");
            return;
        }
        case Use::Polled: {
            WSAPOLLFD fd = { pair.server.get(), POLLWRNORM, 0 };
            require(WSAPoll(&fd, 1, -1) == 1, "WSAPoll");
            return;
        }
        default:
            return;
        }
    }

    /// New connections, which mostly get the values just closed.
    void use_values_again(const std::vector<SOCKET>& values)
    {
        for (unsigned i = m_dice.below(kPairs); i--;) {
            UniqueSocket client;
            UniqueSocket server;
            m_activity.doing("using a value again");
            require(bench::connect_pair(m_listener.get(), m_address, client, server),
                "making a connection");
            for (const SOCKET socket : { client.get(), server.get() })
                m_reused += std::find(values.begin(), values.end(), socket) != values.end();
            transfer(client, server);
            transfer(server, client);
        }
    }

    void transfer(const UniqueSocket& from, const UniqueSocket& to)
    {
        std::array<char, 3000> sent;
        std::array<char, 3000> received;
        const size_t length = 1 + m_dice.below(static_cast<unsigned>(sent.size()));
        m_dice.fill(sent.data(), length);
        require(bench::send_all(from.get(), sent.data(), length)
                && bench::recv_all(to.get(), received.data(), length)
                && std::equal(
                    sent.begin(), sent.begin() + static_cast<ptrdiff_t>(length), received.begin()),
            "a transfer, or its bytes");
    }

    Dice m_dice;
    Activity& m_activity;
    sockaddr_in m_address = {};
    UniqueSocket m_listener;
    UniqueEvent m_selected;
    UniqueEvent m_completed;
    uint64_t m_closed = 0;
    uint64_t m_reused = 0;
};

void storm(std::vector<std::unique_ptr<Lane>>& lanes, double seconds)
{
    run_threads(kLanes, seconds, [&](unsigned i, double deadline) { lanes[i]->run(deadline); });
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    std::vector<std::unique_ptr<stress::Lane>> lanes;
    for (unsigned i = 0; i < stress::kLanes; ++i)
        lanes.push_back(std::make_unique<stress::Lane>(i));
    stress::storm(lanes, 1.0); // What is made once per process may stay.
    const unsigned before = stress::count_handles();
    stress::storm(lanes, options.seconds);
    uint64_t closed = 0;
    uint64_t reused = 0;
    for (const auto& lane : lanes) {
        closed += lane->closed();
        reused += lane->reused();
    }
    stress::note(std::to_string(closed) + " handles closed, " + std::to_string(reused)
        + " of their values used again");
    stress::report(closed > 0, "closing_the_handle_ends_the_connection");
    stress::report(reused > 0, "a_value_used_again_is_a_new_socket");
    stress::report_handles(before);
    return stress::finish();
}
