// Addresses in requests of Linux about multicast groups.
#pragma once

#include <cstdint>
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>

namespace afd {

/// Copies an IPv6 address into the socket address of one of Linux' requests.
inline void fill_address(sockaddr_storage& address, const uint8_t (&bytes)[16])
{
    sockaddr_in6 wanted {};
    wanted.sin6_family = AF_INET6;
    memcpy(&wanted.sin6_addr, bytes, sizeof(wanted.sin6_addr));
    memcpy(&address, &wanted, sizeof(wanted));
}

} // namespace afd
