// The states of a registration for socket state notifications: every sequence of a few steps,
// beside what is simply said of it: there is one packet at most, events are told to whom they are
// due, and the end is last.
#include "ntke/notification.h"

#include <cstring>

#include "unit.h"

namespace {

using namespace ntke;

/// What may happen to a registration and its socket.
enum class Step { Enable, EnableOnce, Disable, Remove, Close, Arrive, Drain, Take, kCount };

struct World {
    NotificationPort port {};
    Registration registration {};
    bool has_data = false;
    bool is_polling = false; // the device has a poll
    bool is_removed = false;
    bool is_closed = false;
    unsigned packets = 0; // in the port

    World() { registration.port = reinterpret_cast<uintptr_t>(&port); }

    bool has(uint32_t bits) const { return registration.state & bits; }

    /// The device is asked; what holds ends the poll at once.
    void ask()
    {
        assert_false(is_polling);
        assert_true(has(kRegistrationOutstanding));
        is_polling = true;
        look();
    }
    void look()
    {
        if (is_polling && (has_data || is_closed))
            end_poll();
    }
    void end_poll()
    {
        if (!is_polling)
            return;
        is_polling = false;
        ++packets;
        assert_int_equal(packets, 1);
    }

    void enable(bool is_once)
    {
        if (is_closed || has(kRegistrationRemoving))
            return;
        constexpr uint32_t kKept = kRegistrationOutstanding | kRegistrationResting;
        bool asks = false;
        change_state(registration, [&](uint32_t state) {
            asks = !(state & kKept);
            return (state & kKept) | kNotifyIn | kRegistrationEnabled
                | (is_once ? uint32_t { kRegistrationOneShot } : 0u)
                | (asks ? uint32_t { kRegistrationOutstanding } : 0u);
        });
        if (asks)
            ask();
        else if (has(kRegistrationOutstanding))
            end_poll();
    }
    void remove()
    {
        if (is_closed || !registration.state || has(kRegistrationRemoving))
            return;
        const bool was_outstanding = has(kRegistrationOutstanding);
        registration.state |= kRegistrationRemoving | kRegistrationOutstanding;
        if (was_outstanding)
            end_poll();
        else
            ++packets;
    }
    void close()
    {
        if (is_closed)
            return;
        is_closed = true;
        constexpr uint32_t kBusy = kRegistrationOutstanding | kRegistrationResting;
        registration.state
            |= kRegistrationClosed | (has(kBusy) ? 0u : uint32_t { kRegistrationGone });
        look();
    }
    /// A thread comes for a packet and takes what is there.
    void take()
    {
        wake_resting(port, [&](Registration&) { ask(); });
        if (!packets)
            return;
        --packets;
        const bool was_enabled = has(kRegistrationEnabled);
        const uint32_t conditions = has_data ? uint32_t { afd::kPollReceive } : 0u;
        assert_false(has(kRegistrationGone));
        const Verdict verdict = judge(registration, conditions);
        if (verdict.rests)
            put_to_rest(registration);
        if (verdict.asks_again)
            ask();
        assert_false(is_removed && verdict.events);
        if (is_closed)
            assert_int_equal(verdict.events, 0);
        else if (has(kRegistrationRemoving))
            assert_true(verdict.events & kNotifyRemove);
        else
            assert_int_equal(verdict.events, was_enabled && has_data ? uint32_t { kNotifyIn } : 0);
        is_removed |= (verdict.events & kNotifyRemove) != 0;
    }
    void step(Step what)
    {
        switch (what) {
        case Step::Enable:
        case Step::EnableOnce:
            return enable(what == Step::EnableOnce);
        case Step::Disable:
            registration.state &= ~uint32_t { kRegistrationEnabled };
            return;
        case Step::Remove:
            return remove();
        case Step::Close:
            return close();
        case Step::Arrive:
            has_data = true;
            return look();
        case Step::Drain:
            has_data = false;
            return;
        case Step::Take:
            return take();
        case Step::kCount:
            return;
        }
    }
    /// Once nothing happens any more but that packets are taken.
    void check_rest()
    {
        for (int i = 0; i < 4; ++i)
            take();
        if (has(kRegistrationGone)) {
            assert_int_equal(port.resting, 0);
            assert_int_equal(packets, 0);
            assert_false(is_polling);
        }
        const bool is_over = is_closed || is_removed;
        if (is_over && registration.state)
            assert_true(has(kRegistrationGone));
        // Nobody waits in vain for what has come.
        if (!is_over && has(kRegistrationEnabled))
            assert_true(is_polling || packets || port.resting);
    }
};

void every_short_history_ends_well(void**)
{
    constexpr unsigned kLength = 6;
    constexpr auto kSteps = static_cast<unsigned>(Step::kCount);
    unsigned histories = 1;
    for (unsigned i = 0; i < kLength; ++i)
        histories *= kSteps;
    for (unsigned history = 0; history < histories; ++history) {
        World world;
        for (unsigned rest = history, i = 0; i < kLength; ++i, rest /= kSteps)
            world.step(static_cast<Step>(rest % kSteps));
        world.check_rest();
    }
}

void what_was_told_by_an_edge_is_not_asked_for(void**)
{
    const uint32_t state = kNotifyIn | kNotifyOut | kRegistrationEdge;
    assert_true(awaited_conditions(state) & afd::kPollReceive);
    const uint32_t told = state | uint32_t { kNotifyIn } << kToldShift;
    assert_false(awaited_conditions(told) & afd::kPollReceive);
    assert_true(awaited_conditions(told) & afd::kPollSend);
    assert_true(awaited_conditions(told) & afd::kPollAbort);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(every_short_history_ends_well),
        cmocka_unit_test(what_was_told_by_an_edge_is_not_asked_for),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
