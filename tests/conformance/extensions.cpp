#include "extensions.h"

#include <cstring>

namespace conformance {

void assert_received(SOCKET socket, const char* text, Where where)
{
    char data[64] = {};
    const int length = static_cast<int>(strlen(text));
    receive_exactly(socket, data, length, where);
    if (memcmp(data, text, length) != 0)
        fail_at(where, "received \"%s\" instead of \"%s\"", data, text);
    let_it_settle();
    u_long more = 0;
    if (ioctlsocket(socket, FIONREAD, &more) == 0 && more)
        fail_at(where, "%lu bytes more than \"%s\" were sent", more, text);
}

LPFN_ACCEPTEX accept_ex_of(SOCKET socket, Where where)
{
    return reinterpret_cast<LPFN_ACCEPTEX>(extension_function(socket, WSAID_ACCEPTEX, where));
}

LPFN_GETACCEPTEXSOCKADDRS accept_addresses_of(SOCKET socket, Where where)
{
    return reinterpret_cast<LPFN_GETACCEPTEXSOCKADDRS>(
        extension_function(socket, WSAID_GETACCEPTEXSOCKADDRS, where));
}

LPFN_CONNECTEX connect_ex_of(SOCKET socket, Where where)
{
    return reinterpret_cast<LPFN_CONNECTEX>(extension_function(socket, WSAID_CONNECTEX, where));
}

LPFN_DISCONNECTEX disconnect_ex_of(SOCKET socket, Where where)
{
    return reinterpret_cast<LPFN_DISCONNECTEX>(
        extension_function(socket, WSAID_DISCONNECTEX, where));
}

LPFN_TRANSMITPACKETS transmit_packets_of(SOCKET socket, Where where)
{
    return reinterpret_cast<LPFN_TRANSMITPACKETS>(
        extension_function(socket, WSAID_TRANSMITPACKETS, where));
}

LPFN_TRANSMITFILE transmit_file_of(SOCKET socket, Where where)
{
    return reinterpret_cast<LPFN_TRANSMITFILE>(
        extension_function(socket, WSAID_TRANSMITFILE, where));
}

BOOL call_accept_ex(const PendingAccept& accept, DWORD data_length)
{
    return accept_ex_of(accept.listener.socket)(accept.listener.socket, accept.acceptor,
        accept.operation->data, data_length, kAcceptAddressLength, kAcceptAddressLength,
        &accept.operation->transferred, &accept.operation->overlapped);
}

PendingAccept new_pending_accept(DWORD data_length, Where where)
{
    const PendingAccept accept { new_listener(AF_INET, where), tcp_socket(AF_INET, where),
        new_operation(new_event(where)) };
    if (call_accept_ex(accept, data_length) || WSAGetLastError() != WSA_IO_PENDING)
        fail_at(where, "AcceptEx did not pend: error %d", WSAGetLastError());
    return accept;
}

NTSTATUS await_status(Operation* operation, Where where)
{
    assert_becomes_signaled(operation->overlapped.hEvent, where);
    return static_cast<NTSTATUS>(operation->overlapped.Internal);
}

} // namespace conformance
