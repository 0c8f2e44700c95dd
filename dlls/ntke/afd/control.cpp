// The small requests: modes and questions.
#include <algorithm>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "afd/socket_file.h"
#include "ke/user_memory.h"

namespace afd {

namespace {

NTSTATUS tell_number(int32_t number, const io::Irp& irp)
{
    return ke::write_user(irp.parameters().output, &number, sizeof(number))
        ? STATUS_SUCCESS
        : STATUS_ACCESS_VIOLATION;
}

} // namespace

NTSTATUS SocketFile::set_nonblocking(io::Irp& irp, ULONG_PTR&)
{
    const bool is_nonblocking = input_of<int32_t>(irp) != 0;
    ke::LockGuard guard(m_lock);
    if (!is_nonblocking && m_record.mask())
        return STATUS_INVALID_PARAMETER; // as long as events are selected [ioctlsocket/4]
    change_mode(is_nonblocking);
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::readable(io::Irp& irp, ULONG_PTR&)
{
    return tell_number(can_transfer() ? static_cast<int32_t>(bytes_to_read()) : 0, irp);
}

/// In Winsock's sense: is there no urgent data ahead?
NTSTATUS SocketFile::at_mark(io::Irp& irp, ULONG_PTR&)
{
    const bool has_urgent = !has(ntke::kSocketOobInline) && state() == SocketState::Connected
        && (m_socket.ready_now() & kReadyUrgent);
    return tell_number(!has_urgent, irp);
}

NTSTATUS SocketFile::info(io::Irp& irp, ULONG_PTR& information)
{
    const InfoResult result { m_family, m_type, m_protocol };
    if (!ke::write_user(irp.parameters().output, &result, sizeof(result)))
        return STATUS_ACCESS_VIOLATION;
    information = sizeof(result);
    return STATUS_SUCCESS;
}

/// Ends with the caller's status, which is told like the end of any request.
NTSTATUS SocketFile::complete_async(io::Irp& irp, ULONG_PTR&)
{
    if (irp.parameters().input_length != sizeof(NTSTATUS))
        return STATUS_BUFFER_TOO_SMALL;
    const auto status = input_of<NTSTATUS>(irp);
    if (status == STATUS_PENDING)
        return STATUS_INVALID_PARAMETER;
    irp.tell_also_errors();
    return status;
}

NTSTATUS SocketFile::keepalive_values(io::Irp& irp, ULONG_PTR&)
{
    if (!is_stream())
        return STATUS_NOT_SUPPORTED;
    const auto params = input_of<KeepaliveParams>(irp);
    const int is_on = params.on != 0;
    NTSTATUS status = m_socket.set_option(SOL_SOCKET, SO_KEEPALIVE, &is_on, sizeof(is_on));
    if (!NT_SUCCESS(status) || !is_on)
        return status;
    constexpr uint32_t kMillisecondsPerSecond = 1000;
    const auto idle = static_cast<int>(std::max(params.idle / kMillisecondsPerSecond, 1u));
    const auto interval = static_cast<int>(std::max(params.interval / kMillisecondsPerSecond, 1u));
    status = m_socket.set_option(IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    if (NT_SUCCESS(status))
        status = m_socket.set_option(IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    return status;
}

} // namespace afd
