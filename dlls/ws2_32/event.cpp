// WSACreateEvent, WSACloseEvent, WSASetEvent, WSAResetEvent, WSAWaitForMultipleEvents.
//
// A WSAEVENT is an event of the kernel, so that every other wait and signal of the system works on
// it. These calls therefore report Win32 codes for a bad handle, not Winsock's.
#include "emulation.h"
#include "environment.h"
#include "error.h"
#include "guard.h"
#include "kernel.h"
#include "startup.h"

using namespace ws2;

/// What the array form of a wait refuses although the host's kernel would take it: the pseudo
/// handles of the process and the thread, and for a wait for all the same object twice. Returns 0
/// or a Win32 code. [WSAWaitForMultipleEvents/4] [WSAWaitForMultipleEvents/5]
static DWORD check_wait_handles(const HANDLE* handles, DWORD count, bool wait_all)
{
    constexpr ULONG_PTR kTagBits = 3; // mean nothing in a handle
    for (DWORD i = 0; i < count; ++i) {
        if (handles[i] == GetCurrentProcess() || handles[i] == GetCurrentThread())
            return ERROR_INVALID_HANDLE;
        for (DWORD j = 0; wait_all && j < i; ++j) {
            const auto difference
                = reinterpret_cast<ULONG_PTR>(handles[i]) ^ reinterpret_cast<ULONG_PTR>(handles[j]);
            if (difference <= kTagBits)
                return ERROR_INVALID_PARAMETER;
        }
    }
    return 0;
}

/// WS2_32_STRICT=1 makes the calls on existing events demand WSAStartup, as their pages say.
/// Without it they work at any time, so that the order of a program's clean-up cannot hang it.
static bool strict_startup_missing()
{
    static EnvironmentSwitch strict(L"WS2_32_STRICT", L"1");
    if (!strict.is_on() || is_started())
        return false;
    SetLastError(WSANOTINITIALISED);
    return true;
}

/// On ntke the process has the event's state; to every service it is an event like others.
static NTSTATUS create_event(HANDLE* event)
{
    if (!emulation::is_on())
        return kernel::create_event(event, kNotificationEvent);
    ntke::CreateEventArgs args {};
    const NTSTATUS status = emulation::call(ntke::kCallCreateEvent, &args);
    *event = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(args.event));
    return status;
}

WSAEVENT WSAAPI WSACreateEvent()
{
    if (!is_started()) {
        SetLastError(WSANOTINITIALISED);
        return WSA_INVALID_EVENT;
    }
    HANDLE event;
    return succeed_or_set_error(create_event(&event)) ? event : WSA_INVALID_EVENT;
}

BOOL WSAAPI WSACloseEvent(WSAEVENT event)
{
    if (strict_startup_missing())
        return FALSE;
    return succeed_or_set_error(kernel::close(event));
}

BOOL WSAAPI WSASetEvent(WSAEVENT event)
{
    if (strict_startup_missing())
        return FALSE;
    return succeed_or_set_error(kernel::set_event(event));
}

BOOL WSAAPI WSAResetEvent(WSAEVENT event)
{
    if (strict_startup_missing())
        return FALSE;
    return succeed_or_set_error(kernel::reset_event(event));
}

DWORD WSAAPI WSAWaitForMultipleEvents(
    DWORD count, const WSAEVENT* events, BOOL wait_all, DWORD timeout, BOOL alertable)
{
    if (strict_startup_missing())
        return WSA_WAIT_FAILED;
    if (count == 0 || count > WSA_MAXIMUM_WAIT_EVENTS) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return WSA_WAIT_FAILED;
    }
    HANDLE handles[WSA_MAXIMUM_WAIT_EVENTS];
    if (!guard::copy(handles, events, count * sizeof(HANDLE))) {
        SetLastError(ERROR_NOACCESS);
        return WSA_WAIT_FAILED;
    }
    if (const DWORD error = check_wait_handles(handles, count, wait_all)) {
        SetLastError(error);
        return WSA_WAIT_FAILED;
    }
    LARGE_INTEGER due;
    due.QuadPart = -10000LL * timeout; // ms to relative 100 ns units
    const NTSTATUS status = kernel::wait_multiple(count, handles, wait_all ? kWaitAll : kWaitAny,
        alertable, timeout == WSA_INFINITE ? nullptr : &due);
    if (!NT_SUCCESS(status)) {
        succeed_or_set_error(status);
        return WSA_WAIT_FAILED;
    }
    // Index, abandoned index, time-out and APC have the same values in both worlds.
    return status;
}
