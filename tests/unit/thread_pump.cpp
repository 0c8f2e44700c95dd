// Threads that look after the sockets whose events they wait for, and the pump of the process that
// does it otherwise.
#include <atomic>

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "afd/thread_pump.h"
#include "loopback.h"

namespace {

using ntke::SocketState;

/// Nothing but a lost event takes this long. Milliseconds.
constexpr int64_t kHang = 60'000;

/// A connection of which one end has an event for what arrives.
struct Connection {
    ob::Ref<afd::Endpoint> sender;
    ob::Ref<afd::Endpoint> receiver;
    ob::Ref<ke::Event> event;

    Connection()
    {
        int fds[2];
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ntke::AttachArgs args {};
        args.family = afd::kFamilyUnix;
        args.type = unit::kStream;
        args.state = static_cast<uint32_t>(SocketState::Connected);
        assert_status(unit::TestEndpoint::attach(fds[0], args, sender), STATUS_SUCCESS);
        assert_status(unit::TestEndpoint::attach(fds[1], args, receiver), STATUS_SUCCESS);
        assert_status(ke::Event::create(kNotificationEvent, false, event), STATUS_SUCCESS);
        assert_status(unit::select(*receiver, event, afd::kPollReceive), STATUS_SUCCESS);
    }
    ~Connection()
    {
        sender->close_socket();
        receiver->close_socket();
    }
    void send()
    {
        const uint8_t byte = 1;
        size_t sent = 0;
        assert_status(unit::send(*sender, &byte, 1, 0, &sent), STATUS_SUCCESS);
    }
    /// Takes what has come and what is recorded.
    void take()
    {
        event->reset();
        afd::GetEventsResult result;
        receiver->take_events(result);
        uint8_t byte;
        size_t received = 0;
        assert_status(unit::receive(*receiver, &byte, 1, 0, &received), STATUS_SUCCESS);
    }
    NTSTATUS wait()
    {
        return ke::wait_for_single(*ke::Thread::current(), *event->dispatcher(), ke::Alertable::No,
            ke::DueTime::in_milliseconds(kHang));
    }
};

/// Is there what `condition` says, before a hang is a hang?
template <typename Condition> bool comes_true(const Condition& condition)
{
    const int64_t deadline = unit::milliseconds_now() + kHang;
    while (!condition() && unit::milliseconds_now() < deadline)
        sched_yield();
    return condition();
}

/// Data sets the event, whoever sees it.
void assert_told(Connection& connection)
{
    connection.send();
    assert_true(comes_true([&] { return connection.event->peek(); }));
    connection.take();
}

/// Bytes after which a socket has moved to where its thread waits.
constexpr uint32_t kWarm = 4;

/// A thread that receives `rounds` bytes, and then does what it is told.
struct Receiver {
    Connection& connection;
    uint32_t rounds;
    std::atomic<ke::Thread*> thread { nullptr };
    std::atomic<uint32_t> received { 0 };
    std::atomic<bool> may_end { false };
    NTSTATUS status = STATUS_SUCCESS;
    pthread_t id {};

