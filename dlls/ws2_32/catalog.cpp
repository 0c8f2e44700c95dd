#include "catalog.h"

#include <cstddef>
#include <cstring>
#include <cwchar>
#include <iterator>

#include "emulation.h"
#include "unix_address.h"

namespace ws2 {

namespace {

/// One protocol. The catalog's order is what socket() goes by when arguments are zero.
struct CatalogRow {
    int family;
    int type;
    int protocol; // 0 with SOCK_RAW: any
    DWORD entry_id; // those of Wine's catalog, which programs may have stored
    DWORD service_flags;
    DWORD provider_flags;
    DWORD message_size;
    const wchar_t* name;
};

constexpr DWORD kStreamFlags = XP1_IFS_HANDLES | XP1_EXPEDITED_DATA | XP1_GRACEFUL_CLOSE
    | XP1_GUARANTEED_ORDER | XP1_GUARANTEED_DELIVERY;
constexpr DWORD kDatagramFlags = XP1_IFS_HANDLES | XP1_SUPPORT_BROADCAST | XP1_SUPPORT_MULTIPOINT
    | XP1_MESSAGE_ORIENTED | XP1_CONNECTIONLESS;
constexpr DWORD kMaxDatagram = 65507;
constexpr int kMaxRawProtocol = 255;

constexpr CatalogRow kCatalog[] = {
    { AF_INET, SOCK_STREAM, IPPROTO_TCP, 1001, kStreamFlags, PFL_MATCHES_PROTOCOL_ZERO, 0,
        L"TCP/IP" },
    { AF_INET, SOCK_DGRAM, IPPROTO_UDP, 1002, kDatagramFlags, PFL_MATCHES_PROTOCOL_ZERO,
        kMaxDatagram, L"UDP/IP" },
    { AF_INET, SOCK_RAW, 0, 1003, kDatagramFlags, PFL_MATCHES_PROTOCOL_ZERO | PFL_HIDDEN,
        kMaxDatagram, L"MSAFD Tcpip [RAW/IP]" },
    { AF_INET6, SOCK_STREAM, IPPROTO_TCP, 1004, kStreamFlags, PFL_MATCHES_PROTOCOL_ZERO, 0,
        L"TCP/IPv6" },
    { AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 1005, kDatagramFlags, PFL_MATCHES_PROTOCOL_ZERO,
        kMaxDatagram, L"UDP/IPv6" },
    { AF_INET6, SOCK_RAW, 0, 1006, kDatagramFlags, PFL_MATCHES_PROTOCOL_ZERO | PFL_HIDDEN,
        kMaxDatagram, L"MSAFD Tcpip [RAW/IPv6]" },
    { AF_UNIX, SOCK_STREAM, 0, 1007, kStreamFlags & ~DWORD { XP1_EXPEDITED_DATA },
        PFL_MATCHES_PROTOCOL_ZERO, 0, L"AF_UNIX" }, // the last one, see catalog_size
};

static_assert(std::size(kCatalog) == kMaxCatalogSize);

// The base provider of the Microsoft stack, and of its IPv6 half.
constexpr GUID kInetProvider
    = { 0xe70f1aa0, 0xab8b, 0x11cf, { 0x8c, 0xa3, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92 } };
constexpr GUID kInet6Provider
    = { 0xf9eab0c0, 0x26d4, 0x11d0, { 0xbb, 0xbf, 0x00, 0xaa, 0x00, 0x6c, 0x34, 0xe4 } };

constexpr GUID kUnixProvider
    = { 0xa00943d9, 0x9c2e, 0x4633, { 0x9b, 0x59, 0x00, 0x57, 0xa3, 0x16, 0x09, 0x94 } };

bool is_known_type(int type)
{
    return type == 0 || type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_RAW;
}

bool is_known_family(int family)
{
    return family == AF_UNSPEC || family == AF_INET || family == AF_INET6
        || (family == AF_UNIX && emulation::is_on());
}

bool matches(const CatalogRow& row, int family, int type, int protocol)
{
    if (family != AF_UNSPEC && family != row.family)
        return false;
    if (row.type == SOCK_RAW)
        return (type == 0 || type == SOCK_RAW) && protocol >= 0 && protocol <= kMaxRawProtocol;
    return (type == 0 || type == row.type) && (protocol == 0 || protocol == row.protocol);
}

const CatalogRow* find_row(int family, int type, int protocol)
{
    for (const CatalogRow& row : kCatalog) {
        if (matches(row, family, type, protocol))
            return &row;
    }
    return nullptr;
}

} // namespace

int resolve_protocol(int& family, int& type, int& protocol)
{
    if (family == AF_UNSPEC && protocol == 0)
        return WSAEINVAL;
    if (!is_known_type(type))
        return WSAESOCKTNOSUPPORT;
    if (!is_known_family(family))
        return WSAEAFNOSUPPORT;
    const CatalogRow* row = find_row(family, type, protocol);
    if (!row && family == AF_UNIX && !matches(kCatalog[kMaxCatalogSize - 1], family, type, 0))
        return WSAESOCKTNOSUPPORT; // [af_unix/2]
    if (!row)
        return WSAEPROTONOSUPPORT;
    family = row->family;
    type = row->type;
    if (row->type != SOCK_RAW)
        protocol = row->protocol;
    return 0;
}

static const GUID& provider_of(int family)
{
    switch (family) {
    case AF_UNIX:
        return kUnixProvider;
    case AF_INET6:
        return kInet6Provider;
    default:
        return kInetProvider;
    }
}

WSAPROTOCOL_INFOW protocol_info(int family, int type, int protocol)
{
    WSAPROTOCOL_INFOW info {};
    const CatalogRow* row = find_row(family, type, type == SOCK_RAW ? 0 : protocol);
    info.dwServiceFlags1 = row ? row->service_flags : XP1_IFS_HANDLES;
    info.dwProviderFlags = row ? row->provider_flags : 0;
    info.ProviderId = provider_of(family);
    info.dwCatalogEntryId = row ? row->entry_id : 0;
    info.ProtocolChain.ChainLen = BASE_PROTOCOL;
    info.iVersion = 2;
    info.iAddressFamily = family;
    info.iMaxSockAddr = address_length(family);
    info.iMinSockAddr = family == AF_UNIX ? sizeof(ADDRESS_FAMILY) : address_length(family);
    info.iSocketType = type;
    // The raw entries stand for a range of protocols, whichever the socket has. [getsockopt/3]
    info.iProtocol = type == SOCK_RAW ? 0 : protocol;
    info.iProtocolMaxOffset = type == SOCK_RAW ? kMaxRawProtocol : 0;
    info.iNetworkByteOrder = BIGENDIAN;
    info.iSecurityScheme = SECURITY_PROTOCOL_NONE;
    info.dwMessageSize = row ? row->message_size : 0;
    if (row)
        wcscpy(info.szProtocol, row->name);
    return info;
}

unsigned catalog_size()
{
    return emulation::is_on() ? kMaxCatalogSize : kMaxCatalogSize - 1;
}

WSAPROTOCOL_INFOW catalog_entry(unsigned index)
{
    const CatalogRow& row = kCatalog[index];
    return protocol_info(row.family, row.type, row.protocol);
}

bool is_provider(const GUID& id)
{
    return IsEqualGUID(id, kInetProvider) || IsEqualGUID(id, kInet6Provider)
        || (IsEqualGUID(id, kUnixProvider) && emulation::is_on());
}

WSAPROTOCOL_INFOA ansi_protocol_info(const WSAPROTOCOL_INFOW& wide)
{
    WSAPROTOCOL_INFOA info;
    static_assert(
        offsetof(WSAPROTOCOL_INFOA, szProtocol) == offsetof(WSAPROTOCOL_INFOW, szProtocol));
    std::memcpy(&info, &wide, offsetof(WSAPROTOCOL_INFOA, szProtocol));
    std::memset(info.szProtocol, 0, sizeof(info.szProtocol));
    WideCharToMultiByte(
        CP_ACP, 0, wide.szProtocol, -1, info.szProtocol, sizeof(info.szProtocol), nullptr, nullptr);
    return info;
}

int ip_address_length(int family)
{
    switch (family) {
    case AF_INET:
        return sizeof(SOCKADDR_IN);
    case AF_INET6:
        return sizeof(SOCKADDR_IN6);
    default:
        return 0;
    }
}

int address_length(int family)
{
    return family == AF_UNIX ? sizeof(UnixAddress) : ip_address_length(family);
}

} // namespace ws2
