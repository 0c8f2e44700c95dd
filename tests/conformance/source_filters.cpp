// The sources of a multicast group as a whole: SIO_SET_MULTICAST_FILTER, SIO_GET_MULTICAST_FILTER,
// SIOCSMSFILTER and SIOCGMSFILTER.

#include "multicast.h"

using namespace conformance;

namespace {

// Missing from the SDK's ws2tcpip.h.
constexpr DWORD kSetGroupFilter = _IOW('t', 126, u_long); // SIOCSMSFILTER
constexpr DWORD kGetGroupFilter = _IOW('t', 127 | IOC_IN, u_long); // SIOCGMSFILTER

constexpr char kGroup[] = "239.255.77.8";
constexpr DWORD kRoom = 4;

/// An IP_MSFILTER with room for some sources.
struct Ipv4Filter {
    IP_MSFILTER head;
    IN_ADDR more[kRoom - 1];
};

/// A filter of the group on the loopback interface.
Ipv4Filter filter_of(MULTICAST_MODE_TYPE mode, ULONG count = 0, const char* first = "127.0.0.1",
    const char* second = "127.0.0.9")
{
    Ipv4Filter filter = {};
    filter.head.imsf_multiaddr.s_addr = inet_addr(kGroup);
    filter.head.imsf_interface.s_addr = htonl(INADDR_LOOPBACK);
    filter.head.imsf_fmode = mode;
    filter.head.imsf_numsrc = count;
    filter.head.imsf_slist[0].s_addr = inet_addr(first);
    filter.more[0].s_addr = inet_addr(second);
    return filter;
}

int set_filter(SOCKET socket, Ipv4Filter filter)
{
    DWORD returned = 0;
    return WSAIoctl(socket, SIO_SET_MULTICAST_FILTER, &filter,
        IP_MSFILTER_SIZE(filter.head.imsf_numsrc), nullptr, 0, &returned, nullptr, nullptr);
}

int get_filter(SOCKET socket, Ipv4Filter& filter, DWORD length, DWORD& returned)
{
    filter = filter_of(MCAST_EXCLUDE);
    return WSAIoctl(socket, SIO_GET_MULTICAST_FILTER, &filter, length, &filter, length, &returned,
        nullptr, nullptr);
}

void assert_is_heard(SOCKET socket, Where where = Where::current())
{
    send_to_group(kGroup, local_port(socket, where), "group");
    assert_receives(socket, "group", where);
}

void a_filter_joins_and_leaves(void**) // [WSAIoctl/26]
{
    const SOCKET socket = member_of_none();
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_INCLUDE))); // as it is
    assert_is_passed_by(socket, kGroup);
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_EXCLUDE)));
    assert_is_heard(socket);
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_INCLUDE)));
    assert_is_passed_by(socket, kGroup);
}

void a_filter_names_the_sources_that_are_heard(void**) // [WSAIoctl/26]
{
    const SOCKET socket = member_of_none();
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_INCLUDE, 1, "127.0.0.9")));
    assert_is_passed_by(socket, kGroup);
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_INCLUDE, 2)));
    assert_is_heard(socket);
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_EXCLUDE, 1)));
    assert_is_passed_by(socket, kGroup);
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_EXCLUDE, 1, "127.0.0.9")));
    assert_is_heard(socket);
}

void a_filter_is_told(void**) // [WSAIoctl/26]
{
    const SOCKET socket = member_of_none();
    Ipv4Filter told;
    DWORD returned = 0;
    assert_wsa_ok(set_filter(socket, filter_of(MCAST_INCLUDE, 2)));
    assert_wsa_ok(get_filter(socket, told, IP_MSFILTER_SIZE(kRoom), returned));
    assert_int_equal(returned, IP_MSFILTER_SIZE(2));
    assert_int_equal(told.head.imsf_multiaddr.s_addr, inet_addr(kGroup));
    assert_int_equal(told.head.imsf_fmode, MCAST_INCLUDE);
    assert_int_equal(told.head.imsf_numsrc, 2);
    assert_int_equal(told.head.imsf_slist[0].s_addr + told.more[0].s_addr,
        inet_addr("127.0.0.1") + inet_addr("127.0.0.9")); // in any order
    assert_wsa_ok(get_filter(socket, told, IP_MSFILTER_SIZE(0), returned));
    assert_int_equal(told.head.imsf_numsrc, 2);
    assert_int_equal(returned, IP_MSFILTER_SIZE(0));

    assert_wsa_ok(set_filter(socket, filter_of(MCAST_EXCLUDE)));
    assert_wsa_ok(get_filter(socket, told, IP_MSFILTER_SIZE(kRoom), returned));
    assert_int_equal(told.head.imsf_fmode, MCAST_EXCLUDE);
    assert_int_equal(told.head.imsf_numsrc, 0);
}

