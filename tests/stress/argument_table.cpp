#include "argument_table.h"

#include "loopback.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace stress {

namespace {

using enum Kind;

/// Arguments for which a bad pointer is a fault of the program on Windows too.
struct Unguarded {
    const char* name;
    size_t argument;
    const char* reason;
};

constexpr const char* kPlain = "a plain string function; its page knows of null only";

constexpr Unguarded kUnguarded[] = {
    { "inet_addr", 0, kPlain },
    { "inet_ntop", 1, kPlain },
    { "inet_ntop", 2, kPlain },
    { "InetNtopW", 1, kPlain },
    { "InetNtopW", 2, kPlain },
    { "__WSAFDIsSet", 1, "walks the set" },
};

/// Errors outside Winsock's own that a call is documented or known to give, and why.
struct OtherError {
    const char* name;
    uint32_t error;
    const char* reason;
};

constexpr OtherError kOtherErrors[] = {
    { "inet_ntop", 0xC000000D, "the status of the string function below it" },
    { "InetNtopW", 0xC000000D, "the status of the string function below it" },
    { "getnameinfo", ERROR_INSUFFICIENT_BUFFER, "listed on its page" },
    { "GetNameInfoW", ERROR_INSUFFICIENT_BUFFER, "listed on its page" },
    { "WSAWaitForMultipleEvents", ERROR_NOACCESS, "as WaitForMultipleObjectsEx tells it" },
    { "WSAWaitForMultipleEvents", ERROR_ACCESS_DENIED, "as WaitForMultipleObjectsEx tells it" },
    { "WahOpenHandleHelper", ERROR_CALL_NOT_IMPLEMENTED, "[Wah/8]" },
    { "ProcessSocketNotifications", WAIT_TIMEOUT, "no packet came in time" },
    { "TransmitFile", ERROR_HANDLE_EOF, "the range is not in the file" },
};

/// The codes of winsock2.h from these ranges, and Windows' own that Winsock calls WSA_something.
struct Range {
    uint32_t first;
    uint32_t last;
};

constexpr Range kDocumented[] = {
    { WSA_INVALID_HANDLE, WSA_INVALID_HANDLE },
    { WSA_NOT_ENOUGH_MEMORY, WSA_NOT_ENOUGH_MEMORY },
    { WSA_INVALID_PARAMETER, WSA_INVALID_PARAMETER },
    { WSA_OPERATION_ABORTED, WSA_IO_PENDING },
    { WSAEINTR, WSAEINTR },
    { WSAEBADF, WSAEBADF },
    { WSAEACCES, WSAEFAULT },
    { WSAEINVAL, WSAEINVAL },
    { WSAEMFILE, WSAEMFILE },
    { WSAEWOULDBLOCK, WSAEREMOTE },
    { WSASYSNOTREADY, WSANOTINITIALISED },
    { WSAEDISCON, WSAEREFUSED },
    { WSAHOST_NOT_FOUND, WSANO_DATA },
};

} // namespace

