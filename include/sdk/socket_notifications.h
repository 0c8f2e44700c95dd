// Socket state notifications as Windows' SDK declares them (winsock2.h of Windows 11); MinGW's
// headers do not have them.
#pragma once

#include <winsock2.h>

namespace sdk {

/// SOCK_NOTIFY_REGISTRATION
struct NotifyRegistration {
    SOCKET socket;
    void* key;
    UINT16 filter;
    UINT8 operation;
    UINT8 triggers;
    DWORD result;
};

// Filters and events. SOCK_NOTIFY_REGISTER_EVENT_* and SOCK_NOTIFY_EVENT_*
constexpr UINT16 kNotifyIn = 1;
constexpr UINT16 kNotifyOut = 2;
constexpr UINT16 kNotifyHangUp = 4;
constexpr UINT16 kNotifyAll = 7;
constexpr UINT32 kNotifyError = 0x40;
constexpr UINT32 kNotifyRemoved = 0x80;

// SOCK_NOTIFY_OP_*
constexpr UINT8 kNotifyEnable = 1;
constexpr UINT8 kNotifyDisable = 2;
constexpr UINT8 kNotifyRemove = 4;

// SOCK_NOTIFY_TRIGGER_*
constexpr UINT8 kNotifyOneShot = 1;
constexpr UINT8 kNotifyPersistent = 2;
constexpr UINT8 kNotifyLevel = 4;
constexpr UINT8 kNotifyEdge = 8;

using ProcessSocketNotifications = DWORD(WSAAPI*)(
    HANDLE, UINT32, NotifyRegistration*, UINT32, ULONG, OVERLAPPED_ENTRY*, UINT32*);

} // namespace sdk
