// The wait engine with real threads.
//
// Signals are conserved: what set put into a synchronization event comes out of it once, through a
// satisfied wait or a reset, or is still there at the end. A lost wake-up breaks the sum (or hangs
// the last round), an invented one too.
#include <atomic>

#include <pthread.h>

#include "ke/event.h"
#include "ke/wait.h"
#include "unit.h"

namespace {

constexpr uint32_t kEvents = 6;
constexpr uint32_t kThreads = 4;

struct Account {
    std::atomic<int64_t> put { 0 }; // sets that found it nonsignaled
    std::atomic<int64_t> taken { 0 }; // satisfied waits and resets that found it signaled
};

ob::Ref<ke::Event> g_events[kEvents];
Account g_accounts[kEvents];
std::atomic<int> g_wrong_results;

LARGE_INTEGER microseconds(int64_t count)
{
    LARGE_INTEGER timeout;
    timeout.QuadPart = -count * 10;
    return timeout;
}

/// Up to four different events, in random order.
uint32_t choose(unit::Random& random, uint32_t (&chosen)[4])
{
    const uint32_t count = 1 + random.below(4);
    const uint32_t start = random.below(kEvents);
    const uint32_t step = random.one_in(2) ? 1 : kEvents - 1;
    for (uint32_t i = 0; i < count; ++i)
        chosen[i] = (start + i * step) % kEvents;
    return count;
}

void wait_once(unit::Random& random, ke::Thread& thread)
{
    uint32_t chosen[4];
    const uint32_t count = choose(random, chosen);
    ke::DispatcherObject* objects[4];
    for (uint32_t i = 0; i < count; ++i)
        objects[i] = g_events[chosen[i]]->dispatcher();
    const WaitType type = random.one_in(2) ? kWaitAll : kWaitAny;
    const LARGE_INTEGER timeout = microseconds(random.below(200));
    const NTSTATUS status = ke::wait_for_multiple(thread, objects, count, type,
        ke::Alertable { random.one_in(4) }, ke::DueTime::from_timeout(&timeout));

    if (status == STATUS_TIMEOUT || status == STATUS_ALERTED)
        return;
    if (type == kWaitAll && status == STATUS_WAIT_0) {
        for (uint32_t i = 0; i < count; ++i)
            ++g_accounts[chosen[i]].taken;
    } else if (type == kWaitAny && status >= 0 && status < static_cast<NTSTATUS>(count)) {
        ++g_accounts[chosen[status]].taken;
    } else {
        ++g_wrong_results;
    }
}

void* stress(void* seed)
{
    unit::Random random(reinterpret_cast<uint64_t>(seed));
    ke::Thread* thread = ke::Thread::current();
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 15'000);
    for (uint64_t round = 0; round < rounds; ++round) {
        const uint32_t event = random.below(kEvents);
        switch (random.below(8)) {
        case 0:
            g_accounts[event].taken += g_events[event]->reset();
            break;
        case 1:
            thread->alert(); // for one of its own next waits
            break;
        case 2:
        case 3:
            wait_once(random, *thread);
            break;
        default:
            g_accounts[event].put += !g_events[event]->set();
        }
    }
    return nullptr;
}

void signals_are_conserved(void**)
{
    const uint64_t seed = unit::setting("NTKE_SEED", 1);
    print_message("# seed %llu\n", static_cast<unsigned long long>(seed));
    for (uint32_t i = 0; i < kEvents; ++i)
        assert_status(ke::Event::create(kSynchronizationEvent, false, g_events[i]), STATUS_SUCCESS);
    pthread_t threads[kThreads];
    for (uint32_t i = 0; i < kThreads; ++i)
        assert_int_equal(pthread_create(&threads[i], nullptr, stress,
                             reinterpret_cast<void*>(seed * kThreads + i)),
            0);
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);

    assert_int_equal(g_wrong_results.load(), 0);
    int64_t taken = 0;
    for (uint32_t i = 0; i < kEvents; ++i) {
        assert_int_equal(g_accounts[i].put, g_accounts[i].taken + g_events[i]->peek());
        taken += g_accounts[i].taken;
        g_events[i].reset();
    }
    assert_true(taken > 0);
}

// --- A wait-all whose one object others keep snatching away: it is decided for one moment, or the
// object is given out twice.

ob::Ref<ke::Event> g_pair[2];
Account g_pair_accounts[2];
std::atomic<bool> g_is_over;

void* take_both(void*)
{
    ke::Thread& thread = *ke::Thread::current();
    ke::DispatcherObject* both[] = { g_pair[0]->dispatcher(), g_pair[1]->dispatcher() };
    const LARGE_INTEGER timeout = microseconds(1000);
    while (!g_is_over) {
        if (ke::wait_for_multiple(
                thread, both, 2, kWaitAll, ke::Alertable::No, ke::DueTime::from_timeout(&timeout))
            == STATUS_WAIT_0) {
            ++g_pair_accounts[0].taken;
            ++g_pair_accounts[1].taken;
        }
    }
    return nullptr;
}

