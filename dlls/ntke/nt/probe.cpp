#include "nt/probe.h"

#include "ob/handle_table.h"

namespace nt {

NTSTATUS capture_attributes(const OBJECT_ATTRIBUTES* attributes, uint32_t* flags)
{
    *flags = 0;
    if (!attributes)
        return STATUS_SUCCESS;
    if (const NTSTATUS status = probe_value(attributes); !NT_SUCCESS(status))
        return status;
    if (attributes->Length != sizeof(OBJECT_ATTRIBUTES))
        return STATUS_INVALID_PARAMETER;
    if (const UNICODE_STRING* name = attributes->ObjectName) {
        if (const NTSTATUS status = probe_value(name); !NT_SUCCESS(status))
            return status;
        if (name->Length != 0)
            return STATUS_NOT_SUPPORTED; // named objects live in the host kernel
    }
    if (attributes->Attributes & OBJ_INHERIT)
        *flags |= ob::kHandleInherit;
    return STATUS_SUCCESS;
}

} // namespace nt
