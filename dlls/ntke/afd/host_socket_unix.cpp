// Names of AF_UNIX sockets are files.
#include "afd/host_socket.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace afd {

namespace {

// Linux takes priorities from 0, which is what a new socket has, to 6.
constexpr int kMarkOfOurs = 4;
constexpr int kMarkOfNonblocking = 1;

static_assert(sizeof(sockaddr_un) == kUnixNameSize);

using SocketCall = int (*)(int socket, const sockaddr* name, socklen_t length);

int call_with(SocketCall call, int socket, const sockaddr_un& name)
{
    return call(socket, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
}

/// A path that is too long for an address is reached through its folder.
int call_through_folder(SocketCall call, int socket, const char* path, sockaddr_un& name)
{
    const char* const file = strrchr(path, '/');
    char folder[PATH_MAX];
    if (!file || static_cast<size_t>(file - path) >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, static_cast<size_t>(file - path));
    folder[file - path] = 0;
    const int fd = ::open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const int length
        = snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d%s", fd, file);
    int result = -1;
    errno = ENAMETOOLONG;
    if (static_cast<size_t>(length) < sizeof(name.sun_path))
        result = call_with(call, socket, name);
    const int error = errno;
    ::close(fd);
    errno = error;
    return result;
}

int call_with_path(SocketCall call, int socket, const char* path)
{
    sockaddr_un name {};
    name.sun_family = AF_UNIX;
    const size_t length = strlen(path);
    if (length >= sizeof(name.sun_path))
        return call_through_folder(call, socket, path, name);
    memcpy(name.sun_path, path, length);
    return call_with(call, socket, name);
}

bool is_about_path(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP;
}

} // namespace

NTSTATUS HostSocket::bind_to_file(const char* path)
{
    if (call_with_path(::bind, m_fd, path) == 0)
        return STATUS_SUCCESS;
    // Windows calls the network down. [af_unix/6]
    return is_about_path(errno) ? status_from_errno(ENETDOWN) : status_from_errno(errno);
}

NTSTATUS HostSocket::connect_to_file(const char* path)
{
    int result;
    do {
        result = call_with_path(::connect, m_fd, path);
    } while (result < 0 && errno == EINTR);
    if (result == 0)
        return STATUS_SUCCESS;
    const bool is_nobody_there = is_about_path(errno) || errno == EAGAIN || errno == EPROTOTYPE;
    return is_nobody_there ? STATUS_CONNECTION_REFUSED : status_from_errno(errno); // [af_unix/8]
}

// The priority means nothing to these sockets: it carries a mark, that ntke of some process has
// made the socket, and the mode. To Linux they are all non-blocking ones; others are not ours to
// change, for a process that knows nothing of ntke may use them, too.

void HostSocket::tell_mode(bool is_nonblocking)
{
    const int priority = kMarkOfOurs | (is_nonblocking ? kMarkOfNonblocking : 0);
    setsockopt(m_fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
}

bool HostSocket::find_mode(bool& is_nonblocking) const
{
    int priority = 0;
    socklen_t length = sizeof(priority);
    getsockopt(m_fd, SOL_SOCKET, SO_PRIORITY, &priority, &length);
    is_nonblocking = priority & kMarkOfNonblocking;
    return (priority & ~kMarkOfNonblocking) == kMarkOfOurs && (fcntl(m_fd, F_GETFL) & O_NONBLOCK);
}

} // namespace afd
