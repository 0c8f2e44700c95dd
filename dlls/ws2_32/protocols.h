// Protocols and their numbers.
#pragma once

#include "name_table.h"

namespace ws2 {

/// Looks a protocol up by name or number.
bool find_protocol(const NameQuery& query, NamedNumber& protocol);

} // namespace ws2
