// The last step of every service that creates something.
#pragma once

#include <utility>

#include "nt/types.h"
#include "ob/handle_table.h"

namespace nt {

/// Gives a new object its handle. On failure the object goes away with the reference.
template <typename T>
NTSTATUS publish(ob::Ref<T> object, ACCESS_MASK desired, uint32_t flags, HANDLE* handle)
{
    HANDLE value = nullptr;
    const NTSTATUS status = ob::HandleTable::current().insert(
        *object, T::object_type().map_access(desired), flags, &value);
    if (NT_SUCCESS(status))
        *handle = value;
    return status;
}

/// The pseudo handles of the calling process and thread.
inline HANDLE current_process()
{
    return reinterpret_cast<HANDLE>(static_cast<intptr_t>(-1));
}
inline HANDLE current_thread()
{
    return reinterpret_cast<HANDLE>(static_cast<intptr_t>(-2));
}

} // namespace nt
