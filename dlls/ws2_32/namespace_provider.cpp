// Name space providers: WSAEnumNameSpaceProvidersA/W, their Ex forms, and the WSC functions that
// configure them.
//
// There are two name spaces: DNS, which getaddrinfo and its relatives ask, and the one of networks,
// which service_lookup.cpp searches. They cannot be changed.
#include "namespace_provider.h"

#include <cstring>
#include <iterator>
#include <string>

#include "caller.h"
#include "error.h"
#include "guard.h"
#include "startup.h"

#include <ws2spi.h>
// After the types it takes for granted.
#include <sporder.h>

namespace ws2 {

namespace {

struct NameSpace {
    GUID provider; // as Windows has it
    DWORD id;
    const char* name;
};

constexpr NameSpace kNameSpaces[] = {
    { { 0x22059d40, 0x7e9e, 0x11cf, { 0xae, 0x5a, 0x00, 0xaa, 0x00, 0xa7, 0x11, 0x2b } }, NS_DNS,
        "Tcpip" },
    { NLA_NAMESPACE_GUID, NS_NLA, "Network Location Awareness (NLA) Namespace" },
};
constexpr DWORD kNameSpaceCount = std::size(kNameSpaces);

constexpr DWORD names_length()
{
    DWORD length = 0;
    for (const NameSpace& name_space : kNameSpaces)
        length += std::char_traits<char>::length(name_space.name) + 1;
    return length;
}

/// Describes the providers; their names stand behind the structures.
template <typename Char, typename Info>
int enum_providers(const void* caller, DWORD* size, Info* buffer)
{
    struct Image {
        Info infos[kNameSpaceCount];
        Char names[names_length()];
    };
    if (!is_started_for(caller))
        return fail(WSANOTINITIALISED);
    constexpr DWORD kNeeded = sizeof(Image);
    DWORD room;
    if (!size || !guard::read(size, room))
        return fail(WSAEFAULT);
    if (!buffer || room < kNeeded) {
        guard::write(size, kNeeded); // [service-providers/6]
        return fail(WSAEFAULT);
    }
    Image image {};
    Char* name = image.names;
    for (DWORD i = 0; i < kNameSpaceCount; ++i) {
        image.infos[i].NSProviderId = kNameSpaces[i].provider;
        image.infos[i].dwNameSpace = kNameSpaces[i].id;
        image.infos[i].fActive = TRUE;
        image.infos[i].lpszIdentifier
            = reinterpret_cast<Image*>(buffer)->names + (name - image.names);
        const char* text = kNameSpaces[i].name;
        do {
            *name++ = *text;
        } while (*text++);
    }
    if (!guard::copy(buffer, &image, kNeeded))
        return fail(WSAEFAULT);
    SetLastError(0);
    return kNameSpaceCount;
}

/// What every change meets after its arguments were found good. [service-providers/7]
int refuse(int error)
{
    return fail(error ? error : WSANO_RECOVERY);
}

/// The arguments of installing. Returns 0 or WSAEFAULT.
int check_name_space(const WCHAR* identifier, const WCHAR* path, const GUID* provider)
{
    WCHAR first;
    GUID id;
    const bool readable = identifier && guard::read(identifier, first) && path
        && guard::read(path, first) && provider && guard::read(provider, id);
    return readable ? 0 : WSAEFAULT;
}

} // namespace

int check_name_space_provider(const GUID* pointer)
{
    GUID id;
    if (!pointer || !guard::read(pointer, id))
        return WSAEFAULT;
    for (const NameSpace& name_space : kNameSpaces) {
        if (IsEqualGUID(id, name_space.provider))
            return 0;
    }
    return WSAEINVAL;
}

int check_host_name_space(DWORD name_space, const GUID* provider)
{
    if (name_space != NS_ALL && name_space != NS_DNS)
        return WSASERVICE_NOT_FOUND;
    GUID id;
    if (!provider)
        return 0;
    if (!guard::read(provider, id))
        return WSAEFAULT;
    return IsEqualGUID(id, kNameSpaces[0].provider) ? 0 : WSASERVICE_NOT_FOUND;
}

} // namespace ws2

using namespace ws2;

INT WSAAPI WSAEnumNameSpaceProvidersA(DWORD* size, WSANAMESPACE_INFOA* buffer)
{
    return enum_providers<char>(WS2_CALLER, size, buffer);
}

INT WSAAPI WSAEnumNameSpaceProvidersW(DWORD* size, WSANAMESPACE_INFOW* buffer)
{
    return enum_providers<wchar_t>(WS2_CALLER, size, buffer);
}

INT WSAAPI WSAEnumNameSpaceProvidersExA(DWORD* size, WSANAMESPACE_INFOEXA* buffer)
{
    return enum_providers<char>(WS2_CALLER, size, buffer);
}

INT WSAAPI WSAEnumNameSpaceProvidersExW(DWORD* size, WSANAMESPACE_INFOEXW* buffer)
{
    return enum_providers<wchar_t>(WS2_CALLER, size, buffer);
}

INT WSPAPI WSCInstallNameSpace(
    WCHAR* identifier, WCHAR* path, DWORD /*name_space*/, DWORD /*version*/, GUID* provider)
{
    return refuse(check_name_space(identifier, path, provider));
}

int WSAAPI WSCInstallNameSpaceEx(WCHAR* identifier, WCHAR* path, DWORD /*name_space*/,
    DWORD /*version*/, GUID* provider, BLOB* info)
{
    BLOB blob;
    const int error = check_name_space(identifier, path, provider);
    return refuse(info && !guard::read(info, blob) ? WSAEFAULT : error);
}

INT WSPAPI WSCUnInstallNameSpace(GUID* provider)
{
    return refuse(check_name_space_provider(provider));
}

INT WSPAPI WSCEnableNSProvider(GUID* provider, BOOL /*enable*/)
{
    return refuse(check_name_space_provider(provider));
}

int WSPAPI WSCWriteNameSpaceOrder(GUID* providers, DWORD count)
{
    // This one returns its error. [service-providers/5]
    if (!providers)
        return WSAEFAULT;
    if (count != kNameSpaceCount)
        return WSAEINVAL;
    for (const NameSpace& name_space : kNameSpaces) {
        // As many as there are, and none is missing: so each is there once.
        bool is_there = false;
        for (DWORD i = 0; i < count; ++i) {
            GUID id;
            if (!guard::read(providers + i, id))
                return WSAEFAULT;
            is_there |= IsEqualGUID(id, name_space.provider);
        }
        if (!is_there)
            return WSAEINVAL;
    }
    return WSANO_RECOVERY;
}
