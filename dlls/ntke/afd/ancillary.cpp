#include "afd/ancillary.h"

#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>

namespace afd {

namespace {

/// Counterpart: WSACMSGHDR, which begins with a length as wide as the program's pointers: with the
/// header, without the padding behind the data.
struct ControlType {
    int32_t level;
    int32_t type;
};
size_t length_width()
{
    return nt::is_wow64() ? sizeof(uint32_t) : sizeof(size_t);
}
size_t header_size()
{
    return length_width() + sizeof(ControlType);
}
void write_header(uint8_t* to, size_t length, const ControlType& type)
{
    memcpy(to, &length, length_width()); // its low bytes come first
    memcpy(to + length_width(), &type, sizeof(type));
}

/// Counterpart: IN_PKTINFO.
struct PacketInfo {
    in_addr address;
    uint32_t interface;
};

struct ControlRow {
    int linux_level;
    int linux_type;
    int32_t level;
    int32_t type;
    uint32_t length; // bytes of the data in Winsock's form
};

constexpr ControlRow kControls[] = {
    { IPPROTO_IP, IP_PKTINFO, 0, 19, sizeof(PacketInfo) },
    { IPPROTO_IP, IP_TTL, 0, 4, sizeof(int32_t) },
    { IPPROTO_IP, IP_TOS, 0, 3, sizeof(int32_t) },
    { IPPROTO_IPV6, IPV6_PKTINFO, 41, 19, sizeof(in6_pktinfo) },
    { IPPROTO_IPV6, IPV6_HOPLIMIT, 41, 21, sizeof(int32_t) },
    { IPPROTO_IPV6, IPV6_TCLASS, 41, 39, sizeof(int32_t) },
};

size_t aligned(size_t length)
{
    return (length + length_width() - 1) & ~(length_width() - 1);
}

const ControlRow* find_row(const cmsghdr& header)
{
    for (const ControlRow& row : kControls) {
        if (row.linux_level == header.cmsg_level && row.linux_type == header.cmsg_type)
            return &row;
    }
    return nullptr;
}

/// The data of `message` in Winsock's form.
void convert(cmsghdr& message, const ControlRow& row, uint8_t* data)
{
    if (row.linux_level == IPPROTO_IP && row.linux_type == IP_PKTINFO) {
        in_pktinfo info;
        memcpy(&info, CMSG_DATA(&message), sizeof(info));
        const PacketInfo told { info.ipi_addr, static_cast<uint32_t>(info.ipi_ifindex) };
        memcpy(data, &told, sizeof(told));
        return;
    }
    // Linux' type of service is one byte; the others have one form in both.
    memset(data, 0, row.length);
    const size_t length = message.cmsg_len - CMSG_LEN(0);
    memcpy(data, CMSG_DATA(&message), length < row.length ? length : row.length);
}

} // namespace

bool write_control(const HostSocket::Control& control, WsaBuf& buffer)
{
    msghdr message {};
    message.msg_control = const_cast<uint8_t*>(control.bytes);
    message.msg_controllen = control.length;
    auto* output = static_cast<uint8_t*>(buffer.data);
    const size_t room = buffer.length;
    size_t used = 0;
    buffer.length = 0;
    for (cmsghdr* entry = CMSG_FIRSTHDR(&message); entry; entry = CMSG_NXTHDR(&message, entry)) {
        const ControlRow* row = find_row(*entry);
        if (!row)
            continue;
        const size_t length = header_size() + row->length;
        if (room - used < aligned(length))
            return false;
        write_header(output + used, length, { row->level, row->type });
        convert(*entry, *row, output + used + header_size());
        used += aligned(length);
    }
    buffer.length = static_cast<ULONG>(used);
    return true;
}

} // namespace afd
