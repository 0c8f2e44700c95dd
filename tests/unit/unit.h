// What the white box tests of ntke share.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <csetjmp>
#include <cstdlib>

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

/// Objects of all types that exist, dead ones awaiting their batch excluded.
inline int64_t object_count()
{
    afd::Pump::instance().drain();
    ob::reclaim_now();
    int64_t count = 0;
    for (const ob::Type* type :
        { &ob::g_event_type, &ob::g_thread_type, &ob::g_file_type, &ob::g_completion_type })
        count += type->objects.load();
    return count;
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

/// A number from the environment: longer runs (NTKE_ROUNDS) or a repeated one (NTKE_SEED).
inline uint64_t setting(const char* name, uint64_t otherwise)
{
    const char* text = getenv(name);
    return text ? strtoull(text, nullptr, 0) : otherwise;
}

} // namespace unit
