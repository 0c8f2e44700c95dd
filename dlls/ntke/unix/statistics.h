// How many requests were served in the process, and how many went down.
#pragma once

#include <cstdint>

#include "nt/types.h"
#include "ntke/calls.h"

namespace unix_side::statistics {

/// Counts a request by its ioctl code.
void count(ULONG code, bool is_served);

/// What has been counted by now.
void tell(ntke::StatisticsArgs& args);

} // namespace unix_side::statistics
