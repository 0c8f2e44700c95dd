// ioctlsocket, WSAIoctl.
#include "ioctl.h"

#include "error.h"
#include "extension.h"
#include "guard.h"
#include "option.h"
#include "rio.h"

namespace ws2 {

int take_input(const IoctlCall& call, void* value, DWORD size)
{
    if (!call.input || call.input_length < size || !guard::copy(value, call.input, size))
        return WSAEFAULT;
    return 0;
}

int give_output(IoctlCall& call, const void* value, DWORD size)
{
    if (!call.output || call.output_length < size || !guard::copy(call.output, value, size))
        return WSAEFAULT;
    call.returned = size;
    return 0;
}

static int error_of(NTSTATUS status)
{
    return NT_SUCCESS(status) ? 0 : error_from_status(status);
}

// --- The codes of ioctlsocket.

static int set_nonblocking(IoctlCall& call)
{
    u_long nonblocking;
    if (const int error = take_input(call, &nonblocking, sizeof(nonblocking)))
        return error;
    const DWORD flag = nonblocking != 0;
    const NTSTATUS status
        = afd_call(*call.socket, afd::kIoctlFionbio, &flag, sizeof(flag), nullptr, 0);
    if (!NT_SUCCESS(status))
        return call.tell(0, error_from_status(status)); // [WSAIoctl/6]
    call.socket->nonblocking = flag;
    return 0;
}

static int get_readable_bytes(IoctlCall& call)
{
    if (!call.output || call.output_length < sizeof(u_long)
        || !guard::is_writable(call.output, sizeof(u_long)))
        return WSAEFAULT;
    u_long bytes = 0;
    const NTSTATUS status
        = afd_call(*call.socket, afd::kIoctlFionread, nullptr, 0, &bytes, sizeof(bytes));
    return NT_SUCCESS(status) ? give_output(call, &bytes, sizeof(bytes))
                              : error_from_status(status);
}

static int is_at_mark(IoctlCall& call)
{
    BOOL at_mark = 0;
    if (!call.output || call.output_length < sizeof(at_mark))
        return WSAEFAULT;
    const NTSTATUS status
        = afd_call(*call.socket, afd::kIoctlSiocAtMark, nullptr, 0, &at_mark, sizeof(at_mark));
    return NT_SUCCESS(status) ? give_output(call, &at_mark, sizeof(at_mark))
                              : error_from_status(status);
}

// --- Handles and functions.

/// There are no layered providers: the socket is its own base. Who asks is about to send requests
/// past us, polls mostly, so ntke must know what the handle is. [WSAIoctl/9]
static int get_base_handle(IoctlCall& call)
{
    if (call.overlapped)
        return kIoctlUnsupported;
    filter::usable_endpoint(*call.socket);
    const SOCKET base = socket_from_handle(call.socket->handle);
    return give_output(call, &base, sizeof(base));
}

static int get_extension(IoctlCall& call)
{
    GUID guid;
    if (const int error = take_input(call, &guid, sizeof(guid)))
        return error;
    if (!call.output || call.output_length < sizeof(void*))
        return WSAEFAULT;
    void* const function = find_extension(guid);
    return function ? give_output(call, &function, sizeof(function)) : WSAEINVAL;
}

/// SIO_TCP_INFO. Only ntke knows the figures of a connection. [WSAIoctl/22]
static int get_tcp_info(IoctlCall& call)
{
    if (!call.socket->is_stream())
        return kIoctlUnsupported;
    DWORD version;
    if (const int error = take_input(call, &version, sizeof(version)))
        return error;
    if (version > 1)
        return WSAEINVAL;
    const DWORD size = version ? sizeof(afd::TcpInfo) : afd::kTcpInfoV0Size;
    if (!call.output || call.output_length < size)
        return WSAEFAULT;
    afd::TcpInfo info {};
    const NTSTATUS status
        = afd_call(*call.socket, afd::kIoctlGetTcpInfo, nullptr, 0, &info, sizeof(info));
    if (status == STATUS_NOT_SUPPORTED)
        return kIoctlUnsupported;
    return NT_SUCCESS(status) ? give_output(call, &info, size) : error_from_status(status);
}

static int get_extension_table(IoctlCall& call)
{
    GUID guid;
    if (const int error = take_input(call, &guid, sizeof(guid)))
        return error;
    if (!IsEqualGUID(guid, sdk::kMultipleRio))
        return WSAEINVAL;
    const sdk::RioTable table = rio::functions();
    return give_output(call, &table, sizeof(table));
}

// --- Settings.

static int set_keepalive_times(IoctlCall& call)
{
    if (!call.socket->is_stream())
        return kIoctlUnsupported;
    afd::KeepaliveParams params;
    if (take_input(call, &params, sizeof(params)))
        return call.tell(0, WSAEFAULT);
    return error_of(
        afd_call(*call.socket, afd::kIoctlKeepaliveVals, &params, sizeof(params), nullptr, 0));
}

/// SIO_UDP_CONNRESET. Programs pass a BOOL or a single byte.
static int set_reports_unreachable(IoctlCall& call)
{
    if (call.socket->is_stream())
        return kIoctlUnsupported;
    BOOL reports = 0;
    if (const int error
        = take_input(call, &reports, call.input_length < sizeof(reports) ? 1 : sizeof(reports)))
        return error;
    call.socket->reports_unreachable = reports != 0;
    return 0;
}

/// Settings of the Windows stack that Linux' has no use for. [WSAIoctl/12]
static int accept_setting(IoctlCall& call)
{
    DWORD setting;
    return take_input(call, &setting, sizeof(setting));
}

static int accept_stream_setting(IoctlCall& call)
{
    return call.socket->is_stream() ? accept_setting(call) : kIoctlUnsupported;
}

static int enable_circular_queueing(IoctlCall& call)
{
    return call.socket->is_stream() ? kIoctlUnsupported : 0;
}

static int refuse_qos(IoctlCall&)
{
    return WSAENOPROTOOPT; // [WSAIoctl/11]
}

static int set_multicast(IoctlCall& call, ULONG ipv4_code, ULONG ipv6_code)
{
    if (call.socket->is_stream())
        return kIoctlUnsupported;
    DWORD value;
    if (const int error = take_input(call, &value, sizeof(value)))
        return error;
    return error_of(afd_call(*call.socket, call.socket->family == AF_INET6 ? ipv6_code : ipv4_code,
        &value, sizeof(value), nullptr, 0));
}

static int set_multipoint_loopback(IoctlCall& call)
{
    return set_multicast(call, afd::kIoctlSetIpMulticastLoop, afd::kIoctlSetIpv6MulticastLoop);
}

static int set_multicast_scope(IoctlCall& call)
{
    return set_multicast(call, afd::kIoctlSetIpMulticastTtl, afd::kIoctlSetIpv6MulticastHops);
}

/// What passes the computer is for raw sockets, and Linux gives it to none. [WSAIoctl/25]
static int refuse_receive_all(IoctlCall& call)
{
    return call.socket->type == SOCK_RAW ? kIoctlUnsupported : WSAEINVAL;
}

// --- The ideal send backlog: how much to keep in flight. [WSAIoctl/13]

static int check_backlog(IoctlCall& call)
{
    if (!call.socket->is_stream())
        return kIoctlUnsupported;
    if (call.socket->connected)
        return 0;
    SOCKADDR_STORAGE peer;
    return error_of(
        afd_call(*call.socket, afd::kIoctlGetPeerName, nullptr, 0, &peer, sizeof(SOCKADDR_IN6)));
}

static int get_ideal_backlog(IoctlCall& call)
{
    if (const int error = check_backlog(call))
        return error;
    constexpr ULONG kBacklog = 0x10000; // bytes; Linux adapts its buffers by itself
    return give_output(call, &kBacklog, sizeof(kBacklog));
}

/// The figure above never changes, so this waits for what may make programs ask again.
static int wait_for_backlog_change(IoctlCall& call)
{
    const int error = check_backlog(call);
    return error ? error : wait_for_address_change(call);
}

int wait_for_address_change(IoctlCall& call)
{
    const DWORD force_async = call.overlapped != nullptr;
    if (call.overlapped) {
        kernel::Completion completion;
        if (!completion_from_overlapped(call.overlapped, call.routine, completion))
            return WSAEFAULT;
        call.status = afd_call_overlapped(*call.socket, completion, afd::kIoctlAddressListChange,
            &force_async, sizeof(force_async), nullptr, 0);
    } else if (call.socket->nonblocking) {
        return WSAEWOULDBLOCK;
    } else {
        call.status = afd_call_and_wait(call.socket, afd::kIoctlAddressListChange, &force_async,
            sizeof(force_async), nullptr, 0, Alertable::kNo);
    }
    return kIoctlDone;
}

// --- The table.

namespace {

struct IoctlRow {
    DWORD code;
    IoctlHandler* handler;
    /// The request reaches the protocol even when it then fails: its OVERLAPPED says pending, and
    /// only its completion tells a size. [WSAIoctl/5]
    bool starts_request = false;
};

constexpr DWORD kFionbio = FIONBIO;
constexpr DWORD kFionread = FIONREAD;
constexpr DWORD kSiocAtMark = SIOCATMARK;
constexpr DWORD kSetCompatibilityMode = 0x9800012C;
constexpr DWORD kSetPriorityHint = 0x98000018;
constexpr DWORD kTcpInfo = 0xD8000027;
constexpr DWORD kUdpNetReset = 0x9800000F;
constexpr DWORD kSetGroupFilter = _IOW('t', 126, u_long); // SIOCSMSFILTER
constexpr DWORD kGetGroupFilter = _IOW('t', 127 | IOC_IN, u_long); // SIOCGMSFILTER
constexpr DWORD kIdealSendBacklogQuery = 0x4004747B;
constexpr DWORD kIdealSendBacklogChange = 0x2000747A;

// What is not here is unsupported: FIOASYNC, SIO_FLUSH, SIO_ASSOCIATE_HANDLE, SIO_FIND_ROUTE,
// SIO_TRANSLATE_HANDLE, SIO_CPU_AFFINITY, the port reservations. [WSAIoctl/4]
constexpr IoctlRow kIoctls[] = {
    { kFionbio, set_nonblocking },
    { kFionread, get_readable_bytes },
    { kSiocAtMark, is_at_mark },
    { SIO_GET_EXTENSION_FUNCTION_POINTER, get_extension },
    { sdk::kGetMultipleExtensionFunctionPointer, get_extension_table },
    { SIO_BASE_HANDLE, get_base_handle },
    { SIO_BSP_HANDLE, get_base_handle },
    { SIO_BSP_HANDLE_SELECT, get_base_handle },
    { SIO_BSP_HANDLE_POLL, get_base_handle },
    { SIO_QUERY_TARGET_PNP_HANDLE, get_base_handle },
    { kTcpInfo, get_tcp_info },
    { SIO_KEEPALIVE_VALS, set_keepalive_times, true },
    { SIO_UDP_CONNRESET, set_reports_unreachable },
    { kUdpNetReset, set_reports_unreachable },
    { SIO_LOOPBACK_FAST_PATH, accept_setting },
    { SIO_TCP_INITIAL_RTO, accept_stream_setting },
    { kSetCompatibilityMode, accept_setting },
    { kSetPriorityHint, accept_setting },
    { SIO_ENABLE_CIRCULAR_QUEUEING, enable_circular_queueing },
    { SIO_MULTIPOINT_LOOPBACK, set_multipoint_loopback },
    { SIO_MULTICAST_SCOPE, set_multicast_scope },
    { SIO_GET_QOS, refuse_qos },
    { SIO_SET_QOS, refuse_qos },
    { SIO_GET_GROUP_QOS, refuse_qos },
    { SIO_SET_GROUP_QOS, refuse_qos },
    { SIO_GET_BROADCAST_ADDRESS, get_broadcast_address },
    { SIO_ADDRESS_LIST_QUERY, query_address_list },
    { SIO_ADDRESS_LIST_SORT, sort_address_list },
    { SIO_ADDRESS_LIST_CHANGE, wait_for_address_change },
    { SIO_ROUTING_INTERFACE_QUERY, query_routing_interface },
    // A route changes when an address does.
    { SIO_ROUTING_INTERFACE_CHANGE, wait_for_address_change },
    { SIO_GET_INTERFACE_LIST, get_interface_addresses },
    { kIdealSendBacklogQuery, get_ideal_backlog },
    { kIdealSendBacklogChange, wait_for_backlog_change },
    { SIO_GET_MULTICAST_FILTER, get_ipv4_filter },
    { SIO_SET_MULTICAST_FILTER, set_ipv4_filter },
    { kGetGroupFilter, get_group_filter },
    { kSetGroupFilter, set_group_filter },
    { SIO_RCVALL, refuse_receive_all },
    { SIO_RCVALL_MCAST, refuse_receive_all },
    { SIO_RCVALL_IGMPMCAST, refuse_receive_all },
};

const IoctlRow* find_ioctl(DWORD code)
{
    for (const IoctlRow& row : kIoctls) {
        if (row.code == code)
            return &row;
    }
    return nullptr;
}

/// Completes a call that was carried out here. Success needs no more bytes in the status block
/// than none: the size goes through lpcbBytesReturned. [WSAIoctl/3]
int complete(IoctlCall& call, NTSTATUS status)
{
    if (!call.overlapped)
        return 0;
    kernel::Completion completion;
    if (!completion_from_overlapped(call.overlapped, call.routine, completion))
        return WSAEFAULT;
    const NTSTATUS answer = complete_overlapped(*call.socket, completion, status);
    // The device leaves the event of a failure alone.
    if (!NT_SUCCESS(status) && completion.event)
        kernel::set_event(completion.event);
    return answer == status ? 0 : error_from_status(answer);
}

int finish_unsupported(IoctlCall& call, DWORD* returned)
{
    if (!call.overlapped) {
        guard::write(returned, DWORD { 0 });
        return fail(WSAEOPNOTSUPP);
    }
    const int error = complete(call, STATUS_NOT_SUPPORTED);
    return fail(error ? error : WSA_IO_PENDING);
}

} // namespace

} // namespace ws2

