#include "afd/ancillary.h"

#include <algorithm>
#include <cstring>

#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "nt/caller.h"

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
/// Returns the length.
size_t read_header(const uint8_t* from, ControlType& type)
{
    size_t length = 0;
    memcpy(&length, from, length_width());
    memcpy(&type, from + length_width(), sizeof(type));
    return length;
}

/// Counterpart: IN_PKTINFO.
struct PacketInfo {
    in_addr address;
    uint32_t interface;
};

// Winsock's numbers.
enum Level : int32_t { kLevelIp = 0, kLevelUdp = 17, kLevelIpv6 = 41 };
enum Type : int32_t {
    kUdpSendSize = 2,
    kUdpCoalescedInfo = 3,
    kIpTos = 3,
    kIpTtl = 4,
    kPacketInfo = 19, // of both families
    kIpv6HopLimit = 21,
    kIpv6TrafficClass = 39,
    kEcn = 50, // of both families
};

/// IP_TOS and IPV6_TCLASS: the class of service, and in the low bits the mark of congestion.
constexpr uint8_t kEcnBits = 3;

size_t aligned(size_t length)
{
    return (length + length_width() - 1) & ~(length_width() - 1);
}

// --- Receiving

struct ReceivedRow {
    int linux_level;
    int linux_type;
    int32_t level;
    int32_t type;
    uint32_t length; // bytes of the data in Winsock's form
    enum What : uint8_t { kAsItIs, kPacketInfo, kClassOfService, kCongestion } what = kAsItIs;
};

constexpr ReceivedRow kReceived[] = {
    { IPPROTO_IP, IP_PKTINFO, kLevelIp, kPacketInfo, sizeof(PacketInfo), ReceivedRow::kPacketInfo },
    { IPPROTO_IP, IP_TTL, kLevelIp, kIpTtl, sizeof(int32_t) },
    { IPPROTO_IP, IP_TOS, kLevelIp, kIpTos, sizeof(int32_t), ReceivedRow::kClassOfService },
    { IPPROTO_IP, IP_TOS, kLevelIp, kEcn, sizeof(int32_t), ReceivedRow::kCongestion },
    { IPPROTO_IPV6, IPV6_PKTINFO, kLevelIpv6, kPacketInfo, sizeof(in6_pktinfo) },
    { IPPROTO_IPV6, IPV6_HOPLIMIT, kLevelIpv6, kIpv6HopLimit, sizeof(int32_t) },
    { IPPROTO_IPV6, IPV6_TCLASS, kLevelIpv6, kIpv6TrafficClass, sizeof(int32_t),
        ReceivedRow::kClassOfService },
    { IPPROTO_IPV6, IPV6_TCLASS, kLevelIpv6, kEcn, sizeof(int32_t), ReceivedRow::kCongestion },
    { IPPROTO_UDP, UDP_GRO, kLevelUdp, kUdpCoalescedInfo, sizeof(int32_t) },
};

bool is_wanted(const ReceivedRow& row, const TrafficByteWishes& wishes)
{
    switch (row.what) {
    case ReceivedRow::kClassOfService:
        return wishes.class_of_service;
    case ReceivedRow::kCongestion:
        return wishes.congestion;
    default:
        return true;
    }
}

/// The data of `message` in Winsock's form.
void convert(cmsghdr& message, const ReceivedRow& row, uint8_t* data)
{
    if (row.what == ReceivedRow::kPacketInfo) {
        in_pktinfo info;
        memcpy(&info, CMSG_DATA(&message), sizeof(info));
        const PacketInfo told { info.ipi_addr, static_cast<uint32_t>(info.ipi_ifindex) };
        memcpy(data, &told, sizeof(told));
        return;
    }
    // Linux' type of service is one byte; the others have one form in both.
    const size_t length = message.cmsg_len - CMSG_LEN(0);
    memcpy(data, CMSG_DATA(&message), length < row.length ? length : row.length);
    if (row.what == ReceivedRow::kCongestion)
        data[0] &= kEcnBits;
}

