// How a call becomes entries of the timeline.
#pragma once

#include "gate.h"

namespace ws2::timeline {

void note_call(const GateCall& call);
void note_return(const GateCall& call, DWORD last_error);

} // namespace ws2::timeline
