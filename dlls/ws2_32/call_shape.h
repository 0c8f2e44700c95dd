// What the arguments of a call mean, as far as a timeline, a fault or a reader wants to know.
#pragma once

#include <cstdint>

#include "sdk.h"

namespace ws2 {

/// How a call says that it has failed.
enum class Fails : uint8_t {
    kMinusOne, // SOCKET_ERROR, INVALID_SOCKET, WSA_WAIT_FAILED, and the last error
    kZero, // FALSE, null, and the last error
    kCode, // it returns the error
};

/// What is recorded besides the arguments themselves.
enum class Detail : uint8_t { kNone, kAddress, kText, kWideText, kHandles, kSets, kPolls };

/// Numbers of arguments; negative: there is no such one.
struct CallShape {
    const char* name;
    Fails fails = Fails::kMinusOne;
    Detail detail = Detail::kNone;
    int8_t detail_at = -1; // kHandles, kPolls: the array; kSets: the first set
    int8_t count_at = -1; // kHandles, kPolls: how many
    int8_t buffer = -1; // with its length after it
    int8_t buffers = -1; // WSABUF[], with their number after it
    int8_t overlapped = -1;
    int8_t told = -1; // a DWORD that is written with success
};

/// The number of gates, and the names of what is behind them.
extern const uint32_t kGateCount;
extern const char* const kGateNames[];

/// The shape of the call behind a gate.
const CallShape& shape_of(uint32_t gate);

} // namespace ws2
