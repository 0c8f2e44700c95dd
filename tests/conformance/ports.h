// Completion ports, what queues packets to them, and threads that take the packets out.
#pragma once

#include "sockets.h"

#include <atomic>

namespace conformance {

/// The socket as the file it is.
inline HANDLE as_handle(SOCKET socket)
{
    return reinterpret_cast<HANDLE>(socket);
}

/// The event with the bit set that keeps the packet of its operation away.
inline WSAEVENT without_packet(WSAEVENT event)
{
    return reinterpret_cast<WSAEVENT>(reinterpret_cast<uintptr_t>(event) | 1);
}

/// Another handle of the object in this process, by DuplicateHandle; checked and owned.
HANDLE copy_of(HANDLE handle, Where where = Where::current());

/// A completion port, owned.
HANDLE new_port(Where where = Where::current());

/// Associates a socket or a file with a port.
void associate(SOCKET socket, HANDLE port, ULONG_PTR key, Where where = Where::current());
void associate(HANDLE file, HANDLE port, ULONG_PTR key, Where where = Where::current());

/// SetFileCompletionNotificationModes, checked.
void set_modes(SOCKET socket, UCHAR modes, Where where = Where::current());

// --- Operations. All use the buffer of the operation.

/// WSARecv without a place for the byte count.
int start_receive(
    SOCKET socket, Operation* operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr);

/// A new receive, which must pend.
Operation* pending_receive(SOCKET socket, WSAEVENT event = nullptr, Where where = Where::current());

/// WSASend of a text; it may complete at once or pend, but must not fail.
Operation* start_send(SOCKET socket, const char* text, Where where = Where::current());

/// A connected pair whose server side is on a port with the key kPortKey.
struct PortPair {
    TcpPair pair;
    HANDLE port;
};
constexpr ULONG_PTR kPortKey = 0x1234;
PortPair new_port_pair(Where where = Where::current());

// --- Packets

/// PostQueuedCompletionStatus, checked.
void post(HANDLE port, ULONG_PTR key, OVERLAPPED* overlapped = nullptr, DWORD transferred = 0,
    Where where = Where::current());

/// One packet as GetQueuedCompletionStatus tells it. `overlapped` is null when none came in time.
struct Packet {
    BOOL result;
    DWORD error;
    DWORD transferred;
    ULONG_PTR key;
    OVERLAPPED* overlapped;
};

/// What GetQueuedCompletionStatus does, not checked. May be used on any thread.
Packet take_packet(HANDLE port, DWORD timeout = kEventLimit);

/// The next packet; fails the case if none comes within the hang limit.
Packet next_packet(HANDLE port, Where where = Where::current());

/// No packet is in the port, although it was given the time to come.
void assert_no_packet(HANDLE port, Where where = Where::current());

// --- Consumers

/// Threads that take packets from one port until they are told to stop, the port fails them, or
/// none came for kEventLimit. What they took stays readable to the end of the process.
struct Consumers {
    static constexpr LONG kMost = 1024;
    static constexpr int kMostThreads = 8;
    HANDLE port;
    int number;
    Background* threads[kMostThreads];
    std::atomic<LONG> begun; // packets that are being noted, or have been
    std::atomic<LONG> taken; // that have been
    Packet packets[kMost];
};

/// Starts so many, and gives them the time to wait at the port.
Consumers* start_consumers(HANDLE port, int number, Where where = Where::current());

/// Waits until so many packets were taken; fails the case if they do not come.
void await_packets(const Consumers* consumers, LONG count, Where where = Where::current());

/// Ends them. They must have taken `count` packets, and take no more when given the time to.
void stop_consumers(Consumers* consumers, LONG count, Where where = Where::current());

/// The packet of that operation; fails the case if there is not exactly one.
Packet only_packet_of(
    const Consumers* consumers, const OVERLAPPED* overlapped, Where where = Where::current());

// --- Files of the host

/// Two ends of one named pipe in byte mode, opened for overlapped operations.
struct Pipe {
    HANDLE server;
    HANDLE client;
};

/// The server's end alone, and the name to connect to. `name` has room for 64 characters.
HANDLE new_pipe_server(char* name, Where where = Where::current());
HANDLE connect_to_pipe(const char* name, Where where = Where::current());
Pipe new_pipe(Where where = Where::current());

/// ReadFile into the operation's buffer, WriteFile of a text; they must not fail.
void start_read(HANDLE file, Operation* operation, Where where = Where::current());
Operation* start_write(HANDLE file, const char* text, Where where = Where::current());

/// A temporary file with that text, which goes away with its handle. With `overlapped` it is opened
/// for overlapped operations.
HANDLE new_file(const char* text, bool overlapped, Where where = Where::current());

} // namespace conformance
