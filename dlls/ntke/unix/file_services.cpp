// The file services: requests to sockets, and to the helper files of \Device\Afd that polls are
// sent to.
#include <cstring>
#include <iterator>

#include "afd/poll.h"
#include "afd/socket_file.h"
#include "io/device.h"
#include "io/file.h"
#include "ke/pool.h"
#include "ke/user_memory.h"
#include "nt/caller.h"
#include "nt/probe.h"
#include "ob/handle_table.h"
#include "unix/host_control.h"
#include "unix/host_services.h"
#include "unix/host_threads.h"
#include "unix/own_sockets.h"
#include "unix/port.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/socket_files.h"
#include "unix/statistics.h"
#include "unix/uninterrupted.h"

namespace services {

namespace {

using unix_side::Uninterrupted;
namespace own_sockets = unix_side::own_sockets;
namespace statistics = unix_side::statistics;

constexpr NTSTATUS kPassDown = ntke::kPassDown;

/// Where the result of a request goes, as the service is given it.
struct Target {
    HANDLE event;
    PIO_APC_ROUTINE apc;
    PVOID apc_context;
    IO_STATUS_BLOCK* iosb;
};

/// The file that is attached to a handle, if there is one. Owner: a service's frame.
class KnownFile {
public:
    /// None also if the handle has not these rights: the host refuses then.
    explicit KnownFile(HANDLE handle, ACCESS_MASK access = 0)
    {
        const Uninterrupted section;
        ob::HandleTable::current().reference(handle, access, m_file);
    }
    ~KnownFile()
    {
        if (!m_file)
            return;
        const Uninterrupted section; // the reference may be the last one
        m_file.reset();
    }
    KnownFile(const KnownFile&) = delete;

