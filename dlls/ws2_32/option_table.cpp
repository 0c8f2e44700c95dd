// Every socket option there is, level by level. Source: spec/getsockopt.md.
#include "option.h"

#include <span>

#include "afd/ioctl.h"
#include "option_codes.h"
#include "option_special.h"

namespace ws2 {

using enum OptionLength;
using S = StoredOption;
using namespace afd;
namespace o = option;

/// An option the device keeps; `set` looks at the value first or does more.
static constexpr OptionRow device(int name, SocketKinds kinds, OptionLength length, ULONG get_code,
    ULONG set_code, OptionFunction* set = nullptr)
{
    return { name, kinds, length, get_code, set_code, nullptr, set, S::kCount, 0 };
}

/// An option the device keeps in another form than Windows tells.
static constexpr OptionRow converted(
    int name, SocketKinds kinds, OptionFunction* get, ULONG set_code, OptionFunction* set = nullptr)
{
    return { name, kinds, kDword, 0, set_code, get, set, S::kCount, 0 };
}

/// An option the DLL keeps.
static constexpr OptionRow stored(int name, SocketKinds kinds, OptionLength length,
    StoredOption option, DWORD initial = 0, OptionFunction* set = nullptr)
{
    return { name, kinds, length, 0, 0, nullptr, set, option, initial };
}

/// An option the DLL keeps where the device does not know it.
static constexpr OptionRow device_or_stored(int name, SocketKinds kinds, OptionLength length,
    ULONG get_code, ULONG set_code, StoredOption option)
{
    return { name, kinds, length, get_code, set_code, nullptr, nullptr, option, 0 };
}

/// An option with functions of its own; without one it does not exist in that direction.
static constexpr OptionRow own(int name, SocketKinds kinds, OptionFunction* get,
    OptionFunction* set = nullptr, OptionLength length = kOwn)
{
    return { name, kinds, length, 0, 0, get, set, S::kCount, 0 };
}

static constexpr OptionRow kSocketOptions[] = {
    own(SO_TYPE, kAllSockets, o::get_type, o::set_read_only_type),
    own(SO_ERROR, kAllSockets, o::get_error, o::set_error),
    stored(SO_DEBUG, kAllSockets, kBoolean, S::kDebug),
    own(SO_ACCEPTCONN, kAllSockets, o::get_accept_connections),
    device(SO_REUSEADDR, kAllSockets, kBoolean, kIoctlGetSoReuseAddr, kIoctlSetSoReuseAddr),
    device(SO_EXCLUSIVEADDRUSE, kAllSockets, kBoolean, kIoctlGetSoExclusiveAddrUse,
        kIoctlSetSoExclusiveAddrUse),
    device(SO_KEEPALIVE, kStreamSockets, kOneByte, kIoctlGetSoKeepalive, 0, o::set_keepalive),
    stored(SO_DONTROUTE, kAllSockets, kOneByte, S::kDontRoute),
    device(SO_BROADCAST, kMessageSockets, kBoolean, kIoctlGetSoBroadcast, kIoctlSetSoBroadcast),
    own(SO_LINGER, kStreamSockets, o::get_linger, o::set_linger, kDwordOrZeros),
    own(SO_DONTLINGER, kStreamSockets, o::get_dont_linger, o::set_dont_linger, kBoolean),
    device(SO_OOBINLINE, kStreamSockets, kBoolean, kIoctlGetSoOobInline, kIoctlSetSoOobInline),
    own(SO_SNDBUF, kAllSockets, o::get_send_buffer, o::set_send_buffer, kDwordOrZeros),
    own(SO_RCVBUF, kAllSockets, o::get_receive_buffer, o::set_receive_buffer, kDwordOrZeros),
    own(SO_SNDLOWAT, kAllSockets, o::refuse_low_water_mark, o::refuse_low_water_mark),
    own(SO_RCVLOWAT, kAllSockets, o::refuse_low_water_mark, o::refuse_low_water_mark),
    device(SO_SNDTIMEO, kAllSockets, kDword, kIoctlGetSoSndTimeo, kIoctlSetSoSndTimeo),
    device(SO_RCVTIMEO, kAllSockets, kDword, kIoctlGetSoRcvTimeo, kIoctlSetSoRcvTimeo),
    own(kSoBspState, kAllSockets, o::get_bsp_state),
    own(SO_GROUP_ID, kAllSockets, o::get_group_id),
    stored(SO_GROUP_PRIORITY, kAllSockets, kDword, S::kGroupPriority),
    own(SO_MAX_MSG_SIZE, kAllSockets, o::get_max_message_size),
    own(SO_PROTOCOL_INFOA, kAllSockets, o::get_protocol_info_a),
    own(SO_PROTOCOL_INFOW, kAllSockets, o::get_protocol_info_w),
    // Linux shakes hands before accept is called whatever this says.
    stored(SO_CONDITIONAL_ACCEPT, kStreamSockets, kDword, S::kConditionalAccept, 0,
        o::set_conditional_accept),
    stored(kSoPauseAccept, kStreamSockets, kBoolean, S::kPauseAccept),
    stored(kSoCompartmentId, kAllSockets, kDword, S::kCompartmentId),
    // The ports Linux gives are random, and shared by unicast sockets, without being asked.
    stored(kSoRandomizePort, kAllSockets, kBoolean, S::kRandomizePort),
    stored(kSoPortScalability, kStreamSockets, kBoolean, S::kPortScalability),
    stored(kSoReuseUnicastPort, kAllSockets, kBoolean, S::kReuseUnicastPort),
    stored(kSoReuseMulticastPort, kDatagramSockets, kBoolean, S::kReuseMulticastPort),
    own(SO_MAXDG, kAllSockets, o::get_max_message_size),
    own(SO_MAXPATHDG, kAllSockets, o::get_max_message_size),
    own(SO_UPDATE_ACCEPT_CONTEXT, kStreamSockets, nullptr, o::set_accept_context),
    own(SO_CONNECT_TIME, kAllSockets, o::get_connect_time),
    own(SO_UPDATE_CONNECT_CONTEXT, kStreamSockets, nullptr, o::set_connect_context, kAny),
};

static constexpr OptionRow kTcpOptions[] = {
    device(TCP_NODELAY, kStreamSockets, kOneByte, kIoctlGetTcpNoDelay, kIoctlSetTcpNoDelay),
    // What follows and is stored tunes the Windows stack; Linux' has its own ideas.
    stored(TCP_EXPEDITED_1122, kStreamSockets, kBoolean, S::kTcpExpedited),
    own(kTcpKeepIdle, kStreamSockets, o::get_keep_idle, o::set_keep_idle, kDword),
    own(kTcpMaxSeg, kStreamSockets, o::get_max_segment, nullptr, kDword),
    stored(kTcpMaxRt, kStreamSockets, kDword, S::kTcpMaxRt, kNoTimeout, o::set_max_retransmission),
    stored(kTcpStdUrg, kStreamSockets, kBoolean, S::kTcpStdUrg),
    own(kTcpAtMark, kStreamSockets, o::get_at_mark, nullptr, kDword),
    stored(kTcpNoSynRetries, kStreamSockets, kBoolean, S::kTcpNoSynRetries),
    stored(kTcpTimestamps, kStreamSockets, kBoolean, S::kTcpTimestamps),
    stored(kTcpOffloadPreference, kStreamSockets, kDword, S::kTcpOffloadPreference),
    stored(kTcpDelayFinAck, kStreamSockets, kBoolean, S::kTcpDelayFinAck),
    stored(kTcpMaxRtMs, kStreamSockets, kDword, S::kTcpMaxRtMs, kNoTimeout,
        o::set_max_retransmission_ms),
    stored(kTcpFastOpen, kStreamSockets, kBoolean, S::kTcpFastOpen),
    own(kTcpKeepCnt, kStreamSockets, o::get_keep_count, o::set_keep_count, kDword),
    own(kTcpKeepIntvl, kStreamSockets, o::get_keep_interval, o::set_keep_interval, kDword),
    stored(kTcpFailConnectOnIcmpError, kStreamSockets, kBoolean, S::kTcpFailConnectOnIcmpError),
    own(kTcpBsdUrgent, kStreamSockets, o::get_bsd_urgent, o::set_bsd_urgent, kDword),
};

static constexpr OptionRow kUdpOptions[] = {
    device_or_stored(UDP_NOCHECKSUM, kDatagramSockets, kBoolean, kIoctlGetUdpNoChecksum,
        kIoctlSetUdpNoChecksum, S::kUdpNoChecksum),
    stored(UDP_CHECKSUM_COVERAGE, kDatagramSockets, kDword, S::kUdpChecksumCoverage),
    device(kUdpSendMsgSize, kDatagramSockets, kDword, kIoctlGetUdpSendSize, kIoctlSetUdpSendSize),
    device(kUdpRecvMaxCoalescedSize, kDatagramSockets, kDword, kIoctlGetUdpCoalescedSize,
        kIoctlSetUdpCoalescedSize),
};

static constexpr OptionRow kIpOptions[] = {
    own(IP_OPTIONS, kAllSockets, o::get_ip_options, o::set_ip_options, kAny),
    device(IP_HDRINCL, kRawSockets, kInteger, kIoctlGetIpHdrIncl, kIoctlSetIpHdrIncl),
    device(IP_TOS, kAllSockets, kOctet, kIoctlGetIpTos, kIoctlSetIpTos),
    device(IP_TTL, kAllSockets, kInteger, kIoctlGetIpTtl, kIoctlSetIpTtl),
    device(IP_MULTICAST_IF, kMessageSockets, kInteger, kIoctlGetIpMulticastIf, 0,
        o::set_multicast_interface),
    device(IP_MULTICAST_TTL, kMessageSockets, kInteger, kIoctlGetIpMulticastTtl,
        kIoctlSetIpMulticastTtl),
    device(IP_MULTICAST_LOOP, kMessageSockets, kBoolean, kIoctlGetIpMulticastLoop,
        kIoctlSetIpMulticastLoop),
    own(IP_ADD_MEMBERSHIP, kMessageSockets, nullptr, o::add_membership),
    own(IP_DROP_MEMBERSHIP, kMessageSockets, nullptr, o::drop_membership),
    device(
        IP_DONTFRAGMENT, kAllSockets, kBoolean, kIoctlGetIpDontFragment, kIoctlSetIpDontFragment),
    own(IP_ADD_SOURCE_MEMBERSHIP, kMessageSockets, nullptr, o::add_source_membership),
    own(IP_DROP_SOURCE_MEMBERSHIP, kMessageSockets, nullptr, o::drop_source_membership),
    own(IP_BLOCK_SOURCE, kMessageSockets, nullptr, o::block_source),
    own(IP_UNBLOCK_SOURCE, kMessageSockets, nullptr, o::unblock_source),
    device(IP_PKTINFO, kMessageSockets, kDword, kIoctlGetIpPktInfo, kIoctlSetIpPktInfo),
    device(IP_RECVTTL, kMessageSockets, kDword, kIoctlGetIpRecvTtl, kIoctlSetIpRecvTtl),
    // Linux delivers broadcasts to every bound socket and has no control records for the stored
    // ones of these.
    stored(IP_RECEIVE_BROADCAST, kMessageSockets, kBoolean, S::kReceiveBroadcast, 1),
    stored(IP_PROTECTION_LEVEL, kAllSockets, kDword, S::kProtectionLevel,
        PROTECTION_LEVEL_UNRESTRICTED),
    stored(IP_RECVIF, kMessageSockets, kBoolean, S::kReceiveInterface),
    stored(IP_RECVDSTADDR, kMessageSockets, kBoolean, S::kReceiveDestination),
    stored(IP_IFLIST, kAllSockets, kBoolean, S::kInterfaceList),
    converted(IP_UNICAST_IF, kAllSockets, o::get_unicast_interface, kIoctlSetIpUnicastIf),
    stored(IP_RTHDR, kAllSockets, kDword, S::kRoutingHeader),
    own(IP_GET_IFLIST, kAllSockets, o::get_interface_list),
    stored(IP_RECVRTHDR, kMessageSockets, kBoolean, S::kReceiveRoutingHeader),
    device(IP_RECVTOS, kMessageSockets, kDword, kIoctlGetIpRecvTos, kIoctlSetIpRecvTos),
    own(kMcastJoinGroup, kMessageSockets, nullptr, o::join_group),
    own(kMcastLeaveGroup, kMessageSockets, nullptr, o::leave_group),
    own(kMcastBlockSource, kMessageSockets, nullptr, o::block_group_source),
    own(kMcastUnblockSource, kMessageSockets, nullptr, o::unblock_group_source),
    own(kMcastJoinSourceGroup, kMessageSockets, nullptr, o::join_source_group),
    own(kMcastLeaveSourceGroup, kMessageSockets, nullptr, o::leave_source_group),
    stored(IP_ORIGINAL_ARRIVAL_IF, kMessageSockets, kBoolean, S::kOriginalArrivalInterface),
    // The host tells no marks of congestion: it is as if the network had wiped them off there.
    // [WSASendMsg/15]
    device_or_stored(
        IP_ECN, kMessageSockets, kBoolean, kIoctlGetRecvEcn, kIoctlSetRecvEcn, S::kEcn),
    stored(IP_PKTINFO_EX, kMessageSockets, kBoolean, S::kPacketInfoEx),
    stored(IP_WFP_REDIRECT_RECORDS, kMessageSockets, kBoolean, S::kRedirectRecords),
    stored(IP_WFP_REDIRECT_CONTEXT, kMessageSockets, kBoolean, S::kRedirectContext),
    stored(IP_MTU_DISCOVER, kAllSockets, kDword, S::kMtuDiscover, 0, o::set_mtu_discover),
    own(IP_MTU, kAllSockets, o::get_mtu, nullptr, kDword),
    stored(IP_RECVERR, kDatagramSockets, kBoolean, S::kReceiveError),
    stored(IP_USER_MTU, kAllSockets, kDword, S::kUserMtu, 0xFFFFFFFF),
};

static constexpr OptionRow kIpv6Options[] = {
    stored(IPV6_HOPOPTS, kAllSockets, kDword, S::kHopByHop),
    stored(IPV6_HDRINCL, kRawSockets, kBoolean, S::kHeaderIncluded),
    device(IPV6_UNICAST_HOPS, kAllSockets, kInteger, kIoctlGetIpv6UnicastHops,
        kIoctlSetIpv6UnicastHops),
    device(IPV6_MULTICAST_IF, kMessageSockets, kInteger, kIoctlGetIpv6MulticastIf,
        kIoctlSetIpv6MulticastIf),
    device(IPV6_MULTICAST_HOPS, kMessageSockets, kInteger, kIoctlGetIpv6MulticastHops,
        kIoctlSetIpv6MulticastHops),
    device(IPV6_MULTICAST_LOOP, kMessageSockets, kBoolean, kIoctlGetIpv6MulticastLoop,
        kIoctlSetIpv6MulticastLoop),
    own(IPV6_ADD_MEMBERSHIP, kMessageSockets, nullptr, o::add_ipv6_membership),
    own(IPV6_DROP_MEMBERSHIP, kMessageSockets, nullptr, o::drop_ipv6_membership),
    device(IPV6_DONTFRAG, kAllSockets, kBoolean, kIoctlGetIpv6DontFrag, kIoctlSetIpv6DontFrag),
    device(
        IPV6_PKTINFO, kMessageSockets, kDword, kIoctlGetIpv6RecvPktInfo, kIoctlSetIpv6RecvPktInfo),
    device(IPV6_HOPLIMIT, kMessageSockets, kDword, kIoctlGetIpv6RecvHopLimit,
        kIoctlSetIpv6RecvHopLimit),
    stored(IPV6_PROTECTION_LEVEL, kAllSockets, kDword, S::kProtectionLevel,
        PROTECTION_LEVEL_UNRESTRICTED),
    stored(IPV6_RECVIF, kMessageSockets, kBoolean, S::kReceiveInterface),
    stored(IPV6_RECVDSTADDR, kMessageSockets, kBoolean, S::kReceiveDestination),
    stored(IPV6_CHECKSUM, kRawSockets, kDword, S::kChecksum, 0xFFFFFFFF),
    own(IPV6_V6ONLY, kAllSockets, o::get_ipv6_only, o::set_ipv6_only, kOneByte),
    stored(IPV6_IFLIST, kAllSockets, kBoolean, S::kInterfaceList),
    converted(IPV6_UNICAST_IF, kAllSockets, o::get_ipv6_unicast_interface, 0,
        o::set_ipv6_unicast_interface),
    stored(IPV6_RTHDR, kAllSockets, kDword, S::kRoutingHeader),
    own(IPV6_GET_IFLIST, kAllSockets, o::get_interface_list),
    stored(IPV6_RECVRTHDR, kMessageSockets, kBoolean, S::kReceiveRoutingHeader),
    device(
        IPV6_RECVTCLASS, kMessageSockets, kDword, kIoctlGetIpv6RecvTClass, kIoctlSetIpv6RecvTClass),
    own(kMcastJoinGroup, kMessageSockets, nullptr, o::join_group),
    own(kMcastLeaveGroup, kMessageSockets, nullptr, o::leave_group),
    own(kMcastBlockSource, kMessageSockets, nullptr, o::block_group_source),
    own(kMcastUnblockSource, kMessageSockets, nullptr, o::unblock_group_source),
    own(kMcastJoinSourceGroup, kMessageSockets, nullptr, o::join_source_group),
    own(kMcastLeaveSourceGroup, kMessageSockets, nullptr, o::leave_source_group),
    stored(IP_ORIGINAL_ARRIVAL_IF, kMessageSockets, kBoolean, S::kOriginalArrivalInterface),
    device_or_stored(
        IPV6_ECN, kMessageSockets, kBoolean, kIoctlGetRecvEcn, kIoctlSetRecvEcn, S::kEcn),
    stored(IPV6_PKTINFO_EX, kMessageSockets, kBoolean, S::kPacketInfoEx),
    stored(IPV6_WFP_REDIRECT_RECORDS, kMessageSockets, kBoolean, S::kRedirectRecords),
    stored(IPV6_WFP_REDIRECT_CONTEXT, kMessageSockets, kBoolean, S::kRedirectContext),
    stored(IPV6_MTU_DISCOVER, kAllSockets, kDword, S::kMtuDiscover, 0, o::set_mtu_discover),
    own(IPV6_MTU, kAllSockets, o::get_mtu, nullptr, kDword),
    stored(IPV6_RECVERR, kDatagramSockets, kBoolean, S::kReceiveError),
    stored(IPV6_USER_MTU, kAllSockets, kDword, S::kUserMtu, 0xFFFFFFFF),
};

static std::span<const OptionRow> rows_of_level(int level)
{
    switch (level) {
    case SOL_SOCKET:
        return kSocketOptions;
    case IPPROTO_TCP:
        return kTcpOptions;
    case IPPROTO_UDP:
        return kUdpOptions;
    case IPPROTO_IP:
        return kIpOptions;
    case IPPROTO_IPV6:
        return kIpv6Options;
    default:
        return {};
    }
}

static SocketKinds kind_of(const Socket& socket)
{
    switch (socket.type) {
    case SOCK_STREAM:
        return kStreamSockets;
    case SOCK_DGRAM:
        return kDatagramSockets;
    default:
        return kRawSockets;
    }
}

/// Does the option exist for the socket's family? [getsockopt/20]
static bool fits_family(const Socket& socket, int level, const OptionRow& row)
{
    return level != IPPROTO_IPV6 || socket.family == AF_INET6 || row.name == IPV6_V6ONLY;
}

const OptionRow* find_option(
    const Socket& socket, int level, int name, Direction direction, int& error)
{
    const std::span<const OptionRow> rows = rows_of_level(level);
    error = rows.empty() ? WSAEINVAL : WSAENOPROTOOPT;
    for (const OptionRow& row : rows) {
        if (row.name != name)
            continue;
        if (!has_direction(row, direction))
            return nullptr;
        const bool is_ip = level == IPPROTO_IP || level == IPPROTO_IPV6;
        if (!(row.kinds & kind_of(socket)) || !fits_family(socket, level, row)) {
            error = is_ip ? WSAEINVAL : WSAENOPROTOOPT;
            return nullptr;
        }
        if (level == SOL_SOCKET && name == SO_DONTROUTE && socket.family == AF_INET6)
            return nullptr; // WSAENOPROTOOPT. [setsockopt/7]
        error = 0;
        return &row;
    }
    return nullptr;
}

} // namespace ws2
