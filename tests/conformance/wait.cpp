// WSAWaitForMultipleEvents.

#include "sockets.h"

#include <atomic>
#include <cstring>

using namespace conformance;

namespace {

DWORD wait_any(DWORD count, const WSAEVENT* events, DWORD timeout = 0)
{
    return WSAWaitForMultipleEvents(count, events, FALSE, timeout, FALSE);
}

DWORD wait_all(DWORD count, const WSAEVENT* events, DWORD timeout = 0)
{
    return WSAWaitForMultipleEvents(count, events, TRUE, timeout, FALSE);
}

void CALLBACK count_call(ULONG_PTR counter)
{
    ++*reinterpret_cast<int*>(counter);
}

/// Queues a user APC that counts itself to the thread.
void queue_counted_apc(int* counter, HANDLE thread = GetCurrentThread())
{
    assert_true(QueueUserAPC(count_call, thread, reinterpret_cast<ULONG_PTR>(counter)));
}

// --- Suspended threads

/// One that Winsock has seen: other events are the host's alone.
WSAEVENT new_selected_event()
{
    const WSAEVENT event = new_auto_event();
    assert_int_equal(WSAEventSelect(udp_socket(), event, FD_READ), 0);
    return event;
}

void assert_leaves_the_set_to_others(bool is_alertable)
{
    for (const bool waits_for_all : { false, true }) {
        const WSAEVENT events[] = { new_selected_event(), new_selected_event() };
        Background* wait = run_in_background([=]() -> long long {
            return WSAWaitForMultipleEvents(2, events, waits_for_all, WSA_INFINITE, is_alertable);
        });
        let_it_settle();

        assert_int_equal(SuspendThread(background_thread(wait)), 0);
        assert_true(WSASetEvent(events[0]));
        assert_true(WSASetEvent(events[1]));
        const DWORD first = wait_any(1, &events[0], kEventLimit);
        const DWORD second = wait_any(1, &events[1], kEventLimit);
        assert_int_equal(ResumeThread(background_thread(wait)), 1);
        assert_int_equal(first, WSA_WAIT_EVENT_0);
        assert_int_equal(second, WSA_WAIT_EVENT_0);

        let_it_settle();
        assert_false(has_ended(wait));
        assert_true(WSASetEvent(events[1]));
        assert_true(WSASetEvent(events[0]));
        assert_true(join(wait).value <= WSA_WAIT_EVENT_0 + 1);
    }
}

void a_suspended_waiter_leaves_the_set_to_others(void**) // [NtWait/16]
{
    assert_leaves_the_set_to_others(false);
}

/// Whatever is on its way to it.
void what_is_set_after_a_suspension_is_not_the_suspended_waiters(void**) // [NtWait/16]
{
    const WSAEVENT events[] = { new_selected_event(), new_selected_event() };
    Background* wait = run_in_background([=]() -> long long {
        while (WSAWaitForMultipleEvents(2, events, FALSE, WSA_INFINITE, FALSE)) { }
        return 0;
    });
    let_it_settle();
    for (int i = 0; i < 100; ++i) {
        assert_int_equal(SuspendThread(background_thread(wait)), 0);
        assert_true(WSASetEvent(events[1]));
        const DWORD taken = wait_any(1, &events[1], kEventLimit);
        assert_int_equal(ResumeThread(background_thread(wait)), 1);
        assert_int_equal(taken, WSA_WAIT_EVENT_0);
        Sleep(1);
    }
    assert_true(WSASetEvent(events[0]));
    assert_int_equal(join(wait).value, 0);
}

void a_suspended_alertable_waiter_leaves_the_set_to_others(void**) // [NtWait/16]
{
    assert_leaves_the_set_to_others(true);
}

/// One that the kernel has, and one of the process'.
void a_suspended_waiter_for_different_objects_leaves_the_set_to_others(void**) // [NtWait/16]
{
    const HANDLE semaphore = CreateSemaphoreA(nullptr, 0, 1, nullptr);
    assert_non_null(semaphore);
    const HANDLE handles[] = { semaphore, new_selected_event() };
    Background* wait = run_in_background(
        [=]() -> long long { return WaitForMultipleObjects(2, handles, FALSE, INFINITE); });
    let_it_settle();

    assert_int_equal(SuspendThread(background_thread(wait)), 0);
    assert_true(WSASetEvent(handles[1]));
    const DWORD taken = wait_any(1, &handles[1], kEventLimit);
    assert_int_equal(ResumeThread(background_thread(wait)), 1);
    assert_int_equal(taken, WSA_WAIT_EVENT_0);

    let_it_settle();
    assert_false(has_ended(wait));
    assert_true(ReleaseSemaphore(semaphore, 1, nullptr));
    assert_int_equal(join(wait).value, WAIT_OBJECT_0);
    CloseHandle(semaphore);
}

// --- What is refused

void no_events_is_refused(void**) // [WSAWaitForMultipleEvents/1]
{
    const WSAEVENT event = new_event();
    assert_wsa_fails(wait_any(0, &event), WSA_WAIT_FAILED, WSA_INVALID_PARAMETER);
}

void more_than_64_events_are_refused(void**) // [WSAWaitForMultipleEvents/1]
{
    WSAEVENT events[WSA_MAXIMUM_WAIT_EVENTS + 1];
    for (WSAEVENT& event : events)
        event = new_event();
    assert_wsa_fails(
        wait_any(WSA_MAXIMUM_WAIT_EVENTS + 1, events), WSA_WAIT_FAILED, WSA_INVALID_PARAMETER);
}

void sixty_four_events_are_accepted(void**) // [WSAWaitForMultipleEvents/1]
{
    WSAEVENT events[WSA_MAXIMUM_WAIT_EVENTS];
    for (WSAEVENT& event : events)
        event = new_event();
    assert_true(WSASetEvent(events[63]));
    assert_int_equal(wait_any(WSA_MAXIMUM_WAIT_EVENTS, events), WSA_WAIT_EVENT_0 + 63);
}

void a_bad_handle_is_refused_although_another_is_signaled(void**) // [WSAWaitForMultipleEvents/2]
{
    const HANDLE garbage = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(0x7ffff0));
    WSAEVENT events[] = { new_auto_event(), nullptr };
    const WSAEVENT closed = new_event();
    close_owned(closed);
    assert_true(WSASetEvent(events[0]));

