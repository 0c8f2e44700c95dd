#include "call_shape.h"

#include <atomic>
#include <cstring>
#include <iterator>

namespace ws2 {

const char* const kGateNames[] = {
#define CALL(function, count, bytes, name) #name,
#include "calls.h"
#undef CALL
};
const uint32_t kGateCount = std::size(kGateNames);

namespace {

using enum Detail;

// Calls that are not here have plain arguments, and fail with -1.
constexpr CallShape kShapes[] = {
    { .name = "AcceptEx", .fails = Fails::kZero, .overlapped = 7, .told = 6 },
    { .name = "bind", .detail = kAddress, .detail_at = 1 },
    { .name = "connect", .detail = kAddress, .detail_at = 1 },
    { .name = "ConnectEx",
        .fails = Fails::kZero,
        .detail = kAddress,
        .detail_at = 1,
        .buffer = 3,
        .overlapped = 6,
        .told = 5 },
    { .name = "DisconnectEx", .fails = Fails::kZero, .overlapped = 1 },
    { .name = "getaddrinfo", .fails = Fails::kCode, .detail = kText, .detail_at = 0 },
    { .name = "GetAddrInfoExCancel", .fails = Fails::kCode },
    { .name = "GetAddrInfoExOverlappedResult", .fails = Fails::kCode },
    { .name = "GetAddrInfoExW", .fails = Fails::kCode, .detail = kWideText, .detail_at = 0 },
    { .name = "GetAddrInfoExA", .fails = Fails::kCode, .detail = kText, .detail_at = 0 },
    { .name = "GetAddrInfoW", .fails = Fails::kCode, .detail = kWideText, .detail_at = 0 },
    { .name = "gethostbyaddr", .fails = Fails::kZero },
    { .name = "gethostbyname", .fails = Fails::kZero, .detail = kText, .detail_at = 0 },
    { .name = "getnameinfo", .fails = Fails::kCode, .detail = kAddress, .detail_at = 0 },
    { .name = "GetNameInfoW", .fails = Fails::kCode, .detail = kAddress, .detail_at = 0 },
    { .name = "getprotobyname", .fails = Fails::kZero, .detail = kText, .detail_at = 0 },
    { .name = "getprotobynumber", .fails = Fails::kZero },
    { .name = "getservbyname", .fails = Fails::kZero, .detail = kText, .detail_at = 0 },
    { .name = "getservbyport", .fails = Fails::kZero },
    { .name = "ioctlsocket", .told = 2 },
    { .name = "ProcessSocketNotifications", .fails = Fails::kCode },
    { .name = "recv", .buffer = 1 },
    { .name = "recvfrom", .buffer = 1 },
    { .name = "select", .detail = kSets, .detail_at = 1 },
    { .name = "send", .buffer = 1 },
    { .name = "sendto", .detail = kAddress, .detail_at = 4, .buffer = 1 },
    { .name = "SetAddrInfoExA", .fails = Fails::kCode, .detail = kText, .detail_at = 0 },
    { .name = "SetAddrInfoExW", .fails = Fails::kCode, .detail = kWideText, .detail_at = 0 },
    { .name = "TransmitFile", .fails = Fails::kZero, .overlapped = 4 },
    { .name = "TransmitPackets", .fails = Fails::kZero, .overlapped = 4 },
    { .name = "WSAAsyncGetHostByAddr", .fails = Fails::kZero },
    { .name = "WSAAsyncGetHostByName", .fails = Fails::kZero, .detail = kText, .detail_at = 2 },
    { .name = "WSAAsyncGetProtoByName", .fails = Fails::kZero, .detail = kText, .detail_at = 2 },
    { .name = "WSAAsyncGetProtoByNumber", .fails = Fails::kZero },
    { .name = "WSAAsyncGetServByName", .fails = Fails::kZero, .detail = kText, .detail_at = 2 },
    { .name = "WSAAsyncGetServByPort", .fails = Fails::kZero },
    { .name = "WSACloseEvent", .fails = Fails::kZero },
    { .name = "WSAConnect", .detail = kAddress, .detail_at = 1 },
    { .name = "WSAConnectByList", .fails = Fails::kZero },
    { .name = "WSAConnectByNameA", .fails = Fails::kZero, .detail = kText, .detail_at = 1 },
    { .name = "WSAConnectByNameW", .fails = Fails::kZero, .detail = kWideText, .detail_at = 1 },
    { .name = "WSACreateEvent", .fails = Fails::kZero },
    { .name = "WSAEnumNetworkEvents", .told = 2 },
    { .name = "WSAGetOverlappedResult", .fails = Fails::kZero, .overlapped = 1, .told = 2 },
    { .name = "WSAIoctl", .overlapped = 7, .told = 6 },
    { .name = "WSAPoll", .detail = kPolls, .detail_at = 0, .count_at = 1 },
    { .name = "WSARecv", .buffers = 1, .overlapped = 5, .told = 3 },
    { .name = "WSARecvFrom", .buffers = 1, .overlapped = 7, .told = 3 },
    { .name = "WSARecvMsg", .overlapped = 3, .told = 2 },
    { .name = "WSAResetEvent", .fails = Fails::kZero },
    { .name = "WSASend", .buffers = 1, .overlapped = 5, .told = 3 },
    { .name = "WSASendMsg", .overlapped = 4, .told = 3 },
    { .name = "WSASendTo",
        .detail = kAddress,
        .detail_at = 5,
        .buffers = 1,
        .overlapped = 7,
        .told = 3 },
    { .name = "WSASetEvent", .fails = Fails::kZero },
    { .name = "WSASetBlockingHook", .fails = Fails::kZero },
    { .name = "WSAStartup", .fails = Fails::kCode },
    { .name = "WSAWaitForMultipleEvents", .detail = kHandles, .detail_at = 1, .count_at = 0 },
};

constexpr CallShape kPlain = { .name = nullptr };

} // namespace

const CallShape& shape_of(uint32_t gate)
{
    // One byte for each gate: the row, counted from 1; 0: not looked for; 255: it has none.
    static std::atomic<uint8_t> rows[std::size(kGateNames)];
    static_assert(std::size(kShapes) < 255);
    uint8_t row = rows[gate].load(std::memory_order_relaxed);
    if (!row) {
        row = 255;
        for (size_t i = 0; i < std::size(kShapes); ++i) {
            if (!std::strcmp(kShapes[i].name, kGateNames[gate]))
                row = static_cast<uint8_t>(i + 1);
        }
        rows[gate].store(row, std::memory_order_relaxed);
    }
    return row == 255 ? kPlain : kShapes[row - 1];
}

} // namespace ws2
