// Endpoints on real sockets when things go wrong: a conversation between two of them, with a fault
// at every place where one can be. Whatever happens, each call returns a status, and nothing is
// left behind.
#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "conversation.h"

namespace {

using afd::HostSocket;
using ntke::SocketState;
using unit::Conversation;
using unit::kEnd;
using unit::kPatience;
using unit::Side;

/// What there is of everything; a test ends with as much as it began with.
struct Inventory {
    int64_t objects = unit::object_count_with_pumps();
    int64_t blocks = ke::pool_blocks_in_use();
    int64_t descriptors = unit::descriptor_count();

    void assert_unchanged() const
    {
        // A pump in a thread of its own takes its time.
        const int64_t deadline = unit::milliseconds_now() + kPatience;
        while (unit::g_has_pump_thread && unit::object_count_with_pumps() != objects
            && unit::milliseconds_now() < deadline) {
            afd::Pump::instance().wake();
            usleep(100);
        }
        assert_int_equal(unit::object_count_with_pumps(), objects);
        assert_int_equal(ke::pool_blocks_in_use(), blocks);
        assert_int_equal(unit::descriptor_count(), descriptors);
    }
};

void limit_descriptors(rlim_t limit)
{
    static rlimit s_usual;
    if (!s_usual.rlim_max)
        getrlimit(RLIMIT_NOFILE, &s_usual);
    const rlimit value { limit < s_usual.rlim_cur ? limit : s_usual.rlim_cur, s_usual.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &value), 0);
}

rlim_t lowest_free_descriptor()
{
    const int fd = dup(0);
    close(fd);
    return static_cast<rlim_t>(fd);
}

// --- Descriptors that run out. The first case sees the pump without any.

void a_selection_without_descriptors_is_refused_and_works_later(void**)
{
    HostSocket socket;
    assert_status(socket.create(afd::kFamilyInet, unit::kStream, 0), STATUS_SUCCESS);
    Side side;
    assert_status(unit::attach(socket, SocketState::Unconnected, unit::kStream, 0, side.endpoint),
        STATUS_SUCCESS);
    assert_status(ke::Event::create(kNotificationEvent, false, side.event), STATUS_SUCCESS);
    const int64_t descriptors = unit::descriptor_count();
    for (rlim_t free = 0; free < 2; ++free) { // the pump needs two
        limit_descriptors(lowest_free_descriptor() + free);
        const NTSTATUS status = unit::select(*side.endpoint, side.event);
        limit_descriptors(RLIM_INFINITY);
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        assert_int_equal(unit::descriptor_count(), descriptors);
    }
    assert_status(unit::select(*side.endpoint, side.event), STATUS_SUCCESS);
    Conversation::close(side);
    Conversation::settle();
}

void a_conversation_gets_through_or_says_that_descriptors_are_out(void**)
{
    const Inventory before;
    bool is_complete = false;
    for (rlim_t free = 0; !is_complete; ++free) {
        assert_true(free < 20);
        Conversation conversation;
        limit_descriptors(lowest_free_descriptor() + free);
        is_complete = conversation.run();
        limit_descriptors(RLIM_INFINITY);
        constexpr auto kTooManyFiles = static_cast<NTSTATUS>(0xC0010000 | 10024);
        if (!is_complete)
            assert_true(conversation.status == kTooManyFiles
                || conversation.status == STATUS_TOO_MANY_OPENED_FILES);
    }
    before.assert_unchanged();
}

// --- Memory that runs out

void a_conversation_gets_through_or_says_that_memory_is_out(void**)
{
    const Inventory before;
    for (int64_t failing = 0;; ++failing) {
        assert_true(failing < 1000);
        bool is_complete;
        {
            Conversation conversation;
            ke::pool_fail_after(failing);
            is_complete = conversation.run();
            if (!is_complete)
                assert_status(conversation.status, STATUS_NO_MEMORY);
        }
        const bool has_failed = ke::pool_failure_happened();
        ke::pool_fail_after(-1);
        before.assert_unchanged();
        assert_int_equal(is_complete, !has_failed);
        if (!has_failed)
            break;
    }
}

// --- Calls that fail

struct FaultRow {
    HostSocket::FaultyCall call;
    int error;
    bool is_survived; // nobody notices
};

