#include "ke/stoppable.h"

#include <atomic>

#include "ke/time.h"

namespace ke {

uint32_t (*g_let_stops_in)(WhenSuspended what) = nullptr;
void (*g_hold_stops_off)(uint32_t before) = nullptr;

namespace {

constinit thread_local timespec* t_time __attribute__((tls_model("initial-exec"))) = nullptr;

} // namespace

Nap::Time::Time(const DueTime& due)
{
    time
        = due.is_now() ? timespec {} : timespec_from_ticks(due.interrupt_time() - interrupt_time());
    t_time = &time;
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

Nap::Time::~Time()
{
    std::atomic_signal_fence(std::memory_order_seq_cst);
    t_time = nullptr;
}

Nap::Nap(const DueTime& due)
    : m_nap(due)
    , m_section(WhenSuspended::Withdraws)
{
}

Nap::~Nap() = default;

void Nap::end_current()
{
    if (t_time)
        *t_time = {};
}

} // namespace ke
