// What every conformance group stands on: the public Winsock API, cmocka, checked waits, and
// ownership that survives a failing assert.
//
// A failing cmocka assert longjmps past C++ destructors and may only happen on the test thread.
// So a case never owns anything itself: it hands what it opens to owned(), and the teardown that
// the harness puts around every case closes it; another thread only records (run_in_background)
// and the test thread asserts.
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#undef WIN32_NO_STATUS // Kept windows.h from defining a few of what the next header defines whole.
#include <ntstatus.h>

#include <atomic>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <csetjmp>
#include <functional>
#include <source_location>

extern "C" {
#include <cmocka.h>
}

namespace conformance {

using Where = std::source_location;

/// How long, in milliseconds, something that must happen may take before the case is failed
/// instead of hanging. It proves nothing about speed.
constexpr DWORD kHangLimit = 15000;

/// The same for a network event. Shorter, since a system that never records one (a known gap) makes
/// its case wait this long in every run.
constexpr DWORD kEventLimit = 4000;

/// An error no Winsock call returns; last error is set to it before a checked call.
constexpr int kPoison = 0xBEEF;

/// One group of cases. Lives in static storage of the group's file.
struct Group {
    const char* name;
    const CMUnitTest* cases;
    size_t count;
    /// Whether the harness holds a WSAStartup(2.2) around the group.
    bool started;
};

/// Defines the group `name` of this file with the array of its cases. Winsock is started.
#define CONFORMANCE_GROUP(name, cases)                                                             \
    extern const ::conformance::Group group_##name;                                                \
    const ::conformance::Group group_##name                                                        \
    {                                                                                              \
#name, cases, sizeof(cases) / sizeof((cases)[0]), true                                     \
    }

/// The same for a group whose cases start Winsock themselves.
#define CONFORMANCE_GROUP_NOT_STARTED(name, cases)                                                 \
    extern const ::conformance::Group group_##name;                                                \
    const ::conformance::Group group_##name                                                        \
    {                                                                                              \
#name, cases, sizeof(cases) / sizeof((cases)[0]), false                                    \
    }

/// Runs the cases of a group as one cmocka group. Returns the number of failed cases.
int run_group(const Group& group);

/// Calls and checks result and error together; the error is poisoned first.
#define assert_wsa_fails(call, failure, error)                                                     \
    do {                                                                                           \
        WSASetLastError(::conformance::kPoison);                                                   \
        assert_int_equal((intptr_t)(call), (intptr_t)(failure));                                   \
        assert_int_equal(WSAGetLastError(), (error));                                              \
    } while (0)

/// Checks a call that returns 0 for success and tells the error when it did not.
#define assert_wsa_ok(call)                                                                        \
    do {                                                                                           \
        WSASetLastError(0);                                                                        \
        if ((call) != 0) {                                                                         \
            print_error("%s failed with %d\n", #call, WSAGetLastError());                          \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/// Fails the case at the line of the caller, with a message.
[[noreturn]] void fail_at(const Where& where, const char* format, ...)
    __attribute__((format(gnu_printf, 2, 3)));

// --- Ownership. Closed by the teardown of the case, sockets first, then handles.

SOCKET owned(SOCKET socket);
HANDLE owned(HANDLE handle);

/// Closes now what was owned. The value is forgotten before it can be reused.
void close_owned(SOCKET socket, Where where = Where::current());
void close_owned(HANDLE handle, Where where = Where::current());

/// Gives up ownership: the case has closed it by other means.
void disown(SOCKET socket);
void disown(HANDLE handle);

/// Zeroed memory that stays valid to the end of the process, for OVERLAPPED structures and buffers
/// which the system may still write to after a failed case has been left.
void* lasting_memory(size_t size);
template <typename T> T* lasting()
{
    return static_cast<T*>(lasting_memory(sizeof(T)));
}

// --- Events and waits.

/// WSACreateEvent, checked and owned.
WSAEVENT new_event(Where where = Where::current());

/// CreateEvent auto-reset and nonsignaled, checked and owned.
HANDLE new_auto_event(Where where = Where::current());

/// Whether a wait with time-out 0 succeeds. Consumes the signal of an auto-reset event.
bool is_signaled(HANDLE handle);

/// Fails the case if the object is not signaled within the hang limit.
void assert_becomes_signaled(HANDLE handle, Where where = Where::current());

/// Gives something that must NOT happen a fair chance to happen: a short bounded pause. It proves
/// nothing on its own; a case prefers a witness that is causally later than what must not happen.
void let_it_settle();

/// Repeats a question until it is answered with yes; fails the case at the hang limit.
void assert_eventually(const std::function<bool()>& question, Where where = Where::current());

// --- Background calls.

/// What a background call returned, and its thread's last error right after.
struct Outcome {
    long long value;
    int error;
};

/// A call running on a thread of its own. Owned by the harness.
struct Background;

/// Starts `call` on a new thread, and returns once that thread runs. It may record into lasting()
/// memory but must not assert.
Background* run_in_background(std::function<long long()> call, Where where = Where::current());

/// Thread id, and the thread's handle for waits and APCs; both valid until the case ends.
DWORD background_thread_id(const Background* background);
HANDLE background_thread(const Background* background);

/// Waits for the call to end and returns its outcome; fails the case at the hang limit.
Outcome join(Background* background, Where where = Where::current());

/// Whether the call is over by now.
bool has_ended(const Background* background);

/// Stays at work until threads have counted so far, or for kEventLimit. May be used on any thread.
bool comes_to(const std::atomic<LONG>& count, LONG wanted);

} // namespace conformance
