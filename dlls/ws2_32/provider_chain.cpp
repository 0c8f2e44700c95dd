// Installation of layered providers together with their chains: WSCInstallProviderAndChains and its
// form for both catalogs of a 64-bit system.
#include "catalog.h"
#include "provider_error.h"

// In the SDK's header each of them is there for one architecture only.
extern "C" {
int WSAAPI WSCInstallProviderAndChains(GUID* provider, WCHAR* path, WCHAR* name, DWORD flags,
    WSAPROTOCOL_INFOW* entries, DWORD count, DWORD* entry_id, INT* error_out);
#ifdef _WIN64
int WSAAPI WSCInstallProviderAndChains64_32(GUID* provider, WCHAR* path, WCHAR* path32, WCHAR* name,
    DWORD flags, WSAPROTOCOL_INFOW* entries, DWORD count, DWORD* entry_id, INT* error_out);
#endif
}

namespace ws2 {

/// A text that is not empty and fits `room` characters with its terminator. Returns 0, WSAEFAULT or
/// WSAEINVAL.
static int check_text(const WCHAR* text, int room)
{
    if (!text)
        return WSAEINVAL;
    for (int i = 0; i < room; ++i) {
        WCHAR c;
        if (!guard::read(text + i, c))
            return WSAEFAULT;
        if (!c)
            return i ? 0 : WSAEINVAL;
    }
    return WSAEINVAL;
}

/// The protocols to layer the provider over; without a list, all there are. Returns 0 or the error.
static int check_protocols(const WSAPROTOCOL_INFOW* entries, DWORD count)
{
    if (!entries)
        return 0;
    if (!count)
        return WSAEINVAL;
    for (DWORD i = 0; i < count; ++i) {
        WSAPROTOCOL_INFOW entry;
        if (!guard::read(entries + i, entry))
            return WSAEFAULT;
        int family = entry.iAddressFamily;
        int type = entry.iSocketType;
        int protocol = entry.iProtocol;
        if (resolve_protocol(family, type, protocol))
            return WSAEINVAL;
    }
    return 0;
}

/// The error of an installation; there is no success. [service-providers/18]
static int check_chain_installation(const GUID* provider, const WCHAR* path, const WCHAR* name,
    const WSAPROTOCOL_INFOW* entries, DWORD count)
{
    GUID id;
    if (!provider)
        return WSAEINVAL;
    if (!guard::read(provider, id))
        return WSAEFAULT;
    if (is_provider(id))
        return WSAEINVAL;
    if (const int error = check_text(path, MAX_PATH))
        return error;
    if (const int error = check_text(name, WSAPROTOCOL_LEN + 1))
        return error;
    if (const int error = check_protocols(entries, count))
        return error;
    return WSANO_RECOVERY;
}

} // namespace ws2

using namespace ws2;

int WSAAPI WSCInstallProviderAndChains(GUID* provider, WCHAR* path, WCHAR* name, DWORD /*flags*/,
    WSAPROTOCOL_INFOW* entries, DWORD count, DWORD* /*entry_id*/, INT* error_out)
{
    return fail_provider(error_out, check_chain_installation(provider, path, name, entries, count));
}

#ifdef _WIN64
int WSAAPI WSCInstallProviderAndChains64_32(GUID* provider, WCHAR* path, WCHAR* path32, WCHAR* name,
    DWORD /*flags*/, WSAPROTOCOL_INFOW* entries, DWORD count, DWORD* /*entry_id*/, INT* error_out)
{
    if (const int error = check_text(path32, MAX_PATH))
        return fail_provider(error_out, error);
    return fail_provider(error_out, check_chain_installation(provider, path, name, entries, count));
}
#endif
