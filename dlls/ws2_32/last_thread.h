// Lets a process end with the last of the program's threads.
#pragma once

#include "sdk.h"

namespace ws2::last_thread {

// A process ends when its last thread has ended, and the helpers of ntke are threads too. When few
// threads are left, each that ends has the pump look whether only helpers are there by now.

/// For DllMain: a thread begins, ends.
void note_begin();
void note_end();

// For the pump, on its thread.

/// How long the pump may wait before it must come back here: milliseconds, negative = for ever.
int patience();
/// Are only helpers left? Then `exit_code` is that of the last one, which is the process'.
bool is_alone(DWORD& exit_code);

} // namespace ws2::last_thread
