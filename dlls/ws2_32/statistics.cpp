#include "statistics.h"

#include <cstdio>

#include "emulation.h"
#include "environment.h"
#include "lock.h"

namespace ws2::statistics {

Counts g_counts[kKindCount];
std::atomic<bool> g_is_on { false };

namespace {

constexpr const char* kNames[kKindCount] = { "receives", "sends", "polls" };

struct Cause {
    const char* why; // a literal
    uint64_t count;
};
SrwLock lock;
Cause causes[8]; // guarded by lock

void write_line(const char* format, ...)
{
    char line[200];
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    DWORD written;
    if (length > 0)
        WriteFile(GetStdHandle(STD_ERROR_HANDLE), line, length, &written, nullptr);
}

} // namespace

void handed_over(const char* why)
{
    if (!g_is_on)
        return;
    ExclusiveGuard guard(lock);
    for (Cause& cause : causes) {
        if (cause.why && cause.why != why)
            continue;
        cause.why = why;
        ++cause.count;
        return;
    }
}

void start()
{
    g_is_on = environment_says(L"WS2_32_STATS", L"1");
}

void print()
{
    if (!g_is_on)
        return;
    write_line("ws2_32: kernel %s\n", emulation::is_on() ? "ntke" : "host");
    if (!emulation::is_on())
        return;
    for (int kind = 0; kind < kKindCount; ++kind) {
        write_line("ws2_32: %-13s %12I64u completed in the process, %I64u passed down\n",
            kNames[kind], g_counts[kind].completed.load(), g_counts[kind].passed_down.load());
    }
    for (const Cause& cause : causes) {
        if (cause.why)
            write_line("ws2_32: %I64u sockets handed over: %s\n", cause.count, cause.why);
    }
    ntke::StatisticsArgs args {};
    emulation::call(ntke::kCallStatistics, &args);
    write_line("ws2_32: %I64u endpoints, %I64u rounds of the pump, %I64u events set by it\n",
        args.endpoints, args.pump_wakeups, args.signals);
    const struct {
        const char* name;
        ntke::RequestCounts counts;
    } requests[]
        = { { "receives", args.receives }, { "sends", args.sends }, { "polls", args.polls },
              { "selections", args.selections }, { "enumerations", args.enumerations } };
    for (const auto& request : requests) {
        write_line("ws2_32: requests: %-12s %12I64u served, %I64u by the host\n", request.name,
            request.counts.served, request.counts.passed_down);
    }
    // What the same calls cost on Wine's own DLL, in requests to its server.
    const uint64_t avoided = 2
        * (g_counts[kReceives].completed + g_counts[kSends].completed + g_counts[kPolls].completed
            + args.enumerations.served);
    write_line("ws2_32: about %I64u requests to the server avoided\n", avoided);
}

} // namespace ws2::statistics
