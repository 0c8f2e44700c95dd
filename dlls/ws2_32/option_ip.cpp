// The special options of IPPROTO_IP and IPPROTO_IPV6 but for the multicast groups.
#include "option_special.h"

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "interface.h"
#include "transfer.h"

namespace ws2::option {

constexpr unsigned kMaxIpOptions = 40; // bytes; what an IPv4 header has room for

int get_ip_options(Socket& socket, OptionValue& value)
{
    char options[kMaxIpOptions] = {};
    ULONG_PTR length = 0;
    const unsigned room = value.length < sizeof(options) ? value.length : sizeof(options);
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlGetIpOptions, nullptr, 0, options, room, &length);
    if (!NT_SUCCESS(status))
        return option_error(status);
    return give_option(value, options, length <= room ? length : room);
}

int set_ip_options(Socket& socket, OptionValue& value)
{
    char options[kMaxIpOptions];
    if (value.length > sizeof(options))
        return WSAEINVAL;
    const unsigned length = value.length;
    if (const int error = take_option(value, options, length))
        return error;
    const NTSTATUS status = afd_call(socket, afd::kIoctlSetIpOptions, options, length, nullptr, 0);
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

int get_mtu(Socket& socket, OptionValue& value)
{
    SOCKADDR_STORAGE peer;
    if (!NT_SUCCESS(afd_call(
            socket, afd::kIoctlGetPeerName, nullptr, 0, &peer, address_length(socket.family))))
        return WSAENOTCONN; // [getsockopt/17]
    const DWORD mtu = mtu_towards(reinterpret_cast<SOCKADDR&>(peer));
    return mtu ? give_option(value, &mtu, sizeof(mtu)) : WSAENETUNREACH;
}

int set_mtu_discover(Socket& socket, OptionValue& value)
{
    // The values of PMTUD_STATE. Probing sends with the bit set too.
    enum : DWORD { kNotSet = 0, kDo = 1, kDont = 2, kProbe = 3 };
    DWORD state;
    if (const int error = take_option(value, &state, sizeof(state)))
        return error;
    if (state == kNotSet || state > kProbe)
        return WSAEINVAL; // [setsockopt/19]
    const DWORD dont_fragment = state != kDont;
    const NTSTATUS status = afd_call(socket,
        socket.family == AF_INET6 ? afd::kIoctlSetIpv6DontFrag : afd::kIoctlSetIpDontFragment,
        &dont_fragment, sizeof(dont_fragment), nullptr, 0);
    if (!NT_SUCCESS(status))
        return option_error(status);
    store_option(socket, StoredOption::kMtuDiscover, 0, state);
    return 0;
}

// The index of an interface: Linux has it in network order. Windows tells it in host order, and
// takes it so for IPv6. [setsockopt/26]

static int give_index(Socket& socket, OptionValue& value, ULONG code)
{
    DWORD index = 0;
    const NTSTATUS status = afd_call(socket, code, nullptr, 0, &index, sizeof(index));
    index = __builtin_bswap32(index);
    return NT_SUCCESS(status) ? give_option(value, &index, sizeof(index)) : option_error(status);
}

int get_unicast_interface(Socket& socket, OptionValue& value)
{
    return give_index(socket, value, afd::kIoctlGetIpUnicastIf);
}

int get_ipv6_unicast_interface(Socket& socket, OptionValue& value)
{
    return give_index(socket, value, afd::kIoctlGetIpv6UnicastIf);
}

int set_ipv6_unicast_interface(Socket& socket, OptionValue& value)
{
    DWORD index;
    if (const int error = take_option(value, &index, sizeof(index)))
        return error;
    index = __builtin_bswap32(index);
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlSetIpv6UnicastIf, &index, sizeof(index), nullptr, 0);
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

int get_interface_list(Socket&, OptionValue&)
{
    return WSAEINVAL; // A list is there only once IP_ADD_IFLIST has made one. [getsockopt/21]
}

/// Does the device keep IPV6_V6ONLY of the socket? IPv4 sockets have it by name alone, and Linux
/// takes a raw socket for bound. [getsockopt/20]
static bool has_device_ipv6_only(const Socket& socket)
{
    return socket.family == AF_INET6 && socket.type != SOCK_RAW;
}

int get_ipv6_only(Socket& socket, OptionValue& value)
{
    DWORD only = 0;
    if (!has_device_ipv6_only(socket)) {
        only = stored_option(socket, StoredOption::kIpv6Only, 1);
    } else {
        const NTSTATUS status
            = afd_call(socket, afd::kIoctlGetIpv6V6Only, nullptr, 0, &only, sizeof(only));
        if (!NT_SUCCESS(status))
            return option_error(status);
    }
    return give_option(value, &only, 1);
}

int set_ipv6_only(Socket& socket, OptionValue& value)
{
    DWORD only = 0;
    if (!guard::copy(&only, value.buffer, 1))
        return WSAEFAULT;
    only = only != 0;
    const bool is_kept_here = !has_device_ipv6_only(socket);
    if (socket.bound || (is_kept_here && is_bound(socket)))
        return WSAEINVAL; // [setsockopt/17]
    if (is_kept_here) {
        store_option(socket, StoredOption::kIpv6Only, 1, only);
        return 0;
    }
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlSetIpv6V6Only, &only, sizeof(only), nullptr, 0);
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

} // namespace ws2::option
