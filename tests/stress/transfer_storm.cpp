// Connect, accept, transfer, close, with up to 1,000 sockets. Clients send a stream that its seed
// determines; event-driven servers send it back; clients check every byte. Some connections end
// with a half-close, some with a reset. At the end all bytes are accounted for, and all handles.

#include "echo_server.h"
#include "harness.h"
#include "loopback.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kThreads = 8;
constexpr unsigned kConnectionsPerThread = 62;
constexpr uint64_t kLongestStream = 96 * 1024;

/// The client's end of one connection: what it still has to send, and what it expects.
class Client {
public:
    explicit Client(uint64_t seed, const sockaddr_in& address)
        : m_sender(seed)
        , m_checker(seed)
        , m_socket(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
    {
        Dice dice(~seed);
        m_to_send = m_to_receive = 1 + dice.next() % kLongestStream;
        m_ends_with_reset = !dice.below(4);
        require(m_socket.is_valid()
                && !connect(
                    m_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address))
                && bench::set_nonblocking(m_socket.get(), true),
            "connect");
    }
    SOCKET socket_handle() const { return m_socket.get(); }
    short wanted_events() const
    {
        return static_cast<short>(POLLRDNORM | (has_to_send() ? POLLWRNORM : 0));
    }
    uint64_t bytes_checked() const { return m_checked; }

    /// Moves what can be moved. Returns false when the connection is over.
    bool advance(short revents)
    {
        if ((revents & POLLWRNORM) && has_to_send())
            send_some();
        if (revents & (POLLRDNORM | POLLHUP | POLLERR))
            return receive_some();
        return true;
    }

private:
    bool has_to_send() const { return m_to_send || m_chunk_sent < m_chunk_length; }
    void send_some()
    {
        if (m_chunk_sent == m_chunk_length) {
            m_chunk_sent = 0;
            m_chunk_length = static_cast<unsigned>(std::min<uint64_t>(m_to_send, m_chunk.size()));
            m_sender.fill(m_chunk.data(), m_chunk_length);
            m_to_send -= m_chunk_length;
        }
        const int sent = send(m_socket.get(), m_chunk.data() + m_chunk_sent,
            static_cast<int>(m_chunk_length - m_chunk_sent), 0);
        if (sent < 0) {
            require(WSAGetLastError() == WSAEWOULDBLOCK, "a client's send");
            return;
        }
        m_chunk_sent += static_cast<unsigned>(sent);
        if (!has_to_send() && !m_ends_with_reset)
            require(!shutdown(m_socket.get(), SD_SEND), "shutdown");
    }
    bool receive_some()
    {
        std::array<char, 8192> received;
        std::array<char, 8192> expected;
        const int length
            = recv(m_socket.get(), received.data(), static_cast<int>(received.size()), 0);
        if (length < 0) {
            require(WSAGetLastError() == WSAEWOULDBLOCK, "a client's recv");
            return true;
        }
        require(static_cast<uint64_t>(length) <= m_to_receive, "more bytes than were sent");
        m_checker.fill(expected.data(), static_cast<size_t>(length));
        require(std::equal(expected.begin(), expected.begin() + length, received.begin()),
            "wrong bytes");
        m_to_receive -= static_cast<uint64_t>(length);
        m_checked += static_cast<uint64_t>(length);
        if (m_ends_with_reset && !m_to_receive) {
            require(bench::close_with_reset(m_socket.release()), "closing with a reset");
            return false;
        }
        require(length || !m_to_receive, "the end of the stream came early");
        return length != 0;
    }

    Dice m_sender;
    Dice m_checker;
    UniqueSocket m_socket;
    uint64_t m_to_send = 0;
    uint64_t m_to_receive = 0;
    uint64_t m_checked = 0;
    bool m_ends_with_reset = false;
    std::array<char, 4096> m_chunk;
    unsigned m_chunk_length = 0;
    unsigned m_chunk_sent = 0;
};

struct Totals {
    std::atomic<uint64_t> connections = 0;
    std::atomic<uint64_t> bytes = 0;
};

/// One client thread: all its connections first, then a new one for each that ends, until the
/// deadline; the last ones are brought to their end.
void run_clients(unsigned number, const sockaddr_in& address, double deadline, Totals& totals,
    Activity& activity)
{
    std::vector<std::unique_ptr<Client>> clients;
    Dice seeds(number + 77);
    const auto connect_one = [&] {
        activity.doing("connecting");
        clients.push_back(std::make_unique<Client>(seeds.next(), address));
    };
    while (clients.size() < kConnectionsPerThread)
        connect_one();
    std::vector<WSAPOLLFD> fds;
    while (!clients.empty()) {
        fds.clear();
        for (const auto& client : clients)
            fds.push_back({ client->socket_handle(), client->wanted_events(), 0 });
        activity.doing("polling");
        require(WSAPoll(fds.data(), static_cast<ULONG>(fds.size()), -1) > 0, "WSAPoll");
        for (size_t i = clients.size(); i--;) {
            if (!fds[i].revents)
                continue;
            activity.doing("transferring");
            if (clients[i]->advance(fds[i].revents))
                continue;
            ++totals.connections;
            totals.bytes += clients[i]->bytes_checked();
            clients.erase(clients.begin() + static_cast<ptrdiff_t>(i));
            if (now() < deadline)
                connect_one();
        }
    }
    activity.doing("finished");
}

using Activities = std::vector<std::unique_ptr<Activity>>;

void storm(double seconds, Totals& totals, Activities& activities)
{
    EchoServer server;
    run_threads(kThreads, seconds, [&](unsigned i, double deadline) {
        run_clients(i, server.address(), deadline, totals, *activities[i]);
    });
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    stress::Activities activities;
    for (unsigned i = 0; i < stress::kThreads; ++i)
        activities.push_back(std::make_unique<stress::Activity>("client thread", i));
    stress::Totals warm_up;
    stress::storm(0.5, warm_up, activities);
    const unsigned before = stress::count_handles();
    stress::Totals totals;
    stress::storm(options.seconds, totals, activities);
    stress::note(std::to_string(totals.connections) + " connections, "
        + std::to_string(totals.bytes) + " bytes there and back");
    stress::report(totals.connections >= stress::kThreads * stress::kConnectionsPerThread,
        "every_byte_comes_back");
    stress::report_handles(before);
    return stress::finish();
}
