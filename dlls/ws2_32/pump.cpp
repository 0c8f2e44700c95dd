#include "pump.h"

#include <atomic>

#include "filter.h"
#include "last_thread.h"
#include "message_select.h"
#include "poll_request.h"
#include "trace.h"

namespace ws2::pump {

namespace {

std::atomic<bool> runs { false };

/// Milliseconds until it is tried again when the pump cannot wait: no descriptor is left.
constexpr DWORD kRest = 100;

/// Does what a round has left. If this thread is terminated meanwhile, the next one does the rest.
void work_off(ntke::PumpArgs& args)
{
    message_select::serve(args.targets);
    while (args.settle_count)
        filter::settle_connect(args.settles[--args.settle_count]);
    while (args.close_count)
        filter::note_closed(args.closes[--args.close_count]);
}

} // namespace

DWORD WINAPI run(void*)
{
    static ntke::PumpArgs args; // one pump a process; too large for a frame
    WS2_TRACE(kernel, "the pump runs");
    poll_device(); // where nobody waits for it to be opened
    for (;;) {
        work_off(args);
        DWORD exit_code;
        if (last_thread::is_alone(exit_code))
            ExitProcess(exit_code);
        args.patience = last_thread::patience();
        if (!NT_SUCCESS(emulation::call(ntke::kCallPump, &args)))
            Sleep(kRest);
    }
}

DWORD WINAPI run_relay(void* port)
{
    emulation::call(ntke::kCallRelay, port);
    return 0;
}

bool start()
{
    if (!NT_SUCCESS(emulation::call(ntke::kCallStartPump, nullptr)))
        return false;
    runs = true; // the caller's thread may end before the pump's begins
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
