// Name space providers of version 2, which live in a process of their own: WSAAdvertiseProvider,
// WSAUnadvertiseProvider, WSAProviderCompleteAsyncCall.
//
// Only a provider that is in the catalog as an application's can be made known, and there is none.
// [service-providers/20]
#include "error.h"
#include "guard.h"
#include "startup.h"

#include <ws2spi.h>

using namespace ws2;

INT WSAAPI WSAAdvertiseProvider(const GUID* provider, const LPCNSPV2_ROUTINE* routines)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    if (!provider || !routines)
        return fail(WSAEINVAL);
    GUID id;
    NSPV2_ROUTINE copy;
    // The header of the SDK has one level of pointers too many.
    if (!guard::read(provider, id)
        || !guard::read(reinterpret_cast<const NSPV2_ROUTINE*>(routines), copy))
        return fail(WSAEFAULT);
    if (!copy.NSPv2LookupServiceBegin || !copy.NSPv2LookupServiceNextEx
        || !copy.NSPv2LookupServiceEnd)
        return fail(WSAEINVAL);
    return fail(WSAEINVALIDPROVIDER);
}

INT WSAAPI WSAUnadvertiseProvider(const GUID* provider)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    GUID id;
    return fail(provider && !guard::read(provider, id) ? WSAEFAULT : WSAEINVAL);
}

INT WSPAPI WSAProviderCompleteAsyncCall(HANDLE /*call*/, INT /*result*/)
{
    // No call has been passed to a provider.
    return fail(is_started() ? WSAEINVAL : WSANOTINITIALISED);
}
