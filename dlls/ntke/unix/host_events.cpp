#include "unix/host_events.h"

#include <atomic>

namespace unix_side {

namespace {

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
}

class HostEvents final : public ke::HostSignal {
public:
    void set_host_event(HANDLE event) override
    {
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
