#pragma once

// The sockets of a workload that both programs share: the Windows program's are SOCKETs, the native
// one's are descriptors, and the functions have the same names.

#ifdef _WIN32
#include "loopback.h"
#else
#include "linux/descriptor.h"

#include <sys/socket.h>
#endif

namespace bench {

#ifdef _WIN32
using SocketHandle = SOCKET;
inline constexpr int kShutdownBoth = SD_BOTH;
#else
using SocketHandle = int;
inline constexpr int kShutdownBoth = SHUT_RDWR;
using UniqueSocket = UniqueDescriptor;
#endif

} // namespace bench
