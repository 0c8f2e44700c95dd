// The Domain Name System, asked through dnsapi.
#pragma once

#include "host_address.h"

namespace ws2 {

/// Adds the addresses of `family` (AF_INET or AF_INET6) that DNS has for `name`, following aliases.
/// Returns 0 with at least one address, WSAHOST_NOT_FOUND, WSANO_DATA, WSATRY_AGAIN, WSANO_RECOVERY
/// or WSA_NOT_ENOUGH_MEMORY. Blocks until the servers have answered or been given up.
int query_dns_addresses(const wchar_t* name, int family, HostAnswer& answer);

/// Finds the name of an address (PTR). Errors as above.
int query_dns_name(const HostAddress& address, HostAnswer& answer);

} // namespace ws2
