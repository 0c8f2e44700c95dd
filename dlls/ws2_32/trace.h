// Diagnostics in Wine's own way: WINEDEBUG=+ws2event,+ws2kernel shows what happens and why.
//
// Under Wine a line goes through ntdll's debug output, with the thread and the function before it,
// like the traces of Wine's own DLLs. Anywhere else, and where the channel is off, a trace costs
// one byte that is read.
#pragma once

#include <atomic>
#include <cstdint>

namespace ws2::trace {

enum Channel {
    kWs2call, // calls and their results
    kWs2event, // what is recorded, reported and signaled, and why
    kWs2kernel, // which kernel serves the process, and what is passed down to the host
    kChannelCount,
};

enum State : uint8_t {
    kOff,
    kOn,
    kUnknown, // nobody has asked Wine yet
};

extern std::atomic<uint8_t> g_state[kChannelCount];

/// Asks Wine whether the channel is on, and remembers the answer.
bool look_up(Channel channel);

inline bool is_on(Channel channel)
{
    const uint8_t state = g_state[channel].load(std::memory_order_relaxed);
    return state != kOff && (state == kOn || look_up(channel));
}

/// Writes one line; `format` is printf's (as msvcrt understands it: %I64x, %ls) without the
/// newline. What is longer than about 400 characters is cut. Leaves the last error alone.
__attribute__((format(ms_printf, 3, 4))) void print(
    Channel channel, const char* function, const char* format, ...);

} // namespace ws2::trace

/// WS2_TRACE(event, "%p: select %x, event %p", socket, mask, event). The arguments are evaluated
/// only when the channel is on. Convention: the socket or event first, then what, then why.
#define WS2_TRACE(channel, ...)                                                                    \
    do {                                                                                           \
        if (::ws2::trace::is_on(::ws2::trace::kWs2##channel)) [[unlikely]]                         \
            ::ws2::trace::print(::ws2::trace::kWs2##channel, __func__, __VA_ARGS__);               \
    } while (0)