const std::vector<Row>& exported_rows()
{
    static const std::vector<Row> rows = {
        { "accept", Outcome::kSocket, { kSocket, kOut, kLengthPointer } },
        { "bind", Outcome::kMinusOne, { kSocket, kAddress, kAddressLength } },
        { "closesocket", Outcome::kMinusOne, { kClosing } },
        { "connect", Outcome::kMinusOne, { kSocket, kAddress, kAddressLength } },
        { "getpeername", Outcome::kMinusOne, { kSocket, kOut, kLengthPointer } },
        { "getsockname", Outcome::kMinusOne, { kSocket, kOut, kLengthPointer } },
        { "getsockopt", Outcome::kMinusOne, { kSocket, kLevel, kOption, kOut, kLengthPointer } },
        { "htonl", Outcome::kAny, { kNumber } },
        { "htons", Outcome::kAny, { kNumber } },
        { "ioctlsocket", Outcome::kMinusOne, { kSocket, kIoctlCommand, kOut } },
        { "inet_addr", Outcome::kAny, { kText } },
        { "inet_ntoa", Outcome::kAny, { kNumber } },
        { "listen", Outcome::kMinusOne, { kSocket, kNumber } },
        { "ntohl", Outcome::kAny, { kNumber } },
        { "ntohs", Outcome::kAny, { kNumber } },
        { "recv", Outcome::kMinusOne, { kSocket, kOut, kLength, kFlags } },
        { "recvfrom", Outcome::kMinusOne,
            { kSocket, kOut, kLength, kFlags, kOut, kLengthPointer } },
        { "select", Outcome::kMinusOne, { kNumber, kFdSet, kFdSet, kFdSet, kTimeval } },
        { "send", Outcome::kMinusOne, { kSocket, kIn, kLength, kFlags } },
        { "sendto", Outcome::kMinusOne,
            { kSocket, kIn, kLength, kFlags, kAddress, kAddressLength } },
        { "setsockopt", Outcome::kMinusOne, { kSocket, kLevel, kOption, kIn, kLength } },
        { "shutdown", Outcome::kMinusOne, { kSocket, kFlags } },
        { "socket", Outcome::kSocket, { kFamily, kType, kProtocol } },
        { "gethostbyaddr", Outcome::kZero, { kAddress, kLength, kFamily } },
        { "gethostbyname", Outcome::kZero, { kText } },
        { "getprotobyname", Outcome::kZero, { kService } },
        { "getprotobynumber", Outcome::kZero, { kProtocol } },
        { "getservbyname", Outcome::kZero, { kService, kService } },
        { "getservbyport", Outcome::kZero, { kNumber, kService } },
        { "gethostname", Outcome::kMinusOne, { kOut, kLength } },
        { "WSAAsyncSelect", Outcome::kMinusOne, { kSocket, kWindow, kNumber, kFlags } },
        { "WSAAsyncGetHostByAddr", Outcome::kZero,
            { kWindow, kNumber, kAddress, kLength, kFamily, kOut, kLength } },
        { "WSAAsyncGetHostByName", Outcome::kZero, { kWindow, kNumber, kText, kOut, kLength } },
        { "WSAAsyncGetProtoByNumber", Outcome::kZero,
            { kWindow, kNumber, kProtocol, kOut, kLength } },
        { "WSAAsyncGetProtoByName", Outcome::kZero, { kWindow, kNumber, kService, kOut, kLength } },
        { "WSAAsyncGetServByPort", Outcome::kZero,
            { kWindow, kNumber, kNumber, kService, kOut, kLength } },
        { "WSAAsyncGetServByName", Outcome::kZero,
            { kWindow, kNumber, kService, kService, kOut, kLength } },
        { "WSACancelAsyncRequest", Outcome::kMinusOne, { kLookup } },
        { "WSASetBlockingHook", Outcome::kZero, { kNull } }, // would be called
        { "WSAUnhookBlockingHook", Outcome::kMinusOne, {} },
        { "WSAGetLastError", Outcome::kAny, {} },
        { "WSASetLastError", Outcome::kAny, { kNumber } },
        { "WSACancelBlockingCall", Outcome::kMinusOne, {} },
        { "WSAIsBlocking", Outcome::kAny, {} },
        { "WSAStartup", Outcome::kError, { kNumber, kOut } },
        { "WSACleanup", Outcome::kMinusOne, {} },
        { "__WSAFDIsSet", Outcome::kAny, { kSocket, kFdSet } },
        { "WEP", Outcome::kAny, {} },
        // What they free is what the other calls have returned.
        { "freeaddrinfo", Outcome::kAny, { kNull } },
        { "FreeAddrInfoEx", Outcome::kAny, { kNull } },
        { "FreeAddrInfoExW", Outcome::kAny, { kNull } },
        { "FreeAddrInfoW", Outcome::kAny, { kNull } },
        { "getaddrinfo", Outcome::kAddressInfo, { kText, kService, kHints, kResult } },
        { "GetAddrInfoExCancel", Outcome::kError, { kIn } },
        { "GetAddrInfoExOverlappedResult", Outcome::kAny, { kOverlapped } },
        { "GetAddrInfoExW", Outcome::kAddressInfoEx,
            { kWideText, kWideService, kNumber, kGuid, kWideHints, kResult, kTimeval, kNull, kNull,
                kOut } }, // its OVERLAPPED is asked for by rules of its own
        { "GetAddrInfoW", Outcome::kWideAddressInfo,
            { kWideText, kWideService, kWideHints, kResult } },
        { "GetHostNameW", Outcome::kMinusOne, { kOut, kLength } },
        { "getnameinfo", Outcome::kError,
            { kAddress, kAddressLength, kOut, kLength, kOut, kLength, kFlags } },
        { "GetNameInfoW", Outcome::kError,
            { kAddress, kAddressLength, kOut, kLength, kOut, kLength, kFlags } },
        { "inet_ntop", Outcome::kZero, { kFamily, kIn, kOut, kLength } },
        { "inet_pton", Outcome::kMinusOne, { kFamily, kText, kOut } },
        { "InetNtopW", Outcome::kZero, { kFamily, kIn, kOut, kLength } },
        { "InetPtonW", Outcome::kMinusOne, { kFamily, kWideText, kOut } },
        { "WPUCompleteOverlappedRequest", Outcome::kAny,
            { kSocket, kOverlapped, kNumber, kNumber, kLengthPointer } },
        { "WSAAccept", Outcome::kSocket, { kSocket, kOut, kLengthPointer, kCondition, kNumber } },
        { "WSAAddressToStringA", Outcome::kMinusOne,
            { kAddress, kAddressLength, kIn, kOut, kLengthPointer } },
        { "WSAAddressToStringW", Outcome::kMinusOne,
            { kAddress, kAddressLength, kIn, kOut, kLengthPointer } },
        { "WSACloseEvent", Outcome::kZero, { kClosingEvent } },
        { "WSAConnect", Outcome::kMinusOne,
            { kSocket, kAddress, kAddressLength, kBuffers, kBuffers, kIn, kIn } },
        { "WSAConnectByNameA", Outcome::kZero,
            { kSocket, kText, kService, kLengthPointer, kOut, kLengthPointer, kOut, kTimeval,
                kNull } }, // reserved
        { "WSAConnectByNameW", Outcome::kZero,
            { kSocket, kWideText, kWideService, kLengthPointer, kOut, kLengthPointer, kOut,
                kTimeval, kNull } },
        { "WSACreateEvent", Outcome::kEvent, {} },
        { "WSADuplicateSocketA", Outcome::kMinusOne, { kSocket, kProcess, kOut } },
        { "WSADuplicateSocketW", Outcome::kMinusOne, { kSocket, kProcess, kOut } },
        { "WSAEnumNameSpaceProvidersA", Outcome::kMinusOne, { kLengthPointer, kOut } },
        { "WSAEnumNameSpaceProvidersW", Outcome::kMinusOne, { kLengthPointer, kOut } },
        { "WSAEnumNetworkEvents", Outcome::kMinusOne, { kSocket, kHandle, kOut } },
        { "WSAEnumProtocolsA", Outcome::kMinusOne, { kIn, kOut, kLengthPointer } },
        { "WSAEnumProtocolsW", Outcome::kMinusOne, { kIn, kOut, kLengthPointer } },
        { "WSAEventSelect", Outcome::kMinusOne, { kSocket, kHandle, kFlags } },
        { "WSAGetOverlappedResult", Outcome::kZero,
            { kSocket, kOverlapped, kLengthPointer, kNull,
                kLengthPointer } }, // nothing to wait for
        { "WSAGetQOSByName", Outcome::kZero, { kSocket, kBuffers, kOut } },
        { "WSAGetServiceClassInfoA", Outcome::kMinusOne, { kGuid, kGuid, kLengthPointer, kOut } },
        { "WSAGetServiceClassInfoW", Outcome::kMinusOne, { kGuid, kGuid, kLengthPointer, kOut } },
        { "WSAGetServiceClassNameByClassIdA", Outcome::kMinusOne, { kGuid, kOut, kLengthPointer } },
        { "WSAGetServiceClassNameByClassIdW", Outcome::kMinusOne, { kGuid, kOut, kLengthPointer } },
        { "WSAHtonl", Outcome::kMinusOne, { kSocket, kNumber, kOut } },
        { "WSAHtons", Outcome::kMinusOne, { kSocket, kNumber, kOut } },
        { "WSAInstallServiceClassA", Outcome::kMinusOne, { kIn } },
        { "WSAInstallServiceClassW", Outcome::kMinusOne, { kIn } },
        { "WSAIoctl", Outcome::kMinusOne,
            { kSocket, kIoctl, kIn, kLength, kOut, kLength, kLengthPointer, kOverlapped,
                kRoutine } },
        { "WSAJoinLeaf", Outcome::kSocket,
            { kSocket, kAddress, kAddressLength, kBuffers, kBuffers, kIn, kIn, kFlags } },
        { "WSALookupServiceBeginA", Outcome::kMinusOne, { kIn, kFlags, kOut } },
        { "WSALookupServiceBeginW", Outcome::kMinusOne, { kIn, kFlags, kOut } },
        { "WSALookupServiceEnd", Outcome::kMinusOne, { kLookup } },
        { "WSALookupServiceNextA", Outcome::kMinusOne, { kLookup, kFlags, kLengthPointer, kOut } },
        { "WSALookupServiceNextW", Outcome::kMinusOne, { kLookup, kFlags, kLengthPointer, kOut } },
        { "WSANSPIoctl", Outcome::kMinusOne,
            { kLookup, kIoctl, kIn, kLength, kOut, kLength, kLengthPointer, kNull } }, // called
        { "WSANtohl", Outcome::kMinusOne, { kSocket, kNumber, kOut } },
        { "WSANtohs", Outcome::kMinusOne, { kSocket, kNumber, kOut } },
        { "WSAPoll", Outcome::kMinusOne, { kPolls, kCount, kTimeout } },
        { "WSAProviderConfigChange", Outcome::kMinusOne, { kNotification, kOverlapped, kRoutine } },
        { "WSApSetPostRoutine", Outcome::kAny, { kNull } }, // would be called
        { "WSARecv", Outcome::kMinusOne,
            { kSocket, kBuffers, kCount, kLengthPointer, kLengthPointer, kOverlapped, kRoutine } },
        { "WSARecvDisconnect", Outcome::kMinusOne, { kSocket, kBuffers } },
        { "WSARecvFrom", Outcome::kMinusOne,
            { kSocket, kBuffers, kCount, kLengthPointer, kLengthPointer, kOut, kLengthPointer,
                kOverlapped, kRoutine } },
        { "WSARemoveServiceClass", Outcome::kMinusOne, { kGuid } },
        { "WSAResetEvent", Outcome::kZero, { kHandle } },
        { "WSASend", Outcome::kMinusOne,
            { kSocket, kBuffers, kCount, kLengthPointer, kFlags, kOverlapped, kRoutine } },
        { "WSASendDisconnect", Outcome::kMinusOne, { kSocket, kBuffers } },
        { "WSASendMsg", Outcome::kMinusOne,
            { kSocket, kMessage, kFlags, kLengthPointer, kOverlapped, kRoutine } },
        { "WSASendTo", Outcome::kMinusOne,
            { kSocket, kBuffers, kCount, kLengthPointer, kFlags, kAddress, kAddressLength,
                kOverlapped, kRoutine } },
        { "WSASetEvent", Outcome::kZero, { kHandle } },
        { "WSASetServiceA", Outcome::kMinusOne, { kIn, kNumber, kFlags } },
        { "WSASetServiceW", Outcome::kMinusOne, { kIn, kNumber, kFlags } },
        { "WSASocketA", Outcome::kSocket, { kFamily, kType, kProtocol, kIn, kNumber, kFlags } },
        { "WSASocketW", Outcome::kSocket, { kFamily, kType, kProtocol, kIn, kNumber, kFlags } },
        { "WSAStringToAddressA", Outcome::kMinusOne,
            { kText, kFamily, kIn, kOut, kLengthPointer } },
        { "WSAStringToAddressW", Outcome::kMinusOne,
            { kWideText, kFamily, kIn, kOut, kLengthPointer } },
        { "WSAWaitForMultipleEvents", Outcome::kEveryBit,
            { kCount, kEvents, kFlags, kTimeout, kFlags } },
        { "WSCDeinstallProvider", Outcome::kAny, { kGuid, kLengthPointer } },
        { "WSCEnableNSProvider", Outcome::kAny, { kGuid, kNumber } },
        { "WSCEnumProtocols", Outcome::kAny, { kIn, kOut, kLengthPointer, kLengthPointer } },
        { "WSCGetApplicationCategory", Outcome::kAny,
            { kWideText, kLength, kWideText, kLength, kLengthPointer, kLengthPointer } },
        { "WSCGetProviderInfo", Outcome::kAny,
            { kGuid, kNumber, kOut, kLengthPointer, kFlags, kLengthPointer } },
        { "WSCGetProviderPath", Outcome::kAny, { kGuid, kOut, kLengthPointer, kLengthPointer } },
        { "WSCInstallNameSpace", Outcome::kAny, { kWideText, kWideText, kNumber, kNumber, kGuid } },
        { "WSCInstallProvider", Outcome::kAny, { kGuid, kWideText, kIn, kCount, kLengthPointer } },
        { "WSCSetApplicationCategory", Outcome::kAny,
            { kWideText, kLength, kWideText, kLength, kNumber, kLengthPointer, kLengthPointer } },
        { "WSCUnInstallNameSpace", Outcome::kAny, { kGuid } },
        { "WSCUpdateProvider", Outcome::kAny, { kGuid, kWideText, kIn, kCount, kLengthPointer } },
        { "WSCWriteNameSpaceOrder", Outcome::kAny, { kGuid, kCount } },
        { "WSCWriteProviderOrder", Outcome::kAny, { kIn, kCount } },
        { "WSCGetApplicationCategoryEx", Outcome::kAny,
            { kWideText, kLength, kWideText, kLength, kOut, kIn, kLengthPointer } },
        { "GetAddrInfoExA", Outcome::kAnsiAddressInfoEx,
            { kText, kService, kNumber, kGuid, kExtendedHints, kResult, kReserved, kReserved,
                kReserved, kReserved } },
        { "ProcessSocketNotifications", Outcome::kError,
            { kSocket, kCount, kIn, kTimeout, kCount, kOut,
                kLengthPointer } }, // a port keeps handles
        { "SetAddrInfoExA", Outcome::kError,
            { kText, kService, kIn, kCount, kIn, kFlags, kNumber, kGuid, kReserved, kReserved,
                kReserved, kReserved } },
        { "SetAddrInfoExW", Outcome::kError,
            { kWideText, kWideService, kIn, kCount, kIn, kFlags, kNumber, kGuid, kReserved,
                kReserved, kReserved, kReserved } },
        { "WPUGetProviderPathEx", Outcome::kAny,
            { kGuid, kOut, kLengthPointer, kNumber, kLengthPointer } },
        { "WSAAdvertiseProvider", Outcome::kMinusOne, { kGuid, kIn } },
        { "WSAConnectByList", Outcome::kZero,
            { kSocket, kAddressList, kLengthPointer, kOut, kLengthPointer, kOut, kTimeval,
                kReserved } },
        { "WSAEnumNameSpaceProvidersExA", Outcome::kMinusOne, { kLengthPointer, kOut } },
        { "WSAEnumNameSpaceProvidersExW", Outcome::kMinusOne, { kLengthPointer, kOut } },
        { "WSAProviderCompleteAsyncCall", Outcome::kMinusOne, { kLookup, kNumber } },
        { "WSAUnadvertiseProvider", Outcome::kMinusOne, { kGuid } },
        { "WSCDeinstallProviderEx", Outcome::kAny, { kGuid, kFlags, kLengthPointer } },
        { "WSCEnumProtocolsEx", Outcome::kAny,
            { kIn, kOut, kLengthPointer, kNumber, kLengthPointer } },
        { "WSCInstallNameSpaceEx", Outcome::kMinusOne,
            { kWideText, kWideText, kNumber, kNumber, kGuid, kIn } },
        { "WSCInstallNameSpaceEx2", Outcome::kMinusOne,
            { kWideText, kWideText, kNumber, kNumber, kGuid, kIn, kNumber } },
        { "WSCInstallProviderAndChains", Outcome::kAny,
            { kGuid, kWideText, kWideText, kFlags, kIn, kCount, kOut, kLengthPointer } },
        { "WSCInstallProviderEx", Outcome::kAny,
            { kGuid, kWideText, kWideText, kIn, kCount, kFlags, kLengthPointer } },
        { "WSCSetApplicationCategoryEx", Outcome::kAny,
            { kWideText, kLength, kWideText, kLength, kNumber, kOut, kIn, kLengthPointer } },
        { "WSCSetProviderInfo", Outcome::kAny,
            { kGuid, kNumber, kIn, kLength, kFlags, kLengthPointer } },
        { "WSCUnInstallNameSpaceEx2", Outcome::kMinusOne, { kGuid, kFlags } },
        { "WSCUpdateProviderEx", Outcome::kAny,
            { kGuid, kWideText, kIn, kCount, kFlags, kLengthPointer } },
        { "WSCWriteProviderOrderEx", Outcome::kError, { kIn, kCount, kFlags } },
        { "WahCloseApcHelper", Outcome::kError, { kHelper } },
        { "WahCloseHandleHelper", Outcome::kError, { kHelper } },
        { "WahCloseNotificationHandleHelper", Outcome::kError, { kHelper } },
        { "WahCloseSocketHandle", Outcome::kError, { kHelper, kSocket } },
        { "WahCloseThread", Outcome::kError, { kHelper, kClosingThread } },
        { "WahCompleteRequest", Outcome::kError,
            { kHelper, kSocket, kOverlapped, kNumber, kNumber } },
        { "WahCreateHandleContextTable", Outcome::kContextTable, { kResult } },
        { "WahCreateNotificationHandle", Outcome::kError, { kHelper, kNewHandle } },
        { "WahCreateSocketHandle", Outcome::kError, { kHelper, kOut } },
        { "WahDestroyHandleContextTable", Outcome::kError, { kClosingTable } },
        { "WahDisableNonIFSHandleSupport", Outcome::kError, {} },
        { "WahEnableNonIFSHandleSupport", Outcome::kError, {} },
        { "WahEnumerateHandleContexts", Outcome::kAny, { kTable, kEnumerator, kNumber } },
        { "WahInsertHandleContext", Outcome::kAny, { kTable, kOut } },
        { "WahNotifyAllProcesses", Outcome::kError, { kHelper } },
        { "WahOpenApcHelper", Outcome::kError, { kOut } },
        { "WahOpenCurrentThread", Outcome::kError, { kHelper, kNewHandle } },
        { "WahOpenHandleHelper", Outcome::kError, { kOut } },
        { "WahOpenNotificationHandleHelper", Outcome::kError, { kOut } },
        { "WahQueueUserApc", Outcome::kError, { kHelper, kThread, kApc, kNumber } },
        { "WahReferenceContextByHandle", Outcome::kAny, { kTable, kHandle } },
        { "WahRemoveHandleContext", Outcome::kError, { kTable, kOut } },
        { "WahWaitForNotification", Outcome::kError, { kHelper, kHandle, kOverlapped, kRoutine } },
        { "WahWriteLSPEvent", Outcome::kError, { kIn, kIn } },
        // Those of the 64-bit DLL only.
        { "WSCDeinstallProvider32", Outcome::kAny, { kGuid, kLengthPointer } },
        { "WSCEnableNSProvider32", Outcome::kAny, { kGuid, kNumber } },
        { "WSCEnumNameSpaceProviders32", Outcome::kMinusOne, { kLengthPointer, kOut } },
        { "WSCEnumNameSpaceProvidersEx32", Outcome::kMinusOne, { kLengthPointer, kOut } },
        { "WSCEnumProtocols32", Outcome::kAny, { kIn, kOut, kLengthPointer, kLengthPointer } },
        { "WSCGetProviderInfo32", Outcome::kAny,
            { kGuid, kNumber, kOut, kLengthPointer, kFlags, kLengthPointer } },
        { "WSCGetProviderPath32", Outcome::kAny, { kGuid, kOut, kLengthPointer, kLengthPointer } },
        { "WSCInstallNameSpace32", Outcome::kAny,
            { kWideText, kWideText, kNumber, kNumber, kGuid } },
        { "WSCInstallNameSpaceEx32", Outcome::kMinusOne,
            { kWideText, kWideText, kNumber, kNumber, kGuid, kIn } },
        { "WSCInstallProvider64_32", Outcome::kAny,
            { kGuid, kWideText, kIn, kCount, kLengthPointer } },
        { "WSCInstallProviderAndChains64_32", Outcome::kAny,
            { kGuid, kWideText, kWideText, kWideText, kFlags, kIn, kCount, kOut, kLengthPointer } },
        { "WSCSetProviderInfo32", Outcome::kAny,
            { kGuid, kNumber, kIn, kLength, kFlags, kLengthPointer } },
        { "WSCUnInstallNameSpace32", Outcome::kAny, { kGuid } },
        { "WSCUpdateProvider32", Outcome::kAny, { kGuid, kWideText, kIn, kCount, kLengthPointer } },
        { "WSCWriteNameSpaceOrder32", Outcome::kAny, { kGuid, kCount } },
        { "WSCWriteProviderOrder32", Outcome::kAny, { kIn, kCount } },
    };
    return rows;
}

