#include "fault.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>

#include "call_shape.h"
#include "guard.h"
#include "timeline.h"

namespace ws2::fault {

namespace {

struct Fault {
    uint32_t gate;
    uint32_t error; // 0: the call is made
    uint32_t is_short; // with half of its bytes
    uint32_t delay; // ms
    uint32_t chance; // of a million
    uint32_t after; // so many calls that are spared
    uint32_t times; // it strikes; 0: without end
    std::atomic<uint32_t> calls;
    std::atomic<uint32_t> strikes;
};

constexpr const char* kVariable = "WS2_32_FAULT";
constexpr uint32_t kMost = 16;
Fault g_faults[kMost];
uint32_t g_count = 0;
uint32_t g_seed = 0;

/// A number that follows from the seed, the fault and which of its calls this is, and from nothing
/// else: whatever the threads do, the same calls are struck.
uint32_t draw(uint32_t fault, uint32_t call)
{
    uint64_t value = (uint64_t { g_seed } << 40 ^ uint64_t { fault } << 32 ^ call)
        + 0x9E3779B97F4A7C15ull; // SplitMix64
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ value >> 27) * 0x94D049BB133111EBull;
    return static_cast<uint32_t>((value ^ value >> 31) % 1'000'000);
}

bool is_due(Fault& fault)
{
    const uint32_t call = fault.calls.fetch_add(1, std::memory_order_relaxed);
    const auto index = static_cast<uint32_t>(&fault - g_faults);
    if (call < fault.after || draw(index, call) >= fault.chance)
        return false;
    return !fault.times || fault.strikes.fetch_add(1, std::memory_order_relaxed) < fault.times;
}

/// Leaves half of the bytes of a transfer.
void cut(GateCall& call)
{
    const CallShape& shape = shape_of(call.index);
    if (shape.buffer >= 0) {
        uintptr_t& length = call.arguments[shape.buffer + 1];
        if (const auto bytes = static_cast<int>(length); bytes > 1)
            length = bytes / 2;
    } else if (shape.buffers >= 0 && call.arguments[shape.buffers + 1]
        && guard::read(reinterpret_cast<WSABUF*>(call.arguments[shape.buffers]), call.cut)) {
        call.cut.len = std::max(call.cut.len / 2, std::min(call.cut.len, 1ul));
        call.arguments[shape.buffers] = reinterpret_cast<uintptr_t>(&call.cut);
        call.arguments[shape.buffers + 1] = 1;
    }
}

bool fail_call(GateCall& call, uint32_t error)
{
    switch (shape_of(call.index).fails) {
    case Fails::kMinusOne:
        call.result = ~uintptr_t { 0 };
        break;
    case Fails::kZero:
        call.result = 0;
        break;
    case Fails::kCode:
        call.result = error;
        break;
    }
    SetLastError(error);
    return true;
}

bool parse(const char* text, Fault& fault)
{
    char name[48];
    if (std::sscanf(text, ";%47[^,],%u,%u,%u,%u,%u,%u", name, &fault.error, &fault.is_short,
            &fault.delay, &fault.chance, &fault.after, &fault.times)
        != 7)
        return false;
    for (fault.gate = 0; fault.gate < kGateCount; ++fault.gate) {
        if (!std::strcmp(kGateNames[fault.gate], name))
            return true;
    }
    return false;
}

} // namespace

bool is_wanted()
{
    return GetEnvironmentVariableA(kVariable, nullptr, 0);
}

bool start()
{
    char text[1024];
    const DWORD length = GetEnvironmentVariableA(kVariable, text, sizeof(text));
    if (!length || length >= sizeof(text))
        return false;
    std::sscanf(text, "%u", &g_seed);
    for (const char* next = std::strchr(text, ';'); next && g_count < kMost;
         next = std::strchr(next + 1, ';')) {
        if (parse(next, g_faults[g_count]))
            ++g_count;
    }
    return g_count;
}

bool strikes(GateCall& call)
{
    for (Fault* fault = g_faults; fault != g_faults + g_count; ++fault) {
        if (fault->gate != call.index || !is_due(*fault))
            continue;
        if (auto* entry = timeline::note(
                timeline::kFault, static_cast<uint16_t>(call.index), call.arguments[0])) {
            entry->values[0] = fault->delay;
            entry->values[1] = fault->is_short;
            entry->status = static_cast<int32_t>(fault->error);
        }
        if (fault->delay)
            Sleep(fault->delay);
        if (fault->is_short)
            cut(call);
        if (fault->error)
            return fail_call(call, fault->error);
    }
    return false;
}

} // namespace ws2::fault
