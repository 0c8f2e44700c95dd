// The special options of IPPROTO_TCP, and SO_KEEPALIVE, which they refine.
#include "option_special.h"

#include <algorithm>

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "interface.h"
#include "option_codes.h"

namespace ws2::option {

// What Windows has until told otherwise.
constexpr DWORD kDefaultKeepIdle = 7200; // seconds
constexpr DWORD kDefaultKeepInterval = 1; // seconds
constexpr DWORD kDefaultKeepCount = 10;
constexpr DWORD kMaxKeepCount = 255;
// What Linux goes up to; the application reads back what it has set.
constexpr DWORD kHostMaxKeepTime = 32767; // seconds
constexpr DWORD kHostMaxKeepCount = 127;

static int set_dword(Socket& socket, ULONG code, DWORD value)
{
    const NTSTATUS status = afd_call(socket, code, &value, sizeof(value), nullptr, 0);
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

/// Tells a host without options for the times about them in the one form it has, which also
/// switches keep-alive on.
static int tell_keepalive_times(Socket& socket)
{
    const afd::KeepaliveParams params { .on = 1,
        .idle = 1000 * stored_option(socket, StoredOption::kTcpKeepIdle, kDefaultKeepIdle),
        .interval
        = 1000 * stored_option(socket, StoredOption::kTcpKeepIntvl, kDefaultKeepInterval) };
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlKeepaliveVals, &params, sizeof(params), nullptr, 0);
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

/// Were the times ever set to others than the host begins with?
static bool has_keepalive_times(Socket& socket)
{
    return stored_option(socket, StoredOption::kTcpKeepIdle, kDefaultKeepIdle) != kDefaultKeepIdle
        || stored_option(socket, StoredOption::kTcpKeepIntvl, kDefaultKeepInterval)
        != kDefaultKeepInterval;
}

int set_keepalive(Socket& socket, OptionValue& value)
{
    char on;
    if (!guard::copy(&on, value.buffer, sizeof(on)))
        return WSAEFAULT;
    const int error = set_dword(socket, afd::kIoctlSetSoKeepalive, on != 0);
    if (error || !on || kernel::has_keepalive_options() || !has_keepalive_times(socket))
        return error;
    return tell_keepalive_times(socket);
}

/// Stores one of the times and tells the device, now or when keep-alive is switched on.
static int set_time(
    Socket& socket, OptionValue& value, StoredOption option, DWORD initial, ULONG code)
{
    DWORD seconds;
    if (const int error = take_option(value, &seconds, sizeof(seconds)))
        return error;
    if (!seconds)
        return WSAEINVAL;
    if (kernel::has_keepalive_options()) {
        if (const int error = set_dword(socket, code, std::min(seconds, kHostMaxKeepTime)))
            return error;
        store_option(socket, option, initial, seconds);
        return 0;
    }
    store_option(socket, option, initial, seconds);
    DWORD on = 0;
    afd_call(socket, afd::kIoctlGetSoKeepalive, nullptr, 0, &on, sizeof(on));
    return on ? tell_keepalive_times(socket) : 0;
}

static int give_stored(Socket& socket, OptionValue& value, StoredOption option, DWORD initial)
{
    const DWORD data = stored_option(socket, option, initial);
    return give_option(value, &data, sizeof(data));
}

int get_keep_idle(Socket& socket, OptionValue& value)
{
    return give_stored(socket, value, StoredOption::kTcpKeepIdle, kDefaultKeepIdle);
}

int set_keep_idle(Socket& socket, OptionValue& value)
{
    return set_time(
        socket, value, StoredOption::kTcpKeepIdle, kDefaultKeepIdle, afd::kIoctlSetTcpKeepIdle);
}

int get_keep_interval(Socket& socket, OptionValue& value)
{
    return give_stored(socket, value, StoredOption::kTcpKeepIntvl, kDefaultKeepInterval);
}

int set_keep_interval(Socket& socket, OptionValue& value)
{
    return set_time(socket, value, StoredOption::kTcpKeepIntvl, kDefaultKeepInterval,
        afd::kIoctlSetTcpKeepIntvl);
}

int get_keep_count(Socket& socket, OptionValue& value)
{
    return give_stored(socket, value, StoredOption::kTcpKeepCnt, kDefaultKeepCount);
}

int set_keep_count(Socket& socket, OptionValue& value)
{
    DWORD count;
    if (const int error = take_option(value, &count, sizeof(count)))
        return error;
    if (!count || count > kMaxKeepCount)
        return WSAEINVAL; // [setsockopt/15]
    if (kernel::has_keepalive_options()) {
        if (const int error
            = set_dword(socket, afd::kIoctlSetTcpKeepCnt, std::min(count, kHostMaxKeepCount)))
            return error;
    }
    store_option(socket, StoredOption::kTcpKeepCnt, kDefaultKeepCount, count);
    return 0;
}

/// How long data, or a connect, may stay without an answer. What never gives up is left to Linux,
/// whose own end of it is a quarter of an hour. [setsockopt/32]
static int set_user_timeout(Socket& socket, DWORD milliseconds)
{
    constexpr DWORD kLinuxDecides = 0;
    constexpr DWORD kMost = 0x7FFFFFFF;
    const DWORD value = milliseconds == kNoTimeout ? kLinuxDecides : std::min(milliseconds, kMost);
    const int error = set_dword(socket, afd::kIoctlSetTcpUserTimeout, value);
    return error == WSAENOPROTOOPT ? 0 : error; // the host has nothing like it
}

/// `unit` is of the value, in milliseconds.
static int set_retransmission(Socket& socket, OptionValue& value, StoredOption option, DWORD unit)
{
    DWORD given;
    if (const int error = take_option(value, &given, sizeof(given)))
        return error;
    const int error
        = set_user_timeout(socket, given < kNoTimeout / unit ? given * unit : kNoTimeout);
    if (!error)
        store_option(socket, option, kNoTimeout, given);
    return error;
}

int set_max_retransmission(Socket& socket, OptionValue& value)
{
    return set_retransmission(socket, value, StoredOption::kTcpMaxRt, 1000);
}

int set_max_retransmission_ms(Socket& socket, OptionValue& value)
{
    return set_retransmission(socket, value, StoredOption::kTcpMaxRtMs, 1);
}

/// TCP_BSDURGENT is the opposite of TCP_EXPEDITED_1122. [setsockopt/28]
int get_bsd_urgent(Socket& socket, OptionValue& value)
{
    const DWORD is_bsd = !stored_option(socket, StoredOption::kTcpExpedited, 0);
    return give_option(value, &is_bsd, sizeof(is_bsd));
}

int set_bsd_urgent(Socket& socket, OptionValue& value)
{
    DWORD is_bsd;
    if (const int error = take_option(value, &is_bsd, sizeof(is_bsd)))
        return error;
    store_option(socket, StoredOption::kTcpExpedited, 0, !is_bsd);
    return 0;
}

int get_max_segment(Socket& socket, OptionValue& value)
{
    constexpr DWORD kUnconnected = 536; // what every host takes
    DWORD size = kUnconnected;
    SOCKADDR_STORAGE peer;
    if (NT_SUCCESS(afd_call(
            socket, afd::kIoctlGetPeerName, nullptr, 0, &peer, address_length(socket.family)))) {
        const DWORD headers = socket.family == AF_INET6 ? 60 : 40;
        const DWORD mtu = mtu_towards(reinterpret_cast<SOCKADDR&>(peer));
        if (mtu > headers + kUnconnected)
            size = mtu - headers;
    }
    return give_option(value, &size, sizeof(size));
}

int get_at_mark(Socket& socket, OptionValue& value)
{
    DWORD at_mark = 0;
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlSiocAtMark, nullptr, 0, &at_mark, sizeof(at_mark));
    return NT_SUCCESS(status) ? give_option(value, &at_mark, sizeof(at_mark))
                              : option_error(status);
}

} // namespace ws2::option