    void start()
    {
        assert_int_equal(pthread_create(
                             &id, nullptr,
                             [](void* self) -> void* {
                                 static_cast<Receiver*>(self)->run();
                                 return nullptr;
                             },
                             this),
            0);
    }
    /// Starts it, and gives it so many that its socket has moved.
    void start_warm()
    {
        start();
        for (uint32_t i = 0; i < kWarm; ++i)
            give();
    }
    void end()
    {
        may_end = true;
        pthread_join(id, nullptr);
        assert_status(status, STATUS_SUCCESS);
    }
    void run()
    {
        thread = ke::Thread::current();
        while (received < rounds && status == STATUS_SUCCESS) {
            status = connection.wait();
            connection.take();
            ++received;
        }
        while (!may_end)
            sched_yield();
    }
    /// One byte, sent while the thread sleeps.
    void give()
    {
        const uint32_t before = received;
        assert_true(comes_true([this] { return thread.load() && thread.load()->is_asleep(); }));
        connection.send();
        assert_true(comes_true([&] { return received != before; }));
    }
};

/// Has a thread receive so much that the socket has moved to where it waits. It has ended then.
void warm_up(Connection& connection)
{
    Receiver receiver { connection, kWarm };
    receiver.start_warm();
    receiver.end();
}

void a_thread_that_waits_finds_its_data_itself(void**)
{
    constexpr uint32_t kRounds = 100;
    Connection connection;
    Receiver receiver { connection, kWarm + kRounds };
    receiver.start_warm();
    const uint64_t before = afd::Pump::instance().wakeups();
    for (uint32_t i = 0; i < kRounds; ++i)
        receiver.give();
    assert_true(afd::Pump::instance().wakeups() - before < kRounds / 2); // see below
    receiver.end();
}

/// What comes while it is away for a moment only, too. It may be for longer, on a busy machine.
void a_thread_that_comes_back_soon_is_waited_for(void**)
{
    constexpr uint32_t kRounds = 1'000;
    Connection connection;
    warm_up(connection);
    const auto take_one = [&] {
        connection.send();
        assert_status(connection.wait(), STATUS_SUCCESS);
        connection.take();
    };
    for (uint32_t i = 0; i < kWarm; ++i)
        take_one(); // it follows this thread now, whose source is the first one's or another
    const uint64_t before = afd::Pump::instance().wakeups();
    for (uint32_t i = 0; i < kRounds; ++i)
        take_one();
    assert_true(afd::Pump::instance().wakeups() - before < kRounds / 2);
}

void the_pump_serves_while_the_thread_is_at_work(void**)
{
    Connection connection;
    Receiver receiver { connection, kWarm };
    receiver.start_warm();
    assert_told(connection);
    receiver.end();
}

/// Also when another thread has got the source meanwhile.
void a_socket_outlives_the_thread_that_looked_after_it(void**)
{
    Connection connections[2];
    for (Connection& connection : connections) {
        warm_up(connection);
        assert_told(connection);
    }
    Receiver receiver { connections[0], kWarm };
    receiver.start_warm();
    assert_told(connections[1]);
    receiver.end();
}

/// The thread waits for two events: that of the socket, and one that another thread sets.
void a_set_wakes_the_thread_at_its_sockets(void**)
{
    Connection connection;
    ob::Ref<ke::Event> plain;
    assert_status(ke::Event::create(kSynchronizationEvent, false, plain), STATUS_SUCCESS);
    struct Waiter {
        Connection& connection;
        ob::Ref<ke::Event>& plain;
        std::atomic<ke::Thread*> thread { nullptr };
        std::atomic<uint32_t> rounds { 0 };
    } waiter { connection, plain };
    pthread_t id;
    constexpr uint32_t kRounds = 1'000;
    assert_int_equal(
        pthread_create(
            &id, nullptr,
            [](void* argument) -> void* {
                auto& self = *static_cast<Waiter*>(argument);
                self.thread = ke::Thread::current();
                ke::DispatcherObject* objects[]
                    = { self.connection.event->dispatcher(), self.plain->dispatcher() };
                while (self.rounds < kRounds
                    && ke::wait_for_multiple(*self.thread, objects, 2, kWaitAny, ke::Alertable::No,
                           ke::DueTime::never())
                        == STATUS_WAIT_0 + 1)
                    ++self.rounds;
                return nullptr;
            },
            &waiter),
        0);
    for (uint32_t i = 0; i < kRounds; ++i) {
        if (i % 2) // else whenever it comes
            comes_true([&] { return waiter.thread.load() && waiter.thread.load()->is_asleep(); });
        plain->set();
        assert_true(comes_true([&] { return waiter.rounds > i; }));
    }
    pthread_join(id, nullptr);
}

/// Whether its thread sleeps there, or stays away: the pump has nothing to look for again and
/// again.
void an_idle_process_wakes_nobody(void**)
{
    const auto is_at_rest = [] { return afd::Absence::instance().limit_sleep(-1) < 0; };
    Connection connection;
    Receiver receiver { connection, kWarm + 1 };
    receiver.start_warm();
    assert_true(comes_true([&] { return receiver.thread.load()->is_asleep(); }));
    assert_true(comes_true(is_at_rest));
    receiver.give();
    assert_true(comes_true(is_at_rest));
    assert_told(connection);
    assert_true(comes_true(is_at_rest));
    receiver.end();
    assert_true(comes_true(is_at_rest));
}

/// It is looked after anew each time the thread has been there and has gone.
void a_thread_may_come_and_go(void**)
{
    constexpr uint32_t kRounds = 20;
    Connection connection;
    warm_up(connection);
    ke::EventSource* source = afd::ThreadPump::own();
    assert_non_null(source);
    for (uint32_t i = 0; i < kRounds; ++i) {
        source->attend();
        source->leave();
        if (i % 3 == 1)
            source->look_away();
        assert_told(connection);
    }
    source->disown();
}

/// Also when the pump knows that nobody else is expected to come back.
void a_thread_may_come_and_go_among_others(void**)
{
    Connection connection;
    warm_up(connection);
    assert_told(connection); // the pump looks after it
    ke::EventSource* source = afd::ThreadPump::own();
    ke::EventSource* other = afd::ThreadPump::own();
    assert_true(source && other);
    other->look_away();
    source->attend();
    source->leave();
    assert_true(comes_true([] { return afd::Absence::instance().limit_sleep(-1) < 0; }));
    assert_told(connection);
    source->disown();
    other->disown();
}

/// Threads wait for the same events in turn, for a time, elsewhere, or not at all for a while. Each
/// byte is sent when the one before has been taken: one that is not told is a hang.
struct Crowd {
    static constexpr uint32_t kConnections = 6;
    static constexpr uint32_t kThreads = 3;

