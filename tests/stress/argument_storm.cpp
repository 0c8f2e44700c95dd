// Every export and extension function, called from several threads with arguments that no program
// should have: null, odd, unmapped, read-only and freed pointers, huge and negative counts, handles
// of every wrong kind, and sockets of every kind and state. No call may crash the program, hang,
// lose a handle, or fail without saying why.

#include "argument_world.h"
#include "sdk/socket_notifications.h"
#include "thread.h"

#include <windows.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

namespace stress {

namespace {

constexpr unsigned kThreads = 4;
constexpr size_t kMostArguments = 12;
/// A call that takes longer may be waiting for what its sockets would tell: they are closed.
constexpr ULONGLONG kRescueAfter = 2000; // ms
/// One that is still there then hangs.
constexpr ULONGLONG kHangAfter = 60000; // ms
/// Nobody's error: what the last error is before a call.
constexpr DWORD kNoError = 0x20ABCDEF;

struct Exported {
    const char* name;
    unsigned arguments;
};

constexpr Exported kExports[] = {
#define EXPORT(ordinal, name, arguments) { #name, arguments },
#ifdef _WIN64
#define EXPORT64 EXPORT
#else
#define EXPORT64(ordinal, name, arguments)
#endif
#include "common/windows_exports.def"
#undef EXPORT64
#undef EXPORT
};

/// A row, and where the function is.
struct Target {
    const Row* row;
    uintptr_t function;
};

using Arguments = std::array<uintptr_t, kMostArguments>;

/// What a thread calls, for whoever tells of a crash or a hang.
struct Call {
    std::atomic<const Row*> row = nullptr;
    Arguments arguments = {};
    uint64_t number = 0;
    std::atomic<ULONGLONG> since = 0; // 0: between two calls
    DWORD thread = 0;
    SRWLOCK world_lock = SRWLOCK_INIT;
    ArgumentWorld* world = nullptr; // under the lock: it ends with its thread
};

std::array<Call, kThreads> g_calls;
uint64_t g_seed;
bool g_traces;

std::string text_of(const Call& call)
{
    const Row* const row = call.row;
    if (!row)
        return "nothing";
    std::string text = row->name;
    for (size_t i = 0; i < row->arguments.size(); ++i) {
        std::array<char, 32> argument;
        std::snprintf(argument.data(), argument.size(), "%s%#llx", i ? ", " : "(",
            static_cast<unsigned long long>(call.arguments[i]));
        text += argument.data();
    }
    return text + "), call " + std::to_string(call.number) + " of seed " + std::to_string(g_seed);
}

[[noreturn]] void die_in(const Call& call, const char* what)
{
    note(text_of(call));
    die(what);
}

LONG WINAPI report_crash(EXCEPTION_POINTERS* pointers)
{
    const DWORD thread = GetCurrentThreadId();
    const EXCEPTION_RECORD& record = *pointers->ExceptionRecord;
    std::printf("# exception %#lx at %p, address %#llx\n", record.ExceptionCode,
        record.ExceptionAddress,
        static_cast<unsigned long long>(
            record.NumberParameters > 1 ? record.ExceptionInformation[1] : 0));
    for (const Call& call : g_calls) {
        if (call.thread == thread)
            die_in(call, "a call crashes");
    }
    die("a thread of the DLL crashes");
}

/// A thread keeps the events of its first wait inside Winsock as long as it lives.
void wait_in_winsock()
{
    WSADATA data;
    require(!WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    {
        const bench::UniqueSocket silent(socket(AF_INET, SOCK_DGRAM, 0));
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(silent.get(), &readable);
        timeval moment = { 0, 1 };
        select(0, &readable, nullptr, nullptr, &moment);
    }
    WSACleanup();
}

/// Ends calls that wait for what never comes, and the program if one does not end by that.
DWORD WINAPI nurse(void* stop)
{
    wait_in_winsock(); // as it may do in closing sockets
    while (WaitForSingleObject(stop, 200) == WAIT_TIMEOUT) {
        for (Call& call : g_calls) {
            const ULONGLONG since = call.since;
            if (!since)
                continue;
            const ULONGLONG waited = GetTickCount64() - since;
            if (waited > kHangAfter)
                die_in(call, "a call hangs");
            AcquireSRWLockExclusive(&call.world_lock);
            if (waited > kRescueAfter && call.since == since && call.world)
                call.world->rescue();
            ReleaseSRWLockExclusive(&call.world_lock);
        }
    }
    return 0;
}

template <size_t> using Word = uintptr_t;

template <size_t... I>
uintptr_t call_with(uintptr_t function, const Arguments& arguments, std::index_sequence<I...>)
{
    return reinterpret_cast<uintptr_t(WSAAPI*)(Word<I>...)>(function)(arguments[I]...);
}

/// The callee takes its arguments off the stack, so their number has to be exact.
template <size_t kCount = 0>
uintptr_t call_function(uintptr_t function, const Arguments& arguments, size_t count)
{
    if constexpr (kCount < kMostArguments) {
        if (count != kCount)
            return call_function<kCount + 1>(function, arguments, count);
    }
    return call_with(function, arguments, std::make_index_sequence<kCount>());
}

/// Did the call fail? `error` is then what it says.
bool has_failed(Outcome outcome, uintptr_t result, DWORD& error)
{
    switch (outcome) {
    case Outcome::kAny:
        return false;
    case Outcome::kMinusOne:
    case Outcome::kEveryBit:
        return static_cast<int>(result) == -1;
    case Outcome::kSocket:
        return result == INVALID_SOCKET;
    case Outcome::kEvent:
        return !result;
    case Outcome::kZero:
        return !static_cast<int>(result);
    case Outcome::kError:
    case Outcome::kAddressInfo:
    case Outcome::kWideAddressInfo:
    case Outcome::kAddressInfoEx:
    case Outcome::kAnsiAddressInfoEx:
    case Outcome::kContextTable:
        error = static_cast<DWORD>(result);
        return error;
    }
    return false;
}

/// Gives back what a call that worked has made.
void give_back(const Row& row, uintptr_t result, void* list)
{
    switch (row.outcome) {
    case Outcome::kSocket:
        closesocket(result);
        break;
    case Outcome::kEvent:
        WSACloseEvent(reinterpret_cast<WSAEVENT>(result));
        break;
    case Outcome::kAddressInfo:
        freeaddrinfo(static_cast<addrinfo*>(list));
        break;
    case Outcome::kWideAddressInfo:
        FreeAddrInfoW(static_cast<addrinfoW*>(list));
        break;
    case Outcome::kAddressInfoEx:
        FreeAddrInfoExW(static_cast<addrinfoExW*>(list));
        break;
    case Outcome::kAnsiAddressInfoEx:
        FreeAddrInfoEx(static_cast<addrinfoExA*>(list));
        break;
    case Outcome::kContextTable:
        HandleHelpers().end_table(list);
        break;
    default:
        break;
    }
    if (!std::strcmp(row.name, "WSAStartup"))
        WSACleanup();
    if (!std::strcmp(row.name, "WSACleanup")) {
        WSADATA data;
        require(!WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    }
}

/// Opens and closes what WSADuplicateSocket has made in this process.
void give_back_duplicate(const Row& row, const Arguments& arguments)
{
    if (std::strncmp(row.name, "WSADuplicateSocket", 18) || arguments[1] != GetCurrentProcessId())
        return;
    auto* const info = reinterpret_cast<WSAPROTOCOL_INFOA*>(arguments[2]);
    const SOCKET copy = row.name[18] == 'A'
        ? WSASocketA(-1, -1, -1, info, 0, 0)
        : WSASocketW(-1, -1, -1, reinterpret_cast<WSAPROTOCOL_INFOW*>(info), 0, 0);
    if (copy != INVALID_SOCKET)
        closesocket(copy);
}

class Lane {
public:
    Lane(unsigned number, const std::vector<Target>& targets)
        : m_targets(targets)
        , m_activity(*new Activity("lane", number)) // The watchdog may read it for ever.
        , m_call(g_calls[number])
        , m_number(number)
    {
    }

    void run(double deadline)
    {
        ArgumentWorld world(g_seed * kThreads + m_number);
        tell_world(&world);
        m_call.thread = GetCurrentThreadId();
        do {
            m_activity.doing("calling");
            world.prepare();
            call(world, m_targets[world.dice().below(static_cast<unsigned>(m_targets.size()))]);
        } while (now() < deadline);
        m_call.thread = 0;
        tell_world(nullptr);
        m_activity.doing("finished");
    }

    uint64_t calls() const { return m_call.number; }

private:
    void tell_world(ArgumentWorld* world)
    {
        AcquireSRWLockExclusive(&m_call.world_lock);
        m_call.world = world;
        ReleaseSRWLockExclusive(&m_call.world_lock);
    }

    void call(ArgumentWorld& world, const Target& target)
    {
        const Row& row = *target.row;
        for (size_t i = 0; i < row.arguments.size(); ++i)
            m_call.arguments[i] = world.draw(row.arguments[i], reason_to_be_good(row, i));
        m_call.row = &row;
        ++m_call.number;
        if (g_traces)
            note(text_of(m_call));
        SetLastError(kNoError);
        m_call.since = GetTickCount64();
        const uintptr_t result
            = call_function(target.function, m_call.arguments, row.arguments.size());
        DWORD error = GetLastError();
        m_call.since = 0;
        const bool failed = has_failed(row.outcome, result, error);
        world.settle_closing(!failed);
        if (!failed) {
            give_back(row, result, world.result() ? *world.result() : nullptr);
            give_back_duplicate(row, m_call.arguments);
            world.settle_new_handle();
        } else if (!is_documented(row, error)) {
            SetLastError(error);
            die_in(m_call, "a failed call leaves an error that is none of Winsock's");
        }
    }

    const std::vector<Target>& m_targets;
    Activity& m_activity;
    Call& m_call;
    unsigned m_number;
};

/// Adds the extension functions to `targets`; one that the DLL does not have is left out.
void add_extensions(std::vector<Target>& targets)
{
    static const std::pair<const char*, GUID> ids[]
        = { { "AcceptEx", WSAID_ACCEPTEX }, { "ConnectEx", WSAID_CONNECTEX },
              { "DisconnectEx", WSAID_DISCONNECTEX }, { "TransmitFile", WSAID_TRANSMITFILE },
              { "TransmitPackets", WSAID_TRANSMITPACKETS }, { "WSARecvMsg", WSAID_WSARECVMSG } };
    const bench::UniqueSocket socket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    for (const Row& row : extension_rows()) {
        for (const auto& [name, id] : ids) {
            if (std::strcmp(name, row.name))
                continue;
            if (void* const function = bench::extension_function<void*>(socket.get(), id))
                targets.push_back({ &row, reinterpret_cast<uintptr_t>(function) });
        }
    }
}

/// The functions of the export table that `only` does not leave out, each with its row.
std::vector<Target> find_targets(const std::string& only)
{
    std::vector<Target> targets;
    bool is_complete = true;
    const HMODULE module = GetModuleHandleW(L"ws2_32");
    for (const Exported& one : kExports) {
        const auto& rows = exported_rows();
        const auto row = std::find_if(rows.begin(), rows.end(),
            [&](const Row& candidate) { return !std::strcmp(candidate.name, one.name); });
        const auto function = reinterpret_cast<uintptr_t>(GetProcAddress(module, one.name));
        if (row == rows.end() || row->arguments.size() != one.arguments) {
            note(std::string(one.name) + " has no row with its arguments");
            is_complete = false;
        } else if (!function) {
            note(std::string(one.name) + " is not exported here");
        } else {
            targets.push_back({ &*row, function });
        }
    }
    report(is_complete, "every_export_has_its_arguments");
    add_extensions(targets);
    const auto is_wanted = [&](const Target& one) {
        return only.empty()
            || ("," + only + ",").find("," + std::string(one.row->name) + ",") != only.npos;
    };
    std::erase_if(targets, [&](const Target& one) { return !is_wanted(one); });
    require(!targets.empty(), "no such function");
    return targets;
}

uint64_t storm(const std::vector<Target>& targets, unsigned threads, double seconds)
{
    std::vector<std::unique_ptr<Lane>> lanes;
    for (unsigned i = 0; i < threads; ++i)
        lanes.push_back(std::make_unique<Lane>(i, targets));
    run_threads(threads, seconds, [&](unsigned i, double deadline) { lanes[i]->run(deadline); });
    uint64_t calls = 0;
    for (const auto& lane : lanes)
        calls += lane->calls();
    return calls;
}

/// On the host kernel one handle of a port that sockets were registered with stays until another
/// port is used so, and a thread with what it works on from the first one on: the storm's own port
/// takes the place of the last one of its arguments. [ProcessSocketNotifications/13]
void use_port_for_notifications()
{
    const auto function = reinterpret_cast<sdk::ProcessSocketNotifications>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleW(L"ws2_32"), "ProcessSocketNotifications")));
    if (!function)
        return;
    const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
    sdk::NotifyRegistration nothing = {};
    require(port && !function(port, 1, &nothing, 0, 0, nullptr, nullptr), "using a port");
    CloseHandle(port);
}

/// On ntke a socket of the host stands in its polls for those of AF_UNIX, from when one is made.
void make_unix_socket()
{
    const bench::UniqueSocket made(socket(AF_UNIX, SOCK_STREAM, 0));
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using namespace stress;
    const Options options = start(argc, argv);
    g_seed = options.seed;
    g_traces = options.traces;
    note("seed " + std::to_string(g_seed));
    SetUnhandledExceptionFilter(report_crash);
    const HANDLE stop = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    bench::Thread watching;
    require(watching.start([stop] { nurse(stop); }), "starting the nurse");

    // Each thread may call WSACleanup at the same time.
    WSADATA data;
    for (unsigned i = 0; i < kThreads; ++i)
        require(!WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");

    const std::vector<Target> targets = find_targets(options.only);
    storm(targets, kThreads, options.seconds / 4.0); // What is made once per process may stay.
    use_port_for_notifications();
    make_unix_socket();
    const unsigned before = count_handles();
    const uint64_t calls = storm(targets, kThreads, options.seconds);
    note(std::to_string(calls) + " calls");
    report(calls > 0, "bad_arguments_are_refused");
    use_port_for_notifications();
    report_handles(before);
    for (unsigned i = 0; i < kThreads; ++i)
        WSACleanup();
    SetEvent(stop);
    watching.join();
    return finish();
}