/// Calls `visit` with each of Linux' messages until it says false, and returns what it said last.
template <typename Visit> bool for_each(const HostSocket::Control& control, Visit visit)
{
    msghdr message {};
    message.msg_control = const_cast<uint8_t*>(control.bytes);
    message.msg_controllen = control.length;
    for (cmsghdr* entry = CMSG_FIRSTHDR(&message); entry; entry = CMSG_NXTHDR(&message, entry)) {
        if (!visit(*entry))
            return false;
    }
    return true;
}

// --- Sending

struct SentRow {
    int32_t level;
    int32_t type;
    uint32_t length; // bytes of the data in Winsock's form
    uint32_t least; // of numbers
    uint32_t most;
    int linux_level;
    int linux_type;
    enum What : uint8_t { kNumber, kPacketInfo, kPacketInfo6, kByte, kEcn, kSegment } what;
};

constexpr SentRow kSent[] = {
    { kLevelIp, kPacketInfo, sizeof(PacketInfo), 0, 0, IPPROTO_IP, IP_PKTINFO,
        SentRow::kPacketInfo },
    { kLevelIp, kIpTtl, 4, 1, 255, IPPROTO_IP, IP_TTL, SentRow::kNumber },
    { kLevelIp, kIpTos, 4, 0, 255, IPPROTO_IP, IP_TOS, SentRow::kByte },
    { kLevelIp, kEcn, 4, 0, kEcnBits, IPPROTO_IP, IP_TOS, SentRow::kEcn },
    { kLevelIpv6, kPacketInfo, sizeof(in6_pktinfo), 0, 0, IPPROTO_IPV6, IPV6_PKTINFO,
        SentRow::kPacketInfo6 },
    { kLevelIpv6, kIpv6HopLimit, 4, 0, 255, IPPROTO_IPV6, IPV6_HOPLIMIT, SentRow::kNumber },
    { kLevelIpv6, kIpv6TrafficClass, 4, 0, 255, IPPROTO_IPV6, IPV6_TCLASS, SentRow::kByte },
    { kLevelIpv6, kEcn, 4, 0, kEcnBits, IPPROTO_IPV6, IPV6_TCLASS, SentRow::kEcn },
    { kLevelUdp, kUdpSendSize, 4, 0, UINT16_MAX, IPPROTO_UDP, UDP_SEGMENT, SentRow::kSegment },
};

/// Builds Linux' control data. The byte that two of Winsock's kinds are in comes last.
class Builder {
public:
    Builder(const ControlTarget& target, HostSocket::Control& control)
        : m_target(target)
        , m_control(control)
    {
        control.length = 0;
    }

    NTSTATUS add(const ControlType& type, const uint8_t* data, size_t length)
    {
        const SentRow* row = find(type);
        if (!row || length != row->length || !fits_destination(*row))
            return STATUS_INVALID_PARAMETER;
        uint32_t number = 0;
        memcpy(&number, data, sizeof(number));
        const bool is_number
            = row->what != SentRow::kPacketInfo && row->what != SentRow::kPacketInfo6;
        if (is_number && (number < row->least || number > row->most))
            return STATUS_INVALID_PARAMETER;
        return add(*row, number, data) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }

    /// What was not asked of the byte is as the socket has it.
    NTSTATUS finish()
    {
        if (!m_byte_row)
            return STATUS_SUCCESS;
        uint32_t length = sizeof(int);
        int value = 0;
        if (!m_has_class || !m_has_ecn)
            m_target.socket.get_option(
                m_byte_row->linux_level, m_byte_row->linux_type, &value, &length);
        if (m_has_class)
            value = m_has_ecn ? m_class & ~kEcnBits : m_class;
        if (m_has_ecn)
            value = (value & ~kEcnBits) | m_ecn;
        return append(*m_byte_row, &value, sizeof(value)) ? STATUS_SUCCESS
                                                          : STATUS_INVALID_PARAMETER;
    }

private:
    static const SentRow* find(const ControlType& type)
    {
        for (const SentRow& row : kSent) {
            if (row.level == type.level && row.type == type.type)
                return &row;
        }
        return nullptr;
    }

    /// Linux passes over what is of the other family than the destination.
    bool fits_destination(const SentRow& row) const
    {
        const bool is_inet6 = m_target.is_inet6 && !m_target.is_mapped;
        return row.level == kLevelUdp || (row.level == kLevelIpv6) == is_inet6;
    }

