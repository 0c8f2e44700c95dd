#include "workloads.h"
#include "bulk.h"
#include "port.h"

#include <optional>

namespace bench {

namespace {

/// A Stream of overlapped transfers, one at a time, on a port of its own in skip mode.
class WaitingPortStream {
public:
    bool attach(UniqueSocket connected)
    {
        m_stream.emplace(std::move(connected));
        return m_port.open() && m_stream->attach(m_port, 0, OnSuccess::Skip);
    }
    void close()
    {
        if (m_stream)
            m_stream->close();
    }
    bool send(const void* data, size_t length)
    {
        DWORD moved = 0;
        const Started started = m_stream->send(data, static_cast<DWORD>(length), moved);
        return finish(started, moved) && moved == length;
    }
    bool receive(void* data, size_t length)
    {
        char* next = static_cast<char*>(data);
        while (length) {
            DWORD moved = 0;
            const Started started = m_stream->receive(next, static_cast<DWORD>(length), moved);
            if (!finish(started, moved) || !moved)
                return false;
            next += moved;
            length -= moved;
        }
        return true;
    }

private:
    bool finish(Started started, DWORD& moved)
    {
        if (started != Started::Pending)
            return started == Started::Done;
        OVERLAPPED_ENTRY packet;
        if (m_port.remove(&packet, 1) != 1 || !has_succeeded(packet))
            return false;
        moved = packet.dwNumberOfBytesTransferred;
        return true;
    }

    Port m_port;
    std::optional<SocketStream> m_stream;
};

} // namespace

std::vector<WorkloadRow> iocp_bulk_workloads()
{
    return { { "iocp_bulk_64k", Unit::MegabytesPerSecond, create<Bulk<WaitingPortStream>>, 0,
        kBulkLength } };
}

} // namespace bench
