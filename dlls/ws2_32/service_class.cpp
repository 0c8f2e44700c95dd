// Services and their classes: WSASetService*, WSAInstallServiceClass*, WSARemoveServiceClass,
// WSAGetServiceClass*.
//
// No name space here takes services, so registrations are refused and no class is known.
#include "error.h"
#include "guard.h"
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
    if (!info || !guard::read(&info->dwSize, query.dwSize))
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
    if (!info || !guard::read(info, copy))
        return fail(WSAEFAULT);
    if (!copy.lpServiceClassId)
        return fail(WSAEINVAL);
    return fail(WSAEACCES);
}

/// Looks for a service class and its description; there are none.
int find_class(const GUID* id, const DWORD* size)
{
    if (const int error = check_started())
        return fail(error);
    GUID copy;
    DWORD room;
    if (!id || !guard::read(id, copy) || !size || !guard::read(size, room))
        return fail(WSAEFAULT);
    return fail(WSATYPE_NOT_FOUND); // [service-providers/9]
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
    constexpr DWORD kNoBuffer = 0;
    return find_class(id, &kNoBuffer);
}

INT WSAAPI WSAGetServiceClassInfoA(
    GUID* provider, GUID* id, DWORD* size, WSASERVICECLASSINFOA* /*info*/)
{
    GUID copy;
    if (is_started() && (!provider || !guard::read(provider, copy)))
        return fail(WSAEFAULT);
    return find_class(id, size);
}

INT WSAAPI WSAGetServiceClassInfoW(
    GUID* provider, GUID* id, DWORD* size, WSASERVICECLASSINFOW* /*info*/)
{
    return WSAGetServiceClassInfoA(provider, id, size, nullptr);
}

INT WSAAPI WSAGetServiceClassNameByClassIdA(GUID* id, char* /*name*/, DWORD* size)
{
    return find_class(id, size);
}

INT WSAAPI WSAGetServiceClassNameByClassIdW(GUID* id, WCHAR* /*name*/, DWORD* size)
{
    return find_class(id, size);
}
