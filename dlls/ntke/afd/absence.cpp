#include "afd/absence.h"

#include "afd/pump.h"
#include "ke/time.h"

namespace afd {

namespace {

// Milliseconds. Each look wakes a thread, which moves those that work to other processors: with ten
// looks in the time of one, a conversation of two threads is a third slower.
constexpr int kPatience = 100;
constexpr int64_t kTicksPerMillisecond = 10'000;

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

void Absence::take_from_pump(Guest& guest)
{
    Pump::instance().remove_guest(guest.epoll_to_watch());
    guest.m_was_seen = false;
    guest.m_state.store(Guest::State::Expected, std::memory_order_seq_cst);
}

void Absence::begin(Guest& guest)
{
    guest.hold();
    bool is_new;
    {
        ke::LockGuard guard(m_lock);
        is_new = enlist(guest);
    }
    have_look();
    if (!is_new)
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
        have_look(); // it tries again
}

/// It stays in the list until a look of the pump's: what that has been told is still to be looked
/// at. If none is due, the thread demands one when it leaves.
void Absence::disarm(Guest& guest)
{
    ke::LockGuard guard(m_lock);
    if (guest.m_state.load(std::memory_order_relaxed) != Guest::State::Armed)
        return;
    take_from_pump(guest);
}

void Absence::demand_look()
{
    if (!m_is_look_due.exchange(true, std::memory_order_seq_cst))
        Pump::instance().wake(); // it sleeps without a limit, maybe
}

void Absence::expect_end(Guest& guest)
{
    expect(guest);
    Pump::instance().wake(); // nothing else makes it look, when the guest is armed
}

/// Rounds of the pump may follow each other at once: that is no time for a thread to come back.
void Absence::look()
{
    const int64_t now = ke::interrupt_time();
    const bool is_time = now - m_last_look >= kPatience * kTicksPerMillisecond;
    while (Guest* gone = take_gone(is_time)) {
        gone->on_let_go();
        // A thread may have left it, or a watch have begun, before it was out of the list.
        if (!gone->is_over())
            expect(*gone);
        gone->release();
    }
    if (!is_time)
        return;
    m_last_look = now;
    ke::LockGuard guard(m_lock);
    bool is_any_expected = false;
    for (Guest* guest = m_first; guest; guest = guest->m_next) {
        if (guest->m_state.load(std::memory_order_relaxed) == Guest::State::Armed)
            continue;
        const bool was_seen = guest->m_was_seen.exchange(true, std::memory_order_seq_cst);
        const bool is_absent = !guest->m_is_attended.load(std::memory_order_seq_cst);
        const bool is_armed = was_seen && is_absent && add_to_pump(*guest);
        if (is_armed && !guest->m_is_attended.load(std::memory_order_seq_cst))
            continue;
        if (is_armed)
            take_from_pump(*guest); // it came back meanwhile
        is_any_expected = true;
    }
    m_is_look_due.store(is_any_expected, std::memory_order_seq_cst);
}

/// Takes one off the list that is over or, if it is time, attended again; the caller has its
/// reference then.
Absence::Guest* Absence::take_gone(bool is_time)
{
    ke::LockGuard guard(m_lock);
    for (Guest** link = &m_first; Guest* guest = *link; link = &guest->m_next) {
        const bool is_armed = guest->m_state.load(std::memory_order_relaxed) == Guest::State::Armed;
        const bool is_attended = is_time && !is_armed
            && guest->m_is_attended.load(std::memory_order_seq_cst)
            && !guest->m_has_left.exchange(false, std::memory_order_relaxed);
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
    if (!m_is_look_due.load(std::memory_order_seq_cst))
        return milliseconds;
    return milliseconds < 0 || milliseconds > kPatience ? kPatience : milliseconds;
}

} // namespace afd
