// What the host tells of the object behind a handle: who else may know it.
#pragma once

#include "unix/host_services.h"

namespace unix_side {

inline constexpr ULONG kObjectBasicInformation = 0;
struct ObjectBasicInformation {
    ULONG attributes;
    ACCESS_MASK granted;
    ULONG handles;
    ULONG references;
    ULONG reserved[10];
};
static_assert(sizeof(ObjectBasicInformation) == 56);
inline constexpr ULONG kObjectNameInformation = 1;

/// Has the object a name, by which others open it? Also if the host does not say.
inline bool may_have_name(HANDLE handle)
{
    struct {
        UNICODE_STRING name;
        WCHAR room[1];
    } name {};
    ULONG length = 0;
    return !NT_SUCCESS(
               host::query_object(handle, kObjectNameInformation, &name, sizeof(name), &length))
        || name.name.Length;
}

/// May others have the object by a handle of theirs, or get one?
inline bool may_be_others(HANDLE handle, const ObjectBasicInformation& object)
{
    return object.handles != 1 || (object.attributes & OBJ_INHERIT) || may_have_name(handle);
}

} // namespace unix_side
