// GetAddrInfoExA, FreeAddrInfoEx. The ANSI form blocks always: only the wide one has time-outs,
// completion and cancelling.
#include "address_info_ex.h"
#include "caller.h"
#include "error.h"
#include "namespace_provider.h"
#include "startup.h"

using namespace ws2;

int WSAAPI GetAddrInfoExA(const char* node, const char* service, DWORD name_space, GUID* provider,
    const ADDRINFOEXA* hints, ADDRINFOEXA** result, timeval* timeout, OVERLAPPED* overlapped,
    LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, HANDLE* handle)
{
    AddressInfoExA* list = nullptr;
    auto** const target = reinterpret_cast<AddressInfoExA**>(result);
    int error = 0;
    if (!is_started_for(WS2_CALLER))
        error = WSANOTINITIALISED;
    else if (!guard::write(target, list))
        error = WSAEFAULT;
    else if (timeout || overlapped || routine || handle)
        error = WSAEINVAL; // [GetAddrInfoEx/7]
    else
        error = check_host_name_space(name_space, provider);
    if (!error) {
        AddressQuery query;
        query.has_both_names = true;
        error = look_up_addresses(node, service, hints, query, list);
    }
    if (list)
        *target = list;
    return SetLastError(error), error;
}

void WSAAPI FreeAddrInfoEx(ADDRINFOEXA* list)
{
    free_address_list(reinterpret_cast<AddressInfoExA*>(list));
}
