// Connecting one socket to the first of several addresses that answers: the core of
// WSAConnectByName and WSAConnectByList.
#pragma once

#include "address_query.h"
#include "heap.h"
#include "name.h"

namespace ws2 {

/// The time left of a call's time-out. Milliseconds of the system's tick count.
class Deadline {
public:
    /// Null: no limit.
    explicit Deadline(const timeval* timeout)
        : m_is_limited(timeout)
    {
        if (timeout)
            m_end = GetTickCount64() + timeout->tv_sec * 1000ULL + timeout->tv_usec / 1000;
    }
    bool is_limited() const { return m_is_limited; }
    bool is_over() const { return m_is_limited && GetTickCount64() >= m_end; }
    /// Fills `left`; returns it, or null for no limit.
    timeval* left(timeval& left) const;

private:
    bool m_is_limited;
    ULONGLONG m_end = 0;
};

/// One address to try.
struct Destination {
    SOCKADDR_STORAGE address;
    int length;
};

/// An address the program may want back. Without one of the two it does not, and the other one is
/// not looked at. [WSAConnectByName/7]
struct AddressOutput {
    SOCKADDR* address;
    DWORD* length;

    bool is_wanted() const { return address && length; }
    /// WSAEFAULT when it is too short for `needed` bytes or bad; the length stays as it is.
    int check(int needed) const;
    void give(const SOCKADDR_STORAGE& source, int size) const;
};

/// What both calls take beside the destinations.
struct ConnectRequest {
    SOCKET socket;
    AddressOutput local;
    AddressOutput remote;
    const timeval* timeout; // of the program; null for no limit
    const void* reserved; // must be null
};

/// What is known of the socket once the request was found good.
struct ConnectTarget {
    int family;
    bool is_blocking;
    bool is_limited;
    timeval limit; // the copy of the program's; only where it is limited

    const timeval* timeout() const { return is_limited ? &limit : nullptr; }
};

/// Checks the request: WSAENOTSOCK; `argument_error`, the caller's own, unless it is 0; WSAEINVAL
/// for a reserved argument or no stream; WSAEFAULT for ends that are too short and a bad time-out.
/// Returns 0 or the error.
int check_request(const ConnectRequest& request, int argument_error, ConnectTarget& target);

/// Does an IPv6 socket take IPv4 peers too?
bool is_dual_stack(SOCKET socket);

/// Whether the program is told the port of the local end. [WSAConnectByName/6]
enum class LocalPort : bool { kHidden, kTold };

/// Tries the destinations one by one until one answers or the time is over. Returns 0 with the
/// socket connected and both ends told, or the error of the last attempt. The blocking mode is as
/// before.
int connect_to_first(const ConnectRequest& request, const ConnectTarget& target,
    const HeapArray<Destination>& destinations, const Deadline& deadline, LocalPort local_port);

} // namespace ws2