const std::vector<Row>& extension_rows()
{
    // GetAcceptExSockaddrs only looks into what AcceptEx has written.
    static const std::vector<Row> rows = {
        { "AcceptEx", Outcome::kZero,
            { kSocket, kSocket, kOut, kLength, kLength, kLength, kLengthPointer, kOverlapped } },
        { "ConnectEx", Outcome::kZero,
            { kSocket, kAddress, kAddressLength, kIn, kLength, kLengthPointer, kOverlapped } },
        { "DisconnectEx", Outcome::kZero, { kSocket, kOverlapped, kFlags, kNumber } },
        { "TransmitFile", Outcome::kZero,
            { kSocket, kFile, kNumber, kNumber, kOverlapped, kBuffers, kFlags } },
        { "TransmitPackets", Outcome::kZero,
            { kSocket, kFiles, kCount, kNumber, kOverlapped, kFlags } },
        { "WSARecvMsg", Outcome::kMinusOne,
            { kSocket, kMessage, kLengthPointer, kOverlapped, kRoutine } },
    };
    return rows;
}

const char* reason_to_be_good(const Row& row, size_t number)
{
    for (const Unguarded& one : kUnguarded) {
        if (!std::strcmp(one.name, row.name) && one.argument == number)
            return one.reason;
    }
    return nullptr;
}

bool is_documented(const Row& row, uint32_t error)
{
    return std::any_of(std::begin(kDocumented), std::end(kDocumented), [&](const Range& range) {
        return range.first <= error && error <= range.last;
    }) || std::any_of(std::begin(kOtherErrors), std::end(kOtherErrors), [&](const OtherError& one) {
        return !std::strcmp(one.name, row.name) && one.error == error;
    });
}

} // namespace stress
