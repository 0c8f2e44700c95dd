// What WS2_32_STATS=1 prints when the process ends: who completed how many calls.
#pragma once

#include <atomic>

#include "sdk.h"

namespace ws2::statistics {

enum Kind { kReceives, kSends, kPolls, kKindCount };

struct Counts {
    std::atomic<uint64_t> completed { 0 }; // in the process
    std::atomic<uint64_t> passed_down { 0 }; // to the host
};
extern Counts g_counts[kKindCount];
extern std::atomic<bool> g_is_on;

/// Counts, and returns what the filter's functions return in that case.
inline bool completed(Kind kind)
{
    if (g_is_on.load(std::memory_order_relaxed)) [[unlikely]]
        g_counts[kind].completed.fetch_add(1, std::memory_order_relaxed);
    return true;
}
inline bool passed_down(Kind kind)
{
    if (g_is_on.load(std::memory_order_relaxed)) [[unlikely]]
        g_counts[kind].passed_down.fetch_add(1, std::memory_order_relaxed);
    return false;
}

/// A socket was handed over to the host.
void handed_over(const char* why);

/// Reads the environment, once.
void start();
/// Prints, if it is on. Called when the process ends.
void print();

} // namespace ws2::statistics