    bool add(const SentRow& row, uint32_t number, const uint8_t* data)
    {
        switch (row.what) {
        case SentRow::kPacketInfo: {
            PacketInfo given;
            memcpy(&given, data, sizeof(given));
            in_pktinfo info {};
            info.ipi_ifindex = static_cast<int>(given.interface);
            info.ipi_spec_dst = given.address;
            return append(row, &info, sizeof(info));
        }
        case SentRow::kPacketInfo6:
            return append(row, data, row.length);
        case SentRow::kByte:
            m_byte_row = &row;
            m_has_class = true;
            m_class = static_cast<int>(number);
            return true;
        case SentRow::kEcn:
            m_byte_row = &row;
            m_has_ecn = true;
            m_ecn = static_cast<int>(number);
            return true;
        case SentRow::kSegment: {
            const auto size = static_cast<uint16_t>(number);
            return append(row, &size, sizeof(size));
        }
        case SentRow::kNumber:
            break;
        }
        return append(row, &number, sizeof(number));
    }

    bool append(const SentRow& row, const void* data, size_t length)
    {
        if (sizeof(m_control.bytes) - m_control.length < CMSG_SPACE(length))
            return false;
        auto* message = reinterpret_cast<cmsghdr*>(m_control.bytes + m_control.length);
        memset(message, 0, CMSG_SPACE(length));
        message->cmsg_len = CMSG_LEN(length);
        message->cmsg_level = row.linux_level;
        message->cmsg_type = row.linux_type;
        memcpy(CMSG_DATA(message), data, length);
        m_control.length += CMSG_SPACE(length);
        return true;
    }

    const ControlTarget& m_target;
    HostSocket::Control& m_control;
    const SentRow* m_byte_row = nullptr;
    bool m_has_class = false;
    bool m_has_ecn = false;
    int m_class = 0;
    int m_ecn = 0;
};

} // namespace

bool write_control(const HostSocket::Control& control, const TrafficByteWishes& wishes, size_t room,
    ToldControl& told)
{
    room = std::min(room, sizeof(told.bytes));
    told.length = 0;
    const auto write = [&](cmsghdr& entry, const ReceivedRow& row) {
        const size_t length = header_size() + row.length;
        uint8_t* const output = told.bytes + told.length;
        if (room - told.length < aligned(length))
            return false;
        memset(output, 0, aligned(length));
        write_header(output, length, { row.level, row.type });
        convert(entry, row, output + header_size());
        told.length += aligned(length);
        return true;
    };
    const bool has_fit = for_each(control, [&](cmsghdr& entry) {
        for (const ReceivedRow& row : kReceived) {
            if (row.linux_level == entry.cmsg_level && row.linux_type == entry.cmsg_type
                && is_wanted(row, wishes) && !write(entry, row))
                return false;
        }
        return true;
    });
    if (!has_fit)
        told.length = 0;
    return has_fit;
}

Address destination_from(const HostSocket::Control& control)
{
    Address address;
    for_each(control, [&](cmsghdr& entry) {
        const bool is_it
            = (entry.cmsg_level == IPPROTO_IP && entry.cmsg_type == HostSocket::kDestination)
            || (entry.cmsg_level == IPPROTO_IPV6 && entry.cmsg_type == HostSocket::kDestination6);
        if (is_it) {
            address.length = static_cast<uint32_t>(entry.cmsg_len - CMSG_LEN(0));
            memcpy(address.bytes, CMSG_DATA(&entry), address.length);
        }
        return !is_it;
    });
    return address;
}

NTSTATUS read_control(
    const uint8_t* given, size_t length, const ControlTarget& target, HostSocket::Control& control)
{
    Builder builder(target, control);
    for (size_t at = 0; at < length;) {
        const size_t left = length - at;
        if (left < header_size())
            return STATUS_INVALID_PARAMETER;
        ControlType type;
        const size_t used = read_header(given + at, type);
        if (used < header_size() || used > left)
            return STATUS_INVALID_PARAMETER;
        const NTSTATUS status = builder.add(type, given + at + header_size(), used - header_size());
        if (!NT_SUCCESS(status))
            return status;
        at += aligned(used);
    }
    return builder.finish();
}

} // namespace afd
