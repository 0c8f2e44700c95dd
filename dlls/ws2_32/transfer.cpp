#include "transfer.h"

#include <cstring>

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "name.h"

namespace ws2 {

void note_connected(Socket& socket)
{
    socket.connected = true;
    socket.connect_pending = false;
}

bool is_connected(Socket& socket)
{
    if (socket.connected)
        return true;
    DWORD seconds = afd::kNotConnected;
    afd_call(socket, afd::kIoctlGetSoConnectTime, nullptr, 0, &seconds, sizeof(seconds));
    if (seconds == afd::kNotConnected)
        return false;
    note_connected(socket);
    return true;
}

bool is_unconnected_stream(Socket& socket)
{
    return socket.is_stream() && !socket.connected && !socket.connect_pending
        && !is_connected(socket);
}

void note_transfer(Socket& socket)
{
    // Plain loads first: this runs on every transfer and the flags change once.
    if (socket.bound && !socket.connect_pending)
        return;
    socket.bound = true;
    if (socket.connect_pending) {
        note_connected(socket);
        filter::note_connect_ended(socket, STATUS_SUCCESS);
    }
}

bool would_linger(Socket& socket)
{
    // Only ntke knows what is unsent.
    if (!socket.is_stream() || !socket.connected || !socket.filter.endpoint)
        return false;
    DWORD has_unsent = 0;
    afd_call(socket, afd::kIoctlHasUnsent, nullptr, 0, &has_unsent, sizeof(has_unsent));
    LINGER linger {};
    if (has_unsent)
        afd_call(socket, afd::kIoctlGetSoLinger, nullptr, 0, &linger, sizeof(linger));
    return linger.l_onoff && linger.l_linger;
}

bool is_bound(Socket& socket)
{
    if (socket.bound)
        return true;
    SOCKADDR_STORAGE address;
    int length;
    return NT_SUCCESS(query_name(socket, afd::kIoctlGetSockName, address, length));
}

void bind_implicitly(Socket& socket)
{
    if (socket.bound)
        return;
    SOCKADDR_STORAGE any {};
    any.ss_family = socket.family;
    bind(socket_from_handle(socket.handle), reinterpret_cast<sockaddr*>(&any),
        address_length(socket.family));
}

int finish_overlapped(NTSTATUS status, const WSAOVERLAPPED* overlapped, DWORD* count)
{
    if (status == STATUS_PENDING || !NT_SUCCESS(status))
        return fail(error_from_status(status));
    if (count && !guard::write(count, static_cast<DWORD>(overlapped->InternalHigh)))
        return fail(WSAEFAULT);
    return succeed();
}

} // namespace ws2
