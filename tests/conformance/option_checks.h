// What the option cases have in common.
#pragma once

#include "harness.h"
#include "peers.h"

namespace conformance {

// Options the SDK's headers do not name for every version.
constexpr int kSoBspState = 0x1009;
constexpr int kSoRandomizePort = 0x3005;
constexpr int kSoReuseUnicastPort = 0x3007;
constexpr int kTcpKeepIdle = 3;
constexpr int kTcpKeepCnt = 16;
constexpr int kTcpKeepIntvl = 17;
constexpr int kTcpBsdUrgent = 0x7000;

/// Fails the case unless the DWORD option reads back as `expected`, with its size.
void assert_option(
    SOCKET socket, int level, int name, DWORD expected, Where where = Where::current());

/// One option and what getting and setting it answers, 0 for success.
struct Validity {
    int name;
    int get_error;
    int set_error;
};

/// Checks a table of DWORD options on one socket; the value set is what was read, or 1.
template <size_t kCount>
void assert_validity(
    SOCKET socket, int level, const Validity (&table)[kCount], Where where = Where::current())
{
    for (const Validity& row : table) {
        DWORD value = 1;
        int length = sizeof(value);
        WSASetLastError(kPoison);
        const int got
            = getsockopt(socket, level, row.name, reinterpret_cast<char*>(&value), &length);
        if ((got ? WSAGetLastError() : 0) != row.get_error)
            fail_at(where, "get of option %d: %d instead of %d", row.name,
                got ? WSAGetLastError() : 0, row.get_error);
        if (got)
            value = 1;
        const int set = setsockopt(
            socket, level, row.name, reinterpret_cast<const char*>(&value), sizeof(value));
        if ((set ? WSAGetLastError() : 0) != row.set_error)
            fail_at(where, "set of option %d: %d instead of %d", row.name,
                set ? WSAGetLastError() : 0, row.set_error);
    }
}

} // namespace conformance