    for (HANDLE bad : { WSA_INVALID_EVENT, closed, garbage }) {
        events[1] = bad;
        assert_wsa_fails(wait_any(2, events), WSA_WAIT_FAILED, WSA_INVALID_HANDLE);
        assert_wsa_fails(wait_all(2, events), WSA_WAIT_FAILED, WSA_INVALID_HANDLE);
    }
    assert_true(is_signaled(events[0]));
}

void a_handle_without_the_right_to_wait_is_refused(void**) // [WSAWaitForMultipleEvents/3]
{
    const HANDLE process = GetCurrentProcess();
    HANDLE weak = nullptr;
    assert_true(
        DuplicateHandle(process, new_event(), process, &weak, EVENT_MODIFY_STATE, FALSE, 0));
    owned(weak);

    assert_wsa_fails(wait_any(1, &weak), WSA_WAIT_FAILED, ERROR_ACCESS_DENIED);
}

void pseudo_handles_are_refused(void**) // [WSAWaitForMultipleEvents/4]
{
    const HANDLE process = GetCurrentProcess();
    const HANDLE thread = GetCurrentThread();

    assert_wsa_fails(wait_any(1, &process), WSA_WAIT_FAILED, WSA_INVALID_HANDLE);
    assert_wsa_fails(wait_any(1, &thread), WSA_WAIT_FAILED, WSA_INVALID_HANDLE);
}

void wait_all_refuses_the_same_handle_twice(void**) // [WSAWaitForMultipleEvents/5]
{
    const WSAEVENT event = new_event();
    const WSAEVENT events[] = { event, event };
    assert_true(WSASetEvent(event));

    assert_wsa_fails(wait_all(2, events), WSA_WAIT_FAILED, WSA_INVALID_PARAMETER);
}

void wait_any_accepts_the_same_handle_twice(void**) // [WSAWaitForMultipleEvents/5]
{
    const HANDLE event = new_auto_event();
    const WSAEVENT events[] = { event, event };
    assert_true(WSASetEvent(event));

    assert_int_equal(wait_any(2, events), WSA_WAIT_EVENT_0);
    assert_false(is_signaled(event));
}

// --- Wait any

