// Endpoints and their records against the model, on random schedules.
//
// The endpoints run on one thread, above a network that is a few numbers (fake_host_socket.h): so a
// schedule depends on its seed alone, a step takes less than a microsecond, and a failing schedule
// can be shrunk. What the pump tells is part of the schedule: late, twice, or something that was
// true long ago. It must make no difference to what an enumeration tells; an event may be set late
// only as long as the pump has something to tell.
//
//   NTKE_SEED=n     begin with this seed        NTKE_ROUNDS=n   that many schedules
#include <initializer_list>

#include "afd/ioctl.h"
#include "event_record_schedule.h"
#include "ke/pool.h"
#include "unit.h"

namespace {

using namespace schedule;

// --- Making, shrinking and printing schedules

Step random_step(unit::Random& random)
{
    static constexpr auto kTotal = [] {
        uint32_t total = 0;
        for (const StepRow& row : kSteps)
            total += row.weight;
        return total;
    }();
    static Step s_steps[kTotal];
    static bool s_is_filled = false;
    if (!s_is_filled) {
        Step* next = s_steps;
        for (const StepRow& row : kSteps) {
            for (uint32_t i = 0; i < row.weight; ++i)
                *next++ = row.step;
        }
        s_is_filled = true;
    }
    return s_steps[random.below(kTotal)];
}

constexpr uint16_t kAll = 0x1DF; // conditions that can hold

uint16_t random_mask(unit::Random& random)
{
    if (random.one_in(3))
        return kAll;
    const auto mask = static_cast<uint16_t>(random.next() & kAll);
    return mask ? mask : kAll;
}

Schedule random_schedule(uint64_t seed)
{
    unit::Random random(seed);
    Schedule schedule {};
    schedule.is_settled_by_host = random.one_in(2);
    schedule.count = kOperations;
    for (Operation& operation : schedule.operations) {
        operation.step = random_step(random);
        operation.slot = static_cast<uint8_t>(random.below(kSlots));
        operation.amount = static_cast<uint8_t>(random.next());
        operation.choice = static_cast<uint8_t>(random.next());
        operation.mask = random_mask(random);
    }
    return schedule;
}

/// Leaves out what the failure does not need.
Schedule shrink(Schedule schedule)
{
    schedule.count = run(schedule).length;
    for (uint32_t i = schedule.count; i-- > 0;) {
        Schedule without = schedule;
        --without.count;
        for (uint32_t j = i; j < without.count; ++j)
            without.operations[j] = without.operations[j + 1];
        if (const uint32_t length = run(without).length) {
            without.count = length;
            schedule = without;
            i = i < length ? i : length;
        }
    }
    return schedule;
}

void print(const Schedule& schedule)
{
    print_error("  connects are settled by %s\n",
        schedule.is_settled_by_host ? "the host" : "the endpoint");
    print_error("  slots: 0 listener, 1 stream to connect, 2 datagrams, 3 accepted stream\n");
    for (uint32_t i = 0; i < schedule.count; ++i) {
        const Operation& operation = schedule.operations[i];
        print_error("  %u: %s (amount %u, choice %u, mask %03x)\n", operation.slot,
            kSteps[static_cast<size_t>(operation.step)].name, operation.amount, operation.choice,
            operation.mask);
    }
}

// --- What random schedules have found, kept by name. Slots: see schedule::kSlots.

constexpr uint8_t kConnecting = 1;
constexpr uint8_t kDatagrams = 2;
constexpr uint8_t kAccepted = 3;

void play(std::initializer_list<Operation> operations)
{
    for (const bool is_settled_by_host : { false, true }) {
        Schedule schedule {};
        schedule.is_settled_by_host = is_settled_by_host;
        for (const Operation& operation : operations)
            schedule.operations[schedule.count++] = operation;
        const Outcome outcome = run(schedule);
        if (!outcome.length)
            continue;
        print_error("step %u: %s\n", outcome.length, outcome.failure);
        print(schedule);
        fail();
    }
}

void a_reset_after_a_shutdown_of_sends_is_a_reset(void**)
{
    play({ { Step::ShutDownSends, kAccepted, 0, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll },
        { Step::Reset, kAccepted, 0, 0, 0 } });
}

void a_reset_that_a_transfer_has_told_is_recorded(void**)
{
    play({ { Step::Reset, kAccepted, 0, 0, 0 }, { Step::Send, kAccepted, 0, 0, 0 },
        { Step::ShutDownSends, kAccepted, 0, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll } });
    play({ { Step::ShutDownSends, kAccepted, 0, 0, 0 }, { Step::Reset, kAccepted, 0, 0, 0 },
        { Step::Receive, kAccepted, 1, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll } });
}

void a_connection_reset_before_anybody_looks_was_made(void**)
{
    play({ { Step::Select, kConnecting, 0, 0, kAll }, { Step::Connect, kConnecting, 1, 0, 0 },
        { Step::Reset, kConnecting, 0, 0, 0 } });
}

void what_the_pump_saw_before_the_connect_settles_nothing(void**)
{
    play({ { Step::Select, kConnecting, 0, 0, kAll }, { Step::PumpFetches, kConnecting, 0, 0, 0 },
        { Step::Connect, kConnecting, 0, 0, 0 }, { Step::PumpTells, kConnecting, 0, 0, 0 } });
}

void a_connect_that_failed_before_the_selection_is_recorded_by_it(void**)
{
    play({ { Step::Select, kConnecting, 0, 0, kAll }, { Step::Connect, kConnecting, 1, 3, 0 },
        { Step::PumpFetches, kConnecting, 0, 0, 0 }, { Step::PumpTells, kConnecting, 0, 0, 0 },
        { Step::HostSettles, kConnecting, 0, 0, 0 }, { Step::HandOver, kConnecting, 0, 0, 0 },
        { Step::Select, kConnecting, 0, 0, kAll } });
}

void data_before_a_reset_is_recorded(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Enumerate, kAccepted, 0, 0, 0 },
        { Step::Data, kAccepted, 0, 0, 0 }, { Step::Enumerate, kAccepted, 0, 0, 0 },
        { Step::Data, kAccepted, 0, 0, 0 }, { Step::Reset, kAccepted, 0, 0, 0 } });
}

