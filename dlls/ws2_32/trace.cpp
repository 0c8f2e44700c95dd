#include "trace.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "sdk.h"

namespace ws2::trace {

namespace {

/// A debug channel as Wine's ntdll takes it. Owner: static storage; Wine may keep the address.
struct WineChannel {
    unsigned char flags; // one bit per class; 0xFF: not looked up yet
    char name[15];
};
static_assert(sizeof(WineChannel) == 16);

WineChannel g_channels[kChannelCount] = {
    { 0xFF, "ws2call" },
    { 0xFF, "ws2event" },
    { 0xFF, "ws2kernel" },
};

constexpr int kClassTrace = 3;

template <typename Function> Function ntdll_function(const char* name)
{
    return reinterpret_cast<Function>(
        reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name)));
}

using GetChannelFlags = unsigned char(CDECL*)(WineChannel*);
using Header = int(CDECL*)(int debug_class, WineChannel*, const char* function);
using Output = int(CDECL*)(const char*);

} // namespace

std::atomic<uint8_t> g_state[kChannelCount] = { kUnknown, kUnknown, kUnknown };

bool look_up(Channel channel)
{
    const DWORD last_error = GetLastError();
    const auto get_flags = ntdll_function<GetChannelFlags>("__wine_dbg_get_channel_flags");
    const bool on = get_flags && (get_flags(&g_channels[channel]) & 1 << kClassTrace);
    g_state[channel].store(on ? kOn : kOff, std::memory_order_relaxed);
    SetLastError(last_error);
    return on;
}

void print(Channel channel, const char* function, const char* format, ...)
{
    const DWORD last_error = GetLastError();
    const auto header = ntdll_function<Header>("__wine_dbg_header");
    const auto output = ntdll_function<Output>("__wine_dbg_output");
    // Wine ends the process when a line exceeds its buffer of 1 KB.
    char line[400];
    va_list arguments;
    va_start(arguments, format);
    const int length = _vsnprintf(line, sizeof(line) - 2, format, arguments);
    va_end(arguments);
    const size_t used = length < 0 || length > static_cast<int>(sizeof(line)) - 2
        ? sizeof(line) - 2
        : static_cast<size_t>(length);
    std::memcpy(line + used, "\n", 2);
    // Negative: the channel has been switched off meanwhile.
    if (header && output && header(kClassTrace, &g_channels[channel], function) >= 0)
        output(line);
    SetLastError(last_error);
}

} // namespace ws2::trace
