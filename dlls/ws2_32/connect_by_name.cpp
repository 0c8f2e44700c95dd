// WSAConnectByNameA, WSAConnectByNameW.
#include "connect_attempts.h"
#include "error.h"
#include "host_name.h"
#include "startup.h"

namespace ws2 {

/// The addresses of an answer, each with the port. False: memory is out.
static bool list_destinations(const AddressAnswer& answer, HeapArray<Destination>& destinations)
{
    for (const HostAddress& address : answer.host.addresses) {
        Destination destination {};
        destination.length = fill_socket_address(address, answer.port, destination.address);
        if (!destinations.append(destination))
            return false;
    }
    return true;
}

/// Returns 0 or the error. The order of the checks is the contract. [WSAConnectByName/2]
static int connect_by_name(
    const NameArgument& node, const NameArgument& service, const ConnectRequest& request)
{
    if (!is_started())
        return WSANOTINITIALISED;
    if (node.is_absent() || service.is_absent())
        return WSAEINVAL;
    const bool is_bad = node.is_bad() || service.is_bad();
    ConnectTarget target;
    if (int error = check_request(request, is_bad ? WSAEFAULT : 0, target))
        return error;
    const Deadline deadline(target.timeout());

    AddressQuery query;
    query.node = node.text();
    query.service = service.text();
    query.family = target.family;
    query.type = SOCK_STREAM;
    if (target.family == AF_INET6 && is_dual_stack(request.socket))
        query.flags = AI_V4MAPPED | AI_ALL;
    AddressAnswer answer;
    if (int error = query_addresses(query, answer))
        return error;
    HeapArray<Destination> destinations;
    if (!list_destinations(answer, destinations))
        return WSA_NOT_ENOUGH_MEMORY;
    return connect_to_first(request, target, destinations, deadline, LocalPort::kHidden);
}

static BOOL finish(int error)
{
    SetLastError(error);
    return !error;
}

} // namespace ws2

using namespace ws2;

BOOL WSAAPI WSAConnectByNameA(SOCKET socket, char* node, char* service, DWORD* local_length,
    SOCKADDR* local, DWORD* remote_length, SOCKADDR* remote, timeval* const timeout,
    OVERLAPPED* reserved)
{
    return finish(connect_by_name(NameArgument(node), NameArgument(service),
        { socket, { local, local_length }, { remote, remote_length }, timeout, reserved }));
}

BOOL WSAAPI WSAConnectByNameW(SOCKET socket, wchar_t* node, wchar_t* service, DWORD* local_length,
    SOCKADDR* local, DWORD* remote_length, SOCKADDR* remote, timeval* const timeout,
    OVERLAPPED* reserved)
{
    return finish(connect_by_name(NameArgument(node), NameArgument(service),
        { socket, { local, local_length }, { remote, remote_length }, timeout, reserved }));
}
