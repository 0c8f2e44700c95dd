// AF_UNIX streams: what TCP knows of a stream, as far as Linux tells it of these.
#include "afd/endpoint.h"

namespace afd {

/// Counts like TCP: the peer's end is a byte, and a connection that was reset is dead.
HostSocket::TcpState Endpoint::unix_stream_state() const
{
    const uint32_t ready = m_socket.ready_now();
    HostSocket::TcpState now;
    if (m_has_told_reset.load(std::memory_order_relaxed))
        now.link = LinkState::Dead;
    else if (ready & kReadyPeerEnd)
        now.link = LinkState::PeerEnded;
    if (state() == SocketState::Listening) {
        now.queued_connections = ready & kReadyIn ? 1 : 0; // or more, which Linux does not tell
        return now;
    }
    now.bytes_received = m_bytes_read.load(std::memory_order_relaxed) + m_socket.readable_bytes();
    if (ready & kReadyPeerEnd)
        ++now.bytes_received;
    return now;
}

} // namespace afd
