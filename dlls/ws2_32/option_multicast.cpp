// The multicast groups of IPPROTO_IP and IPPROTO_IPV6.
#include "option_special.h"

#include "afd/params.h"
#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "interface.h"

#include <cstring>
#include <utility>

namespace ws2::option {

static int group_error(NTSTATUS status)
{
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

/// The end of a join. Only ntke can keep the datagrams of other groups away from the socket, and
/// does so from when it has the socket's descriptor; asking for the queue gives it. [setsockopt/24]
static int end_join(Socket& socket, int error)
{
    ULONG queued;
    if (!error && emulation::is_on())
        afd_call(socket, afd::kIoctlFionread, nullptr, 0, &queued, sizeof(queued));
    return error;
}

static int change_membership(Socket& socket, ULONG code, IP_MREQ request)
{
    if (!interface_by_address(request.imr_interface))
        return WSAEADDRNOTAVAIL;
    const NTSTATUS status = afd_call(socket, code, &request, sizeof(request), nullptr, 0);
    // Leaving a group the socket is not in. [setsockopt/18]
    if (code == afd::kIoctlSetIpDropMembership && status == STATUS_INVALID_PARAMETER)
        return WSAEADDRNOTAVAIL;
    return group_error(status);
}

static int change_membership(Socket& socket, ULONG code, OptionValue& value)
{
    IP_MREQ request;
    const int error = take_option(value, &request, sizeof(request));
    return error ? error : change_membership(socket, code, request);
}

int add_membership(Socket& socket, OptionValue& value)
{
    return end_join(socket, change_membership(socket, afd::kIoctlSetIpAddMembership, value));
}

int drop_membership(Socket& socket, OptionValue& value)
{
    return change_membership(socket, afd::kIoctlSetIpDropMembership, value);
}

static int change_source(Socket& socket, ULONG code, IP_MREQ_SOURCE request)
{
    if (!interface_by_address(request.imr_interface))
        return WSAEADDRNOTAVAIL;
    // The device hands the bytes to Linux, whose structure has the interface before the source.
    std::swap(request.imr_sourceaddr, request.imr_interface);
    return group_error(afd_call(socket, code, &request, sizeof(request), nullptr, 0));
}

static int change_source(Socket& socket, ULONG code, OptionValue& value)
{
    IP_MREQ_SOURCE request;
    const int error = take_option(value, &request, sizeof(request));
    return error ? error : change_source(socket, code, request);
}

int add_source_membership(Socket& socket, OptionValue& value)
{
    return end_join(socket, change_source(socket, afd::kIoctlSetIpAddSourceMembership, value));
}

int drop_source_membership(Socket& socket, OptionValue& value)
{
    return change_source(socket, afd::kIoctlSetIpDropSourceMembership, value);
}

int block_source(Socket& socket, OptionValue& value)
{
    return change_source(socket, afd::kIoctlSetIpBlockSource, value);
}

int unblock_source(Socket& socket, OptionValue& value)
{
    return change_source(socket, afd::kIoctlSetIpUnblockSource, value);
}

static int change_ipv6_membership(Socket& socket, ULONG code, IPV6_MREQ request)
{
    return group_error(afd_call(socket, code, &request, sizeof(request), nullptr, 0));
}

static int change_ipv6_membership(Socket& socket, ULONG code, OptionValue& value)
{
    IPV6_MREQ request;
    const int error = take_option(value, &request, sizeof(request));
    return error ? error : change_ipv6_membership(socket, code, request);
}

int add_ipv6_membership(Socket& socket, OptionValue& value)
{
    return end_join(socket, change_ipv6_membership(socket, afd::kIoctlSetIpv6AddMembership, value));
}

int drop_ipv6_membership(Socket& socket, OptionValue& value)
{
    return change_ipv6_membership(socket, afd::kIoctlSetIpv6DropMembership, value);
}

// The protocol-independent requests: an interface index and whole socket addresses.

static int change_group(Socket& socket, OptionValue& value, ULONG code, ULONG ipv6_code)
{
    GROUP_REQ request;
    if (const int error = take_option(value, &request, sizeof(request)))
        return error;
    if (request.gr_group.ss_family == AF_INET) {
        IP_MREQ ipv4;
        ipv4.imr_multiaddr = reinterpret_cast<SOCKADDR_IN&>(request.gr_group).sin_addr;
        ipv4.imr_interface = interface_from_index(request.gr_interface);
        return change_membership(socket, code, ipv4);
    }
    if (request.gr_group.ss_family != AF_INET6)
        return WSAEAFNOSUPPORT;
    IPV6_MREQ ipv6;
    ipv6.ipv6mr_multiaddr = reinterpret_cast<SOCKADDR_IN6&>(request.gr_group).sin6_addr;
    ipv6.ipv6mr_interface = request.gr_interface;
    return change_ipv6_membership(socket, ipv6_code, ipv6);
}

int join_group(Socket& socket, OptionValue& value)
{
    return end_join(socket,
        change_group(
            socket, value, afd::kIoctlSetIpAddMembership, afd::kIoctlSetIpv6AddMembership));
}

int leave_group(Socket& socket, OptionValue& value)
{
    return change_group(
        socket, value, afd::kIoctlSetIpDropMembership, afd::kIoctlSetIpv6DropMembership);
}

/// What a request about a source of a group comes to; sources of IPv6 groups are left to ntke.
struct SourceCodes {
    ULONG ipv4;
    ULONG ipv6;
};

static int change_group_source(Socket& socket, OptionValue& value, SourceCodes codes)
{
    GROUP_SOURCE_REQ request;
    if (const int error = take_option(value, &request, sizeof(request)))
        return error;
    const ADDRESS_FAMILY family = request.gsr_group.ss_family;
    if (family != request.gsr_source.ss_family || (family != AF_INET && family != AF_INET6))
        return WSAEAFNOSUPPORT;
    if (family == AF_INET) {
        IP_MREQ_SOURCE ipv4;
        ipv4.imr_multiaddr = reinterpret_cast<SOCKADDR_IN&>(request.gsr_group).sin_addr;
        ipv4.imr_sourceaddr = reinterpret_cast<SOCKADDR_IN&>(request.gsr_source).sin_addr;
        ipv4.imr_interface = interface_from_index(request.gsr_interface);
        return change_source(socket, codes.ipv4, ipv4);
    }
    afd::Ipv6SourceParams params {};
    params.interface_index = request.gsr_interface;
    std::memcpy(params.group, &reinterpret_cast<SOCKADDR_IN6&>(request.gsr_group).sin6_addr,
        sizeof(params.group));
    std::memcpy(params.source, &reinterpret_cast<SOCKADDR_IN6&>(request.gsr_source).sin6_addr,
        sizeof(params.source));
    return group_error(afd_call(socket, codes.ipv6, &params, sizeof(params), nullptr, 0));
}

int join_source_group(Socket& socket, OptionValue& value)
{
    constexpr SourceCodes kJoin
        = { afd::kIoctlSetIpAddSourceMembership, afd::kIoctlSetIpv6AddSourceMembership };
    return end_join(socket, change_group_source(socket, value, kJoin));
}

int leave_source_group(Socket& socket, OptionValue& value)
{
    return change_group_source(socket, value,
        { afd::kIoctlSetIpDropSourceMembership, afd::kIoctlSetIpv6DropSourceMembership });
}

int block_group_source(Socket& socket, OptionValue& value)
{
    return change_group_source(
        socket, value, { afd::kIoctlSetIpBlockSource, afd::kIoctlSetIpv6BlockSource });
}

int unblock_group_source(Socket& socket, OptionValue& value)
{
    return change_group_source(
        socket, value, { afd::kIoctlSetIpUnblockSource, afd::kIoctlSetIpv6UnblockSource });
}

int set_multicast_interface(Socket& socket, OptionValue& value)
{
    IN_ADDR address;
    if (const int error = take_option(value, &address, sizeof(address)))
        return error;
    if (!interface_by_address(address))
        return WSAEADDRNOTAVAIL;
    return group_error(
        afd_call(socket, afd::kIoctlSetIpMulticastIf, &address, sizeof(address), nullptr, 0));
}

} // namespace ws2::option
