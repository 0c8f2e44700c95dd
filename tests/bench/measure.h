#pragma once

// How a workload is timed and printed. Shared by the Windows program and the native Linux one, so
// that the figures of both come from the same loop.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

/// What a figure counts. Microseconds: less is better; the other two: more is better.
enum class Unit {
    MicrosecondsPerOperation,
    OperationsPerSecond,
    MegabytesPerSecond,
};

/// One thing that is measured. Made, set up, run several times and destroyed on one thread.
class Workload {
public:
    virtual ~Workload() = default;

    /// Makes what the operation needs (sockets, events, peer threads). Not timed.
    virtual bool set_up() { return true; }

    /// Does the operation `iterations` times and checks each result. Timed. Returns false, after
    /// reporting the cause with fail(), when a result is wrong.
    virtual bool run(uint64_t iterations) = 0;

    /// Checks that are too expensive or too disturbing for the timed loop. Not timed.
    virtual bool verify() { return true; }
};

struct WorkloadRow {
    std::string name;
    Unit unit;
    std::unique_ptr<Workload> (*create)(unsigned parameter);
    /// Number of connections or sockets, where the workload has one.
    unsigned parameter = 0;
    /// Bytes one operation moves; for MegabytesPerSecond.
    uint64_t bytes_per_operation = 0;
};

/// How long and how often a workload runs.
struct Plan {
    /// Operations per sample; 0: as many as fill sample_milliseconds.
    uint64_t iterations = 0;
    unsigned samples = 12;
    unsigned sample_milliseconds = 30;
};

template <typename T> std::unique_ptr<Workload> create(unsigned)
{
    return std::make_unique<T>();
}

template <typename T> std::unique_ptr<Workload> create_with(unsigned parameter)
{
    return std::make_unique<T>(parameter);
}

/// Monotonic time in nanoseconds; asks no server.
uint64_t now_ns();

/// Prints what went wrong, with the error code of the last socket call, on stderr. Returns false.
bool fail(const char* what);

/// `ok`, or fail(what).
inline bool expect(bool ok, const char* what)
{
    return ok || fail(what);
}

/// Sets `row` up, finds the number of iterations, takes the samples and prints one line:
///     sample workload=NAME unit=us iterations=N values=1.23,1.25,...
/// Returns false, with nothing on stdout, if a result was wrong.
bool measure(const WorkloadRow& row, const Plan& plan);

/// The whole command line: [--list] [--iterations N] [--samples N] [--sample-ms N] WORKLOAD...
/// Returns the exit code: 0, 1 for a wrong result, 2 for a wrong command line.
int run_workloads(const std::vector<WorkloadRow>& rows, int argc, char** argv);

} // namespace bench
