// Endpoints against the model of their records (tests/unit/event_record_model.h), on schedules that
// the fuzzer makes up: it sees which way the code went, random schedules do not.
//
// One byte says who settles connects, then six make a step.
#include <cstdio>
#include <cstdlib>

#include "input.h"
#include "ke/pool.h"
#include "unit/event_record_schedule.h"
#include "unit/unit.h"

namespace {

constexpr uint16_t kConditions = 0x1DF;

schedule::Schedule schedule_from(fuzz::Input input)
{
    schedule::Schedule schedule {};
    schedule.is_settled_by_host = input.byte() & 1;
    while (!input.is_empty() && schedule.count < schedule::kOperations) {
        schedule::Operation& operation = schedule.operations[schedule.count++];
        operation.step = schedule::kSteps[input.byte() % std::size(schedule::kSteps)].step;
        operation.slot = input.byte() % schedule::kSlots;
        operation.amount = input.byte();
        operation.choice = input.byte();
        const auto mask = static_cast<uint16_t>((input.byte() | input.byte() << 8) & kConditions);
        operation.mask = mask ? mask : kConditions;
    }
    return schedule;
}

void print(const schedule::Schedule& schedule, const schedule::Outcome& outcome)
{
    fprintf(stderr, "after step %u %s (told %03x, expected %03x)\n", outcome.length,
        outcome.failure, outcome.told, outcome.expected);
    for (uint32_t i = 0; i < schedule.count; ++i) {
        const schedule::Operation& operation = schedule.operations[i];
        fprintf(stderr, "  %u: %s (amount %u, choice %u, mask %03x)\n", operation.slot,
            schedule::kSteps[static_cast<size_t>(operation.step)].name, operation.amount,
            operation.choice, operation.mask);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const schedule::Schedule schedule = schedule_from(fuzz::Input(data, size));
    const schedule::Outcome outcome = schedule::run(schedule);
    if (outcome.length) {
        print(schedule, outcome);
        abort();
    }
    static uint32_t s_runs = 0;
    if (++s_runs % 256 == 0
        && (unit::object_count_with_pumps() != 0 || ke::pool_blocks_in_use() != 0)) {
        fprintf(stderr, "an object or memory is left\n");
        abort();
    }
    return 0;
}
