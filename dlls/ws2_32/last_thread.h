// Lets a process end with the last of the program's threads.
#pragma once

#include "sdk.h"

namespace ws2::last_thread {

// A process ends when its last thread has ended, and the pump is a thread too. When few threads are
// left, each that ends has the pump look whether it is alone by now.

/// For DllMain: a thread begins, ends.
void note_begin();
void note_end();

/// A thread of ours, beside the pump, begins and ends: it keeps no process.
void note_helper();
void note_helper_ends();

// For the pump, on its thread.

/// How long the pump may wait before it must come back here: milliseconds, negative = for ever.
int patience();
/// Is no other thread left? Then `exit_code` is that of the last one, which is the process'.
bool is_alone(DWORD& exit_code);
/// Ends the process where other threads of ours are left, which would keep it; else does nothing.
void end_process(DWORD exit_code);

} // namespace ws2::last_thread
