#include "call_arguments.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "ip_text.h"
#include "trace.h"

namespace ws2 {

bool CallArguments::read_text(char* text, size_t room) const
{
    const int8_t at = m_shape.detail_at;
    size_t used = 0;
    wchar_t wide;
    if (m_shape.detail == Detail::kText)
        while (used < room - 1 && read(at, used, text[used]) && text[used])
            ++used;
    else if (m_shape.detail == Detail::kWideText)
        for (; used < room - 1 && read(at, used, wide) && wide; ++used)
            text[used] = static_cast<char>(wide);
    text[used] = 0;
    return used;
}

bool CallArguments::read_address(sockaddr_in6& address) const
{
    address = {};
    // What is shorter ends where nothing may be read.
    return m_shape.detail == Detail::kAddress
        && (read(m_shape.detail_at, 0, address)
            || read(m_shape.detail_at, 0, reinterpret_cast<sockaddr&>(address)));
}

int failure_of(const GateCall& call, DWORD last_error)
{
    const auto result = static_cast<int>(call.result);
    switch (shape_of(call.index).fails) {
    case Fails::kCode:
        return result;
    case Fails::kZero:
        return call.result ? 0 : static_cast<int>(last_error);
    default:
        return result == -1 ? static_cast<int>(last_error) : 0;
    }
}

namespace {

/// A line that grows until it is full.
class Line {
public:
    __attribute__((format(ms_printf, 2, 3))) void add(const char* format, ...)
    {
        va_list arguments;
        va_start(arguments, format);
        const int length = _vsnprintf(m_text + m_used, kRoom - m_used, format, arguments);
        va_end(arguments);
        m_used = length < 0 ? kRoom : m_used + length;
        m_text[m_used] = 0;
    }
    const char* text() const { return m_text; }

private:
    static constexpr size_t kRoom = 300;
    char m_text[kRoom + 1] = {};
    size_t m_used = 0;
};

void add_detail(Line& line, const CallArguments& arguments)
{
    char text[INET6_ADDRSTRLEN];
    sockaddr_in6 address;
    if (arguments.read_text(text, sizeof(text)))
        return line.add(" \"%s\"", text);
    if (!arguments.read_address(address))
        return;
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    if (address.sin6_family == AF_INET) {
        format_ipv4(v4.sin_addr, text);
        line.add(" %s:%u", text, ntohs(v4.sin_port));
    } else if (address.sin6_family == AF_INET6) {
        format_ipv6(address.sin6_addr, text);
        line.add(" [%s]:%u", text, ntohs(address.sin6_port));
    }
}

} // namespace

void print_call(const GateCall& call, DWORD last_error)
{
    const CallArguments arguments(call);
    Line line;
    line.add("(");
    for (uint32_t i = 0; i < call.count; ++i)
        line.add("%s%I64x", i ? ", " : "", static_cast<uint64_t>(call.arguments[i]));
    line.add(")");
    add_detail(line, arguments);
    if (const int failure = failure_of(call, last_error)) {
        line.add(" -> %d, error %d", static_cast<int>(call.result), failure);
    } else {
        line.add(" -> %I64x", static_cast<uint64_t>(call.result));
        DWORD told;
        if (arguments.read(arguments.shape().told, 0, told))
            line.add(", tells %lx", told);
    }
    trace::print(trace::kWs2call, kGateNames[call.index], "%s", line.text());
}

} // namespace ws2
