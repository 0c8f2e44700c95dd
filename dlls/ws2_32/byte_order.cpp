// Byte order of the network: htonl and its family, WSAHtonl and its family.
#include "error.h"
#include "guard.h"
#include "socket.h"

namespace ws2 {

static u_long swapped(u_long value)
{
    return __builtin_bswap32(value);
}

static u_short swapped(u_short value)
{
    return __builtin_bswap16(value);
}

/// The WSA forms: the byte order is that of the socket's protocol, and every protocol there is
/// (IPv4, IPv6) uses the network's. [WSAHtonl/2]
template <typename T> static int convert_for_socket(SOCKET socket, T value, T* result)
{
    if (!find_socket(socket))
        return SOCKET_ERROR;
    if (!guard::write(result, swapped(value)))
        return fail(WSAEFAULT);
    return succeed();
}

} // namespace ws2

u_long WSAAPI htonl(u_long value)
{
    return ws2::swapped(value);
}

u_short WSAAPI htons(u_short value)
{
    return ws2::swapped(value);
}

u_long WSAAPI ntohl(u_long value)
{
    return ws2::swapped(value);
}

u_short WSAAPI ntohs(u_short value)
{
    return ws2::swapped(value);
}

int WSAAPI WSAHtonl(SOCKET socket, u_long value, u_long* result)
{
    return ws2::convert_for_socket(socket, value, result);
}

int WSAAPI WSAHtons(SOCKET socket, u_short value, u_short* result)
{
    return ws2::convert_for_socket(socket, value, result);
}

int WSAAPI WSANtohl(SOCKET socket, u_long value, u_long* result)
{
    return ws2::convert_for_socket(socket, value, result);
}

int WSAAPI WSANtohs(SOCKET socket, u_short value, u_short* result)
{
    return ws2::convert_for_socket(socket, value, result);
}
