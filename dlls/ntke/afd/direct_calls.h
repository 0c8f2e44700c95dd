// Calls of Linux that the C library makes cancellation points.
//
// On i386 it makes such calls by an interrupt where there are several threads (glibc from 2.41 on),
// which costs several times what the call itself does. Nobody is cancelled here, so they go the
// short way, which syscall() knows.
#pragma once

#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace afd::direct {

#ifdef __i386__

/// `number` may be newer than the kernel: sockets had one call for all before Linux 4.3.
template <typename Function, typename... Arguments>
auto call(long number, Function of_library, Arguments... arguments)
{
    const long result = syscall(number, arguments...);
    return result < 0 && errno == ENOSYS ? of_library(arguments...)
                                         : static_cast<decltype(of_library(arguments...))>(result);
}

inline ssize_t recvmsg(int fd, msghdr* message, int flags)
{
    return call(SYS_recvmsg, ::recvmsg, fd, message, flags);
}

inline ssize_t sendmsg(int fd, const msghdr* message, int flags)
{
    return call(SYS_sendmsg, ::sendmsg, fd, message, flags);
}

inline int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags)
{
    return call(SYS_sendmmsg, ::sendmmsg, fd, messages, count, flags);
}

inline int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags)
{
    static_assert(sizeof(time_t) == 4, "SYS_recvmmsg takes a time in 32 bits, if any");
    return static_cast<int>(syscall(SYS_recvmmsg, fd, messages, count, flags, nullptr));
}

inline int accept4(int fd, sockaddr* name, socklen_t* length, int flags)
{
    return call(SYS_accept4, ::accept4, fd, name, length, flags);
}

inline int poll(pollfd* fds, nfds_t count, int milliseconds)
{
    return static_cast<int>(syscall(SYS_poll, fds, count, milliseconds));
}

/// What there is by now.
inline int epoll_wait(int fd, epoll_event* events, int count)
{
    return static_cast<int>(syscall(SYS_epoll_wait, fd, events, count, 0));
}

inline ssize_t write(int fd, const void* bytes, size_t length)
{
    return syscall(SYS_write, fd, bytes, length);
}

#else

using ::accept4;
using ::poll;
using ::recvmsg;
using ::sendmmsg;
using ::sendmsg;
using ::write;

inline int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags)
{
    return ::recvmmsg(fd, messages, count, flags, nullptr);
}

inline int epoll_wait(int fd, epoll_event* events, int count)
{
    return ::epoll_wait(fd, events, count, 0);
}

#endif

/// Without a signal mask. Linux reads the time where it is, unlike the library, which makes a copy,
/// and writes there what was left of it.
inline int ppoll(pollfd* fds, nfds_t count, timespec* time)
{
    static_assert(sizeof(timespec) == 2 * sizeof(long), "as SYS_ppoll takes it");
    return static_cast<int>(syscall(SYS_ppoll, fds, count, time, nullptr, 0));
}

} // namespace afd::direct
