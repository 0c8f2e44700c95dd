// The wait engine against the model, on random schedules.
//
// The engine runs on one thread: each waiting "thread" is a fiber, and the two futex functions, the
// only place where ke blocks, are replaced here by switches between fibers. So a schedule depends
// on its seed alone, runs in microseconds, and can be shrunk when it fails.
//
//   NTKE_SEED=n     begin with this seed        NTKE_ROUNDS=n   that many schedules
#include <cstdio>

#include <ucontext.h>

#include "ke/event.h"
#include "ke/futex.h"
#include "ke/pool.h"
#include "ke/wait.h"
#include "unit.h"
#include "wait_model.h"

namespace {

constexpr uint32_t kOperations = 48;
constexpr size_t kStackSize = 64 * 1024;

struct Operation {
    enum Kind { Set, Reset, Pulse, BeginWait, TimeOut, QueueApc, Alert, Run } kind;
    uint32_t target; // an event or a waiter
    model::Wait wait;
};

struct Schedule {
    bool is_synchronization[model::kEvents];
    bool is_signaled[model::kEvents];
    uint32_t count;
    Operation operations[kOperations];
};

/// One waiting thread of the engine.
struct Fiber {
    ucontext_t context;
    char* stack;
    ke::Thread* thread;
    ke::DispatcherObject* objects[model::kMostObjects];
    model::Wait wait;
    bool has_work; // a wait to make, or being made
    std::atomic<uint32_t>* sleeps_on; // null: can run
    uint32_t slept_value;
    bool may_time_out;
    NTSTATUS result;
    bool has_news; // the result was not compared yet
    uint32_t run_apcs;
};

ucontext_t g_main_context;
Fiber* g_running; // null: the main context
Fiber g_fibers[model::kWaiters];

void run_apc(PVOID fiber, PVOID, PVOID)
{
    ++static_cast<Fiber*>(fiber)->run_apcs;
}

void fiber_main(uint32_t index)
{
    Fiber& fiber = g_fibers[index];
    for (;;) {
        const ke::DueTime due = fiber.wait.is_test_only ? ke::DueTime::now() : ke::DueTime::never();
        fiber.result = ke::wait_for_multiple(*fiber.thread, fiber.objects, fiber.wait.count,
            fiber.wait.type, ke::Alertable { fiber.wait.is_alertable }, due);
        if (fiber.result == STATUS_USER_APC)
            fiber.thread->deliver_apcs();
        fiber.has_work = false;
        fiber.has_news = true;
        swapcontext(&fiber.context, &g_main_context);
    }
}

bool can_run(const Fiber& fiber)
{
    if (!fiber.has_work)
        return false;
    return !fiber.sleeps_on || fiber.sleeps_on->load() != fiber.slept_value || fiber.may_time_out;
}

void run(Fiber& fiber)
{
    if (!can_run(fiber))
        return;
    g_running = &fiber;
    swapcontext(&g_main_context, &fiber.context);
    g_running = nullptr;
}

} // namespace

// The seam: what ke's futex.cpp does with the kernel.
namespace ke {

bool futex_wait(std::atomic<uint32_t>& word, uint32_t expected, const DueTime&)
{
    Fiber* fiber = g_running;
    if (!fiber)
        abort(); // nobody else could run: the engine would hang
    fiber->sleeps_on = &word;
    fiber->slept_value = expected;
    if (word.load() == expected)
        swapcontext(&fiber->context, &g_main_context);
    fiber->sleeps_on = nullptr;
    return !std::exchange(fiber->may_time_out, false);
}

void futex_wake(const std::atomic<uint32_t>*, int)
{
}

} // namespace ke

