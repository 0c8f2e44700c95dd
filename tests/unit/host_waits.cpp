// Waits of which a part is a host's, and events that move to the host meanwhile, with real threads.
//
// Each event has one token: who sets it does so only after somebody has said that he has taken the
// last one. So a signal that is lost, between ke and the host or by a move, is a hang, and one that
// is given twice is counted. The host is a small one of its own: one lock, and auto-reset events.
#include <atomic>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "ke/event.h"
#include "ke/thread.h"
#include "ke/wait.h"
#include "unit.h"

namespace {

// --- The host

constexpr uint32_t kMostHostEvents = 64;

class Host final : public ke::HostSignal {
public:
    void set_host_event(HANDLE event) override { change(event, true); }
    void reset_host_event(HANDLE event) override { change(event, false); }
    void release_host_event(HANDLE) override { }

    HANDLE make()
    {
        const uint32_t index = m_count++;
        m_signaled[index] = false;
        return reinterpret_cast<HANDLE>(uintptr_t { index + 1 } * 4);
    }
    /// For any of them, at most for `due`: an index, or -1.
    int wait(const HANDLE* events, uint32_t count, const ke::DueTime& due)
    {
        pthread_mutex_lock(&m_lock);
        int found = take(events, count);
        while (found < 0 && !due.has_passed()) {
            unit::wait_for_change(m_changed, m_lock);
            found = take(events, count);
        }
        pthread_mutex_unlock(&m_lock);
        return found;
    }

private:
    static uint32_t index_of(HANDLE event)
    {
        return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(event) / 4 - 1);
    }
    void change(HANDLE event, bool signaled)
    {
        pthread_mutex_lock(&m_lock);
        m_signaled[index_of(event)] = signaled;
        pthread_cond_broadcast(&m_changed);
        pthread_mutex_unlock(&m_lock);
    }
    int take(const HANDLE* events, uint32_t count)
    {
        for (uint32_t i = 0; i < count; ++i) {
            if (std::exchange(m_signaled[index_of(events[i])], false))
                return static_cast<int>(i);
        }
        return -1;
    }

    pthread_mutex_t m_lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t m_changed = PTHREAD_COND_INITIALIZER;
    bool m_signaled[kMostHostEvents] = {};
    std::atomic<uint32_t> m_count { 0 };
};

Host g_host;

// --- The events, and a wait for some of them

constexpr uint32_t kEvents = 6;
constexpr uint32_t kWaiters = 4;

struct Token {
    ob::Ref<ke::Event> event; // null: the host's from the start
    HANDLE host_event = nullptr; // what it is, or will be, there
    std::atomic<uint64_t> given { 0 };
    std::atomic<uint64_t> taken { 0 };

    bool is_here() const { return event && !event->is_on_host(); }
};
Token g_tokens[kEvents];
std::atomic<bool> g_is_over { false };

/// As the services of ntke.so have it: null handles are ke's.
class Place final : public ke::WaitPlace, public ke::HostSleep {
public:
    NTSTATUS sleep(ke::Thread& thread, const ke::DueTime& due) override
    {
        return thread.sleep_on_host(*this, due);
    }
    bool has_others() const override { return m_count_of_host; }
    NTSTATUS check_others(uint32_t index) override
    {
        HANDLE before[kEvents];
        uint32_t indices[kEvents];
        uint32_t count = 0;
        for (uint32_t i = 0; i < index; ++i) {
            if (handles[i]) {
                before[count] = handles[i];
                indices[count++] = i;
            }
        }
        const int found = count ? g_host.wait(before, count, ke::DueTime::now()) : -1;
        return found < 0 ? STATUS_PENDING : static_cast<NTSTATUS>(indices[found]);
    }
    NTSTATUS wait(HANDLE sleeper, const ke::DueTime& due) override
    {
        HANDLE all[kEvents + 1] = { sleeper };
        uint32_t indices[kEvents + 1];
        uint32_t number = 1;
        for (uint32_t i = 0; i < count; ++i) {
            if (handles[i]) {
                all[number] = handles[i];
                indices[number++] = i;
            }
        }
        const int found = g_host.wait(all, number, due);
        if (found < 0)
            return STATUS_TIMEOUT;
        return found == 0 ? kWoken : static_cast<NTSTATUS>(indices[found]);
    }
    void give_back(ke::DispatcherObject& event) override
    {
        for (Token& token : g_tokens) {
            if (token.event && &token.event->state() == &event)
                token.event->set(); // on the host, if it has gone there
        }
    }
    void add(HANDLE host_event)
    {
        handles[count++] = host_event;
        m_count_of_host += host_event != nullptr;
    }

