// WSAConnectByList.
#include "connect_attempts.h"
#include "error.h"
#include "guard.h"
#include "interface.h"
#include "startup.h"
#include "transfer.h"

namespace ws2 {

namespace {

/// The IPv4 address in the form that an IPv6 socket of both families connects to.
Destination mapped(Destination v4)
{
    Destination result {};
    result.length = fill_socket_address(
        v4_mapped(host_of(v4.address)), __builtin_bswap16(port_of(v4.address)), result.address);
    return result;
}

/// Has this computer an address that reaches the destination?
bool has_source(const Destination& destination)
{
    SOCKADDR_STORAGE host {};
    InterfaceAddress source;
    fill_socket_address(host_of(destination.address), 0, host);
    return !source_address(reinterpret_cast<const SOCKADDR&>(host), source);
}

/// Copies the program's list. Returns 0 or the error.
int read_list(const SOCKET_ADDRESS_LIST* list, bool maps_v4, HeapArray<Destination>& destinations)
{
    INT count;
    if (!guard::read(&list->iAddressCount, count))
        return WSAEFAULT;
    if (count <= 0)
        return WSAEINVAL;
    for (INT i = 0; i < count; ++i) {
        SOCKET_ADDRESS entry;
        Destination destination {};
        if (!guard::read(&list->Address[i], entry)
            || entry.iSockaddrLength < static_cast<INT>(sizeof(SOCKADDR_IN))
            || entry.iSockaddrLength > static_cast<INT>(sizeof(destination.address))
            || !guard::copy(&destination.address, entry.lpSockaddr, entry.iSockaddrLength))
            return WSAEFAULT;
        destination.length = entry.iSockaddrLength;
        const bool is_v4 = destination.address.ss_family == AF_INET;
        if (!destinations.append(is_v4 && maps_v4 ? mapped(destination) : destination))
            return WSAENOBUFS;
    }
    return 0;
}

/// Puts the destinations first that this computer has an address for, and otherwise keeps their
/// order. False: memory is out. [WSAConnectByList/3]
bool sort_by_chance(HeapArray<Destination>& destinations)
{
    HeapArray<Destination> others;
    size_t kept = 0;
    for (const Destination& destination : destinations) {
        if (has_source(destination))
            destinations[kept++] = destination;
        else if (!others.append(destination))
            return false;
    }
    destinations.truncate(kept);
    return destinations.append(others.begin(), others.count());
}

/// Returns 0 or the error. The order of the checks is the contract. [WSAConnectByList/2]
int connect_by_list(const SOCKET_ADDRESS_LIST* list, const ConnectRequest& request)
{
    if (!is_started())
        return WSANOTINITIALISED;
    ConnectTarget target;
    if (int error = check_request(request, list ? 0 : WSAEINVAL, target))
        return error;
    if (const SocketRef socket = find_socket(request.socket); socket && is_bound(*socket))
        return WSAEINVAL;
    const Deadline deadline(target.timeout());
    HeapArray<Destination> destinations;
    const bool maps_v4 = target.family == AF_INET6 && is_dual_stack(request.socket);
    if (int error = read_list(list, maps_v4, destinations))
        return error;
    if (!sort_by_chance(destinations))
        return WSAENOBUFS;
    return connect_to_first(request, target, destinations, deadline, LocalPort::kTold);
}

} // namespace

} // namespace ws2

BOOL PASCAL WSAConnectByList(SOCKET socket, SOCKET_ADDRESS_LIST* list, DWORD* local_length,
    SOCKADDR* local, DWORD* remote_length, SOCKADDR* remote, timeval* const timeout,
    OVERLAPPED* reserved)
{
    const int error = ws2::connect_by_list(
        list, { socket, { local, local_length }, { remote, remote_length }, timeout, reserved });
    SetLastError(error);
    return !error;
}
