// Services and their classes: WSASetService*, WSAInstallServiceClass*, WSARemoveServiceClass,
// WSAGetServiceClass*.
//
// No name space here takes services, so registrations are refused and no class is known.
#include "error.h"
#include "guard.h"
#include "namespace_provider.h"
#include "startup.h"

namespace ws2 {

namespace {

/// 0, or the error of a call without WSAStartup.
int check_started()
{
    return is_started() ? 0 : WSANOTINITIALISED;
}

template <typename Query> int set_service(const Query* info, WSAESETSERVICEOP operation)
{
    if (const int error = check_started())
        return fail(error);
    Query query;
    if (!info)
        return fail(WSAEINVAL);
    if (!guard::read(&info->dwSize, query.dwSize))
        return fail(WSAEFAULT);
    if (query.dwSize < sizeof(query))
        return fail(WSAEINVAL);
    if (!guard::read(info, query))
        return fail(WSAEFAULT);
    switch (operation) {
    case RNRSERVICE_REGISTER:
        return fail(WSAEACCES);
    case RNRSERVICE_DEREGISTER:
    case RNRSERVICE_DELETE:
        return fail(WSASERVICE_NOT_FOUND);
    default:
        return fail(WSAEINVAL);
    }
}

template <typename Info> int install_class(const Info* info)
{
    if (const int error = check_started())
        return fail(error);
    Info copy;
    if (info && !guard::read(info, copy))
        return fail(WSAEFAULT);
    return fail(info && copy.lpServiceClassId ? WSAEACCES : WSAEINVAL);
}

/// Looks for a service class; there are none. `missing` is the error without an identifier.
int find_class(const GUID* id, int missing)
{
    if (const int error = check_started())
        return fail(error);
    GUID copy;
    if (!id)
        return fail(missing);
    return fail(guard::read(id, copy) ? WSATYPE_NOT_FOUND : WSAEFAULT); // [service-providers/9]
}

/// The same for its description, of which each part is needed.
int find_class_info(const GUID* provider, const GUID* id, const DWORD* size, const void* info)
{
    if (const int error = check_started())
        return fail(error);
    DWORD room;
    if (!provider || !id || !size || !info)
        return fail(WSAEINVAL);
    if (!guard::read(size, room))
        return fail(WSAEFAULT);
    if (const int error = check_name_space_provider(provider))
        return fail(error);
    return find_class(id, WSAEINVAL);
}

int find_class_name(const GUID* id, const DWORD* size)
{
    DWORD room;
    if (is_started() && id && (!size || !guard::read(size, room)))
        return fail(WSAEFAULT);
    return find_class(id, WSA_INVALID_PARAMETER);
}

} // namespace

} // namespace ws2

using namespace ws2;

INT WSAAPI WSASetServiceA(WSAQUERYSETA* info, WSAESETSERVICEOP operation, DWORD /*flags*/)
{
    return set_service(info, operation);
}

INT WSAAPI WSASetServiceW(WSAQUERYSETW* info, WSAESETSERVICEOP operation, DWORD /*flags*/)
{
    return set_service(info, operation);
}

INT WSAAPI WSAInstallServiceClassA(WSASERVICECLASSINFOA* info)
{
    return install_class(info);
}

INT WSAAPI WSAInstallServiceClassW(WSASERVICECLASSINFOW* info)
{
    return install_class(info);
}

INT WSAAPI WSARemoveServiceClass(GUID* id)
{
    return find_class(id, WSAEINVAL);
}

INT WSAAPI WSAGetServiceClassInfoA(
    GUID* provider, GUID* id, DWORD* size, WSASERVICECLASSINFOA* info)
{
    return find_class_info(provider, id, size, info);
}

INT WSAAPI WSAGetServiceClassInfoW(
    GUID* provider, GUID* id, DWORD* size, WSASERVICECLASSINFOW* info)
{
    return find_class_info(provider, id, size, info);
}

INT WSAAPI WSAGetServiceClassNameByClassIdA(GUID* id, char* /*name*/, DWORD* size)
{
    return find_class_name(id, size);
}

INT WSAAPI WSAGetServiceClassNameByClassIdW(GUID* id, WCHAR* /*name*/, DWORD* size)
{
    return find_class_name(id, size);
}
