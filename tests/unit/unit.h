// What the white box tests of ntke share.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <csetjmp>
#include <cstdlib>
#include <ctime>

#include <pthread.h>

extern "C" {
#include <cmocka.h>
}

#include "afd/pump.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "ob/object.h"
#include "ob/read_section.h"

#define assert_status(call, expected)                                                              \
    do {                                                                                           \
        const NTSTATUS actual_status_ = (call);                                                    \
        if (actual_status_ != (expected)) {                                                        \
            print_error("%s returned %08x, not %s\n", #call,                                       \
                static_cast<unsigned>(actual_status_), #expected);                                 \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

namespace unit {

/// Objects of all types that exist, dead ones awaiting their batch excluded, but not those that the
/// pump holds: for a test that calls Pump::run itself.
inline int64_t object_count_with_pumps()
{
    ob::reclaim_now();
    int64_t count = 0;
    for (const ob::Type* type :
        { &ob::g_event_type, &ob::g_thread_type, &ob::g_file_type, &ob::g_completion_type })
        count += type->objects.load();
    return count;
}

/// Objects of all types that somebody but the pump's own thread holds.
inline int64_t object_count()
{
    afd::Pump::instance().drain();
    return object_count_with_pumps();
}

/// A small fast generator whose sequence depends on the seed alone (splitmix64).
class Random {
public:
    explicit Random(uint64_t seed)
        : m_state(seed)
    {
    }
    uint64_t next()
    {
        uint64_t z = (m_state += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    uint32_t below(uint32_t limit) { return static_cast<uint32_t>(next() % limit); }
    bool one_in(uint32_t n) { return below(n) == 0; }

private:
    uint64_t m_state;
};

/// Waits for a change; comes back soon without one, too, for a look at the time-out.
inline void wait_for_change(pthread_cond_t& changed, pthread_mutex_t& lock)
{
    timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200'000;
    until.tv_sec += until.tv_nsec / 1'000'000'000;
    until.tv_nsec %= 1'000'000'000;
    pthread_cond_timedwait(&changed, &lock, &until);
}

/// A number from the environment: longer runs (NTKE_ROUNDS) or a repeated one (NTKE_SEED).
inline uint64_t setting(const char* name, uint64_t otherwise)
{
    const char* text = getenv(name);
    return text ? strtoull(text, nullptr, 0) : otherwise;
}

} // namespace unit
