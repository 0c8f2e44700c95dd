// The handle services: what closes a handle, or makes another one of it.
#include <iterator>

#include "afd/ioctl.h"
#include "afd/socket_file.h"
#include "ke/user_memory.h"
#include "nt/caller.h"
#include "nt/publish.h"
#include "ob/handle_table.h"
#include "unix/host_control.h"
#include "unix/host_services.h"
#include "unix/port.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/uninterrupted.h"

namespace services {

namespace {

using unix_side::Uninterrupted;

/// A send that waits on the host would keep the socket and its connection alive past the handle.
void end_requests_on_host(HANDLE handle, ob::Object& object)
{
    auto* socket = afd::SocketFile::from(object);
    if (!socket || socket->handle_count() > 1 || !socket->may_have_sends_on_host())
        return;
    IO_STATUS_BLOCK iosb;
    host::cancel_io_ex(handle, nullptr, &iosb);
}

} // namespace

void forget_stale(HANDLE handle)
{
    ob::HandleTable& table = ob::HandleTable::current();
    {
        const ob::ReadSection section;
        if (!table.find(section, handle).object) [[likely]]
            return;
    }
    const Uninterrupted section;
    table.detach(handle);
}

namespace {

/// Lets go of a handle that the host is about to close, unless it is protected from that: once the
/// host has closed it, the value may mean anything.
void let_go(HANDLE handle)
{
    ob::HandleTable& table = ob::HandleTable::current();
    ob::Ref<ob::Object> object;
    table.reference(handle, nullptr, 0, object);
    if (!object)
        return;
    const Uninterrupted section;
    uint32_t flags = 0;
    table.query_flags(handle, &flags);
    if (flags & ob::kHandleProtectFromClose)
        return;
    end_requests_on_host(handle, *object);
    table.detach(handle, *object);
    object.reset();
}

} // namespace

NTSTATUS close(HANDLE handle)
{
    take_message_waits();
    let_go(handle);
    return host::close(handle);
}

namespace {

/// Another process is about to get a handle of a port, which is the host's from here on.
void give_port_to_host(HANDLE handle)
{
    if (const ob::Ref<io::CompletionQueue> queue = unix_side::Port::find(handle))
        unix_side::Port::of(*queue).give_back();
}

NTSTATUS set_information_object(HANDLE handle, ULONG info_class, PVOID info, ULONG length)
{
    constexpr ULONG kFlags = 4;
    HandleFlagInformation flags {};
    if (info_class != kFlags || length < sizeof(flags)
        || !ke::read_user(&flags, info, sizeof(flags)))
        return host::set_information_object(handle, info_class, info, length);
    // A child may have it from here on.
    const program_events::HostUse use(flags.inherit ? handle : nullptr);
    if (!NT_SUCCESS(use.status()))
        return use.status();
    if (flags.inherit)
        give_port_to_host(handle);
    const NTSTATUS status = host::set_information_object(handle, info_class, info, length);
    if (NT_SUCCESS(status)) {
        const Uninterrupted section;
        ob::HandleTable::current().set_flags(
            handle, flags.protect_from_close ? ob::kHandleProtectFromClose : 0);
    }
    return status;
}

/// The rights of a duplicate in this process.
ACCESS_MASK rights_of_duplicate(
    const ob::Object& object, ACCESS_MASK of_source, ACCESS_MASK access, ULONG options)
{
    constexpr ULONG kSameAccess = 2; // DUPLICATE_SAME_ACCESS
    return options & kSameAccess ? of_source : object.type().map_access(access);
}

/// The host must know of a mode that a selection of events has set without it. Sockets that record
/// events stay: the host knows nothing of what was told already. (WSADuplicateSocket hands them
/// over with all that.)
void give_socket_to_host(HANDLE handle, afd::SocketFile& socket)
{
    if (!socket.is_created() || socket.is_own() || socket.is_left_to_host()
        || socket.is_recording())
        return;
    if (socket.must_tell_mode())
        unix_side::tell_mode(handle, socket);
    socket.leave_to_host_unless_recording();
}

/// Another process is about to get a handle: the object is the host's from here on.
void give_to_host(HANDLE handle, ob::Object& object)
{
    if (auto* socket = afd::SocketFile::from(object))
        give_socket_to_host(handle, *socket);
    else if (&object.type() == &io::CompletionQueue::object_type())
        unix_side::Port::of(static_cast<io::CompletionQueue&>(object)).give_back();
}

/// The number of a process; 0: it cannot be asked.
ULONG_PTR id_of_process(HANDLE process)
{
    constexpr ULONG kBasicInformation = 0;
    struct {
        ULONG_PTR exit_status;
        PVOID block;
        ULONG_PTR affinity;
        ULONG_PTR base_priority;
        ULONG_PTR id;
        ULONG_PTR parent;
    } basic {}; // PROCESS_BASIC_INFORMATION
    const NTSTATUS status = host::query_information_process(
        process, kBasicInformation, &basic, sizeof(basic), nullptr);
    return NT_SUCCESS(status) ? basic.id : 0;
}

/// By its pseudo handle, or by any other.
bool is_this_process(HANDLE process)
{
    if (process == nt::current_process() || !process)
        return process;
    const ULONG_PTR id = id_of_process(process);
    return id && id == id_of_process(nt::current_process());
}

NTSTATUS duplicate_object(HANDLE source_process, HANDLE source, HANDLE target_process,
    HANDLE* target, ACCESS_MASK access, ULONG attributes, ULONG options)
{
    ob::HandleTable& table = ob::HandleTable::current();
    ob::Ref<ob::Object> object;
    ACCESS_MASK granted = 0;
    const bool is_ours = is_this_process(source_process);
    const bool stays = target && is_this_process(target_process);
    const program_events::HostUse use(
        is_ours && (!stays || (attributes & OBJ_INHERIT)) ? source : nullptr);
    if (!NT_SUCCESS(use.status()))
        return use.status();
    if (is_ours)
        table.reference(source, nullptr, 0, object, &granted);
    if (object && stays && (attributes & OBJ_INHERIT))
        give_port_to_host(source);
    if (object && stays)
        object->add_handle(); // the one that comes, before the source goes
    else if (object && target_process)
        give_to_host(source, *object);
    if (is_ours && (options & DUPLICATE_CLOSE_SOURCE))
        let_go(source);
    const NTSTATUS status = host::duplicate_object(
        source_process, source, target_process, target, access, attributes, options);
    const Uninterrupted section;
    if (NT_SUCCESS(status) && stays) {
        // Without memory to note it, the duplicate is the host's.
        if (!object
            || !NT_SUCCESS(table.attach(
                *target, *object, rights_of_duplicate(*object, granted, access, options), 0)))
            forget_stale(*target);
    }
    if (object && stays)
        object->drop_handle();
    object.reset();
    return status;
}

const service_table::Row kRows[] = {
    service_table::row<close>("NtClose", service_table::Recorded::OfKnownHandles),
    service_table::row<duplicate_object>("NtDuplicateObject"),
    service_table::row<set_information_object>(
        "NtSetInformationObject", service_table::Recorded::OfKnownHandles),
};

} // namespace

Rows handle_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
