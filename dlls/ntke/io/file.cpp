#include "io/file.h"

#include "ob/read_section.h"

namespace io {

File::File(Mode mode)
    : Object(object_type(), &m_event)
    , m_mode(mode)
{
}

File::Mode File::mode_from_options(ULONG options)
{
    if (options & FILE_SYNCHRONOUS_IO_ALERT)
        return Mode::SynchronousAlertable;
    return options & FILE_SYNCHRONOUS_IO_NONALERT ? Mode::Synchronous : Mode::Asynchronous;
}

void File::on_last_reference_dropped()
{
    if (CompletionQueue* queue = m_queue.exchange(nullptr, std::memory_order_relaxed))
        queue->dereference();
    drop_mirror();
}

void File::on_last_handle_closed()
{
    cancel(nullptr, nullptr);
    drop_mirror(); // a handle of the host, and who knows the file may keep it for long
}

void File::drop_mirror()
{
    if (ke::Event* mirror = m_mirror.exchange(nullptr, std::memory_order_acq_rel))
        mirror->dereference();
}

/// Null: there is none, or none any more.
ob::Ref<ke::Event> File::reference_mirror() const
{
    const ob::ReadSection section;
    ke::Event* const mirror = m_mirror.load(std::memory_order_acquire);
    return mirror && mirror->try_reference() ? ob::Ref<ke::Event>::adopt(mirror)
                                             : ob::Ref<ke::Event>();
}

// The mirror is changed after the file's own state by whoever changes that. Two threads that do it
// at a time may leave them different; so may they on NT leave either state.

void File::signal()
{
    m_event.set();
    if (m_mirror.load(std::memory_order_acquire)) [[unlikely]] {
        if (const ob::Ref<ke::Event> mirror = reference_mirror())
            mirror->set();
    }
}

void File::unsignal()
{
    m_event.reset();
    if (m_mirror.load(std::memory_order_acquire)) [[unlikely]] {
        if (const ob::Ref<ke::Event> mirror = reference_mirror())
            mirror->reset();
    }
}

ob::Ref<ke::Event> File::event_for_host_waits(
    NTSTATUS (*make)(bool signaled, ob::Ref<ke::Event>& event))
{
    if (ob::Ref<ke::Event> mirror = reference_mirror())
        return mirror;
    {
        ke::LockGuard guard(m_irp_lock);
        if (!m_first_irp && !m_event.peek())
            return {};
    }
    ob::Ref<ke::Event> made;
    if (!NT_SUCCESS(make(false, made)))
        return {};
    ke::Event* expected = nullptr;
    made->reference(); // the file's
    if (!m_mirror.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) {
        made->dereference();
        return reference_mirror();
    }
    // What ended before the mirror was there is told now.
    if (m_event.peek())
        made->set();
    return made;
}

NTSTATUS File::associate(ob::Ref<CompletionQueue> queue, ULONG_PTR key)
{
    if (m_mode != Mode::Asynchronous)
        return STATUS_INVALID_PARAMETER;
    ke::LockGuard guard(m_irp_lock);
    if (has_completion_queue())
        return STATUS_INVALID_PARAMETER;
    m_key = key;
    m_queue.store(queue.release(), std::memory_order_release);
    return STATUS_SUCCESS;
}

NTSTATUS File::add_completion_modes(uint32_t modes)
{
    if (modes & ~uint32_t { kAllCompletionModes })
        return STATUS_INVALID_PARAMETER;
    m_completion_modes.fetch_or(modes, std::memory_order_relaxed);
    return STATUS_SUCCESS;
}

bool File::cancel(const IO_STATUS_BLOCK* iosb, const ke::Thread* thread)
{
    bool is_any = false;
    for (;;) {
        Irp* victim = nullptr;
        {
            ke::LockGuard guard(m_irp_lock);
            for (Irp* irp = m_first_irp; irp && !victim; irp = irp->m_file_next) {
                if (iosb && irp->m_delivery.iosb != iosb)
                    continue;
                if (thread && irp->m_thread.get() != thread)
                    continue;
                is_any = true;
                if (irp->claim_to_cancel()) { // else whoever tries to serve it ends it, or does so
                    irp->hold();
                    victim = irp;
                }
            }
        }
        if (!victim)
            return is_any;
        victim->cancel_claimed(); // unlinks it, so the next round finds another
        victim->release();
    }
}

} // namespace io