namespace {

/// The engine under test with its objects, next to the model.
class World {
public:
    explicit World(const Schedule& schedule)
    {
        for (uint32_t i = 0; i < model::kEvents; ++i) {
            m_model.is_synchronization[i] = schedule.is_synchronization[i];
            m_model.is_signaled[i] = schedule.is_signaled[i];
            ke::Event::create(
                schedule.is_synchronization[i] ? kSynchronizationEvent : kNotificationEvent,
                schedule.is_signaled[i], m_events[i]);
        }
        for (uint32_t i = 0; i < model::kWaiters; ++i) {
            Fiber& fiber = g_fibers[i];
            char* stack = fiber.stack ? fiber.stack : new char[kStackSize];
            fiber = Fiber {};
            fiber.stack = stack;
            fiber.thread = ke::pool_new<ke::Thread>();
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = stack;
            fiber.context.uc_stack.ss_size = kStackSize;
            makecontext(&fiber.context, reinterpret_cast<void (*)()>(fiber_main), 1, i);
        }
    }
    ~World()
    {
        // Fibers are left only between waits: their threads' blocks are unlinked then.
        for (uint32_t i = 0; i < model::kWaiters; ++i) {
            while (g_fibers[i].has_work) {
                g_fibers[i].may_time_out = g_fibers[i].sleeps_on != nullptr;
                run(g_fibers[i]);
            }
            g_fibers[i].thread->deliver_apcs();
            g_fibers[i].thread->dereference();
        }
    }

    /// Does one operation in both and compares. False when they differ.
    bool step(const Operation& operation) { return apply(operation) && agree(); }

private:
    bool apply(const Operation& operation)
    {
        const uint32_t target = operation.target;
        switch (operation.kind) {
        case Operation::Set:
            return m_events[target]->set() == m_model.set(target);
        case Operation::Reset:
            return m_events[target]->reset() == m_model.reset(target);
        case Operation::Pulse:
            return m_events[target]->pulse() == m_model.pulse(target);
        case Operation::BeginWait:
            begin_wait(g_fibers[target], target, operation.wait);
            return true;
        case Operation::TimeOut:
            // The engine's wait may have ended without having run since: then time plays no role.
            if (m_model.waiters[target].is_waiting && g_fibers[target].sleeps_on)
                g_fibers[target].may_time_out = true;
            m_model.time_out(target);
            run(g_fibers[target]);
            return true;
        case Operation::QueueApc:
            queue_apc(target);
            return true;
        case Operation::Alert:
            m_model.alert(target);
            g_fibers[target].thread->alert();
            return true;
        case Operation::Run:
            run(g_fibers[target]);
            return true;
        }
        return false;
    }

    void begin_wait(Fiber& fiber, uint32_t index, const model::Wait& wait)
    {
        if (fiber.has_work)
            return; // one wait at a time
        fiber.wait = wait;
        for (uint32_t i = 0; i < wait.count; ++i)
            fiber.objects[i] = m_events[wait.objects[i]]->dispatcher();
        fiber.has_work = true;
        m_model.begin_wait(index, wait);
        run(fiber);
    }

    void queue_apc(uint32_t index)
    {
        m_model.queue_apc(index);
        auto* apc = ke::pool_new<ke::Apc>();
        apc->routine = run_apc;
        apc->arguments[0] = &g_fibers[index];
        apc->release = [](ke::Apc& queued) { ke::pool_delete(&queued); };
        g_fibers[index].thread->queue_apc(*apc);
    }

    bool agree()
    {
        for (uint32_t i = 0; i < model::kEvents; ++i) {
            if (m_events[i]->peek() != m_model.is_signaled[i])
                return false;
        }
        for (uint32_t i = 0; i < model::kWaiters; ++i) {
            model::Waiter& expected = m_model.waiters[i];
            Fiber& fiber = g_fibers[i];
            if (fiber.has_work) {
                // Ended and not run yet, or asleep: the model knows which, and so must the engine.
                if (expected.is_waiting == can_run(fiber))
                    return false;
                continue;
            }
            if (expected.is_waiting || fiber.result != expected.result)
                return false;
            // What was queued until the thread ran again was delivered with the rest.
            if (std::exchange(fiber.has_news, false) && fiber.result == STATUS_USER_APC) {
                expected.run_apcs += expected.queued_apcs;
                expected.queued_apcs = 0;
            }
            if (fiber.run_apcs != expected.run_apcs)
                return false;
        }
        return true;
    }