void wait_any_returns_the_index_of_the_signaled_event(void**) // [WSAWaitForMultipleEvents/6]
{
    const WSAEVENT events[] = { new_event(), new_event(), new_event() };

    for (DWORD i = 0; i < 3; ++i) {
        assert_true(WSASetEvent(events[i]));
        assert_int_equal(wait_any(3, events), WSA_WAIT_EVENT_0 + i);
        assert_true(WSAResetEvent(events[i]));
    }
}

void wait_any_takes_the_lowest_signaled_event_only(void**) // [WSAWaitForMultipleEvents/7]
{
    const WSAEVENT events[] = { new_auto_event(), new_auto_event() };
    assert_true(WSASetEvent(events[0]));
    assert_true(WSASetEvent(events[1]));

    assert_int_equal(wait_any(2, events), WSA_WAIT_EVENT_0);
    assert_int_equal(wait_any(2, events), WSA_WAIT_EVENT_0 + 1);
    assert_int_equal(wait_any(2, events), WSA_WAIT_TIMEOUT);
}

void a_set_manual_reset_event_starves_the_higher_ones(void**) // [WSAWaitForMultipleEvents/8]
{
    const WSAEVENT events[] = { new_event(), new_auto_event() };
    assert_true(WSASetEvent(events[0]));
    assert_true(WSASetEvent(events[1]));

    for (int i = 0; i < 3; ++i)
        assert_int_equal(wait_any(2, events), WSA_WAIT_EVENT_0);
    assert_true(is_signaled(events[1]));
}

void a_blocked_wait_any_ends_when_an_event_is_set(void**) // [WSAWaitForMultipleEvents/6]
{
    const WSAEVENT first = new_event();
    const WSAEVENT second = new_event();
    Background* wait = run_in_background([=]() -> long long {
        const WSAEVENT events[] = { first, second };
        return wait_any(2, events, WSA_INFINITE);
    });

    assert_true(WSASetEvent(second)); // The wait may or may not block yet.
    assert_int_equal(join(wait).value, WSA_WAIT_EVENT_0 + 1);
}

// --- Wait all

void wait_all_takes_every_event_at_once(void**) // [WSAWaitForMultipleEvents/9]
{
    const WSAEVENT events[] = { new_auto_event(), new_auto_event(), new_event() };
    for (WSAEVENT event : events)
        assert_true(WSASetEvent(event));

    assert_in_range(wait_all(3, events), WSA_WAIT_EVENT_0, WSA_WAIT_EVENT_0 + 2);
    assert_false(is_signaled(events[0]));
    assert_false(is_signaled(events[1]));
    assert_true(is_signaled(events[2]));
}

void wait_all_that_times_out_consumes_no_signal(void**) // [WSAWaitForMultipleEvents/9]
{
    const WSAEVENT events[] = { new_auto_event(), new_auto_event() };
    assert_true(WSASetEvent(events[0]));

    assert_int_equal(wait_all(2, events), WSA_WAIT_TIMEOUT);
    assert_true(is_signaled(events[0]));
}

void a_blocked_wait_all_leaves_a_signal_to_others(void**) // [WSAWaitForMultipleEvents/9]
{
    const HANDLE first = new_auto_event();
    const HANDLE second = new_auto_event();
    Background* wait = run_in_background([=]() -> long long {
        const WSAEVENT events[] = { first, second };
        return wait_all(2, events, WSA_INFINITE);
    });

    assert_true(WSASetEvent(first));
    assert_true(is_signaled(first)); // Whether the wait blocks yet or not: it has not taken it.
    assert_true(WSASetEvent(second));
    let_it_settle();
    assert_false(has_ended(wait));
    assert_true(WSASetEvent(first));
    assert_in_range(join(wait).value, WSA_WAIT_EVENT_0, WSA_WAIT_EVENT_0 + 1);
}

// --- Time-outs

void a_wait_with_time_out_zero_tests_and_takes(void**) // [WSAWaitForMultipleEvents/10]
{
    const HANDLE mutex = owned(CreateMutexW(nullptr, FALSE, nullptr));
    assert_non_null(mutex);

    assert_int_equal(wait_any(1, &mutex), WSA_WAIT_EVENT_0);
    assert_true(ReleaseMutex(mutex)); // Succeeds for the owner only.
}

void a_wait_for_nothing_times_out(void**) // [WSAWaitForMultipleEvents/11]
{
    const WSAEVENT event = new_event();
    const ULONGLONG start = GetTickCount64();

    assert_int_equal(wait_any(1, &event, 0), WSA_WAIT_TIMEOUT);
    assert_int_equal(wait_any(1, &event, 50), WSA_WAIT_TIMEOUT);
    // Not before its time. The tick counter moves in steps of up to 16 ms.
    assert_true(GetTickCount64() - start >= 50 - 16);
}