    Connection connections[kConnections];
    std::atomic<uint32_t> sent[kConnections] {};
    std::atomic<uint32_t> taken[kConnections] {};
    std::atomic<uint32_t> threads { 0 };
    std::atomic<bool> is_over { false };

    void take_from(uint32_t index)
    {
        Connection& connection = connections[index];
        connection.event->reset();
        afd::GetEventsResult result;
        connection.receiver->take_events(result);
        uint8_t byte;
        size_t received = 0;
        if (unit::receive(*connection.receiver, &byte, 1, 0, &received) == STATUS_SUCCESS
            && received)
            ++taken[index];
    }
    void run(unit::Random random)
    {
        ke::Thread& thread = *ke::Thread::current();
        while (!is_over) {
            const uint32_t first = random.below(kConnections);
            ke::DispatcherObject* objects[2];
            for (uint32_t i = 0; i < 2; ++i)
                objects[i] = connections[(first + i) % kConnections].event->dispatcher();
            LARGE_INTEGER timeout;
            timeout.QuadPart = -int64_t { random.below(20'000) };
            const NTSTATUS status = ke::wait_for_multiple(thread, objects, 1 + random.below(2),
                kWaitAny, ke::Alertable::No, ke::DueTime::from_timeout(&timeout));
            if (status != STATUS_TIMEOUT)
                take_from((first + static_cast<uint32_t>(status)) % kConnections);
            if (random.one_in(50)) {
                ke::Thread::look_away();
                usleep(random.below(3'000));
            }
        }
    }
};

void threads_that_share_events_lose_no_data(void**)
{
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 500);
    const uint64_t seed = unit::setting("NTKE_SEED", 1);
    print_message("# seed %llu\n", static_cast<unsigned long long>(seed));
    Crowd crowd;
    pthread_t ids[Crowd::kThreads];
    for (pthread_t& id : ids) {
        assert_int_equal(pthread_create(
                             &id, nullptr,
                             [](void* argument) -> void* {
                                 auto& self = *static_cast<Crowd*>(argument);
                                 self.run(unit::Random(unit::setting("NTKE_SEED", 1) * 16
                                     + self.threads.fetch_add(1)));
                                 return nullptr;
                             },
                             &crowd),
            0);
    }
    for (uint64_t round = 0; round < rounds; ++round) {
        for (uint32_t i = 0; i < Crowd::kConnections; ++i) {
            ++crowd.sent[i];
            crowd.connections[i].send();
        }
        for (uint32_t i = 0; i < Crowd::kConnections; ++i)
            assert_true(comes_true([&] { return crowd.taken[i] == crowd.sent[i]; }));
    }
    crowd.is_over = true;
    for (pthread_t id : ids)
        pthread_join(id, nullptr);
}

/// As it does when it is suspended where it sleeps. [afd/thread_pump.h]
void a_thread_that_is_suspended_asleep_keeps_nobody_from_data(void**)
{
    Connection connection;
    warm_up(connection);
    // The source is this thread's now, and the thread does not look at it.
    ke::EventSource* source = afd::ThreadPump::own();
    assert_non_null(source);
    source->attend();
    connection.send();
    source->look_away();
    assert_true(comes_true([&] { return connection.event->peek(); }));
    connection.take();
    source->leave();
    source->attend();
    connection.send();
    source->leave();
    assert_true(comes_true([&] { return connection.event->peek(); }));
    source->disown();
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(a_thread_that_waits_finds_its_data_itself),
        cmocka_unit_test(a_thread_that_comes_back_soon_is_waited_for),
        cmocka_unit_test(the_pump_serves_while_the_thread_is_at_work),
        cmocka_unit_test(a_socket_outlives_the_thread_that_looked_after_it),
        cmocka_unit_test(a_set_wakes_the_thread_at_its_sockets),
        cmocka_unit_test(an_idle_process_wakes_nobody),
        cmocka_unit_test(a_thread_may_come_and_go),
        cmocka_unit_test(a_thread_may_come_and_go_among_others),
        cmocka_unit_test(threads_that_share_events_lose_no_data),
        cmocka_unit_test(a_thread_that_is_suspended_asleep_keeps_nobody_from_data),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
