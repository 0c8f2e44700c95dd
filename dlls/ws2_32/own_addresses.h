// The addresses of this computer's interfaces.
#pragma once

#include "resolver.h"

namespace ws2 {

enum class OwnAddresses {
    kExternal, // those others reach: no loopback
    kAll,
};

/// Appends the addresses of all interfaces that are up. Returns 0 or WSA_NOT_ENOUGH_MEMORY; where
/// the system cannot be asked the list stays empty.
int list_own_addresses(int family, OwnAddresses which, HeapArray<HostAddress>& addresses);

} // namespace ws2
