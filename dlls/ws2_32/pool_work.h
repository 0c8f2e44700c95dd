// Work on the threads of the process's pool.
#pragma once

#include "sdk.h"

extern "C" IMAGE_DOS_HEADER __ImageBase; // our module, as the linker names it

namespace ws2 {

/// A callback environment that keeps our DLL loaded while a callback runs.
inline TP_CALLBACK_ENVIRON pool_environment()
{
    TP_CALLBACK_ENVIRON environment;
    TpInitializeCallbackEnviron(&environment);
    TpSetCallbackRaceWithDll(&environment, &__ImageBase);
    return environment;
}

/// Runs `work(context)` on a pool thread. False: there was no memory for it.
inline bool submit_work(PTP_SIMPLE_CALLBACK work, void* context)
{
    TP_CALLBACK_ENVIRON environment = pool_environment();
    return TrySubmitThreadpoolCallback(work, context, &environment);
}

} // namespace ws2
