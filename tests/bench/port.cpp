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

bool PortStream::attach(UniqueSocket socket, Port& port, ULONG_PTR key, OnSuccess on_success)
{
    m_socket = std::move(socket);
    m_on_success = on_success;
    return port.associate(reinterpret_cast<HANDLE>(m_socket.get()), key, on_success);
}

Started PortStream::receive(void* data, DWORD length, DWORD& moved)
{
    WSABUF buffer = { length, static_cast<char*>(data) };
    DWORD flags = 0;
    m_receiving = {};
    return started(WSARecv(m_socket.get(), &buffer, 1, &moved, &flags, &m_receiving, nullptr));
}

Started PortStream::send(const void* data, DWORD length, DWORD& moved)
{
    WSABUF buffer = { length, const_cast<char*>(static_cast<const char*>(data)) };
    m_sending = {};
    return started(WSASend(m_socket.get(), &buffer, 1, &moved, 0, &m_sending, nullptr));
}

Started PortStream::started(int result) const
{
    if (result)
        return WSAGetLastError() == WSA_IO_PENDING ? Started::Pending : Started::Failed;
    return m_on_success == OnSuccess::Skip ? Started::Done : Started::Pending;
}

} // namespace bench
