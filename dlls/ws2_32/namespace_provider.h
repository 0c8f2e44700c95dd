// The name spaces there are.
#pragma once

#include "sdk.h"

namespace ws2 {

/// Checks that names of hosts can be asked of a name space, and of its provider where `provider`
/// names one. Returns 0, WSAEFAULT or WSASERVICE_NOT_FOUND. [GetAddrInfoEx/6]
int check_host_name_space(DWORD name_space, const GUID* provider);

/// 0 when `pointer` names a provider, else WSAEFAULT or WSAEINVAL.
int check_name_space_provider(const GUID* pointer);

} // namespace ws2
