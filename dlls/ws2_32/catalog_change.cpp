// WSAProviderConfigChange.
#include "catalog_change.h"

#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "startup.h"

namespace ws2 {

int make_change_notification(HANDLE* handle)
{
    // An event the program can close is one.
    HANDLE event;
    const NTSTATUS status = kernel::create_event(&event, kNotificationEvent);
    if (!NT_SUCCESS(status))
        return error_from_status(status);
    if (guard::write(handle, event))
        return 0;
    kernel::close(event);
    return WSAEFAULT; // [service-providers/22]
}

int await_change(
    HANDLE handle, WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (!kernel::is_event(handle))
        return WSA_INVALID_HANDLE; // [service-providers/13]
    if (!overlapped)
        return WSAEWOULDBLOCK;
    kernel::Completion completion;
    return completion_from_overlapped(overlapped, routine, completion) ? WSA_IO_PENDING : WSAEFAULT;
}

} // namespace ws2

using namespace ws2;

INT WSAAPI WSAProviderConfigChange(
    HANDLE* notification, WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    HANDLE handle;
    if (!notification || !guard::read(notification, handle))
        return fail(WSAEFAULT);
    if (handle)
        return fail(await_change(handle, overlapped, routine));
    const int error = make_change_notification(notification); // The first call does only this.
    return error ? fail(error) : succeed();
}
