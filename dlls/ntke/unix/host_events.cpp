#include "unix/host_events.h"

#include <atomic>

#include "afd/pump.h"
#include "ke/lock.h"
#include "unix/host_services.h"

namespace unix_side {

namespace {

// Released events that no call has told. A call has one to leave here when its endpoint was given
// another event in the same moment.
constexpr uint32_t kMostOrphans = 256;
ke::Lock g_orphan_lock;
ntke::HostEventPtr g_orphans[kMostOrphans] GUARDED_BY(g_orphan_lock);
uint32_t g_orphan_count GUARDED_BY(g_orphan_lock) = 0;
// Signals that only the PE side can tell: messages to windows.
ntke::HostEventPtr g_left_signals[kMostOrphans] GUARDED_BY(g_orphan_lock);
uint32_t g_left_signal_count GUARDED_BY(g_orphan_lock) = 0;

thread_local HostWork* t_work __attribute__((tls_model("initial-exec"))) = nullptr;
std::atomic<uint64_t> g_signals { 0 };

} // namespace

HostWork::HostWork(ntke::HostEventPtr* signals, ntke::HostEventPtr* released, uint32_t capacity)
    : m_signals(signals)
    , m_released(released)
    , m_capacity(capacity)
    , m_outer(t_work)
{
    t_work = this;
}

HostWork::~HostWork()
{
    t_work = m_outer;
    if (!m_released_count || m_released != m_own_released) [[likely]]
        return; // the pump has told them all
    ke::LockGuard guard(g_orphan_lock);
    while (m_released_count && g_orphan_count < kMostOrphans)
        g_orphans[g_orphan_count++] = m_released[--m_released_count];
}

void HostWork::take_orphans()
{
    ke::LockGuard guard(g_orphan_lock);
    while (g_orphan_count && m_released_count < m_capacity)
        m_released[m_released_count++] = g_orphans[--g_orphan_count];
    while (g_left_signal_count && m_signal_count < m_capacity)
        m_signals[m_signal_count++] = g_left_signals[--g_left_signal_count];
}

ServiceWork::~ServiceWork()
{
    bool is_left = m_released_count != 0;
    for (uint32_t i = 0; i < m_signal_count; ++i) {
        ntke::HostEvent* event = host_event_from(m_signals[i]);
        if (event->handle)
            host::set_event(reinterpret_cast<HANDLE>(event->handle), nullptr);
        is_left = true; // its reference, or all of it
        ke::LockGuard guard(g_orphan_lock);
        ntke::HostEventPtr* list = event->handle ? g_orphans : g_left_signals;
        uint32_t& count = event->handle ? g_orphan_count : g_left_signal_count;
        if (count < kMostOrphans)
            list[count++] = m_signals[i];
    }
    m_signal_count = 0;
    if (is_left)
        afd::Pump::instance().wake();
}

class HostEvents final : public ke::HostSignal {
public:
    void set_host_event(HANDLE event) override
    {
        if (!t_work)
            return; // a thread that ends
        HostWork& work = *t_work;
        for (uint32_t i = 0; i < work.m_signal_count; ++i) {
            if (work.m_signals[i] == reinterpret_cast<ntke::HostEventPtr>(event))
                return;
        }
        // A call on one endpoint sets one event; a round of the pump one an endpoint.
        if (work.m_signal_count < work.m_capacity)
            work.m_signals[work.m_signal_count++] = share(event);
        g_signals.fetch_add(1, std::memory_order_relaxed);
    }

    /// Only the PE side resets events, before it asks for the record.
    void reset_host_event(HANDLE) override { }

    void release_host_event(HANDLE event) override
    {
        if (!t_work)
            return; // a thread that ends: the process keeps the handle
        HostWork& work = *t_work;
        if (work.m_released_count < work.m_capacity)
            work.m_released[work.m_released_count++] = reinterpret_cast<ntke::HostEventPtr>(event);
    }
};

ke::HostSignal& host_signal()
{
    static constinit HostEvents events;
    return events;
}

ntke::HostEventPtr share(HANDLE host_event)
{
    auto* event = static_cast<ntke::HostEvent*>(host_event);
    __atomic_fetch_add(&event->references, 1, __ATOMIC_RELAXED);
    return reinterpret_cast<ntke::HostEventPtr>(host_event);
}

uint64_t signals_so_far()
{
    return g_signals.load(std::memory_order_relaxed);
}

} // namespace unix_side
