// Threads that are suspended where they wait: what they wait for is others' until they go on. The
// host is a handler that keeps the thread for as long as it is suspended.
#include <atomic>
#include <csignal>
#include <iterator>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "afd/direct_calls.h"
#include "io/completion_queue.h"
#include "ke/event.h"
#include "ke/stoppable.h"
#include "ke/wait.h"
#include "stops.h"
#include "unit.h"
#include "unix/uninterrupted.h"

namespace {

using unix_side::Uninterrupted;

template <typename Condition> void wait_until(const Condition& condition)
{
    while (!condition())
        sched_yield(); // what never comes is a hang, which the runner ends
}

/// The thread, once there is one, sleeps in a wait.
void wait_until_asleep(const std::atomic<ke::Thread*>& thread)
{
    wait_until([&] { return thread.load() && thread.load()->is_asleep(); });
}

/// A thread that can be suspended. Owner: the test's frame.
class Worker {
public:
    /// Runs `work` once.
    template <typename Work>
    explicit Worker(Work& work)
        : m_argument(&work)
        , m_work([](void* argument) { (*static_cast<Work*>(argument))(); })
    {
        assert_int_equal(pthread_create(&m_id, nullptr, run, this), 0);
        wait_until([this] { return m_is_running.load(); });
    }
    ~Worker() { pthread_join(m_id, nullptr); }

    void suspend()
    {
        m_is_suspended = true;
        m_is_stopped = false;
        pthread_kill(m_id, SIGUSR1);
        wait_until([this] { return m_is_stopped.load(); });
    }
    void resume()
    {
        m_is_suspended = false;
        wait_until([this] { return !m_is_stopped.load(); });
    }

    /// The host's handler.
    static void on_signal(int, siginfo_t*, void*)
    {
        if (!t_self)
            return;
        t_self->m_is_stopped = true;
        while (t_self->m_is_suspended)
            sched_yield();
        t_self->m_is_stopped = false;
    }

private:
    static void* run(void* self)
    {
        t_self = static_cast<Worker*>(self);
        t_self->m_is_running = true;
        t_self->m_work(t_self->m_argument);
        return nullptr;
    }

    static thread_local Worker* t_self;
    void* const m_argument;
    void (*const m_work)(void* argument);
    std::atomic<bool> m_is_running { false };
    std::atomic<bool> m_is_suspended { false };
    std::atomic<bool> m_is_stopped { false };
    pthread_t m_id {};
};

thread_local Worker* Worker::t_self = nullptr;

constexpr ULONG_PTR kOfSource = 1;
constexpr ULONG_PTR kEnd = 2;

void post(io::CompletionQueue& queue, ULONG_PTR key)
{
    CompletionPacket packet {};
    packet.key = key;
    assert_status(queue.post(packet), STATUS_SUCCESS);
}

/// Work arrives by arrive(); the thread that waits here makes packets of it. What nobody here
/// makes, because the one that waited is suspended, the pump of the process does under Wine, and
/// on_poller_withdrawn tells it; here serve_source is the test's to call.
class Source final : public io::WaitSource {
public:
    ~Source() { ::close(m_event); }
    void arrive()
    {
        m_pieces.fetch_add(1);
        interrupt();
    }
    void wait_and_serve(io::CompletionQueue& queue, const ke::DueTime& due) override
    {
        if (!due.is_now()) {
            sleepers.fetch_add(1);
            {
                pollfd fd { m_event, POLLIN, 0 };
                ke::Nap nap(due);
                afd::direct::ppoll(&fd, 1, nap.time());
            }
            sleepers.fetch_sub(1);
            if (!queue.is_polled_by_current())
                return;
        }
        uint64_t count;
        static_cast<void>(!read(m_event, &count, sizeof(count)));
        assert_int_equal(m_serving.fetch_add(1), 0); // one at a time
        {
            const io::CompletionQueue::Serving serving(queue);
            for (uint32_t pieces = m_pieces.exchange(0); pieces; --pieces)
                post(queue, kOfSource);
        }
        m_serving.fetch_sub(1);
    }
    void interrupt() override
    {
        if (suspended_by_interrupt)
            suspended_by_interrupt->suspend();
        const uint64_t one = 1;
        static_cast<void>(!write(m_event, &one, sizeof(one)));
    }
    void on_packet_left() override { }
    void on_poller_stopped() override { }
    void on_poller_withdrawn() override { withdrawals.fetch_add(1); }
    void take_packet(const CompletionPacket&) override { }
    void on_closed() override { }
    void on_dropped() override { }
    void destroy() override { }

