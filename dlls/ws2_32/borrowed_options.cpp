#include "borrowed_options.h"

#include <cstring>

#include "afd_call.h"
#include "catalog.h"
#include "guard.h"
#include "name.h"

namespace ws2 {

namespace {

/// What a socket has an option for. Of the byte that two are in, the whole comes first.
struct Row {
    int level;
    int type;
    ULONG get_code; // 0: the host cannot set it, and it is 0
    ULONG set_code;
    DWORD least;
    DWORD most;
    bool is_of_unicast; // groups have an option of their own
};

constexpr Row kRows[] = {
    { IPPROTO_IP, IP_TTL, afd::kIoctlGetIpTtl, afd::kIoctlSetIpTtl, 1, 255, true },
    { IPPROTO_IP, IP_TOS, afd::kIoctlGetIpTos, afd::kIoctlSetIpTos, 0, 255, false },
    { IPPROTO_IP, IP_ECN, afd::kIoctlGetIpTos, afd::kIoctlSetIpTos, 0, 3, false },
    { IPPROTO_IPV6, IPV6_HOPLIMIT, afd::kIoctlGetIpv6UnicastHops, afd::kIoctlSetIpv6UnicastHops, 0,
        255, true },
    { IPPROTO_IPV6, IPV6_TCLASS, 0, 0, 0, 0, false },
    { IPPROTO_IPV6, IPV6_ECN, 0, 0, 0, 0, false },
};

bool is_group(const SOCKADDR_STORAGE& address)
{
    return address.ss_family == AF_INET6
        ? IN6_IS_ADDR_MULTICAST(&reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr)
        : (ntohl(reinterpret_cast<const SOCKADDR_IN&>(address).sin_addr.s_addr) >> 28) == 14;
}

/// Does it leave source and interface open?
bool is_open_packet_info(const WSACMSGHDR& header, const char* data, size_t length)
{
    static constexpr char kOpen[sizeof(IN6_PKTINFO)] = {};
    const bool is_packet_info = (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO
                                    && length == sizeof(IN_PKTINFO))
        || (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_PKTINFO
            && length == sizeof(IN6_PKTINFO));
    return is_packet_info && std::memcmp(data, kOpen, length) == 0;
}

} // namespace

BorrowedOptions::BorrowedOptions(Socket& socket)
    : m_socket(socket)
    , m_guard(socket.borrowing)
{
}

BorrowedOptions::~BorrowedOptions()
{
    // A wait has let go of the handle, which may be another socket's now.
    SocketRef socket
        = m_count ? find_known_socket(socket_from_handle(m_socket.handle)) : SocketRef();
    if (!socket || &*socket != &m_socket)
        return;
    while (m_count) {
        const Loan& loan = m_loans[--m_count];
        afd_call(m_socket, loan.set_code, &loan.value, sizeof(loan.value), nullptr, 0);
    }
}

int BorrowedOptions::read(const WSABUF& control, DWORD* wanted, bool* is_wanted)
{
    char given[256];
    if (control.len > sizeof(given))
        return WSAEINVAL;
    if (!guard::copy(given, control.buf, control.len))
        return WSAEFAULT;
    for (size_t at = 0; at < control.len;) {
        WSACMSGHDR header;
        const size_t left = control.len - at;
        if (left < sizeof(header))
            return WSAEINVAL;
        std::memcpy(&header, given + at, sizeof(header));
        const int level = m_socket.family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
        if (header.cmsg_len < sizeof(header) || header.cmsg_len > left
            || header.cmsg_level != level)
            return WSAEINVAL;
        const char* const data = given + at + sizeof(header);
        const size_t length = header.cmsg_len - sizeof(header);
        at += WSA_CMSG_SPACE(length);
        if (is_open_packet_info(header, data, length))
            continue;
        size_t row = 0;
        while (row < ARRAYSIZE(kRows)
            && (kRows[row].level != level || kRows[row].type != header.cmsg_type))
            ++row;
        if (row == ARRAYSIZE(kRows) || length != sizeof(DWORD))
            return WSAEINVAL;
        std::memcpy(&wanted[row], data, sizeof(DWORD));
        if (wanted[row] < kRows[row].least || wanted[row] > kRows[row].most)
            return WSAEINVAL;
        is_wanted[row] = true;
    }
    return 0;
}

bool BorrowedOptions::lend(ULONG get_code, ULONG set_code, DWORD mask, DWORD value)
{
    DWORD before = 0;
    if (!NT_SUCCESS(afd_call(m_socket, get_code, nullptr, 0, &before, sizeof(before))))
        return false;
    value |= before & ~mask;
    if (value == before)
        return true;
    if (!NT_SUCCESS(afd_call(m_socket, set_code, &value, sizeof(value), nullptr, 0)))
        return false;
    m_loans[m_count++] = { set_code, before };
    return true;
}

int BorrowedOptions::borrow(const WSABUF& control, const sockaddr* to)
{
    DWORD wanted[ARRAYSIZE(kRows)];
    bool is_wanted[ARRAYSIZE(kRows)] = {};
    if (const int error = read(control, wanted, is_wanted))
        return error;
    SOCKADDR_STORAGE destination {};
    int length = address_length(m_socket.family);
    if (to)
        std::memcpy(&destination, to, length);
    else if (!NT_SUCCESS(query_name(m_socket, afd::kIoctlGetPeerName, destination, length)))
        return WSAENOTCONN;
    if (is_mapped_address(destination))
        return WSAEINVAL; // goes by the options of IPv4
    for (size_t i = 0; i < ARRAYSIZE(kRows); ++i) {
        const Row& row = kRows[i];
        if (!is_wanted[i])
            continue;
        if (row.is_of_unicast && is_group(destination))
            return WSAEINVAL;
        if (row.get_code && !lend(row.get_code, row.set_code, row.most, wanted[i]))
            return WSAEINVAL;
    }
    return 0;
}

} // namespace ws2
