// Child processes and the sockets they inherit, or do not. A child that was started with
// inheritance must hold no more of its parent's connections than it was given: the peer sees the
// end when the parent closes, however many children live. What a child was given stays open until
// it closes too, and carries every byte. In some children ntke is switched off.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kChildren = 12;
constexpr unsigned kMakers = 3;
constexpr unsigned kStream = 40'000;

HANDLE handle_of(SOCKET socket)
{
    return reinterpret_cast<HANDLE>(socket);
}

bool set_inheritable(HANDLE handle, bool inheritable)
{
    return SetHandleInformation(handle, HANDLE_FLAG_INHERIT, inheritable ? HANDLE_FLAG_INHERIT : 0);
}

/// Held shared while a new connection is still inheritable, exclusively while a child is made: what
/// a child gets is decided by the flags of the handles, and accept has no argument for them.
SRWLOCK g_inheritance = SRWLOCK_INIT;

/// This program again, as `--child ROLE HANDLE`, with all inheritable handles.
class Child {
public:
    Child(const char* role, HANDLE handle, bool on_host = false)
    {
        char path[MAX_PATH];
        char command[MAX_PATH + 64];
        STARTUPINFOA startup = {};
        startup.cb = sizeof(startup);
        PROCESS_INFORMATION process = {};
        require(GetModuleFileNameA(nullptr, path, sizeof(path)), "GetModuleFileName");
        std::snprintf(command, sizeof(command), "\"%s\" --child %s %llu", path, role,
            static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(handle)));
        AcquireSRWLockExclusive(&g_inheritance);
        SetEnvironmentVariableA("WS2_32_KERNEL", on_host ? "host" : nullptr);
        require(CreateProcessA(
                    path, command, nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup, &process),
            "CreateProcess");
        ReleaseSRWLockExclusive(&g_inheritance);
        CloseHandle(process.hThread);
        m_process = process.hProcess;
    }
    Child(const Child&) = delete;
    ~Child()
    {
        DWORD code = 1;
        require(WaitForSingleObject(m_process, INFINITE) == WAIT_OBJECT_0
                && GetExitCodeProcess(m_process, &code),
            "waiting for a child");
        SetLastError(code);
        require(!code, "a child failed");
        CloseHandle(m_process);
    }
    bool has_ended() const { return WaitForSingleObject(m_process, 0) == WAIT_OBJECT_0; }

private:
    HANDLE m_process = nullptr;
};

/// The child: waits for an event, which it inherited.
int hold(HANDLE event)
{
    return WaitForSingleObject(event, INFINITE) == WAIT_OBJECT_0 ? 0 : 2;
}

/// The child: sends back what comes on a socket it inherited, and ends it when that ends.
int echo(SOCKET socket)
{
    std::array<char, 4096> data;
    WSADATA started;
    if (WSAStartup(MAKEWORD(2, 2), &started))
        return 3;
    for (;;) {
        const int length = recv(socket, data.data(), static_cast<int>(data.size()), 0);
        if (length <= 0)
            return length || closesocket(socket) ? 4 : 0;
        if (!bench::send_all(socket, data.data(), static_cast<size_t>(length)))
            return 5;
    }
}

bool exchange(SOCKET from, SOCKET to, Dice& dice, size_t length)
{
    std::array<char, 2048> sent;
    std::array<char, 2048> received;
    while (length) {
        const size_t part = std::min(length, sent.size());
        dice.fill(sent.data(), part);
        if (!bench::send_all(from, sent.data(), part) || !bench::recv_all(to, received.data(), part)
            || !std::equal(
                sent.begin(), sent.begin() + static_cast<ptrdiff_t>(part), received.begin()))
            return false;
        length -= part;
    }
    return true;
}

bool is_at_end(SOCKET socket)
{
    char byte;
    return recv(socket, &byte, 1, 0) == 0;
}

/// A connection no child is to have, put to use so that the emulation takes an interest in it.
struct OwnConnection {
    UniqueSocket client;
    UniqueSocket server;

    OwnConnection(SOCKET listener, const sockaddr_in& address, Dice& dice, WSAEVENT event)
    {
        AcquireSRWLockShared(&g_inheritance);
        require(bench::connect_pair(listener, address, client, server), "making a connection");
        require(set_inheritable(handle_of(client.get()), false)
                && set_inheritable(handle_of(server.get()), false),
            "SetHandleInformation");
        ReleaseSRWLockShared(&g_inheritance);
        // From here on only a descriptor could get into a child.
        require(exchange(client.get(), server.get(), dice, 1 + dice.below(3000)), "a transfer");
        if (dice.below(2))
            require(!WSAEventSelect(server.get(), event, FD_READ | FD_CLOSE), "WSAEventSelect");
    }
};

