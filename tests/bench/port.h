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

/// Is this the packet of a receive that will get no more? A pipe tells its end by a status.
bool is_end_of_stream(const OVERLAPPED_ENTRY& packet);

/// One end of a connection on a port, with at most one receive and one send under way. The buffers
/// are the caller's and stay until the operation is over, as the object itself does.
class PortStream {
public:
    virtual ~PortStream() = default;

    bool attach(Port& port, ULONG_PTR key, OnSuccess on_success);
    virtual void close() = 0;

    /// `moved` receives the number of bytes if the result is Done; 0 is the end of the stream.
    Started receive(void* data, DWORD length, DWORD& moved);
    Started send(const void* data, DWORD length, DWORD& moved);

    /// Is this the packet of the receive? Otherwise it is the send's.
    bool is_receive(const OVERLAPPED_ENTRY& packet) const
    {
        return packet.lpOverlapped == &m_receiving;
    }

private:
    virtual HANDLE handle() const = 0;
    /// The system's calls: false with the last error when not done at once.
    virtual bool begin_receive(void* data, DWORD length, DWORD& moved, OVERLAPPED& operation) = 0;
    virtual bool begin_send(const void* data, DWORD length, DWORD& moved, OVERLAPPED& operation)
        = 0;
    Started started(bool is_done) const;

    OnSuccess m_on_success = OnSuccess::Packet;
    OVERLAPPED m_receiving = {};
    OVERLAPPED m_sending = {};
};

class SocketStream : public PortStream {
public:
    explicit SocketStream(UniqueSocket connected)
        : m_socket(std::move(connected))
    {
    }
    void close() override { m_socket.reset(); }

private:
    HANDLE handle() const override { return reinterpret_cast<HANDLE>(m_socket.get()); }
    bool begin_receive(void* data, DWORD length, DWORD& moved, OVERLAPPED& operation) override;
    bool begin_send(const void* data, DWORD length, DWORD& moved, OVERLAPPED& operation) override;

    UniqueSocket m_socket;
};

/// An end of a named pipe, which the object owns.
class PipeStream : public PortStream {
public:
    explicit PipeStream(HANDLE pipe)
        : m_pipe(pipe)
    {
    }
    ~PipeStream() override { close(); }
    void close() override;

private:
    HANDLE handle() const override { return m_pipe; }
    bool begin_receive(void* data, DWORD length, DWORD& moved, OVERLAPPED& operation) override;
    bool begin_send(const void* data, DWORD length, DWORD& moved, OVERLAPPED& operation) override;

    HANDLE m_pipe;
};

} // namespace bench
