// Object types: what a handle to an object may grant.
#pragma once

#include <atomic>
#include <cstdint>

#include "nt/types.h"

namespace ob {

/// A kind of object. Counterpart: OBJECT_TYPE. One static instance per kind, identity = address.
struct Type {
    const char* name;
    ACCESS_MASK valid_access;
    // Counterpart: GENERIC_MAPPING.
    ACCESS_MASK generic_read;
    ACCESS_MASK generic_write;
    ACCESS_MASK generic_execute;
    /// Objects of the type that exist. Counterpart: TotalNumberOfObjects.
    std::atomic<int32_t> objects { 0 };

    /// Turns the access a caller asks for into the specific rights the handle will carry.
    /// Counterpart: RtlMapGenericMask, with MAXIMUM_ALLOWED granting everything.
    ACCESS_MASK map_access(ACCESS_MASK desired) const;
};

extern Type g_event_type;
extern Type g_thread_type;
extern Type g_file_type;
extern Type g_completion_type;

} // namespace ob