void success_and_time_out_leave_the_last_error_alone(void**) // [WSAWaitForMultipleEvents/12]
{
    const WSAEVENT event = new_event();

    WSASetLastError(kPoison);
    assert_int_equal(wait_any(1, &event), WSA_WAIT_TIMEOUT);
    assert_int_equal(WSAGetLastError(), kPoison);
    assert_true(WSASetEvent(event));
    WSASetLastError(kPoison);
    assert_int_equal(wait_any(1, &event), WSA_WAIT_EVENT_0);
    assert_int_equal(WSAGetLastError(), kPoison);
}

// --- Alertable waits

void an_alertable_wait_runs_a_queued_apc(void**) // [WSAWaitForMultipleEvents/13]
{
    const WSAEVENT event = new_event();
    int calls = 0;
    queue_counted_apc(&calls);

    assert_int_equal(
        WSAWaitForMultipleEvents(1, &event, FALSE, WSA_INFINITE, TRUE), WSA_WAIT_IO_COMPLETION);
    assert_int_equal(calls, 1);
}

void an_alertable_test_runs_a_queued_apc(void**) // [WSAWaitForMultipleEvents/13]
{
    const WSAEVENT event = new_event();
    int calls = 0;
    queue_counted_apc(&calls);

    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, TRUE), WSA_WAIT_IO_COMPLETION);
    assert_int_equal(calls, 1);
}

void an_apc_ends_an_alertable_wait_all(void**) // [WSAWaitForMultipleEvents/13]
{
    const WSAEVENT events[] = { new_auto_event(), new_auto_event() };
    int calls = 0;
    assert_true(WSASetEvent(events[0]));
    queue_counted_apc(&calls);

    assert_int_equal(
        WSAWaitForMultipleEvents(2, events, TRUE, WSA_INFINITE, TRUE), WSA_WAIT_IO_COMPLETION);
    assert_int_equal(calls, 1);
    assert_true(is_signaled(events[0])); // Consumed nothing.
}

void an_apc_ends_a_blocked_alertable_wait(void**) // [WSAWaitForMultipleEvents/13]
{
    const WSAEVENT event = new_event();
    int* calls = lasting<int>();
    Background* wait = run_in_background([=]() -> long long {
        return WSAWaitForMultipleEvents(1, &event, FALSE, WSA_INFINITE, TRUE);
    });

    queue_counted_apc(calls, background_thread(wait));
    assert_int_equal(join(wait).value, WSA_WAIT_IO_COMPLETION);
    assert_int_equal(*calls, 1);
}

void a_signaled_event_wins_over_a_queued_apc(void**) // [WSAWaitForMultipleEvents/14]
{
    const WSAEVENT event = new_event();
    int calls = 0;
    assert_true(WSASetEvent(event));
    queue_counted_apc(&calls);

    const DWORD result = WSAWaitForMultipleEvents(1, &event, FALSE, WSA_INFINITE, TRUE);
    const int calls_of_wait = calls;
    SleepEx(0, TRUE);
    assert_int_equal(result, WSA_WAIT_EVENT_0);
    assert_int_equal(calls_of_wait, 0);
    assert_int_equal(calls, 1); // It had stayed queued.
}

void a_wait_that_is_not_alertable_leaves_an_apc_queued(void**) // [WSAWaitForMultipleEvents/15]
{
    const WSAEVENT event = new_event();
    int calls = 0;
    queue_counted_apc(&calls);

    const DWORD result = wait_any(1, &event, 20);
    const int calls_of_wait = calls;
    SleepEx(0, TRUE);
    assert_int_equal(result, WSA_WAIT_TIMEOUT);
    assert_int_equal(calls_of_wait, 0);
    assert_int_equal(calls, 1);
}

// --- Events of sockets

enum class Wait { Plain, Alertable, ForOthersToo, ForMessagesToo, ForAll, kCount };

