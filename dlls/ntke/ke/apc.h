// Asynchronous procedure calls.
#pragma once

#include "nt/types.h"

namespace ke {

/// A call queued to a thread, made when the thread waits alertably. Counterpart: KAPC (user mode).
/// Owner: whoever queued it, until delivery or rundown; each releases it with `release`, before the
/// routine runs, so that the routine may end the thread. Guarded by the thread's APC lock while
/// queued. `release` may be null.
struct Apc {
    using Routine = void (*)(PVOID argument1, PVOID argument2, PVOID argument3);

    Apc* next = nullptr;
    Routine routine = nullptr;
    PVOID arguments[3] = {};
    void (*release)(Apc& apc) = nullptr;
};

} // namespace ke
