// Completion queues of registered I/O: how they notify.
#pragma once

#include "io/completion_queue.h"
#include "ke/event.h"
#include "ntke/registered.h"
#include "ob/object.h"

namespace io {

/// Whom a completion queue notifies: an event, or a completion port with one packet that is always
/// the same. Counterpart: RIO_NOTIFICATION_COMPLETION.
///
/// Owner: references; the queue has one (RegisteredQueue::notifier), and so has whoever is about to
/// notify. No lock.
class RegisteredNotifier {
public:
    explicit RegisteredNotifier(ob::Ref<ke::Event> event)
        : m_event(std::move(event))
    {
    }
    RegisteredNotifier(ob::Ref<CompletionQueue> port, const CompletionPacket& packet)
        : m_port(std::move(port))
        , m_packet(packet)
    {
    }
    RegisteredNotifier(const RegisteredNotifier&) = delete;

    static RegisteredNotifier* of(const ntke::RegisteredQueue& queue)
    {
        return reinterpret_cast<RegisteredNotifier*>(static_cast<uintptr_t>(queue.notifier));
    }

    void reference() { m_references.fetch_add(1, std::memory_order_relaxed); }
    void dereference();
    void notify();
    /// The port, null: an event.
    CompletionQueue* port() const { return m_port.get(); }

private:
    std::atomic<uint32_t> m_references { 1 };
    ob::Ref<ke::Event> m_event;
    ob::Ref<CompletionQueue> m_port;
    CompletionPacket m_packet {};
};

/// Ends a request of registered I/O: puts it into its queue. Returns whom to notify, null: nobody;
/// the reference is the caller's. Takes no lock.
[[nodiscard]] RegisteredNotifier* put_registered(
    ntke::RegisteredRequest& request, NTSTATUS status, ULONG_PTR information);
/// Notifies, and gives up the reference. No driver lock held.
void notify_registered(RegisteredNotifier* notifier);

} // namespace io
