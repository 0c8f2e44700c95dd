// The services that tell of a file by its name. The host does not, of a socket's. [af_unix/17]
#include <iterator>

#include "ke/user_memory.h"
#include "unix/host_services.h"
#include "unix/services.h"
#include "unix/socket_files.h"

namespace services {

namespace {

/// Is the file there, though the host has failed? Most that are asked for are not.
bool is_socket_file(
    NTSTATUS status, const OBJECT_ATTRIBUTES* attributes, FileBasicInformation& info)
{
    return !NT_SUCCESS(status) && status != STATUS_OBJECT_NAME_NOT_FOUND
        && status != STATUS_OBJECT_PATH_NOT_FOUND && unix_side::find_socket_file(attributes, info);
}

NTSTATUS give(void* target, const void* info, size_t size)
{
    return ke::write_user(target, info, size) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

NTSTATUS query_attributes_file(const OBJECT_ATTRIBUTES* attributes, FileBasicInformation* info)
{
    const NTSTATUS status = host::query_attributes_file(attributes, info);
    FileBasicInformation found;
    if (!is_socket_file(status, attributes, found))
        return status;
    return give(info, &found, sizeof(found));
}

NTSTATUS query_full_attributes_file(
    const OBJECT_ATTRIBUTES* attributes, FileNetworkOpenInformation* info)
{
    const NTSTATUS status = host::query_full_attributes_file(attributes, info);
    FileBasicInformation found;
    if (!is_socket_file(status, attributes, found))
        return status;
    FileNetworkOpenInformation full {};
    full.times = found.times;
    full.attributes = found.attributes;
    return give(info, &full, sizeof(full));
}

const service_table::Row kRows[] = {
    service_table::row<query_attributes_file>("NtQueryAttributesFile"),
    service_table::row<query_full_attributes_file>("NtQueryFullAttributesFile"),
};

} // namespace

Rows file_name_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
