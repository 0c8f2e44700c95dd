// Many datagrams in one call of Linux.
#include <cerrno>
#include <cstring>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "afd/direct_calls.h"
#include "afd/host_socket.h"

namespace afd {

namespace {

bool have_one_receiver(const HostSocket::Datagram& first, const HostSocket::Datagram& second)
{
    if (!first.to || !second.to)
        return first.to == second.to;
    return first.to->length == second.to->length
        && !std::memcmp(first.to->bytes, second.to->bytes, first.to->length);
}

/// How many datagrams from the first on Linux can cut out of one large one: they go to one
/// receiver, and all but the last have one length.
uint32_t count_alike(const HostSocket::Datagram* datagrams, uint32_t count)
{
    constexpr size_t kMostBytes = 65'000; // of them all, with the headers below 65,536
    constexpr size_t kMostEach = 1'400; // more may be more than the way there takes in one piece
    const size_t length = datagrams[0].buffer.length;
    if (!length || length > kMostEach)
        return 1;
    size_t total = length;
    uint32_t alike = 1;
    while (alike < count) {
        const HostSocket::Datagram& next = datagrams[alike];
        total += next.buffer.length;
        if (!next.buffer.length || next.buffer.length > length || total > kMostBytes
            || !have_one_receiver(datagrams[0], next))
            break;
        ++alike;
        if (next.buffer.length < length)
            break;
    }
    return alike;
}

ssize_t send_message(int fd, const msghdr& message)
{
    ssize_t sent;
    do {
        sent = direct::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

/// Sends datagrams that are alike as one that Linux cuts. False: it does not, here.
bool send_in_one(int fd, const HostSocket::Datagram* datagrams, uint32_t count)
{
    // Where the program has each of its own datagrams cut, that stays so.
    int own_size = 0;
    socklen_t own_length = sizeof(own_size);
    if (::getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &own_size, &own_length) || own_size)
        return false;
    iovec parts[HostSocket::kMostDatagrams];
    for (uint32_t i = 0; i < count; ++i)
        parts[i]
            = { reinterpret_cast<void*>(datagrams[i].buffer.data), datagrams[i].buffer.length };
    union {
        cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control {};
    control.header.cmsg_level = IPPROTO_UDP;
    control.header.cmsg_type = UDP_SEGMENT;
    control.header.cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const auto size = static_cast<uint16_t>(datagrams[0].buffer.length);
    std::memcpy(CMSG_DATA(&control.header), &size, sizeof(size));
    msghdr message {};
    Address name;
    if (datagrams[0].to) {
        name = to_linux(*datagrams[0].to);
        message.msg_name = name.bytes;
        message.msg_namelen = name.length;
    }
    message.msg_iov = parts;
    message.msg_iovlen = count;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    return send_message(fd, message) >= 0;
}

uint32_t send_each(int fd, const HostSocket::Datagram* datagrams, uint32_t count)
{
    mmsghdr messages[HostSocket::kMostDatagrams] = {};
    iovec parts[HostSocket::kMostDatagrams];
    Address names[HostSocket::kMostDatagrams];
    for (uint32_t i = 0; i < count; ++i) {
        const HostSocket::Datagram& datagram = datagrams[i];
        msghdr& message = messages[i].msg_hdr;
        parts[i] = { reinterpret_cast<void*>(datagram.buffer.data), datagram.buffer.length };
        message.msg_iov = &parts[i];
        message.msg_iovlen = 1;
        if (!datagram.to)
            continue;
        names[i] = to_linux(*datagram.to);
        message.msg_name = names[i].bytes;
        message.msg_namelen = names[i].length;
    }
    int sent;
    do {
        sent = direct::sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? 0 : static_cast<uint32_t>(sent);
}

} // namespace

uint32_t HostSocket::send_many(const Datagram* datagrams, uint32_t count)
{
    // Fewer are not worth the cutting.
    constexpr uint32_t kWorthIt = 4;
    const uint32_t alike = count_alike(datagrams, count);
    if (alike >= kWorthIt && send_in_one(m_fd, datagrams, alike))
        return alike;
    return send_each(m_fd, datagrams, count);
}

uint32_t HostSocket::receive_many(Arrival* arrivals, uint32_t count) const
{
    mmsghdr messages[kMostArrivals];
    iovec parts[kMostArrivals];
    for (uint32_t i = 0; i < count; ++i) {
        Arrival& arrival = arrivals[i];
        msghdr& message = messages[i].msg_hdr;
        message = {};
        parts[i] = { reinterpret_cast<void*>(arrival.buffer.data), arrival.buffer.length };
        message.msg_iov = &parts[i];
        message.msg_iovlen = 1;
        if (arrival.wants_from) {
            message.msg_name = arrival.from.bytes;
            message.msg_namelen = sizeof(arrival.from.bytes);
        }
    }
    const int received = direct::recvmmsg(m_fd, messages, count, MSG_DONTWAIT);
    for (int i = 0; i < received; ++i) {
        Arrival& arrival = arrivals[i];
        arrival.length = messages[i].msg_len;
        arrival.is_truncated = messages[i].msg_hdr.msg_flags & MSG_TRUNC;
        if (arrival.wants_from)
            from_linux(arrival.from, messages[i].msg_hdr.msg_namelen);
    }
    return received < 0 ? 0 : static_cast<uint32_t>(received);
}

} // namespace afd
