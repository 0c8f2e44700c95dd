#include "unix/sleepers.h"

#include <utility>

#include "ke/pool.h"
#include "unix/host_services.h"

namespace sleepers {

namespace {

/// An event without a thread. Owner: the list.
struct Free {
    HANDLE event;
    Free* next = nullptr;

    explicit Free(HANDLE event)
        : event(event)
    {
    }
};
ke::Lock g_lock;
Free* g_free GUARDED_BY(g_lock) = nullptr;
std::atomic<HANDLE> g_always_signaled { nullptr };

HANDLE take_free()
{
    Free* taken;
    {
        ke::LockGuard guard(g_lock);
        taken = g_free;
        if (!taken)
            return nullptr;
        g_free = taken->next;
    }
    const HANDLE event = taken->event;
    ke::pool_delete(taken);
    return event;
}

void wake(HANDLE event)
{
    host::set_event(event, nullptr);
}

} // namespace

NTSTATUS prepare(ke::Thread& thread)
{
    if (thread.host_sleeper())
        return STATUS_SUCCESS;
    HANDLE event = take_free();
    const NTSTATUS status = event ? STATUS_SUCCESS
                                  : host::create_event(&event, EVENT_ALL_ACCESS, nullptr,
                                      static_cast<EventType>(kSynchronizationEvent), FALSE);
    if (NT_SUCCESS(status))
        thread.host_sleeper() = event;
    return status;
}

void give_back(ke::Thread& thread)
{
    const HANDLE event = std::exchange(thread.host_sleeper(), nullptr);
    Free* entry = event ? ke::pool_new<Free>(event) : nullptr;
    if (!entry)
        return; // without memory, a handle of the host is lost
    ke::LockGuard guard(g_lock);
    entry->next = g_free;
    g_free = entry;
}

HANDLE always_signaled()
{
    HANDLE event = g_always_signaled.load(std::memory_order_acquire);
    if (event)
        return event;
    if (!NT_SUCCESS(host::create_event(
            &event, EVENT_ALL_ACCESS, nullptr, static_cast<EventType>(kNotificationEvent), TRUE)))
        return nullptr;
    HANDLE first = nullptr;
    if (g_always_signaled.compare_exchange_strong(first, event, std::memory_order_acq_rel))
        return event;
    host::close(event);
    return first;
}

void connect()
{
    ke::g_wake_on_host = wake;
}

} // namespace sleepers
