// A pending accept.
#pragma once

#include "afd/socket_file.h"
#include "afd/transfer.h"

namespace afd {

/// The names of a connection that the host has accepted.
struct HostedAccept {
    Address local;
    Address remote;
};

/// An accept, or an accept-into: then it is a receive, too, of the first data. It waits in the
/// listener's queue for a connection and, if data is wanted, in the accepting socket's for that.
struct Accept : Transfer {
    Accept()
        : Transfer(Direction::Receive)
    {
    }

    /// Is there room for the addresses? They are of the listener's family.
    bool has_room(int family) const;

    bool is_into = false;
    ob::Ref<SocketFile> socket; // that becomes the connection
    // Accept-into: bytes of the blocks behind the data.
    uint32_t local_length = 0;
    uint32_t remote_length = 0;
    HostedAccept accepted; // where the host accepts
};

} // namespace afd
