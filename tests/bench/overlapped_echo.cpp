#include "workloads.h"
#include "echo.h"
#include "thread.h"

namespace bench {

namespace {

/// A connection whose transfers are overlapped with an event each and are waited for one by one, as
/// programs do that want to give up waiting for another reason.
class EventStream {
public:
    bool attach(UniqueSocket socket)
    {
        m_socket = std::move(socket);
        m_receiving = m_sending = {};
        m_receiving.hEvent = WSACreateEvent();
        m_sending.hEvent = WSACreateEvent();
        return m_receiving.hEvent && m_sending.hEvent;
    }
    ~EventStream()
    {
        m_socket.reset();
        for (const OVERLAPPED* operation : { &m_receiving, &m_sending }) {
            if (operation->hEvent)
                WSACloseEvent(operation->hEvent);
        }
    }
    void close() { m_socket.reset(); }

    /// `moved` receives the number of bytes.
    bool receive(void* data, DWORD length, DWORD& moved)
    {
        WSABUF buffer = { length, static_cast<char*>(data) };
        DWORD flags = 0;
        return finish(WSARecv(m_socket.get(), &buffer, 1, nullptr, &flags, &m_receiving, nullptr),
            m_receiving, moved);
    }
    bool send(const void* data, DWORD length)
    {
        WSABUF buffer = { length, const_cast<char*>(static_cast<const char*>(data)) };
        DWORD moved = 0;
        return finish(WSASend(m_socket.get(), &buffer, 1, nullptr, 0, &m_sending, nullptr),
                   m_sending, moved)
            && moved == length;
    }

private:
    bool finish(int result, OVERLAPPED& operation, DWORD& moved)
    {
        DWORD flags = 0;
        if (result && WSAGetLastError() != WSA_IO_PENDING)
            return false;
        return WSAWaitForMultipleEvents(1, &operation.hEvent, FALSE, WSA_INFINITE, FALSE)
            == WSA_WAIT_EVENT_0
            && WSAGetOverlappedResult(m_socket.get(), &operation, &moved, FALSE, &flags);
    }

    UniqueSocket m_socket;
    WSAOVERLAPPED m_receiving = {};
    WSAOVERLAPPED m_sending = {};
};

/// One connection and its thread.
class EventServer {
public:
    bool add(UniqueSocket connected) { return m_stream.attach(std::move(connected)); }
    bool start()
    {
        return m_thread.start([this] {
            while (echo()) { }
            m_stream.close();
        });
    }

private:
    bool echo()
    {
        char buffer[4096];
        DWORD moved = 0;
        if (!m_stream.receive(buffer, sizeof(buffer), moved))
            return fail("the server's overlapped WSARecv");
        return moved && expect(m_stream.send(buffer, moved), "the server's overlapped WSASend");
    }

    EventStream m_stream;
    Thread m_thread;
};

class EventClient {
public:
    bool add(UniqueSocket connected) { return m_stream.attach(std::move(connected)); }
    bool run(uint64_t iterations)
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const EchoMessage sent(i);
            EchoMessage received;
            if (!m_stream.send(&sent, sizeof(sent)))
                return fail("the client's overlapped WSASend");
            DWORD moved = 0;
            // What is sent in one call on the loopback arrives in one piece.
            if (!m_stream.receive(&received, sizeof(received), moved) || moved != sizeof(received)
                || received != sent)
                return fail("the client's overlapped WSARecv");
        }
        return true;
    }

private:
    EventStream m_stream;
};

} // namespace

std::vector<WorkloadRow> overlapped_echo_workloads()
{
    return { { "overlapped_event_echo", Unit::MicrosecondsPerOperation,
        create_with<Echo<EventServer, EventClient>>, 1 } };
}

} // namespace bench
