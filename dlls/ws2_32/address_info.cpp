// getaddrinfo, GetAddrInfoW, freeaddrinfo, FreeAddrInfoW.
#include "address_query.h"
#include "caller.h"
#include "error.h"
#include "guard.h"
#include "startup.h"

namespace ws2 {

template <typename Char, typename Info>
static int get_address_info(
    const void* caller, const Char* node, const Char* service, const Info* hints, Info*& list)
{
    if (!is_started_for(caller))
        return WSANOTINITIALISED;
    AddressQuery query;
    query.takes_idn = std::is_same_v<Char, wchar_t>;
    return look_up_addresses(node, service, hints, query, list);
}

/// The result is cleared first, and written for good last. The error is both the value and the last
/// error.
template <typename Char, typename Info>
static int get_address_info_checked(
    const void* caller, const Char* node, const Char* service, const Info* hints, Info** result)
{
    Info* list = nullptr;
    int error = WSAEFAULT;
    if (guard::write(result, list)) {
        error = get_address_info(caller, node, service, hints, list);
        if (!error)
            *result = list;
    }
    SetLastError(error);
    return error;
}

} // namespace ws2

int WSAAPI getaddrinfo(
    const char* node, const char* service, const ADDRINFOA* hints, ADDRINFOA** result)
{
    return ws2::get_address_info_checked(WS2_CALLER, node, service, hints, result);
}

int WSAAPI GetAddrInfoW(
    const wchar_t* node, const wchar_t* service, const ADDRINFOW* hints, ADDRINFOW** result)
{
    return ws2::get_address_info_checked(WS2_CALLER, node, service, hints, result);
}

void WSAAPI freeaddrinfo(ADDRINFOA* list)
{
    ws2::free_address_list(list);
}

void WSAAPI FreeAddrInfoW(ADDRINFOW* list)
{
    ws2::free_address_list(list);
}
