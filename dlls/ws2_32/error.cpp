#include "error.h"

namespace ws2 {

struct ErrorRow {
    NTSTATUS status;
    int error;
};

// The statuses that have a Winsock error of their own. Source: spec/errors.md.
static constexpr ErrorRow kErrors[] = {
    { STATUS_PENDING, WSA_IO_PENDING },
    { STATUS_CANCELLED, WSA_OPERATION_ABORTED },
    { STATUS_REQUEST_ABORTED, WSAEINTR },
    { STATUS_ACCESS_DENIED, WSAEACCES },
    { STATUS_ACCESS_VIOLATION, WSAEFAULT },
    { STATUS_BUFFER_TOO_SMALL, WSAEFAULT },
    { STATUS_DATATYPE_MISALIGNMENT_ERROR, WSAEFAULT },
    { STATUS_DEVICE_NOT_READY, WSAEWOULDBLOCK },
    { STATUS_REQUEST_NOT_ACCEPTED, WSAEWOULDBLOCK },
    { STATUS_INVALID_HANDLE, WSAENOTSOCK },
    { STATUS_OBJECT_TYPE_MISMATCH, WSAENOTSOCK },
    { STATUS_BUFFER_OVERFLOW, WSAEMSGSIZE },
    { STATUS_INVALID_BUFFER_SIZE, WSAEMSGSIZE },
    { STATUS_NOT_IMPLEMENTED, WSAEOPNOTSUPP },
    { STATUS_NOT_SUPPORTED, WSAEOPNOTSUPP },
    { STATUS_SHARING_VIOLATION, WSAEADDRINUSE },
    { STATUS_ADDRESS_ALREADY_EXISTS, WSAEADDRINUSE },
    { STATUS_INVALID_ADDRESS, WSAEADDRNOTAVAIL },
    { STATUS_INVALID_ADDRESS_COMPONENT, WSAEADDRNOTAVAIL },
    { STATUS_NO_SUCH_DEVICE, WSAENETDOWN },
    { STATUS_NO_SUCH_FILE, WSAENETDOWN },
    { STATUS_OBJECT_NAME_NOT_FOUND, WSAENETDOWN },
    { STATUS_OBJECT_PATH_NOT_FOUND, WSAENETDOWN },
    { STATUS_NETWORK_BUSY, WSAENETDOWN },
    { STATUS_INVALID_NETWORK_RESPONSE, WSAENETDOWN },
    { STATUS_UNEXPECTED_NETWORK_ERROR, WSAENETDOWN },
    { STATUS_BAD_NETWORK_PATH, WSAENETUNREACH },
    { STATUS_NETWORK_UNREACHABLE, WSAENETUNREACH },
    { STATUS_PROTOCOL_UNREACHABLE, WSAENETUNREACH },
    { STATUS_LOCAL_DISCONNECT, WSAECONNABORTED },
    { STATUS_TRANSACTION_ABORTED, WSAECONNABORTED },
    { STATUS_CONNECTION_ABORTED, WSAECONNABORTED },
    { STATUS_REMOTE_DISCONNECT, WSAECONNRESET },
    { STATUS_LINK_FAILED, WSAECONNRESET },
    { STATUS_CONNECTION_DISCONNECTED, WSAECONNRESET },
    { STATUS_CONNECTION_RESET, WSAECONNRESET },
    { STATUS_PORT_UNREACHABLE, WSAECONNRESET },
    { STATUS_PAGEFILE_QUOTA, WSAENOBUFS },
    { STATUS_NO_MEMORY, WSAENOBUFS },
    { STATUS_CONFLICTING_ADDRESSES, WSAENOBUFS },
    { STATUS_QUOTA_EXCEEDED, WSAENOBUFS },
    { STATUS_TOO_MANY_PAGING_FILES, WSAENOBUFS },
    { STATUS_INSUFFICIENT_RESOURCES, WSAENOBUFS },
    { STATUS_WORKING_SET_QUOTA, WSAENOBUFS },
    { STATUS_COMMITMENT_LIMIT, WSAENOBUFS },
    { STATUS_REMOTE_RESOURCES, WSAENOBUFS },
    { STATUS_TOO_MANY_ADDRESSES, WSAENOBUFS },
    { STATUS_CONNECTION_ACTIVE, WSAEISCONN },
    { STATUS_INVALID_CONNECTION, WSAENOTCONN },
    { STATUS_PIPE_DISCONNECTED, WSAESHUTDOWN },
    { STATUS_IO_TIMEOUT, WSAETIMEDOUT },
    { STATUS_LINK_TIMEOUT, WSAETIMEDOUT },
    { STATUS_REMOTE_NOT_LISTENING, WSAECONNREFUSED },
    { STATUS_CONNECTION_REFUSED, WSAECONNREFUSED },
    { STATUS_HOST_DOWN, WSAEHOSTDOWN },
    { STATUS_HOST_UNREACHABLE, WSAEHOSTUNREACH },
    { STATUS_GRACEFUL_DISCONNECT, WSAEDISCON },
    // A status that carries the overlapped codes themselves.
    { static_cast<NTSTATUS>(0x800703E4), WSA_IO_INCOMPLETE },
    { static_cast<NTSTATUS>(0xC00103E4), WSA_IO_INCOMPLETE },
    { static_cast<NTSTATUS>(0xC00703E4), WSA_IO_INCOMPLETE },
};

// What the device under us answers that Windows' would not.
static constexpr ErrorRow kDeviceErrors[] = {
    // Pending requests of a socket whose last handle was closed.
    { STATUS_HANDLES_CLOSED, WSA_OPERATION_ABORTED },
    { STATUS_INVALID_USER_BUFFER, WSAEFAULT },
    { STATUS_TOO_MANY_OPENED_FILES, WSAEMFILE },
};

int error_from_status(NTSTATUS status)
{
    for (const ErrorRow& row : kDeviceErrors) {
        if (row.status == status)
            return row.error;
    }
    return error_from_result(status);
}

int error_from_result(NTSTATUS status)
{
    if (status == STATUS_SUCCESS)
        return 0;
    for (const ErrorRow& row : kErrors) {
        if (row.status == status)
            return row.error;
    }
    // The AFD device refuses to create a socket with the Winsock code itself inside the status.
    constexpr NTSTATUS kWinsockFacility = static_cast<NTSTATUS>(0xC0010000);
    if ((status & static_cast<NTSTATUS>(0xFFFF0000)) == kWinsockFacility
        && (status & 0xFFFF) >= WSABASEERR)
        return status & 0xFFFF;
    if (NT_SUCCESS(status))
        return RtlNtStatusToDosError(status);
    return WSAEINVAL;
}

int result_from_status(NTSTATUS status)
{
    if (status == STATUS_PENDING)
        return fail(WSA_IO_PENDING);
    if (NT_SUCCESS(status))
        return succeed();
    return fail(error_from_status(status));
}

BOOL succeed_or_set_error(NTSTATUS status)
{
    if (NT_SUCCESS(status))
        return TRUE;
    SetLastError(RtlNtStatusToDosError(status));
    return FALSE;
}

} // namespace ws2
