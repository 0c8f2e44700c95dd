// Threads that look after the sockets whose events they wait for, and the pump of the process that
// does it otherwise.
#include <atomic>

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

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
        LARGE_INTEGER timeout;
        timeout.QuadPart = -kHang * 10'000;
        return ke::wait_for_single(*ke::Thread::current(), *event->dispatcher(), ke::Alertable::No,
            ke::DueTime::from_timeout(&timeout));
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

void a_thread_that_waits_finds_its_data_itself(void**)
{
    constexpr uint32_t kRounds = 100;
    Connection connection;
    Receiver receiver { connection, kWarm + kRounds };
    receiver.start_warm();
    const uint64_t before = afd::Pump::instance().wakeups();
    for (uint32_t i = 0; i < kRounds; ++i)
        receiver.give();
    assert_int_equal(afd::Pump::instance().wakeups(), before);
    receiver.end();
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
        Receiver receiver { connection, kWarm };
        receiver.start_warm();
        receiver.end();
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

/// The last case: it is for good.
void a_thread_that_is_stopped_asleep_keeps_nobody_from_data(void**)
{
    Connection connection;
    Receiver receiver { connection, kWarm };
    receiver.start_warm();
    receiver.end();
    // The source is this thread's now, and the thread does not look at it.
    ke::EventSource* source = afd::ThreadPump::own();
    assert_non_null(source);
    source->attend();
    connection.send();
    afd::ThreadPump::share_all();
    assert_true(comes_true([&] { return connection.event->peek(); }));
    connection.take();
    source->leave();
    source->attend();
    connection.send();
    assert_true(comes_true([&] { return connection.event->peek(); }));
    source->leave();
    source->disown();
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(a_thread_that_waits_finds_its_data_itself),
        cmocka_unit_test(the_pump_serves_while_the_thread_is_at_work),
        cmocka_unit_test(a_socket_outlives_the_thread_that_looked_after_it),
        cmocka_unit_test(a_set_wakes_the_thread_at_its_sockets),
        cmocka_unit_test(a_thread_that_is_stopped_asleep_keeps_nobody_from_data),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