    std::atomic<uint32_t> sleepers { 0 };
    std::atomic<uint32_t> withdrawals { 0 };
    Worker* suspended_by_interrupt = nullptr;

private:
    const int m_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::atomic<uint32_t> m_pieces { 0 };
    std::atomic<uint32_t> m_serving { 0 };
};

/// Takes packets one by one, to the end.
struct Taking {
    io::CompletionQueue& queue;
    std::atomic<uint32_t> taken { 0 };
    std::atomic<ke::Thread*> thread { nullptr };

    void operator()()
    {
        CompletionPacket packet {};
        while (packet.key != kEnd) {
            const Uninterrupted section;
            thread = ke::Thread::current();
            uint32_t removed = 0;
            if (queue.remove(*ke::Thread::current(), &packet, 1, &removed, ke::Alertable::No,
                    ke::DueTime::never())
                != STATUS_SUCCESS)
                return;
            taken += removed;
        }
    }
};

struct Port {
    explicit Port(uint32_t concurrency = UINT32_MAX)
    {
        assert_status(io::CompletionQueue::create(concurrency, queue), STATUS_SUCCESS);
        assert_true(queue->set_source(source));
    }
    ~Port()
    {
        queue.reset();
        ob::reclaim_now(); // while the source is there
    }
    Source source;
    ob::Ref<io::CompletionQueue> queue;
};

constexpr uint32_t kPackets = 5;

/// What is posted, and what the source brings, all comes to one of them.
void assert_served(Port& port, Taking& by)
{
    for (uint32_t i = 0; i < kPackets; ++i) {
        const uint32_t before = by.taken;
        if (i % 2)
            port.source.arrive();
        else
            post(*port.queue, kOfSource);
        wait_until([&] { return by.taken == before + 1; });
    }
}

/// Two threads that take packets: one waits at the source, and the other beside it.
struct TwoWaiting {
    Port port;
    Taking first { *port.queue };
    Taking second { *port.queue };
    Worker poller { first };
    Worker other { after_the_poller(second) };

