// Sockets that move to a child process and back by WSADuplicateSocket, with data on its way.
// Whoever has the socket receives, checks and sends back what came; the other end, which stays,
// sends a stream all the time and checks the echo. Nobody loses a byte.

#include "loopback.h"
#include "requests.h"
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

constexpr unsigned kChildren = 2;

/// What the parent tells a child: the socket, and which part of the stream to echo.
struct Task {
    WSAPROTOCOL_INFOW socket;
    uint64_t start;
    uint64_t length; // 0 ends the child
    DWORD parent;
};

/// What a child answers: the socket again, for the parent.
struct Answer {
    WSAPROTOCOL_INFOW socket;
};

char byte_at(uint64_t place)
{
    return static_cast<char>(place * 11 + (place >> 7));
}

bool read_all(HANDLE pipe, void* data, DWORD length)
{
    DWORD part = 0;
    for (auto* place = static_cast<char*>(data); length; place += part, length -= part)
        if (!ReadFile(pipe, place, length, &part, nullptr) || !part)
            return false;
    return true;
}

bool write_all(HANDLE pipe, const void* data, DWORD length)
{
    DWORD written = 0;
    return WriteFile(pipe, data, length, &written, nullptr) && written == length;
}

SOCKET open_duplicate(WSAPROTOCOL_INFOW& info)
{
    return WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
}

/// Receives something, now by a blocking call, now by an overlapped one.
int receive_some(SOCKET socket, char* data, DWORD length, bool is_overlapped, WSAEVENT event)
{
    if (!is_overlapped)
        return recv(socket, data, static_cast<int>(length), 0);
    WSABUF buffer = { length, data };
    WSAOVERLAPPED overlapped = {};
    DWORD flags = 0;
    DWORD transferred = 0;
    overlapped.hEvent = event;
    if (WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr)
        && WSAGetLastError() != WSA_IO_PENDING)
        return -1;
    return WSAGetOverlappedResult(socket, &overlapped, &transferred, TRUE, &flags)
        ? static_cast<int>(transferred)
        : -1;
}

/// Echoes that part of the stream. False on an error or a wrong byte.
bool echo_part(SOCKET socket, uint64_t place, uint64_t length, Dice& dice)
{
    std::array<char, 3000> data;
    const UniqueEvent event(WSACreateEvent());
    while (length) {
        const auto wanted = static_cast<DWORD>(std::min<uint64_t>(length, data.size()));
        const int received = receive_some(socket, data.data(), wanted, dice.below(2), event.get());
        if (received <= 0)
            return false;
        for (int i = 0; i < received; ++i)
            if (data[i] != byte_at(place + static_cast<unsigned>(i)))
                return false;
        if (!bench::send_all(socket, data.data(), static_cast<size_t>(received)))
            return false;
        place += static_cast<unsigned>(received);
        length -= static_cast<unsigned>(received);
    }
    return true;
}

/// The child: does tasks until it is told to end. Returns the exit code.
int run_child(HANDLE input, HANDLE output)
{
    WSADATA started;
    Dice dice(GetCurrentProcessId());
    if (WSAStartup(MAKEWORD(2, 2), &started))
        return 3;
    for (Task task;;) {
        if (!read_all(input, &task, sizeof(task)))
            return 4;
        if (!task.length)
            return 0;
        const UniqueSocket socket(open_duplicate(task.socket));
        // The parent closes its own when it knows that this one is open.
        char go = 1;
        if (!socket.is_valid() || !write_all(output, &go, 1) || !read_all(input, &go, 1))
            return 5;
        if (!echo_part(socket.get(), task.start, task.length, dice))
            return 6;
        Answer answer;
        if (WSADuplicateSocketW(socket.get(), task.parent, &answer.socket)
            || !write_all(output, &answer, sizeof(answer)) || !read_all(input, &go, 1))
            return 7;
    }
}

