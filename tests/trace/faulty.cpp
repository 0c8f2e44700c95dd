// faulty NAME [--good]: a small program with one fault that `ws2 trace` finds, or the same program
// as it should be; faulty killed; faulty first_call_beside_the_loader. The names are the kinds of
// findings (tools/ws2lib/trace_findings_*.py).
#include <cstdio>
#include <cstring>

#include "../bench/loopback.h"
#include "../bench/thread.h"

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

bool is_faulty = true;

struct Pair {
    Pair() { bench::connect_pair(client, server); }

    UniqueSocket client;
    UniqueSocket server;
};

long enumerate(SOCKET socket, WSAEVENT event)
{
    WSANETWORKEVENTS found {};
    WSAEnumNetworkEvents(socket, event, &found);
    return found.lNetworkEvents;
}

bool wait_for(WSAEVENT event, DWORD patience)
{
    return WSAWaitForMultipleEvents(1, &event, FALSE, patience, FALSE) == WSA_WAIT_EVENT_0;
}

constexpr DWORD kLong = 10'000; // ms; for what comes
constexpr DWORD kShort = 30; // for what does not

/// FD_WRITE comes again only after a send that would have blocked.
void fd_write_without_wouldblock()
{
    Pair pair;
    UniqueEvent event(WSACreateEvent());
    WSAEventSelect(pair.client.get(), event.get(), FD_WRITE);
    wait_for(event.get(), kLong);
    enumerate(pair.client.get(), event.get());
    send(pair.client.get(), "a", 1, 0);
    if (is_faulty) {
        wait_for(event.get(), kShort);
        return;
    }
    static char block[1 << 16];
    while (send(pair.client.get(), block, sizeof(block), 0) > 0) { }
    bench::set_nonblocking(pair.server.get(), true);
    do
        bench::recv_some(pair.server.get(), block, sizeof(block));
    while (!wait_for(event.get(), 1));
}

void fd_close_ignored()
{
    Pair pair;
    UniqueEvent event(WSACreateEvent());
    WSAEventSelect(pair.client.get(), event.get(), FD_READ | FD_CLOSE);
    pair.server.reset();
    wait_for(event.get(), kLong);
    enumerate(pair.client.get(), event.get());
    if (is_faulty)
        wait_for(event.get(), kShort);
    pair.client.reset();
}

