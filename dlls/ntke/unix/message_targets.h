// Windows that are told of network events: the PE side posts the messages.
#pragma once

#include "ke/event.h"
#include "ntke/calls.h"

namespace message_targets {

/// An event that stands for a target: whenever it would be set, the pump's thread posts what is
/// pending. From here on the target is the Linux side's, also on failure. Errors: STATUS_NO_MEMORY.
NTSTATUS make_event(ntke::MessageTarget& target, ob::Ref<ke::Event>& event);

/// What the PE side has to do; each target is told once, however often it was set. For the pump.
ntke::MessageTarget* take();

} // namespace message_targets
