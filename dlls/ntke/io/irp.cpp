#include "io/irp.h"

#include "io/file.h"
#include "io/iosb.h"
#include "io/registered.h"
#include "ke/pool.h"
#include "ke/timeline.h"
#include "ke/wait.h"

namespace io {

void (*g_queue_apc_on_host)(
    ke::Thread& thread, PIO_APC_ROUTINE routine, PVOID context, IO_STATUS_BLOCK* iosb)
    = nullptr;

void (*g_before_pending)(ke::Thread& thread) = nullptr;

namespace {

bool is_error(NTSTATUS status)
{
    return static_cast<uint32_t>(status) >> 30 == 3;
}

/// The APC of a completion: makes the call with the types the caller's routine has.
void call_io_apc(PVOID routine, PVOID context, PVOID iosb)
{
    reinterpret_cast<PIO_APC_ROUTINE>(routine)(context, static_cast<IO_STATUS_BLOCK*>(iosb), 0);
}

} // namespace

Irp::Irp(ke::Thread& thread, File& file, const Parameters& parameters, Delivery&& delivery)
    : m_parameters(parameters)
    , m_delivery(std::move(delivery))
    , m_file(ob::Ref<File>::share(&file))
    , m_thread(ob::Ref<ke::Thread>::share(&thread))
{
}

Irp::~Irp()
{
    if (driver.free_context)
        driver.free_context(driver.context);
}

Irp* Irp::create(ke::Thread& thread, File& file, const Parameters& parameters, Delivery delivery)
{
    return ke::pool_new<Irp>(thread, file, parameters, std::move(delivery));
}

void Irp::release()
{
    if (m_references.fetch_sub(1, std::memory_order_acq_rel) == 1)
        ke::pool_delete(this);
}

void Irp::prepare_to_pend()
{
    if (g_before_pending && !outlives_thread())
        g_before_pending(*m_thread);
    if (m_delivery.event && m_delivery.event->is_on_host())
        m_delivery.event->reset();
}

void Irp::pend(CancelRoutine cancel)
{
    m_cancel = cancel;
    hold(); // the pending state's own reference, given up by complete()
    m_state.store(kPending, std::memory_order_relaxed);
    ke::timeline::note_status(ke::timeline::kPended, reinterpret_cast<uintptr_t>(m_delivery.iosb),
        STATUS_PENDING, reinterpret_cast<uintptr_t>(m_delivery.apc_context), m_parameters.code);
    link(); // publishes it: from here on it can be cancelled
}

bool Irp::claim()
{
    uint32_t expected = kPending;
    return m_state.compare_exchange_strong(expected, kClaimed, std::memory_order_acq_rel);
}

bool Irp::unclaim()
{
    uint32_t expected = kClaimed;
    return m_state.compare_exchange_strong(expected, kPending, std::memory_order_acq_rel);
}

bool Irp::claim_to_cancel()
{
    uint32_t expected = kPending;
    for (;;) {
        if (expected == kPending) {
            if (m_state.compare_exchange_strong(expected, kClaimed, std::memory_order_acq_rel))
                return true;
        } else if (expected == kClaimed) {
            if (m_state.compare_exchange_strong(
                    expected, kClaimedButUnwanted, std::memory_order_acq_rel))
                return false;
        } else {
            return false;
        }
    }
}

bool Irp::cancel()
{
    if (!claim_to_cancel())
        return false;
    cancel_claimed();
    return true;
}

void Irp::complete(NTSTATUS status, ULONG_PTR information)
{
    unlink();
    m_state.store(kCompleted, std::memory_order_relaxed);
    m_status = status;
    ke::timeline::note_status(ke::timeline::kCompleted,
        reinterpret_cast<uintptr_t>(m_delivery.iosb), status,
        reinterpret_cast<uintptr_t>(m_delivery.apc_context), information);
    deliver(status, information);
    m_done.set();
    release();
}

void Irp::cancel_claimed()
{
    ULONG_PTR information = 0;
    const NTSTATUS status = m_cancel(*this, information);
    complete(status, information);
}

void Irp::link()
{
    ke::LockGuard file_guard(m_file->m_irp_lock);
    ke::LockGuard thread_guard(m_thread->irp_lock()); // always the second

    Irp*& first_of_file = m_file->m_first_irp;
    m_file_next = first_of_file;
    if (first_of_file)
        first_of_file->m_file_previous = this;
    first_of_file = this;

    Irp*& first_of_thread = m_thread->first_irp();
    m_thread_next = first_of_thread;
    if (first_of_thread)
        first_of_thread->m_thread_previous = this;
    first_of_thread = this;
}

void Irp::unlink()
{
    ke::LockGuard file_guard(m_file->m_irp_lock);
    ke::LockGuard thread_guard(m_thread->irp_lock()); // always the second

    (m_file_previous ? m_file_previous->m_file_next : m_file->m_first_irp) = m_file_next;
    if (m_file_next)
        m_file_next->m_file_previous = m_file_previous;
    (m_thread_previous ? m_thread_previous->m_thread_next : m_thread->first_irp()) = m_thread_next;
    if (m_thread_next)
        m_thread_next->m_thread_previous = m_thread_previous;
}

/// Does the end of this request belong to a completion port? The caller asks for a packet by giving
/// a context, and gives it up by giving an APC routine.
bool Irp::wants_packet() const
{
    return m_file->has_completion_queue() && m_delivery.apc_context && !m_delivery.apc;
}

void Irp::publish(NTSTATUS status, ULONG_PTR information)
{
    if (m_delivery.registered && !std::exchange(m_is_published, true))
        m_notifier = put_registered(*m_delivery.registered, status, information);
}

CompletionQueue* Irp::awaiting_port() const
{
    if (m_delivery.registered) {
        const RegisteredNotifier* notifier
            = RegisteredNotifier::of(ntke::queue_of(*m_delivery.registered));
        return notifier ? notifier->port() : nullptr;
    }
    return ends_with_packet_only() ? m_file->m_queue.load(std::memory_order_acquire) : nullptr;
}

void Irp::deliver(NTSTATUS status, ULONG_PTR information)
{
    if (m_delivery.registered) {
        publish(status, information);
        return notify_registered(std::exchange(m_notifier, nullptr));
    }
    const bool was_pended = m_state.load(std::memory_order_relaxed) != kIssued;
    const uint32_t modes = m_file->m_completion_modes.load(std::memory_order_relaxed);

    IO_STATUS_BLOCK* iosb = m_delivery.iosb;
    write_iosb(iosb, status, information);

    if (m_delivery.event)
        m_delivery.event->set();
    else if (!(modes & kSkipSetEventOnHandle))
        m_file->signal();

    if (m_delivery.apc)
        return deliver_apc();

    const bool is_skipped
        = !was_pended && NT_SUCCESS(status) && (modes & kSkipCompletionPortOnSuccess);
    if (wants_packet() && !is_skipped) {
        m_packet.contents.key = m_file->m_key;
        m_packet.contents.context = reinterpret_cast<ULONG_PTR>(m_delivery.apc_context);
        m_packet.contents.iosb.Pointer = nullptr;
        m_packet.contents.iosb.Status = status;
        m_packet.contents.iosb.Information = information;
        m_packet.irp = this;
        m_packet.release = [](Packet& packet) { static_cast<OwnPacket&>(packet).irp->release(); };
        hold(); // until the packet is taken or dropped
        m_file->m_queue.load(std::memory_order_acquire)->post(m_packet);
    }
}

void Irp::deliver_apc()
{
    if (g_queue_apc_on_host)
        return g_queue_apc_on_host(
            *m_thread, m_delivery.apc, m_delivery.apc_context, m_delivery.iosb);
    m_apc.routine = call_io_apc;
    m_apc.arguments[0] = reinterpret_cast<PVOID>(m_delivery.apc);
    m_apc.arguments[1] = m_delivery.apc_context;
    m_apc.arguments[2] = m_delivery.iosb;
    m_apc.irp = this;
    m_apc.release = [](ke::Apc& apc) { static_cast<OwnApc&>(apc).irp->release(); };
    hold(); // until the APC is delivered or dropped
    if (!m_thread->queue_apc(m_apc))
        release(); // the thread has gone
}

/// The end of a request to a synchronous file. An alert or APC during an alertable wait cancels the
/// request, as the documented options say; its own end is waited for in any case.
NTSTATUS Irp::wait_until_completed()
{
    const ke::Alertable alertable = m_file->mode() == File::Mode::SynchronousAlertable
        ? ke::Alertable::Yes
        : ke::Alertable::No;
    const NTSTATUS status = ke::wait_for_single(*m_thread, m_done, alertable, ke::DueTime::never());
    if (status == STATUS_WAIT_0)
        return m_status;

    cancel();
    ke::wait_for_single(*m_thread, m_done, ke::Alertable::No, ke::DueTime::never());
    return m_status == STATUS_CANCELLED ? status : m_status;
}

/// The end of a request that could not even be made.
static NTSTATUS refuse(ntke::RegisteredRequest* registered, NTSTATUS status)
{
    if (registered)
        notify_registered(put_registered(*registered, status, 0));
    return status;
}

NTSTATUS issue(File& file, const Parameters& parameters, Delivery delivery)
{
    ntke::RegisteredRequest* const registered = delivery.registered;
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return refuse(registered, STATUS_NO_MEMORY);
    // A completion has one destination.
    if (delivery.apc && file.has_completion_queue())
        return STATUS_INVALID_PARAMETER;
    Irp* irp = Irp::create(*thread, file, parameters, std::move(delivery));
    if (!irp)
        return refuse(registered, STATUS_INSUFFICIENT_RESOURCES);

    // Nonsignaled from the start of the request, however it ends.
    if (registered)
        irp->tell_also_errors();
    else if (!irp->m_delivery.event)
        file.unsignal();
    else if (!irp->m_delivery.event->is_on_host())
        irp->m_delivery.event->reset(); // else prepare_to_pend

    ULONG_PTR information = 0;
    NTSTATUS status = file.dispatch(*irp, information);
    if (status == STATUS_PENDING) {
        if (file.mode() != File::Mode::Asynchronous)
            status = irp->wait_until_completed();
    } else if ((!is_error(status) || irp->m_tells_errors)
        && status != STATUS_MORE_PROCESSING_REQUIRED) {
        irp->deliver(status, information);
    }
    irp->release();
    return status;
}

void cancel_all_of_exiting_thread(ke::Thread& thread)
{
    for (;;) {
        Irp* victim = nullptr;
        {
            ke::LockGuard guard(thread.irp_lock());
            for (Irp* irp = thread.first_irp(); irp && !victim; irp = irp->m_thread_next) {
                if (!irp->outlives_thread() && irp->claim_to_cancel()) {
                    irp->hold();
                    victim = irp;
                }
            }
        }
        if (!victim)
            return;
        victim->cancel_claimed();
        victim->release();
    }
}

} // namespace io
