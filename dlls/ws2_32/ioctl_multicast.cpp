// The control codes for the sources of a multicast group: SIO_GET_MULTICAST_FILTER,
// SIO_SET_MULTICAST_FILTER, SIOCGMSFILTER and SIOCSMSFILTER. Only ntke can carry them out.
// [WSAIoctl/26]
#include "ioctl.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "error.h"
#include "guard.h"
#include "interface.h"

namespace ws2 {

namespace {

using Filter = afd::SourceFilterParams;

constexpr DWORD kIpv4Head = offsetof(IP_MSFILTER, imsf_slist);
constexpr DWORD kGroupHead = offsetof(GROUP_FILTER, gf_slist);

int filter_error(NTSTATUS status)
{
    if (status == STATUS_NOT_SUPPORTED)
        return kIoctlUnsupported;
    return NT_SUCCESS(status) ? 0 : error_from_status(status);
}

int fill_interface(Filter& filter, IN_ADDR address)
{
    if (!interface_by_address(address))
        return WSAEADDRNOTAVAIL;
    filter.on_interface = address.s_addr;
    return 0;
}

/// What a filter is of. Returns 0 or the Winsock error.
int fill_target(Filter& filter, const IP_MSFILTER& given)
{
    filter.family = AF_INET;
    std::memcpy(filter.group, &given.imsf_multiaddr, sizeof(given.imsf_multiaddr));
    return fill_interface(filter, given.imsf_interface);
}

int fill_target(Filter& filter, const GROUP_FILTER& given)
{
    filter.family = given.gf_group.ss_family;
    if (filter.family == AF_INET) {
        const auto& group = reinterpret_cast<const SOCKADDR_IN&>(given.gf_group);
        std::memcpy(filter.group, &group.sin_addr, sizeof(group.sin_addr));
        return fill_interface(filter, interface_from_index(given.gf_interface));
    }
    if (filter.family != AF_INET6)
        return WSAEAFNOSUPPORT;
    const auto& group = reinterpret_cast<const SOCKADDR_IN6&>(given.gf_group);
    std::memcpy(filter.group, &group.sin6_addr, sizeof(group.sin6_addr));
    filter.on_interface = given.gf_interface;
    return 0;
}

bool read_source(uint8_t (&source)[16], const IN_ADDR& given, int /*family*/)
{
    std::memcpy(source, &given, sizeof(given));
    return true;
}

bool read_source(uint8_t (&source)[16], const SOCKADDR_STORAGE& given, int family)
{
    if (given.ss_family != family)
        return false;
    if (family == AF_INET)
        return read_source(source, reinterpret_cast<const SOCKADDR_IN&>(given).sin_addr, family);
    std::memcpy(source, &reinterpret_cast<const SOCKADDR_IN6&>(given).sin6_addr, sizeof(source));
    return true;
}

void write_source(IN_ADDR& told, const uint8_t (&source)[16], int /*family*/)
{
    std::memcpy(&told, source, sizeof(told));
}

void write_source(SOCKADDR_STORAGE& told, const uint8_t (&source)[16], int family)
{
    told = {};
    told.ss_family = static_cast<ADDRESS_FAMILY>(family);
    if (family == AF_INET)
        write_source(reinterpret_cast<SOCKADDR_IN&>(told).sin_addr, source, family);
    else
        std::memcpy(&reinterpret_cast<SOCKADDR_IN6&>(told).sin6_addr, source, sizeof(source));
}

/// The mode and the number of sources of either structure.
struct Counts {
    MULTICAST_MODE_TYPE& mode;
    ULONG& sources;
};

Counts counts_of(IP_MSFILTER& filter)
{
    return { filter.imsf_fmode, filter.imsf_numsrc };
}

Counts counts_of(GROUP_FILTER& filter)
{
    return { filter.gf_fmode, filter.gf_numsrc };
}

/// `Given` is the structure of the code, `Source` an element of its list behind `head` bytes.
template <typename Given, typename Source> int set_filter(IoctlCall& call, DWORD head)
{
    if (call.socket->is_stream())
        return kIoctlUnsupported;
    Given given;
    if (const int error = take_input(call, &given, head))
        return error;
    Filter filter {};
    if (const int error = fill_target(filter, given))
        return error;
    const Counts counts = counts_of(given);
    filter.mode = counts.mode;
    filter.count = counts.sources;
    if (filter.mode > MCAST_EXCLUDE)
        return WSAEINVAL;
    if (filter.count > Filter::kMostSources)
        return WSAENOBUFS;
    if ((call.input_length - head) / sizeof(Source) < filter.count)
        return WSAEFAULT;
    for (uint32_t i = 0; i < filter.count; ++i) {
        Source source;
        const auto* const from = static_cast<const char*>(call.input) + head + i * sizeof(source);
        if (!guard::copy(&source, from, sizeof(source)))
            return WSAEFAULT;
        if (!read_source(filter.sources[i], source, filter.family))
            return WSAEAFNOSUPPORT;
    }
    return filter_error(
        afd_call(*call.socket, afd::kIoctlSetSourceFilter, &filter, sizeof(filter), nullptr, 0));
}

/// As many sources are told as there is room for, and how many there are.
template <typename Given, typename Source> int get_filter(IoctlCall& call, DWORD head)
{
    if (call.socket->is_stream())
        return kIoctlUnsupported;
    Given given;
    if (const int error = take_input(call, &given, head))
        return error;
    if (!call.output || call.output_length < head)
        return WSAEFAULT;
    Filter filter {};
    if (const int error = fill_target(filter, given))
        return error;
    const auto room = static_cast<uint32_t>(
        std::min<size_t>((call.output_length - head) / sizeof(Source), Filter::kMostSources));
    filter.count = room;
    const NTSTATUS status = afd_call(
        *call.socket, afd::kIoctlGetSourceFilter, &filter, sizeof(filter), &filter, sizeof(filter));
    if (!NT_SUCCESS(status))
        return filter_error(status);
    const Counts counts = counts_of(given);
    counts.mode = static_cast<MULTICAST_MODE_TYPE>(filter.mode);
    counts.sources = filter.count;
    const uint32_t told = std::min(room, filter.count);
    for (uint32_t i = 0; i < told; ++i) {
        Source source;
        write_source(source, filter.sources[i], filter.family);
        auto* const to = static_cast<char*>(call.output) + head + i * sizeof(source);
        if (!guard::copy(to, &source, sizeof(source)))
            return WSAEFAULT;
    }
    if (const int error = give_output(call, &given, head))
        return error;
    call.returned = static_cast<DWORD>(head + told * sizeof(Source));
    return 0;
}

} // namespace

int get_ipv4_filter(IoctlCall& call)
{
    return get_filter<IP_MSFILTER, IN_ADDR>(call, kIpv4Head);
}

int set_ipv4_filter(IoctlCall& call)
{
    return set_filter<IP_MSFILTER, IN_ADDR>(call, kIpv4Head);
}

int get_group_filter(IoctlCall& call)
{
    return get_filter<GROUP_FILTER, SOCKADDR_STORAGE>(call, kGroupHead);
}

int set_group_filter(IoctlCall& call)
{
    return set_filter<GROUP_FILTER, SOCKADDR_STORAGE>(call, kGroupHead);
}

} // namespace ws2
