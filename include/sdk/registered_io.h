// Registered I/O as Windows' SDK declares it (mswsock.h and mswsockdef.h of Windows 8); MinGW's
// headers do not have it, or have it in part.
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>

namespace sdk {

constexpr DWORD kFlagRegisteredIo = 0x100; // WSA_FLAG_REGISTERED_IO
constexpr DWORD kGetMultipleExtensionFunctionPointer = 0xC8000024; // SIO_GET_MULTIPLE_...
constexpr GUID kMultipleRio // WSAID_MULTIPLE_RIO
    = { 0x8509e081, 0x96dd, 0x4005, { 0xb1, 0x65, 0x9e, 0x2e, 0xe8, 0xc7, 0x9e, 0x3f } };

struct RioBufferOpaque;
struct RioCompletionQueueOpaque;
struct RioRequestQueueOpaque;
using RioBufferId = RioBufferOpaque*; // RIO_BUFFERID
using RioCq = RioCompletionQueueOpaque*; // RIO_CQ
using RioRq = RioRequestQueueOpaque*; // RIO_RQ

/// RIO_INVALID_BUFFERID: 32 bits of ones, in a 64-bit program too.
inline RioBufferId invalid_rio_buffer()
{
    return reinterpret_cast<RioBufferId>(static_cast<ULONG_PTR>(0xFFFFFFFF));
}

constexpr ULONG kRioMostCompletions = 0x8000000; // RIO_MAX_CQ_SIZE
constexpr ULONG kRioCorruptCq = 0xFFFFFFFF; // RIO_CORRUPT_CQ

// Flags of requests.
constexpr DWORD kRioDontNotify = 1; // RIO_MSG_DONT_NOTIFY
constexpr DWORD kRioDefer = 2; // RIO_MSG_DEFER
constexpr DWORD kRioWaitAll = 4; // RIO_MSG_WAITALL
constexpr DWORD kRioCommitOnly = 8; // RIO_MSG_COMMIT_ONLY

/// RIO_BUF
struct RioBuf {
    RioBufferId id;
    ULONG offset;
    ULONG length;
};

/// RIORESULT
struct RioResult {
    LONG status;
    ULONG transferred;
    ULONGLONG socket_context;
    ULONGLONG request_context;
};
static_assert(sizeof(RioResult) == 24);

/// RIO_CMSG_BUFFER; the control messages follow, aligned as WSACMSGHDR is.
struct RioControl {
    ULONG total_length; // of this structure with its padding, and all that follows
};
constexpr ULONG kRioControlBase = sizeof(SIZE_T); // RIO_CMSG_BASE_SIZE

enum RioNotificationType : int {
    kRioEvent = 1, // RIO_EVENT_COMPLETION
    kRioPort = 2, // RIO_IOCP_COMPLETION
};

/// RIO_NOTIFICATION_COMPLETION
struct RioNotification {
    RioNotificationType type;
    union {
        struct {
            HANDLE handle;
            BOOL resets;
        } event;
        struct {
            HANDLE handle;
            void* key;
            void* overlapped;
        } port;
    };
};

/// RIO_EXTENSION_FUNCTION_TABLE
struct RioTable {
    DWORD size;
    BOOL(PASCAL* RIOReceive)(RioRq, RioBuf*, ULONG, DWORD, void*);
    int(PASCAL* RIOReceiveEx)(
        RioRq, RioBuf*, ULONG, RioBuf*, RioBuf*, RioBuf*, RioBuf*, DWORD, void*);
    BOOL(PASCAL* RIOSend)(RioRq, RioBuf*, ULONG, DWORD, void*);
    BOOL(PASCAL* RIOSendEx)
    (RioRq, RioBuf*, ULONG, RioBuf*, RioBuf*, RioBuf*, RioBuf*, DWORD, void*);
    void(PASCAL* RIOCloseCompletionQueue)(RioCq);
    RioCq(PASCAL* RIOCreateCompletionQueue)(DWORD, RioNotification*);
    RioRq(PASCAL* RIOCreateRequestQueue)(SOCKET, ULONG, ULONG, ULONG, ULONG, RioCq, RioCq, void*);
    ULONG(PASCAL* RIODequeueCompletion)(RioCq, RioResult*, ULONG);
    void(PASCAL* RIODeregisterBuffer)(RioBufferId);
    INT(PASCAL* RIONotify)(RioCq);
    RioBufferId(PASCAL* RIORegisterBuffer)(char*, DWORD);
    BOOL(PASCAL* RIOResizeCompletionQueue)(RioCq, DWORD);
    BOOL(PASCAL* RIOResizeRequestQueue)(RioRq, DWORD, DWORD);
};
static_assert(sizeof(RioTable) == 14 * sizeof(void*));

} // namespace sdk