constexpr FaultRow kFaults[] = {
    { HostSocket::FaultyCall::Socket, EMFILE, false },
    { HostSocket::FaultyCall::Socket, ENOBUFS, false },
    { HostSocket::FaultyCall::Socket, EACCES, false },
    { HostSocket::FaultyCall::Option, ENOPROTOOPT, false },
    { HostSocket::FaultyCall::Bind, EADDRINUSE, false },
    { HostSocket::FaultyCall::Listen, EADDRINUSE, false },
    { HostSocket::FaultyCall::Connect, ECONNREFUSED, false },
    { HostSocket::FaultyCall::Connect, ENETUNREACH, false },
    { HostSocket::FaultyCall::Connect, EADDRNOTAVAIL, false },
    { HostSocket::FaultyCall::Accept, EINTR, true },
    { HostSocket::FaultyCall::Accept, EMFILE, false },
    { HostSocket::FaultyCall::Accept, ECONNABORTED, false },
    { HostSocket::FaultyCall::Accept, ENOMEM, false },
    { HostSocket::FaultyCall::Receive, 0, true },
    { HostSocket::FaultyCall::Receive, EINTR, true },
    { HostSocket::FaultyCall::Receive, ENOMEM, false },
    { HostSocket::FaultyCall::Receive, ECONNRESET, false },
    { HostSocket::FaultyCall::Receive, ETIMEDOUT, false },
    { HostSocket::FaultyCall::Receive, EFAULT, false },
    { HostSocket::FaultyCall::Send, 0, true },
    { HostSocket::FaultyCall::Send, EINTR, true },
    { HostSocket::FaultyCall::Send, ENOBUFS, false },
    { HostSocket::FaultyCall::Send, EPIPE, false },
    { HostSocket::FaultyCall::Send, EFAULT, false },
};

void a_call_that_fails_ends_the_conversation_or_is_made_up_for(void**)
{
    const Inventory before;
    uint32_t cases = 0;
    for (const FaultRow& row : kFaults) {
        for (uint32_t successes = 0;; ++successes) {
            assert_true(successes < 1000);
            bool is_complete;
            {
                Conversation conversation;
                HostSocket::fail_next(row.call, row.error, successes);
                is_complete = conversation.run();
                if (!is_complete)
                    assert_true(conversation.status == afd::status_from_errno(row.error)
                        || row.call == HostSocket::FaultyCall::Socket);
            }
            const bool has_failed = !HostSocket::is_fault_pending(row.call);
            HostSocket::clear_faults();
            before.assert_unchanged();
            assert_true(is_complete == (!has_failed || row.is_survived));
            if (!has_failed)
                break;
            ++cases;
        }
    }
    print_message("# %u faults\n", cases);
}

void a_wait_that_is_interrupted_finds_nothing(void**)
{
    HostSocket socket;
    assert_status(socket.create(afd::kFamilyInet, unit::kStream, 0), STATUS_SUCCESS);
    for (const int error : { EINTR, ENOMEM }) {
        HostSocket::fail_next(HostSocket::FaultyCall::Poll, error);
        assert_int_equal(socket.wait_ready(afd::kReadyOut, 1000), 0);
        assert_int_not_equal(socket.wait_ready(afd::kReadyOut, 1000), 0);
    }
    socket.close();
}

// --- Signals

std::atomic<uint64_t> g_signals;

void count_signal(int)
{
    ++g_signals;
}

void signals_interrupt_no_conversation(void**)
{
    const Inventory before;
    struct sigaction action { };
    struct sigaction usual;
    action.sa_handler = count_signal; // without SA_RESTART
    assert_int_equal(sigaction(SIGALRM, &action, &usual), 0);
    const itimerval often { { 0, 100 }, { 0, 100 } };
    const itimerval never {};
    setitimer(ITIMER_REAL, &often, nullptr);
    bool is_complete = true;
    for (int i = 0; i < 30; ++i) {
        Conversation conversation;
        is_complete &= conversation.run();
    }
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &usual, nullptr);
    assert_true(is_complete);
    assert_true(g_signals > 0);
    before.assert_unchanged();
}

// --- A peer that is gone

void reset_connection(Side& side)
{
    const linger none { 1, 0 };
    assert_status(side.endpoint->socket().set_option(SOL_SOCKET, SO_LINGER, &none, sizeof(none)),
        STATUS_SUCCESS);
    Conversation::close(side);
}

/// Reads to the end, whatever it is.
NTSTATUS drain(Side& side)
{
    static uint8_t s_bytes[4096];
    size_t received = 0;
    NTSTATUS status;
    do
        status = unit::receive(*side.endpoint, s_bytes, sizeof(s_bytes), 0, &received);
    while (status == STATUS_SUCCESS && received);
    return status;
}