/// The second connection is there when the first is accepted.
void event_reset_between_accepts()
{
    sockaddr_in address;
    UniqueSocket listener(bench::listen_on_loopback(address));
    UniqueEvent event(WSACreateEvent());
    WSAEventSelect(listener.get(), event.get(), FD_ACCEPT);
    UniqueSocket clients[2];
    for (UniqueSocket& client : clients) {
        client.reset(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }
    for (int i = 0; i < 2 && wait_for(event.get(), is_faulty ? 1000 : kLong); ++i) {
        if (!is_faulty)
            enumerate(listener.get(), event.get());
        UniqueSocket accepted(accept(listener.get(), nullptr, nullptr));
        if (is_faulty)
            WSAResetEvent(event.get());
    }
}

void auto_reset_consumed_twice()
{
    Pair pair;
    UniqueEvent event(CreateEventW(nullptr, FALSE, FALSE, nullptr));
    WSAEventSelect(pair.client.get(), event.get(), FD_READ);
    send(pair.server.get(), "a", 1, 0);
    if (wait_for(event.get(), kLong) && is_faulty)
        wait_for(event.get(), kShort);
    enumerate(pair.client.get(), event.get());
    char byte;
    recv(pair.client.get(), &byte, 1, 0);
}

void shared_event_hides()
{
    Pair pairs[2];
    UniqueEvent event(WSACreateEvent());
    for (const Pair& pair : pairs)
        WSAEventSelect(pair.client.get(), event.get(), FD_READ);
    for (const Pair& pair : pairs)
        send(pair.server.get(), "a", 1, 0);
    Sleep(50); // both are recorded
    for (const Pair& pair : pairs) {
        while (!enumerate(pair.client.get(), event.get())) { }
        if (is_faulty)
            return;
    }
}

/// A receive that waits, with an event to wait for its end.
struct PendingReceive {
    explicit PendingReceive(SOCKET socket)
        : m_socket(socket)
    {
        m_overlapped.hEvent = m_event.get();
    }
    void start(char* memory, ULONG length)
    {
        WSABUF buffer { length, memory };
        DWORD flags = 0;
        WSARecv(m_socket, &buffer, 1, nullptr, &flags, &m_overlapped, nullptr);
    }
    void finish() { wait_for(m_event.get(), kLong); }

private:
    SOCKET m_socket;
    UniqueEvent m_event { WSACreateEvent() };
    WSAOVERLAPPED m_overlapped {};
};

void overlapped_reused()
{
    Pair pair;
    PendingReceive receive(pair.client.get());
    char bytes[2];
    receive.start(bytes, 1);
    if (!is_faulty) {
        send(pair.server.get(), "a", 1, 0);
        receive.finish();
    }
    receive.start(bytes + 1, 1);
    send(pair.server.get(), "bc", 2, 0);
    receive.finish();
    Sleep(50); // both have ended
}

void buffer_freed_while_pending()
{
    Pair pair;
    PendingReceive receive(pair.client.get());
    auto* memory = static_cast<char*>(
        VirtualAlloc(nullptr, 0x1000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE));
    receive.start(memory, 0x1000);
    if (is_faulty)
        VirtualFree(memory, 0, MEM_RELEASE);
    send(pair.server.get(), "a", 1, 0);
    receive.finish();
    if (!is_faulty)
        VirtualFree(memory, 0, MEM_RELEASE);
}

void closed_with_requests()
{
    Pair pair;
    PendingReceive receive(pair.client.get());
    char byte;
    receive.start(&byte, 1);
    if (!is_faulty) {
        pair.server.reset();
        receive.finish();
    }
    pair.client.reset();
    receive.finish();
}

DWORD WINAPI serve_port(void* port)
{
    for (int packets = 0;; ++packets) {
        DWORD bytes;
        ULONG_PTR key;
        OVERLAPPED* overlapped;
        if (!GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE) || key)
            return 0;
        if (is_faulty)
            Sleep(1500); // busy with something else, to the end of the program
    }
}

void port_thread_lost()
{
    Pair pair;
    const HANDLE port
        = CreateIoCompletionPort(reinterpret_cast<HANDLE>(pair.client.get()), nullptr, 0, 0);
    const HANDLE thread = CreateThread(nullptr, 0, serve_port, port, 0, nullptr);
    char bytes[2];
    WSAOVERLAPPED overlapped[2] {};
    for (int i = 0; i < 2; ++i) {
        WSABUF buffer { 1, bytes + i };
        DWORD flags = 0;
        WSARecv(pair.client.get(), &buffer, 1, nullptr, &flags, overlapped + i, nullptr);
    }
    send(pair.server.get(), "a", 1, 0);
    Sleep(50);
    send(pair.server.get(), "b", 1, 0);
    if (!is_faulty) {
        PostQueuedCompletionStatus(port, 0, 1, nullptr);
        WaitForSingleObject(thread, kLong);
    }
    Sleep(1200); // longer than a thread may be away
    CloseHandle(thread);
}

void tiny_sends()
{
    Pair pair;
    WSABUF pieces[100];
    for (WSABUF& piece : pieces)
        piece = { 2, const_cast<char*>("ab") };
    DWORD sent;
    if (is_faulty) {
        for (WSABUF& piece : pieces)
            WSASend(pair.client.get(), &piece, 1, &sent, 0, nullptr, nullptr);
    } else {
        WSASend(pair.client.get(), pieces, 100, &sent, 0, nullptr, nullptr);
    }
    pair.client.reset(); // whatever was sent, the receives end
    char bytes[200];
    bench::recv_all(pair.server.get(), bytes, sizeof(bytes));
}

void polling()
{
    Pair pair;
    bench::set_nonblocking(pair.client.get(), true);
    UniqueEvent event(WSACreateEvent());
    if (!is_faulty)
        WSAEventSelect(pair.client.get(), event.get(), FD_READ);
    char byte;
    for (int i = 0; i < 300; ++i) {
        if (!is_faulty)
            wait_for(event.get(), 1);
        recv(pair.client.get(), &byte, 1, 0);
    }
}

