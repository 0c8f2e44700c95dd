#include "host_address.h"

#include <cstring>
#include <cwchar>

#include "ip_text.h"

namespace ws2 {

HostAddress HostAddress::from_v4(const IN_ADDR& address)
{
    HostAddress host = {};
    host.family = AF_INET;
    host.v4 = address;
    return host;
}

HostAddress HostAddress::from_v6(const IN6_ADDR& address, ULONG scope)
{
    HostAddress host = {};
    host.family = AF_INET6;
    host.v6 = address;
    host.scope = scope;
    return host;
}

bool HostAddress::operator==(const HostAddress& other) const
{
    return family == other.family && !std::memcmp(&v4, &other.v4, length());
}

bool HostAnswer::add(const HostAddress& address)
{
    for (const HostAddress& known : addresses) {
        if (known == address)
            return true;
    }
    return addresses.append(address);
}

bool HostAnswer::add_alias(const wchar_t* alias)
{
    for (const wchar_t* known = aliases.begin(); known < aliases.end();
         known += std::wcslen(known) + 1) {
        if (equal_names(known, alias))
            return true;
    }
    return aliases.append(alias, std::wcslen(alias) + 1);
}

void HostAnswer::set_name(const wchar_t* text)
{
    const size_t length = std::wcslen(text);
    if (length < kMaxHostName)
        std::memcpy(name, text, (length + 1) * sizeof(wchar_t));
}

bool equal_names(const wchar_t* a, const wchar_t* b)
{
    const auto folded = [](wchar_t c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; };
    for (; folded(*a) == folded(*b); ++a, ++b) {
        if (!*a)
            return true;
    }
    return false;
}

/// What is between the brackets of a text that begins with one; what stands behind them, a port for
/// one, is ignored. Any other text is itself. Null: the brackets do not match. [getaddrinfo/6]
static const wchar_t* without_brackets(const wchar_t* text, wchar_t (&inner)[kIpv6TextLength])
{
    if (*text != '[')
        return text;
    const wchar_t* const end = std::wcschr(++text, ']');
    const size_t length = end ? end - text : 0;
    if (!length || length >= kIpv6TextLength)
        return nullptr;
    std::wmemcpy(inner, text, length);
    inner[length] = 0;
    return inner;
}

bool parse_host_address(const wchar_t* text, int family, HostAddress& address)
{
    IN_ADDR v4;
    if (family != AF_INET6 && parse_ipv4(text, false, v4)) {
        address = HostAddress::from_v4(v4);
        return true;
    }
    IN6_ADDR v6;
    ULONG scope = 0;
    USHORT port = 0;
    wchar_t inner[kIpv6TextLength];
    const wchar_t* const bare = without_brackets(text, inner);
    if (family == AF_INET || !bare
        || !NT_SUCCESS(RtlIpv6StringToAddressExW(bare, &v6, &scope, &port)))
        return false;
    address = HostAddress::from_v6(v6, scope);
    return true;
}

void HostAnswer::set_numeric_name(const wchar_t* text)
{
    wchar_t inner[kIpv6TextLength];
    if (const wchar_t* bare = without_brackets(text, inner))
        set_name(bare);
}

} // namespace ws2
