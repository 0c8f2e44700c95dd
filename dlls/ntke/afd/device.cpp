// The device: opening it, and the table of its requests.
#include "afd/ioctl.h"
#include "afd/socket_file.h"
#include "ke/pool.h"
#include "nt/probe.h"
#include "ob/handle_table.h"

namespace afd {

constinit const io::Device SocketFile::g_device { u"\\Device\\Afd", SocketFile::open };

/// Sizes are checked before the handler sees a byte.
struct SocketFile::IoctlRow {
    ULONG code;
    ULONG input; // bytes there must be at least
    ULONG output;
    NTSTATUS too_short;
    Handler handler;
};

constexpr SocketFile::IoctlRow SocketFile::kIoctls[] = {
    // The frequent ones first.
    { kIoctlRecvMsg, sizeof(RecvMsgParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::receive_message },
    { kIoctlSendMsg, sizeof(SendMsgParams), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::send_message },
    { kIoctlRecvDatagram, sizeof(RecvMsgParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::receive_message },
    { kIoctlRecvMessage, sizeof(RecvMsgParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::receive_message },
    { kIoctlSendControl, sizeof(SendControlParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::send_with_control },
    { kIoctlRecv, sizeof(RecvParams32), 0, STATUS_INVALID_PARAMETER, &SocketFile::receive_plain },
    { kIoctlGetEvents, 0, sizeof(GetEventsResult), STATUS_INVALID_PARAMETER,
        &SocketFile::get_events },
    { kIoctlPoll, sizeof(PollHeader), sizeof(PollHeader), STATUS_INVALID_PARAMETER,
        &SocketFile::poll },
    { kIoctlEventSelect, sizeof(EventSelectParams32), 0, STATUS_INVALID_PARAMETER,
        &SocketFile::event_select },
    { kIoctlCreate, sizeof(CreateParams), 0, STATUS_INVALID_PARAMETER, &SocketFile::create },
    { kIoctlBind, sizeof(BindParams), 0, STATUS_INVALID_PARAMETER, &SocketFile::bind },
    { kIoctlListen, sizeof(ListenParams), 0, STATUS_INVALID_PARAMETER, &SocketFile::listen },
    { kIoctlAccept, 0, sizeof(ULONG), STATUS_BUFFER_TOO_SMALL, &SocketFile::accept },
    { kIoctlAcceptInto, sizeof(AcceptIntoParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::accept_into },
    { kIoctlAcceptHere, sizeof(AcceptIntoParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::accept_into },
    { kIoctlDefer, sizeof(ULONG), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::defer },
    { kIoctlConnect, sizeof(ConnectParams), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::connect },
    { kIoctlShutdown, sizeof(LONG), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::shut_down },
    { kIoctlShutdownHere, sizeof(LONG), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::shut_down },
    { kIoctlGetSockName, 0, 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::local_name },
    { kIoctlGetPeerName, 0, 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::peer_name },
    { kIoctlFionbio, sizeof(LONG), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::set_nonblocking },
    { kIoctlFionread, 0, sizeof(LONG), STATUS_BUFFER_TOO_SMALL, &SocketFile::readable },
    { kIoctlSiocAtMark, 0, sizeof(LONG), STATUS_BUFFER_TOO_SMALL, &SocketFile::at_mark },
    { kIoctlGetInfo, 0, sizeof(InfoResult), STATUS_BUFFER_TOO_SMALL, &SocketFile::info },
    { kIoctlCompleteAsync, sizeof(NTSTATUS), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::complete_async },
    { kIoctlKeepaliveVals, sizeof(KeepaliveParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::keepalive_values },
    { kIoctlTransmit, sizeof(TransmitParams), 0, STATUS_BUFFER_TOO_SMALL, &SocketFile::transmit },
    { kIoctlGetMode, 0, sizeof(ULONG), STATUS_BUFFER_TOO_SMALL, &SocketFile::get_mode },
    { kIoctlTransmitView, sizeof(TransmitViewParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::transmit_view },
    { kIoctlGetSourceFilter, sizeof(SourceFilterParams), sizeof(SourceFilterParams),
        STATUS_BUFFER_TOO_SMALL, &SocketFile::get_source_filter },
    { kIoctlSetSourceFilter, sizeof(SourceFilterParams), 0, STATUS_BUFFER_TOO_SMALL,
        &SocketFile::set_source_filter },
    // They need a host with windows or network adapters.
    { kIoctlMessageSelect, 0, 0, STATUS_SUCCESS, &SocketFile::not_supported },
    { kIoctlGetInterfaceList, 0, 0, STATUS_SUCCESS, &SocketFile::not_supported },
    { kIoctlAddressListChange, 0, 0, STATUS_SUCCESS, &SocketFile::not_supported },
};

NTSTATUS SocketFile::open(Mode mode, ob::Ref<io::File>& file)
{
    file = ob::Ref<io::File>::adopt(ke::pool_new<SocketFile>(mode));
    return file ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

NTSTATUS SocketFile::by_handle(HANDLE handle, ob::Ref<SocketFile>& socket)
{
    ob::Ref<io::File> file;
    const NTSTATUS status = ob::HandleTable::current().reference(handle, 0, file);
    if (!NT_SUCCESS(status))
        return status;
    if (file->device() != &g_device)
        return STATUS_OBJECT_TYPE_MISMATCH;
    auto found = ob::Ref<SocketFile>::adopt(static_cast<SocketFile*>(file.release()));
    if (!found->m_is_created.load(std::memory_order_acquire))
        return STATUS_BAD_DEVICE_TYPE;
    socket = std::move(found);
    return STATUS_SUCCESS;
}

SocketFile::SocketFile(Mode mode)
    : Endpoint(mode)
{
}

NTSTATUS SocketFile::dispatch(io::Irp& irp, ULONG_PTR& information)
{
    const SocketUse use(*this);
    if (!use.is_valid())
        return STATUS_INVALID_HANDLE; // closed since the service looked the handle up
    if (is_of_host() && m_is_left_to_host.load(std::memory_order_acquire))
        return ntke::kPassDown;
    switch (irp.parameters().operation) {
    case io::Operation::Read:
        return m_is_created ? read(irp, information) : STATUS_BAD_DEVICE_TYPE;
    case io::Operation::Write:
        return m_is_created ? write(irp, information) : STATUS_BAD_DEVICE_TYPE;
    case io::Operation::Registered:
        return registered(irp, information);
    case io::Operation::DeviceControl:
        break;
    }
    return control(irp, information);
}

NTSTATUS SocketFile::control(io::Irp& irp, ULONG_PTR& information)
{
    const io::Parameters& parameters = irp.parameters();
    const IoctlRow* row = nullptr;
    for (const IoctlRow& candidate : kIoctls) {
        if (candidate.code == parameters.code) {
            row = &candidate;
            break;
        }
    }
    const OptionRow* option_row = row ? nullptr : find_option(parameters.code);
    if (!row && !option_row) {
        constexpr ULONG kDeviceOfWinsock = 0x12;
        return parameters.code >> 16 == kDeviceOfWinsock ? STATUS_NOT_SUPPORTED
                                                         : STATUS_INVALID_DEVICE_REQUEST;
    }
    const bool is_for_any_handle = row
        && (row->code == kIoctlCreate || row->code == kIoctlPoll
            || (is_of_host() && (row->code == kIoctlCompleteAsync || row->code == kIoctlConnect)));
    if (!is_for_any_handle && !m_is_created.load(std::memory_order_acquire)
        && !m_is_accepted_into.load(std::memory_order_acquire))
        return STATUS_BAD_DEVICE_TYPE;
    if (row && (parameters.input_length < row->input || parameters.output_length < row->output))
        return row->too_short;
    for (const NTSTATUS status : { nt::probe(parameters.input, parameters.input_length, 1),
             nt::probe(parameters.output, parameters.output_length, 1) }) {
        if (!NT_SUCCESS(status))
            return status;
    }
    return row ? (this->*row->handler)(irp, information) : option(*option_row, irp, information);
}

NTSTATUS SocketFile::not_supported(io::Irp&, ULONG_PTR&)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS SocketFile::create(io::Irp& irp, ULONG_PTR&)
{
    const auto params = input_of<CreateParams>(irp);
    if (irp.parameters().input_length != sizeof(params))
        return STATUS_INVALID_PARAMETER;
    HostSocket created;
    if (const NTSTATUS status = created.create(params.family, params.type, params.protocol);
        !NT_SUCCESS(status))
        return status;
    constexpr int kTypeRaw = 3;
    const uint32_t flags
        = params.type == kTypeRaw ? ntke::kSocketBound : 0u; // needs no address to receive
    const SocketState state
        = params.type == kTypeStream ? SocketState::Unconnected : SocketState::Datagram;
    return become_socket(created, params, state, flags);
}

NTSTATUS SocketFile::become_socket(
    HostSocket& created, const CreateParams& params, SocketState state, uint32_t flags)
{
    ke::LockGuard guard(m_lock);
    if (m_is_created.load(std::memory_order_relaxed)) {
        created.close();
        return STATUS_INVALID_PARAMETER; // others may be using the first one
    }
    m_socket.adopt(created.descriptor());
    m_family = params.family;
    m_type = params.type;
    m_protocol = params.protocol;
    m_state.store(state);
    if (state == SocketState::Connected) {
        m_socket.peer_name(m_peer);
        m_connect_time = ke::interrupt_time();
    }
    add_flags(flags);
    m_has_descriptor = true;
    m_is_created.store(true, std::memory_order_release);
    return STATUS_SUCCESS;
}

} // namespace afd
