// An echo server on AFD polls as mio sends them: one helper handle on a port, one poll a socket
// that is sent again when it was told, cancelled when the interest changes. Clients check every
// byte that comes back, leave gracefully, with a reset or not at all before the server closes.
// Every poll is told exactly once.

#include "common/poll_device.h"

#include "requests.h"
#include "thread.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_set>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kClients = 4;
constexpr unsigned kConnectionsPerClient = 75;
constexpr ULONG kReadable = afd::kPollReceive | afd::kPollAccept | afd::kPollDisconnect
    | afd::kPollAbort | afd::kPollLocalClose;
constexpr ULONG kWritable = afd::kPollSend | afd::kPollAbort | afd::kPollLocalClose;
constexpr ULONG_PTR kDeviceKey = 0xafd;
constexpr ULONG_PTR kStopKey = 1;

struct Counts {
    std::atomic<uint64_t> connections = 0;
    std::atomic<uint64_t> bytes = 0;
    uint64_t polls = 0;
    uint64_t cancelled = 0;
    uint64_t closed_under_a_poll = 0;
};
Counts g_counts;

/// A socket of the server and its poll. It goes when the socket is closed and no poll is owed.
struct Registration {
    /// First, so that the context of a packet is the registration.
    poll_device::Poll<1> poll;
    UniqueSocket socket;
    std::vector<char> output;
    bool is_listener = false;
    bool is_owed = false;
};

/// All on one thread.
class Server {
public:
    Server()
    {
        HANDLE device = nullptr;
        require(
            NT_SUCCESS(poll_device::open(L"\\Device\\Afd\\Storm", &device)), "opening the device");
        m_device.reset(device);
        associate(device, m_port.get(), kDeviceKey);
        require(SetFileCompletionNotificationModes(device, FILE_SKIP_SET_EVENT_ON_HANDLE),
            "setting the mode");
        auto* listener = new Registration;
        listener->socket.reset(bench::listen_on_loopback(m_address));
        listener->is_listener = true;
        require(listener->socket.is_valid() && bench::set_nonblocking(listener->socket.get(), true),
            "making a listener");
        m_registrations.insert(listener);
        arm(listener);
    }
    ~Server()
    {
        require(PostQueuedCompletionStatus(m_port.get(), 0, kStopKey, nullptr), "posting");
        m_thread.join();
    }
    void start(Activity& activity)
    {
        require(m_thread.start([this, &activity] { run(activity); }), "starting a thread");
    }
    const sockaddr_in& address() const { return m_address; }

private:
    void run(Activity& activity)
    {
        std::array<OVERLAPPED_ENTRY, 64> entries;
        for (bool goes_on = true; goes_on || !m_registrations.empty();) {
            ULONG count = 0;
            activity.doing("removing");
            require(GetQueuedCompletionStatusEx(
                        m_port.get(), entries.data(), entries.size(), &count, INFINITE, FALSE),
                "GetQueuedCompletionStatusEx");
            for (ULONG i = 0; i < count; ++i) {
                if (entries[i].lpCompletionKey == kStopKey) {
                    goes_on = false;
                    close_all();
                    continue;
                }
                require(entries[i].lpCompletionKey == kDeviceKey, "a packet has another key");
                activity.doing("serving a poll");
                told(reinterpret_cast<Registration*>(entries[i].lpOverlapped));
            }
        }
        activity.doing("finished");
    }

    void arm(Registration* one)
    {
        require(!one->is_owed, "a poll was sent that still pends");
        one->poll.begin();
        one->poll.add(one->socket.get(), one->output.empty() ? kReadable : kReadable | kWritable);
        one->is_owed = true;
        ++g_counts.polls;
        require(NT_SUCCESS(one->poll.start(m_device.get())), "sending a poll");
    }

    void told(Registration* one)
    {
        require(m_registrations.count(one), "a packet came for a poll that is gone");
        require(std::exchange(one->is_owed, false), "a poll was told twice");
        const ULONG flags = one->poll.block.header.count
            ? static_cast<ULONG>(one->poll.block.entries[0].flags)
            : 0;
        if (!one->socket.is_valid()) {
            m_registrations.erase(one);
            delete one;
            return;
        }
        if (one->poll.iosb.Status < 0) {
            require(one->poll.iosb.Status == kCancelled, "a poll failed");
            ++g_counts.cancelled;
        } else {
            require(one->poll.block.header.count == 1
                    && one->poll.block.entries[0].socket == one->socket.get(),
                "a poll told another socket");
            require(!(flags & afd::kPollLocalClose), "an open socket was told as closed");
            if (one->is_listener)
                accept_all(one);
            else if (!serve(one))
                return close(one);
        }
        arm(one);
        // As a program does that changes its interest.
        if (!m_dice.below(8)) {
            const NTSTATUS status = one->poll.cancel(m_device.get());
            require(NT_SUCCESS(status) || status == STATUS_NOT_FOUND, "cancelling a poll");
        }
        // As one does that has had enough of a peer.
        if (!one->is_listener && !m_dice.below(400)) {
            ++g_counts.closed_under_a_poll;
            close(one);
        }
    }

