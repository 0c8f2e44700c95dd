// What a test needs of the system besides the Nt services.
#pragma once

#include <cstdint>

#include "nt/api.h"

namespace nt_suite {

/// Starts a thread; it ends by itself when `run` returns. Returns something for join_thread.
void* start_thread(void (*run)(void* argument), void* argument);
/// Waits until the thread has ended. False when it has not after many seconds.
bool join_thread(void* thread);
/// Gives others a chance to run.
void pause_briefly();
/// Milliseconds of a clock that never goes back.
uint64_t milliseconds();
/// NtSetInformationFile; its class is an enumeration of the SDK or a number.
NTSTATUS set_file_information(HANDLE file, ULONG info_class, void* info, ULONG length);
/// A line about the system under test, for the head of the output.
const char* describe_system();

/// From here on Winsock sees every event of the suite once, as it would see a program's. False:
/// there is no Winsock here.
bool begin_showing_to_winsock();
/// Lets Winsock see an event: it is selected for a socket, and no more.
void show_to_winsock(HANDLE event);

/// Closes every handle flag and object the process under test still has and says how many objects
/// there were; always 0 where that cannot be known. For leak checks at the end.
int64_t leaked_objects();

} // namespace nt_suite
