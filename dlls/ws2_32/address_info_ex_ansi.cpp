// GetAddrInfoExA, FreeAddrInfoEx. The ANSI form blocks always: only the wide one has time-outs,
// completion and cancelling.
#include "address_info_ex.h"
#include "caller.h"
#include "error.h"
#include "host_name.h"
#include "namespace_provider.h"
#include "startup.h"

namespace ws2 {

/// Returns 0 with the list in `list`, or the error.
static int look_up_ansi(
    const char* node, const char* service, const ADDRINFOEXA* hints, AddressInfoExA*& list)
{
    const NameArgument node_argument(node);
    const NameArgument service_argument(service);
    if (node_argument.is_bad() || service_argument.is_bad())
        return WSAEFAULT;
    AddressQuery query;
    query.node = node_argument.text();
    query.service = service_argument.text();
    query.has_both_names = true;
    if (int error = read_hints(hints, query))
        return error;
    AddressAnswer answer;
    if (int error = query_addresses(query, answer))
        return error;
    list = make_address_list<AddressInfoExA>(query, answer);
    return list ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

} // namespace ws2

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
    if (!error)
        error = look_up_ansi(node, service, hints, list);
    if (list)
        *target = list;
    return SetLastError(error), error;
}

void WSAAPI FreeAddrInfoEx(ADDRINFOEXA* list)
{
    free_address_list(reinterpret_cast<AddressInfoExA*>(list));
}
