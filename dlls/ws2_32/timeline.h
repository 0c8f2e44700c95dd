// Records what happens in the process to the file that `ws2 trace` reads (include/ntke/timeline.h).
//
// WS2_32_TRACE=NAME switches it on: the file is NAME.PROCESS-TIME. Once recording, ntke.so writes
// to it too, and a thread has one ring for both.
#pragma once

#include "ntke/timeline.h"
#include "sdk.h"

namespace ws2::timeline {

using namespace ntke::timeline;

/// Is something to be recorded?
bool is_wanted();
/// Makes the file. False: nothing is to be recorded, or it cannot be made.
bool start();

/// The next entry of the calling thread, null: nothing is recorded. Leaves the last error alone.
Entry* note(Kind kind, uint16_t name, uint64_t subject);
/// An entry with a text instead of values; its end is cut.
void note_text(Kind kind, uint16_t name, uint64_t subject, const char* text);

/// Has the module that `address` lies in on record.
void note_module(const void* address);

/// DllMain's share.
void end_thread();
void end_process();
/// For a DLL that is freed, as the last of all. The file stays.
void let_go();

} // namespace ws2::timeline