void a_filter_tells_what_the_options_have_made(void**) // [WSAIoctl/26]
{
    const SOCKET socket = member_of(kGroup);
    IP_MREQ_SOURCE blocked;
    blocked.imr_multiaddr.s_addr = inet_addr(kGroup);
    blocked.imr_sourceaddr.s_addr = inet_addr("127.0.0.9");
    blocked.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    assert_wsa_ok(setsockopt(
        socket, IPPROTO_IP, IP_BLOCK_SOURCE, reinterpret_cast<char*>(&blocked), sizeof(blocked)));
    Ipv4Filter told;
    DWORD returned = 0;
    assert_wsa_ok(get_filter(socket, told, sizeof(told), returned));
    assert_int_equal(told.head.imsf_fmode, MCAST_EXCLUDE);
    assert_int_equal(told.head.imsf_numsrc, 1);
    assert_int_equal(told.head.imsf_slist[0].s_addr, inet_addr("127.0.0.9"));
}

/// A filter of the group of IPv6 with one source, or none.
GROUP_FILTER ipv6_filter(MULTICAST_MODE_TYPE mode, const sockaddr_in6* source = nullptr)
{
    GROUP_FILTER filter = {};
    const sockaddr_in6 group = name_of_ipv6_group(0);
    memcpy(&filter.gf_group, &group, sizeof(group));
    filter.gf_fmode = mode;
    if (source) {
        filter.gf_numsrc = 1;
        memcpy(filter.gf_slist, source, sizeof(*source));
    }
    return filter;
}

int control_group(SOCKET socket, DWORD code, GROUP_FILTER& filter)
{
    DWORD returned = 0;
    return WSAIoctl(socket, code, &filter, sizeof(filter), &filter, sizeof(filter), &returned,
        nullptr, nullptr);
}

void an_ipv6_group_has_a_filter(void**) // [WSAIoctl/26]
{
    if (!has_ipv6())
        skip();
    const sockaddr_in6 sender = ipv6_sender();
    const SOCKET socket = member_of_none(AF_INET6);
    GROUP_FILTER filter = ipv6_filter(MCAST_EXCLUDE, &sender);
    assert_wsa_ok(control_group(socket, kSetGroupFilter, filter));
    assert_is_passed_by_ipv6(socket);
    GROUP_FILTER told = ipv6_filter(MCAST_INCLUDE);
    assert_wsa_ok(control_group(socket, kGetGroupFilter, told));
    assert_int_equal(told.gf_fmode, MCAST_EXCLUDE);
    assert_int_equal(told.gf_numsrc, 1);
    const auto& source = reinterpret_cast<const sockaddr_in6&>(told.gf_slist[0]);
    assert_int_equal(source.sin6_family, AF_INET6);
    assert_memory_equal(&source.sin6_addr, &sender.sin6_addr, sizeof(sender.sin6_addr));

    filter = ipv6_filter(MCAST_INCLUDE, &sender);
    assert_wsa_ok(control_group(socket, kSetGroupFilter, filter));
    send_to_ipv6_group(local_port(socket), "group");
    assert_receives(socket, "group");
    filter = ipv6_filter(MCAST_INCLUDE);
    assert_wsa_ok(control_group(socket, kSetGroupFilter, filter));
    assert_is_passed_by_ipv6(socket);
}

