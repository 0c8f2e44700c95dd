// The machine's network interfaces, from iphlpapi, which is loaded on first use: it imports
// ws2_32 itself.
#pragma once

#include "sdk.h"

namespace ws2 {

/// One unicast address of an interface.
struct InterfaceAddress {
    SOCKADDR_STORAGE address;
    int length; // bytes of `address`
    ULONG interface_index;
    bool loopback;
};

/// The unicast addresses of `family`; loopback interfaces come last. Fills at most `capacity`
/// entries and returns how many there are.
unsigned interface_addresses(int family, InterfaceAddress* addresses, unsigned capacity);

/// The IPv4 address of the interface with that index. False: there is none.
bool address_of_interface(ULONG index, IN_ADDR& address);

/// The interface of a multicast request as the device wants it: an address. Windows also takes an
/// interface index in the form 0.x.x.x. False: there is none. [setsockopt/18]
bool interface_by_address(IN_ADDR& address);

/// That form of an index.
IN_ADDR interface_from_index(ULONG index);

/// The local address that packets to `destination` leave from. Returns 0 or the Winsock error.
int source_address(const SOCKADDR& destination, InterfaceAddress& source);

/// Largest packet in bytes that fits the interface towards `destination`; 0 when not known.
DWORD mtu_towards(const SOCKADDR& destination);

} // namespace ws2
