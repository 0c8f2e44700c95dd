// The extension functions: reached through SIO_GET_EXTENSION_FUNCTION_POINTER, not exported.
// Their prototypes are those of mswsock.h's LPFN_* types.
#pragma once

#include "sdk.h"

namespace ws2 {

extern "C" { // for the gates, which call them by name

/// Queues an accept that takes the connection into a socket the caller has made, with its addresses
/// and, when `data_length` is not 0, its first data in `buffer`. Source: spec/AcceptEx.md.
BOOL WSAAPI accept_ex(SOCKET listener, SOCKET acceptor, void* buffer, DWORD data_length,
    DWORD local_length, DWORD remote_length, DWORD* received, OVERLAPPED* overlapped);

/// Finds the addresses in a buffer that accept_ex filled.
void WSAAPI get_accept_ex_sockaddrs(void* buffer, DWORD data_length, DWORD local_length,
    DWORD remote_length, sockaddr** local, int* local_size, sockaddr** remote, int* remote_size);

/// Connects a bound socket and sends `data` at once. Source: spec/ConnectEx.md.
BOOL WSAAPI connect_ex(SOCKET s, const sockaddr* name, int name_length, void* data,
    DWORD data_length, DWORD* sent, OVERLAPPED* overlapped);

/// Ends the sending direction; with TF_REUSE_SOCKET makes the socket usable for another
/// connection. Source: spec/DisconnectEx.md.
BOOL WSAAPI disconnect_ex(SOCKET s, OVERLAPPED* overlapped, DWORD flags, DWORD reserved);

/// Sends a file between two buffers. Source: spec/TransmitFile.md.
BOOL WSAAPI transmit_file(SOCKET s, HANDLE file, DWORD to_write, DWORD per_send,
    OVERLAPPED* overlapped, TRANSMIT_FILE_BUFFERS* buffers, DWORD flags);

/// Sends parts of memory and of files one behind the other. Source: spec/TransmitPackets.md.
BOOL WSAAPI transmit_packets(SOCKET s, TRANSMIT_PACKETS_ELEMENT* elements, DWORD count,
    DWORD send_size, OVERLAPPED* overlapped, DWORD flags);

/// Receives with control data. Source: spec/WSASendMsg.md.
int WSAAPI recv_msg(SOCKET s, WSAMSG* message, DWORD* received, WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
} // extern "C"

/// The extension function with that GUID, SIO_GET_EXTENSION_FUNCTION_POINTER's answer; null when
/// there is none.
void* find_extension(const GUID& guid);

} // namespace ws2
