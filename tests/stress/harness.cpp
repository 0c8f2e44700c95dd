#include "harness.h"

#include "loopback.h"
#include "module.h"
#include "thread.h"

#include <windows.h>
#include <winternl.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

namespace stress {

namespace {

/// No thread changing its activity for so long is a hang, on any machine.
constexpr unsigned kStallSeconds = 120;
/// What --long stands for.
constexpr unsigned kLongSeconds = 60;
/// So many values in a row that mean nothing are beyond the last handle: the lowest free value is
/// given first. A value is a multiple of 4.
constexpr uintptr_t kGap = 4 * 1024;

std::atomic<Activity*> g_activities;
std::atomic<uint64_t> g_progress;
unsigned g_cases;
unsigned g_failures;

DWORD WINAPI watch(void*)
{
    uint64_t seen = g_progress;
    for (unsigned quiet = 0; quiet < kStallSeconds; ++quiet) {
        Sleep(1000);
        const uint64_t current = g_progress;
        if (current != seen)
            quiet = 0;
        seen = current;
    }
    die("no thread has made progress; something hangs or a wake-up was lost");
}

bool is_open(HANDLE handle)
{
    DWORD flags;
    return GetHandleInformation(handle, &flags);
}

} // namespace

/// Has many threads, more than a storm and the DLL ever have, wait for an object of the host's, as
/// only one that is no event stays, and for an event of the process'. On ntke a thread that does so
/// keeps an event of the host as long as it lives, and then another thread gets it: their number is
/// that of the threads that had one at the same time, and when those meet is chance. From here on
/// it does not grow.
static void stock_sleepers()
{
    constexpr unsigned kMostThreads = 32;
    std::atomic<unsigned> ready = 0;
    run_threads(kMostThreads, 0, [&](unsigned, double) {
        const HANDLE objects[] = { CreateSemaphoreW(nullptr, 0, 1, nullptr), WSACreateEvent() };
        require(objects[0] && objects[1], "making objects");
        WaitForMultipleObjects(2, objects, FALSE, 1);
        SetEvent(objects[1]); // and one of the host's is always signaled, for such a wait
        WaitForMultipleObjects(2, objects, FALSE, 1);
        CloseHandle(objects[0]);
        WSACloseEvent(objects[1]);
        for (++ready; ready < kMostThreads;)
            Sleep(1);
    });
}

/// Has a connect end that its caller does not wait for. The DLL's own thread then waits for the
/// host to have heard of it, and keeps events for that from the first time on. And as it has
/// something to do, it gives back what some closed sockets had left, which waits for that.
static void connect_unattended()
{
    sockaddr_in address;
    const bench::UniqueSocket listener(bench::listen_on_loopback(address));
    const bench::UniqueSocket client(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    const bench::UniqueEvent event(WSACreateEvent());
    require(!WSAEventSelect(client.get(), event.get(), FD_CONNECT), "selecting FD_CONNECT");
    connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    require(WaitForSingleObject(event.get(), INFINITE) == WAIT_OBJECT_0, "waiting for a connect");
}

Options start(int argc, char** argv)
{
    Options options;
    std::string product;
    bool has_seed = false;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : "";
        if (argument == "--long") {
            options.seconds = kLongSeconds;
            options.is_long = true;
            options.seed = has_seed ? options.seed : GetTickCount64();
        } else if (argument == "--trace") {
            options.traces = true;
        } else if (argument == "--seed" && *value) {
            options.seed = std::strtoull(value, nullptr, 10);
            has_seed = true;
            ++i;
        } else if (argument == "--only" && *value) {
            options.only = value;
            ++i;
        } else if (argument == "--expect-product" && *value) {
            product = value;
            ++i;
        } else if (argument == "--seconds" && std::atoi(value) > 0) {
            options.seconds = static_cast<unsigned>(std::atoi(value));
            ++i;
        } else {
            std::fprintf(stderr,
                "usage: %s [--seconds N] [--long] [--seed N] [--trace] [--only NAME]"
                " [--expect-product NAME]\n",
                argv[0]);
            std::exit(2);
        }
    }
    WSADATA data;
    require(!WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    const bench::Ws2Module module = bench::loaded_ws2_module();
    note("ws2_32: " + module.path + ", " + module.product + ", " + module.version);
    if (!product.empty() && product != module.product) {
        std::fprintf(stderr, "this is not the ws2_32.dll of %s\n", product.c_str());
        std::exit(3);
    }
    const HANDLE watchdog = CreateThread(nullptr, 0, watch, nullptr, 0, nullptr);
    require(watchdog != nullptr, "starting the watchdog");
    CloseHandle(watchdog);
    return options;
}

void report(bool ok, const std::string& name)
{
    g_failures += !ok;
    std::printf("%sok %u - %s\n", ok ? "" : "not ", ++g_cases, name.c_str());
    std::fflush(stdout);
}

void note(const std::string& text)
{
    std::printf("# %s\n", text.c_str());
    std::fflush(stdout);
}

int finish()
{
    std::printf("1..%u\n", g_cases);
    std::fflush(stdout);
    WSACleanup();
    return g_failures ? 1 : 0;
}

Activity::Activity(const char* who, unsigned number)
    : m_who(who)
    , m_number(number)
    , m_what("starting")
    , m_next(g_activities)
{
    while (!g_activities.compare_exchange_weak(m_next, this)) { }
}

void Activity::doing(const char* what)
{
    m_what.store(what, std::memory_order_relaxed);
    m_changes.fetch_add(1, std::memory_order_relaxed);
    g_progress.fetch_add(1, std::memory_order_relaxed);
}

void dump_activities()
{
    for (const Activity* one = g_activities; one; one = one->m_next)
        std::printf("# %s %u: %s, change %llu\n", one->m_who, one->m_number, one->m_what.load(),
            static_cast<unsigned long long>(one->m_changes.load()));
}

void die(const char* what)
{
    static std::atomic<bool> is_dying;
    const DWORD error = GetLastError();
    if (is_dying.exchange(true))
        Sleep(INFINITE); // Another thread is writing the cause; this one's is most likely a result.
    dump_activities();
    std::printf("# %s (last error %lu, thread %lu)\n", what, error, GetCurrentThreadId());
    std::printf("not ok %u - %s\n1..%u\n", g_cases + 1, what, g_cases + 1);
    std::fflush(stdout);
    TerminateProcess(GetCurrentProcess(), 1); // No cleanup: it might wait for the very hang.
    std::abort();
}

void run_threads(
    unsigned threads, double seconds, const std::function<void(unsigned, double)>& body)
{
    const double deadline = now() + seconds;
    std::vector<bench::Thread> running(threads);
    for (unsigned i = 0; i < threads; ++i)
        require(running[i].start([&, i] { body(i, deadline); }), "starting a thread");
    for (bench::Thread& thread : running)
        thread.join();
}

double now()
{
    LARGE_INTEGER frequency;
    LARGE_INTEGER counter;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&counter);
    return static_cast<double>(counter.QuadPart) / static_cast<double>(frequency.QuadPart);
}

static std::vector<HANDLE> open_handles()
{
    std::vector<HANDLE> open;
    for (uintptr_t value = 4, last = 0; value <= last + kGap; value += 4) {
        const auto handle = reinterpret_cast<HANDLE>(value);
        if (!is_open(handle))
            continue;
        last = value;
        open.push_back(handle);
    }
    return open;
}

static std::string kind_of(HANDLE handle)
{
    alignas(8) std::array<char, 1024> room;
    const auto* type = reinterpret_cast<PUBLIC_OBJECT_TYPE_INFORMATION*>(room.data());
    if (NtQueryObject(handle, ObjectTypeInformation, room.data(), room.size(), nullptr) < 0)
        return "?";
    const UNICODE_STRING& name = type->TypeName;
    return { name.Buffer, name.Buffer + name.Length / sizeof(WCHAR) };
}

/// What kinds of handles are open, and how many of each. Semaphores are left out: a critical
/// section of the system's makes one for good when threads first meet at it.
static std::map<std::string, unsigned> kinds_of_open_handles()
{
    std::map<std::string, unsigned> kinds;
    for (const HANDLE handle : open_handles())
        ++kinds[kind_of(handle)];
    kinds.erase("Semaphore");
    return kinds;
}

/// What the last count_handles has found.
static std::map<std::string, unsigned> g_counted;

static unsigned count_handles_now()
{
    unsigned count = 0;
    g_counted = kinds_of_open_handles();
    for (const auto& [kind, number] : g_counted)
        count += number;
    return count;
}

unsigned count_handles()
{
    static std::once_flag is_stocked;
    std::call_once(is_stocked, stock_sleepers);
    connect_unattended();
    // The DLL closes some handles a moment later, on a thread of its own.
    constexpr int kSameCounts = 10;
    constexpr DWORD kPause = 20; // ms
    unsigned count = count_handles_now();
    for (int same = 0; same < kSameCounts;) {
        Sleep(kPause);
        const unsigned next = count_handles_now();
        same = next == count ? same + 1 : 0;
        count = next;
    }
    return count;
}

void report_handles(unsigned before, unsigned made_late)
{
    auto kinds_before = g_counted;
    const unsigned after = count_handles();
    note(std::to_string(before) + " handles before, " + std::to_string(after) + " after");
    const bool is_leaked = after > before + made_late;
    if (is_leaked) {
        std::string more;
        for (const auto& [kind, number] : g_counted) {
            if (number > kinds_before[kind])
                more += " " + std::to_string(number - kinds_before[kind]) + " " + kind;
        }
        note("more than before:" + more);
    }
    report(!is_leaked, "no_handle_is_leaked");
}

} // namespace stress
