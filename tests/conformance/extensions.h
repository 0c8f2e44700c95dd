// The extension functions, looked up for a socket, for the cases.
#pragma once

#include "sockets.h"

namespace conformance {

/// The peer must receive exactly this text.
void assert_received(SOCKET socket, const char* text, Where where = Where::current());

/// What AcceptEx wants for each address of an IPv4 socket.
constexpr DWORD kAcceptAddressLength = sizeof(sockaddr_in) + 16;

LPFN_ACCEPTEX accept_ex_of(SOCKET socket, Where where = Where::current());
LPFN_GETACCEPTEXSOCKADDRS accept_addresses_of(SOCKET socket, Where where = Where::current());
LPFN_CONNECTEX connect_ex_of(SOCKET socket, Where where = Where::current());
LPFN_DISCONNECTEX disconnect_ex_of(SOCKET socket, Where where = Where::current());
LPFN_TRANSMITFILE transmit_file_of(SOCKET socket, Where where = Where::current());
LPFN_TRANSMITPACKETS transmit_packets_of(SOCKET socket, Where where = Where::current());

/// A listener, a fresh socket to accept into, and the operation for it.
struct PendingAccept {
    Listener listener;
    SOCKET acceptor;
    Operation* operation;
};

/// Starts an AcceptEx that must pend; `data_length` bytes of first data are wanted.
PendingAccept new_pending_accept(DWORD data_length, Where where = Where::current());

/// Calls AcceptEx on it again as it stands.
BOOL call_accept_ex(const PendingAccept& accept, DWORD data_length);

/// The status of an operation, once its event is set.
NTSTATUS await_status(Operation* operation, Where where = Where::current());

} // namespace conformance
