#pragma once

// What every stress program has: TAP output, a clock, a dice, and a watchdog, so that a program
// that meets a hang says where each thread was and fails instead of hanging itself.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace stress {

/// `seconds` is how long a storm blows; a program then ends what it has begun, however long that
/// takes.
struct Options {
    unsigned seconds = 8;
    /// --long was given: what has a size may be large.
    bool is_long = false;
    /// What dice start with: a number of its own for each run with --long, unless --seed gives it.
    uint64_t seed = 1;
    /// --trace was given: each step is printed before it is done.
    bool traces = false;
    /// --only gave a part of the whole, by its name.
    std::string only;
};

/// Reads the command line, [--seconds N] [--long] [--seed N] [--trace] [--only NAME]
/// [--expect-product NAME], starts Winsock and the
/// watchdog, and prints which ws2_32.dll is in use. Exits with 2 on a bad command line, with 3 if
/// the DLL is not of the expected product.
Options start(int argc, char** argv);

/// Prints a TAP line for one case.
void report(bool ok, const std::string& name);

/// Prints a line of diagnosis, from any thread.
void note(const std::string& text);

/// Prints the plan, ends Winsock and returns the exit code: 0 when every case was ok.
int finish();

/// What a thread is doing, for the watchdog's dump. Owned by the thread, readable by all; never
/// freed. Every change of it counts as progress.
class Activity {
public:
    explicit Activity(const char* who, unsigned number = 0);

    /// `what` must be a string literal.
    void doing(const char* what);

private:
    friend void dump_activities();

    const char* m_who;
    unsigned m_number;
    std::atomic<const char*> m_what;
    std::atomic<uint64_t> m_changes = 0;
    Activity* m_next;
};

/// Prints what each thread is doing.
void dump_activities();

/// Ends the program at once with a failed case: for a wrong result on any thread, where going on
/// would only bury the cause. Prints `what`, the last error and what each thread is doing.
[[noreturn]] void die(const char* what);

/// die(what) unless `ok`.
inline void require(bool ok, const char* what)
{
    if (!ok)
        die(what);
}

/// Seconds since an arbitrary instant.
double now();

/// Runs body(number, deadline) on `threads` threads, whose deadline is in `seconds`, and waits
/// until all have come back.
void run_threads(
    unsigned threads, double seconds, const std::function<void(unsigned, double)>& body);

/// A small generator of its own for each thread (xorshift64*); the same seed gives the same
/// numbers, so that a receiver can repeat what a sender drew.
class Dice {
public:
    explicit Dice(uint64_t seed)
        : m_state(seed * 0x9E3779B97F4A7C15 + 1)
    {
    }
    uint64_t next()
    {
        m_state ^= m_state >> 12;
        m_state ^= m_state << 25;
        m_state ^= m_state >> 27;
        return m_state * 0x2545F4914F6CDD1D;
    }
    /// 0 to limit - 1.
    unsigned below(unsigned limit) { return static_cast<unsigned>((next() >> 32) % limit); }
    void fill(char* data, size_t length)
    {
        for (size_t i = 0; i < length; ++i)
            data[i] = static_cast<char>(next() >> 56);
    }

private:
    uint64_t m_state;
};

/// How many handles this process has open. Asks the system; where its answer does not follow a
/// newly made handle, tries the handle values one by one. Waits until the number rests.
unsigned count_handles();

/// Reports the case no_handle_is_leaked: there are no more handles than `before`, but for so many
/// that may have been made once per process since.
void report_handles(unsigned before, unsigned made_late = 0);

} // namespace stress