    TwoWaiting() { wait_until_asleep(second.thread); }
    ~TwoWaiting()
    {
        post(*port.queue, kEnd);
        post(*port.queue, kEnd);
    }

private:
    Taking& after_the_poller(Taking& taking) const
    {
        wait_until([this] { return port.source.sleepers == 1; });
        return taking;
    }
};

void one_that_polls_leaves_the_port_to_others(void**)
{
    TwoWaiting threads;
    threads.poller.suspend();
    assert_served(threads.port, threads.second);
    assert_int_equal(threads.first.taken, 0);
    threads.poller.resume();
    threads.other.suspend(); // wherever it is
    assert_served(threads.port, threads.first);
    threads.other.resume();
}

void one_that_waits_beside_it_is_given_nothing(void**)
{
    TwoWaiting threads;
    threads.other.suspend(); // it came last, and would be the first to get one
    assert_served(threads.port, threads.first);
    assert_int_equal(threads.second.taken, 0);
    threads.other.resume();
}

void where_no_other_waits_the_packets_wait_too(void**)
{
    Port port;
    Taking taking { *port.queue };
    {
        Worker only(taking);
        wait_until([&] { return port.source.sleepers == 1; });
        only.suspend();
        assert_int_equal(port.source.withdrawals, 1);
        post(*port.queue, kOfSource);
        assert_int_equal(port.queue->depth(), 1);
        port.source.arrive();
        port.queue->serve_source(); // as the pump does then
        assert_int_equal(port.queue->depth(), 2);
        CompletionPacket packet;
        assert_int_equal(port.queue->try_remove(&packet, 1), 1);
        assert_int_equal(taking.taken, 0);
        only.resume();
        wait_until([&] { return taking.taken == 1; });
        assert_served(port, taking);
        post(*port.queue, kEnd);
    }
}

/// The packet has ended its wait, and it has not gone on.
void one_that_has_a_packet_leaves_the_port_to_others_all_the_same(void**)
{
    Port port;
    Taking first { *port.queue };
    Taking second { *port.queue };
    {
        Worker poller(first);
        wait_until([&] { return port.source.sleepers == 1; });
        port.source.suspended_by_interrupt = &poller;
        post(*port.queue, kOfSource);
        port.source.suspended_by_interrupt = nullptr;
        Worker other(second);
        wait_until([&] { return port.source.sleepers == 2; });
        assert_served(port, second);
        assert_int_equal(first.taken, 0);
        poller.resume();
        wait_until([&] { return first.taken == 1; });
        post(*port.queue, kEnd);
        post(*port.queue, kEnd);
    }
}

void without_a_source_the_packets_wait_too(void**)
{
    ob::Ref<io::CompletionQueue> queue;
    assert_status(io::CompletionQueue::create(UINT32_MAX, queue), STATUS_SUCCESS);
    Taking taking { *queue };
    Worker only(taking);
    wait_until_asleep(taking.thread);
    only.suspend();
    post(*queue, kOfSource);
    post(*queue, kEnd);
    only.resume();
    wait_until([&] { return taking.taken == 2; });
}

/// Threads stopped anywhere, one of them never: nothing waits for those that are stopped.
void stopped_at_random_they_hold_nothing_up(void**)
{
    constexpr uint32_t kWorkers = 3;
    const auto rounds = static_cast<uint32_t>(unit::setting("NTKE_ROUNDS", 300));
    unit::Random random(unit::setting("NTKE_SEED", 1));
    Port port;
    Taking takings[kWorkers] = { { *port.queue }, { *port.queue }, { *port.queue } };
    {
        Worker workers[kWorkers] = { Worker(takings[0]), Worker(takings[1]), Worker(takings[2]) };
        uint32_t given = 0;
        for (uint32_t round = 0; round < rounds; ++round) {
            Worker& victim = workers[random.below(kWorkers)];
            Worker& also = workers[random.below(kWorkers)];
            for (uint32_t pause = random.below(50); pause; --pause)
                sched_yield();
            if (random.below(2)) { // the packet and the stop meet
                post(*port.queue, kOfSource);
                ++given;
            }
            victim.suspend();
            if (&also != &victim)
                also.suspend();
            const uint32_t before = given;
            for (uint32_t i = 0; i < kPackets; ++i, ++given)
                i % 2 ? port.source.arrive() : post(*port.queue, kOfSource);
            // One of them may have been stopped with a packet in its hands.
            wait_until([&] {
                uint32_t taken = 0;
                for (const Taking& taking : takings)
                    taken += taking.taken;
                return taken + 2 >= before + kPackets;
            });
            victim.resume();
            if (&also != &victim)
                also.resume();
        }
        wait_until([&] { return takings[0].taken + takings[1].taken + takings[2].taken == given; });
        for (uint32_t i = 0; i < kWorkers; ++i)
            post(*port.queue, kEnd);
    }
}

/// Waits for one event, or for all.
struct Waiting {
    ke::DispatcherObject* objects[2];
    uint32_t count;
    WaitType type;
    ke::DueTime due;
    std::atomic<ke::Thread*> thread { nullptr };
    std::atomic<NTSTATUS> status { STATUS_PENDING };

    void operator()()
    {
        const Uninterrupted section;
        thread = ke::Thread::current();
        status = ke::wait_for_multiple(
            *ke::Thread::current(), objects, count, type, ke::Alertable::No, due);
    }
};

bool is_set(ke::Event& event)
{
    return ke::wait_for_single(
               *ke::Thread::current(), *event.dispatcher(), ke::Alertable::No, ke::DueTime::now())
        == STATUS_WAIT_0;
}

void one_that_waits_for_an_event_leaves_its_set_to_others(void**)
{
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create(kSynchronizationEvent, false, event), STATUS_SUCCESS);
    Waiting waiting { { event->dispatcher() }, 1, kWaitAny, ke::DueTime::never() };
    {
        Worker worker(waiting);
        wait_until_asleep(waiting.thread);
        worker.suspend();
        event->set();
        assert_true(is_set(*event)); // and takes it
        worker.resume();
        wait_until_asleep(waiting.thread);
        assert_status(waiting.status, STATUS_PENDING);
        event->set();
    }
    assert_status(waiting.status, STATUS_WAIT_0);
}

