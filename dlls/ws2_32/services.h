// Services and their ports.
#pragma once

#include "name_table.h"

namespace ws2 {

/// Looks a service up by name or port (host order). `protocol` may be null: any.
bool find_service(const NameQuery& query, NamedNumber& service);

} // namespace ws2
