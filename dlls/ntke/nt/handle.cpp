// The handle services. Rules and their sources: spec/NtHandle.md.
#include "ke/thread.h"
#include "nt/api.h"
#include "nt/probe.h"
#include "nt/publish.h"

namespace {

// ObjectHandleFlagInformation
constexpr ULONG kHandleFlagInformation = 4;

/// The source of a duplication: object, rights and flags. The pseudo handle of the calling thread
/// is what a program turns into a real one this way.
NTSTATUS reference_source(
    HANDLE source, ob::Ref<ob::Object>& object, ACCESS_MASK* granted, uint32_t* flags)
{
    *flags = 0;
    if (source == nt::current_thread()) {
        ke::Thread* thread = ke::Thread::current();
        if (!thread)
            return STATUS_NO_MEMORY;
        object = ob::Ref<ob::Object>::share(thread);
        *granted = ke::Thread::object_type().valid_access;
        return STATUS_SUCCESS;
    }
    ob::HandleTable& table = ob::HandleTable::current();
    const NTSTATUS status = table.reference(source, nullptr, 0, object, granted);
    if (NT_SUCCESS(status))
        table.query_flags(source, flags); // closed since: no flags
    return status;
}

NTSTATUS duplicate(
    HANDLE source, HANDLE* target, ACCESS_MASK access, ULONG attributes, ULONG options)
{
    ob::Ref<ob::Object> object;
    ACCESS_MASK granted = 0;
    uint32_t source_flags = 0;
    if (const NTSTATUS status = reference_source(source, object, &granted, &source_flags);
        !NT_SUCCESS(status))
        return status;
    if (!target)
        return STATUS_SUCCESS; // only the source's closing was wanted
    if (!(options & DUPLICATE_SAME_ACCESS))
        granted = object->type().map_access(access);

    uint32_t flags = attributes & OBJ_INHERIT ? ob::kHandleInherit : 0;
    if (options & DUPLICATE_SAME_ATTRIBUTES)
        flags = source_flags;
    HANDLE value = nullptr;
    const NTSTATUS status = ob::HandleTable::current().insert(*object, granted, flags, &value);
    if (NT_SUCCESS(status))
        *target = value;
    return status;
}

} // namespace

extern "C" {

NTSTATUS NTAPI NtClose(HANDLE handle)
{
    // Closing a pseudo handle has no effect.
    if (handle == nt::current_process() || handle == nt::current_thread())
        return STATUS_SUCCESS;
    return ob::HandleTable::current().close(handle);
}

NTSTATUS NTAPI NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process,
    HANDLE* target, ACCESS_MASK access, ULONG attributes, ULONG options)
{
    if (const NTSTATUS status = nt::probe_optional(target); !NT_SUCCESS(status))
        return status;
    // There is one process.
    if (source_process != nt::current_process()
        || (target && target_process != nt::current_process()))
        return STATUS_INVALID_HANDLE;

    const NTSTATUS status = duplicate(source, target, access, attributes, options);
    // The source goes even if the duplication failed: the caller has given it away.
    if (options & DUPLICATE_CLOSE_SOURCE)
        NtClose(source);
    return status;
}

NTSTATUS NTAPI NtQueryObject(HANDLE handle, OBJECT_INFORMATION_CLASS info_class, PVOID info,
    ULONG length, ULONG* returned_length)
{
    if (info_class != kHandleFlagInformation)
        return STATUS_INVALID_INFO_CLASS;
    auto* flags = static_cast<HandleFlagInformation*>(info);
    for (const NTSTATUS status :
        { nt::probe(info, length, 1), nt::probe_optional(returned_length) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    if (length != sizeof(HandleFlagInformation))
        return STATUS_INFO_LENGTH_MISMATCH;
    uint32_t bits = 0;
    if (const NTSTATUS status = ob::HandleTable::current().query_flags(handle, &bits);
        !NT_SUCCESS(status))
        return status;
    flags->inherit = (bits & ob::kHandleInherit) != 0;
    flags->protect_from_close = (bits & ob::kHandleProtectFromClose) != 0;
    if (returned_length)
        *returned_length = sizeof(*flags);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetInformationObject(HANDLE handle, ULONG info_class, PVOID info, ULONG length)
{
    if (info_class != kHandleFlagInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (length != sizeof(HandleFlagInformation))
        return STATUS_INFO_LENGTH_MISMATCH;
    const auto* flags = static_cast<const HandleFlagInformation*>(info);
    if (const NTSTATUS status = nt::probe(info, length, 1); !NT_SUCCESS(status))
        return status;
    uint32_t bits = 0;
    if (flags->inherit)
        bits |= ob::kHandleInherit;
    if (flags->protect_from_close)
        bits |= ob::kHandleProtectFromClose;
    return ob::HandleTable::current().set_flags(handle, bits);
}

} // extern "C"
