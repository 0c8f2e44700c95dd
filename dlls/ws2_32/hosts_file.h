// The hosts files: the system's own and, under Wine, the Unix host's.
#pragma once

#include "host_address.h"

namespace ws2 {

/// Adds every address of `family` that the hosts files have for `name`, with the line's first name
/// as canonical name and the others as aliases. The first file that knows the name answers alone.
/// `known` tells whether any file has the name, with whatever family. Returns 0 or
/// WSA_NOT_ENOUGH_MEMORY.
int find_host_by_name(const wchar_t* name, int family, HostAnswer& answer, bool& known);

/// Finds the names of an address; `known` tells whether there is a line for it.
int find_host_by_address(const HostAddress& address, HostAnswer& answer, bool& known);

} // namespace ws2
