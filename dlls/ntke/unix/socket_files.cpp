#include "unix/socket_files.h"

#include <climits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unix/host_services.h"

namespace unix_side {

namespace {

/// The file of Linux that a name of NT means. False: there is none.
bool find_file(const OBJECT_ATTRIBUTES* attributes, char (&path)[PATH_MAX])
{
    constexpr ULONG kOpen = 1; // FILE_OPEN
    static const char kName[] = "wine_nt_to_unix_file_name";
    void* const function = host::find_function(kName);
    if (!function)
        return false;
    const host::Service<NTSTATUS(const OBJECT_ATTRIBUTES*, char*, ULONG*, ULONG)> translate {
        { kName, function }
    };
    ULONG size = sizeof(path);
    return translate(attributes, path, &size, kOpen) == STATUS_SUCCESS;
}

} // namespace

bool replace_socket_file(const OBJECT_ATTRIBUTES* attributes)
{
    char path[PATH_MAX];
    struct stat info;
    if (!find_file(attributes, path) || lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)
        || unlink(path) != 0)
        return false;
    const int file = ::open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0)
        ::close(file);
    return file >= 0;
}

} // namespace unix_side
