// The end of a socket.
#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "ke/backoff.h"

namespace afd {

bool SocketFile::begin_use()
{
    uint32_t uses = m_uses.load(std::memory_order_relaxed);
    while (uses) {
        if (m_uses.compare_exchange_weak(uses, uses + 1, std::memory_order_seq_cst))
            return true;
    }
    return false;
}

void SocketFile::end_use()
{
    if (m_uses.fetch_sub(1, std::memory_order_acq_rel) == 1)
        close_socket();
}

void SocketFile::wait_for_calls(uint32_t own) const
{
    constexpr int64_t kPatience = 1'000'000; // a tenth of a second; a thread may be suspended
    if (!is_recording())
        return;
    const uint32_t rest = 1 + own; // 1 is of the handles
    ke::await([&] { return m_uses.load(std::memory_order_seq_cst) <= rest; }, kPatience);
}

void SocketFile::on_last_handle_closed()
{
    tell_closed();
    io::Irp* accepting = nullptr;
    {
        Completions done;
        ke::LockGuard guard(m_lock);
        m_is_closing = true;
        drop_deferred();
        serve_polls(done);
        accepting = m_accept_irp;
        if (accepting)
            accepting->hold(); // it is there as long as m_accept_irp says so
    }
    if (accepting) {
        accepting->cancel();
        accepting->release();
    }
    if (is_of_host())
        wait_for_host_accepts();
    if (m_hosted_record.is_kept()) {
        ke::LockGuard guard(m_selection_lock);
        m_hosted_record.select({}); // its event is not kept for a pump that still knows the socket
    }
    File::on_last_handle_closed();
    // Else Linux would take it for unread, and close with a reset. [closesocket/15]
    if (m_has_read_urgent.load(std::memory_order_relaxed) && !is_left_to_host())
        m_socket.pass_read_urgent();
    if (!must_linger())
        end_use();
}

/// What was told to be sent goes out after the last handle, too, unless the program wants a reset.
bool SocketFile::must_linger()
{
    ob::Ref<ke::Event> event;
    ke::LockGuard guard(m_lock);
    m_is_lingering = has_backlog() && !m_socket.closes_with_reset();
    if (m_is_lingering) { // and nobody is told any more
        m_record = EventRecord();
        m_is_recording.store(false, std::memory_order_relaxed);
        event = std::move(m_event);
    }
    return m_is_lingering;
}

void SocketFile::on_last_reference_dropped()
{
    ke::pool_delete(m_backlog.load(std::memory_order_relaxed));
    close_socket(); // for one that never had a handle
    if (io::CompletionQueue* queue = m_port_queue.exchange(nullptr, std::memory_order_relaxed))
        queue->dereference();
    File::on_last_reference_dropped();
}

} // namespace afd
