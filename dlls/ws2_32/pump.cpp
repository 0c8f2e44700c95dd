#include "pump.h"

#include <atomic>
#include <utility>

#include "filter.h"
#include "heap.h"
#include "kernel.h"
#include "last_thread.h"
#include "message_select.h"
#include "poll_request.h"
#include "trace.h"

namespace ws2::pump {

namespace {

SrwLock lock;
std::atomic<bool> runs { false }; // written under lock

/// Milliseconds until it is tried again when the pump cannot wait: no descriptor is left.
constexpr DWORD kRest = 100;

DWORD WINAPI run(void*)
{
    static ntke::PumpArgs args; // one pump a process; too large for a frame
    poll_device(); // where nobody waits for it to be opened
    for (;;) {
        DWORD exit_code;
        if (last_thread::is_alone(exit_code)) {
            last_thread::end_process(exit_code);
            ExclusiveGuard guard(lock);
            runs = false;
            return exit_code; // and with it the process ends
        }
        args.patience = last_thread::patience();
        if (!NT_SUCCESS(emulation::call(ntke::kCallPump, &args)))
            Sleep(kRest);
        message_select::serve(args.targets);
        for (uint32_t i = 0; i < args.settle_count; ++i)
            filter::settle_connect(args.settles[i]);
        for (uint32_t i = 0; i < args.close_count; ++i)
            filter::note_closed(args.closes[i]);
    }
}

} // namespace

DWORD WINAPI run_relay(void* port)
{
    last_thread::note_helper();
    emulation::call(ntke::kCallRelay, port);
    last_thread::note_helper_ends();
    return 0;
}

bool start()
{
    ExclusiveGuard guard(lock);
    if (runs)
        return true;
    HANDLE thread = CreateThread(nullptr, 0, run, nullptr, 0, nullptr);
    if (!thread)
        return false;
    kernel::close(thread);
    runs = true;
    WS2_TRACE(kernel, "the pump runs");
    return true;
}

bool is_running()
{
    return runs.load(std::memory_order_relaxed);
}

void wake()
{
    emulation::call(ntke::kCallWakePump, nullptr);
}

} // namespace ws2::pump
