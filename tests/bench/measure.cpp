#include "measure.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifdef _WIN32
#include <winsock2.h>
#else
#include <cerrno>
#include <ctime>
#endif

namespace bench {

namespace {

const char* unit_name(Unit unit)
{
    switch (unit) {
    case Unit::MicrosecondsPerOperation:
        return "us";
    case Unit::OperationsPerSecond:
        return "1/s";
    case Unit::MegabytesPerSecond:
        return "MB/s";
    }
    return "?";
}

double figure(const WorkloadRow& row, uint64_t iterations, uint64_t elapsed_ns)
{
    const double seconds = static_cast<double>(std::max<uint64_t>(elapsed_ns, 1)) / 1e9;
    const double operations = static_cast<double>(iterations);
    switch (row.unit) {
    case Unit::MicrosecondsPerOperation:
        return seconds * 1e6 / operations;
    case Unit::OperationsPerSecond:
        return operations / seconds;
    case Unit::MegabytesPerSecond:
        return operations * static_cast<double>(row.bytes_per_operation) / 1e6 / seconds;
    }
    return 0;
}

/// Doubles the number of iterations until one run is long enough to be measured, then scales it.
/// The first run, which pays for whatever is made on first use, does not count. Returns 0 if a run
/// failed.
uint64_t calibrate(Workload& workload, unsigned sample_milliseconds)
{
    const uint64_t target_ns = sample_milliseconds * 1'000'000ULL;
    if (!workload.run(1))
        return 0;
    for (uint64_t iterations = 1;; iterations *= 2) {
        const uint64_t start = now_ns();
        if (!workload.run(iterations))
            return 0;
        const uint64_t elapsed = std::max<uint64_t>(now_ns() - start, 1);
        if (elapsed >= target_ns / 2)
            return std::max<uint64_t>(1, iterations * target_ns / elapsed);
    }
}

} // namespace

uint64_t now_ns()
{
#ifdef _WIN32
    LARGE_INTEGER frequency;
    LARGE_INTEGER counter;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&counter);
    const uint64_t ticks = static_cast<uint64_t>(counter.QuadPart);
    const uint64_t per_second = static_cast<uint64_t>(frequency.QuadPart);
    return ticks / per_second * 1'000'000'000 + ticks % per_second * 1'000'000'000 / per_second;
#else
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
#endif
}

bool fail(const char* what)
{
#ifdef _WIN32
    const int error = WSAGetLastError();
#else
    const int error = errno;
#endif
    std::fprintf(stderr, "bench: %s (last error %d)\n", what, error);
    return false;
}

bool measure(const WorkloadRow& row, const Plan& plan)
{
    const std::unique_ptr<Workload> workload = row.create(row.parameter);
    if (!workload->set_up())
        return false;
    const uint64_t iterations
        = plan.iterations ? plan.iterations : calibrate(*workload, plan.sample_milliseconds);
    if (!iterations)
        return false;

    std::string values;
    for (unsigned sample = 0; sample < plan.samples; ++sample) {
        const uint64_t start = now_ns();
        if (!workload->run(iterations))
            return false;
        const uint64_t elapsed = now_ns() - start;
        char text[40];
        std::snprintf(
            text, sizeof(text), "%s%.6g", sample ? "," : "", figure(row, iterations, elapsed));
        values += text;
    }
    if (!workload->verify())
        return false;
    std::printf("sample workload=%s unit=%s iterations=%llu values=%s\n", row.name.c_str(),
        unit_name(row.unit), static_cast<unsigned long long>(iterations), values.c_str());
    std::fflush(stdout);
    return true;
}

int run_workloads(const std::vector<WorkloadRow>& rows, int argc, char** argv)
{
    Plan plan;
    std::vector<const WorkloadRow*> chosen;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const bool has_value = i + 1 < argc;
        if (argument == "--list") {
            for (const WorkloadRow& row : rows)
                std::printf("%s\n", row.name.c_str());
            return 0;
        }
        if (argument == "--iterations" && has_value) {
            plan.iterations = std::strtoull(argv[++i], nullptr, 10);
            continue;
        }
        if (argument == "--samples" && has_value) {
            plan.samples = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
            continue;
        }
        if (argument == "--sample-ms" && has_value) {
            plan.sample_milliseconds = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
            continue;
        }
        const auto row = std::find_if(rows.begin(), rows.end(),
            [&](const WorkloadRow& candidate) { return candidate.name == argument; });
        if (row == rows.end()) {
            std::fprintf(stderr, "bench: no workload \"%s\"; --list prints them\n", argv[i]);
            return 2;
        }
        chosen.push_back(&*row);
    }
    if (chosen.empty()) {
        std::fprintf(stderr,
            "usage: bench [--iterations N] [--samples N] [--sample-ms N] WORKLOAD...\n"
            "       bench --list\n");
        return 2;
    }
    for (const WorkloadRow* row : chosen) {
        if (!measure(*row, plan)) {
            std::fprintf(stderr, "bench: %s gave a wrong result\n", row->name.c_str());
            return 1;
        }
    }
    return 0;
}

} // namespace bench
