// Threads that are terminated where they wait, and a completion port whose threads they were: the
// others get the packets.
#include <atomic>
#include <csignal>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/completion_queue.h"
#include "ke/event.h"
#include "ke/wait.h"
#include "unit.h"

namespace {

/// Nothing ever happens there.
class Source final : public io::WaitSource {
public:
    bool is_deaf = false; // a thread that waits here goes on waiting
    uint32_t packets_left = 0;

    ~Source() { ::close(m_event); }
    void wait_and_serve(io::CompletionQueue&, const ke::DueTime&) override
    {
        pollfd fd { m_event, POLLIN, 0 };
        ::poll(&fd, 1, -1);
        uint64_t count;
        static_cast<void>(!read(m_event, &count, sizeof(count)));
    }
    void interrupt() override
    {
        if (is_deaf)
            return;
        const uint64_t one = 1;
        static_cast<void>(!write(m_event, &one, sizeof(one)));
    }
    void on_packet_left() override { ++packets_left; }
    void on_poller_stopped() override { }
    void on_poller_withdrawn() override { }
    void take_packet(const CompletionPacket&) override { }
    void on_closed() override { }
    void on_dropped() override { }
    void destroy() override { }

private:
    const int m_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

/// As under Wine, a thread ends in a signal, and another one runs it down.
std::atomic<ke::Thread*> g_stopped { nullptr };

struct Worker {
    Worker(io::CompletionQueue& served_queue, void (*its_work)(Worker& self))
        : queue(served_queue)
        , work(its_work)
    {
    }

    io::CompletionQueue& queue;
    void (*const work)(Worker& self);
    std::atomic<ke::Thread*> thread { nullptr };
    std::atomic<uint32_t> taken { 0 };
    ob::Ref<ke::Event> event;
    pthread_t id {};

    void start()
    {
        assert_int_equal(pthread_create(
                             &id, nullptr,
                             [](void* argument) -> void* {
                                 auto& self = *static_cast<Worker*>(argument);
                                 self.thread = ke::Thread::current();
                                 self.work(self);
                                 return nullptr;
                             },
                             this),
            0);
        wait_until([this] { return thread.load(); });
        usleep(20'000); // where a poller sleeps is not seen
    }
    /// Terminates it where it sleeps.
    void stop()
    {
        pthread_kill(id, SIGUSR2);
        pthread_join(id, nullptr);
        ke::Thread* stopped = g_stopped.exchange(nullptr);
        assert_ptr_equal(stopped, thread.load());
        stopped->run_down();
        stopped->dereference();
    }
    bool take_one()
    {
        CompletionPacket packet;
        uint32_t removed = 0;
        const NTSTATUS status = queue.remove(
            *ke::Thread::current(), &packet, 1, &removed, ke::Alertable::No, ke::DueTime::never());
        taken += removed;
        return status == STATUS_SUCCESS;
    }
    template <typename Condition> static void wait_until(const Condition& condition)
    {
        while (!condition())
            sched_yield(); // what never comes is a hang, which the runner ends
    }
};

void take_all(Worker& self)
{
    while (self.take_one()) { }
}

void take_one_and_wait(Worker& self)
{
    self.take_one();
    ke::wait_for_single(
        *self.thread, *self.event->dispatcher(), ke::Alertable::No, ke::DueTime::never());
}

constexpr uint32_t kPackets = 5;

void post(io::CompletionQueue& queue)
{
    assert_status(queue.post(CompletionPacket {}), STATUS_SUCCESS);
}

/// Another thread takes what is posted from now on, however many may run.
void assert_served(io::CompletionQueue& queue, Worker& worker)
{
    const uint32_t before = worker.taken;
    for (uint32_t i = 1; i <= kPackets; ++i) {
        post(queue);
        Worker::wait_until([&] { return worker.taken == before + i; });
    }
}

/// `is_first`: the one that is stopped comes before the other, and waits at the source.
void stop_in_removal(uint32_t concurrency, bool is_first)
{
    Source source;
    ob::Ref<io::CompletionQueue> queue;
    assert_status(io::CompletionQueue::create(concurrency, queue), STATUS_SUCCESS);
    assert_true(queue->set_source(source));
    Worker victim(*queue, take_all);
    Worker other(*queue, take_all);
    if (!is_first)
        other.start();
    victim.start();
    if (is_first)
        other.start();
    victim.stop();
    assert_served(*queue, other);
    other.stop();
    queue.reset();
    ob::reclaim_now(); // while the source is there
}

void one_that_waited_for_packets_leaves_the_port_to_others(void**)
{
    for (const uint32_t concurrency : { UINT32_MAX, 1u }) {
        stop_in_removal(concurrency, true);
        stop_in_removal(concurrency, false);
    }
}

/// Whoever waits for packets elsewhere is told of the one that it was given and did not take.
void one_that_was_given_a_packet_leaves_it_to_others(void**)
{
    Source source;
    ob::Ref<io::CompletionQueue> queue;
    assert_status(io::CompletionQueue::create(UINT32_MAX, queue), STATUS_SUCCESS);
    assert_true(queue->set_source(source));
    Worker victim(*queue, take_all);
    victim.start();
    source.is_deaf = true;
    post(*queue);
    assert_int_equal(queue->depth(), 0);
    victim.stop();
    assert_int_equal(victim.taken, 0);
    assert_int_equal(queue->depth(), 1);
    assert_int_equal(source.packets_left, 1);
    queue.reset();
    ob::reclaim_now();
}

void one_that_waited_at_work_leaves_the_port_to_others(void**)
{
    for (const uint32_t concurrency : { UINT32_MAX, 1u }) {
        Source source;
        ob::Ref<io::CompletionQueue> queue;
        assert_status(io::CompletionQueue::create(concurrency, queue), STATUS_SUCCESS);
        assert_true(queue->set_source(source));
        Worker victim(*queue, take_one_and_wait);
        assert_status(ke::Event::create(kNotificationEvent, false, victim.event), STATUS_SUCCESS);
        victim.start();
        post(*queue);
        Worker::wait_until([&] { return victim.taken && victim.thread.load()->is_asleep(); });
        victim.stop();
        Worker other(*queue, take_all);
        other.start();
        assert_served(*queue, other);
        other.stop();
        queue.reset();
        ob::reclaim_now();
    }
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    struct sigaction action { };
    action.sa_handler = [](int) { pthread_exit(nullptr); };
    sigaction(SIGUSR2, &action, nullptr);
    ke::Thread::on_stopped = [](ke::Thread& thread) { g_stopped = &thread; };
    const CMUnitTest cases[] = {
        cmocka_unit_test(one_that_waited_for_packets_leaves_the_port_to_others),
        cmocka_unit_test(one_that_was_given_a_packet_leaves_it_to_others),
        cmocka_unit_test(one_that_waited_at_work_leaves_the_port_to_others),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
