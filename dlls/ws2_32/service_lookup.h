// Lookups of services that are open.
#pragma once

namespace ws2 {

/// Gives back what is open. For the end of a DLL that is freed, when no thread is in a call.
void free_service_lookups();

} // namespace ws2
