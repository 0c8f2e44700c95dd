// Messages of WSASendMsg and WSARecvMsg, for the cases.
#pragma once

#include "peers.h"

#include <cstring>

namespace conformance {

/// A message with one buffer, a name and room for control data.
struct Message {
    char data[4096];
    alignas(8) char control[256];
    sockaddr_storage name;
    WSABUF buffer;
    WSAMSG header;
};

inline Message* new_message()
{
    auto* message = lasting<Message>();
    message->buffer = { sizeof(message->data), message->data };
    message->header.name = as_name(message->name);
    message->header.namelen = sizeof(message->name);
    message->header.lpBuffers = &message->buffer;
    message->header.dwBufferCount = 1;
    return message;
}

/// A message that says "hello" to the socket's port on loopback, without control data.
inline Message* new_greeting(SOCKET receiver, int family = AF_INET)
{
    Message* message = new_message();
    memcpy(message->data, "hello", 5);
    message->buffer.len = 5;
    message->header.namelen = loopback_address(family, local_port(receiver), &message->name);
    message->header.Control = { 0, message->control };
    return message;
}

inline SOCKET bound_receiver(int family = AF_INET, Where where = Where::current())
{
    const SOCKET socket = udp_socket(family, where);
    bind_to_loopback(socket, family, where);
    limit_receives(socket, where);
    return socket;
}

inline LPFN_WSARECVMSG recv_msg_of(SOCKET socket, Where where = Where::current())
{
    return reinterpret_cast<LPFN_WSARECVMSG>(extension_function(socket, WSAID_WSARECVMSG, where));
}

} // namespace conformance
