// The file services. Rules and their sources: spec/NtFile.md.
#include "io/device.h"
#include "io/file.h"
#include "io/iosb.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "nt/probe.h"
#include "nt/publish.h"

namespace {

constexpr ACCESS_MASK kFileReadData = 0x0001;
constexpr ACCESS_MASK kFileWriteData = 0x0002;
constexpr ACCESS_MASK kModifyState = 0x0002; // IO_COMPLETION_MODIFY_STATE

/// The way of every request: status block, file, event, in this order; then the file's driver.
NTSTATUS request(HANDLE file_handle, ACCESS_MASK access, HANDLE event_handle, PIO_APC_ROUTINE apc,
    PVOID apc_context, IO_STATUS_BLOCK* iosb, const io::Parameters& parameters)
{
    if (const NTSTATUS status = nt::probe_value(iosb); !NT_SUCCESS(status))
        return status;
    const ob::HandleTable& table = ob::HandleTable::current();
    ob::Ref<io::File> file;
    if (const NTSTATUS status = table.reference(file_handle, access, file); !NT_SUCCESS(status))
        return status;

    io::Delivery delivery;
    delivery.apc = apc;
    delivery.apc_context = apc_context;
    delivery.iosb = iosb;
    if (event_handle) {
        const NTSTATUS status = table.reference(event_handle, EVENT_MODIFY_STATE, delivery.event);
        if (!NT_SUCCESS(status))
            return status;
    }
    const NTSTATUS status = io::issue(*file, parameters, std::move(delivery));
    file.reset();
    if (status == STATUS_USER_APC)
        ke::Thread::current()->deliver_apcs(); // an alertable synchronous request was interrupted
    return status;
}

/// Everything but the name of OBJECT_ATTRIBUTES, and the device the name begins with.
NTSTATUS find_named_device(const OBJECT_ATTRIBUTES* attributes, const io::Device** device)
{
    if (const NTSTATUS status = nt::probe_value(attributes); !NT_SUCCESS(status))
        return status;
    if (attributes->Length != sizeof(OBJECT_ATTRIBUTES))
        return STATUS_INVALID_PARAMETER;
    const UNICODE_STRING* name = attributes->ObjectName;
    if (const NTSTATUS status = nt::probe_value(name); !NT_SUCCESS(status))
        return status;
    if (const NTSTATUS status = nt::probe(name->Buffer, name->Length, alignof(WCHAR));
        !NT_SUCCESS(status))
        return status;
    *device = io::find_device(
        name->Buffer, name->Length / sizeof(WCHAR), attributes->Attributes & OBJ_CASE_INSENSITIVE);
    return *device ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS set_completion_port(io::File& file, const void* info)
{
    const auto& completion = *static_cast<const FileCompletionInformation*>(info);
    ob::Ref<io::CompletionQueue> queue;
    const NTSTATUS status
        = ob::HandleTable::current().reference(completion.port, kModifyState, queue);
    return NT_SUCCESS(status) ? file.associate(std::move(queue), completion.key) : status;
}

NTSTATUS add_completion_modes(io::File& file, const void* info)
{
    return file.add_completion_modes(*static_cast<const ULONG*>(info));
}

/// The information classes that can be set; the length is checked before `set` sees a byte.
struct SetInformationRow {
    ULONG info_class;
    ULONG length;
    NTSTATUS (*set)(io::File& file, const void* info);
};
constexpr SetInformationRow kSetInformation[] = {
    { kFileCompletionInformation, sizeof(FileCompletionInformation), set_completion_port },
    { kFileIoCompletionNotificationInformation, sizeof(ULONG), add_completion_modes },
};

} // namespace

extern "C" {

NTSTATUS NTAPI NtCreateFile(HANDLE* handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
    IO_STATUS_BLOCK* iosb, const LARGE_INTEGER*, ULONG, ULONG, ULONG, ULONG options, PVOID, ULONG)
{
    for (const NTSTATUS status : { nt::probe_value(handle), nt::probe_value(iosb) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    const io::Device* device = nullptr;
    if (const NTSTATUS status = find_named_device(attributes, &device); !NT_SUCCESS(status))
        return status;
    ob::Ref<io::File> file;
    if (const NTSTATUS status = device->open(io::File::mode_from_options(options), file);
        !NT_SUCCESS(status))
        return status;
    const uint32_t flags = attributes->Attributes & OBJ_INHERIT ? ob::kHandleInherit : 0;
    const NTSTATUS status = nt::publish(std::move(file), access, flags, handle);
    if (NT_SUCCESS(status))
        io::write_iosb(iosb, STATUS_SUCCESS, 1); // FILE_OPENED
    return status;
}

NTSTATUS NTAPI NtDeviceIoControlFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc,
    PVOID apc_context, IO_STATUS_BLOCK* iosb, ULONG code, PVOID input, ULONG input_length,
    PVOID output, ULONG output_length)
{
    const io::Parameters parameters { io::Operation::DeviceControl, code, input, input_length,
        output, output_length };
    return request(file, 0, event, apc, apc_context, iosb, parameters);
}

// Sockets have no position: offset and key of reads and writes are ignored.

NTSTATUS NTAPI NtReadFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, PVOID buffer, ULONG length, LARGE_INTEGER*, ULONG*)
{
    if (const NTSTATUS status = nt::probe(buffer, length, 1); !NT_SUCCESS(status))
        return status;
    const io::Parameters parameters { io::Operation::Read, 0, nullptr, 0, buffer, length };
    return request(file, kFileReadData, event, apc, apc_context, iosb, parameters);
}

NTSTATUS NTAPI NtWriteFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, const void* buffer, ULONG length, LARGE_INTEGER*, ULONG*)
{
    if (const NTSTATUS status = nt::probe(buffer, length, 1); !NT_SUCCESS(status))
        return status;
    const io::Parameters parameters { io::Operation::Write, 0, buffer, length, nullptr, 0 };
    return request(file, kFileWriteData, event, apc, apc_context, iosb, parameters);
}

NTSTATUS NTAPI NtCancelIoFile(HANDLE handle, IO_STATUS_BLOCK* iosb)
{
    if (const NTSTATUS status = nt::probe_value(iosb); !NT_SUCCESS(status))
        return status;
    ob::Ref<io::File> file;
    if (const NTSTATUS status = ob::HandleTable::current().reference(handle, 0, file);
        !NT_SUCCESS(status))
        return status;
    if (ke::Thread* thread = ke::Thread::current())
        file->cancel(nullptr, thread);
    io::write_iosb(iosb, STATUS_SUCCESS, 0);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtCancelIoFileEx(HANDLE handle, IO_STATUS_BLOCK* which, IO_STATUS_BLOCK* iosb)
{
    if (const NTSTATUS status = nt::probe_value(iosb); !NT_SUCCESS(status))
        return status;
    ob::Ref<io::File> file;
    if (const NTSTATUS status = ob::HandleTable::current().reference(handle, 0, file);
        !NT_SUCCESS(status))
        return status;
    const NTSTATUS status = file->cancel(which, nullptr) ? STATUS_SUCCESS : STATUS_NOT_FOUND;
    io::write_iosb(iosb, status, 0);
    return status;
}

NTSTATUS NTAPI NtSetInformationFile(
    HANDLE handle, IO_STATUS_BLOCK* iosb, PVOID info, ULONG length, ULONG info_class)
{
    const SetInformationRow* row = nullptr;
    for (const SetInformationRow& candidate : kSetInformation) {
        if (candidate.info_class == info_class)
            row = &candidate;
    }
    if (!row)
        return STATUS_INVALID_INFO_CLASS;
    if (length < row->length)
        return STATUS_INFO_LENGTH_MISMATCH;
    for (const NTSTATUS status : { nt::probe_value(iosb), nt::probe(info, length, 4) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    ob::Ref<io::File> file;
    if (const NTSTATUS status = ob::HandleTable::current().reference(handle, 0, file);
        !NT_SUCCESS(status))
        return status;
    const NTSTATUS status = row->set(*file, info);
    if (NT_SUCCESS(status))
        io::write_iosb(iosb, status, 0);
    return status;
}

} // extern "C"