/// `signaled` is a semaphore that is, `unsignaled` one that is not.
DWORD wait_as(Wait how, WSAEVENT event, HANDLE signaled, HANDLE unsignaled)
{
    const HANDLE any[] = { event, unsignaled };
    const HANDLE all[] = { event, signaled };
    switch (how) {
    case Wait::Alertable:
        return WSAWaitForMultipleEvents(1, &event, FALSE, kEventLimit, TRUE);
    case Wait::ForOthersToo:
        return wait_any(2, any, kEventLimit);
    case Wait::ForMessagesToo:
        return MsgWaitForMultipleObjects(1, &event, FALSE, kEventLimit, QS_ALLINPUT);
    case Wait::ForAll:
        return wait_all(2, all, kEventLimit);
    default:
        return WaitForSingleObject(event, kEventLimit);
    }
}

/// Each thread waits for the events of all sockets in turn. One that has been told is at work until
/// all have been: none may depend on another one's coming back.
void events_of_sockets_end_all_kinds_of_waits(void**) // [WSAWaitForMultipleEvents/6]
{
    constexpr LONG kRounds = 50;
    constexpr LONG kThreads = static_cast<LONG>(Wait::kCount);
    struct Selected {
        TcpPair pair;
        WSAEVENT event;
    };
    auto* const sockets = static_cast<Selected*>(lasting_memory(kThreads * sizeof(Selected)));
    auto* told = static_cast<std::atomic<LONG>*>(lasting_memory(sizeof(std::atomic<LONG>)));
    const HANDLE signaled = owned(CreateSemaphoreW(nullptr, kRounds, kRounds, nullptr));
    const HANDLE unsignaled = owned(CreateSemaphoreW(nullptr, 0, 1, nullptr));
    const auto await_round = [=](LONG round) { return comes_to(*told, kThreads * round); };
    for (LONG i = 0; i < kThreads; ++i) {
        sockets[i] = { new_tcp_pair(), new_event() };
        assert_int_equal(WSAEventSelect(sockets[i].pair.server, sockets[i].event, FD_READ), 0);
    }
    Background* threads[kThreads];
    for (LONG i = 0; i < kThreads; ++i) {
        threads[i] = run_in_background([=] {
            LONG round = 0;
            for (; round < kRounds; ++round) {
                const Selected& own = sockets[(i + round) % kThreads];
                WSANETWORKEVENTS events;
                char byte;
                if (wait_as(static_cast<Wait>(i), own.event, signaled, unsignaled) != WAIT_OBJECT_0
                    || WSAEnumNetworkEvents(own.pair.server, own.event, &events)
                    || events.lNetworkEvents != FD_READ || recv(own.pair.server, &byte, 1, 0) != 1)
                    break;
                ++*told;
                if (!await_round(round + 1))
                    break;
            }
            return round;
        });
    }
    bool is_well = true;
    for (LONG round = 1; is_well && round <= kRounds; ++round) {
        Sleep(1); // all wait
        for (LONG i = 0; i < kThreads; ++i)
            send(sockets[i].pair.client, "x", 1, 0);
        is_well = await_round(round);
    }
    for (Background* thread : threads)
        assert_int_equal(join(thread).value, kRounds);
}

/// `operation` has `event` and room for one byte.
void begin_receive(SOCKET socket, WSAEVENT event, Operation& operation)
{
    operation.overlapped.hEvent = event;
    operation.buffer = { 1, operation.data };
    WSARecv(
        socket, &operation.buffer, 1, nullptr, &operation.flags, &operation.overlapped, nullptr);
}

/// What two threads do with an event, `first` and `second` with sockets of theirs.
struct TwoWaits {
    TcpPair first = new_tcp_pair();
    TcpPair second = new_tcp_pair();
    WSAEVENT event = new_event();
    WSAEVENT other = new_event();
    HANDLE unsignaled = owned(CreateSemaphoreW(nullptr, 0, 1, nullptr));
    Operation* operations = static_cast<Operation*>(lasting_memory(3 * sizeof(Operation)));
    std::atomic<bool>* is_at_work = lasting<std::atomic<bool>>();
    std::atomic<bool>* is_told = lasting<std::atomic<bool>>();
};

Background* wait_together_with_the_host(const TwoWaits& waits)
{
    return run_in_background([=] {
        const HANDLE any[] = { waits.event, waits.unsignaled };
        const DWORD result = wait_any(2, any, kEventLimit);
        *waits.is_told = true;
        return result;
    });
}

