// An echo server and a client on wepoll, whose epoll is AFD's polls on a completion port. The handle is
// shared by all threads; every socket is watched for one event at a time (EPOLLONESHOT).
//
//	poller serve THREADS CONNECTIONS           echoes on that many connections, then ends
//	poller connect THREADS PORT COUNT BYTES    COUNT connections at a time send BYTES each and compare the echo
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wepoll.h"

#include <winsock2.h>

enum { kRoom = 65536, kServer = 1, kListener = 2 };

struct connection {
    SOCKET socket;
    int kind; // kServer, kListener, 0: a client's
    int seed;
    int is_connected;
    size_t received; // of the whole
    size_t sent;
    int has_ended; // server: the peer sends no more
    char data[kRoom]; // server: what is to be sent back, from `sent` to `received`
};

static HANDLE epoll;
static volatile LONG open_connections;
static size_t bytes;
static SOCKET listener;
static volatile LONG left_to_accept;

static void fail(const char* what)
{
    printf("failed: %s, error %d\n", what, WSAGetLastError());
    fflush(stdout);
    ExitProcess(1);
}

static void watch(struct connection* connection, uint32_t events, int operation)
{
    struct epoll_event event;
    event.events = events | EPOLLONESHOT;
    event.data.ptr = connection;
    if (epoll_ctl(epoll, operation, connection->socket, &event))
        fail("epoll_ctl");
}

static struct connection* make(SOCKET socket, int kind, int seed)
{
    struct connection* connection = calloc(1, sizeof(*connection));
    u_long on = 1;
    if (!connection || socket == INVALID_SOCKET || ioctlsocket(socket, FIONBIO, &on))
        fail("making a connection");
    connection->socket = socket;
    connection->kind = kind;
    connection->seed = seed;
    return connection;
}

static void end(struct connection* connection)
{
    // The next socket may have its handle before wepoll has learned that it is closed.
    if (epoll_ctl(epoll, EPOLL_CTL_DEL, connection->socket, NULL))
        fail("epoll_ctl");
    if (closesocket(connection->socket))
        fail("closesocket");
    free(connection);
    if (!InterlockedDecrement(&open_connections))
        ExitProcess(0); // The output is written: nothing is buffered.
}

static int would_block(int result)
{
    if (result < 0 && WSAGetLastError() != WSAEWOULDBLOCK)
        fail("a transfer");
    return result < 0;
}

static void accept_all(struct connection* connection)
{
    for (;;) {
        const SOCKET accepted = accept(connection->socket, NULL, NULL);
        if (accepted == INVALID_SOCKET && WSAGetLastError() == WSAEWOULDBLOCK)
            break;
        watch(make(accepted, kServer, 0), EPOLLIN, EPOLL_CTL_ADD);
        if (!--left_to_accept)
            return; // Nobody will connect any more.
    }
    watch(connection, EPOLLIN, EPOLL_CTL_MOD);
}

static void serve(struct connection* connection)
{
    for (;;) {
        if (connection->sent < connection->received) {
            const int sent = send(connection->socket, connection->data + connection->sent,
                (int)(connection->received - connection->sent), 0);
            if (would_block(sent)) {
                watch(connection, EPOLLOUT, EPOLL_CTL_MOD);
                return;
            }
            connection->sent += sent;
            continue;
        }
        if (connection->has_ended) {
            end(connection);
            return;
        }
        const int received = recv(connection->socket, connection->data, kRoom, 0);
        if (would_block(received)) {
            watch(connection, EPOLLIN, EPOLL_CTL_MOD);
            return;
        }
        connection->sent = 0;
        connection->received = received;
        connection->has_ended = !received;
    }
}

static char pattern(const struct connection* connection, size_t at)
{
    return (char)(at * 7 + at / 251 + connection->seed);
}

/// Sends and receives what can be, then waits for either. The last byte sent ends the sending.
static void talk(struct connection* connection, uint32_t events)
{
    char part[8192];
    if (events & (EPOLLERR | EPOLLHUP) && !connection->is_connected)
        fail("connect");
    connection->is_connected = 1;
    int is_full = 0;
    while (!is_full && connection->sent < bytes) {
        size_t length = bytes - connection->sent < sizeof(part) ? bytes - connection->sent : sizeof(part);
        for (size_t i = 0; i < length; ++i)
            part[i] = pattern(connection, connection->sent + i);
        const int sent = send(connection->socket, part, (int)length, 0);
        is_full = would_block(sent);
        connection->sent += is_full ? 0 : sent;
        if (connection->sent == bytes && shutdown(connection->socket, SD_SEND))
            fail("shutdown");
    }
    for (;;) {
        const int received = recv(connection->socket, part, sizeof(part), 0);
        if (would_block(received))
            break;
        for (int i = 0; i < received; ++i) {
            if (part[i] != pattern(connection, connection->received + i))
                fail("a byte");
        }
        connection->received += received;
        if (!received) {
            if (connection->received != bytes)
                fail("the end");
            end(connection);
            return;
        }
    }
    watch(connection, EPOLLIN | (connection->sent < bytes ? EPOLLOUT : 0), EPOLL_CTL_MOD);
}

static DWORD WINAPI run(void* unused)
{
    struct epoll_event events[32];
    (void)unused;
    for (;;) {
        const int count = epoll_wait(epoll, events, 32, -1);
        if (count < 1)
            fail("epoll_wait");
        for (int i = 0; i < count; ++i) {
            struct connection* connection = events[i].data.ptr;
            if (connection->kind == kListener)
                accept_all(connection);
            else if (connection->kind == kServer)
                serve(connection);
            else
                talk(connection, events[i].events);
        }
    }
}

int main(int argc, char** argv)
{
    WSADATA data;
    struct sockaddr_in address = { 0 };
    int length = sizeof(address);
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc < 4 || WSAStartup(MAKEWORD(2, 2), &data) || !(epoll = epoll_create1(0)))
        fail("starting");
    const int threads = atoi(argv[2]);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!strcmp(argv[1], "serve")) {
        open_connections = left_to_accept = atoi(argv[3]);
        listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr*)&address, length) || listen(listener, SOMAXCONN)
            || getsockname(listener, (struct sockaddr*)&address, &length))
            fail("listening");
        watch(make(listener, kListener, 0), EPOLLIN, EPOLL_CTL_ADD);
        printf("PORT %d\n", ntohs(address.sin_port));
    } else {
        const int count = atoi(argv[4]);
        address.sin_port = htons((u_short)atoi(argv[3]));
        bytes = (size_t)atoi(argv[5]);
        open_connections = count;
        for (int i = 0; i < count; ++i) {
            struct connection* connection = make(socket(AF_INET, SOCK_STREAM, 0), 0, i);
            if (connect(connection->socket, (struct sockaddr*)&address, length)
                && WSAGetLastError() != WSAEWOULDBLOCK)
                fail("connect");
            watch(connection, EPOLLOUT, EPOLL_CTL_ADD);
        }
    }
    for (int i = 1; i < threads; ++i)
        CloseHandle(CreateThread(NULL, 0, run, NULL, 0, NULL));
    return (int)run(NULL);
}
