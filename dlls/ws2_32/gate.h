// The gate before every export and extension function.
//
// An export begins with a test of `ws2_gate`. As long as that is 0, the function itself follows.
// Otherwise the call goes through ws2_gate_enter and ws2_gate_leave, where what is called is
// recorded (timeline.h), printed (WINEDEBUG=+ws2call) and made to fail (fault.h).
//
// The gates are made from spec/ws2_32.spec (make_calls.py, gate_x86_64.S, gate_i386.S). What the
// DLL's own functions call among themselves is not seen.
#pragma once

#include <cstdint>

#include "sdk.h"

namespace ws2 {

/// One call that goes through the gate. Owner: the stack frame of the gate, which knows the first
/// members.
struct GateCall {
    uintptr_t* arguments; // where the caller has put them
    const void* caller; // where the call returns to
    uintptr_t result;
    uintptr_t* outgoing; // x86_64: where those that are no registers have to go
    uint32_t index; // in the list of gates
    uint32_t count; // of arguments

    GateCall* outer; // a call that has called the program back
    WSABUF cut; // of a transfer that is to be short
};

/// What is to happen at the gate. Bits of `ws2_gate`.
enum GateWork : uint32_t {
    kGateBegins = 1, // with this call
    kGateRecords = 2,
    kGatePrints = 4,
    kGateFails = 8,
};

/// DllMain's share: looks whether something is to be done at all, and asks the loader what has to
/// be asked of it.
void gate_attach_process();

/// Where the call whose body this is in returns to: `found` is what the compiler says.
const void* caller_before_gate(const void* found);

} // namespace ws2

extern "C" {
/// GateWork
extern uint32_t ws2_gate;
/// The function to call, null: none, the result is there already.
void* ws2_gate_enter(ws2::GateCall* call);
void ws2_gate_leave(ws2::GateCall* call);
}
