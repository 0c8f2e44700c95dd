// The addresses of this computer's interfaces, and the networks they are in.
#pragma once

#include "host_address.h"

namespace ws2 {

enum class OwnAddresses {
    kExternal, // those others reach: no loopback
    kAll,
};

/// Appends the addresses of all interfaces that are up. Returns 0 or WSA_NOT_ENOUGH_MEMORY; where
/// the system cannot be asked the list stays empty.
int list_own_addresses(int family, OwnAddresses which, HeapArray<HostAddress>& addresses);

/// A network this computer is in: an interface that is up and has an address others reach.
struct OwnNetwork {
    wchar_t name[257]; // of the interface, as people see it
    char adapter[64]; // as the system names it
    DWORD type; // IF_TYPE_*
    DWORD speed; // in bits per second; the highest value for all above
};

/// Appends the networks. Errors as above.
int list_own_networks(HeapArray<OwnNetwork>& networks);

} // namespace ws2
