// A program that has put hooks of its own into ntdll before Winsock is started, as security
// software and sandboxes do, and threads from before: both must see the calls they would see, and
// be served. On ntke it is the service table that is replaced, and no byte of ntdll.
#include "harness.h"

#include "loopback.h"

#include <windows.h>

#include <array>
#include <atomic>
#include <cstring>

namespace stress {

namespace {

using bench::UniqueSocket;

constexpr unsigned kReceives = 2000;

#ifdef __x86_64__

/// A service whose stub begins with a jump to code that counts and goes on with a copy of the stub.
/// The stub does not care where it is. Lasts as long as the process.
class Hook {
public:
    void install(const char* service)
    {
        // push rax; mov rax, &m_calls; lock inc dword [rax]; pop rax
        static constexpr uint8_t kCount[]
            = { 0x50, 0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0xFF, 0x00, 0x58 };
        static constexpr size_t kCounter = 3; // where the address is
        static constexpr uint8_t kJump[]
            = { 0xFF, 0x25, 0, 0, 0, 0 }; // jmp [rip], then the address
        constexpr size_t kPage = 4096;
        auto* stub
            = reinterpret_cast<uint8_t*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), service));
        auto* code = static_cast<uint8_t*>(
            VirtualAlloc(nullptr, kPage, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE));
        require(stub && code, "making a hook");
        const auto* counter = &m_calls;
        std::memcpy(code, kCount, sizeof(kCount));
        std::memcpy(code + kCounter, &counter, sizeof(counter));
        std::memcpy(code + sizeof(kCount), stub, kStub);
        std::array<uint8_t, kJumpBytes> jump;
        std::memcpy(jump.data(), kJump, sizeof(kJump));
        std::memcpy(jump.data() + sizeof(kJump), &code, sizeof(code));
        DWORD before = 0;
        require(
            VirtualProtect(stub, kJumpBytes, PAGE_EXECUTE_READWRITE, &before), "VirtualProtect");
        std::memcpy(stub, jump.data(), jump.size());
        VirtualProtect(stub, kJumpBytes, before, &before);
        m_place = stub;
        m_jump = jump;
    }
    bool is_there() const { return !std::memcmp(m_place, m_jump.data(), m_jump.size()); }
    long calls() const { return m_calls; }

private:
    static constexpr size_t kStub = 32;
    static constexpr size_t kJumpBytes = 14;
    std::atomic<long> m_calls = 0;
    const uint8_t* m_place = nullptr;
    std::array<uint8_t, kJumpBytes> m_jump = {};
};

struct Hooks {
    Hook control, remove, post;

    void install()
    {
        control.install("NtDeviceIoControlFile");
        remove.install("NtRemoveIoCompletion");
        post.install("NtSetIoCompletion");
    }
    bool are_there() const { return control.is_there() && remove.is_there() && post.is_there(); }
};
Hooks g_hooks; // what the code refers to stays

#endif

/// A thread from before Winsock. It takes packets from a port, once there is one.
struct Consumer {
    HANDLE begins = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    HANDLE port = nullptr;
    std::atomic<unsigned> taken = 0;
    HANDLE thread = CreateThread(nullptr, 0, run, this, 0, nullptr);

    static DWORD WINAPI run(void* context)
    {
        auto& self = *static_cast<Consumer*>(context);
        WaitForSingleObject(self.begins, INFINITE);
        for (;;) {
            DWORD moved = 0;
            ULONG_PTR key = 0;
            OVERLAPPED* ended = nullptr;
            GetQueuedCompletionStatus(self.port, &moved, &key, &ended, INFINITE);
            if (!ended)
                return 0;
            ++self.taken;
        }
    }
};

void receive_one_by_one(Consumer& consumer)
{
    Activity activity("main");
    UniqueSocket client, server;
    require(bench::connect_pair(client, server), "a connection");
    const auto file = reinterpret_cast<HANDLE>(server.get());
    consumer.port = CreateIoCompletionPort(file, nullptr, 0, 0);
    require(consumer.port, "a port");
    SetEvent(consumer.begins);
    for (unsigned i = 0; i < kReceives; ++i) {
        static OVERLAPPED overlapped;
        static char data[1];
        activity.doing("an operation");
        overlapped = {};
        WSABUF buffer = { sizeof(data), data };
        DWORD flags = 0;
        require(!WSARecv(server.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr)
                || WSAGetLastError() == WSA_IO_PENDING,
            "WSARecv");
        require(send(client.get(), "x", 1, 0) == 1, "send");
        while (consumer.taken == i)
            SwitchToThread();
    }
    PostQueuedCompletionStatus(consumer.port, 0, 0, nullptr);
    require(WaitForSingleObject(consumer.thread, INFINITE) == WAIT_OBJECT_0, "the thread");
    CloseHandle(consumer.port);
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    using namespace stress;
    static Consumer consumer;
#ifdef __x86_64__
    g_hooks.install();
#endif
    start(argc, argv);
    receive_one_by_one(consumer);
    report(consumer.taken == kReceives, "a thread from before is served");
#ifdef __x86_64__
    report(g_hooks.are_there(), "hooks stay where they are");
    report(g_hooks.control.calls() >= static_cast<long>(kReceives)
            && g_hooks.remove.calls() > static_cast<long>(kReceives) && g_hooks.post.calls() > 0,
        "hooks see each call");
#endif
    return finish();
}
