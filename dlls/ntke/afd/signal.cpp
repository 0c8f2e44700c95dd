#include "afd/signal.h"

#include <utility>

namespace afd {

namespace {

constinit thread_local Signal::Batch* t_batch __attribute__((tls_model("initial-exec"))) = nullptr;

} // namespace

void Signal::deliver()
{
    if (t_batch && t_batch->add(*this))
        return;
    m_event->set();
    m_raises->fetch_sub(1, std::memory_order_acq_rel);
}

Signal::Batch::Batch()
    : m_outer(std::exchange(t_batch, this))
{
}

Signal::Batch::~Batch()
{
    t_batch = m_outer;
    for (uint32_t i = 0; i < m_count; ++i) {
        if (m_entries[i].event)
            m_entries[i].event->set();
    }
    for (uint32_t i = 0; i < m_count; ++i)
        m_entries[i].raises->fetch_sub(1, std::memory_order_acq_rel);
}

bool Signal::Batch::add(Signal& signal)
{
    if (m_count == kMost)
        return false;
    for (uint32_t i = 0; i < m_count; ++i) {
        if (m_entries[i].event.get() == signal.m_event.get())
            signal.m_event.reset();
    }
    m_entries[m_count++]
        = { std::move(signal.m_event), std::move(signal.m_owner), signal.m_raises };
    return true;
}

} // namespace afd
