// The helpers of layered providers: APCs (WahOpenApcHelper and its relatives), notice of changes of
// the catalogs (WahOpenNotificationHandleHelper), handles that are no files (WahOpenHandleHelper).
//
// Windows exports them for layered providers, and describes them nowhere. They return their error.
// Source: spec/Wah.md.
#include "catalog_change.h"
#include "guard.h"

#include <ws2spi.h>

namespace ws2 {

namespace {

/// What a helper is known by: the address of one of these. Opening it takes nothing.
constexpr char kApcHelper = 0;
constexpr char kNotificationHelper = 0;

HANDLE helper_handle(const char& helper)
{
    return const_cast<char*>(&helper);
}

DWORD open_helper(HANDLE* handle, const char& helper)
{
    return handle && guard::write(handle, helper_handle(helper)) ? 0 : WSAEFAULT;
}

DWORD check_helper(HANDLE handle, const char& helper)
{
    return handle == helper_handle(helper) ? 0 : WSAEINVAL;
}

} // namespace

} // namespace ws2

using namespace ws2;

extern "C" {

// --- APCs. A thread is known by a handle of its own. [Wah/6]

DWORD WSAAPI WahOpenApcHelper(HANDLE* helper)
{
    return open_helper(helper, kApcHelper);
}

DWORD WSAAPI WahCloseApcHelper(HANDLE helper)
{
    return check_helper(helper, kApcHelper);
}

DWORD WSAAPI WahOpenCurrentThread(HANDLE helper, WSATHREADID* thread)
{
    if (const DWORD error = check_helper(helper, kApcHelper))
        return error;
    if (!thread || !guard::is_writable(thread, sizeof(*thread)))
        return WSAEFAULT;
    WSATHREADID id {};
    if (!DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(),
            &id.ThreadHandle, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return GetLastError();
    *thread = id;
    return 0;
}

DWORD WSAAPI WahCloseThread(HANDLE helper, WSATHREADID* thread)
{
    WSATHREADID id;
    if (const DWORD error = check_helper(helper, kApcHelper))
        return error;
    if (!thread || !guard::read(thread, id))
        return WSAEFAULT;
    return CloseHandle(id.ThreadHandle) ? 0 : GetLastError();
}

DWORD WSAAPI WahQueueUserApc(
    HANDLE helper, WSATHREADID* thread, LPWSAUSERAPC routine, DWORD_PTR context)
{
    WSATHREADID id;
    if (const DWORD error = check_helper(helper, kApcHelper))
        return error;
    if (!thread || !guard::read(thread, id) || !routine)
        return WSAEFAULT;
    return QueueUserAPC(routine, id.ThreadHandle, context) ? 0 : WSAEFAULT;
}

// --- Changes of the catalogs. [Wah/7]

DWORD WSAAPI WahOpenNotificationHandleHelper(HANDLE* helper)
{
    return open_helper(helper, kNotificationHelper);
}

DWORD WSAAPI WahCloseNotificationHandleHelper(HANDLE helper)
{
    return check_helper(helper, kNotificationHelper);
}

DWORD WSAAPI WahCreateNotificationHandle(HANDLE helper, HANDLE* notification)
{
    if (const DWORD error = check_helper(helper, kNotificationHelper))
        return error;
    return notification ? make_change_notification(notification) : WSAEFAULT;
}

DWORD WSAAPI WahWaitForNotification(HANDLE helper, HANDLE notification, WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (const DWORD error = check_helper(helper, kNotificationHelper))
        return error;
    return await_change(notification, overlapped, routine);
}

/// Telling everybody of a change is for who may make one.
DWORD WSAAPI WahNotifyAllProcesses(HANDLE helper)
{
    const DWORD error = check_helper(helper, kNotificationHelper);
    return error ? error : WSAEACCES;
}

/// The event log of installations; refused as they are.
DWORD WSAAPI WahWriteLSPEvent(void*, void*)
{
    return WSAEACCES;
}

// --- Handles that are no files. There is no driver for them, so no helper opens. [Wah/8]

DWORD WSAAPI WahOpenHandleHelper(HANDLE* helper)
{
    return helper && guard::write(helper, HANDLE {}) ? ERROR_CALL_NOT_IMPLEMENTED : WSAEFAULT;
}

DWORD WSAAPI WahCloseHandleHelper(HANDLE)
{
    return WSAEINVAL;
}

DWORD WSAAPI WahCreateSocketHandle(HANDLE, SOCKET*)
{
    return WSAEINVAL;
}

DWORD WSAAPI WahCloseSocketHandle(HANDLE, SOCKET)
{
    return WSAEINVAL;
}

DWORD WSAAPI WahCompleteRequest(HANDLE, SOCKET, WSAOVERLAPPED*, DWORD, DWORD)
{
    return WSAEINVAL;
}

DWORD WSAAPI WahEnableNonIFSHandleSupport()
{
    return WSAEACCES;
}

DWORD WSAAPI WahDisableNonIFSHandleSupport()
{
    return WSAEACCES;
}

} // extern "C"
