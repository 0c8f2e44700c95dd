// A socket whose file is a host's: what ntke serves of it, and what it learns of the rest.
#include "afd/socket_file.h"

#include "afd/params.h"
#include "afd/pump.h"

namespace afd {

NTSTATUS (*SocketFile::open_host_descriptor)(uint64_t host_handle, int& fd) = nullptr;
bool SocketFile::can_host_accept_again = false;
void (*SocketFile::unmap_view)(void* address) = nullptr;

ob::Ref<SocketFile> SocketFile::make_hosted(uint64_t host_handle, Mode mode)
{
    auto file = ob::Ref<SocketFile>::adopt(ke::pool_new<SocketFile>(mode));
    if (file)
        file->m_host_handle = host_handle;
    return file;
}

void SocketFile::tell_created(
    const ntke::AttachArgs& args, bool is_seen, const SocketFile* listener)
{
    ke::LockGuard guard(m_lock);
    if (m_is_created.load(std::memory_order_relaxed))
        return;
    m_family = args.family;
    m_type = args.type;
    m_protocol = args.protocol;
    m_serial = args.serial;
    m_has_unseen_past = !is_seen && !listener;
    if (!is_seen) {
        m_flags.fetch_and(~uint32_t { ntke::kSocketConnected }); // its connection is no news
        add_flags(args.flags);
        m_state = static_cast<SocketState>(args.state);
        note_mode(args.is_nonblocking);
    }
    if (listener) { // the host has given it the same
        add_flags(listener->m_flags.load(std::memory_order_relaxed) & ntke::kSocketOobInline);
        m_is_nonblocking = listener->is_nonblocking();
        m_is_nonblocking_on_host = listener->m_is_nonblocking_on_host.load();
    }
    m_is_created.store(true, std::memory_order_release);
}

void SocketFile::note_accepted_from(SocketFile& listener)
{
    Signal signal;
    ke::LockGuard guard(listener.m_lock);
    listener.apply_state(listener.state(), listener.m_flags.load(std::memory_order_relaxed),
        STATUS_SUCCESS, 1, signal);
}

void SocketFile::use_port(ob::Ref<io::CompletionQueue> queue, Absence::Guest& port, Pump& pump)
{
    io::CompletionQueue* none = nullptr;
    if (!m_port_queue.compare_exchange_strong(none, queue.get(), std::memory_order_acq_rel))
        return;
    static_cast<void>(queue.release());
    m_port.store(&port, std::memory_order_relaxed);
    m_port_pump.store(&pump, std::memory_order_release);
}

void SocketFile::leave_to_host()
{
    if (is_own())
        return; // the host has nothing of it
    m_is_left_to_host.store(true, std::memory_order_seq_cst);
}

void SocketFile::leave_to_host_unless_recording()
{
    ke::LockGuard guard(m_lock); // a selection looks whose the socket is, and records, in one step
    if (!is_recording())
        leave_to_host();
}

NTSTATUS SocketFile::open_descriptor()
{
    if (m_has_descriptor.load(std::memory_order_acquire))
        return STATUS_SUCCESS;
    if (!m_host_handle || m_is_left_to_host.load(std::memory_order_acquire))
        return STATUS_INVALID_HANDLE;
    int fd;
    const NTSTATUS status = open_host_descriptor(m_host_handle, fd);
    if (!NT_SUCCESS(status)) {
        leave_to_host(); // once refused, nobody knows which requests the host has by then
        return status;
    }
    HostSocket opened(fd);
    ke::LockGuard guard(m_lock);
    if (m_is_closed || m_has_descriptor.load(std::memory_order_relaxed)) {
        opened.close(); // another thread was first
        return m_is_closed ? STATUS_INVALID_HANDLE : STATUS_SUCCESS;
    }
    m_socket.adopt(fd);
    if (state() == SocketState::Datagram)
        m_socket.receive_own_groups_only();
    else if (m_has_unseen_past)
        add_flags(flags_on_linux());
    m_has_descriptor.store(true, std::memory_order_release);
    return STATUS_SUCCESS;
}

bool SocketFile::serves_data(const io::Parameters& parameters)
{
    return mode() == Mode::Asynchronous && serves_count(parameters);
}

/// Where requests wait inside the service, that is the host's: a receive is tried here, unless
/// others wait there already, and what is received is in the record. [WSAEventSelect/42]
bool SocketFile::serves_receive(const io::Parameters& parameters)
{
    return (mode() == Mode::Asynchronous || !m_requests_on_host.load(std::memory_order_relaxed))
        && serves_count(parameters);
}

/// How much there is to read.
bool SocketFile::serves_count(const io::Parameters&)
{
    return is_created() && !is_left_to_host() && is_established() && NT_SUCCESS(open_descriptor());
}

/// Requests that may be served here, and when they are.
struct SocketFile::ServedRow {
    ULONG code;
    bool (SocketFile::*serves)(const io::Parameters& parameters);
};

constexpr SocketFile::ServedRow SocketFile::kServed[] = {
    // The frequent ones first.
    { kIoctlRecvMsg, &SocketFile::serves_message },
    { kIoctlSendMsg, &SocketFile::serves_data },
    { kIoctlGetEvents, &SocketFile::serves_get_events },
    { kIoctlPoll, &SocketFile::serves_poll },
    { kIoctlRecvDatagram, &SocketFile::serves_data },
    { kIoctlRecvMessage, &SocketFile::serves_data },
    { kIoctlSendControl, &SocketFile::serves_data },
    { kIoctlRecv, &SocketFile::serves_receive },
    { kIoctlEventSelect, &SocketFile::serves_event_select },
    { kIoctlAcceptInto, &SocketFile::serves_accept },
    { kIoctlAcceptHere, &SocketFile::serves_accept },
    { kIoctlShutdownHere, &SocketFile::serves_end },
    { kIoctlShutdown, &SocketFile::serves_shutdown },
    { kIoctlTransmit, &SocketFile::serves_transmit },
    { kIoctlTransmitView, &SocketFile::serves_data },
    { kIoctlFionread, &SocketFile::serves_count },
    { kIoctlFionbio, &SocketFile::serves_mode },
    { kIoctlConnect, &SocketFile::serves_connect },
    { kIoctlGetSoConnectTime, &SocketFile::serves_connect_time },
    { kIoctlCompleteAsync, &SocketFile::serves_completion },
    { kIoctlGetIpRecvTos, &SocketFile::serves_class_of_service },
    { kIoctlSetIpRecvTos, &SocketFile::serves_class_of_service },
    { kIoctlGetIpv6RecvTClass, &SocketFile::serves_class_of_service },
    { kIoctlSetIpv6RecvTClass, &SocketFile::serves_class_of_service },
    { kIoctlGetRecvEcn, &SocketFile::serves_option },
    { kIoctlSetRecvEcn, &SocketFile::serves_option },
    { kIoctlGetUdpSendSize, &SocketFile::serves_option },
    { kIoctlSetUdpSendSize, &SocketFile::serves_option },
    { kIoctlGetUdpCoalescedSize, &SocketFile::serves_option },
    { kIoctlSetUdpCoalescedSize, &SocketFile::serves_option },
    { kIoctlHasUnsent, &SocketFile::serves_option },
    { kIoctlGetTcpInfo, &SocketFile::serves_option },
    { kIoctlGetIpMulticastLoop, &SocketFile::serves_option },
    { kIoctlSetIpMulticastLoop, &SocketFile::serves_option },
    { kIoctlGetIpv6MulticastLoop, &SocketFile::serves_option },
    { kIoctlSetIpv6MulticastLoop, &SocketFile::serves_option },
    { kIoctlSetIpv6AddSourceMembership, &SocketFile::serves_option },
    { kIoctlSetIpv6DropSourceMembership, &SocketFile::serves_option },
    { kIoctlSetIpv6BlockSource, &SocketFile::serves_option },
    { kIoctlSetIpv6UnblockSource, &SocketFile::serves_option },
    { kIoctlGetPeerName, &SocketFile::serves_peer_name },
    { kIoctlGetSoLinger, &SocketFile::serves_plain_option },
    { kIoctlSetSoLinger, &SocketFile::serves_plain_option },
    { kIoctlGetSoKeepalive, &SocketFile::serves_plain_option },
    { kIoctlSetSoKeepalive, &SocketFile::serves_plain_option },
    { kIoctlGetTcpNoDelay, &SocketFile::serves_plain_option },
    { kIoctlSetTcpNoDelay, &SocketFile::serves_plain_option },
    { kIoctlGetTcpUserTimeout, &SocketFile::serves_option },
    { kIoctlSetTcpUserTimeout, &SocketFile::serves_option },
    { kIoctlGetUdpNoChecksum, &SocketFile::serves_option },
    { kIoctlSetUdpNoChecksum, &SocketFile::serves_option },
    { kIoctlGetSourceFilter, &SocketFile::serves_option },
    { kIoctlSetSourceFilter, &SocketFile::serves_option },
};

const SocketFile::ServedRow* SocketFile::find_served(ULONG code)
{
    for (const ServedRow& row : kServed) {
        if (row.code == code)
            return &row;
    }
    return nullptr;
}

bool SocketFile::serves(const io::Parameters& parameters)
{
    if (!is_of_host())
        return true;
    if (parameters.operation != io::Operation::DeviceControl)
        return parameters.operation == io::Operation::Read ? serves_receive(parameters)
                                                           : serves_data(parameters);
    const ServedRow* row = find_served(parameters.code);
    return row && (this->*row->serves)(parameters);
}

/// The host gives control data in its way: WSARecvMsg asks for kIoctlRecvMessage.
bool SocketFile::serves_message(const io::Parameters& parameters)
{
    return parameters.input_length >= sizeof(RecvMsgParams)
        && !static_cast<const RecvMsgParams*>(parameters.input)->control
        && serves_receive(parameters);
}

/// An end without a word to the host, whose socket a shutdown would stay with when an AcceptEx
/// gives it another connection. What the host sends for it must be through.
bool SocketFile::serves_end(const io::Parameters& parameters)
{
    return can_host_accept_again && !may_have_sends_on_host() && serves_count(parameters);
}

/// The end of what is sent comes behind the sends that wait here, of which the host knows nothing.
/// [shutdown/14]
bool SocketFile::serves_shutdown(const io::Parameters& parameters)
{
    constexpr int32_t kReceives = 0;
    int32_t direction = kReceives;
    if (!is_stream() || !has_older_sends() || parameters.input_length < sizeof(direction))
        return false;
    memcpy(&direction, parameters.input, sizeof(direction));
    return direction != kReceives && serves_count(parameters);
}

/// A file is the host's to read. What is in memory keeps its place among the sends; nothing, as
/// long as there are some.
bool SocketFile::serves_transmit(const io::Parameters& parameters)
{
    TransmitParams params;
    if (parameters.input_length < sizeof(params))
        return false;
    memcpy(&params, parameters.input, sizeof(params));
    const bool is_any = params.head_length || params.tail_length || has_older_sends();
    return !params.file && is_any && serves_data(parameters);
}

NTSTATUS SocketFile::end_on_host()
{
    constexpr int kHowSend = 1;
    int fd;
    if (!can_host_accept_again || may_have_sends_on_host()
        || !NT_SUCCESS(open_host_descriptor(m_host_handle, fd)))
        return STATUS_NOT_SUPPORTED;
    HostSocket connection(fd);
    connection.shutdown(kHowSend);
    connection.close();
    return STATUS_SUCCESS;
}

/// Its packet belongs into our queue.
bool SocketFile::serves_completion(const io::Parameters&)
{
    return has_completion_queue();
}

bool SocketFile::serves_class_of_service(const io::Parameters& parameters)
{
    return m_wants_ecn.load(std::memory_order_relaxed) && serves_option(parameters);
}

/// Options that the host does not have, or not as they are meant here.
bool SocketFile::serves_option(const io::Parameters&)
{
    return m_is_created.load(std::memory_order_acquire)
        && !m_is_left_to_host.load(std::memory_order_acquire) && NT_SUCCESS(open_descriptor());
}

/// Options that are Linux' alone, and set for most connections: where there is a descriptor, or the
/// first data will need one, the host need not fetch one of its own for them.
bool SocketFile::serves_plain_option(const io::Parameters& parameters)
{
    return (has_descriptor() || state() == SocketState::Connected) && serves_option(parameters);
}

bool SocketFile::serves_peer_name(const io::Parameters& parameters)
{
    return state() == SocketState::Connected && serves_plain_option(parameters);
}

SocketFile* SocketFile::from(ob::Object& object)
{
    if (&object.type() != &object_type() || static_cast<io::File&>(object).device() != &g_device)
        return nullptr;
    return &static_cast<SocketFile&>(object);
}

// --- Handles that were closed by somebody else

namespace {

struct Closed {
    uint64_t host_handle;
    uint64_t serial;
};
constexpr uint32_t kMostClosed = 256; // of more, the next request on the handle tells
ke::Lock g_closed_lock;
Closed g_closed[kMostClosed] GUARDED_BY(g_closed_lock);
uint32_t g_closed_count GUARDED_BY(g_closed_lock) = 0;

} // namespace

void SocketFile::tell_closed()
{
    if (!m_serial || m_owner_closes.load(std::memory_order_relaxed))
        return;
    {
        ke::LockGuard guard(g_closed_lock);
        if (g_closed_count == kMostClosed)
            return;
        g_closed[g_closed_count++] = { m_host_handle, m_serial };
    }
    Pump::instance().wake();
}

void SocketFile::take_closed(
    bool (*told)(void* context, uint64_t host_handle, uint64_t serial), void* context)
{
    ke::LockGuard guard(g_closed_lock);
    while (g_closed_count) {
        const Closed& closed = g_closed[g_closed_count - 1];
        if (!told(context, closed.host_handle, closed.serial))
            return;
        --g_closed_count;
    }
}

void SocketFile::note_request_on_host(bool is_send)
{
    m_requests_on_host.fetch_add(1, std::memory_order_relaxed);
    if (is_send)
        m_sends_on_host.fetch_add(1, std::memory_order_relaxed);
}

void SocketFile::note_request_on_host_ended(bool is_send)
{
    m_requests_on_host.fetch_sub(1, std::memory_order_relaxed);
    if (is_send)
        m_sends_on_host.fetch_sub(1, std::memory_order_relaxed);
}

} // namespace afd