/// This program again, and the pipes to it.
class Child {
public:
    Child()
    {
        SECURITY_ATTRIBUTES inheritable = { sizeof(inheritable), nullptr, TRUE };
        HANDLE child_input = nullptr;
        HANDLE child_output = nullptr;
        HANDLE to_child = nullptr;
        HANDLE from_child = nullptr;
        require(CreatePipe(&child_input, &to_child, &inheritable, 0)
                && CreatePipe(&from_child, &child_output, &inheritable, 0)
                && SetHandleInformation(to_child, HANDLE_FLAG_INHERIT, 0)
                && SetHandleInformation(from_child, HANDLE_FLAG_INHERIT, 0),
            "CreatePipe");
        m_to_child.reset(to_child);
        m_from_child.reset(from_child);
        char path[MAX_PATH];
        char command[MAX_PATH + 80];
        STARTUPINFOA startup = {};
        startup.cb = sizeof(startup);
        PROCESS_INFORMATION process = {};
        require(GetModuleFileNameA(nullptr, path, sizeof(path)), "GetModuleFileName");
        std::snprintf(command, sizeof(command), "\"%s\" --child %llu %llu", path,
            static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(child_input)),
            static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(child_output)));
        require(CreateProcessA(
                    path, command, nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup, &process),
            "CreateProcess");
        CloseHandle(process.hThread);
        CloseHandle(child_input);
        CloseHandle(child_output);
        m_process.reset(process.hProcess);
        m_process_id = process.dwProcessId;
    }
    Child(const Child&) = delete;
    ~Child()
    {
        Task last = {};
        DWORD code = 1;
        require(write_all(m_to_child.get(), &last, sizeof(last))
                && WaitForSingleObject(m_process.get(), INFINITE) == WAIT_OBJECT_0
                && GetExitCodeProcess(m_process.get(), &code),
            "waiting for a child");
        SetLastError(code);
        require(!code, "a child failed");
    }

    /// Gives the socket away for that part of the stream, and takes it back.
    void lend(UniqueSocket& socket, uint64_t start, uint64_t length, Activity& activity)
    {
        Task task = { {}, start, length, GetCurrentProcessId() };
        Answer answer;
        char go = 1;
        activity.doing("giving the socket to the child");
        require(
            !WSADuplicateSocketW(socket.get(), m_process_id, &task.socket), "WSADuplicateSocket");
        talk(write_all(m_to_child.get(), &task, sizeof(task))
            && read_all(m_from_child.get(), &go, 1));
        socket.reset();
        activity.doing("waiting for the child's answer");
        talk(write_all(m_to_child.get(), &go, 1)
            && read_all(m_from_child.get(), &answer, sizeof(answer)));
        socket.reset(open_duplicate(answer.socket));
        require(socket.is_valid(), "taking a socket back");
        talk(write_all(m_to_child.get(), &go, 1));
    }

private:
    void talk(bool is_ok)
    {
        if (is_ok)
            return;
        DWORD code = 0;
        WaitForSingleObject(m_process.get(), 2000);
        GetExitCodeProcess(m_process.get(), &code);
        SetLastError(code);
        die("a child has failed");
    }

    UniqueHandle m_to_child;
    UniqueHandle m_from_child;
    UniqueHandle m_process;
    DWORD m_process_id = 0;
};

struct Totals {
    std::atomic<uint64_t> moves = 0;
    std::atomic<uint64_t> bytes = 0;
};

