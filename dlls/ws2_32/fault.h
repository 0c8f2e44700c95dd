// Calls that fail, or do less, because a tester wants to see what the program makes of it.
//
// WS2_32_FAULT says which, in the form that tools/ws2lib/fault.py makes of `ws2 trace --fault`:
// SEED, then for each fault ;CALL,ERROR,SHORT,DELAY,CHANCE,AFTER,TIMES with the delay in ms and the
// chance in millionths.
#pragma once

#include "gate.h"

namespace ws2::fault {

/// Is there a setting?
bool is_wanted();
/// Reads it. False: there is none.
bool start();

/// Does to a call what is due. True: it has failed, and its result and the last error are set.
bool strikes(GateCall& call);

} // namespace ws2::fault
