#include "workloads.h"
#include "echo.h"
#include "port_server.h"

namespace bench {

namespace {

/// A packet posted and removed by one thread.
class PostGet : public Workload {
public:
    bool set_up() override { return expect(m_port.open(), "CreateIoCompletionPort"); }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const DWORD posted = static_cast<DWORD>(i);
            DWORD moved = ~posted;
            ULONG_PTR key = 0;
            OVERLAPPED* overlapped = nullptr;
            if (!PostQueuedCompletionStatus(m_port.get(), posted, i + 1, &m_overlapped))
                return fail("PostQueuedCompletionStatus");
            if (!GetQueuedCompletionStatus(m_port.get(), &moved, &key, &overlapped, INFINITE)
                || moved != posted || key != i + 1 || overlapped != &m_overlapped)
                return fail("GetQueuedCompletionStatus");
        }
        return true;
    }

private:
    Port m_port;
    OVERLAPPED m_overlapped = {};
};

/// Messages through a named pipe to a server and back, while the server's port also has a socket
/// with a receive under way.
class SharedPortPipe : public Workload {
public:
    ~SharedPortPipe() override
    {
        if (m_pipe != INVALID_HANDLE_VALUE)
            CloseHandle(m_pipe);
    }
    bool set_up() override
    {
        UniqueSocket client;
        UniqueSocket server;
        if (!connect_pair(client, server) || !m_server.add(std::move(server))
            || !m_clients.add(std::move(client)))
            return fail("making a connection");
        return make_pipe() && expect(m_server.start(), "starting the server") && verify();
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const EchoMessage sent(i);
            EchoMessage received;
            DWORD moved = 0;
            if (!WriteFile(m_pipe, &sent, sizeof(sent), &moved, nullptr) || moved != sizeof(sent))
                return fail("the client's WriteFile");
            if (!ReadFile(m_pipe, &received, sizeof(received), &moved, nullptr)
                || moved != sizeof(received) || received != sent)
                return fail("the client's ReadFile");
        }
        return true;
    }
    /// The socket is served, too.
    bool verify() override { return m_clients.run(1); }

private:
    bool make_pipe()
    {
        const std::string name = "\\\\.\\pipe\\ws2-bench-" + std::to_string(GetCurrentProcessId());
        const HANDLE server = CreateNamedPipeA(name.c_str(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
            PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 0, nullptr);
        if (server == INVALID_HANDLE_VALUE)
            return fail("CreateNamedPipe");
        const bool is_added = m_server.add(std::make_unique<PipeStream>(server));
        m_pipe = CreateFileA(
            name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
        return expect(is_added && m_pipe != INVALID_HANDLE_VALUE, "opening the pipe");
    }

    PortServer<OnSuccess::Packet> m_server;
    BlockingClients m_clients; // Goes before the server, so that the server ends.
    HANDLE m_pipe = INVALID_HANDLE_VALUE;
};

} // namespace

std::vector<WorkloadRow> port_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "port_post_get", us, create<PostGet> },
        { "pipe_echo_on_shared_port", us, create<SharedPortPipe> },
    };
}

} // namespace bench