    /// With a poll pending, that ends first.
    void close(Registration* one)
    {
        bench::close_with_reset(one->socket.release());
        if (one->is_owed)
            return;
        m_registrations.erase(one);
        delete one;
    }

    void close_all()
    {
        const std::vector<Registration*> all(m_registrations.begin(), m_registrations.end());
        for (Registration* one : all)
            if (one->socket.is_valid())
                close(one);
    }

    void accept_all(Registration* listener)
    {
        for (;;) {
            const SOCKET accepted = accept(listener->socket.get(), nullptr, nullptr);
            if (accepted == INVALID_SOCKET) {
                require(WSAGetLastError() == WSAEWOULDBLOCK || WSAGetLastError() == WSAECONNRESET,
                    "accept");
                return;
            }
            auto* one = new Registration;
            one->socket.reset(accepted);
            require(bench::set_nonblocking(accepted, true), "FIONBIO");
            m_registrations.insert(one);
            arm(one);
        }
    }

    /// Receives until there is no more, and sends back. False at the end of the connection.
    bool serve(Registration* one)
    {
        std::array<char, 4096> data;
        for (;;) {
            const int length
                = recv(one->socket.get(), data.data(), static_cast<int>(data.size()), 0);
            if (length <= 0) {
                if (length < 0 && WSAGetLastError() == WSAEWOULDBLOCK)
                    break;
                return false;
            }
            one->output.insert(one->output.end(), data.begin(), data.begin() + length);
        }
        while (!one->output.empty()) {
            const int length = send(
                one->socket.get(), one->output.data(), static_cast<int>(one->output.size()), 0);
            if (length < 0)
                return WSAGetLastError() == WSAEWOULDBLOCK;
            one->output.erase(one->output.begin(), one->output.begin() + length);
        }
        return true;
    }

    UniqueHandle m_port { new_port() };
    UniqueHandle m_device;
    sockaddr_in m_address;
    std::unordered_set<Registration*> m_registrations;
    Dice m_dice { 17 };
    bench::Thread m_thread;
};

SOCKET connect_one(const sockaddr_in& address)
{
    const SOCKET result = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    require(result != INVALID_SOCKET
            && !connect(result, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        "connect");
    ++g_counts.connections;
    return result;
}

/// Sends and takes the echo. False if the server has closed the connection.
bool exchange(SOCKET socket, Dice& dice)
{
    std::array<char, 12'000> out;
    std::array<char, 12'000> in;
    const size_t length = 1 + dice.below(dice.below(10) ? 500 : out.size());
    dice.fill(out.data(), length);
    if (!bench::send_all(socket, out.data(), length) || !bench::recv_all(socket, in.data(), length))
        return false;
    require(std::equal(out.begin(), out.begin() + static_cast<ptrdiff_t>(length), in.begin()),
        "wrong bytes");
    g_counts.bytes += length;
    return true;
}

void run_client(unsigned number, const sockaddr_in& address, double deadline, Activity& activity)
{
    Dice dice(number + 3);
    std::vector<UniqueSocket> sockets(kConnectionsPerClient);
    while (now() < deadline) {
        UniqueSocket& one = sockets[dice.below(kConnectionsPerClient)];
        if (!one.is_valid()) {
            activity.doing("connecting");
            one.reset(connect_one(address));
        }
        activity.doing("exchanging");
        if (!exchange(one.get(), dice) || !dice.below(60))
            bench::close_with_reset(one.release());
        else if (!dice.below(60))
            one.reset();
    }
    activity.doing("finished");
}

using Activities = std::vector<std::unique_ptr<Activity>>;

void storm(double seconds, Activities& activities)
{
    Server server;
    server.start(*activities[kClients]);
    run_threads(kClients, seconds, [&](unsigned i, double deadline) {
        run_client(i, server.address(), deadline, *activities[i]);
    });
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using stress::g_counts;
    const stress::Options options = stress::start(argc, argv);
    stress::Activities activities;
    for (unsigned i = 0; i < stress::kClients; ++i)
        activities.push_back(std::make_unique<stress::Activity>("client", i));
    activities.push_back(std::make_unique<stress::Activity>("server"));
    stress::storm(0.7, activities);
    const unsigned before = stress::count_handles();
    stress::storm(options.seconds, activities);
    stress::note(std::to_string(g_counts.connections) + " connections, "
        + std::to_string(g_counts.bytes) + " bytes there and back, "
        + std::to_string(g_counts.polls) + " polls, " + std::to_string(g_counts.cancelled)
        + " of them cancelled, " + std::to_string(g_counts.closed_under_a_poll)
        + " sockets closed under one");
    stress::report(g_counts.bytes > 0, "every_byte_comes_back");
    stress::report(g_counts.polls > 0, "every_poll_is_told_once");
    stress::report_handles(before);
    return stress::finish();
}