using namespace ws2;

int WSAAPI WSAIoctl(SOCKET s, DWORD code, void* input, DWORD input_length, void* output,
    DWORD output_length, DWORD* returned, WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (!returned || !guard::is_writable(returned, sizeof(*returned)))
        return fail(WSAEFAULT); // [WSAIoctl/2]

    IoctlCall call { .socket = socket,
        .input = input,
        .input_length = input_length,
        .output = output,
        .output_length = output_length,
        .overlapped = overlapped,
        .routine = routine };
    const IoctlRow* row = find_ioctl(code);
    const bool starts_request = row && row->starts_request && overlapped;
    if (starts_request && !guard::write(&overlapped->Internal, ULONG_PTR { STATUS_PENDING }))
        return fail(WSAEFAULT);
    int error = row ? row->handler(call) : kIoctlUnsupported;
    if (error == kIoctlUnsupported)
        return finish_unsupported(call, returned);
    if (error == kIoctlDone)
        return result_from_status(call.status);

    if (!starts_request && (!error || call.tells_returned))
        guard::write(returned, call.returned);
    if (!error)
        error = complete(call, STATUS_SUCCESS);
    return error ? fail(error) : succeed();
}

int WSAAPI ioctlsocket(SOCKET s, long command, u_long* argument)
{
    DWORD returned;
    return WSAIoctl(s, command, argument, sizeof(*argument), argument, sizeof(*argument), &returned,
        nullptr, nullptr);
}