void* snatch_second(void*)
{
    ke::Thread& thread = *ke::Thread::current();
    while (!g_is_over) {
        if (ke::wait_for_single(
                thread, *g_pair[1]->dispatcher(), ke::Alertable::No, ke::DueTime::now())
            == STATUS_WAIT_0)
            ++g_pair_accounts[1].taken;
    }
    return nullptr;
}

void wait_all_is_decided_for_one_moment(void**)
{
    for (auto& event : g_pair)
        assert_status(ke::Event::create(kSynchronizationEvent, false, event), STATUS_SUCCESS);
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], nullptr, take_both, nullptr), 0);
    assert_int_equal(pthread_create(&threads[1], nullptr, snatch_second, nullptr), 0);
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 60'000);
    for (uint64_t round = 0; round < rounds || g_pair_accounts[0].taken == 0; ++round) {
        for (uint32_t i : { 1, 0 })
            g_pair_accounts[i].put += !g_pair[i]->set();
    }
    g_is_over = true;
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    for (uint32_t i : { 0, 1 }) {
        assert_int_equal(g_pair_accounts[i].put, g_pair_accounts[i].taken + g_pair[i]->peek());
        g_pair[i].reset();
    }
}

// --- A token goes round: one lost wake-up and it stops for good.

constexpr uint32_t kRing = 5;
ob::Ref<ke::Event> g_ring[kRing];

void* pass_on(void* place)
{
    const auto mine = reinterpret_cast<uintptr_t>(place);
    ke::Thread& thread = *ke::Thread::current();
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 3'000);
    for (uint64_t round = 0; round < rounds; ++round) {
        if (ke::wait_for_single(
                thread, *g_ring[mine]->dispatcher(), ke::Alertable::No, ke::DueTime::never())
            != STATUS_WAIT_0)
            abort();
        g_ring[(mine + 1) % kRing]->set();
    }
    return nullptr;
}

void a_token_goes_round(void**)
{
    for (auto& event : g_ring)
        assert_status(ke::Event::create(kSynchronizationEvent, false, event), STATUS_SUCCESS);
    pthread_t threads[kRing];
    for (uintptr_t i = 0; i < kRing; ++i)
        assert_int_equal(
            pthread_create(&threads[i], nullptr, pass_on, reinterpret_cast<void*>(i)), 0);
    g_ring[0]->set();
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    assert_true(g_ring[0]->peek()); // the last one handed it on to nobody
    for (auto& event : g_ring)
        event.reset();
}

// --- Dining: each takes two neighbours' events at once and puts them back. Wait-all in every
// order, setters that need each other's objects.

ob::Ref<ke::Event> g_forks[kRing];
std::atomic<int> g_fork_users[kRing];
std::atomic<int> g_shared_forks;

void* dine(void* place)
{
    const auto mine = reinterpret_cast<uintptr_t>(place);
    const uintptr_t forks[] = { mine, (mine + 1) % kRing };
    ke::DispatcherObject* objects[]
        = { g_forks[forks[0]]->dispatcher(), g_forks[forks[1]]->dispatcher() };
    ke::Thread& thread = *ke::Thread::current();
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 3'000);
    for (uint64_t round = 0; round < rounds; ++round) {
        if (ke::wait_for_multiple(
                thread, objects, 2, kWaitAll, ke::Alertable::No, ke::DueTime::never())
            != STATUS_WAIT_0)
            abort();
        for (uintptr_t fork : forks)
            g_shared_forks += g_fork_users[fork]++ != 0;
        for (uintptr_t fork : forks)
            --g_fork_users[fork];
        for (uintptr_t fork : forks)
            g_forks[fork]->set();
    }
    return nullptr;
}

void wait_all_takes_two_forks_at_once(void**)
{
    for (auto& event : g_forks)
        assert_status(ke::Event::create(kSynchronizationEvent, true, event), STATUS_SUCCESS);
    pthread_t threads[kRing];
    for (uintptr_t i = 0; i < kRing; ++i)
        assert_int_equal(pthread_create(&threads[i], nullptr, dine, reinterpret_cast<void*>(i)), 0);
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    assert_int_equal(g_shared_forks.load(), 0);
    for (auto& event : g_forks) {
        assert_true(event->peek());
        event.reset();
    }
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(signals_are_conserved),
        cmocka_unit_test(wait_all_is_decided_for_one_moment),
        cmocka_unit_test(a_token_goes_round),
        cmocka_unit_test(wait_all_takes_two_forks_at_once),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