    HANDLE handles[kEvents];
    uint32_t count = 0;

private:
    uint32_t m_count_of_host = 0;
};

/// Returns the number of the token it took; kEvents: none.
uint32_t wait_once(unit::Random& random, ke::Thread& thread)
{
    uint32_t chosen[kEvents];
    ke::DispatcherObject* objects[kEvents];
    Place place;
    const uint32_t first = random.below(kEvents);
    const uint32_t count = 1 + random.below(kEvents);
    for (uint32_t i = 0; i < count; ++i) {
        chosen[i] = (first + i) % kEvents;
        Token& token = g_tokens[chosen[i]];
        const bool is_here = token.is_here();
        objects[i] = is_here ? &token.event->state() : nullptr;
        place.add(is_here ? nullptr : token.host_event);
    }
    LARGE_INTEGER timeout;
    timeout.QuadPart = -int64_t { random.below(20'000) };
    const NTSTATUS status
        = ke::wait_at(place, thread, objects, count, kWaitAny, ke::DueTime::from_timeout(&timeout));
    if (status == STATUS_TIMEOUT || status == STATUS_REPARSE)
        return kEvents;
    return status >= 0 && status < static_cast<NTSTATUS>(count) ? chosen[status] : kEvents + 1;
}

std::atomic<int> g_wrong_results { 0 };

void* take_tokens(void* seed)
{
    unit::Random random(reinterpret_cast<uint64_t>(seed));
    ke::Thread* thread = ke::Thread::current();
    thread->host_sleeper() = g_host.make();
    while (!g_is_over) {
        const uint32_t number = wait_once(random, *thread);
        if (number < kEvents)
            ++g_tokens[number].taken;
        else if (number > kEvents)
            ++g_wrong_results;
    }
    return nullptr;
}

void* give_tokens(void* number)
{
    Token& token = g_tokens[reinterpret_cast<uintptr_t>(number)];
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 3'000);
    for (uint64_t round = 0; round < rounds; ++round) {
        ++token.given;
        if (token.event)
            token.event->set();
        else
            g_host.set_host_event(token.host_event);
        while (token.taken < token.given)
            sched_yield();
        if (round == rounds / 2 && reinterpret_cast<uintptr_t>(number) % 2 && token.event)
            token.event->move_to_host(g_host, token.host_event);
    }
    return nullptr;
}

void* move_events(void*)
{
    constexpr uint32_t kMoved = 0; // under its waiters, whatever they do
    usleep(20'000);
    g_tokens[kMoved].event->move_to_host(g_host, g_tokens[kMoved].host_event);
    return nullptr;
}

void no_signal_is_lost_between_ke_and_the_host(void**)
{
    ke::g_wake_on_host = [](HANDLE event) { g_host.set_host_event(event); };
    const uint64_t seed = unit::setting("NTKE_SEED", 1);
    print_message("# seed %llu\n", static_cast<unsigned long long>(seed));
    for (uint32_t i = 0; i < kEvents; ++i) {
        g_tokens[i].host_event = g_host.make();
        if (i % 3 != 2)
            assert_status(
                ke::Event::create(kSynchronizationEvent, false, g_tokens[i].event), STATUS_SUCCESS);
    }
    pthread_t takers[kWaiters];
    pthread_t givers[kEvents];
    pthread_t mover;
    for (uint32_t i = 0; i < kWaiters; ++i)
        assert_int_equal(pthread_create(&takers[i], nullptr, take_tokens,
                             reinterpret_cast<void*>(seed * kWaiters + i)),
            0);
    for (uintptr_t i = 0; i < kEvents; ++i)
        assert_int_equal(
            pthread_create(&givers[i], nullptr, give_tokens, reinterpret_cast<void*>(i)), 0);
    assert_int_equal(pthread_create(&mover, nullptr, move_events, nullptr), 0);
    pthread_join(mover, nullptr);
    for (pthread_t giver : givers)
        pthread_join(giver, nullptr);
    g_is_over = true;
    for (pthread_t taker : takers)
        pthread_join(taker, nullptr);

    assert_int_equal(g_wrong_results.load(), 0);
    for (Token& token : g_tokens) {
        assert_int_equal(token.given.load(), token.taken.load());
        token.event.reset();
    }
}

/// While the wait sleeps, something happens to its events, and then something else ends the wait.
class InterruptedPlace final : public ke::WaitPlace {
public:
    using Happening = void(const ob::Ref<ke::Event>* events);

    InterruptedPlace(const ob::Ref<ke::Event>* events, Happening* happen)
        : m_events(events)
        , m_happen(happen)
    {
    }
    NTSTATUS sleep(ke::Thread&, const ke::DueTime&) override
    {
        m_happen(m_events);
        return STATUS_USER_APC;
    }
    void give_back(ke::DispatcherObject& event) override
    {
        const ob::Ref<ke::Event>* given = m_events;
        while (&(*given)->state() != &event)
            ++given;
        (*given)->set();
    }

private:
    const ob::Ref<ke::Event>* m_events;
    Happening* m_happen;
};

template <uint32_t kCount>
void interrupt_wait(
    ob::Ref<ke::Event> (&events)[kCount], WaitType type, InterruptedPlace::Happening* happen)
{
    ke::DispatcherObject* objects[kCount];
    for (uint32_t i = 0; i < kCount; ++i) {
        assert_status(ke::Event::create(kSynchronizationEvent, false, events[i]), STATUS_SUCCESS);
        objects[i] = &events[i]->state();
    }
    InterruptedPlace place(events, happen);
    assert_status(
        ke::wait_at(place, *ke::Thread::current(), objects, kCount, type, ke::DueTime::never()),
        STATUS_USER_APC);
}

HANDLE g_moved = nullptr;

void a_set_that_is_given_back_follows_its_event_to_the_host(void**)
{
    g_moved = g_host.make();
    for (const WaitType type : { kWaitAny, kWaitAll }) {
        ob::Ref<ke::Event> event[1];
        interrupt_wait(event, type, [](const ob::Ref<ke::Event>* events) {
            events[0]->set();
            events[0]->move_to_host(g_host, g_moved);
        });
        assert_int_equal(g_host.wait(&g_moved, 1, ke::DueTime::now()), 0);
    }
}

void a_pulse_whose_wait_ends_otherwise_leaves_nothing(void**) // [NtEvent/12]
{
    ob::Ref<ke::Event> any[2];
    interrupt_wait(any, kWaitAny, [](const ob::Ref<ke::Event>* events) { events[1]->pulse(); });
    assert_false(any[1]->peek());

    // Of a wait for all, the set that came before it is given back.
    ob::Ref<ke::Event> all[2];
    interrupt_wait(all, kWaitAll, [](const ob::Ref<ke::Event>* events) {
        events[0]->set();
        events[1]->pulse();
    });
    assert_true(all[0]->peek());
    assert_false(all[1]->peek());

    // A set that comes after it is another one.
    ob::Ref<ke::Event> later[1];
    interrupt_wait(later, kWaitAny, [](const ob::Ref<ke::Event>* events) {
        events[0]->pulse();
        events[0]->set();
    });
    assert_true(later[0]->peek());
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(no_signal_is_lost_between_ke_and_the_host),
        cmocka_unit_test(a_set_that_is_given_back_follows_its_event_to_the_host),
        cmocka_unit_test(a_pulse_whose_wait_ends_otherwise_leaves_nothing),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
