// Ending the directions of a connection.
#include "afd/socket_file.h"

namespace afd {

namespace {

enum Direction : int32_t { kReceive, kSend, kBoth };

} // namespace

NTSTATUS SocketFile::shut_down(io::Irp& irp, ULONG_PTR&)
{
    const auto direction = input_of<int32_t>(irp);
    settle_now();
    if (is_stream() && state() != SocketState::Connected)
        return STATUS_INVALID_CONNECTION;
    if (direction < kReceive || direction > kBoth)
        return STATUS_INVALID_PARAMETER;

    Completions done;
    ke::LockGuard guard(m_lock);
    // Pending receives go on; new ones are refused. [shutdown/12]
    if (direction != kSend)
        add_flags(ntke::kSocketReceiveShutDown);
    if (direction != kReceive && !has(ntke::kSocketSendShutDown)) {
        add_flags(ntke::kSocketSendShutDown);
        if (has_older_sends())
            m_is_ending = true; // after what is on its way
        else
            end_stream();
    }
    serve_polls(done);
    return STATUS_SUCCESS;
}

void SocketFile::end_stream()
{
    constexpr int kHowSend = 1;
    m_is_ending = false;
    if (is_stream())
        m_socket.shutdown(kHowSend);
}

} // namespace afd
