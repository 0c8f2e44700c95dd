// Handles that a process has open.
#pragma once

#include "harness.h"

#include <windows.h>

namespace conformance {

/// How many handle values of the process mean something. Asked one by one, since not every system
/// counts them.
inline int count_open_handles()
{
    constexpr uintptr_t kHighest = 0x4000;
    int count = 0;
    for (uintptr_t value = 4; value < kHighest; value += 4) {
        DWORD flags;
        count += GetHandleInformation(reinterpret_cast<HANDLE>(value), &flags) != 0;
    }
    return count;
}

/// Fails the case when a round leaves a handle open. The first ones load what they need for good.
/// What another thread of the library closes may take a moment.
template <typename Round>
void assert_rounds_leave_nothing_open(Round round, Where where = Where::current())
{
    constexpr int kRounds = 12;
    for (int i = 0; i < 3; ++i)
        round();
    const int before = count_open_handles();
    for (int i = 0; i < kRounds; ++i)
        round();
    assert_eventually([before] { return count_open_handles() <= before; }, where);
}

} // namespace conformance
