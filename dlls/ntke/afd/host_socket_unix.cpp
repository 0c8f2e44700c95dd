// Names of AF_UNIX sockets are files.
#include "afd/host_socket.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace afd {

namespace {

static_assert(sizeof(sockaddr_un) == kUnixNameSize);

using SocketCall = int (*)(int socket, const sockaddr* name, socklen_t length);

int call_with(SocketCall call, int socket, const sockaddr_un& name)
{
    return call(socket, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
}

/// Does the path fit an address? Then it is in `name`.
bool has_room(sockaddr_un& name, const char* path)
{
    name = {};
    name.sun_family = AF_UNIX;
    const size_t length = strlen(path);
    if (length >= sizeof(name.sun_path))
        return false;
    memcpy(name.sun_path, path, length);
    return true;
}

/// A descriptor that is closed when it goes, and leaves the error as it is.
class PathDescriptor {
public:
    PathDescriptor(const char* path, int flags)
        : m_fd(::open(path, O_PATH | O_CLOEXEC | flags))
    {
    }
    ~PathDescriptor()
    {
        const int error = errno;
        if (m_fd >= 0)
            ::close(m_fd);
        errno = error;
    }
    PathDescriptor(const PathDescriptor&) = delete;

    bool is_open() const { return m_fd >= 0; }
    int get() const { return m_fd; }

private:
    int m_fd;
};

/// Binds a socket to a file of the folder, by the short name that leads there.
int bind_in_folder(int socket, int folder, const char* file)
{
    sockaddr_un name {};
    name.sun_family = AF_UNIX;
    const auto name_it = [&](const char* it) {
        return static_cast<size_t>(snprintf(
                   name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/%s", folder, it))
            < sizeof(name.sun_path);
    };
    if (name_it(file))
        return call_with(::bind, socket, name);
    // The name alone is too long: the file gets it when it is there.
    struct stat info;
    if (fstatat(folder, file, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EADDRINUSE;
        return -1;
    }
    char passing[32];
    snprintf(passing, sizeof(passing), ".%d-%d", getpid(), socket);
    unlinkat(folder, passing, 0); // of a process that was killed, if it is there
    if (!name_it(passing) || call_with(::bind, socket, name) < 0)
        return -1;
    const int result = linkat(folder, passing, folder, file, 0);
    const int error = errno;
    unlinkat(folder, passing, 0);
    errno = error == EEXIST ? EADDRINUSE : error;
    return result;
}

/// A path that is too long for an address is bound through its folder.
int bind_path(int socket, const char* path)
{
    sockaddr_un name;
    if (has_room(name, path))
        return call_with(::bind, socket, name);
    const char* const file = strrchr(path, '/');
    char folder[PATH_MAX];
    if (!file || static_cast<size_t>(file - path) >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, static_cast<size_t>(file - path));
    folder[file - path] = 0;
    const PathDescriptor opened(folder, O_DIRECTORY);
    return opened.is_open() ? bind_in_folder(socket, opened.get(), file + 1) : -1;
}

/// And reached through a descriptor of the file.
int connect_path(int socket, const char* path)
{
    sockaddr_un name;
    if (has_room(name, path))
        return call_with(::connect, socket, name);
    const PathDescriptor opened(path, 0);
    if (!opened.is_open())
        return -1;
    snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d", opened.get());
    return call_with(::connect, socket, name);
}

bool is_about_path(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP;
}

} // namespace

NTSTATUS HostSocket::bind_to_file(const char* path)
{
    if (bind_path(m_fd, path) == 0)
        return STATUS_SUCCESS;
    // Windows calls the network down. [af_unix/6]
    return is_about_path(errno) ? status_from_errno(ENETDOWN) : status_from_errno(errno);
}

NTSTATUS HostSocket::connect_to_file(const char* path)
{
    int result;
    do {
        result = connect_path(m_fd, path);
    } while (result < 0 && errno == EINTR);
    if (result == 0)
        return STATUS_SUCCESS;
    const bool is_nobody_there = is_about_path(errno) || errno == EAGAIN || errno == EPROTOTYPE;
    return is_nobody_there ? STATUS_CONNECTION_REFUSED : status_from_errno(errno); // [af_unix/8]
}

} // namespace afd