/// The end that stays: sends the stream without a pause until it is told where to end, and checks
/// the echo.
class StayingEnd {
public:
    StayingEnd(UniqueSocket socket, Activity& sender, Activity& checker)
        : m_socket(std::move(socket))
    {
        require(m_sender.start([this, &sender] { send_stream(sender); })
                && m_checker.start([this, &checker] { check_echo(checker); }),
            "starting a thread");
    }
    /// From here on it sends up to that place and no further; waits until all came back.
    void finish(uint64_t end)
    {
        m_end = end;
        m_sender.join();
        m_checker.join();
        require(m_checked == end, "the echo has another length");
    }
    uint64_t sent() const { return m_sent; }

private:
    void send_stream(Activity& activity)
    {
        std::array<char, 1500> data;
        while (m_sent < m_end) {
            // No more than what the other end will soon ask for, so that the end can be named.
            if (m_sent >= m_allowed) {
                Sleep(1);
                continue;
            }
            const auto length
                = static_cast<size_t>(std::min<uint64_t>(data.size(), m_allowed - m_sent));
            for (size_t i = 0; i < length; ++i)
                data[i] = byte_at(m_sent + i);
            activity.doing("sending");
            require(bench::send_all(m_socket.get(), data.data(), length), "sending the stream");
            m_sent += length;
        }
        require(!shutdown(m_socket.get(), SD_SEND), "shutdown");
        activity.doing("finished");
    }
    void check_echo(Activity& activity)
    {
        std::array<char, 2000> data;
        for (;;) {
            activity.doing("checking the echo");
            const int length = recv(m_socket.get(), data.data(), data.size(), 0);
            require(length >= 0, "receiving the echo");
            if (!length)
                break;
            for (int i = 0; i < length; ++i)
                require(data[i] == byte_at(m_checked + static_cast<unsigned>(i)), "a wrong byte");
            m_checked += static_cast<unsigned>(length);
        }
        activity.doing("finished");
    }

public:
    /// How far the sender may go.
    std::atomic<uint64_t> m_allowed = 0;

private:
    UniqueSocket m_socket;
    std::atomic<uint64_t> m_sent = 0;
    std::atomic<uint64_t> m_end = UINT64_MAX;
    uint64_t m_checked = 0;
    bench::Thread m_sender;
    bench::Thread m_checker;
};

/// One connection whose one end wanders between this process and a child.
void wander(unsigned number, double deadline, Totals& totals, std::array<Activity*, 3> activities)
{
    constexpr uint64_t kAhead = 20'000;
    Dice dice(number + 41);
    Child child;
    UniqueSocket moving;
    UniqueSocket staying;
    require(bench::connect_pair(staying, moving), "making a connection");
    StayingEnd end(std::move(staying), *activities[1], *activities[2]);
    uint64_t place = 0;
    while (now() < deadline) {
        const uint64_t length = 1 + dice.below(8000);
        // The next part is on its way while this one is taken and the socket moves.
        end.m_allowed = place + length + kAhead;
        if (dice.below(3)) {
            child.lend(moving, place, length, *activities[0]);
            ++totals.moves;
        } else {
            activities[0]->doing("echoing in the parent");
            require(echo_part(moving.get(), place, length, dice), "an echo in the parent");
        }
        place += length;
    }
    // What was allowed is sent; the last of it is echoed here.
    const uint64_t last = end.m_allowed;
    activities[0]->doing("echoing the rest");
    require(echo_part(moving.get(), place, last - place, dice), "the last echo");
    require(!shutdown(moving.get(), SD_SEND), "shutdown");
    end.finish(last);
    totals.bytes += last;
    activities[0]->doing("finished");
}

struct Activities {
    std::array<std::array<Activity*, 3>, kChildren> all;
    Activities()
    {
        for (unsigned i = 0; i < kChildren; ++i)
            all[i] = { new Activity("mover", i), new Activity("sender", i),
                new Activity("checker", i) };
    }
};

void storm(double seconds, Totals& totals, Activities& activities)
{
    run_threads(kChildren, seconds,
        [&](unsigned i, double deadline) { wander(i, deadline, totals, activities.all[i]); });
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    if (argc == 4 && !std::strcmp(argv[1], "--child")) {
        const auto handle = [](const char* text) {
            return reinterpret_cast<HANDLE>(
                static_cast<uintptr_t>(std::strtoull(text, nullptr, 10)));
        };
        return stress::run_child(handle(argv[2]), handle(argv[3]));
    }
    const stress::Options options = stress::start(argc, argv);
    stress::Activities activities;
    stress::Totals warm_up;
    stress::storm(0.7, warm_up, activities);
    const unsigned before = stress::count_handles();
    stress::Totals totals;
    stress::storm(options.seconds, totals, activities);
    stress::note(std::to_string(totals.moves) + " times there and back, "
        + std::to_string(totals.bytes) + " bytes");
    stress::report(totals.moves > 0, "a_moving_socket_loses_no_byte");
    stress::report_handles(before);
    return stress::finish();
}
