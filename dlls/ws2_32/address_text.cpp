// IP addresses as text: inet_addr, inet_ntoa, inet_ntop, inet_pton, InetNtopW, InetPtonW. None of
// them needs WSAStartup.
#include "error.h"
#include "guard_text.h"
#include "ip_text.h"
#include "thread.h"

namespace ws2 {

/// One number of a dotted address: decimal, octal after 0, hexadecimal after 0x. Moves `text` past
/// it. False: there is no digit, or the number does not fit 32 bits.
static bool parse_part(const char*& text, ULONG& value)
{
    unsigned base = 10;
    if (*text == '0') {
        base = 8;
        if (text[1] == 'x' || text[1] == 'X') {
            base = 16;
            text += 2;
        }
    }
    const char* const start = text;
    unsigned long long wide = 0;
    for (;; ++text) {
        const char lower = static_cast<char>(*text | 0x20);
        unsigned digit = base;
        if (*text >= '0' && *text <= '9')
            digit = *text - '0';
        else if (lower >= 'a' && lower <= 'f')
            digit = lower - 'a' + 10;
        if (digit >= base)
            break;
        wide = wide * base + digit;
        if (wide > 0xFFFFFFFF)
            return false;
    }
    value = static_cast<ULONG>(wide);
    return text != start;
}

/// The address in network order; false when `text` is none. Ends at the terminator or white space.
static bool parse_dotted(const char* text, ULONG& address)
{
    constexpr unsigned kMaxParts = 4;
    const auto ends = [](char c) { return !c || (c >= '\t' && c <= '\r') || c == ' '; };

    if (text[0] == ' ' && !text[1]) { // [inet_addr/5]
        address = 0;
        return true;
    }
    ULONG value = 0;
    for (unsigned part = 0; part < kMaxParts; ++part) {
        ULONG number;
        if (!parse_part(text, number))
            return false;
        if (ends(*text)) {
            // The last part fills whatever the others left.
            const unsigned bits = 32 - 8 * part;
            if (bits < 32 && number >> bits)
                return false;
            address = __builtin_bswap32(value | number);
            return true;
        }
        if (*text++ != '.' || number > 0xFF)
            return false;
        value |= number << (24 - 8 * part);
    }
    return false;
}

static bool parse(const char* text, IN_ADDR& address)
{
    return parse_ipv4(text, true, address);
}

static bool parse(const wchar_t* text, IN_ADDR& address)
{
    return parse_ipv4(text, true, address);
}

static bool parse(const char* text, IN6_ADDR& address)
{
    return parse_ipv6(text, address);
}

static bool parse(const wchar_t* text, IN6_ADDR& address)
{
    return parse_ipv6(text, address);
}

/// 1, 0 for a text that is no address, or -1 where the address cannot be written.
template <typename Address, typename Char> static int parse_into(const Char* text, void* target)
{
    Address address;
    if (!guard::copy(&address, target, sizeof(address)))
        return -1;
    // What is no address leaves what the parser had understood of it.
    const bool is_address = parse(text, address);
    return guard::copy(target, &address, sizeof(address)) ? is_address : -1;
}

/// 1, 0 for a text that is no address, or -1 with an error. The pointers are looked at first.
/// [inet_pton/3] [inet_pton/5]
template <typename Char> static int text_to_address(int family, const Char* source, void* address)
{
    const BasicGuardedText<Char, kGuardedRoom> text(source);
    if (!text.text() || !address) {
        SetLastError(WSAEFAULT);
        return -1;
    }
    if (family != AF_INET && family != AF_INET6) {
        SetLastError(WSAEAFNOSUPPORT);
        return -1;
    }
    const int result = family == AF_INET ? parse_into<IN_ADDR>(text.text(), address)
                                         : parse_into<IN6_ADDR>(text.text(), address);
    if (result < 0)
        SetLastError(WSAEFAULT);
    return result;
}

template <typename Char>
static const Char* address_to_text(int family, const void* address, Char* buffer, size_t size)
{
    if (family != AF_INET && family != AF_INET6) {
        SetLastError(WSAEAFNOSUPPORT);
        return nullptr;
    }
    Char text[kIpv6TextLength];
    const ULONG length = family == AF_INET
        ? format_ipv4(*static_cast<const IN_ADDR*>(address), text)
        : format_ipv6(*static_cast<const IN6_ADDR*>(address), text);
    if (!buffer || size <= length) {
        SetLastError(STATUS_INVALID_PARAMETER); // The status itself. [inet_ntop/3]
        return nullptr;
    }
    for (ULONG i = 0; i <= length; ++i)
        buffer[i] = text[i];
    return buffer;
}

} // namespace ws2

unsigned long WSAAPI inet_addr(const char* text)
{
    ULONG address;
    if (!text) {
        SetLastError(WSAEFAULT);
        return INADDR_NONE;
    }
    // An unreadable address is no error for the last error. [inet_addr/2]
    return ws2::parse_dotted(text, address) ? address : INADDR_NONE;
}

char* WSAAPI inet_ntoa(IN_ADDR address)
{
    ws2::Thread* thread = ws2::Thread::current();
    if (!thread) {
        SetLastError(WSA_NOT_ENOUGH_MEMORY);
        return nullptr;
    }
    static_assert(sizeof(thread->inet_ntoa_text) >= sizeof("255.255.255.255"));
    ws2::format_ipv4(address, thread->inet_ntoa_text);
    return thread->inet_ntoa_text;
}

INT WSAAPI inet_pton(INT family, const char* text, void* address)
{
    return ws2::text_to_address(family, text, address);
}

INT WSAAPI InetPtonW(INT family, const wchar_t* text, void* address)
{
    const int result = ws2::text_to_address(family, text, address);
    if (!result)
        SetLastError(WSAEINVAL); // Only the wide form tells. [inet_pton/4]
    return result;
}

const char* WSAAPI inet_ntop(INT family, const void* address, char* buffer, size_t size)
{
    return ws2::address_to_text(family, address, buffer, size);
}

const wchar_t* WSAAPI InetNtopW(INT family, const void* address, wchar_t* buffer, size_t size)
{
    return ws2::address_to_text(family, address, buffer, size);
}
