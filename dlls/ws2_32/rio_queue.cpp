// Completion queues.
#include <new>

#include "error.h"
#include "guard.h"
#include "heap.h"
#include "kernel.h"
#include "rio.h"

namespace ws2::rio {

CompletionQueue* CompletionQueue::from(sdk::RioCq handle)
{
    auto* const queue = reinterpret_cast<CompletionQueue*>(handle);
    uint32_t signature;
    const bool is_one
        = queue && guard::read(&queue->m_signature, signature) && signature == kSignature;
    return is_one ? queue : nullptr;
}

int CompletionQueue::create(
    DWORD size, const sdk::RioNotification* notification, CompletionQueue*& queue)
{
    sdk::RioNotification given {};
    if (notification && !guard::read(notification, given))
        return WSAEFAULT;
    if (!size || size > sdk::kRioMostCompletions)
        return WSAEINVAL;
    void* const memory = heap_allocate(sizeof(CompletionQueue));
    if (!memory)
        return WSAENOBUFS;
    auto* const created = new (memory) CompletionQueue(size);
    if (notification) {
        if (const int error = created->take_notification(given)) {
            created->dereference();
            return error;
        }
    }
    queue = created;
    return 0;
}

/// Keeps what is to be notified, whatever becomes of the program's handle.
int CompletionQueue::take_notification(const sdk::RioNotification& notification)
{
    const bool is_event = notification.type == sdk::kRioEvent;
    if (!is_event && notification.type != sdk::kRioPort)
        return WSAEINVAL;
    if (!is_event && !notification.port.overlapped)
        return WSAEINVAL;
    HANDLE given = is_event ? notification.event.handle : notification.port.handle;
    HANDLE own = nullptr;
    if (!(is_event ? kernel::is_event(given) : kernel::is_port(given))
        || !DuplicateHandle(
            GetCurrentProcess(), given, GetCurrentProcess(), &own, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return WSAEINVAL;
    m_notification = notification;
    if (is_event)
        m_notification.event.handle = own;
    else
        m_notification.port.handle = own;
    if (!emulation::is_on())
        return 0;
    ntke::OpenQueueArgs args { .queue = afd::ptr64(&m_shared),
        .handle = afd::ptr64(own),
        .key = is_event ? 0 : afd::ptr64(notification.port.key),
        .context = is_event ? 0 : afd::ptr64(notification.port.overlapped) };
    const NTSTATUS status = emulation::call(ntke::kCallOpenQueue, &args);
    return NT_SUCCESS(status) ? 0 : WSAEINVAL;
}

void CompletionQueue::dereference()
{
    if (m_references.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    if (m_shared.notifier) {
        ntke::QueueArgs args { .queue = afd::ptr64(&m_shared) };
        emulation::call(ntke::kCallCloseQueue, &args);
    }
    const HANDLE own = m_notification.type == sdk::kRioPort ? m_notification.port.handle
                                                            : m_notification.event.handle;
    if (own)
        kernel::close(own);
    heap_free(this);
}

bool CompletionQueue::reserve(uint64_t count)
{
    const ExclusiveGuard guard(m_lock);
    if (m_is_closed || count > m_size - m_reserved)
        return false;
    m_reserved += static_cast<DWORD>(count);
    return true;
}

void CompletionQueue::unreserve(DWORD count)
{
    const ExclusiveGuard guard(m_lock);
    m_reserved -= count;
}

int CompletionQueue::resize(DWORD size)
{
    if (!size || size > sdk::kRioMostCompletions)
        return WSAEINVAL;
    const ExclusiveGuard guard(m_lock);
    if (size < m_reserved)
        return WSAETOOMANYREFS;
    m_size = size;
    return 0;
}

void CompletionQueue::complete(Request& request, NTSTATUS status, ULONG_PTR information)
{
    CompletionQueue* notified = nullptr;
    const Direction direction
        = request.flags & ntke::kRegisteredSend ? Direction::kSend : Direction::kReceive;
    CompletionQueue& queue = *request.owner->side(direction).completions;
    const bool notifies = ntke::complete_registered(
        request, status, information, [&](const ntke::RegisteredQueue&) {
            queue.reference();
            notified = &queue;
        });
    if (notifies)
        notified->notify();
    if (notified)
        notified->dereference();
}

void CompletionQueue::notify()
{
    if (m_notification.type == sdk::kRioEvent)
        kernel::set_event(m_notification.event.handle);
    else if (m_notification.type == sdk::kRioPort)
        NtSetIoCompletion(m_notification.port.handle,
            reinterpret_cast<ULONG_PTR>(m_notification.port.key),
            reinterpret_cast<ULONG_PTR>(m_notification.port.overlapped), STATUS_SUCCESS, 0);
}

int CompletionQueue::request_notification()
{
    const ExclusiveGuard guard(m_lock);
    if (m_is_closed || !m_notification.type)
        return WSAEINVAL;
    if (m_notification.type == sdk::kRioEvent && m_notification.event.resets)
        kernel::reset_event(m_notification.event.handle);
    if (m_audible) {
        // What has been taken out of the stack is still in the queue.
        if (m_shared.word & ntke::kQueueIsArmed)
            return WSAEALREADY;
        notify();
        return 0;
    }
    switch (ntke::arm(m_shared)) {
    case ntke::Arming::Already:
        return WSAEALREADY;
    case ntke::Arming::Due:
        notify();
        break;
    case ntke::Arming::Armed:
        break;
    }
    return 0;
}

/// Is it to us to look what has happened at the sockets? Where threads of a port do that, they do
/// while they wait for its packets, which they have no reason to without a notification to come.
bool CompletionQueue::is_left_to_us() const
{
    return m_shared.notifier && m_notification.type == sdk::kRioPort
        && !(__atomic_load_n(&m_shared.word, __ATOMIC_RELAXED) & ntke::kQueueIsArmed);
}

void CompletionQueue::take_completed(bool looks)
{
    ntke::RegisteredRequest* taken = ntke::take_completions(m_shared);
    if (!taken && looks && is_left_to_us()) {
        ntke::QueueArgs args { .queue = afd::ptr64(&m_shared) };
        emulation::call(ntke::kCallServeQueue, &args);
        taken = ntke::take_completions(m_shared);
    }
    while (taken) {
        auto& request = static_cast<Request&>(*taken);
        taken = ntke::registered_request_from(taken->next);
        if (!(request.flags & ntke::kRegisteredQuiet))
            ++m_audible;
        m_completed.append(request);
    }
}

Request* CompletionQueue::pop(bool looks)
{
    if (!m_completed.first())
        take_completed(looks);
    Request* const request = m_completed.take_first();
    if (request && !(request->flags & ntke::kRegisteredQuiet))
        --m_audible;
    return request;
}

/// What the program is told of a request that has ended.
static sdk::RioResult result_of(const Request& request)
{
    NTSTATUS status = request.status;
    const RequestQueue& owner = *request.owner;
    if (request.drops_data && (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW))
        return { 0, 0, owner.context(), request.context };
    // Nobody refuses a datagram; its port was unreachable. [recvfrom/10]
    if (status == STATUS_CONNECTION_REFUSED && !owner.socket().is_stream())
        status = STATUS_PORT_UNREACHABLE;
    int error = NT_SUCCESS(status) ? 0 : error_from_status(status);
    if (owner.is_ended()
        && (status == STATUS_CANCELLED || status == STATUS_HANDLES_CLOSED
            || status == STATUS_INVALID_HANDLE || status == STATUS_CONNECTION_ABORTED))
        error = WSA_OPERATION_ABORTED; // [RIO/27]
    return { error, static_cast<ULONG>(request.information), owner.context(), request.context };
}

/// Writes what the program wanted to know beside the result. A buffer that has gone is its own
/// fault.
static void tell_message(const Request& request)
{
    const bool has_message = NT_SUCCESS(request.status) || request.status == STATUS_BUFFER_OVERFLOW;
    if (request.flags & ntke::kRegisteredSend || !has_message)
        return;
    DWORD flags = request.message_flags;
    // The host tells of control data that did not fit, and of nothing else.
    if (request.status == STATUS_BUFFER_OVERFLOW && !(flags & (MSG_TRUNC | MSG_CTRUNC)))
        flags |= MSG_TRUNC;
    if (request.told_flags)
        guard::write(request.told_flags, flags);
    if (request.told_control)
        guard::write(
            &request.told_control->total_length, sdk::kRioControlBase + request.control_room.len);
}

ULONG CompletionQueue::dequeue(sdk::RioResult* results, ULONG count)
{
    if (count > UINT32_MAX / sizeof(*results)
        || !guard::is_writable(results, count * sizeof(*results)))
        return sdk::kRioCorruptCq;
    RequestList dequeued;
    ULONG number = 0;
    {
        const ExclusiveGuard holds(m_lock);
        while (number < count) {
            Request* const request = pop(!number);
            if (!request)
                break;
            guard::write(&results[number++], result_of(*request));
            tell_message(*request);
            dequeued.append(*request);
        }
    }
    // This may be the end of a request queue, which gives back its room here.
    while (Request* request = dequeued.take_first())
        request->owner->give_back(*request);
    return number;
}

void CompletionQueue::close()
{
    {
        const ExclusiveGuard guard(m_lock);
        if (m_is_closed)
            return;
        m_is_closed = true;
        m_signature = 0;
    }
    drop_if_closed();
    dereference();
}

void CompletionQueue::drop_if_closed()
{
    RequestList dropped;
    {
        const ExclusiveGuard guard(m_lock);
        if (!m_is_closed)
            return;
        while (Request* request = pop(false))
            dropped.append(*request);
    }
    while (Request* request = dropped.take_first())
        request->owner->give_back(*request);
}

} // namespace ws2::rio
