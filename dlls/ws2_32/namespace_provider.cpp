// Name space providers: WSAEnumNameSpaceProvidersA/W and the WSC functions that configure them.
//
// There is one name space, DNS, which getaddrinfo and its relatives ask. It cannot be changed.
#include <cstddef>
#include <cstring>

#include "caller.h"
#include "error.h"
#include "guard.h"
#include "startup.h"

#include <ws2spi.h>
// After the types it takes for granted.
#include <sporder.h>

namespace ws2 {

namespace {

// The identifier Windows gives its DNS provider.
constexpr GUID kDnsProvider
    = { 0x22059d40, 0x7e9e, 0x11cf, { 0xae, 0x5a, 0x00, 0xaa, 0x00, 0xa7, 0x11, 0x2b } };

constexpr char kNameA[] = "Tcpip";
constexpr wchar_t kNameW[] = L"Tcpip";

/// Describes the one provider; the name stands behind the structure.
template <typename Info, typename Char, size_t kSize>
int enum_providers(const void* caller, DWORD* size, Info* buffer, const Char (&name)[kSize])
{
    if (!is_started_for(caller))
        return fail(WSANOTINITIALISED);
    constexpr DWORD kNeeded = sizeof(Info) + sizeof(name);
    DWORD room;
    if (!size || !guard::read(size, room))
        return fail(WSAEFAULT);
    if (!buffer || room < kNeeded) {
        guard::write(size, kNeeded); // [service-providers/6]
        return fail(WSAEFAULT);
    }
    struct {
        Info info;
        Char name[kSize];
    } image {};
    static_assert(offsetof(decltype(image), name) == sizeof(Info));
    image.info.NSProviderId = kDnsProvider;
    image.info.dwNameSpace = NS_DNS;
    image.info.fActive = TRUE;
    image.info.lpszIdentifier
        = reinterpret_cast<Char*>(reinterpret_cast<char*>(buffer) + sizeof(Info));
    std::memcpy(image.name, name, sizeof(name));
    if (!guard::copy(buffer, &image, kNeeded))
        return fail(WSAEFAULT);
    SetLastError(0);
    return 1;
}

/// 0 when `pointer` names the provider, else the Winsock error.
int check_provider(const GUID* pointer)
{
    GUID id;
    if (!pointer || !guard::read(pointer, id))
        return WSAEFAULT;
    return IsEqualGUID(id, kDnsProvider) ? 0 : WSAEINVAL;
}

/// What every change meets after its arguments were found good. [service-providers/7]
int refuse(int error)
{
    return fail(error ? error : WSANO_RECOVERY);
}

} // namespace

} // namespace ws2

using namespace ws2;

INT WSAAPI WSAEnumNameSpaceProvidersA(DWORD* size, WSANAMESPACE_INFOA* buffer)
{
    return enum_providers(WS2_CALLER, size, buffer, kNameA);
}

INT WSAAPI WSAEnumNameSpaceProvidersW(DWORD* size, WSANAMESPACE_INFOW* buffer)
{
    return enum_providers(WS2_CALLER, size, buffer, kNameW);
}

INT WSPAPI WSCInstallNameSpace(
    WCHAR* identifier, WCHAR* path, DWORD /*name_space*/, DWORD /*version*/, GUID* provider)
{
    WCHAR first;
    GUID id;
    const bool readable = identifier && guard::read(identifier, first) && path
        && guard::read(path, first) && provider && guard::read(provider, id);
    return refuse(readable ? 0 : WSAEFAULT);
}

INT WSPAPI WSCUnInstallNameSpace(GUID* provider)
{
    return refuse(check_provider(provider));
}

INT WSPAPI WSCEnableNSProvider(GUID* provider, BOOL /*enable*/)
{
    return refuse(check_provider(provider));
}

int WSPAPI WSCWriteNameSpaceOrder(GUID* providers, DWORD count)
{
    if (!providers)
        return WSAEFAULT;
    if (count != 1)
        return WSAEINVAL;
    const int error = check_provider(providers);
    return error ? error : WSANO_RECOVERY;
}
