#include "afd/absence.h"

#include "afd/pump.h"

namespace afd {

namespace {

constexpr int kPatience = 10; // milliseconds

} // namespace

Absence& Absence::instance()
{
    static constinit Absence absence;
    return absence;
}

/// False: it is in the list already.
bool Absence::enlist(Guest& guest)
{
    if (guest.m_state.load(std::memory_order_relaxed) != Guest::State::Attended)
        return false;
    guest.m_was_seen = false;
    guest.m_next = m_first;
    m_first = &guest;
    guest.m_state.store(Guest::State::Expected, std::memory_order_seq_cst);
    m_has_expected.store(true, std::memory_order_release);
    return true;
}

bool Absence::add_to_pump(Guest& guest)
{
    const int epoll = guest.epoll_to_watch();
    if (epoll < 0 || !NT_SUCCESS(Pump::instance().add_guest(epoll, guest)))
        return false;
    guest.m_state.store(Guest::State::Armed, std::memory_order_seq_cst);
    return true;
}

void Absence::begin(Guest& guest)
{
    guest.hold();
    bool is_new;
    {
        ke::LockGuard guard(m_lock);
        is_new = enlist(guest);
    }
    if (is_new)
        Pump::instance().wake(); // it sleeps without a limit, maybe
    else
        guest.release();
}

void Absence::arm_now(Guest& guest)
{
    guest.hold();
    bool is_new;
    bool is_armed;
    {
        ke::LockGuard guard(m_lock);
        is_new = enlist(guest);
        is_armed = guest.m_state.load(std::memory_order_relaxed) == Guest::State::Armed
            || add_to_pump(guest);
    }
    if (!is_new)
        guest.release();
    if (!is_armed)
        Pump::instance().wake(); // tries again
}

/// It stays in the list until the pump's next look: what that has been told is still to be looked
/// at.
void Absence::disarm(Guest& guest)
{
    {
        ke::LockGuard guard(m_lock);
        if (guest.m_state.load(std::memory_order_relaxed) != Guest::State::Armed)
            return;
        Pump::instance().remove_guest(guest.epoll_to_watch());
        guest.m_was_seen = false;
        guest.m_state.store(Guest::State::Expected, std::memory_order_seq_cst);
        if (m_has_expected.exchange(true, std::memory_order_acq_rel))
            return;
    }
    Pump::instance().wake(); // it sleeps without a limit, and would not see the thread leave
}

void Absence::expect_end(Guest& guest)
{
    expect(guest);
    Pump::instance().wake(); // nothing else makes it look, when the guest is armed
}

void Absence::look()
{
    while (Guest* gone = take_gone()) {
        gone->on_let_go();
        // A thread may have left it, or a watch have begun, before it was out of the list.
        if (!gone->is_over())
            expect(*gone);
        gone->release();
    }
    ke::LockGuard guard(m_lock);
    bool has_expected = false;
    for (Guest* guest = m_first; guest; guest = guest->m_next) {
        if (guest->m_state.load(std::memory_order_relaxed) == Guest::State::Armed)
            continue;
        if (!guest->m_was_seen || !add_to_pump(*guest))
            has_expected = true;
        guest->m_was_seen = true;
    }
    m_has_expected.store(has_expected, std::memory_order_release);
}

/// Takes one off the list that is attended again, or over; the caller has its reference then.
Absence::Guest* Absence::take_gone()
{
    ke::LockGuard guard(m_lock);
    for (Guest** link = &m_first; Guest* guest = *link; link = &guest->m_next) {
        const bool is_armed = guest->m_state.load(std::memory_order_relaxed) == Guest::State::Armed;
        const bool is_attended = !is_armed && guest->m_is_attended.load(std::memory_order_seq_cst);
        if (!is_attended && !guest->is_over())
            continue;
        if (is_armed)
            Pump::instance().remove_guest(guest->epoll_to_watch());
        *link = guest->m_next;
        guest->m_state.store(Guest::State::Attended, std::memory_order_seq_cst);
        return guest;
    }
    return nullptr;
}

int Absence::limit_sleep(int milliseconds) const
{
    if (!m_has_expected.load(std::memory_order_acquire))
        return milliseconds;
    return milliseconds < 0 || milliseconds > kPatience ? kPatience : milliseconds;
}

} // namespace afd
