// The call table of ntke.so: include/ntke/calls.h says what each entry does.
#include "ntke/calls.h"

#include <iterator>

#include "nt/status.h"
#include "nt/types.h"

namespace {

/// May be called more than once: threads that start Winsock at the same time each open.
NTSTATUS open(void* block)
{
    const auto* args = static_cast<const ntke::OpenArgs*>(block);
    return args->version == ntke::kInterfaceVersion ? STATUS_SUCCESS : STATUS_REVISION_MISMATCH;
}

NTSTATUS pass_down(void*)
{
    return ntke::kPassDown;
}

} // namespace

/// A call is an index in this table; Wine checks no bounds.
extern "C" __attribute__((visibility("default"))) NTSTATUS (*const __wine_unix_call_funcs[])(void*)
    = {
          open, // kCallOpen
          pass_down, // kCallAttach
          pass_down, // kCallClose
          pass_down, // kCallRelease
          pass_down, // kCallSetState
          pass_down, // kCallReceive
          pass_down, // kCallSend
          pass_down, // kCallPoll
          pass_down, // kCallSelect
          pass_down, // kCallGetEvents
          pass_down, // kCallQuery
          pass_down, // kCallHandOver
          pass_down, // kCallPump
          pass_down, // kCallWakePump
          pass_down, // kCallEventCreate
          pass_down, // kCallEventClose
          pass_down, // kCallEventSet
          pass_down, // kCallEventReset
          pass_down, // kCallEventWait
          pass_down, // kCallEventConvert
          pass_down, // kCallStatistics
      };
static_assert(std::size(__wine_unix_call_funcs) == ntke::kCallCount);