/// It waits a moment, and then is at work until the other thread has been told.
Background* wait_a_moment(const TwoWaits& waits, WSAEVENT event, SOCKET socket = INVALID_SOCKET)
{
    return run_in_background([=] {
        if (socket != INVALID_SOCKET)
            begin_receive(socket, event, waits.operations[2]);
        const DWORD result = WaitForSingleObject(event, 40);
        *waits.is_at_work = true;
        while (!*waits.is_told) { }
        return result;
    });
}

/// Returns after how many milliseconds the one was told that `socket` has data.
ULONGLONG time_to_tell(const TwoWaits& waits, SOCKET peer, Background* told, Background* at_work)
{
    while (!*waits.is_at_work)
        Sleep(1);
    const ULONGLONG begin = GetTickCount64();
    send_text(peer, "x");
    assert_int_equal(join(told).value, WAIT_OBJECT_0);
    const ULONGLONG taken = GetTickCount64() - begin;
    assert_int_equal(join(at_work).value, WAIT_TIMEOUT);
    return taken;
}

constexpr int kRoundsOfTwo = 5;
constexpr ULONGLONG kLimitOfTwo = kRoundsOfTwo * 60; // milliseconds

/// While the other thread waits, a request begins that sets the event.
void an_event_ends_a_wait_that_began_before_another_threads(void**) // [WSAWaitForMultipleEvents/6]
{
    ULONGLONG taken = 0;
    for (int round = 0; round < kRoundsOfTwo; ++round) {
        const TwoWaits waits;
        begin_receive(waits.first.server, waits.event, waits.operations[0]);
        Background* told = wait_together_with_the_host(waits);
        Sleep(20);
        Background* at_work = wait_a_moment(waits, waits.event);
        Sleep(20);
        begin_receive(waits.second.server, waits.event, waits.operations[1]);
        taken += time_to_tell(waits, waits.second.client, told, at_work);
    }
    assert_true(taken < kLimitOfTwo);
}

/// A thread has waited for the event and has ended. Another one comes, and waits for its own.
void an_event_ends_a_wait_after_another_thread_has_ended(void**) // [WSAWaitForMultipleEvents/6]
{
    ULONGLONG taken = 0;
    for (int round = 0; round < kRoundsOfTwo; ++round) {
        const TwoWaits waits;
        begin_receive(waits.first.server, waits.event, waits.operations[0]);
        Background* ended = run_in_background([=] { return WaitForSingleObject(waits.event, 40); });
        Sleep(20);
        begin_receive(waits.first.server, waits.event, waits.operations[1]);
        assert_int_equal(join(ended).value, WAIT_TIMEOUT);
        Background* told = wait_together_with_the_host(waits);
        Sleep(20);
        Background* at_work = wait_a_moment(waits, waits.other, waits.second.server);
        taken += time_to_tell(waits, waits.first.client, told, at_work);
    }
    assert_true(taken < kLimitOfTwo);
}

// --- Other objects

void objects_of_other_types_may_be_mixed_in(void**) // [WSAWaitForMultipleEvents/16]
{
    const HANDLE mutex = owned(CreateMutexW(nullptr, TRUE, nullptr));
    const HANDLE semaphore = owned(CreateSemaphoreW(nullptr, 0, 2, nullptr));
    Background* thread = run_in_background([] { return 0; });
    assert_int_equal(join(thread).value, 0);
    const HANDLE handles[] = { new_event(), semaphore, background_thread(thread), mutex };

    assert_int_equal(wait_any(4, handles), WSA_WAIT_EVENT_0 + 2);
    assert_true(ReleaseSemaphore(semaphore, 1, nullptr));
    assert_int_equal(wait_any(4, handles), WSA_WAIT_EVENT_0 + 1);
    assert_int_equal(wait_any(1, &semaphore), WSA_WAIT_TIMEOUT);
    assert_true(WSASetEvent(handles[0]));
    assert_true(ReleaseSemaphore(semaphore, 1, nullptr));
    assert_in_range(wait_all(4, handles), WSA_WAIT_EVENT_0, WSA_WAIT_EVENT_0 + 3);
    assert_true(ReleaseMutex(mutex)); // Owned twice: by its creation and by the wait.
    assert_true(ReleaseMutex(mutex));
}

