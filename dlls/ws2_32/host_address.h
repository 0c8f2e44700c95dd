// IP addresses of hosts and what is known with them, whoever told it.
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
    /// For the text of an address: brackets are no part of the name.
    void set_numeric_name(const wchar_t* text);
};

/// Reads a numeric address of `family` (AF_UNSPEC: either). IPv4 may have one to four parts in any
/// notation of inet_addr, IPv6 a scope and brackets with anything behind them.
bool parse_host_address(const wchar_t* text, int family, HostAddress& address);

/// ASCII case-insensitive comparison, as for DNS names.
bool equal_names(const wchar_t* a, const wchar_t* b);

} // namespace ws2
