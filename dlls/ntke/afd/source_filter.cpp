// Which sources of a multicast group a socket hears, as a whole. [WSAIoctl/26]
#include <algorithm>
#include <cstddef>
#include <cstring>

#include <net/if.h>
#include <netinet/in.h>

#include "afd/linux_address.h"
#include "afd/socket_file.h"
#include "ke/user_memory.h"

namespace afd {

namespace {

constexpr uint32_t kMost = SourceFilterParams::kMostSources;

/// The filter in Linux' form for IPv4.
struct Ipv4Filter {
    alignas(ip_msfilter) uint8_t bytes[IP_MSFILTER_SIZE(kMost)] {};

    ip_msfilter& head() { return reinterpret_cast<ip_msfilter&>(bytes); }
    in_addr* sources()
    {
        return reinterpret_cast<in_addr*>(bytes + offsetof(ip_msfilter, imsf_slist));
    }
};

/// The filter in Linux' form for IPv6.
struct Ipv6Filter {
    alignas(group_filter) uint8_t bytes[GROUP_FILTER_SIZE(kMost)] {};

    group_filter& head() { return reinterpret_cast<group_filter&>(bytes); }
    sockaddr_storage* sources()
    {
        return reinterpret_cast<sockaddr_storage*>(bytes + offsetof(group_filter, gf_slist));
    }
};

uint32_t linux_mode(uint32_t mode)
{
    return mode == SourceFilterParams::kInclude ? MCAST_INCLUDE : MCAST_EXCLUDE;
}

in_addr ipv4_address(const uint8_t (&bytes)[16])
{
    in_addr address;
    memcpy(&address, bytes, sizeof(address));
    return address;
}

void fill_filter(Ipv4Filter& filter, const SourceFilterParams& params)
{
    filter.head().imsf_multiaddr = ipv4_address(params.group);
    filter.head().imsf_interface.s_addr = params.on_interface;
    filter.head().imsf_fmode = linux_mode(params.mode);
    filter.head().imsf_numsrc = params.count;
    for (uint32_t i = 0; i < params.count; ++i)
        filter.sources()[i] = ipv4_address(params.sources[i]);
}

void fill_filter(Ipv6Filter& filter, const SourceFilterParams& params)
{
    filter.head().gf_interface = params.on_interface;
    fill_address(filter.head().gf_group, params.group);
    filter.head().gf_fmode = linux_mode(params.mode);
    filter.head().gf_numsrc = params.count;
    for (uint32_t i = 0; i < params.count; ++i)
        fill_address(filter.sources()[i], params.sources[i]);
}

NTSTATUS get_ipv4(const HostSocket& socket, SourceFilterParams& params)
{
    Ipv4Filter filter;
    fill_filter(filter, params);
    uint32_t length = IP_MSFILTER_SIZE(params.count);
    const NTSTATUS status = socket.get_option(IPPROTO_IP, IP_MSFILTER, filter.bytes, &length);
    if (!NT_SUCCESS(status))
        return status;
    for (uint32_t i = 0; i < std::min(params.count, filter.head().imsf_numsrc); ++i)
        memcpy(params.sources[i], &filter.sources()[i], sizeof(in_addr));
    params.mode = filter.head().imsf_fmode != MCAST_INCLUDE;
    params.count = filter.head().imsf_numsrc;
    return status;
}

NTSTATUS get_ipv6(const HostSocket& socket, SourceFilterParams& params)
{
    Ipv6Filter filter;
    fill_filter(filter, params);
    uint32_t length = GROUP_FILTER_SIZE(params.count);
    const NTSTATUS status = socket.get_option(IPPROTO_IPV6, MCAST_MSFILTER, filter.bytes, &length);
    if (!NT_SUCCESS(status))
        return status;
    for (uint32_t i = 0; i < std::min(params.count, filter.head().gf_numsrc); ++i) {
        const auto& source = reinterpret_cast<const sockaddr_in6&>(filter.sources()[i]);
        memcpy(params.sources[i], &source.sin6_addr, sizeof(params.sources[i]));
    }
    params.mode = filter.head().gf_fmode != MCAST_INCLUDE;
    params.count = filter.head().gf_numsrc;
    return status;
}

/// Of a filter of IPv6 on any interface Linux wants to know the one the group was joined on.
void find_interface(const HostSocket& socket, SourceFilterParams& params)
{
    if (params.family == kFamilyInet || params.on_interface)
        return;
    struct if_nameindex* const all = ::if_nameindex();
    for (const struct if_nameindex* entry = all; entry && entry->if_index; ++entry) {
        SourceFilterParams probe = params;
        probe.on_interface = entry->if_index;
        probe.count = 0;
        if (!NT_SUCCESS(get_ipv6(socket, probe)))
            continue;
        params.on_interface = entry->if_index;
        break;
    }
    if (all)
        ::if_freenameindex(all);
}

NTSTATUS set_filter(HostSocket& socket, SourceFilterParams params)
{
    find_interface(socket, params);
    if (params.family == kFamilyInet) {
        Ipv4Filter filter;
        fill_filter(filter, params);
        return socket.set_option(
            IPPROTO_IP, IP_MSFILTER, filter.bytes, IP_MSFILTER_SIZE(params.count));
    }
    Ipv6Filter filter;
    fill_filter(filter, params);
    return socket.set_option(
        IPPROTO_IPV6, MCAST_MSFILTER, filter.bytes, GROUP_FILTER_SIZE(params.count));
}

/// Joins the group for its first source, or for all but those that are to be named.
NTSTATUS join(HostSocket& socket, const SourceFilterParams& params)
{
    const bool is_for_source = params.mode == SourceFilterParams::kInclude;
    if (params.family == kFamilyInet) {
        const ip_mreq_source one { ipv4_address(params.group), { params.on_interface },
            ipv4_address(params.sources[0]) };
        const ip_mreq all { one.imr_multiaddr, one.imr_interface };
        return is_for_source
            ? socket.set_option(IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof(one))
            : socket.set_option(IPPROTO_IP, IP_ADD_MEMBERSHIP, &all, sizeof(all));
    }
    group_source_req one {};
    one.gsr_interface = params.on_interface;
    fill_address(one.gsr_group, params.group);
    fill_address(one.gsr_source, params.sources[0]);
    group_req all {};
    all.gr_interface = params.on_interface;
    all.gr_group = one.gsr_group;
    return is_for_source
        ? socket.set_option(IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &one, sizeof(one))
        : socket.set_option(IPPROTO_IPV6, MCAST_JOIN_GROUP, &all, sizeof(all));
}

bool is_group(const SourceFilterParams& params)
{
    constexpr uint8_t kMulticast6 = 0xFF;
    return params.family == kFamilyInet ? params.group[0] >> 4 == 14
                                        : params.group[0] == kMulticast6;
}

} // namespace

NTSTATUS SocketFile::get_source_filter(io::Irp& irp, ULONG_PTR& information)
{
    auto params = input_of<SourceFilterParams>(irp);
    if (is_stream() || params.count > kMost)
        return STATUS_INVALID_PARAMETER;
    find_interface(m_socket, params);
    const NTSTATUS status
        = params.family == kFamilyInet ? get_ipv4(m_socket, params) : get_ipv6(m_socket, params);
    if (!NT_SUCCESS(status))
        return status;
    if (!ke::write_user(irp.parameters().output, &params, sizeof(params)))
        return STATUS_ACCESS_VIOLATION;
    information = sizeof(params);
    return STATUS_SUCCESS;
}

/// Linux has a filter of groups only that the socket has joined; to Windows it is what joins them.
NTSTATUS SocketFile::set_source_filter(io::Irp& irp, ULONG_PTR&)
{
    const auto params = input_of<SourceFilterParams>(irp);
    if (is_stream() || params.count > kMost || !is_group(params))
        return STATUS_INVALID_PARAMETER;
    const NTSTATUS status = set_filter(m_socket, params);
    const bool was_joined
        = status != STATUS_INVALID_PARAMETER && status != STATUS_INVALID_ADDRESS_COMPONENT;
    if (was_joined)
        return status;
    if (params.mode == SourceFilterParams::kInclude && !params.count)
        return STATUS_SUCCESS; // of no source: that is so already
    const NTSTATUS joined = join(m_socket, params);
    return NT_SUCCESS(joined) ? set_filter(m_socket, params) : joined;
}

} // namespace afd
