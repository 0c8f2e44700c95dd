#include "poll_request.h"

#include <algorithm>

#include "afd_call.h"
#include "socket_refs.h"
#include "thread.h"

namespace ws2 {

PollRequest::PollRequest(size_t capacity)
    : m_buffer(reinterpret_cast<Buffer*>(m_inline))
{
    if (capacity > (SIZE_MAX - sizeof(afd::PollHeader)) / sizeof(afd::PollEntry))
        m_buffer = nullptr;
    else if (capacity > kInlineEntries)
        m_buffer = static_cast<Buffer*>(HeapAlloc(
            GetProcessHeap(), 0, sizeof(afd::PollHeader) + capacity * sizeof(afd::PollEntry)));
}

PollRequest::~PollRequest()
{
    if (m_buffer && m_buffer != reinterpret_cast<Buffer*>(m_inline))
        HeapFree(GetProcessHeap(), 0, m_buffer);
}

void PollRequest::add(SOCKET socket, ULONG flags)
{
    entries()[m_count++] = { .socket = socket, .flags = static_cast<int32_t>(flags), .status = 0 };
}

SrwLock g_unmade_sockets;

static SrwLock device_lock;
static std::atomic<HANDLE> device { nullptr }; // written under device_lock

void close_poll_device()
{
    if (const HANDLE opened = device.exchange(nullptr))
        kernel::close(opened);
}

HANDLE poll_device()
{
    if (HANDLE existing = device.load(std::memory_order_acquire))
        return existing;
    ExclusiveGuard guard(device_lock);
    HANDLE opened = device.load(std::memory_order_relaxed);
    if (!opened && NT_SUCCESS(kernel::open_afd(&opened, 0, 0)))
        device.store(opened, std::memory_order_release);
    return opened;
}

NTSTATUS PollRequest::issue(int64_t timeout)
{
    const bool may_wait = timeout != 0;
    const filter::PollProgress progress = filter::poll(entries(), m_count, timeout);
    if (progress == filter::PollProgress::kForHost && is_of_two_kernels())
        return issue_in_parts(timeout);
    if (progress != filter::PollProgress::kDone)
        return make_request(timeout,
            progress == filter::PollProgress::kForNtke ? WaitsFor::kNtke : WaitsFor::kHost);
    // A wait in Linux runs no APC. [select/7]
    if (may_wait && !m_count)
        SleepEx(0, TRUE);
    return STATUS_SUCCESS;
}

NTSTATUS PollRequest::start(int64_t timeout, Asked& asked)
{
    HANDLE device = poll_device();
    // Until the kernel has the request: a value that closesocket gives free could come to mean a
    // handle that is no socket yet, and Wine's server does not survive a poll of one.
    SocketRefs sockets(m_count);
    if (!device || !asked.event.get() || !sockets.is_valid())
        return STATUS_INSUFFICIENT_RESOURCES;
    for (const afd::PollEntry& entry : *this) {
        if (!sockets.add(entry.socket))
            return STATUS_INVALID_HANDLE; // closed meanwhile
    }
    m_buffer->header = {
        .timeout = timeout, .count = static_cast<uint32_t>(m_count), .exclusive = 0, .padding = {}
    };
    const ULONG length = sizeof(afd::PollHeader) + m_count * sizeof(afd::PollEntry);
    asked.iosb.Status = STATUS_PENDING;
    return kernel::device_io_control(device, { .event = asked.event.get(), .iosb = &asked.iosb },
        afd::kIoctlPoll, m_buffer, length, m_buffer, length);
}

NTSTATUS PollRequest::finish(NTSTATUS status)
{
    m_count = 0;
    if (status == STATUS_SUCCESS)
        m_count = m_buffer->header.count;
    filter::note_polled(entries(), m_count);
    return status == STATUS_TIMEOUT ? STATUS_SUCCESS : status;
}

NTSTATUS PollRequest::make_request(int64_t timeout, WaitsFor whom)
{
    Asked asked(whom);
    NTSTATUS status = start(timeout, asked);
    if (status == STATUS_PENDING)
        status = wait_for_completion(asked.event.get(), asked.iosb, Alertable::kYes);
    return finish(status);
}

ULONG conditions_now(SOCKET socket, ULONG conditions)
{
    PollRequest request(1);
    request.add(socket, conditions);
    if (!NT_SUCCESS(request.issue(0)) || request.is_empty())
        return 0;
    return request.begin()->flags & conditions;
}

int64_t poll_timeout_from_milliseconds(int milliseconds)
{
    return milliseconds < 0 ? afd::kPollForever : milliseconds * int64_t { -10000 };
}

} // namespace ws2
