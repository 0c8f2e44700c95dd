// What every group of the NT-level suite stands on: the Nt services, cmocka, background calls, and
// ownership that survives a failing assert.
//
// The same source runs against a real ntdll (compiled as PE) and against ntke (compiled natively);
// platform.h hides the little they do not share. A failing cmocka assert longjmps past C++
// destructors and may only happen on the test thread: cases hand what they open to owned(), the
// teardown closes it; a background thread records and the test thread asserts.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <csetjmp>
#include <functional>

extern "C" {
#include <cmocka.h>
}

#include "nt/api.h"

namespace nt_suite {

/// One group of cases. Lives in static storage of the group's file.
struct Group {
    const char* name;
    const CMUnitTest* cases;
    size_t count;
};

/// Defines the group `name` of this file with the array of its cases.
#define NT_GROUP(name, cases)                                                                      \
    extern const ::nt_suite::Group group_##name;                                                   \
    const ::nt_suite::Group group_##name                                                           \
    {                                                                                              \
#name, cases, sizeof(cases) / sizeof((cases)[0])                                           \
    }

/// Runs the cases of a group as one cmocka group. Returns the number of failed cases.
int run_group(const Group& group);

/// Compares statuses and prints them in hex.
#define assert_status(call, expected)                                                              \
    do {                                                                                           \
        const NTSTATUS actual_status_ = (call);                                                    \
        if (actual_status_ != (expected)) {                                                        \
            print_error("%s returned %08x, not %s\n", #call,                                       \
                static_cast<unsigned>(actual_status_), #expected);                                 \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/// A time as the services take it, in units of 100 ns: negative = relative.
inline LARGE_INTEGER ticks(int64_t count)
{
    LARGE_INTEGER time {};
    time.QuadPart = count;
    return time;
}
// No service writes to its time-out; the SDK declares one of them as if it did.
/// "Test now": no wait.
inline LARGE_INTEGER kNow = ticks(0);
inline LARGE_INTEGER kTenMilliseconds = ticks(-100'000);
/// Long enough that running into it means a hang. It proves nothing about speed.
inline LARGE_INTEGER kHangLimit = ticks(-150'000'000);

// --- Ownership. Closed by the teardown of the case.

HANDLE owned(HANDLE handle);
void disown(HANDLE handle);
/// NtClose of something owned, checked.
void close_owned(HANDLE handle);

// --- Objects, checked and owned.

HANDLE new_event(EventType type, bool signaled = false, ACCESS_MASK access = EVENT_ALL_ACCESS);
HANDLE new_port(ULONG concurrency = 0);
/// A value that was a handle and is none any more; the next handle made may get it.
HANDLE closed_handle();
/// The signal state, asked without consuming it.
bool is_signaled(HANDLE event);
/// A wait with time-out zero.
NTSTATUS poll(HANDLE handle, bool alertable = false);

// --- Background calls.

struct Background;

/// Runs `call` on a new thread. It must not assert. Returns once the thread runs.
Background* run_in_background(std::function<NTSTATUS()> call);
/// A handle to the thread for APCs, alerts and waits; owned.
HANDLE background_thread(const Background* background);
/// Waits for the end of the call and returns what it returned; fails the case when it hangs.
NTSTATUS join(Background* background);
bool has_ended(const Background* background);
/// Repeats a question until it is answered with yes; fails the case at the hang limit.
void assert_eventually(const std::function<bool()>& question);

inline HANDLE current_process()
{
    return reinterpret_cast<HANDLE>(static_cast<intptr_t>(-1));
}
inline HANDLE current_thread()
{
    return reinterpret_cast<HANDLE>(static_cast<intptr_t>(-2));
}

} // namespace nt_suite
