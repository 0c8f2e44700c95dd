// getnameinfo, GetNameInfoW.
#include <cwchar>

#include "address_query.h"
#include "caller.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "ip_text.h"
#include "resolver.h"
#include "services.h"
#include "startup.h"

namespace ws2 {

/// The address and port of a socket address. Returns 0 or the error. [getnameinfo/2]
static int read_socket_address(
    const SOCKADDR* source, int length, HostAddress& address, u_short& port)
{
    SOCKADDR_STORAGE copy;
    if (!source || length < static_cast<int>(sizeof(copy.ss_family))
        || !guard::copy(&copy.ss_family, source, sizeof(copy.ss_family)))
        return WSAEFAULT;
    const int needed = ip_address_length(copy.ss_family);
    if (!needed)
        return WSAEAFNOSUPPORT;
    if (length < needed || !guard::copy(&copy, source, needed))
        return WSAEFAULT;
    const auto& v4 = reinterpret_cast<const SOCKADDR_IN&>(copy);
    const auto& v6 = reinterpret_cast<const SOCKADDR_IN6&>(copy);
    address = copy.ss_family == AF_INET ? HostAddress::from_v4(v4.sin_addr)
                                        : HostAddress::from_v6(v6.sin6_addr, v6.sin6_scope_id);
    port = __builtin_bswap16(v4.sin_port); // Both families have it in the same place.
    return 0;
}

/// The name of an address, or its number where it has none and none is required.
static int host_text(const HostAddress& address, int flags, wchar_t (&text)[kMaxHostName])
{
    if (!(flags & NI_NUMERICHOST)) {
        HostAnswer answer;
        const int error = resolve_address(address, answer);
        if (!error) {
            std::wcscpy(text, answer.name);
            wchar_t* domain = (flags & NI_NOFQDN) ? std::wcschr(text, '.') : nullptr;
            if (domain)
                *domain = 0;
            return 0;
        }
        if (error == WSA_NOT_ENOUGH_MEMORY)
            return error;
    }
    if (flags & NI_NAMEREQD)
        return WSAHOST_NOT_FOUND;
    ULONG length = kMaxHostName;
    if (address.family == AF_INET)
        RtlIpv4AddressToStringExW(&address.v4, 0, text, &length);
    else
        RtlIpv6AddressToStringExW(&address.v6, address.scope, 0, text, &length);
    return 0;
}

static void service_text(u_short port, int flags, wchar_t (&text)[kMaxHostName])
{
    NameQuery query;
    query.number = port;
    query.protocol = (flags & NI_DGRAM) ? "udp" : "tcp";
    NamedNumber service;
    if (!(flags & NI_NUMERICSERV) && find_service(query, service)) {
        MultiByteToWideChar(CP_ACP, 0, service.name, -1, text, kMaxHostName);
        return;
    }
    wchar_t* end = text + 5;
    wchar_t* p = end;
    *p = 0;
    do {
        *--p = L'0' + port % 10;
        port /= 10;
    } while (port);
    std::wmemmove(text, p, end - p + 1);
}

/// Gives a text to the program. Returns 0 or the error.
template <typename Char> static int give_text(const wchar_t* text, Char* target, DWORD size)
{
    constexpr int kRoom = kMaxHostName * 2;
    Char converted[kRoom];
    const DWORD needed = copy_name(text, converted, kRoom);
    if (needed > size)
        return ERROR_INSUFFICIENT_BUFFER;
    return guard::copy(target, converted, needed * sizeof(Char)) ? 0 : WSAEFAULT;
}

template <typename Char>
static int get_name_info(const void* caller, const SOCKADDR* source, int length, Char* host,
    DWORD host_size, Char* service, DWORD service_size, int flags)
{
    if (!is_started_for(caller))
        return WSANOTINITIALISED;
    HostAddress address;
    u_short port;
    if (int error = read_socket_address(source, length, address, port))
        return error;
    if (!host && !service)
        return WSAHOST_NOT_FOUND;
    if ((host && !host_size) || (service && !service_size))
        return WSAEINVAL;
    wchar_t text[kMaxHostName];
    if (service) {
        service_text(port, flags, text);
        if (int error = give_text(text, service, service_size))
            return error;
    }
    if (!host)
        return 0;
    if (int error = host_text(address, flags, text))
        return error;
    return give_text(text, host, host_size);
}

static int finish(int error)
{
    SetLastError(error);
    return error;
}

} // namespace ws2

int WSAAPI getnameinfo(const SOCKADDR* address, socklen_t length, char* host, DWORD host_size,
    char* service, DWORD service_size, int flags)
{
    return ws2::finish(ws2::get_name_info(
        WS2_CALLER, address, length, host, host_size, service, service_size, flags));
}

INT WSAAPI GetNameInfoW(const SOCKADDR* address, socklen_t length, wchar_t* host, DWORD host_size,
    wchar_t* service, DWORD service_size, INT flags)
{
    return ws2::finish(ws2::get_name_info(
        WS2_CALLER, address, length, host, host_size, service, service_size, flags));
}
