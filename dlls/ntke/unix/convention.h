// How functions of the host take their arguments. It differs by version of Wine, and is found out
// by a call, never assumed.
#pragma once

#include <cstdint>

#include "nt/types.h"

/// Windows' convention, of a function or of what a pointer leads to. Linux' is the compiler's own.
#ifdef __i386__
#define WINDOWS_CONVENTION __attribute__((stdcall))
#else
#define WINDOWS_CONVENTION __attribute__((ms_abi))
#endif

namespace host {

enum class Convention : uint8_t { Unknown, Windows, Linux };

/// Calls a function of the host in the convention it has, which is known.
template <typename Result, typename... Arguments>
Result call_in(Convention convention, void* function, Arguments... arguments)
{
    using OfWindows = Result(WINDOWS_CONVENTION*)(Arguments...);
    using OfLinux = Result (*)(Arguments...);
    if (convention == Convention::Windows) {
        // GCC takes the two calls for one: to it they differ in nothing but the convention.
        asm volatile("" : "+r"(function));
        return reinterpret_cast<OfWindows>(function)(arguments...);
    }
    return reinterpret_cast<OfLinux>(function)(arguments...);
}

#ifdef __i386__
/// Calls a function with the four words of `arguments`, of which it may take less. On i386 the
/// conventions differ in one thing: who takes the arguments off the stack.
Convention call_and_see(void* function, const uintptr_t* arguments, NTSTATUS& result);
#endif

} // namespace host
