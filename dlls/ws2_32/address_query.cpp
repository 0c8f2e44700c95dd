#include "address_query.h"

#include <cwchar>

#include "own_addresses.h"
#include "services.h"

namespace ws2 {

/// A decimal port and nothing else; white space may lead.
static bool parse_port(const wchar_t* text, u_short& port)
{
    constexpr unsigned kMaxPort = 0xFFFF;
    while (*text == ' ')
        ++text;
    unsigned value = 0;
    const wchar_t* digit = text;
    for (; *digit >= '0' && *digit <= '9'; ++digit) {
        value = value * 10 + (*digit - '0');
        if (value > kMaxPort)
            return false;
    }
    port = static_cast<u_short>(value);
    return digit != text && !*digit;
}

/// The port of a service for the socket type. Returns 0 or an error. [getaddrinfo/7]
static int resolve_port(const AddressQuery& query, u_short& port)
{
    port = 0;
    if (!query.service || !*query.service || parse_port(query.service, port))
        return 0;
    if (query.flags & AI_NUMERICSERV)
        return WSAHOST_NOT_FOUND;
    char name[NamedNumber::kMaxText];
    if (!WideCharToMultiByte(CP_ACP, 0, query.service, -1, name, sizeof(name), nullptr, nullptr))
        return WSATYPE_NOT_FOUND;
    NameQuery service_query;
    service_query.name = name;
    if (query.type == SOCK_STREAM)
        service_query.protocol = "tcp";
    else if (query.type == SOCK_DGRAM)
        service_query.protocol = "udp";
    else if (query.type == SOCK_RAW)
        return WSATYPE_NOT_FOUND;
    NamedNumber service;
    if (!find_service(service_query, service))
        return WSATYPE_NOT_FOUND;
    port = static_cast<u_short>(service.number);
    return 0;
}

/// No node: the addresses to bind to, or those of the computer for itself. [getaddrinfo/5]
static int resolve_no_node(const AddressQuery& query, HostAnswer& host)
{
    const bool passive = query.flags & AI_PASSIVE;
    IN_ADDR v4;
    v4.s_addr = passive ? INADDR_ANY : __builtin_bswap32(INADDR_LOOPBACK);
    const IN6_ADDR v6 = passive ? IN6_ADDR IN6ADDR_ANY_INIT : IN6_ADDR IN6ADDR_LOOPBACK_INIT;
    const bool wants_v6 = query.family == AF_INET6 || (query.family == AF_UNSPEC && has_ipv6());
    if ((wants_v6 && !host.add(HostAddress::from_v6(v6)))
        || (query.family != AF_INET6 && !host.add(HostAddress::from_v4(v4))))
        return WSA_NOT_ENOUGH_MEMORY;
    return 0;
}

HostAddress v4_mapped(const HostAddress& address)
{
    IN6_ADDR mapped = IN6ADDR_ANY_INIT;
    mapped.s6_addr[10] = mapped.s6_addr[11] = 0xFF;
    std::memcpy(mapped.s6_addr + 12, &address.v4, sizeof(address.v4));
    return HostAddress::from_v6(mapped);
}

/// AI_V4MAPPED: IPv4 addresses stand in where IPv6 is asked and there is none; with AI_ALL they are
/// given too. [getaddrinfo/11]
static int resolve_mapped(const AddressQuery& query, HostAnswer& host)
{
    const int v6_error = resolve_host(query.node, AF_INET6, host);
    if (v6_error == WSA_NOT_ENOUGH_MEMORY || (!v6_error && !(query.flags & AI_ALL)))
        return v6_error;
    HostAnswer v4;
    if (int error = resolve_host(query.node, AF_INET, v4))
        return v6_error ? error : 0;
    for (const HostAddress& address : v4.addresses) {
        if (!host.add(v4_mapped(address)))
            return WSA_NOT_ENOUGH_MEMORY;
    }
    if (!host.name[0])
        host.set_name(v4.name);
    return 0;
}

/// AI_ADDRCONFIG: drops the addresses of a family in which the computer itself has no address that
/// leaves it. Loopback answers stay: they need no such address.
static int drop_unconfigured(HostAnswer& host)
{
    HeapArray<HostAddress> own;
    if (int error = list_own_addresses(AF_UNSPEC, OwnAddresses::kExternal, own))
        return error;
    if (!own.count())
        return 0; // Nothing is known, or there is no network at all.
    const auto is_configured = [&](int family) {
        for (const HostAddress& address : own) {
            if (address.family == family)
                return true;
        }
        return false;
    };
    const auto is_loopback = [](const HostAddress& address) {
        return address.family == AF_INET ? (address.v4.s_addr & 0xFF) == 127
                                         : IN6_IS_ADDR_LOOPBACK(&address.v6) != 0;
    };
    size_t kept = 0;
    for (const HostAddress& address : host.addresses) {
        if (is_configured(address.family) || is_loopback(address))
            host.addresses[kept++] = address;
    }
    host.addresses.truncate(kept);
    return kept ? 0 : WSANO_DATA;
}

/// Has the query a node that DNS has under another name, in ASCII? [getaddrinfo/14]
static bool needs_encoding(const AddressQuery& query)
{
    if (!query.takes_idn || (query.flags & AI_DISABLE_IDN_ENCODING))
        return false;
    const wchar_t* c = query.node;
    while (*c && *c < 0x80)
        ++c;
    return *c;
}

static int resolve_node(AddressQuery query, HostAnswer& host)
{
    if (!query.node)
        return resolve_no_node(query, host);
    HostAddress numeric;
    const bool is_numeric = parse_host_address(query.node, AF_UNSPEC, numeric);
    if ((query.flags & AI_NUMERICHOST) && !is_numeric)
        return WSAHOST_NOT_FOUND;
    wchar_t encoded[kMaxHostName];
    if (needs_encoding(query)) {
        // A name that is only looked up may have characters newer than the tables.
        if (!IdnToAscii(IDN_ALLOW_UNASSIGNED, query.node, -1, encoded, kMaxHostName))
            return WSAHOST_NOT_FOUND;
        query.node = encoded;
    }
    if (query.family == AF_INET6 && (query.flags & AI_V4MAPPED))
        return resolve_mapped(query, host);
    if (int error = resolve_host(query.node, query.family, host))
        return error;
    if ((query.flags & AI_ADDRCONFIG) && !is_numeric)
        return drop_unconfigured(host);
    return 0;
}

int check_query(const AddressQuery& query)
{
    if (!query.node && !query.service)
        return WSAHOST_NOT_FOUND;
    if (query.family != AF_UNSPEC && query.family != AF_INET && query.family != AF_INET6)
        return WSAEAFNOSUPPORT;
    if (query.type < 0 || query.type > SOCK_RAW)
        return WSAESOCKTNOSUPPORT;
    const bool has_room = !(query.flags & AI_FQDN) || query.has_both_names;
    if ((query.flags & AI_CANONNAME) && (!query.node || !has_room))
        return WSAEINVAL;
    return 0;
}

int query_addresses(const AddressQuery& query, AddressAnswer& answer)
{
    if (int error = check_query(query))
        return error;
    if (int error = resolve_port(query, answer.port))
        return error;
    if (int error = resolve_node(query, answer.host))
        return error;
    answer.has_canonical_name = (query.flags & (AI_CANONNAME | AI_FQDN)) && answer.host.name[0];
    return answer.host.addresses.count() ? 0 : WSANO_DATA;
}

int result_flags(int query_flags)
{
    return query_flags & (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV);
}

int fill_socket_address(const HostAddress& address, u_short port, SOCKADDR_STORAGE& target)
{
    if (address.family == AF_INET) {
        auto& v4 = reinterpret_cast<SOCKADDR_IN&>(target);
        v4.sin_family = AF_INET;
        v4.sin_port = __builtin_bswap16(port);
        v4.sin_addr = address.v4;
        return sizeof(v4);
    }
    auto& v6 = reinterpret_cast<SOCKADDR_IN6&>(target);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = __builtin_bswap16(port);
    v6.sin6_addr = address.v6;
    v6.sin6_scope_id = address.scope;
    return sizeof(v6);
}

int copy_name(const wchar_t* name, char* target, int size)
{
    return WideCharToMultiByte(CP_ACP, 0, name, -1, target, size, nullptr, nullptr);
}

int copy_name(const wchar_t* name, wchar_t* target, int size)
{
    const int needed = static_cast<int>(std::wcslen(name)) + 1;
    if (size >= needed)
        std::memcpy(target, name, needed * sizeof(wchar_t));
    return needed;
}

} // namespace ws2
