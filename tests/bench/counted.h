#pragma once

// The calls whose server requests are counted. The program only frames each call with requests that
// cannot be mistaken; the driver reads the server's log and counts what lies between.

#include "loopback.h"

#include <memory>
#include <string>
#include <vector>

namespace bench {

struct CountedPort;
struct CountedRio;

/// What the counted calls work on; made anew for each row.
struct CountedFixture {
    UniqueSocket listener;
    sockaddr_in address = {};
    UniqueSocket client;
    UniqueSocket server;
    UniqueSocket left;
    UniqueSocket right;
    sockaddr_in right_address = {};
    UniqueEvent event;
    /// 64 UDP sockets, of which the last has a datagram; see make_many().
    std::vector<UniqueSocket> many;
    /// What the calls of counted_port.cpp make for themselves.
    std::shared_ptr<CountedPort> port;
    /// And those of counted_rio.cpp.
    std::shared_ptr<CountedRio> rio;

    /// What prepare made for call, and call for finish.
    UniqueSocket fresh;
    UniqueSocket accepted;
    UniqueEvent fresh_event;
    WSAOVERLAPPED overlapped = {};
    WSABUF buffer = {};
    char bytes[256] = {};

    bool set_up();
    bool make_many();
};

/// One counted call. Every step returns false when a result is wrong.
struct CountedCall {
    std::string name;
    /// Not counted, before each call; null: nothing to do.
    bool (*prepare)(CountedFixture&);
    bool (*call)(CountedFixture&);
    /// Not counted, after each call.
    bool (*finish)(CountedFixture&);
};

std::vector<CountedCall> counted_event_calls();
std::vector<CountedCall> counted_socket_calls();
std::vector<CountedCall> counted_transfer_calls();
std::vector<CountedCall> counted_overlapped_calls();
std::vector<CountedCall> counted_port_calls();
std::vector<CountedCall> counted_rio_calls();

/// --count CALL|all [--iterations N]: frames N calls of the row, or of each row. Prints a line
///     counted call=NAME calls=N
/// per row and returns the exit code.
int run_counted(int argc, char** argv);

} // namespace bench
