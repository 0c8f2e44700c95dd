// Many datagrams in one call of Linux.
#include <cerrno>
#include <sys/socket.h>

#include "afd/host_socket.h"

namespace afd {

uint32_t HostSocket::send_many(const Datagram* datagrams, uint32_t count)
{
    mmsghdr messages[kMostDatagrams] = {};
    iovec parts[kMostDatagrams];
    Address names[kMostDatagrams];
    for (uint32_t i = 0; i < count; ++i) {
        const Datagram& datagram = datagrams[i];
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
        sent = ::sendmmsg(m_fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? 0 : static_cast<uint32_t>(sent);
}

} // namespace afd
