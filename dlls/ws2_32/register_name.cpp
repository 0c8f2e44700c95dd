// SetAddrInfoExA, SetAddrInfoExW.
//
// No name space here takes names. The arguments are looked at all the same: a program that tests
// for the reserved ones learns what it would on Windows.
#include "caller.h"
#include "error.h"
#include "guard.h"
#include "host_name.h"
#include "startup.h"

namespace ws2 {

/// Returns the error; there is no success. [SetAddrInfoEx/1]
static int check_registration(const void* caller, const NameArgument& name,
    const SOCKET_ADDRESS* addresses, DWORD count, bool has_reserved)
{
    if (!is_started_for(caller))
        return WSANOTINITIALISED;
    if (has_reserved || name.is_absent())
        return WSAEINVAL;
    SOCKET_ADDRESS first;
    if (name.is_bad() || (count && (!addresses || !guard::read(addresses, first))))
        return WSAEFAULT;
    return WSANO_RECOVERY;
}

} // namespace ws2

using namespace ws2;

int WSAAPI SetAddrInfoExA(const char* name, const char* /*service*/, SOCKET_ADDRESS* addresses,
    DWORD count, BLOB* /*blob*/, DWORD /*flags*/, DWORD /*name_space*/, GUID* /*provider*/,
    timeval* timeout, OVERLAPPED* overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine,
    HANDLE* handle)
{
    const int error = check_registration(WS2_CALLER, NameArgument(name), addresses, count,
        timeout || overlapped || routine || handle);
    return SetLastError(error), error;
}

int WSAAPI SetAddrInfoExW(const wchar_t* name, const wchar_t* /*service*/,
    SOCKET_ADDRESS* addresses, DWORD count, BLOB* /*blob*/, DWORD /*flags*/, DWORD /*name_space*/,
    GUID* /*provider*/, timeval* timeout, OVERLAPPED* overlapped,
    LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, HANDLE* handle)
{
    const int error = check_registration(WS2_CALLER, NameArgument(name), addresses, count,
        timeout || overlapped || routine || handle);
    return SetLastError(error), error;
}
