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

bool find_socket(const OBJECT_ATTRIBUTES* attributes, char (&path)[PATH_MAX], struct stat& info)
{
    return find_file(attributes, path) && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode);
}

LARGE_INTEGER time_from_linux(const timespec& time)
{
    constexpr int64_t kSecondsBefore1970 = 11'644'473'600;
    constexpr int64_t kUnitsPerSecond = 10'000'000;
    LARGE_INTEGER result;
    result.QuadPart = (time.tv_sec + kSecondsBefore1970) * kUnitsPerSecond + time.tv_nsec / 100;
    return result;
}

} // namespace

bool find_socket_file(const OBJECT_ATTRIBUTES* attributes, FileBasicInformation& info)
{
    // On Windows also a reparse point: programs that learn that open it to see of which kind.
    constexpr ULONG kArchive = 0x20; // FILE_ATTRIBUTE_ARCHIVE
    char path[PATH_MAX];
    struct stat found;
    if (!find_socket(attributes, path, found))
        return false;
    info = {};
    info.times.creation = time_from_linux(found.st_mtim);
    info.times.last_access = time_from_linux(found.st_atim);
    info.times.last_write = info.times.creation;
    info.times.change = time_from_linux(found.st_ctim);
    info.attributes = kArchive;
    return true;
}

bool replace_socket_file(const OBJECT_ATTRIBUTES* attributes)
{
    char path[PATH_MAX];
    struct stat info;
    if (!find_socket(attributes, path, info) || unlink(path) != 0)
        return false;
    const int file = ::open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0)
        ::close(file);
    return file >= 0;
}

} // namespace unix_side
