// Socket options: one table for both directions.
#include <algorithm>

#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "afd/linux_address.h"
#include "afd/socket_file.h"
#include "ke/time.h"
#include "ke/user_memory.h"

namespace afd {

/// What an option needs besides handing its bytes to Linux.
enum class OptionKind : uint8_t {
    Plain,
    Datagram, // refused for streams
    Stream, // refused for datagrams
    Raw, // refused for everything that is not raw
    Own, // an integer that is kept or made here
    Linger, // two 16-bit numbers; Linux has ints
    DontFragment, // Linux: a way to discover the path's MTU
    OobInline, // the endpoint must know
    TcpInfo, // of streams; made of what Linux tells
    Ipv6Source, // Ipv6SourceParams
    ClassOfService, // a Datagram option that Linux gives together with the mark of congestion
};

struct SocketFile::OptionRow {
    ULONG get; // ioctl codes, 0: there is none
    ULONG set;
    int level; // Linux'
    int name;
    uint32_t size; // bytes; what is set must have them
    OptionKind kind = OptionKind::Plain;
};

constexpr SocketFile::OptionRow SocketFile::kOptions[] = {
    { kIoctlGetSoAcceptConn, 0, 0, 0, 4, OptionKind::Own },
    { kIoctlGetSoError, 0, 0, 0, 4, OptionKind::Own },
    { kIoctlGetSoConnectTime, 0, 0, 0, 4, OptionKind::Own },
    { kIoctlGetSoRcvBuf, kIoctlSetSoRcvBuf, SOL_SOCKET, SO_RCVBUF, 4, OptionKind::Own },
    { kIoctlGetSoSndBuf, kIoctlSetSoSndBuf, SOL_SOCKET, SO_SNDBUF, 4, OptionKind::Own },
    { kIoctlGetSoRcvTimeo, kIoctlSetSoRcvTimeo, 0, 0, 4, OptionKind::Own },
    { kIoctlGetSoSndTimeo, kIoctlSetSoSndTimeo, 0, 0, 4, OptionKind::Own },
    { kIoctlGetSoReuseAddr, kIoctlSetSoReuseAddr, SOL_SOCKET, SO_REUSEADDR, 4, OptionKind::Own },
    { kIoctlGetSoExclusiveAddrUse, kIoctlSetSoExclusiveAddrUse, 0, 0, 4, OptionKind::Own },
    { kIoctlGetSoBroadcast, kIoctlSetSoBroadcast, SOL_SOCKET, SO_BROADCAST, 4 },
    { kIoctlGetSoKeepalive, kIoctlSetSoKeepalive, SOL_SOCKET, SO_KEEPALIVE, 4 },
    { kIoctlGetSoLinger, kIoctlSetSoLinger, SOL_SOCKET, SO_LINGER, 4, OptionKind::Linger },
    { kIoctlGetSoOobInline, kIoctlSetSoOobInline, SOL_SOCKET, SO_OOBINLINE, 4,
        OptionKind::OobInline },

    { 0, kIoctlSetIpAddMembership, IPPROTO_IP, IP_ADD_MEMBERSHIP, 8 },
    { 0, kIoctlSetIpDropMembership, IPPROTO_IP, IP_DROP_MEMBERSHIP, 8 },
    { 0, kIoctlSetIpAddSourceMembership, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, 12 },
    { 0, kIoctlSetIpDropSourceMembership, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, 12 },
    { 0, kIoctlSetIpBlockSource, IPPROTO_IP, IP_BLOCK_SOURCE, 12 },
    { 0, kIoctlSetIpUnblockSource, IPPROTO_IP, IP_UNBLOCK_SOURCE, 12 },
    { kIoctlGetIpDontFragment, kIoctlSetIpDontFragment, IPPROTO_IP, IP_MTU_DISCOVER, 4,
        OptionKind::DontFragment },
    { kIoctlGetIpHdrIncl, kIoctlSetIpHdrIncl, IPPROTO_IP, IP_HDRINCL, 4, OptionKind::Raw },
    { kIoctlGetIpMulticastIf, kIoctlSetIpMulticastIf, IPPROTO_IP, IP_MULTICAST_IF, 4,
        OptionKind::Datagram },
    { kIoctlGetIpMulticastLoop, kIoctlSetIpMulticastLoop, 0, 0, 4, OptionKind::Own },
    { kIoctlGetIpMulticastTtl, kIoctlSetIpMulticastTtl, IPPROTO_IP, IP_MULTICAST_TTL, 4,
        OptionKind::Datagram },
    { kIoctlGetIpOptions, kIoctlSetIpOptions, IPPROTO_IP, IP_OPTIONS, 0 },
    { kIoctlGetIpPktInfo, kIoctlSetIpPktInfo, IPPROTO_IP, IP_PKTINFO, 4, OptionKind::Datagram },
    { kIoctlGetIpTos, kIoctlSetIpTos, IPPROTO_IP, IP_TOS, 4 },
    { kIoctlGetIpTtl, kIoctlSetIpTtl, IPPROTO_IP, IP_TTL, 4 },
    { kIoctlGetIpUnicastIf, kIoctlSetIpUnicastIf, IPPROTO_IP, IP_UNICAST_IF, 4 },
    { kIoctlGetIpRecvTtl, kIoctlSetIpRecvTtl, IPPROTO_IP, IP_RECVTTL, 4, OptionKind::Datagram },
    { kIoctlGetIpRecvTos, kIoctlSetIpRecvTos, IPPROTO_IP, IP_RECVTOS, 4,
        OptionKind::ClassOfService },

    { 0, kIoctlSetIpv6AddMembership, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, 20 },
    { 0, kIoctlSetIpv6DropMembership, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, 20 },
    { 0, kIoctlSetIpv6AddSourceMembership, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP,
        sizeof(Ipv6SourceParams), OptionKind::Ipv6Source },
    { 0, kIoctlSetIpv6DropSourceMembership, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP,
        sizeof(Ipv6SourceParams), OptionKind::Ipv6Source },
    { 0, kIoctlSetIpv6BlockSource, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, sizeof(Ipv6SourceParams),
        OptionKind::Ipv6Source },
    { 0, kIoctlSetIpv6UnblockSource, IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, sizeof(Ipv6SourceParams),
        OptionKind::Ipv6Source },
    { kIoctlGetIpv6DontFrag, kIoctlSetIpv6DontFrag, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 4,
        OptionKind::DontFragment },
    { kIoctlGetIpv6MulticastHops, kIoctlSetIpv6MulticastHops, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 4,
        OptionKind::Datagram },
    { kIoctlGetIpv6MulticastIf, kIoctlSetIpv6MulticastIf, IPPROTO_IPV6, IPV6_MULTICAST_IF, 4,
        OptionKind::Datagram },
    { kIoctlGetIpv6MulticastLoop, kIoctlSetIpv6MulticastLoop, 0, 0, 4, OptionKind::Own },
    { kIoctlGetIpv6UnicastHops, kIoctlSetIpv6UnicastHops, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 4 },
    { kIoctlGetIpv6UnicastIf, kIoctlSetIpv6UnicastIf, IPPROTO_IPV6, IPV6_UNICAST_IF, 4 },
    { kIoctlGetIpv6V6Only, kIoctlSetIpv6V6Only, IPPROTO_IPV6, IPV6_V6ONLY, 4 },
    { kIoctlGetIpv6RecvHopLimit, kIoctlSetIpv6RecvHopLimit, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 4,
        OptionKind::Datagram },
    { kIoctlGetIpv6RecvPktInfo, kIoctlSetIpv6RecvPktInfo, IPPROTO_IPV6, IPV6_RECVPKTINFO, 4,
        OptionKind::Datagram },
    { kIoctlGetIpv6RecvTClass, kIoctlSetIpv6RecvTClass, IPPROTO_IPV6, IPV6_RECVTCLASS, 4,
        OptionKind::ClassOfService },

    { kIoctlGetRecvEcn, kIoctlSetRecvEcn, 0, 0, 4, OptionKind::Own },
    { kIoctlGetUdpSendSize, kIoctlSetUdpSendSize, IPPROTO_UDP, UDP_SEGMENT, 4,
        OptionKind::Datagram },
    { kIoctlGetUdpCoalescedSize, kIoctlSetUdpCoalescedSize, 0, 0, 4, OptionKind::Own },
    { kIoctlGetUdpNoChecksum, kIoctlSetUdpNoChecksum, SOL_SOCKET, SO_NO_CHECK, 4,
        OptionKind::Datagram },
    { kIoctlHasUnsent, 0, 0, 0, 4, OptionKind::Own },

    { kIoctlGetTcpInfo, 0, 0, 0, 0, OptionKind::TcpInfo },
    { kIoctlGetTcpNoDelay, kIoctlSetTcpNoDelay, IPPROTO_TCP, TCP_NODELAY, 4, OptionKind::Stream },
    { kIoctlGetTcpKeepIdle, kIoctlSetTcpKeepIdle, IPPROTO_TCP, TCP_KEEPIDLE, 4,
        OptionKind::Stream },
    { kIoctlGetTcpKeepCnt, kIoctlSetTcpKeepCnt, IPPROTO_TCP, TCP_KEEPCNT, 4, OptionKind::Stream },
    { kIoctlGetTcpKeepIntvl, kIoctlSetTcpKeepIntvl, IPPROTO_TCP, TCP_KEEPINTVL, 4,
        OptionKind::Stream },
    { kIoctlGetTcpUserTimeout, kIoctlSetTcpUserTimeout, IPPROTO_TCP, TCP_USER_TIMEOUT, 4,
        OptionKind::Stream },
};

namespace {

constexpr int kTypeRaw = 3;

struct WinsockErrorRow {
    NTSTATUS status;
    uint32_t error; // WSAE*
};

/// How a connect can fail.
constexpr WinsockErrorRow kWinsockErrors[] = {
    { STATUS_CONNECTION_REFUSED, 10061 },
    { STATUS_IO_TIMEOUT, 10060 },
    { STATUS_NETWORK_UNREACHABLE, 10051 },
    { STATUS_HOST_UNREACHABLE, 10065 },
    { STATUS_CONNECTION_RESET, 10054 },
    { STATUS_CONNECTION_ABORTED, 10053 },
    { STATUS_ACCESS_DENIED, 10013 },
    { STATUS_INVALID_ADDRESS_COMPONENT, 10049 },
    { STATUS_NO_MEMORY, 10055 },
};

uint32_t winsock_error_from_status(NTSTATUS status)
{
    constexpr uint32_t kInvalid = 10022;
    if (NT_SUCCESS(status))
        return 0;
    for (const WinsockErrorRow& row : kWinsockErrors) {
        if (row.status == status)
            return row.error;
    }
    return kInvalid;
}

/// Counterpart: LINGER of Winsock.
struct Linger {
    uint16_t is_on;
    uint16_t seconds;
};

} // namespace

const SocketFile::OptionRow* SocketFile::find_option(ULONG code)
{
    for (const OptionRow& row : kOptions) {
        if (row.get == code || row.set == code)
            return &row;
    }
    return nullptr;
}

NTSTATUS SocketFile::option(const OptionRow& row, io::Irp& irp, ULONG_PTR& information)
{
    const bool is_for_datagrams
        = row.kind == OptionKind::Datagram || row.kind == OptionKind::ClassOfService;
    if ((is_for_datagrams && is_stream()) || (row.kind == OptionKind::Raw && m_type != kTypeRaw))
        return STATUS_INVALID_PARAMETER;
    const bool is_for_streams = row.kind == OptionKind::Stream || row.kind == OptionKind::TcpInfo;
    if (is_for_streams && !is_stream())
        return STATUS_NOT_SUPPORTED;
    const io::Parameters& parameters = irp.parameters();
    return parameters.code == row.get ? get_option(row, parameters, information)
                                      : set_option(row, parameters);
}

NTSTATUS SocketFile::get_option(
    const OptionRow& row, const io::Parameters& parameters, ULONG_PTR& size)
{
    constexpr uint32_t kMostOptionBytes = sizeof(TcpInfo);
    uint8_t value[kMostOptionBytes] {};
    uint32_t length = std::min(parameters.output_length, kMostOptionBytes);
    NTSTATUS status = STATUS_SUCCESS;
    switch (row.kind) {
    case OptionKind::Own: {
        uint32_t number = 0;
        if (length < sizeof(number) && (row.get != kIoctlGetSoReuseAddr || !length))
            return STATUS_BUFFER_TOO_SMALL;
        status = get_own_option(row.get, number);
        length = std::min<uint32_t>(length, sizeof(number));
        memcpy(value, &number, sizeof(number));
        break;
    }
    case OptionKind::Linger: {
        linger wanted {};
        uint32_t wanted_length = sizeof(wanted);
        status = m_socket.get_option(row.level, row.name, &wanted, &wanted_length);
        const Linger told { static_cast<uint16_t>(wanted.l_onoff),
            static_cast<uint16_t>(wanted.l_linger) };
        if (length < sizeof(told))
            return STATUS_BUFFER_TOO_SMALL;
        length = sizeof(told);
        memcpy(value, &told, sizeof(told));
        break;
    }
    case OptionKind::DontFragment: {
        int discovery = 0;
        uint32_t discovery_length = sizeof(discovery);
        status = m_socket.get_option(row.level, row.name, &discovery, &discovery_length);
        const uint32_t is_on = discovery != IP_PMTUDISC_DONT;
        if (length < sizeof(is_on))
            return STATUS_BUFFER_TOO_SMALL;
        length = sizeof(is_on);
        memcpy(value, &is_on, sizeof(is_on));
        break;
    }
    case OptionKind::TcpInfo: {
        TcpInfo info {};
        if (length < sizeof(info))
            return STATUS_BUFFER_TOO_SMALL;
        status = get_tcp_info(info);
        memcpy(value, &info, sizeof(info));
        break;
    }
    case OptionKind::ClassOfService:
        if (m_wants_ecn.load(std::memory_order_relaxed)) {
            const uint32_t is_wanted = m_wants_class.load(std::memory_order_relaxed);
            length = std::min<uint32_t>(length, sizeof(is_wanted));
            memcpy(value, &is_wanted, length);
            break;
        }
        [[fallthrough]];
    default:
        status = m_socket.get_option(row.level, row.name, value, &length);
        break;
    }
    if (!NT_SUCCESS(status))
        return status;
    if (length && !ke::write_user(parameters.output, value, length)) // of none there may be none
        return STATUS_ACCESS_VIOLATION;
    size = length;
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::set_option(const OptionRow& row, const io::Parameters& parameters)
{
    if (parameters.input_length < row.size)
        return STATUS_INVALID_PARAMETER;
    uint32_t number = 0;
    if (row.size) // else there may be no input
        memcpy(&number, parameters.input, std::min<size_t>(sizeof(number), row.size));
    switch (row.kind) {
    case OptionKind::Own:
        return set_own_option(row.set, number);
    case OptionKind::Linger: {
        Linger asked;
        memcpy(&asked, parameters.input, sizeof(asked));
        const linger wanted { asked.is_on, asked.seconds };
        return m_socket.set_option(row.level, row.name, &wanted, sizeof(wanted));
    }
    case OptionKind::DontFragment: {
        const int discovery = number ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
        return m_socket.set_option(row.level, row.name, &discovery, sizeof(discovery));
    }
    case OptionKind::Ipv6Source: {
        Ipv6SourceParams asked;
        memcpy(&asked, parameters.input, sizeof(asked));
        group_source_req wanted {};
        wanted.gsr_interface = asked.interface_index;
        fill_address(wanted.gsr_group, asked.group);
        fill_address(wanted.gsr_source, asked.source);
        return m_socket.set_option(row.level, row.name, &wanted, sizeof(wanted));
    }
    case OptionKind::OobInline: {
        Signal signal;
        ke::LockGuard guard(m_lock);
        const NTSTATUS status
            = m_socket.set_option(row.level, row.name, parameters.input, row.size);
        if (!NT_SUCCESS(status))
            return status;
        if (number) {
            add_flags(ntke::kSocketOobInline);
            note_inline();
        } else {
            m_flags.fetch_and(~uint32_t { ntke::kSocketOobInline }, std::memory_order_relaxed);
        }
        refresh_if_recording(signal); // an urgent byte that waits is data now [WSAEventSelect/54]
        return STATUS_SUCCESS;
    }
    case OptionKind::ClassOfService:
        if (m_wants_ecn.load(std::memory_order_relaxed)) {
            m_wants_class.store(number != 0, std::memory_order_relaxed);
            return STATUS_SUCCESS; // Linux tells it already
        }
        [[fallthrough]];
    default:
        if (row.level == IPPROTO_IPV6 && row.name == IPV6_V6ONLY && m_family != kFamilyInet6)
            return STATUS_SUCCESS; // means nothing
        return m_socket.set_option(
            row.level, row.name, parameters.input, row.size ? row.size : parameters.input_length);
    }
}

NTSTATUS SocketFile::get_own_option(ULONG code, uint32_t& value)
{
    constexpr int64_t kTicksPerSecond = 10'000'000;
    settle_now();
    ke::LockGuard guard(m_lock);
    const bool is_connected = state() == SocketState::Connected;
    switch (code) {
    case kIoctlGetSoAcceptConn:
        value = state() == SocketState::Listening;
        break;
    case kIoctlGetSoError:
        value = take_error();
        break;
    case kIoctlGetSoConnectTime:
        value = is_connected
            ? static_cast<uint32_t>((ke::interrupt_time() - m_connect_time) / kTicksPerSecond)
            : kNotConnected;
        break;
    case kIoctlGetSoRcvBuf:
        value = m_options.receive_buffer;
        break;
    case kIoctlGetSoSndBuf:
        value = m_options.send_buffer;
        break;
    case kIoctlGetSoRcvTimeo:
        value = m_options.receive_timeout;
        break;
    case kIoctlGetSoSndTimeo:
        value = m_options.send_timeout;
        break;
    case kIoctlGetSoReuseAddr:
        value = m_options.reuse_address;
        break;
    case kIoctlGetSoExclusiveAddrUse:
        value = m_options.exclusive_address;
        break;
    case kIoctlGetRecvEcn:
        value = m_wants_ecn.load(std::memory_order_relaxed);
        break;
    case kIoctlHasUnsent:
        value = has_older_sends() || m_socket.unsent_bytes();
        break;
    case kIoctlGetUdpCoalescedSize:
        value = m_options.coalesced_size;
        break;
    case kIoctlGetIpMulticastLoop:
        value = !m_options.drops_own_groups;
        return is_stream() ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    case kIoctlGetIpv6MulticastLoop:
        value = !m_options.drops_own_ipv6_groups;
        return is_stream() ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    default:
        return STATUS_NOT_SUPPORTED;
    }
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::set_own_option(ULONG code, uint32_t value)
{
    ke::LockGuard guard(m_lock);
    const auto size = static_cast<int>(std::min<uint32_t>(value, INT32_MAX));
    switch (code) {
    case kIoctlSetSoRcvBuf:
        m_options.receive_buffer = value;
        return m_socket.set_option(SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    case kIoctlSetSoSndBuf:
        m_options.send_buffer = value;
        return m_socket.set_option(SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    case kIoctlSetSoRcvTimeo:
        m_options.receive_timeout = value;
        return STATUS_SUCCESS;
    case kIoctlSetSoSndTimeo:
        m_options.send_timeout = value;
        return STATUS_SUCCESS;
    case kIoctlSetSoReuseAddr:
        if (value && m_options.exclusive_address)
            return STATUS_INVALID_PARAMETER;
        m_options.reuse_address = value != 0;
        // Of streams, Linux asks another question with it: see bind_stream.
        return is_stream() ? STATUS_SUCCESS
                           : m_socket.set_option(SOL_SOCKET, SO_REUSEADDR, &size, sizeof(size));
    case kIoctlSetSoExclusiveAddrUse:
        if (value && m_options.reuse_address)
            return STATUS_INVALID_PARAMETER;
        m_options.exclusive_address = value != 0;
        return STATUS_SUCCESS;
    case kIoctlSetRecvEcn:
        return is_stream() ? STATUS_INVALID_PARAMETER : set_receive_ecn(value != 0);
    case kIoctlSetUdpCoalescedSize:
        return is_stream() ? STATUS_NOT_SUPPORTED : set_coalesced_size(value);
    case kIoctlSetIpMulticastLoop:
        return drop_own_groups(!value, m_options.drops_own_ipv6_groups);
    case kIoctlSetIpv6MulticastLoop:
        return drop_own_groups(m_options.drops_own_groups, !value);
    default:
        return STATUS_NOT_SUPPORTED;
    }
}

/// Linux tells the byte of the header that both the mark and the class of service are in.
NTSTATUS SocketFile::set_receive_ecn(bool is_wanted)
{
    const bool is_inet6 = m_family == kFamilyInet6;
    int is_told = 0;
    uint32_t length = sizeof(is_told);
    NTSTATUS status = is_inet6
        ? m_socket.get_option(IPPROTO_IPV6, IPV6_RECVTCLASS, &is_told, &length)
        : m_socket.get_option(IPPROTO_IP, IP_RECVTOS, &is_told, &length);
    if (!NT_SUCCESS(status))
        return status;
    if (m_wants_ecn.load(std::memory_order_relaxed))
        is_told = m_wants_class.load(std::memory_order_relaxed);
    const int tells = is_wanted || is_told;
    status = m_socket.set_option(IPPROTO_IP, IP_RECVTOS, &tells, sizeof(tells));
    if (NT_SUCCESS(status) && is_inet6)
        status = m_socket.set_option(IPPROTO_IPV6, IPV6_RECVTCLASS, &tells, sizeof(tells));
    if (NT_SUCCESS(status)) {
        m_wants_ecn.store(is_wanted, std::memory_order_relaxed);
        m_wants_class.store(!is_wanted || is_told, std::memory_order_relaxed);
    }
    return status;
}

/// Linux knows no limit below that of a datagram. With a lower one nothing is coalesced: the
/// program would lose what it has no room for.
NTSTATUS SocketFile::set_coalesced_size(uint32_t size)
{
    constexpr uint32_t kMostOfDatagram = 65507;
    const int coalesces = size >= kMostOfDatagram;
    const NTSTATUS status
        = m_socket.set_option(IPPROTO_UDP, UDP_GRO, &coalesces, sizeof(coalesces));
    if (NT_SUCCESS(status))
        m_options.coalesced_size = size;
    return status;
}

NTSTATUS SocketFile::drop_own_groups(bool of_ipv4, bool of_ipv6)
{
    if (is_stream())
        return STATUS_INVALID_PARAMETER;
    const NTSTATUS status = m_socket.drop_own_groups(of_ipv4, of_ipv6);
    if (NT_SUCCESS(status)) {
        m_options.drops_own_groups = of_ipv4;
        m_options.drops_own_ipv6_groups = of_ipv6;
    }
    return status;
}

/// SO_ERROR: why the last connect has failed. A reset is told by receives, not here.
uint32_t SocketFile::take_error()
{
    return state() == SocketState::ConnectFailed ? winsock_error_from_status(m_connect_status) : 0;
}

} // namespace afd
