// The lookups behind hostent, for the calls that block and those that post a message.
#pragma once

#include "resolver.h"

namespace ws2 {

/// Resolves a name for a hostent: IPv4 only. Returns 0 or a Winsock error.
int find_host_entry(const wchar_t* name, HostAnswer& answer);

/// Takes the address of gethostbyaddr. Returns 0, WSAEAFNOSUPPORT or WSAEFAULT (bad or too short).
int read_host_address(const char* source, int length, int family, HostAddress& address);

} // namespace ws2
