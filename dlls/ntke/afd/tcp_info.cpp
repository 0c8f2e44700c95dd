// What Linux knows of a TCP connection, as Windows tells it. (linux/tcp.h has the whole structure,
// and does not go together with netinet/tcp.h.)
#include <linux/tcp.h>
#include <netinet/in.h>

#include "afd/socket_file.h"
#include "ke/time.h"

namespace afd {

namespace {

/// TCPSTATE of Linux' states, from TCP_ESTABLISHED (1) on; 0 is closed.
constexpr uint8_t kStates[] = { 0, 4, 2, 3, 5, 6, 10, 0, 7, 9, 1, 8, 3 };

void tell(const tcp_info& known, TcpInfo& info)
{
    constexpr uint32_t kNeverMeasured = ~uint32_t { 0 };
    constexpr uint32_t kUsPerMs = 1000;
    const auto milliseconds = [](uint64_t us) { return static_cast<uint32_t>(us / kUsPerMs); };
    info.state = known.tcpi_state < sizeof(kStates) ? kStates[known.tcpi_state] : 0;
    info.mss = known.tcpi_snd_mss;
    info.has_timestamps = (known.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0;
    info.rtt = known.tcpi_rtt;
    info.min_rtt = known.tcpi_min_rtt == kNeverMeasured ? 0 : known.tcpi_min_rtt;
    // Linux counts segments.
    info.in_flight = known.tcpi_unacked * known.tcpi_snd_mss;
    info.congestion_window = known.tcpi_snd_cwnd * known.tcpi_snd_mss;
    info.send_window = known.tcpi_snd_wnd;
    info.receive_window = known.tcpi_rcv_space;
    info.receive_buffer = known.tcpi_rcv_space;
    info.sent = known.tcpi_bytes_sent;
    info.received = known.tcpi_bytes_received;
    info.reordered = known.tcpi_reord_seen * known.tcpi_snd_mss;
    info.retransmitted = static_cast<uint32_t>(known.tcpi_bytes_retrans);
    info.limited[0].duration = milliseconds(known.tcpi_rwnd_limited);
    info.limited[2].duration = milliseconds(known.tcpi_sndbuf_limited);
}

} // namespace

NTSTATUS SocketFile::get_tcp_info(TcpInfo& info)
{
    constexpr int64_t kTicksPerMs = 10'000;
    tcp_info known {}; // an older Linux leaves its end alone
    uint32_t length = sizeof(known);
    const NTSTATUS status = m_socket.get_option(IPPROTO_TCP, TCP_INFO, &known, &length);
    if (!NT_SUCCESS(status))
        return status;
    tell(known, info);
    ke::LockGuard guard(m_lock);
    if (state() == SocketState::Connected)
        info.connection_time
            = static_cast<uint64_t>((ke::interrupt_time() - m_connect_time) / kTicksPerMs);
    return STATUS_SUCCESS;
}

uint32_t SocketFile::flags_on_linux() const
{
    // Its states after the end of what is sent: FIN_WAIT1 and 2, TIME_WAIT, LAST_ACK, CLOSING.
    constexpr uint32_t kSendEnded = 1u << 4 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 11;
    uint32_t flags = 0;
    tcp_info known {};
    uint32_t length = sizeof(known);
    if (NT_SUCCESS(m_socket.get_option(IPPROTO_TCP, TCP_INFO, &known, &length))
        && (kSendEnded >> known.tcpi_state & 1))
        flags |= ntke::kSocketSendShutDown;
    int is_inline = 0;
    length = sizeof(is_inline);
    if (NT_SUCCESS(m_socket.get_option(SOL_SOCKET, SO_OOBINLINE, &is_inline, &length)) && is_inline)
        flags |= ntke::kSocketOobInline;
    return flags;
}

} // namespace afd
