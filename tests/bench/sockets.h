#pragma once

// The sockets of a workload that both programs share: the Windows program's are SOCKETs, the native
// one's are descriptors, and the functions have the same names.

#ifdef _WIN32
#include "loopback.h"
#else
#include "linux/descriptor.h"
#endif

namespace bench {

#ifdef _WIN32
using SocketHandle = SOCKET;
#else
using SocketHandle = int;
using UniqueSocket = UniqueDescriptor;
#endif

} // namespace bench
