// The domains in which a name of one label is looked for.
#pragma once

#include "heap.h"

namespace ws2 {

/// Appends the suffixes in order, each ended by a null character, without a leading or trailing
/// dot. False: memory is out. Source: the Unix host's resolv.conf, as it is now. [getaddrinfo/13]
bool list_search_suffixes(HeapArray<wchar_t>& suffixes);

} // namespace ws2