    model::Kernel m_model;
    ob::Ref<ke::Event> m_events[model::kEvents];
};

model::Wait random_wait(unit::Random& random)
{
    model::Wait wait;
    wait.type = random.one_in(2) ? kWaitAll : kWaitAny;
    wait.count = 1 + random.below(model::kMostObjects);
    for (uint32_t i = 0; i < wait.count; ++i)
        wait.objects[i] = random.below(model::kEvents);
    wait.is_alertable = random.one_in(2);
    wait.is_test_only = random.one_in(6);
    return wait;
}

Schedule random_schedule(uint64_t seed)
{
    unit::Random random(seed);
    Schedule schedule {};
    for (uint32_t i = 0; i < model::kEvents; ++i) {
        schedule.is_synchronization[i] = random.one_in(2);
        schedule.is_signaled[i] = random.one_in(4);
    }
    schedule.count = kOperations;
    for (Operation& operation : schedule.operations) {
        constexpr Operation::Kind kKinds[] = { Operation::Set, Operation::Set, Operation::Set,
            Operation::Reset, Operation::Pulse, Operation::BeginWait, Operation::BeginWait,
            Operation::BeginWait, Operation::TimeOut, Operation::QueueApc, Operation::Alert,
            Operation::Run, Operation::Run, Operation::Run };
        operation.kind = kKinds[random.below(std::size(kKinds))];
        const bool is_event = operation.kind <= Operation::Pulse;
        operation.target = random.below(is_event ? model::kEvents : model::kWaiters);
        if (operation.kind == Operation::BeginWait)
            operation.wait = random_wait(random);
    }
    return schedule;
}

/// The number of operations up to the first difference, 0 when there is none.
uint32_t first_difference(const Schedule& schedule)
{
    World world(schedule);
    for (uint32_t i = 0; i < schedule.count; ++i) {
        if (!world.step(schedule.operations[i]))
            return i + 1;
    }
    return 0;
}

/// Leaves out what the failure does not need.
Schedule shrink(Schedule schedule)
{
    schedule.count = first_difference(schedule);
    for (uint32_t i = schedule.count; i-- > 0;) {
        Schedule without = schedule;
        --without.count;
        for (uint32_t j = i; j < without.count; ++j)
            without.operations[j] = without.operations[j + 1];
        if (const uint32_t length = first_difference(without)) {
            without.count = length;
            schedule = without;
            i = i < length ? i : length;
        }
    }
    return schedule;
}

void print(const Schedule& schedule)
{
    static constexpr const char* kNames[]
        = { "set", "reset", "pulse", "wait", "time out", "queue APC", "alert", "run" };
    for (uint32_t i = 0; i < model::kEvents; ++i)
        print_error("  event %u: %s, %s\n", i,
            schedule.is_synchronization[i] ? "synchronization" : "notification",
            schedule.is_signaled[i] ? "signaled" : "nonsignaled");
    for (uint32_t i = 0; i < schedule.count; ++i) {
        const Operation& operation = schedule.operations[i];
        print_error("  %s %u", kNames[operation.kind], operation.target);
        if (operation.kind == Operation::BeginWait) {
            print_error(": %s of", operation.wait.type == kWaitAll ? "all" : "any");
            for (uint32_t j = 0; j < operation.wait.count; ++j)
                print_error(" %u", operation.wait.objects[j]);
            print_error("%s%s", operation.wait.is_alertable ? ", alertable" : "",
                operation.wait.is_test_only ? ", no time" : "");
        }
        print_error("\n");
    }
}

void random_schedules_agree_with_the_model(void**)
{
    const uint64_t first = unit::setting("NTKE_SEED", 1);
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 40'000);
    print_message("# seeds %llu to %llu, %u operations each\n",
        static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + rounds - 1),
        kOperations);
    for (uint64_t seed = first; seed < first + rounds; ++seed) {
        const Schedule schedule = random_schedule(seed);
        if (!first_difference(schedule))
            continue;
        print_error(
            "seed %llu, shrunk; the last step differs:\n", static_cast<unsigned long long>(seed));
        print(shrink(schedule));
        fail();
    }
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(random_schedules_agree_with_the_model),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
