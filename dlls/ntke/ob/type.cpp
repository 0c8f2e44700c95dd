#include "ob/type.h"

namespace ob {

namespace {

constexpr ACCESS_MASK kGenericBits
    = GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL | MAXIMUM_ALLOWED;

} // namespace

// The generic mappings are the documented ones of the types: "Synchronization Object Security and
// Access Rights", "File Access Rights Constants", "Thread Security and Access Rights".

constinit Type g_event_type {
    .name = "Event",
    .valid_access = EVENT_ALL_ACCESS,
    .generic_read = READ_CONTROL | EVENT_QUERY_STATE,
    .generic_write = READ_CONTROL | EVENT_MODIFY_STATE,
    .generic_execute = READ_CONTROL | SYNCHRONIZE,
};

constinit Type g_thread_type {
    .name = "Thread",
    .valid_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFF,
    .generic_read = READ_CONTROL | 0x0048, // query information, get context
    .generic_write
    = READ_CONTROL | 0x0437, // terminate, suspend, alert, set information, set context
    .generic_execute = READ_CONTROL | SYNCHRONIZE | 0x0840,
};

constinit Type g_file_type {
    .name = "File",
    .valid_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x01FF,
    .generic_read = READ_CONTROL | SYNCHRONIZE | 0x0089, // read data, attributes, extended ones
    .generic_write = READ_CONTROL | SYNCHRONIZE | 0x0116, // write and append data, attributes
    .generic_execute = READ_CONTROL | SYNCHRONIZE | 0x00A0,
};

constinit Type g_completion_type {
    .name = "IoCompletion",
    .valid_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x0003,
    .generic_read = READ_CONTROL | 0x0001, // query state
    .generic_write = READ_CONTROL | 0x0002, // modify state
    .generic_execute = READ_CONTROL | SYNCHRONIZE,
};

ACCESS_MASK Type::map_access(ACCESS_MASK desired) const
{
    ACCESS_MASK access = desired & ~kGenericBits;
    if (desired & GENERIC_READ)
        access |= generic_read;
    if (desired & GENERIC_WRITE)
        access |= generic_write;
    if (desired & GENERIC_EXECUTE)
        access |= generic_execute;
    if (desired & (GENERIC_ALL | MAXIMUM_ALLOWED))
        access |= valid_access;
    return access & valid_access;
}

} // namespace ob