/// Opens, uses and closes connections while others start children. Until `stop` is set no child
/// ends, so an end that does not come means that a child holds the connection.
void make_connections(
    unsigned number, Activity& activity, const std::atomic<bool>& stop, uint64_t& ends)
{
    Dice dice(number + 31);
    sockaddr_in address;
    const UniqueSocket listener(bench::listen_on_loopback(address));
    const UniqueEvent event(WSACreateEvent());
    require(listener.is_valid() && event.is_valid(), "making a listener");
    while (!stop) {
        activity.doing("making a connection");
        OwnConnection connection(listener.get(), address, dice, event.get());
        activity.doing("waiting for the end of a connection that only this process has");
        connection.server.reset();
        require(is_at_end(connection.client.get()), "another end than that of the stream");
        ++ends;
    }
    activity.doing("finished");
}

struct Activities {
    Activity& main = *new Activity("parent");
    std::vector<Activity*> makers;
};

/// Children that live until the last connection is closed. Returns the number of connections.
uint64_t own_connections(Activities& activities)
{
    std::vector<std::unique_ptr<Child>> children;
    std::array<uint64_t, kMakers> ends = {};
    std::atomic<bool> stop = false;
    const UniqueEvent release(WSACreateEvent());
    require(set_inheritable(release.get(), true), "SetHandleInformation");
    {
        std::array<bench::Thread, kMakers> makers;
        for (unsigned i = 0; i < kMakers; ++i)
            require(makers[i].start(
                        [&, i] { make_connections(i, *activities.makers[i], stop, ends[i]); }),
                "starting a thread");
        while (children.size() < kChildren) {
            activities.main.doing("starting a child");
            children.push_back(std::make_unique<Child>("hold", release.get()));
        }
        stop = true;
    }
    for (const auto& child : children)
        require(!child->has_ended(), "a child has ended on its own");
    require(WSASetEvent(release.get()), "WSASetEvent");
    activities.main.doing("waiting for the children");
    children.clear();
    uint64_t total = 0;
    for (const uint64_t count : ends)
        total += count;
    return total;
}

/// A child that gets one connection and is then the only one to have it.
void given_connection(Activities& activities, Dice& dice)
{
    UniqueSocket client;
    UniqueSocket server;
    activities.main.doing("making a connection to give away");
    require(bench::connect_pair(client, server), "making a connection");
    require(set_inheritable(handle_of(client.get()), false)
            && set_inheritable(handle_of(server.get()), true),
        "SetHandleInformation");
    require(exchange(client.get(), server.get(), dice, 1 + dice.below(3000)), "a transfer");
    const Child child("echo", handle_of(server.get()), dice.below(2));
    server.reset();
    activities.main.doing("talking to a child");
    // What comes back proves that the connection outlives the parent's socket.
    require(exchange(client.get(), client.get(), dice, kStream), "an echo of a child");
    require(!shutdown(client.get(), SD_SEND) && is_at_end(client.get()),
        "the end of a connection that a child closed");
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    if (argc == 4 && !std::strcmp(argv[1], "--child")) {
        const unsigned long long value = std::strtoull(argv[3], nullptr, 10);
        return std::strcmp(argv[2], "echo")
            ? stress::hold(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(value)))
            : stress::echo(static_cast<SOCKET>(value));
    }
    const stress::Options options = stress::start(argc, argv);
    stress::Activities activities;
    for (unsigned i = 0; i < stress::kMakers; ++i)
        activities.makers.push_back(new stress::Activity("maker", i));
    stress::Dice dice(3);
    // What is made once per process may stay; some of it is made for sockets that live for a while.
    for (const double end = stress::now() + 1; stress::now() < end;) {
        stress::own_connections(activities);
        stress::given_connection(activities, dice);
    }
    const unsigned before = stress::count_handles();

    const double start = stress::now();
    uint64_t ends = 0;
    do
        ends += stress::own_connections(activities);
    while (stress::now() < start + options.seconds / 2.0);
    stress::note(std::to_string(ends) + " connections closed while children lived");
    stress::report(ends > 0, "the_peer_sees_the_end_although_children_live");

    unsigned given = 0;
    do {
        stress::given_connection(activities, dice);
        ++given;
    } while (stress::now() < start + options.seconds);
    stress::note(std::to_string(given) + " connections given to children");
    stress::report(true, "an_inherited_socket_carries_every_byte");

    stress::report_handles(before);
    return stress::finish();
}