void an_empty_receive_after_a_reset_leaves_the_data(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::Reset, kAccepted, 0, 0, 0 }, { Step::Enumerate, kAccepted, 0, 0, 0 },
        { Step::Receive, kAccepted, 0, 0, 0 } });
}

void a_shutdown_of_sends_makes_nothing_writable(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Send, kAccepted, 13, 0, 0 },
        { Step::Send, kAccepted, 1, 0, 0 }, { Step::ShutDownSends, kAccepted, 0, 0, 0 } });
}

void what_came_before_a_shutdown_of_receives_is_recorded(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::ShutDownReceives, kAccepted, 0, 0, 0 } });
}

void urgent_data_is_not_recorded_after_a_shutdown_of_receives(void**)
{
    play({ { Step::ShutDownReceives, kAccepted, 0, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
        { Step::Select, kAccepted, 0, 0, kAll } });
}

void an_urgent_byte_is_no_news_of_data(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::Enumerate, kAccepted, 0, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
        { Step::Enumerate, kAccepted, 0, 0, 0 } });
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::Enumerate, kAccepted, 0, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
        { Step::ReceiveUrgent, kAccepted, 0, 1, 0 } });
}

void data_is_no_news_of_an_urgent_byte(void**)
{
    play({ { Step::Data, kAccepted, 2, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
        { Step::Select, kAccepted, 0, 0, kAll }, { Step::Enumerate, kAccepted, 0, 0, 0 },
        { Step::Data, kAccepted, 0, 0, 0 }, { Step::Receive, kAccepted, 3, 0, 0 } });
}

void a_receive_that_stops_at_an_urgent_byte_leaves_data(void**)
{
    play({ { Step::Data, kAccepted, 0, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
        { Step::Data, kAccepted, 0, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll },
        { Step::PumpFetches, kAccepted, 0, 0, 0 }, { Step::PumpTells, kAccepted, 0, 0, 0 },
        { Step::Enumerate, kAccepted, 0, 0, 0 }, { Step::Receive, kAccepted, 7, 0, 0 } });
    play({ { Step::Data, kAccepted, 0, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
        { Step::Data, kAccepted, 0, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll },
        { Step::PumpFetches, kAccepted, 0, 0, 0 }, { Step::PumpTells, kAccepted, 0, 0, 0 },
        { Step::ReceiveUrgent, kAccepted, 0, 1, 0 }, { Step::Enumerate, kAccepted, 0, 0, 0 },
        { Step::Receive, kAccepted, 7, 0, 0 } });
}

void data_behind_an_urgent_byte_is_seen_at_the_end(void**)
{
    play({ { Step::Urgent, kAccepted, 0, 0, 0 }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::End, kAccepted, 0, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll } });
}

void a_second_urgent_byte_is_recorded_although_the_end_is_behind_it(void**)
{
    for (const Step end : { Step::End, Step::Reset })
        play({ { Step::Urgent, kAccepted, 0, 0, 0 }, { Step::Select, kAccepted, 0, 0, kAll },
            { Step::Enumerate, kAccepted, 0, 0, 0 }, { Step::Urgent, kAccepted, 0, 0, 0 },
            { end, kAccepted, 0, 0, 0 } });
}

void a_datagram_received_to_nowhere_is_gone(void**)
{
    play({ { Step::Bind, kDatagrams, 0, 0, 0 }, { Step::Select, kDatagrams, 0, 0, kAll },
        { Step::Datagram, kDatagrams, 200, 0, 0 }, { Step::Enumerate, kDatagrams, 0, 0, 0 },
        { Step::ReceiveBadly, kDatagrams, 0, 0, 0 }, { Step::Datagram, kDatagrams, 1, 0, 0 } });
}

void nothing_is_recorded_after_the_record_was_handed_over(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::PumpFetches, kAccepted, 0, 0, 0 }, { Step::HandOver, kAccepted, 0, 0, 0 },
        { Step::PumpTells, kAccepted, 0, 0, 0 }, { Step::Receive, kAccepted, 7, 0, 0 },
        { Step::Select, kAccepted, 0, 0, kAll } });
}

