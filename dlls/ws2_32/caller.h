// Who calls an export: a program, or code of Wine's own.
#pragma once

#include "gate.h"

/// Where the export in whose body this stands returns to.
#define WS2_CALLER ::ws2::caller_before_gate(__builtin_return_address(0))

namespace ws2 {

/// Does the code at `address` belong to a module of Wine's, rather than to the program or a library
/// of the program's? Asks no lock of the loader, so that it may stand anywhere. Leaves the last
/// error alone.
bool is_code_of_wine(const void* address);

} // namespace ws2
