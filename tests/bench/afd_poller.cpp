#include "afd_poller.h"

#include "afd/ioctl.h"
#include "afd/params.h"
#include "measure.h"
#include "nt/status.h"

#include <algorithm>

namespace bench {

namespace {

/// What mio asks for when a program wants to know that a socket is readable.
constexpr ULONG kReadable
    = afd::kPollReceive | afd::kPollDisconnect | afd::kPollAbort | afd::kPollAccept;

constexpr DWORD kPatience
    = 60'000; // milliseconds, for polls of closed sockets: then something hangs

/// A handle of the device that is no socket. The rest of the name is the caller's choice.
HANDLE open_device()
{
    wchar_t name[] = L"\\Device\\Afd\\Bench";
    UNICODE_STRING path = { sizeof(name) - sizeof(wchar_t), sizeof(name), name };
    OBJECT_ATTRIBUTES attributes = {};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &path;
    HANDLE device = nullptr;
    IO_STATUS_BLOCK iosb;
    const NTSTATUS status = NtCreateFile(&device, SYNCHRONIZE, &attributes, &iosb, nullptr, 0,
        FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, nullptr, 0);
    return NT_SUCCESS(status) ? device : nullptr;
}

/// The socket of the system, below what layered providers may have put around it. 0 on failure.
SOCKET base_handle(SOCKET socket)
{
    SOCKET base = 0;
    DWORD returned = 0;
    return WSAIoctl(socket, SIO_BASE_HANDLE, nullptr, 0, &base, sizeof(base), &returned, nullptr,
               nullptr)
        ? 0
        : base;
}

} // namespace

/// One request, which the system writes into while it is pending.
struct AfdPoller::Poll {
    IO_STATUS_BLOCK iosb;
    struct {
        afd::PollHeader header;
        afd::PollEntry entry;
    } block;
    SOCKET base;
    size_t index;
};

AfdPoller::AfdPoller() = default;

AfdPoller::~AfdPoller()
{
    OVERLAPPED_ENTRY packets[64];
    ULONG count;
    while (m_pending) {
        if (!GetQueuedCompletionStatusEx(m_port.get(), packets, 64, &count, kPatience, FALSE)) {
            fail("the polls of closed sockets do not end");
            std::abort(); // Their memory cannot be given back.
        }
        m_pending -= static_cast<size_t>(std::count_if(packets, packets + count,
            [](const OVERLAPPED_ENTRY& packet) { return packet.lpOverlapped != nullptr; }));
    }
    if (m_device)
        CloseHandle(m_device);
}

bool AfdPoller::open()
{
    m_device = open_device();
    return m_device && m_port.open() && m_port.associate(m_device, 0, OnSuccess::Packet);
}

bool AfdPoller::watch(SOCKET socket, size_t index)
{
    if (m_polls.size() <= index)
        m_polls.resize(index + 1);
    m_polls[index] = std::make_unique<Poll>();
    Poll& poll = *m_polls[index];
    poll.base = base_handle(socket);
    poll.index = index;
    return poll.base && send(poll);
}

bool AfdPoller::rearm(size_t index)
{
    return send(*m_polls[index]);
}

bool AfdPoller::send(Poll& poll)
{
    poll.block.header = {};
    poll.block.header.timeout = afd::kPollForever;
    poll.block.header.count = 1;
    poll.block.entry = { poll.base, static_cast<int32_t>(kReadable), 0 };
    poll.iosb.Status = STATUS_PENDING;
    const NTSTATUS status = NtDeviceIoControlFile(m_device, nullptr, nullptr, &poll, &poll.iosb,
        afd::kIoctlPoll, &poll.block, sizeof(poll.block), &poll.block, sizeof(poll.block));
    // Ready at once or later, the port tells it.
    if (!NT_SUCCESS(status))
        return false;
    ++m_pending;
    return true;
}

int AfdPoller::wait(size_t* ready, int most)
{
    OVERLAPPED_ENTRY packets[64];
    const ULONG count = m_port.remove(packets, static_cast<ULONG>(std::min(most, 64)));
    int found = 0;
    for (ULONG i = 0; i < count; ++i) {
        if (!packets[i].lpOverlapped) {
            end(); // for the next thread
            return 0;
        }
        const Poll& poll = *reinterpret_cast<Poll*>(packets[i].lpOverlapped);
        --m_pending;
        if (!has_succeeded(packets[i]) || poll.block.header.count != 1
            || poll.block.entry.socket != poll.base
            || !(static_cast<ULONG>(poll.block.entry.flags) & kReadable))
            return -1;
        ready[found++] = poll.index;
    }
    return found ? found : -1;
}

void AfdPoller::end()
{
    m_port.post(0);
}

} // namespace bench