void repeated_failures()
{
    Pair pair;
    pair.client.reset();
    for (int i = 0; i < (is_faulty ? 50 : 1); ++i)
        shutdown(pair.client.get(), SD_SEND);
}

void socket_leaked()
{
    UniqueSocket made(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
    if (is_faulty)
        made.release();
}

void event_leaked()
{
    UniqueEvent made(WSACreateEvent());
    if (is_faulty)
        made.release();
}

void startup_unbalanced()
{
    WSADATA data;
    if (is_faulty)
        WSAStartup(MAKEWORD(2, 2), &data);
}

/// Is ended by force, with something recorded.
void killed()
{
    sockaddr_in address;
    UniqueSocket bound(bench::bind_udp_on_loopback(address));
    TerminateProcess(GetCurrentProcess(), 9);
}

constexpr struct {
    const char* name;
    void (*run)();
} kPrograms[] = {
    { "auto_reset_consumed_twice", auto_reset_consumed_twice },
    { "buffer_freed_while_pending", buffer_freed_while_pending },
    { "closed_with_requests", closed_with_requests },
    { "event_leaked", event_leaked },
    { "event_reset_between_accepts", event_reset_between_accepts },
    { "fd_close_ignored", fd_close_ignored },
    { "fd_write_without_wouldblock", fd_write_without_wouldblock },
    { "overlapped_reused", overlapped_reused },
    { "polling", polling },
    { "port_thread_lost", port_thread_lost },
    { "repeated_failures", repeated_failures },
    { "shared_event_hides", shared_event_hides },
    { "socket_leaked", socket_leaked },
    { "startup_unbalanced", startup_unbalanced },
    { "tiny_sends", tiny_sends },
};

} // namespace

/// The first call of the process, while another thread has the loader's lock, as in its DllMain,
/// and makes a call itself.
int first_call_beside_the_loader()
{
    using Lock = LONG(NTAPI*)(ULONG flags, ULONG * result, ULONG_PTR * cookie);
    using Unlock = LONG(NTAPI*)(ULONG flags, ULONG_PTR cookie);
    const HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    const auto lock = reinterpret_cast<Lock>(
        reinterpret_cast<void*>(GetProcAddress(ntdll, "LdrLockLoaderLock")));
    const auto unlock = reinterpret_cast<Unlock>(
        reinterpret_cast<void*>(GetProcAddress(ntdll, "LdrUnlockLoaderLock")));
    static HANDLE go = CreateEventA(nullptr, TRUE, FALSE, nullptr);
    static HANDLE done = CreateEventA(nullptr, TRUE, FALSE, nullptr);
    static HANDLE is_there = CreateEventA(nullptr, TRUE, FALSE, nullptr);
    bench::Thread thread;
    const bool is_started = thread.start([] {
        char name[64];
        SetEvent(is_there);
        WaitForSingleObject(go, INFINITE);
        gethostname(name, sizeof(name));
        SetEvent(done);
    });
    ULONG_PTR cookie = 0;
    if (!is_started || WaitForSingleObject(is_there, kLong) || !lock || !unlock
        || lock(0, nullptr, &cookie))
        return 2;
    SetEvent(go);
    Sleep(kShort); // most likely it is in its call by now
    char name[64];
    gethostname(name, sizeof(name));
    const bool is_done = WaitForSingleObject(done, kLong) == WAIT_OBJECT_0;
    unlock(0, cookie);
    return is_done ? 0 : 1;
}

int main(int argc, char** argv)
{
    if (argc == 2 && !std::strcmp(argv[1], "first_call_beside_the_loader"))
        return first_call_beside_the_loader();
    is_faulty = argc < 3 || std::strcmp(argv[2], "--good");
    WSADATA data;
    if (argc < 2 || WSAStartup(MAKEWORD(2, 2), &data))
        return 2;
    if (!std::strcmp(argv[1], "killed"))
        killed();
    int code = 2;
    for (const auto& program : kPrograms) {
        if (std::strcmp(program.name, argv[1]))
            continue;
        program.run();
        code = 0;
    }
    WSACleanup();
    return code;
}
