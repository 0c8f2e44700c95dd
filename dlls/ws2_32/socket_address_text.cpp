// Socket addresses as text, with port and scope: WSAAddressToStringA/W, WSAStringToAddressA/W.
#include "caller.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "guard_text.h"
#include "ip_text.h"
#include "startup.h"

namespace ws2 {

/// Any socket address of the Internet families.
union InternetAddress {
    ADDRESS_FAMILY family;
    SOCKADDR_IN v4;
    SOCKADDR_IN6 v6;
};

static ULONG format(const InternetAddress& address, char (&text)[kIpv6TextLength])
{
    ULONG length = kIpv6TextLength;
    if (address.family == AF_INET)
        RtlIpv4AddressToStringExA(&address.v4.sin_addr, address.v4.sin_port, text, &length);
    else
        RtlIpv6AddressToStringExA(
            &address.v6.sin6_addr, address.v6.sin6_scope_id, address.v6.sin6_port, text, &length);
    return length;
}

static ULONG format(const InternetAddress& address, wchar_t (&text)[kIpv6TextLength])
{
    ULONG length = kIpv6TextLength;
    if (address.family == AF_INET)
        RtlIpv4AddressToStringExW(&address.v4.sin_addr, address.v4.sin_port, text, &length);
    else
        RtlIpv6AddressToStringExW(
            &address.v6.sin6_addr, address.v6.sin6_scope_id, address.v6.sin6_port, text, &length);
    return length;
}

static bool parse(const char* text, SOCKADDR_IN& address)
{
    return NT_SUCCESS(RtlIpv4StringToAddressExA(text, FALSE, &address.sin_addr, &address.sin_port));
}

static bool parse(const wchar_t* text, SOCKADDR_IN& address)
{
    return NT_SUCCESS(RtlIpv4StringToAddressExW(text, FALSE, &address.sin_addr, &address.sin_port));
}

static bool parse(const char* text, SOCKADDR_IN6& address)
{
    return NT_SUCCESS(RtlIpv6StringToAddressExA(
        text, &address.sin6_addr, &address.sin6_scope_id, &address.sin6_port));
}

static bool parse(const wchar_t* text, SOCKADDR_IN6& address)
{
    return NT_SUCCESS(RtlIpv6StringToAddressExW(
        text, &address.sin6_addr, &address.sin6_scope_id, &address.sin6_port));
}

/// Takes a copy of the program's address. Returns 0 or the error. [WSAAddressToString/2]
static int read_address(const SOCKADDR* source, DWORD length, InternetAddress& address)
{
    if (!source || length < sizeof(address.family))
        return WSAEINVAL;
    if (!guard::copy(&address.family, source, sizeof(address.family)))
        return WSAEFAULT;
    const DWORD needed = ip_address_length(address.family);
    if (!needed || length < needed)
        return WSAEINVAL;
    return guard::copy(&address, source, needed) ? 0 : WSAEFAULT;
}

template <typename Char>
static int address_to_string(
    const void* caller, const SOCKADDR* source, DWORD length, Char* text, DWORD* text_length)
{
    if (!is_started_for(caller))
        return fail(WSANOTINITIALISED);
    if (!text_length)
        return fail(WSAEINVAL);
    InternetAddress address;
    if (int error = read_address(source, length, address))
        return fail(error);
    DWORD room;
    if (!guard::read(text_length, room))
        return fail(WSAEFAULT);
    Char formatted[kIpv6TextLength];
    const DWORD needed = format(address, formatted);
    if (!guard::write(text_length, needed))
        return fail(WSAEFAULT);
    if (room < needed || !guard::copy(text, formatted, needed * sizeof(Char)))
        return fail(WSAEFAULT);
    return succeed();
}

/// What a text that is no address leaves: the part of the address that was understood.
/// [WSAStringToAddress/5]
static SOCKADDR_IN understood_part(const SOCKADDR_IN& address)
{
    SOCKADDR_IN part = {};
    part.sin_addr = address.sin_addr;
    return part;
}

static SOCKADDR_IN6 understood_part(const SOCKADDR_IN6& address)
{
    SOCKADDR_IN6 part = {};
    part.sin6_addr = address.sin6_addr;
    return part;
}

/// Reads `text` and writes what comes out if there is room for it; tells the length needed, except
/// for a text that is no address.
template <typename Address, typename Char>
static int give_address(const Char* text, ADDRESS_FAMILY family, SOCKADDR* target, int* length)
{
    int room;
    if (!guard::read(length, room) || !guard::write(length, static_cast<int>(sizeof(Address))))
        return fail(WSAEFAULT);
    if (room < static_cast<int>(sizeof(Address)))
        return fail(WSAEFAULT); // Also for a text that is no address. [WSAStringToAddress/4]
    Address address = {};
    const bool is_good = parse(text, address);
    if (is_good)
        reinterpret_cast<SOCKADDR&>(address).sa_family = family;
    else
        address = understood_part(address);
    if (!guard::copy(target, &address, sizeof(Address)))
        return fail(WSAEFAULT);
    if (!is_good) {
        guard::write(length, room);
        return fail(WSAEINVAL);
    }
    return succeed();
}

template <typename Char>
static int string_to_address(
    const void* caller, const Char* source, int family, SOCKADDR* target, int* length)
{
    if (!is_started_for(caller))
        return fail(WSANOTINITIALISED);
    if (!length)
        return fail(WSAEFAULT);
    const BasicGuardedText<Char, kIpv6TextLength + 1> text(source);
    if (!text.text())
        return fail(source ? WSAEFAULT : WSAEINVAL);
    if (family == AF_INET)
        return give_address<SOCKADDR_IN>(text.text(), AF_INET, target, length);
    if (family == AF_INET6)
        return give_address<SOCKADDR_IN6>(text.text(), AF_INET6, target, length);
    return fail(WSAEINVAL);
}

} // namespace ws2

INT WSAAPI WSAAddressToStringA(SOCKADDR* address, DWORD length, WSAPROTOCOL_INFOA* /*provider*/,
    char* text, DWORD* text_length)
{
    return ws2::address_to_string(WS2_CALLER, address, length, text, text_length);
}

INT WSAAPI WSAAddressToStringW(SOCKADDR* address, DWORD length, WSAPROTOCOL_INFOW* /*provider*/,
    wchar_t* text, DWORD* text_length)
{
    return ws2::address_to_string(WS2_CALLER, address, length, text, text_length);
}

INT WSAAPI WSAStringToAddressA(
    char* text, INT family, WSAPROTOCOL_INFOA* /*provider*/, SOCKADDR* address, INT* length)
{
    return ws2::string_to_address(WS2_CALLER, text, family, address, length);
}

INT WSAAPI WSAStringToAddressW(
    wchar_t* text, INT family, WSAPROTOCOL_INFOW* /*provider*/, SOCKADDR* address, INT* length)
{
    return ws2::string_to_address(WS2_CALLER, text, family, address, length);
}
