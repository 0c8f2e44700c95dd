#pragma once

// Completion ports and the connections on them.

#include "loopback.h"

namespace bench {

/// What a port tells of an operation that succeeds at once.
enum class OnSuccess {
    Packet, // as of any other
    Skip, // nothing; the caller knows it (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS)
};

/// Owns a completion port.
class Port {
public:
    Port() = default;
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port();

    bool open();
    HANDLE get() const { return m_port; }
    bool associate(HANDLE file, ULONG_PTR key, OnSuccess on_success);

    /// A packet without an operation.
    bool post(ULONG_PTR key);

    /// Waits for packets, and takes `most` of them or fewer. 0 on failure.
    ULONG remove(OVERLAPPED_ENTRY* packets, ULONG most);

private:
    HANDLE m_port = nullptr;
};

/// The status of an operation: the upper half of the field is not defined.
inline bool has_succeeded(const OVERLAPPED_ENTRY& packet)
{
    return static_cast<LONG>(packet.Internal) >= 0;
}

/// How an overlapped call has begun.
enum class Started {
    Pending, // A packet will tell.
    Done, // It is over, and no packet comes.
    Failed,
};

/// One end of a connection on a port, with at most one receive and one send under way. The buffers
/// are the caller's and stay until the operation is over, as the object itself does.
class PortStream {
public:
    bool attach(UniqueSocket socket, Port& port, ULONG_PTR key, OnSuccess on_success);
    void close() { m_socket.reset(); }

    /// `moved` receives the number of bytes if the result is Done.
    Started receive(void* data, DWORD length, DWORD& moved);
    Started send(const void* data, DWORD length, DWORD& moved);

    /// Is this the packet of the receive? Otherwise it is the send's.
    bool is_receive(const OVERLAPPED_ENTRY& packet) const
    {
        return packet.lpOverlapped == &m_receiving;
    }

private:
    Started started(int result) const;

    UniqueSocket m_socket;
    OnSuccess m_on_success = OnSuccess::Packet;
    OVERLAPPED m_receiving = {};
    OVERLAPPED m_sending = {};
};

} // namespace bench
