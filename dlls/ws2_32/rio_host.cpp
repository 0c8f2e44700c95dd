// Requests of registered I/O that ntke does not serve: overlapped requests, made by a thread of
// ours. Each tells it of its end by an APC, so the sockets' ports and events stay the program's.
#include "afd_call.h"
#include "poll_request.h"
#include "rio.h"

namespace ws2::rio {

namespace {

SrwLock lock; // guards what follows, and what Side::Host says
Side* first_to_serve = nullptr;
std::atomic<HANDLE> wake_event { nullptr }; // auto-reset; there is one when the thread runs

/// Keeps a queue for the length of a block.
class QueueKeeper {
public:
    explicit QueueKeeper(RequestQueue& queue)
        : m_queue(queue)
    {
        queue.reference();
    }
    ~QueueKeeper() { m_queue.dereference(); }
    QueueKeeper(const QueueKeeper&) = delete;

private:
    RequestQueue& m_queue;
};

/// Takes the next request of a side. Null: there is none.
Request* take_next(Side& side)
{
    const ExclusiveGuard guard(lock);
    return side.host.waiting.take_first();
}

/// The request that runs has ended. Its queue may be gone afterwards, if nobody else keeps it.
void finish(Side& side, NTSTATUS status, ULONG_PTR information)
{
    Request& request = *std::exchange(side.host.running, nullptr);
    side.host.done += static_cast<ULONG>(information);
    if (side.host.done && !NT_SUCCESS(status) && (request.flags & ntke::kRegisteredWaitAll))
        status = STATUS_SUCCESS; // the next one tells
    CompletionQueue::complete(request, status, side.host.done);
    side.host.count.fetch_sub(1);
}

void NTAPI on_end(void* context, IO_STATUS_BLOCK* iosb, ULONG);

/// Starts the request that runs, or what is left of it. True: its end is told later.
bool start(Side& side, NTSTATUS& status)
{
    Side::Host& host = side.host;
    Request& request = *host.running;
    SocketRef socket = request.owner->open_socket();
    if (!socket) {
        status = STATUS_CANCELLED;
        return false;
    }
    host.buffer = { request.length - host.done,
        reinterpret_cast<char*>(static_cast<uintptr_t>(request.data)) + host.done };
    kernel::Completion completion;
    completion.apc = on_end;
    completion.context = &side;
    completion.iosb = &host.iosb;
    host.iosb.Status = STATUS_PENDING;
    if (request.flags & ntke::kRegisteredSend) {
        const afd::SendControlParams params { .message
            = { .address = request.address,
                .address_length = static_cast<uint32_t>(request.address_length),
                .flags = 0,
                .force_async = 1,
                .count = 1,
                .buffers = afd::ptr64(&host.buffer) },
            .control = afd::ptr64(request.control_room.buf),
            .control_length = request.control_room.len,
            .padding = 0 };
        status = request.control ? afd_call_overlapped(*socket, completion, afd::kIoctlSendControl,
                     &params, sizeof(params), nullptr, 0)
                                 : afd_call_overlapped(*socket, completion, afd::kIoctlSendMsg,
                                     &params.message, sizeof(params.message), nullptr, 0);
    } else {
        const afd::RecvMsgParams params { .control = request.control,
            .address = request.address,
            .address_length = request.address ? afd::ptr64(&request.address_length) : 0,
            .flags = afd::ptr64(&request.message_flags),
            .force_async = 1,
            .count = 1,
            .buffers = afd::ptr64(&host.buffer) };
        status = afd_call_overlapped(
            *socket, completion, afd::kIoctlRecvMsg, &params, sizeof(params), nullptr, 0);
    }
    // An error comes without an APC; everything else, with one.
    return NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW;
}

/// Starts the next requests of a side until one runs.
void issue(Side& side)
{
    while (Request* next = take_next(side)) {
        side.host.running = next;
        side.host.done = 0;
        NTSTATUS status;
        if (start(side, status))
            return;
        finish(side, status, 0);
    }
}

/// Was the end of the stream that a receive has seen a reset? Where the host does not tell the two
/// apart, a poll still knows.
bool is_reset(const Request& request, NTSTATUS status, ULONG_PTR information)
{
    const bool is_end = status == STATUS_SUCCESS && !information && request.length
        && !(request.flags & ntke::kRegisteredSend) && request.owner->socket().is_stream();
    return is_end && request.owner->open_socket()
        && conditions_now(socket_from_handle(request.owner->socket().handle), afd::kPollAbort);
}

void NTAPI on_end(void* context, IO_STATUS_BLOCK* iosb, ULONG)
{
    Side& side = *static_cast<Side*>(context);
    const Request& request = *side.host.running;
    const QueueKeeper keeper(*request.owner);
    NTSTATUS status = iosb->Status;
    const ULONG_PTR information = iosb->Information;
    if (is_reset(request, status, information))
        status = STATUS_CONNECTION_RESET;
    const bool waits_for_more = (request.flags & ntke::kRegisteredWaitAll) && NT_SUCCESS(status)
        && information && side.host.done + information < request.length;
    if (waits_for_more) {
        side.host.done += static_cast<ULONG>(information);
        if (start(side, status))
            return;
        finish(side, status, 0);
    } else {
        finish(side, status, information);
    }
    issue(side);
}

/// The sides that have got something to do, and run nothing.
void serve()
{
    for (;;) {
        Side* side;
        {
            const ExclusiveGuard guard(lock);
            side = first_to_serve;
            if (!side)
                return;
            first_to_serve = side->host.next_to_serve;
            side->host.is_to_serve = false;
        }
        if (!side->host.running)
            issue(*side);
        side->owner->dereference();
    }
}

DWORD WINAPI run(void*)
{
    for (;;) {
        kernel::wait(wake_event, true);
        serve();
    }
}

/// The thread runs this DLL's code to the end of the process.
bool keep_loaded()
{
    HMODULE self;
    return GetModuleHandleExW(
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
        reinterpret_cast<const wchar_t*>(&lock), &self);
}

bool start_worker() // the lock is held
{
    if (wake_event)
        return true;
    HANDLE event;
    if (!NT_SUCCESS(kernel::create_event(&event, kSynchronizationEvent)))
        return false;
    wake_event = event;
    const HANDLE thread = CreateThread(nullptr, 0, run, nullptr, 0, nullptr);
    if (!thread) {
        kernel::close(wake_event.exchange(nullptr));
        return false;
    }
    kernel::close(thread);
    return true;
}

} // namespace

void submit_to_host(Side& side, Request* first)
{
    bool can_run = wake_event || keep_loaded();
    {
        const ExclusiveGuard guard(lock);
        can_run = can_run && start_worker();
        while (first && can_run) {
            Request& request = *std::exchange(first, next_of(*first));
            side.host.waiting.append(request);
            side.host.count.fetch_add(1);
        }
        if (can_run && !std::exchange(side.host.is_to_serve, true)) {
            side.owner->reference();
            side.host.next_to_serve = std::exchange(first_to_serve, &side);
        }
    }
    if (can_run) {
        kernel::set_event(wake_event);
        return;
    }
    while (first) {
        Request& request = *std::exchange(first, next_of(*first));
        CompletionQueue::complete(request, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
}

} // namespace ws2::rio
