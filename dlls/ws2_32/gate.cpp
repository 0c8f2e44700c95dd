#include "gate.h"

#include <algorithm>

#include "call_arguments.h"
#include "fault.h"
#include "lock.h"
#include "thread.h"
#include "timeline.h"
#include "timeline_calls.h"
#include "trace.h"

uint32_t ws2_gate = 0;

extern "C" {
extern void* const ws2_gate_functions[];
extern const char ws2_gate_return; // the code behind a call that the gate makes
}

namespace ws2 {

namespace {

constexpr uint8_t kArgumentCounts[] = {
#define CALL(function, count, bytes, name) count,
#include "calls.h"
#undef CALL
};

bool g_prints = false; // written once, by gate_attach_process

/// Begins what is to be done with calls, once. Nothing here may ask the loader: another thread
/// waits at the lock in a DllMain, perhaps.
void begin()
{
    static SrwLock beginning;
    const ExclusiveGuard guard(beginning);
    if (!(ws2_gate & kGateBegins))
        return;
    uint32_t work = 0;
    if (g_prints)
        work |= kGatePrints;
    if (timeline::start())
        work |= kGateRecords;
    if (fault::start())
        work |= kGateFails;
    __atomic_store_n(&ws2_gate, work, __ATOMIC_RELEASE);
}

} // namespace

void gate_attach_process()
{
    g_prints = trace::is_on(trace::kWs2call);
    if (g_prints || timeline::is_wanted() || fault::is_wanted())
        ws2_gate = kGateBegins;
}

const void* caller_before_gate(const void* found)
{
    const Thread* const thread = found == &ws2_gate_return ? Thread::current() : nullptr;
    return thread && thread->gate_call ? thread->gate_call->caller : found;
}

} // namespace ws2

using namespace ws2;

void* ws2_gate_enter(GateCall* call)
{
    const DWORD last_error = GetLastError();
    if (ws2_gate & kGateBegins)
        begin();
    call->count = kArgumentCounts[call->index];
    if (Thread* const thread = Thread::current()) {
        call->outer = thread->gate_call;
        thread->gate_call = call;
    }
    const uint32_t work = ws2_gate;
    if (work & kGateRecords)
        timeline::note_call(*call);
    SetLastError(last_error);
    if ((work & kGateFails) && fault::strikes(*call))
        return nullptr;
#ifdef __x86_64__
    constexpr uint32_t kInRegisters = 4;
    if (call->count > kInRegisters)
        std::copy(call->arguments + kInRegisters, call->arguments + call->count,
            call->outgoing + kInRegisters);
#endif
    return ws2_gate_functions[call->index];
}

void ws2_gate_leave(GateCall* call)
{
    const DWORD last_error = GetLastError();
    if (Thread* const thread = Thread::current())
        thread->gate_call = call->outer;
    const uint32_t work = ws2_gate;
    if (work & kGateRecords)
        timeline::note_return(*call, last_error);
    if (work & kGatePrints)
        print_call(*call, last_error);
    SetLastError(last_error);
}
