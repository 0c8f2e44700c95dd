// Configuration of transport providers: WSCGetProviderPath, WSC{Get,Set}ProviderInfo,
// WSC{Install,Deinstall,Update}Provider, WSCWriteProviderOrder, WSC{Get,Set}ApplicationCategory.
//
// The catalog is built in. It can be asked for, and refuses every change as it does to a user
// without the right to make one. [service-providers/2]
#include <cwchar>

#include "catalog.h"
#include "provider_error.h"

#include <ws2spi.h>
// After the types it takes for granted.
#include <sporder.h>

namespace ws2 {

/// Reads a provider's identifier. Returns 0, WSAEFAULT, or `unknown` when nobody has it.
static int read_provider_id(const GUID* pointer, int unknown)
{
    GUID id;
    if (!pointer || !guard::read(pointer, id))
        return WSAEFAULT;
    return is_provider(id) ? 0 : unknown;
}

/// What every change meets after its arguments were found good.
constexpr int kNotPermitted = WSANO_RECOVERY;

/// The arguments of installing and updating.
static int check_entries(const WCHAR* path, const WSAPROTOCOL_INFOW* entries, DWORD count)
{
    WCHAR first;
    WSAPROTOCOL_INFOW entry;
    if (!path || !guard::read(path, first) || !entries || !guard::read(entries, entry))
        return WSAEFAULT;
    return first && count ? 0 : WSAEINVAL;
}

} // namespace ws2

using namespace ws2;

int WSPAPI WSCGetProviderPath(GUID* provider, WCHAR* path, INT* length, INT* error_out)
{
    static constexpr WCHAR kPath[] = L"%SystemRoot%\\system32\\mswsock.dll";
    constexpr INT kLength = sizeof(kPath) / sizeof(*kPath);
    // The pointers come before the length, and both before who it is. [service-providers/3]
    GUID id;
    INT room;
    if (!provider || !guard::read(provider, id) || !length || !guard::read(length, room))
        return fail_provider(error_out, WSAEFAULT);
    if (room < 0 || !is_provider(id))
        return fail_provider(error_out, WSAEINVAL);
    const bool fits = path && room >= kLength && guard::copy(path, kPath, sizeof(kPath));
    if (!guard::write(length, kLength) || !fits)
        return fail_provider(error_out, WSAEFAULT);
    return 0;
}

int WSPAPI WSCGetProviderInfo(GUID* provider, WSC_PROVIDER_INFO_TYPE type, BYTE* info, size_t* size,
    DWORD flags, INT* error_out)
{
    if (const int error = read_provider_id(provider, WSANO_RECOVERY))
        return fail_provider(error_out, error);
    if (type == ProviderInfoAudit)
        return fail_provider(error_out, ERROR_CALL_NOT_IMPLEMENTED);
    if (type != ProviderInfoLspCategories || flags)
        return fail_provider(error_out, WSAEINVAL);
    constexpr DWORD kNoCategories = 0; // a base provider is no layer
    size_t room;
    if (!size || !guard::read(size, room))
        return fail_provider(error_out, WSAEFAULT);
    const bool fits = info && room >= sizeof(kNoCategories)
        && guard::copy(info, &kNoCategories, sizeof(kNoCategories));
    if (!guard::write(size, sizeof(kNoCategories)) || !fits)
        return fail_provider(error_out, WSAEFAULT);
    return 0;
}

int WSPAPI WSCSetProviderInfo(GUID* provider, WSC_PROVIDER_INFO_TYPE type, BYTE* info, size_t size,
    DWORD flags, INT* error_out)
{
    if (const int error = read_provider_id(provider, WSANO_RECOVERY))
        return fail_provider(error_out, error);
    if (type == ProviderInfoAudit)
        return fail_provider(error_out, ERROR_CALL_NOT_IMPLEMENTED);
    if (type != ProviderInfoLspCategories || flags || size != sizeof(DWORD))
        return fail_provider(error_out, WSAEINVAL);
    DWORD categories;
    const bool readable = info && guard::copy(&categories, info, sizeof(categories));
    return fail_provider(error_out, readable ? kNotPermitted : WSAEFAULT);
}

int WSPAPI WSCInstallProvider(
    GUID* provider, const WCHAR* path, WSAPROTOCOL_INFOW* entries, DWORD count, INT* error_out)
{
    GUID id;
    if (!provider || !guard::read(provider, id))
        return fail_provider(error_out, WSAEFAULT);
    const int error = check_entries(path, entries, count);
    return fail_provider(error_out, error ? error : kNotPermitted);
}

int WSPAPI WSCDeinstallProvider(GUID* provider, INT* error_out)
{
    const int error = read_provider_id(provider, WSAEINVAL);
    return fail_provider(error_out, error ? error : kNotPermitted);
}

int WSPAPI WSCUpdateProvider(
    GUID* provider, const WCHAR* path, WSAPROTOCOL_INFOW* entries, DWORD count, INT* error_out)
{
    int error = read_provider_id(provider, WSAEINVAL);
    if (!error)
        error = check_entries(path, entries, count);
    return fail_provider(error_out, error ? error : kNotPermitted);
}

int WSPAPI WSCWriteProviderOrder(DWORD* entry_ids, DWORD count)
{
    // This one returns its error. [service-providers/5]
    if (!entry_ids || count != catalog_size())
        return WSAEINVAL;
    for (unsigned entry = 0; entry < catalog_size(); ++entry) {
        // As many as there are, and none is missing: so each is there once.
        bool is_there = false;
        for (DWORD i = 0; i < count; ++i) {
            DWORD id;
            if (!guard::read(entry_ids + i, id))
                return WSAEFAULT;
            is_there |= catalog_entry(entry).dwCatalogEntryId == id;
        }
        if (!is_there)
            return WSAEINVAL;
    }
    return kNotPermitted;
}

int WSPAPI WSCGetApplicationCategory(const WCHAR* path, DWORD path_length, const WCHAR* extra,
    DWORD extra_length, DWORD* categories, INT* error_out)
{
    if (!path_length) // It comes before the pointers. [service-providers/4]
        return fail_provider(error_out, WSAEINVAL);
    WCHAR first;
    if (!path || !guard::read(path, first) || !categories
        || !guard::is_writable(categories, sizeof(*categories)) || (!extra && extra_length))
        return fail_provider(error_out, WSAEFAULT);
    return fail_provider(error_out, WSASERVICE_NOT_FOUND); // No application has a category.
}

int WSPAPI WSCSetApplicationCategory(const WCHAR* path, DWORD path_length, const WCHAR* extra,
    DWORD extra_length, DWORD /*permitted*/, DWORD* /*previous*/, INT* error_out)
{
    WCHAR first;
    if (!path || !guard::read(path, first) || (!extra && extra_length))
        return fail_provider(error_out, WSAEFAULT);
    if (!path_length)
        return fail_provider(error_out, WSAEINVAL);
    return fail_provider(error_out, kNotPermitted);
}