void what_is_new_is_handed_over_as_pending(void**)
{
    play({ { Step::Select, kAccepted, 0, 0, kAll }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::Enumerate, kAccepted, 0, 0, 0 }, { Step::Data, kAccepted, 0, 0, 0 },
        { Step::HandOver, kAccepted, 0, 0, 0 } });
}

void random_schedules_agree_with_the_model(void**)
{
    const uint64_t first = unit::setting("NTKE_SEED", 1);
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 200'000);
    print_message("# seeds %llu to %llu, %u operations each\n",
        static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + rounds - 1),
        kOperations);
    const int64_t objects = unit::object_count();
    const int64_t blocks = ke::pool_blocks_in_use();
    for (uint64_t seed = first; seed < first + rounds; ++seed) {
        const Schedule whole = random_schedule(seed);
        if (!run(whole).length)
            continue;
        const Schedule shrunk = shrink(whole);
        const Outcome outcome = run(shrunk);
        print_error("seed %llu, shrunk; after the last step %s (told %03x, expected %03x):\n",
            static_cast<unsigned long long>(seed), outcome.failure, outcome.told, outcome.expected);
        print(shrunk);
        fail();
    }
    print_message("# %llu steps\n", static_cast<unsigned long long>(schedule::steps_done()));
    assert_int_equal(unit::object_count(), objects);
    assert_int_equal(ke::pool_blocks_in_use(), blocks);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(a_reset_after_a_shutdown_of_sends_is_a_reset),
        cmocka_unit_test(a_reset_that_a_transfer_has_told_is_recorded),
        cmocka_unit_test(a_connection_reset_before_anybody_looks_was_made),
        cmocka_unit_test(what_the_pump_saw_before_the_connect_settles_nothing),
        cmocka_unit_test(a_connect_that_failed_before_the_selection_is_recorded_by_it),
        cmocka_unit_test(data_before_a_reset_is_recorded),
        cmocka_unit_test(an_empty_receive_after_a_reset_leaves_the_data),
        cmocka_unit_test(a_shutdown_of_sends_makes_nothing_writable),
        cmocka_unit_test(what_came_before_a_shutdown_of_receives_is_recorded),
        cmocka_unit_test(urgent_data_is_not_recorded_after_a_shutdown_of_receives),
        cmocka_unit_test(an_urgent_byte_is_no_news_of_data),
        cmocka_unit_test(data_is_no_news_of_an_urgent_byte),
        cmocka_unit_test(a_receive_that_stops_at_an_urgent_byte_leaves_data),
        cmocka_unit_test(data_behind_an_urgent_byte_is_seen_at_the_end),
        cmocka_unit_test(a_second_urgent_byte_is_recorded_although_the_end_is_behind_it),
        cmocka_unit_test(a_datagram_received_to_nowhere_is_gone),
        cmocka_unit_test(nothing_is_recorded_after_the_record_was_handed_over),
        cmocka_unit_test(what_is_new_is_handed_over_as_pending),
        cmocka_unit_test(random_schedules_agree_with_the_model),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
