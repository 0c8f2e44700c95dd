// The calls of registered I/O. Each fills in its block and returns a status; none waits.
#pragma once

#include "nt/types.h"

namespace registered_io {

NTSTATUS open_queue(void* block); // ntke::OpenQueueArgs
NTSTATUS close_queue(void* block); // ntke::QueueArgs
NTSTATUS serve_queue(void* block); // ntke::QueueArgs
NTSTATUS submit(void* block); // ntke::SubmitArgs

} // namespace registered_io
