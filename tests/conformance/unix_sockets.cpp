#include "unix_sockets.h"

#include <cstdio>
#include <cstring>

namespace conformance {

sockaddr_un name_of(const char* path)
{
    sockaddr_un name {};
    name.sun_family = AF_UNIX;
    assert_true(strlen(path) < sizeof(name.sun_path));
    strcpy(name.sun_path, path);
    return name;
}

/// In a folder whose path is a short one on Linux, too, where an address has no more room.
sockaddr_un new_name()
{
    static int count = 0;
    char folder[MAX_PATH];
    assert_true(GetWindowsDirectoryA(folder, sizeof(folder)));
    char path[MAX_PATH + 32];
    snprintf(path, sizeof(path), "%s\\temp\\u%lx_%d", folder, GetCurrentProcessId(), count++);
    return name_of(path);
}

SOCKET unix_socket(Where where)
{
    const SOCKET made = socket(AF_UNIX, SOCK_STREAM, 0);
    if (made == INVALID_SOCKET)
        fail_at(where, "socket failed with %d", WSAGetLastError());
    return owned(made);
}

int bind_to(SOCKET socket, const sockaddr_un& name)
{
    return bind(socket, generic(name), sizeof(name));
}

UnixListener new_unix_listener(Where where)
{
    const UnixListener listener { unix_socket(where), new_name() };
    if (bind_to(listener.socket, listener.name) || listen(listener.socket, 8))
        fail_at(where, "bind or listen failed with %d", WSAGetLastError());
    return listener;
}

void connect_to(SOCKET client, const UnixListener& listener, Where where)
{
    if (connect(client, generic(listener.name), sizeof(listener.name)))
        fail_at(where, "connect failed with %d", WSAGetLastError());
}

SOCKET connect_to(const UnixListener& listener, Where where)
{
    const SOCKET client = unix_socket(where);
    connect_to(client, listener, where);
    return client;
}

UnixPair new_unix_pair_of(SOCKET client, Where where)
{
    const UnixListener listener = new_unix_listener(where);
    connect_to(client, listener, where);
    const SOCKET server = accept(listener.socket, nullptr, nullptr);
    if (server == INVALID_SOCKET)
        fail_at(where, "accept failed with %d", WSAGetLastError());
    DeleteFileA(listener.name.sun_path);
    return { client, owned(server) };
}

UnixPair new_unix_pair(Where where)
{
    return new_unix_pair_of(unix_socket(where), where);
}

sockaddr_un ask_name(GetName get, SOCKET socket)
{
    sockaddr_un name {};
    int length = sizeof(name);
    assert_wsa_ok(get(socket, reinterpret_cast<sockaddr*>(&name), &length));
    assert_int_equal(name.sun_family, AF_UNIX);
    return name;
}

} // namespace conformance
