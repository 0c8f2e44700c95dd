#include "extensions.h"

namespace conformance {

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

HANDLE new_port(Where where)
{
    const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
    if (!port)
        fail_at(where, "CreateIoCompletionPort failed with %lu", GetLastError());
    return owned(port);
}

void associate(SOCKET socket, HANDLE port, ULONG_PTR key, Where where)
{
    if (CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), port, key, 0) != port)
        fail_at(where, "the socket could not be associated: error %lu", GetLastError());
}

namespace {

Packet take_packet(HANDLE port, DWORD timeout)
{
    Packet packet = { FALSE, 0, 0xdeadbeef, 0xdeadbeef, nullptr };
    SetLastError(kPoison);
    packet.result = GetQueuedCompletionStatus(
        port, &packet.transferred, &packet.key, &packet.overlapped, timeout);
    packet.error = GetLastError();
    return packet;
}

} // namespace

Packet next_packet(HANDLE port, Where where)
{
    const Packet packet = take_packet(port, kEventLimit);
    if (!packet.overlapped)
        fail_at(where, "no packet came: error %lu", packet.error);
    return packet;
}

void assert_no_packet(HANDLE port, Where where)
{
    let_it_settle();
    const Packet packet = take_packet(port, 0);
    if (packet.overlapped)
        fail_at(where, "an unexpected packet with error %lu came", packet.error);
}

} // namespace conformance
