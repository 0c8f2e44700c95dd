#include "port.h"

namespace bench {

Port::~Port()
{
    if (m_port)
        CloseHandle(m_port);
}

bool Port::open()
{
    m_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
    return m_port != nullptr;
}

bool Port::associate(HANDLE file, ULONG_PTR key, OnSuccess on_success)
{
    // What all runtimes with ports do: nobody waits for the handle itself.
    const UCHAR modes = on_success == OnSuccess::Skip
        ? FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE
        : FILE_SKIP_SET_EVENT_ON_HANDLE;
    return CreateIoCompletionPort(file, m_port, key, 0) == m_port
        && SetFileCompletionNotificationModes(file, modes);
}

bool Port::post(ULONG_PTR key)
{
    return PostQueuedCompletionStatus(m_port, 0, key, nullptr);
}

ULONG Port::remove(OVERLAPPED_ENTRY* packets, ULONG most)
{
    ULONG count = 0;
    return GetQueuedCompletionStatusEx(m_port, packets, most, &count, INFINITE, FALSE) ? count : 0;
}

bool is_end_of_stream(const OVERLAPPED_ENTRY& packet)
{
    constexpr LONG kPipeBroken = static_cast<LONG>(0xC000014B); // STATUS_PIPE_BROKEN
    return has_succeeded(packet) ? !packet.dwNumberOfBytesTransferred
                                 : static_cast<LONG>(packet.Internal) == kPipeBroken;
}

bool PortStream::attach(Port& port, ULONG_PTR key, OnSuccess on_success)
{
    m_on_success = on_success;
    return port.associate(handle(), key, on_success);
}

Started PortStream::receive(void* data, DWORD length, DWORD& moved)
{
    m_receiving = {};
    if (begin_receive(data, length, moved, m_receiving))
        return started(true);
    if (GetLastError() != ERROR_BROKEN_PIPE)
        return started(false);
    moved = 0;
    return Started::Done;
}

Started PortStream::send(const void* data, DWORD length, DWORD& moved)
{
    m_sending = {};
    return started(begin_send(data, length, moved, m_sending));
}

Started PortStream::started(bool is_done) const
{
    if (!is_done)
        return GetLastError() == ERROR_IO_PENDING ? Started::Pending : Started::Failed;
    return m_on_success == OnSuccess::Skip ? Started::Done : Started::Pending;
}

bool SocketStream::begin_receive(void* data, DWORD length, DWORD& moved, OVERLAPPED& operation)
{
    WSABUF buffer = { length, static_cast<char*>(data) };
    DWORD flags = 0;
    return !WSARecv(m_socket.get(), &buffer, 1, &moved, &flags, &operation, nullptr);
}

bool SocketStream::begin_send(const void* data, DWORD length, DWORD& moved, OVERLAPPED& operation)
{
    WSABUF buffer = { length, const_cast<char*>(static_cast<const char*>(data)) };
    return !WSASend(m_socket.get(), &buffer, 1, &moved, 0, &operation, nullptr);
}

void PipeStream::close()
{
    if (m_pipe != INVALID_HANDLE_VALUE)
        CloseHandle(m_pipe);
    m_pipe = INVALID_HANDLE_VALUE;
}

bool PipeStream::begin_receive(void* data, DWORD length, DWORD& moved, OVERLAPPED& operation)
{
    return ReadFile(m_pipe, data, length, &moved, &operation);
}

bool PipeStream::begin_send(const void* data, DWORD length, DWORD& moved, OVERLAPPED& operation)
{
    return WriteFile(m_pipe, data, length, &moved, &operation);
}

} // namespace bench
