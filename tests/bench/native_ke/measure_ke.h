// Timing for micro-benchmarks of a few nanoseconds: batches, medians, and a yardstick beside them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

namespace bench_ke {

constexpr int kSamples = 31;

inline int64_t nanoseconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

inline double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// One sample: nanoseconds per operation of `count` operations done by `body(count)`.
template <typename Body> double sample(uint64_t count, Body& body)
{
    const int64_t start = nanoseconds();
    body(count);
    return static_cast<double>(nanoseconds() - start) / static_cast<double>(count);
}

/// The median of many samples.
template <typename Body> double measure(uint64_t count, Body body)
{
    body(count / 10 + 1); // caches, pages, first-call work
    std::vector<double> samples;
    for (int i = 0; i < kSamples; ++i)
        samples.push_back(sample(count, body));
    return median(samples);
}

/// Two things compared: their samples alternate, so that whatever disturbs the machine disturbs
/// both.
struct Pair {
    double ours;
    double other;
    double fastest_ours;
    double fastest_other;
};
template <typename Ours, typename Other> Pair compare(uint64_t count, Ours ours, Other other)
{
    ours(count / 10 + 1);
    other(count / 10 + 1);
    std::vector<double> our_samples;
    std::vector<double> other_samples;
    for (int i = 0; i < kSamples; ++i) {
        our_samples.push_back(sample(count, ours));
        other_samples.push_back(sample(count, other));
    }
    return { median(our_samples), median(other_samples),
        *std::min_element(our_samples.begin(), our_samples.end()),
        *std::min_element(other_samples.begin(), other_samples.end()) };
}

inline void print(const char* name, double ns)
{
    printf("%-44s %10.1f ns\n", name, ns);
}
inline void print(const char* name, Pair pair, const char* other)
{
    printf("%-44s %10.1f ns   %s %.1f ns   ratio %.2f   of the fastest samples %.2f\n", name,
        pair.ours, other, pair.other, pair.ours / pair.other,
        pair.fastest_ours / pair.fastest_other);
}

} // namespace bench_ke
