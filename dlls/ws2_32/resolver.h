// The one core under all name resolution: what a host name stands for, and what an address is
// called.
#pragma once

#include "heap.h"
#include "sdk.h"

namespace ws2 {

/// Room for a host name with its terminator: a DNS name has at most 255 characters.
constexpr int kMaxHostName = 256;

/// An IP address without a port.
struct HostAddress {
    int family; // AF_INET or AF_INET6
    union {
        IN_ADDR v4;
        IN6_ADDR v6;
    };
    ULONG scope; // IPv6 only

    static HostAddress from_v4(const IN_ADDR& address);
    static HostAddress from_v6(const IN6_ADDR& address, ULONG scope = 0);
    bool operator==(const HostAddress& other) const;
    /// Length of the bare address in bytes: 4 or 16.
    int length() const { return family == AF_INET ? sizeof(v4) : sizeof(v6); }
};

/// What is known of a host. Owner: the call that asked.
struct HostAnswer {
    HeapArray<HostAddress> addresses;
    wchar_t name[kMaxHostName] = {}; // the canonical name; empty when none is known
    HeapArray<wchar_t> aliases; // null-terminated names, one after the other

    /// Appends an address unless it is there already. False: memory is out.
    bool add(const HostAddress& address);
    bool add_alias(const wchar_t* alias);
    void set_name(const wchar_t* text);
};

/// Reads a numeric address of `family` (AF_UNSPEC: either). IPv4 may have one to four parts in any
/// notation of inet_addr, IPv6 a scope and brackets with anything behind them.
bool parse_host_address(const wchar_t* text, int family, HostAddress& address);

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

/// ASCII case-insensitive comparison, as for DNS names.
bool equal_names(const wchar_t* a, const wchar_t* b);

} // namespace ws2
