// Places where threads wait for sockets, while no thread does.
#pragma once

#include <atomic>
#include <cstdint>

#include "afd/watcher.h"
#include "ke/lock.h"

namespace afd {

/// Looks after the sockets of completion ports, and of threads that wait for events, while the
/// threads are busy, or gone, or wait elsewhere: then the pump of the process is told what their
/// epoll has to tell, so that requests end and events are set although nobody asks.
///
///     Attended ──expect──> Expected ──nobody came for a while, or arm──> Armed
///        ^                    │                                            │
///        └──── a thread waits again ───────────────────────────────────────┘
///
/// A busy thread mostly comes back at once, so that it left costs nothing but a look a tenth of
/// a second later. Owner: the process. Lock: m_lock, a leaf; the guests are kept by a reference
/// each while they are in the list.
class Absence {
public:
    /// Such a place, seen from here.
    class Guest : public PumpGuest {
    public:
        constexpr Guest() = default;
        Guest(const Guest&) = delete;

    protected:
        ~Guest() = default;

    private:
        friend class Absence;
        enum class State : uint8_t { Attended, Expected, Armed };

        /// Negative: no descriptor is left, now.
        virtual int epoll_to_watch() = 0;
        virtual void hold() = 0;
        virtual void release() = 0;
        /// Will there be nothing more to tell?
        virtual bool is_over() const = 0;
        /// It leaves the list. No lock held.
        virtual void on_let_go() = 0;

        std::atomic<State> m_state { State::Attended };
        std::atomic<bool> m_is_attended { false };
        std::atomic<bool> m_was_seen { false }; // absent at the last look, and since
        std::atomic<bool> m_has_left { false }; // since the last look: it will again
        Guest* m_next = nullptr;
    };

    static Absence& instance();

    /// A thread begins to wait there / comes back, or a request begins to wait without one.
    void attend(Guest& guest) EXCLUDES(m_lock)
    {
        guest.m_was_seen.store(false, std::memory_order_relaxed);
        guest.m_is_attended.store(true, std::memory_order_seq_cst);
        if (guest.m_state.load(std::memory_order_seq_cst) == Guest::State::Armed) [[unlikely]]
            disarm(guest);
    }
    void leave(Guest& guest) EXCLUDES(m_lock)
    {
        guest.m_has_left.store(true, std::memory_order_relaxed);
        guest.m_is_attended.store(false, std::memory_order_seq_cst);
        expect(guest);
    }
    void expect(Guest& guest) EXCLUDES(m_lock)
    {
        if (guest.m_is_attended.load(std::memory_order_seq_cst))
            return;
        const Guest::State state = guest.m_state.load(std::memory_order_seq_cst);
        if (state == Guest::State::Attended) [[unlikely]]
            begin(guest);
        else if (state == Guest::State::Expected)
            have_look();
    }
    /// No thread is waited for: what is told is needed at once, until one waits again.
    void arm(Guest& guest) EXCLUDES(m_lock)
    {
        if (guest.m_state.load(std::memory_order_seq_cst) != Guest::State::Armed)
            arm_now(guest);
    }
    void leave_for_long(Guest& guest) EXCLUDES(m_lock)
    {
        guest.m_is_attended.store(false, std::memory_order_seq_cst);
        arm(guest);
    }
    /// For another thread: arms it, unless a thread waits there.
    void arm_unless_attended(Guest& guest) EXCLUDES(m_lock)
    {
        if (!guest.m_is_attended.load(std::memory_order_seq_cst))
            arm(guest);
    }
    /// Nobody will wait at the port any more: it is looked after until it is over.
    void expect_end(Guest& guest) EXCLUDES(m_lock);

    // For the pump of the process, between two rounds.

    /// Arms those that have been absent for a while and lets go of the others.
    void look() EXCLUDES(m_lock);
    /// The shorter of this time and that until the next look; milliseconds, negative: for ever.
    int limit_sleep(int milliseconds) const;

    constexpr Absence() = default;

private:
    void have_look()
    {
        if (!m_is_look_due.load(std::memory_order_seq_cst)) [[unlikely]]
            demand_look();
    }
    void demand_look();
    void begin(Guest& guest) EXCLUDES(m_lock);
    void arm_now(Guest& guest) EXCLUDES(m_lock);
    void disarm(Guest& guest) EXCLUDES(m_lock);
    bool enlist(Guest& guest) REQUIRES(m_lock);
    bool add_to_pump(Guest& guest) REQUIRES(m_lock);
    void take_from_pump(Guest& guest) REQUIRES(m_lock);
    Guest* take_gone(bool is_time) EXCLUDES(m_lock);

    ke::Lock m_lock;
    Guest* m_first GUARDED_BY(m_lock) = nullptr; // expected and armed ones
    /// The pump will look, soon. Whoever makes it true wakes the pump.
    std::atomic<bool> m_is_look_due { false };
    int64_t m_last_look = 0; // interrupt time. The pump's thread alone
};

} // namespace afd