    explicit operator bool() const { return static_cast<bool>(m_file); }
    io::File& operator*() const { return *m_file; }
    io::File* operator->() const { return m_file.get(); }
    io::File* get() const { return m_file.get(); }

private:
    ob::Ref<io::File> m_file;
};

/// Serves a request, or says kPassDown: nothing has happened.
NTSTATUS serve(io::File& file, const Target& target, const io::Parameters& parameters)
{
    const Uninterrupted section;
    if (!file.serves(parameters))
        return kPassDown;
    if (const NTSTATUS status = nt::probe(target.iosb, sizeof(*target.iosb), 1);
        !NT_SUCCESS(status))
        return status;
    io::Delivery delivery;
    delivery.apc = target.apc;
    delivery.apc_context = target.apc_context;
    // Under new WoW64 the given block stays as it is: only then is the program's left alone once
    // the service is back, when it may be another request's.
    delivery.iosb = nt::program_block(target.iosb);
    if (target.event) {
        const NTSTATUS status = program_events::reference(target.event, delivery.event);
        if (!NT_SUCCESS(status))
            return status;
    }
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return kPassDown;
    if (target.apc && !NT_SUCCESS(host_threads::prepare_for_apcs(*thread)))
        return kPassDown;
    return io::issue(file, parameters, std::move(delivery));
}

// --- Opening

/// Notes a new file of the host, if it is of the device.
void note_opened(HANDLE handle, const OBJECT_ATTRIBUTES* attributes, ULONG options)
{
    ob::HandleTable& table = ob::HandleTable::current();
    const UNICODE_STRING* name = attributes->ObjectName; // the host has read it by now
    const io::Device* device = !name || attributes->RootDirectory
        ? nullptr
        : io::find_device(name->Buffer, name->Length / sizeof(WCHAR),
            attributes->Attributes & OBJ_CASE_INSENSITIVE);
    if (device != &afd::SocketFile::g_device)
        return forget_stale(handle);
    const Uninterrupted section;
    const ob::Ref<afd::SocketFile> file
        = afd::SocketFile::make_hosted(afd::ptr64(handle), io::File::mode_from_options(options));
    if (!file || !NT_SUCCESS(table.attach(handle, *file, file->type().valid_access, 0)))
        table.detach(handle);
}

/// Is it a file to delete that the host opens now?
bool has_become_deletable(const OBJECT_ATTRIBUTES* attributes, ULONG options)
{
    constexpr ULONG kDeleteOnClose = 0x1000;
    return (options & kDeleteOnClose) && unix_side::replace_socket_file(attributes);
}

NTSTATUS create_file(HANDLE* handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
    IO_STATUS_BLOCK* iosb, const LARGE_INTEGER* allocation_size, ULONG file_attributes,
    ULONG share_access, ULONG disposition, ULONG options, PVOID ea_buffer, ULONG ea_length)
{
    const auto on_host = [&] {
        return host::create_file(handle, access, attributes, iosb, allocation_size, file_attributes,
            share_access, disposition, options, ea_buffer, ea_length);
    };
    NTSTATUS status = on_host();
    if (!NT_SUCCESS(status) && has_become_deletable(attributes, options))
        status = on_host();
    if (NT_SUCCESS(status))
        note_opened(*handle, attributes, options);
    return status;
}

NTSTATUS open_file(HANDLE* handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
    IO_STATUS_BLOCK* iosb, ULONG share_access, ULONG options)
{
    const auto on_host
        = [&] { return host::open_file(handle, access, attributes, iosb, share_access, options); };
    NTSTATUS status = on_host();
    if (!NT_SUCCESS(status) && has_become_deletable(attributes, options))
        status = on_host();
    if (NT_SUCCESS(status))
        note_opened(*handle, attributes, options);
    return status;
}

// --- Requests

/// The input of a request, read once: what the program does to its memory meanwhile changes
/// nothing. Owner: the service's frame.
class Input {
public:
    ~Input()
    {
        if (m_bytes != m_own)
            ke::pool_free(m_bytes);
    }
    /// False: it is not there, or too much.
    bool read(const void* input, ULONG length)
    {
        if (length > sizeof(m_own))
            m_bytes = length <= kMost ? static_cast<char*>(ke::pool_allocate(length)) : nullptr;
        return m_bytes && (!length || ke::read_user(m_bytes, input, length));
    }
    const void* bytes() const { return m_bytes; }
    void* bytes() { return m_bytes; }

private:
    static constexpr ULONG kMost = 1u << 20; // a poll of 65,535 sockets
    alignas(8) char m_own[sizeof(afd::PollHeader) + 16 * sizeof(afd::PollEntry)];
    char* m_bytes = m_own;
};

/// Notes a request that goes to the host and may pend there. Owner: the service's frame.
class OnHost {
public:
    OnHost(io::File* file, bool may_pend, bool is_send)
        : m_socket(file && may_pend ? afd::SocketFile::from(*file) : nullptr)
        , m_is_send(is_send)
    {
        if (m_socket)
            m_socket->note_request_on_host(is_send);
    }
    /// Passes on what the host has answered.
    NTSTATUS answered(NTSTATUS status)
    {
        if (m_socket && status != STATUS_PENDING)
            m_socket->note_request_on_host_ended(m_is_send);
        return status;
    }

private:
    afd::SocketFile* m_socket;
    bool m_is_send;
};

bool may_pend(ULONG code)
{
    switch (code) {
    case afd::kIoctlRecv:
    case afd::kIoctlRecvMsg:
    case afd::kIoctlSendMsg:
    case afd::kIoctlTransmit:
    case afd::kIoctlAccept:
    case afd::kIoctlAcceptInto:
    case afd::kIoctlConnect:
    case afd::kIoctlPoll:
    case afd::kIoctlAddressListChange:
        return true;
    default:
        return false;
    }
}

/// Does the host get something to send by it? A transmission of nothing only tells its end.
bool has_to_send(ULONG code, PVOID input, ULONG input_length)
{
    if (code != afd::kIoctlTransmit)
        return code == afd::kIoctlSendMsg;
    afd::TransmitParams params {};
    return input_length < sizeof(params) || !ke::read_user(&params, input, sizeof(params))
        || params.file || params.head_length || params.tail_length;
}

/// The event that a request is about, null: none. Counterpart: what AFD references for it.
HANDLE event_named_by(ULONG code, PVOID input, ULONG input_length)
{
    if (code == afd::kIoctlGetEvents)
        return input;
    afd::EventSelectParams params {};
    const ULONG length = input_length < sizeof(params) ? input_length : sizeof(params);
    char bytes[sizeof(params)];
    return code == afd::kIoctlEventSelect && ke::read_user(bytes, input, length)
            && afd::read_event_select(bytes, length, params)
        ? reinterpret_cast<HANDLE>(params.event)
        : nullptr;
}

/// What was pending when the record went to the host is told with what the host tells.
void complete_record(afd::SocketFile& socket, PVOID output)
{
    if (!socket.hosted_record_is_kept())
        return;
    afd::GetEventsResult result {};
    if (!ke::read_user(&result, output, sizeof(result)))
        return;
    {
        const Uninterrupted section;
        ke::LockGuard guard(socket.selection_lock());
        socket.hosted_record().complete(result, socket.mask_on_host());
    }
    ke::write_user(output, &result, sizeof(result));
}

/// A selection on the host has been replaced by one with this event, which is set for what was
/// pending; with null, by none or one of messages.
void note_replaced(afd::SocketFile& socket, HANDLE event)
{
    if (!socket.hosted_record_is_kept())
        return;
    bool is_pending;
    {
        const Uninterrupted section;
        ob::Ref<ke::Event> selected;
        if (event && socket.state() == ntke::SocketState::Listening)
            program_events::reference(event, selected);
        ke::LockGuard guard(socket.selection_lock());
        socket.hosted_record().select(std::move(selected));
        is_pending = socket.hosted_record().has_pending(socket.mask_on_host());
    }
    if (is_pending && event) // [WSAEventSelect/13]
        host::set_event(event, nullptr);
}

/// A selection that is on its way to the host comes before every request that the host does since
/// then: what those re-enable and take must find it there.
void wait_for_hand_over(io::File* file)
{
    afd::SocketFile* const socket = file ? afd::SocketFile::from(*file) : nullptr;
    if (!socket || !socket->is_left_to_host())
        return;
    const Uninterrupted section;
    ke::LockGuard guard(socket->selection_lock());
}

/// Does the host's answer depend on whether the socket is a non-blocking one?
bool depends_on_mode(ULONG code)
{
    switch (code) {
    case afd::kIoctlAccept:
    case afd::kIoctlConnect:
    case afd::kIoctlRecv:
    case afd::kIoctlRecvMsg:
    case afd::kIoctlSendMsg:
    case afd::kIoctlTransmit:
        return true;
    default:
        return false;
    }
}

/// What a socket notes of a request that the host does. Owner: the service's frame.
class Noted {
public:
    Noted(afd::SocketFile* socket, ULONG code, const void* input, ULONG input_length)
        : m_socket(socket && socket->is_noted(code) ? socket : nullptr)
        , m_request { code, {}, 0, 0, false, {} }
    {
        if (!m_socket)
            return;
        ke::read_user(m_request.input, input,
            input_length < sizeof(m_request.input) ? input_length : sizeof(m_request.input));
        const Uninterrupted section;
        m_socket->note_passed_down(m_request);
    }
    void answered(NTSTATUS status, IO_STATUS_BLOCK* iosb, const void* output, ULONG output_length)
    {
        if (!m_socket)
            return;
        uint32_t word = afd::kNotConnected;
        if (m_request.code == afd::kIoctlRecv || m_request.code == afd::kIoctlRecvMsg)
            word = status == STATUS_SUCCESS ? nt::information_of(iosb) : 0;
        else if (NT_SUCCESS(status) && output_length >= sizeof(word))
            ke::read_user(&word, output, sizeof(word));
        const Uninterrupted section;
        m_socket->note_answered(m_request, status, word);
    }

private:
    afd::SocketFile* m_socket;
    afd::PassedRequest m_request;
};

/// Is the handle a socket that the host does not know?
bool adopt_own(HANDLE handle)
{
    const Uninterrupted section;
    return own_sockets::adopt(handle);
}

/// The host has done a poll at once.
void note_polled(const void* output, ULONG output_length)
{
    afd::PollHeader header;
    if (output_length < sizeof(header) || !ke::read_user(&header, output, sizeof(header)))
        return;
    const auto* entries = static_cast<const uint8_t*>(output) + sizeof(header);
    for (uint32_t i = 0; i < header.count; ++i) {
        afd::PollEntry entry;
        if (!afd::read_entry(entry, entries + i * afd::entry_size()))
            return;
        const KnownFile file(reinterpret_cast<HANDLE>(entry.socket));
        if (!file)
            continue;
        const Uninterrupted section;
        afd::SocketFile::from(*file)->note_polled(static_cast<uint32_t>(entry.flags));
    }
}

/// The input of a request for the host. Of a poll it may be another one, whose memory is `copy`.
PVOID input_for_host(ULONG code, PVOID input, ULONG length, Input& copy)
{
    if (code != afd::kIoctlPoll || !own_sockets::may_exist()) [[likely]]
        return input;
    const Uninterrupted section;
    return copy.read(input, length) && own_sockets::replace_in_poll(copy.bytes(), length)
        ? copy.bytes()
        : input;
}

/// A request goes to the host, which tells its end. What comes of it is noted.
NTSTATUS control_by_host(io::File* file, HANDLE handle, const Target& target, ULONG code,
    PVOID input, ULONG input_length, PVOID output, ULONG output_length)
{
    const program_events::HostUse told(target.event);
    const HANDLE event = event_named_by(code, input, input_length);
    const program_events::HostUse named(event);
    if (!NT_SUCCESS(told.status()) || !NT_SUCCESS(named.status()))
        return NT_SUCCESS(told.status()) ? named.status() : told.status();
    afd::SocketFile* const socket = file ? afd::SocketFile::from(*file) : nullptr;
    wait_for_hand_over(file);
    if (socket && code == afd::kIoctlAccept) {
        const Uninterrupted section;
        socket->accept_older_on_host();
    }
    if (code == afd::kIoctlGetEvents && event) {
        // Not every host does it, in one step with the record.
        if (const NTSTATUS status = host::reset_event(event, nullptr); !NT_SUCCESS(status))
            return status;
    }
    if (socket && socket->must_tell_mode() && depends_on_mode(code))
        unix_side::tell_mode(handle, *socket);
    Noted noted(socket, code, input, input_length);
    OnHost on_host(file, may_pend(code), has_to_send(code, input, input_length));
    Input copy;
    const NTSTATUS status = on_host.answered(host::device_io_control(handle, target.event,
        target.apc, target.apc_context, target.iosb, code,
        input_for_host(code, input, input_length, copy), input_length, output, output_length));
    if (code == afd::kIoctlPoll && status == STATUS_SUCCESS)
        note_polled(output, output_length);
    noted.answered(status, target.iosb, output, output_length);
    if (socket && code == afd::kIoctlGetEvents && NT_SUCCESS(status))
        complete_record(*socket, output);
    const bool is_selection = code == afd::kIoctlEventSelect || code == afd::kIoctlMessageSelect;
    if (socket && is_selection && NT_SUCCESS(status))
        note_replaced(*socket, event);
    return status;
}

} // namespace

NTSTATUS device_io_control(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, ULONG code, PVOID input, ULONG input_length, PVOID output,
    ULONG output_length)
{
    const Target target { event, apc, apc_context, iosb };
    const KnownFile file(handle);
    if (file && afd::SocketFile::from(*file)->may_serve(code)) {
        Input copy;
        if (copy.read(input, input_length)) {
            // A handle may travel as the pointer.
            const io::Parameters parameters { io::Operation::DeviceControl, code,
                input_length ? copy.bytes() : input, input_length, output, output_length };
            const NTSTATUS status = serve(*file, target, parameters);
            statistics::count(code, status != kPassDown);
            if (status != kPassDown)
                return status;
        }
    }
    if (code == afd::kIoctlShutdownHere && file)
        return afd::SocketFile::from(*file)->end_on_host();
    if (afd::is_of_ntke(code))
        return STATUS_NOT_SUPPORTED; // as the host would say
    const NTSTATUS status = control_by_host(
        file.get(), handle, target, code, input, input_length, output, output_length);
    // Winsock asks this of a handle that it does not know. [af_unix/16]
    if (code == afd::kIoctlGetInfo && !NT_SUCCESS(status) && !file && adopt_own(handle))
        return device_io_control(handle, event, apc, apc_context, iosb, code, input, input_length,
            output, output_length);
    return status;
}

namespace {

/// A read or a write. `ask_host()` asks the host for it.
template <typename AskHost>
NTSTATUS transfer(
    HANDLE handle, const Target& target, const io::Parameters& parameters, AskHost ask_host)
{
    constexpr ACCESS_MASK kReadData = 1; // FILE_READ_DATA
    constexpr ACCESS_MASK kWriteData = 2;
    const bool is_send = parameters.operation == io::Operation::Write;
    const KnownFile file(handle, is_send ? kWriteData : kReadData);
    if (file) {
        const NTSTATUS status = serve(*file, target, parameters);
        statistics::count(is_send ? afd::kIoctlSendMsg : afd::kIoctlRecv, status != kPassDown);
        if (status != kPassDown)
            return status;
    }
    const program_events::HostUse use(target.event);
    if (!NT_SUCCESS(use.status()))
        return use.status();
    wait_for_hand_over(file.get());
    OnHost on_host(file.get(), true, is_send);
    return on_host.answered(ask_host());
}

NTSTATUS read_file(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, PVOID buffer, ULONG length, LARGE_INTEGER* offset, ULONG* key)
{
    return transfer(handle, { event, apc, apc_context, iosb },
        { io::Operation::Read, 0, nullptr, 0, buffer, length }, [=] {
            return host::read_file(
                handle, event, apc, apc_context, iosb, buffer, length, offset, key);
        });
}

NTSTATUS write_file(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, const void* buffer, ULONG length, LARGE_INTEGER* offset, ULONG* key)
{
    return transfer(handle, { event, apc, apc_context, iosb },
        { io::Operation::Write, 0, buffer, length, nullptr, 0 }, [=] {
            return host::write_file(
                handle, event, apc, apc_context, iosb, buffer, length, offset, key);
        });
}

// --- Cancelling

/// Cancels what is pending here. The host is asked, too, when requests have been left to it: its
/// answer counts where we have none. `none` is what a call says that finds nothing.
template <typename OnHost>
NTSTATUS cancel(io::File& file, const IO_STATUS_BLOCK* which, const ke::Thread* thread,
    NTSTATUS none, IO_STATUS_BLOCK* iosb, OnHost cancel_on_host)
{
    bool is_any;
    {
        const Uninterrupted section;
        is_any = file.cancel(which, thread);
    }
    NTSTATUS status = none;
    const bool asks_host = afd::SocketFile::from(file)->may_have_requests_on_host();
    if (asks_host)
        status = cancel_on_host();
    if (is_any)
        status = STATUS_SUCCESS;
    const bool is_told
        = (!is_any && asks_host) || ke::publish_user(&iosb->Information, 0, &iosb->Status, status);
    return is_told ? status : STATUS_ACCESS_VIOLATION;
}

NTSTATUS cancel_io(HANDLE handle, IO_STATUS_BLOCK* iosb)
{
    const auto on_host = [=] { return host::cancel_io(handle, iosb); };
    const KnownFile file(handle);
    if (!file)
        return on_host();
    return cancel(*file, nullptr, ke::Thread::current(), STATUS_SUCCESS, iosb, on_host);
}

NTSTATUS cancel_io_ex(HANDLE handle, IO_STATUS_BLOCK* which, IO_STATUS_BLOCK* iosb)
{
    const auto on_host = [=] { return host::cancel_io_ex(handle, which, iosb); };
    const KnownFile file(handle);
    if (!file)
        return on_host();
    return cancel(*file, which, nullptr, STATUS_NOT_FOUND, iosb, on_host);
}

// --- Ports

/// Has the port serve the socket. `queue` is null where the port is not known yet.
NTSTATUS put_on_port(afd::SocketFile& socket, ob::Ref<io::CompletionQueue> queue,
    const FileCompletionInformation& info)
{
    if (!queue) {
        if (const NTSTATUS status = unix_side::Port::attach(info.port, queue); !NT_SUCCESS(status))
            return status;
    }
    unix_side::Port& port = unix_side::Port::of(*queue);
    if (const NTSTATUS status = port.begin_serving(info.port); !NT_SUCCESS(status))
        return status;
    socket.use_port(queue, port, port.pump());
    return socket.associate(std::move(queue), info.key);
}

/// The host has bound the file to its port. Packets of requests that ntke serves go to the port's
/// queue. `file` is null for one that ntke does not know.
void note_associated(io::File* file, const FileCompletionInformation& info)
{
    ob::Ref<io::CompletionQueue> queue = unix_side::Port::find(info.port);
    if (!file) {
        if (queue)
            unix_side::Port::of(*queue).note_host_file();
        return;
    }
    afd::SocketFile& socket = *afd::SocketFile::from(*file);
    const bool is_others = !queue && unix_side::Port::may_be_others(info.port);
    if (is_others || !NT_SUCCESS(put_on_port(socket, std::move(queue), info)))
        socket.leave_to_host();
}

/// Binds a socket that the host does not know to a port: all its packets are ours. The host says
/// what is no port.
NTSTATUS associate_own(afd::SocketFile& socket, const FileCompletionInformation& info)
{
    constexpr ULONG kBasicInformation = 0;
    ob::Ref<io::CompletionQueue> queue = unix_side::Port::find(info.port);
    if (!queue) {
        ULONG depth;
        const NTSTATUS status = host::query_io_completion(
            info.port, kBasicInformation, &depth, sizeof(depth), nullptr);
        if (!NT_SUCCESS(status))
            return status;
    }
    return put_on_port(socket, std::move(queue), info);
}

/// What is told of a socket that the host does not know.
NTSTATUS set_information_of_own(
    afd::SocketFile& socket, IO_STATUS_BLOCK* iosb, PVOID info, ULONG length, ULONG info_class)
{
    union {
        FileCompletionInformation completion;
        ULONG modes;
    } given {};
    const bool is_completion = info_class == kFileCompletionInformation;
    const ULONG needed = is_completion ? sizeof(given.completion) : sizeof(given.modes);
    if (length < needed)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (!ke::read_user(&given, info, needed))
        return STATUS_ACCESS_VIOLATION;
    const Uninterrupted section;
    const NTSTATUS status = is_completion ? associate_own(socket, given.completion)
                                          : socket.add_completion_modes(given.modes);
    if (NT_SUCCESS(status))
        ke::publish_user(&iosb->Information, 0, &iosb->Status, status);
    return status;
}

NTSTATUS set_information_file(
    HANDLE handle, IO_STATUS_BLOCK* iosb, PVOID info, ULONG length, ULONG info_class)
{
    const bool is_ours = info_class == kFileCompletionInformation
        || info_class == kFileIoCompletionNotificationInformation;
    if (!is_ours)
        return host::set_information_file(handle, iosb, info, length, info_class);
    const KnownFile file(handle);
    if (file && afd::SocketFile::from(*file)->is_own())
        return set_information_of_own(
            *afd::SocketFile::from(*file), iosb, info, length, info_class);
    const NTSTATUS status = host::set_information_file(handle, iosb, info, length, info_class);
    if (!NT_SUCCESS(status))
        return !file && adopt_own(handle)
            ? set_information_file(handle, iosb, info, length, info_class)
            : status;
    const Uninterrupted section;
    if (info_class == kFileCompletionInformation)
        note_associated(file.get(), *static_cast<const FileCompletionInformation*>(info));
    else if (file) // the host takes others besides, which mean nothing here
        file->add_completion_modes(*static_cast<const ULONG*>(info) & io::kAllCompletionModes);
    return status;
}

const service_table::Row kRows[] = {
    service_table::row<create_file>("NtCreateFile"),
    service_table::row<open_file>("NtOpenFile"),
    service_table::row<device_io_control>(
        "NtDeviceIoControlFile", service_table::Recorded::OfKnownHandles),
    service_table::row<read_file>("NtReadFile", service_table::Recorded::OfKnownHandles),
    service_table::row<write_file>("NtWriteFile", service_table::Recorded::OfKnownHandles),
    service_table::row<cancel_io>("NtCancelIoFile", service_table::Recorded::OfKnownHandles),
    service_table::row<cancel_io_ex>("NtCancelIoFileEx", service_table::Recorded::OfKnownHandles),
    service_table::row<set_information_file>(
        "NtSetInformationFile", service_table::Recorded::OfKnownHandles),
};

} // namespace

Rows file_services()
{
    return { kRows, std::size(kRows) };
}

} // namespace services
