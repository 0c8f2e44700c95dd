#include "unix/message_targets.h"

#include "afd/pump.h"

namespace message_targets {

namespace {

using ntke::MessageTarget;

constinit std::atomic<MessageTarget*> g_first { nullptr };

/// Queues the target, unless it is in the queue.
void tell(MessageTarget& target, uint32_t what)
{
    const uint32_t before
        = __atomic_fetch_or(&target.work, what | ntke::kTargetQueued, __ATOMIC_ACQ_REL);
    if (before & ntke::kTargetQueued)
        return;
    MessageTarget* next = g_first.load(std::memory_order_relaxed);
    do {
        target.next = afd::ptr64(next);
    } while (!g_first.compare_exchange_weak(next, &target, std::memory_order_acq_rel));
    afd::Pump::instance().wake();
}

/// The HANDLE that ke holds is a MessageTarget*.
class Targets final : public ke::HostSignal {
public:
    void set_host_event(HANDLE target) override
    {
        tell(*static_cast<MessageTarget*>(target), ntke::kTargetPost);
    }
    void reset_host_event(HANDLE) override { }
    void release_host_event(HANDLE target) override
    {
        tell(*static_cast<MessageTarget*>(target), ntke::kTargetFree);
    }
};

} // namespace

NTSTATUS make_event(MessageTarget& target, ob::Ref<ke::Event>& event)
{
    static constinit Targets targets;
    const NTSTATUS status = ke::Event::create_on_host(targets, &target, kNotificationEvent, event);
    if (!NT_SUCCESS(status))
        tell(target, ntke::kTargetFree);
    return status;
}

MessageTarget* take()
{
    return g_first.exchange(nullptr, std::memory_order_acq_rel);
}

} // namespace message_targets
