// IP addresses as text, in 8-bit and 16-bit characters. The rules of the notation are the system's:
// these are thin names over the Rtl functions of ntdll, chosen by the character type.
#pragma once

#include "sdk.h"

extern "C" {
// Missing from the SDK's mstcpip.h.
LONG NTAPI RtlIpv6StringToAddressA(PCSTR text, PSTR* end, IN6_ADDR* address);
LONG NTAPI RtlIpv6StringToAddressW(PCWSTR text, PWSTR* end, IN6_ADDR* address);
}

namespace ws2 {

/// Room for any address with port and scope, terminator included.
constexpr ULONG kIpv6TextLength = INET6_ADDRSTRLEN;

/// Reads all of `text` as an IPv4 address. `strict` allows only four decimal parts; otherwise one
/// to four decimal, octal or hexadecimal ones.
inline bool parse_ipv4(const char* text, bool strict, IN_ADDR& address)
{
    char* end;
    return NT_SUCCESS(RtlIpv4StringToAddressA(text, strict, &end, &address)) && !*end;
}

inline bool parse_ipv4(const wchar_t* text, bool strict, IN_ADDR& address)
{
    wchar_t* end;
    return NT_SUCCESS(RtlIpv4StringToAddressW(text, strict, &end, &address)) && !*end;
}

/// Reads all of `text` as an IPv6 address without scope or port.
inline bool parse_ipv6(const char* text, IN6_ADDR& address)
{
    char* end;
    return NT_SUCCESS(RtlIpv6StringToAddressA(text, &end, &address)) && !*end;
}

inline bool parse_ipv6(const wchar_t* text, IN6_ADDR& address)
{
    wchar_t* end;
    return NT_SUCCESS(RtlIpv6StringToAddressW(text, &end, &address)) && !*end;
}

/// Writes an address with its terminator into a buffer with room for it. Returns the length without
/// the terminator.
inline ULONG format_ipv4(const IN_ADDR& address, char* text)
{
    return static_cast<ULONG>(RtlIpv4AddressToStringA(&address, text) - text);
}

inline ULONG format_ipv4(const IN_ADDR& address, wchar_t* text)
{
    return static_cast<ULONG>(RtlIpv4AddressToStringW(&address, text) - text);
}

inline ULONG format_ipv6(const IN6_ADDR& address, char* text)
{
    return static_cast<ULONG>(RtlIpv6AddressToStringA(&address, text) - text);
}

inline ULONG format_ipv6(const IN6_ADDR& address, wchar_t* text)
{
    return static_cast<ULONG>(RtlIpv6AddressToStringW(&address, text) - text);
}

} // namespace ws2
