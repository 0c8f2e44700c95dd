// WSAConnectByList.
#include "connect_attempts.h"
#include "error.h"
#include "guard.h"
#include "interface.h"
#include "startup.h"
#include "transfer.h"

namespace ws2 {

namespace {

/// The IPv4 address in IPv6's form, which an IPv6 socket of both families connects to.
Destination mapped(const Destination& destination)
{
    const auto& v4 = reinterpret_cast<const SOCKADDR_IN&>(destination.address);
    Destination result {};
    result.length = sizeof(SOCKADDR_IN6);
    auto& v6 = reinterpret_cast<SOCKADDR_IN6&>(result.address);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = v4.sin_port;
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xFF;
    std::memcpy(v6.sin6_addr.s6_addr + 12, &v4.sin_addr, sizeof(v4.sin_addr));
    return result;
}

/// Has this computer an address that reaches the destination?
bool has_source(const Destination& destination)
{
    InterfaceAddress source;
    SOCKADDR_IN v4 {};
    if (!is_mapped_address(destination.address))
        return !source_address(reinterpret_cast<const SOCKADDR&>(destination.address), source);
    const auto& v6 = reinterpret_cast<const SOCKADDR_IN6&>(destination.address);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, sizeof(v4.sin_addr));
    return !source_address(reinterpret_cast<const SOCKADDR&>(v4), source);
}

/// Copies the program's list. Returns 0 or the error.
int read_list(const SOCKET_ADDRESS_LIST* list, HeapArray<Destination>& destinations)
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
        if (!destinations.append(destination))
            return WSAENOBUFS;
    }
    return 0;
}

/// The destinations in the order of their chances: first those that this computer has an address
/// for, and otherwise the program's order. [WSAConnectByList/3]
bool sort_by_chance(
    const HeapArray<Destination>& given, bool maps_v4, HeapArray<Destination>& sorted)
{
    for (const bool reachable : { true, false }) {
        for (const Destination& destination : given) {
            const bool is_v4 = destination.address.ss_family == AF_INET;
            if (has_source(destination) == reachable
                && !sorted.append(is_v4 && maps_v4 ? mapped(destination) : destination))
                return false;
        }
    }
    return true;
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
    HeapArray<Destination> given;
    if (int error = read_list(list, given))
        return error;
    const Deadline deadline(target.timeout());
    HeapArray<Destination> destinations;
    const bool maps_v4 = target.family == AF_INET6 && is_dual_stack(request.socket);
    if (!sort_by_chance(given, maps_v4, destinations))
        return WSAENOBUFS;
    Destination peer;
    if (int error
        = connect_to_first(request.socket, target.is_blocking, destinations, deadline, peer))
        return error;
    request.remote.give(peer.address, peer.length);
    SOCKADDR_STORAGE name = {};
    int name_length = sizeof(name);
    if (!getsockname(request.socket, reinterpret_cast<SOCKADDR*>(&name), &name_length))
        request.local.give(name, name_length);
    return 0;
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