template <Side Conversation::*gone, Side Conversation::*left>
void a_reset_at_every_step_is_told(void**)
{
    const Inventory before;
    for (uint32_t steps = 3; steps <= Conversation::kStepCount; ++steps) {
        {
            Conversation conversation;
            assert_true(conversation.run(steps));
            if (!(conversation.*gone).endpoint)
                continue; // not accepted yet
            reset_connection(conversation.*gone);
            if (!(conversation.*left).endpoint) {
                // It waits in the listener's queue.
                assert_null(conversation.server.endpoint.get());
                HostSocket accepted;
                Conversation::wait_until_told(conversation.listener, afd::kPollAccept);
                assert_status(conversation.listener.endpoint->socket().accept(accepted, nullptr),
                    STATUS_SUCCESS);
                Side& server = conversation.server;
                assert_status(unit::attach(accepted, SocketState::Connected, unit::kStream, 0,
                                  server.endpoint),
                    STATUS_SUCCESS);
                assert_status(
                    ke::Event::create(kNotificationEvent, false, server.event), STATUS_SUCCESS);
                assert_status(unit::select(*server.endpoint, server.event), STATUS_SUCCESS);
            }
            Side& side = conversation.*left;
            if (!(side.told & kEnd))
                Conversation::wait_until_told(side, kEnd);
            // The end is told once, so a reset after it is not; receives tell the two apart.
            assert_true(side.told & (steps < 8 ? uint32_t { afd::kPollAbort } : kEnd));
            const bool has_ended = side.told & afd::kPollDisconnect;
            assert_int_not_equal(side.told & kEnd, kEnd);
            const NTSTATUS gone_status
                = has_ended ? STATUS_CONNECTION_ABORTED : STATUS_CONNECTION_RESET; // [recv/20]
            assert_status(drain(side), gone_status);
            assert_status(drain(side), gone_status);
            size_t sent = 0;
            if (!(side.flags & ntke::kSocketSendShutDown))
                assert_status(
                    unit::send(*side.endpoint, "x", 1, 0, &sent), STATUS_CONNECTION_RESET);
        }
        before.assert_unchanged();
    }
}

// --- Endpoints closed by another thread, while the pump tells

void* close_socket(void* endpoint)
{
    static_cast<afd::Endpoint*>(endpoint)->close_socket();
    return nullptr;
}

void use_closed(Side& side)
{
    uint8_t byte = 0;
    size_t moved = 0;
    afd::Endpoint& endpoint = *side.endpoint;
    assert_status(unit::receive(endpoint, &byte, 1, 0, &moved), STATUS_INVALID_HANDLE);
    assert_status(unit::send(endpoint, &byte, 1, 0, &moved), STATUS_INVALID_HANDLE);
    assert_status(unit::select(endpoint, side.event), STATUS_INVALID_HANDLE);
    assert_status(unit::select(endpoint, side.event, 0), STATUS_INVALID_HANDLE);
    for (const SocketState state : { SocketState::Connecting, SocketState::ConnectFailed,
             SocketState::Connected, SocketState::Listening })
        unit::set_state(endpoint, state, 0, STATUS_SUCCESS, 1);
    endpoint.on_ready(~0u);
    afd::GetEventsResult result;
    endpoint.take_events(result);
    endpoint.hand_over();
    assert_null(endpoint.close_socket().get());
}

std::atomic<bool> g_is_pump_to_end;

void* run_pump(void*)
{
    while (!g_is_pump_to_end)
        afd::Pump::instance().run(1);
    return nullptr;
}

void a_close_by_another_thread_at_every_step_ends_that_side_only(void**)
{
    ke::Thread::current();
    const Inventory before;
    pthread_t pump;
    unit::g_has_pump_thread = true;
    assert_int_equal(pthread_create(&pump, nullptr, run_pump, nullptr), 0);
    for (uint32_t steps = 1; steps <= Conversation::kStepCount; ++steps) {
        for (Side Conversation::*closed :
            { &Conversation::listener, &Conversation::client, &Conversation::server }) {
            Conversation conversation;
            assert_true(conversation.run(steps));
            Side& side = conversation.*closed;
            if (!side.endpoint)
                continue;
            pthread_t thread;
            assert_int_equal(
                pthread_create(&thread, nullptr, close_socket, side.endpoint.get()), 0);
            pthread_join(thread, nullptr);
            use_closed(side);
            Side& other = &side == &conversation.client ? conversation.server : conversation.client;
            if (&side != &conversation.listener && steps > 3 && !(other.told & kEnd))
                Conversation::wait_until_told(other, kEnd);
        }
    }
    before.assert_unchanged();
    g_is_pump_to_end = true;
    afd::Pump::instance().wake();
    pthread_join(pump, nullptr);
    unit::g_has_pump_thread = false;
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    afd::Pump::instance().use_caller_thread();
    const CMUnitTest cases[] = {
        cmocka_unit_test(a_selection_without_descriptors_is_refused_and_works_later),
        cmocka_unit_test(a_conversation_gets_through_or_says_that_descriptors_are_out),
        cmocka_unit_test(a_conversation_gets_through_or_says_that_memory_is_out),
        cmocka_unit_test(a_call_that_fails_ends_the_conversation_or_is_made_up_for),
        cmocka_unit_test(a_wait_that_is_interrupted_finds_nothing),
        cmocka_unit_test(signals_interrupt_no_conversation),
        { "a_reset_of_the_client_at_every_step_is_told",
            a_reset_at_every_step_is_told<&Conversation::client, &Conversation::server>, nullptr,
            nullptr, nullptr },
        { "a_reset_of_the_server_at_every_step_is_told",
            a_reset_at_every_step_is_told<&Conversation::server, &Conversation::client>, nullptr,
            nullptr, nullptr },
        cmocka_unit_test(a_close_by_another_thread_at_every_step_ends_that_side_only),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
