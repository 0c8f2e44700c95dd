#pragma once

// Every export and extension function, with what its arguments are and how it tells a failure: data
// for the storm that calls them with arguments of every kind.

#include <cstdint>
#include <vector>

namespace stress {

/// What an argument is, so that values near to good ones can be drawn: an argument that is only
/// ever nonsense gets no further than the first check.
enum class Kind : uint8_t {
    kSocket,
    kClosing, // a handle the call may close
    kClosingEvent,
    kHandle, // an event mostly
    kFile,
    kWindow,
    kLookup, // a handle of a look-up or of an asynchronous request
    kNumber,
    kCount, // of buffers, sockets or events, in the array before or behind it
    kLength, // bytes of the block before it
    kFlags,
    kTimeout, // ms
    kProcess,
    kFamily,
    kType,
    kProtocol,
    kLevel,
    kOption,
    kIoctl,
    kIoctlCommand, // of ioctlsocket
    kIn, // bytes
    kOut,
    kLengthPointer, // an int or a DWORD
    kText,
    kWideText,
    kService,
    kWideService,
    kAddress, // a sockaddr to go to
    kAddressLength,
    kBuffers, // an array of WSABUFs
    kMessage, // a WSAMSG
    kOverlapped,
    kRoutine, // of an overlapped request
    kCondition, // of WSAAccept
    kTimeval,
    kFdSet,
    kPolls,
    kEvents,
    kGuid,
    kHints,
    kWideHints,
    kExtendedHints, // of GetAddrInfoEx
    kAddressList, // a SOCKET_ADDRESS_LIST
    kFiles, // TRANSMIT_PACKETS_ELEMENTs
    kNotification, // where WSAProviderConfigChange puts a handle, if there is none
    kResult, // where a pointer to a result goes, which the caller frees
    kNewHandle, // where a handle goes, which the caller closes
    kHelper, // of layered providers
    kThread, // a WSATHREADID
    kClosingThread, // one the call may close
    kTable, // of handle contexts
    kClosingTable, // one the call may end
    kEnumerator, // of handle contexts
    kApc,
    kReserved, // null, or it is refused
    kNull, // nothing else: see the reason at its row
};

/// How a call tells that it failed.
enum class Outcome : uint8_t {
    kAny, // it does not, or not by the last error
    kMinusOne, // as an int
    kSocket, // INVALID_SOCKET; what is returned otherwise has to be closed
    kEvent, // WSA_INVALID_EVENT, likewise
    kZero, // FALSE, NULL or no handle
    kError, // it returns the error
    kEveryBit, // WSA_WAIT_FAILED
    kAddressInfo, // it returns the error, and else a list through the kResult
    kWideAddressInfo,
    kAddressInfoEx,
    kAnsiAddressInfoEx,
    kContextTable, // likewise, a table of handle contexts
};

struct Row {
    const char* name;
    Outcome outcome;
    std::vector<Kind> arguments;
};

const std::vector<Row>& exported_rows();
const std::vector<Row>& extension_rows();

/// May argument `number` of `row` only be what the program really has there, as Windows itself
/// touches it without a guard? Gives the reason, or null.
const char* reason_to_be_good(const Row& row, size_t number);

/// Is `error` one that the documentation knows for `row`?
bool is_documented(const Row& row, uint32_t error);

} // namespace stress
