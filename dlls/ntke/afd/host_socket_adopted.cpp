// What every process finds at an AF_UNIX socket that it has got: whose it is, its mode, and the
// connection that it leads to.
#include "afd/host_socket.h"

#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace afd {

namespace {

// Linux takes priorities from 0, which is what a new socket has, to 6.
constexpr int kMarkOfOurs = 4;
constexpr int kMarkOfLeading = 2;
constexpr int kMarkOfNonblocking = 1;

/// Connects the socket to a new one, the other end. -1: it could not be.
int connect_to_new(int socket)
{
    sockaddr_un name {};
    socklen_t length = sizeof(name);
    name.sun_family = AF_UNIX; // and no more: Linux gives a name that is no file
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int end = -1;
    if (listener >= 0
        && ::bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)) == 0
        && ::listen(listener, 1) == 0
        && ::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &length) == 0
        && ::connect(socket, reinterpret_cast<sockaddr*>(&name), length) == 0)
        end = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (listener >= 0)
        ::close(listener);
    return end;
}

/// A message with a descriptor.
struct DescriptorMessage {
    char byte = 0;
    iovec data { &byte, 1 };
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] {};
    msghdr message {};

    DescriptorMessage()
    {
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
    }
    explicit DescriptorMessage(int fd)
        : DescriptorMessage()
    {
        cmsghdr& header = *CMSG_FIRSTHDR(&message);
        header.cmsg_level = SOL_SOCKET;
        header.cmsg_type = SCM_RIGHTS;
        header.cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(&header), &fd, sizeof(fd));
    }
    /// Of one that was received; -1: it has none.
    int descriptor()
    {
        int fd = -1;
        const cmsghdr* const header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        return fd;
    }
};

int mark_of(int socket)
{
    int mark = 0;
    socklen_t length = sizeof(mark);
    getsockopt(socket, SOL_SOCKET, SO_PRIORITY, &mark, &length);
    return mark;
}

void set_mark(int socket, int mark)
{
    setsockopt(socket, SOL_SOCKET, SO_PRIORITY, &mark, sizeof(mark));
}

} // namespace

// The priority means nothing to these sockets: it carries a mark, that ntke of some process has
// made the socket, and the mode. To Linux they are all non-blocking ones; others are not ours to
// change, for a process that knows nothing of ntke may use them, too.

void HostSocket::tell_mode(bool is_nonblocking)
{
    set_mark(m_fd, kMarkOfOurs | (is_nonblocking ? kMarkOfNonblocking : 0));
}

bool HostSocket::find_mode(bool& is_nonblocking) const
{
    const int mark = mark_of(m_fd);
    is_nonblocking = mark & kMarkOfNonblocking;
    return (mark & ~kMarkOfNonblocking) == kMarkOfOurs && (fcntl(m_fd, F_GETFL) & O_NONBLOCK);
}

// A connection is another descriptor than the socket that it was accepted into, which is what the
// host keeps, and gives to others. So that one gets the connection as a message, which stays there
// for whoever looks.

void HostSocket::lead_to(const HostSocket& connection)
{
    const int end = connect_to_new(m_fd);
    if (end < 0)
        return;
    const DescriptorMessage sent(connection.m_fd);
    if (::sendmsg(end, &sent.message, MSG_NOSIGNAL) == 1)
        set_mark(m_fd, kMarkOfOurs | kMarkOfLeading);
    ::close(end);
}

void HostSocket::follow()
{
    if (mark_of(m_fd) != (kMarkOfOurs | kMarkOfLeading))
        return;
    DescriptorMessage received;
    if (::recvmsg(m_fd, &received.message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
        return;
    if (const int fd = received.descriptor(); fd >= 0)
        adopt(fd);
}

} // namespace afd