void what_is_set_meanwhile_and_stays_ends_its_wait_afterwards(void**)
{
    ob::Ref<ke::Event> events[2];
    for (ob::Ref<ke::Event>& event : events)
        assert_status(ke::Event::create(kSynchronizationEvent, false, event), STATUS_SUCCESS);
    for (const WaitType type : { kWaitAny, kWaitAll }) {
        Waiting waiting { { events[0]->dispatcher(), events[1]->dispatcher() }, 2, type,
            ke::DueTime::never() };
        {
            Worker worker(waiting);
            wait_until_asleep(waiting.thread);
            worker.suspend();
            events[0]->set();
            events[1]->set();
            assert_status(waiting.status, STATUS_PENDING);
            worker.resume();
        }
        assert_status(waiting.status, STATUS_WAIT_0);
        assert_false(is_set(*events[0]));
        assert_int_equal(is_set(*events[1]), type == kWaitAny);
    }
}

/// Where a thread sleeps on a host, which has an event for each.
int g_host_sleeper = -1;

class HostPlace final : public ke::WaitPlace, public ke::HostSleep {
public:
    NTSTATUS sleep(ke::Thread& thread, const ke::DueTime& due) override
    {
        thread.host_sleeper() = reinterpret_cast<HANDLE>(uintptr_t { 4 });
        return thread.sleep_on_host(*this, due);
    }
    NTSTATUS wait(HANDLE, const ke::DueTime&) override
    {
        const ke::Stoppable section(ke::WhenSuspended::Withdraws);
        pollfd fd { g_host_sleeper, POLLIN, 0 };
        while (poll(&fd, 1, -1) <= 0) { } // a host's wait goes on after a signal
        uint64_t count;
        static_cast<void>(!read(g_host_sleeper, &count, sizeof(count)));
        return kWoken;
    }
    void give_back(ke::DispatcherObject&) override { fail_msg("nothing was taken"); }
};

void wake_on_host(HANDLE)
{
    const uint64_t one = 1;
    static_cast<void>(!write(g_host_sleeper, &one, sizeof(one)));
}

/// Waits on the host.
struct WaitingOnHost {
    ke::DispatcherObject* object;
    std::atomic<ke::Thread*> thread { nullptr };
    std::atomic<NTSTATUS> status { STATUS_PENDING };

    void operator()()
    {
        const Uninterrupted section;
        thread = ke::Thread::current();
        HostPlace place;
        status = ke::wait_at(
            place, *ke::Thread::current(), &object, 1, kWaitAny, ke::DueTime::never());
    }
};

void one_that_waits_on_the_host_leaves_the_set_to_others(void**)
{
    g_host_sleeper = eventfd(0, EFD_CLOEXEC);
    ke::g_wake_on_host = wake_on_host;
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create(kSynchronizationEvent, false, event), STATUS_SUCCESS);
    WaitingOnHost waiting { event->dispatcher() };
    {
        Worker worker(waiting);
        wait_until_asleep(waiting.thread);
        worker.suspend();
        event->set();
        const bool is_left = is_set(*event); // and takes it
        worker.resume();
        if (is_left) {
            wait_until_asleep(waiting.thread);
            assert_status(waiting.status, STATUS_PENDING);
            event->set();
        }
        assert_true(is_left);
    }
    assert_status(waiting.status, STATUS_WAIT_0);
    close(g_host_sleeper);
}

void its_time_runs_meanwhile(void**)
{
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create(kSynchronizationEvent, false, event), STATUS_SUCCESS);
    Waiting waiting { { event->dispatcher() }, 1, kWaitAny, ke::DueTime::in_milliseconds(200) };
    {
        Worker worker(waiting);
        wait_until_asleep(waiting.thread);
        worker.suspend();
        while (!waiting.due.has_passed())
            usleep(10'000);
        worker.resume();
    }
    assert_status(waiting.status, STATUS_TIMEOUT);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (!unit::stop_threads_by(Worker::on_signal))
        return 1;
    const CMUnitTest cases[] = {
        cmocka_unit_test(one_that_polls_leaves_the_port_to_others),
        cmocka_unit_test(one_that_waits_beside_it_is_given_nothing),
        cmocka_unit_test(where_no_other_waits_the_packets_wait_too),
        cmocka_unit_test(one_that_has_a_packet_leaves_the_port_to_others_all_the_same),
        cmocka_unit_test(without_a_source_the_packets_wait_too),
        cmocka_unit_test(stopped_at_random_they_hold_nothing_up),
        cmocka_unit_test(one_that_waits_for_an_event_leaves_its_set_to_others),
        cmocka_unit_test(what_is_set_meanwhile_and_stays_ends_its_wait_afterwards),
        cmocka_unit_test(one_that_waits_on_the_host_leaves_the_set_to_others),
        cmocka_unit_test(its_time_runs_meanwhile),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