void a_group_filter_may_be_of_ipv4(void**) // [WSAIoctl/26]
{
    constexpr DWORD kLoopback = 1; // the index it has everywhere
    GROUP_FILTER filter = {};
    filter.gf_interface = kLoopback;
    filter.gf_group.ss_family = AF_INET;
    reinterpret_cast<sockaddr_in&>(filter.gf_group).sin_addr.s_addr = inet_addr(kGroup);
    filter.gf_fmode = MCAST_EXCLUDE;
    const SOCKET socket = member_of_none();
    assert_wsa_ok(control_group(socket, kSetGroupFilter, filter));
    assert_is_heard(socket);
    filter.gf_numsrc = 1;
    loopback_address(AF_INET, 0, &filter.gf_slist[0]);
    assert_wsa_ok(control_group(socket, kSetGroupFilter, filter));
    assert_is_passed_by(socket, kGroup);
    filter.gf_slist[0] = {};
    assert_wsa_ok(control_group(socket, kGetGroupFilter, filter));
    assert_int_equal(
        reinterpret_cast<sockaddr_in&>(filter.gf_slist[0]).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

void a_bad_filter_is_refused(void**) // [WSAIoctl/27]
{
    const SOCKET socket = member_of_none();
    DWORD returned = 0;
    Ipv4Filter filter = filter_of(MCAST_EXCLUDE, 2);
    const auto set = [&](DWORD length) {
        return WSAIoctl(socket, SIO_SET_MULTICAST_FILTER, &filter, length, nullptr, 0, &returned,
            nullptr, nullptr);
    };
    assert_wsa_fails(set(IP_MSFILTER_SIZE(2) - 1), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(set(IP_MSFILTER_SIZE(0) - 1), SOCKET_ERROR, WSAEFAULT);
    filter.head.imsf_numsrc = 0xFFFFFFFF;
    assert_wsa_fails(set(sizeof(filter)), SOCKET_ERROR, WSAENOBUFS);
    filter = filter_of(static_cast<MULTICAST_MODE_TYPE>(2));
    assert_wsa_fails(set(sizeof(filter)), SOCKET_ERROR, WSAEINVAL);
    filter = filter_of(MCAST_EXCLUDE);
    filter.head.imsf_multiaddr.s_addr = inet_addr("192.0.2.1");
    assert_wsa_fails(set(sizeof(filter)), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(
        get_filter(socket, filter, IP_MSFILTER_SIZE(0) - 1, returned), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        get_filter(socket, filter, sizeof(filter), returned), SOCKET_ERROR, WSAEADDRNOTAVAIL);

    GROUP_FILTER group = ipv6_filter(MCAST_EXCLUDE);
    group.gf_numsrc = 1;
    group.gf_slist[0].ss_family = AF_INET;
    assert_wsa_fails(control_group(socket, kSetGroupFilter, group), SOCKET_ERROR, WSAEAFNOSUPPORT);
    group.gf_group.ss_family = 99;
    assert_wsa_fails(control_group(socket, kSetGroupFilter, group), SOCKET_ERROR, WSAEAFNOSUPPORT);
}

void streams_have_no_filter(void**) // [WSAIoctl/26]
{
    const SOCKET socket = tcp_socket();
    Ipv4Filter filter;
    GROUP_FILTER group = ipv6_filter(MCAST_EXCLUDE);
    DWORD returned = 0;
    assert_wsa_fails(set_filter(socket, filter_of(MCAST_EXCLUDE)), SOCKET_ERROR, WSAEOPNOTSUPP);
    assert_wsa_fails(
        get_filter(socket, filter, sizeof(filter), returned), SOCKET_ERROR, WSAEOPNOTSUPP);
    assert_wsa_fails(control_group(socket, kSetGroupFilter, group), SOCKET_ERROR, WSAEOPNOTSUPP);
    assert_wsa_fails(control_group(socket, kGetGroupFilter, group), SOCKET_ERROR, WSAEOPNOTSUPP);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_filter_joins_and_leaves),
    cmocka_unit_test(a_filter_names_the_sources_that_are_heard),
    cmocka_unit_test(a_filter_is_told),
    cmocka_unit_test(a_filter_tells_what_the_options_have_made),
    cmocka_unit_test(an_ipv6_group_has_a_filter),
    cmocka_unit_test(a_group_filter_may_be_of_ipv4),
    cmocka_unit_test(a_bad_filter_is_refused),
    cmocka_unit_test(streams_have_no_filter),
};

} // namespace

CONFORMANCE_GROUP(source_filters, kCases);