void an_abandoned_mutex_is_told(void**) // [WSAWaitForMultipleEvents/17]
{
    const HANDLE mutex = owned(CreateMutexW(nullptr, FALSE, nullptr));
    const HANDLE handles[] = { new_event(), mutex };
    Background* abandon = run_in_background([=] { return WaitForSingleObject(mutex, kHangLimit); });
    assert_int_equal(join(abandon).value, WAIT_OBJECT_0);

    assert_int_equal(wait_any(2, handles), WAIT_ABANDONED_0 + 1);
    assert_true(ReleaseMutex(mutex));
}

void a_socket_is_signaled_when_its_overlapped_operation_completes(
    void**) // [WSAWaitForMultipleEvents/18]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE socket = reinterpret_cast<HANDLE>(pair.server);
    Operation* receive = new_operation();
    assert_wsa_fails(WSARecv(pair.server, &receive->buffer, 1, nullptr, &receive->flags,
                         &receive->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    assert_int_equal(wait_any(1, &socket), WSA_WAIT_TIMEOUT);
    send_text(pair.client, "x");
    assert_int_equal(wait_any(1, &socket, kHangLimit), WSA_WAIT_EVENT_0);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
}

void the_low_bits_of_a_handle_do_not_count(void**) // [WSAWaitForMultipleEvents/19]
{
    const WSAEVENT event = new_event();
    assert_true(WSASetEvent(event));

    for (uintptr_t bits = 1; bits < 4; ++bits) {
        const WSAEVENT tagged
            = reinterpret_cast<WSAEVENT>(reinterpret_cast<uintptr_t>(event) | bits);
        assert_int_equal(wait_any(1, &tagged), WSA_WAIT_EVENT_0);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_suspended_waiter_leaves_the_set_to_others),
    cmocka_unit_test(what_is_set_after_a_suspension_is_not_the_suspended_waiters),
    cmocka_unit_test(a_suspended_alertable_waiter_leaves_the_set_to_others),
    cmocka_unit_test(a_suspended_waiter_for_different_objects_leaves_the_set_to_others),
    cmocka_unit_test(no_events_is_refused),
    cmocka_unit_test(more_than_64_events_are_refused),
    cmocka_unit_test(sixty_four_events_are_accepted),
    cmocka_unit_test(a_bad_handle_is_refused_although_another_is_signaled),
    cmocka_unit_test(a_handle_without_the_right_to_wait_is_refused),
    cmocka_unit_test(pseudo_handles_are_refused),
    cmocka_unit_test(wait_all_refuses_the_same_handle_twice),
    cmocka_unit_test(wait_any_accepts_the_same_handle_twice),
    cmocka_unit_test(wait_any_returns_the_index_of_the_signaled_event),
    cmocka_unit_test(wait_any_takes_the_lowest_signaled_event_only),
    cmocka_unit_test(a_set_manual_reset_event_starves_the_higher_ones),
    cmocka_unit_test(a_blocked_wait_any_ends_when_an_event_is_set),
    cmocka_unit_test(wait_all_takes_every_event_at_once),
    cmocka_unit_test(wait_all_that_times_out_consumes_no_signal),
    cmocka_unit_test(a_blocked_wait_all_leaves_a_signal_to_others),
    cmocka_unit_test(a_wait_with_time_out_zero_tests_and_takes),
    cmocka_unit_test(a_wait_for_nothing_times_out),
    cmocka_unit_test(success_and_time_out_leave_the_last_error_alone),
    cmocka_unit_test(an_alertable_wait_runs_a_queued_apc),
    cmocka_unit_test(an_alertable_test_runs_a_queued_apc),
    cmocka_unit_test(an_apc_ends_an_alertable_wait_all),
    cmocka_unit_test(an_apc_ends_a_blocked_alertable_wait),
    cmocka_unit_test(a_signaled_event_wins_over_a_queued_apc),
    cmocka_unit_test(a_wait_that_is_not_alertable_leaves_an_apc_queued),
    cmocka_unit_test(events_of_sockets_end_all_kinds_of_waits),
    cmocka_unit_test(an_event_ends_a_wait_that_began_before_another_threads),
    cmocka_unit_test(an_event_ends_a_wait_after_another_thread_has_ended),
    cmocka_unit_test(objects_of_other_types_may_be_mixed_in),
    cmocka_unit_test(an_abandoned_mutex_is_told),
    cmocka_unit_test(a_socket_is_signaled_when_its_overlapped_operation_completes),
    cmocka_unit_test(the_low_bits_of_a_handle_do_not_count),
};

} // namespace

CONFORMANCE_GROUP(wait, kCases);
