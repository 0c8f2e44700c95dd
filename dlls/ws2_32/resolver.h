// The one core under all name resolution: what a host name stands for, and what an address is
// called.
#pragma once

#include "host_address.h"

namespace ws2 {

/// Resolves a host name to addresses of `family` (AF_UNSPEC: both, in order of preference). The
/// empty name and the computer's own name stand for its interfaces.
///
/// Order of sources: numeric, localhost, the computer's own name, the hosts file of the system, the
/// hosts file of Unix, DNS. Returns 0, WSAHOST_NOT_FOUND, WSANO_DATA (the name exists, but has no
/// address of the family), WSATRY_AGAIN, WSANO_RECOVERY or WSA_NOT_ENOUGH_MEMORY. [getaddrinfo/9]
int resolve_host(const wchar_t* name, int family, HostAnswer& answer);

/// Finds the name of an address: own addresses, hosts files, DNS. Errors as above.
int resolve_address(const HostAddress& address, HostAnswer& answer);

/// The computer's own host name; false when it has none that fits, and while the system comes up.
bool own_host_name(wchar_t (&name)[kMaxHostName]);

/// The host name of the Unix below, which is where Wine's boot program has the computer's name
/// from; false where there is none. [gethostname/3]
bool unix_host_name(wchar_t (&name)[kMaxHostName]);

/// Has the computer any IPv6 address at all, loopback included? Asked once per process.
bool has_ipv6();

} // namespace ws2
