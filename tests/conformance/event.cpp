// The event objects themselves: create, set, reset, close, and what each refuses.

#include "sockets.h"

using namespace conformance;

namespace {

/// Waits as long as it takes, to be run in the background. The values of results are kernel32's
/// too.
DWORD wait_for(HANDLE event)
{
    return WSAWaitForMultipleEvents(1, &event, FALSE, kHangLimit, FALSE);
}

// --- WSACreateEvent

void a_new_event_is_not_signaled(void**) // [WSACreateEvent/1]
{
    assert_false(is_signaled(new_event()));
}

void a_new_event_stays_signaled_after_a_wait(void**) // [WSACreateEvent/1]
{
    const WSAEVENT event = new_event();

    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
    assert_true(is_signaled(event));
}

void a_new_event_is_not_inherited_by_child_processes(void**) // [WSACreateEvent/2]
{
    DWORD flags = HANDLE_FLAG_INHERIT;

    assert_true(GetHandleInformation(new_event(), &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
}

void each_call_makes_an_event_of_its_own(void**) // [WSACreateEvent/3]
{
    const WSAEVENT first = new_event();
    const WSAEVENT second = new_event();

    assert_true(first != second);
    assert_true(WSASetEvent(first));
    assert_false(is_signaled(second));
}

void a_new_event_grants_every_access_right(void**) // [WSACreateEvent/4]
{
    const HANDLE process = GetCurrentProcess();
    HANDLE duplicate = nullptr;

    assert_true(
        DuplicateHandle(process, new_event(), process, &duplicate, EVENT_ALL_ACCESS, FALSE, 0));
    owned(duplicate);
    assert_true(WSASetEvent(duplicate));
    assert_true(is_signaled(duplicate));
}

// --- WSASetEvent and WSAResetEvent

void set_releases_every_waiter(void**) // [WSASetEvent/1]
{
    const WSAEVENT event = new_event();
    Background* first = run_in_background([=] { return wait_for(event); });
    Background* second = run_in_background([=] { return wait_for(event); });

    assert_true(WSASetEvent(event));
    assert_int_equal(join(first).value, WAIT_OBJECT_0);
    assert_int_equal(join(second).value, WAIT_OBJECT_0);
    assert_true(is_signaled(event));
}

void set_succeeds_on_a_set_event(void**) // [WSASetEvent/2]
{
    const WSAEVENT event = new_event();

    assert_true(WSASetEvent(event));
    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
}

void sets_of_an_auto_reset_event_are_not_counted(void**) // [WSASetEvent/3]
{
    const HANDLE event = new_auto_event();

    assert_true(WSASetEvent(event));
    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
    assert_false(is_signaled(event));
}

void set_of_an_auto_reset_event_releases_one_waiter(void**) // [WSASetEvent/3]
{
    const HANDLE event = new_auto_event();
    Background* waiters[2];
    for (Background*& waiter : waiters)
        waiter = run_in_background([=] { return wait_for(event); });

    assert_true(WSASetEvent(event));
    const HANDLE threads[] = { background_thread(waiters[0]), background_thread(waiters[1]) };
    const DWORD first = WaitForMultipleObjects(2, threads, FALSE, kHangLimit);
    assert_in_range(first, WAIT_OBJECT_0, WAIT_OBJECT_0 + 1);
    let_it_settle();
    assert_false(has_ended(waiters[1 - first]));
    assert_true(WSASetEvent(event));
    assert_int_equal(join(waiters[1 - first]).value, WAIT_OBJECT_0);
}

void reset_takes_the_signal_away(void**) // [WSAResetEvent/1]
{
    const WSAEVENT event = new_event();

    assert_true(WSASetEvent(event));
    assert_true(WSAResetEvent(event));
    assert_false(is_signaled(event));
}

void reset_succeeds_on_a_reset_event(void**) // [WSAResetEvent/2]
{
    const WSAEVENT event = new_event();

    assert_true(WSAResetEvent(event));
    assert_true(WSAResetEvent(event));
    assert_false(is_signaled(event));
}

void reset_takes_the_signal_of_an_auto_reset_event(void**) // [WSAResetEvent/1]
{
    const HANDLE event = new_auto_event();

    assert_true(WSASetEvent(event));
    assert_true(WSAResetEvent(event));
    assert_false(is_signaled(event));
}

// --- What set and reset refuse

HANDLE garbage_handle()
{
    return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(0x7ffff0));
}

HANDLE closed_event()
{
    const WSAEVENT event = new_event();
    close_owned(event);
    return event;
}

/// A handle of every common kind that is not an event.
struct OtherObjects {
    HANDLE handles[6];
};

OtherObjects other_objects()
{
    wchar_t path[MAX_PATH];
    GetModuleFileNameW(nullptr, path, MAX_PATH);
    OtherObjects objects = { {
        owned(CreateMutexW(nullptr, FALSE, nullptr)),
        owned(CreateSemaphoreW(nullptr, 0, 1, nullptr)),
        owned(CreateWaitableTimerW(nullptr, TRUE, nullptr)),
        owned(CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr)),
        owned(OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId())),
        reinterpret_cast<HANDLE>(udp_socket()),
    } };
    for (HANDLE handle : objects.handles)
        assert_non_null(handle);
    return objects;
}

/// An event with a handle that another process owns; its value means nothing in this one.
struct ForeignEvent {
    PROCESS_INFORMATION process;
    HANDLE handle;
};

ForeignEvent foreign_event()
{
    ForeignEvent foreign = {};
    wchar_t path[MAX_PATH];
    STARTUPINFOW startup = {};
    startup.cb = sizeof(startup);
    GetModuleFileNameW(nullptr, path, MAX_PATH);
    // Never resumed: a process that has a handle table and does nothing.
    assert_true(CreateProcessW(path, nullptr, nullptr, nullptr, FALSE, CREATE_SUSPENDED, nullptr,
        nullptr, &startup, &foreign.process));
    owned(foreign.process.hThread);
    owned(foreign.process.hProcess);
    const WSAEVENT event = new_event();
    DWORD flags;
    do {
        if (!DuplicateHandle(GetCurrentProcess(), event, foreign.process.hProcess, &foreign.handle,
                0, FALSE, DUPLICATE_SAME_ACCESS))
            break;
    } while (GetHandleInformation(foreign.handle, &flags));
    return foreign;
}

void set_refuses_null(void**) // [WSASetEvent/4]
{
    assert_wsa_fails(WSASetEvent(WSA_INVALID_EVENT), FALSE, WSA_INVALID_HANDLE);
}

void set_refuses_a_closed_event(void**) // [WSASetEvent/4]
{
    const HANDLE event = closed_event();
    assert_wsa_fails(WSASetEvent(event), FALSE, WSA_INVALID_HANDLE);
}

void set_refuses_garbage(void**) // [WSASetEvent/4]
{
    assert_wsa_fails(WSASetEvent(garbage_handle()), FALSE, WSA_INVALID_HANDLE);
    assert_wsa_fails(WSASetEvent(INVALID_HANDLE_VALUE), FALSE, WSA_INVALID_HANDLE);
}

void set_refuses_what_is_no_event(void**) // [WSASetEvent/5]
{
    for (HANDLE handle : other_objects().handles)
        assert_wsa_fails(WSASetEvent(handle), FALSE, WSA_INVALID_HANDLE);
}

void set_and_reset_refuse_an_event_of_another_process(void**) // [WSASetEvent/4] [WSAResetEvent/3]
{
    const ForeignEvent foreign = foreign_event();
    WSASetLastError(kPoison);
    const BOOL set = WSASetEvent(foreign.handle);
    const int set_error = WSAGetLastError();
    WSASetLastError(kPoison);
    const BOOL reset = WSAResetEvent(foreign.handle);
    const int reset_error = WSAGetLastError();
    TerminateProcess(foreign.process.hProcess, 0);

    assert_false(set);
    assert_int_equal(set_error, WSA_INVALID_HANDLE);
    assert_false(reset);
    assert_int_equal(reset_error, WSA_INVALID_HANDLE);
}

void set_needs_the_right_to_modify(void**) // [WSASetEvent/6]
{
    const HANDLE process = GetCurrentProcess();
    const WSAEVENT event = new_event();
    HANDLE weak = nullptr;
    assert_true(DuplicateHandle(process, event, process, &weak, SYNCHRONIZE, FALSE, 0));
    owned(weak);

    assert_wsa_fails(WSASetEvent(weak), FALSE, ERROR_ACCESS_DENIED);
    assert_false(is_signaled(event));
}

void set_leaves_the_last_error_alone(void**) // [WSASetEvent/7]
{
    const WSAEVENT event = new_event();

    WSASetLastError(kPoison);
    assert_true(WSASetEvent(event));
    assert_int_equal(WSAGetLastError(), kPoison);
}

void reset_refuses_null(void**) // [WSAResetEvent/3]
{
    assert_wsa_fails(WSAResetEvent(WSA_INVALID_EVENT), FALSE, WSA_INVALID_HANDLE);
}

void reset_refuses_a_closed_event(void**) // [WSAResetEvent/3]
{
    const HANDLE event = closed_event();
    assert_wsa_fails(WSAResetEvent(event), FALSE, WSA_INVALID_HANDLE);
}

void reset_refuses_garbage(void**) // [WSAResetEvent/3]
{
    assert_wsa_fails(WSAResetEvent(garbage_handle()), FALSE, WSA_INVALID_HANDLE);
    assert_wsa_fails(WSAResetEvent(INVALID_HANDLE_VALUE), FALSE, WSA_INVALID_HANDLE);
}

void reset_refuses_what_is_no_event(void**) // [WSAResetEvent/4]
{
    for (HANDLE handle : other_objects().handles)
        assert_wsa_fails(WSAResetEvent(handle), FALSE, WSA_INVALID_HANDLE);
}

void reset_needs_the_right_to_modify(void**) // [WSAResetEvent/5]
{
    const HANDLE process = GetCurrentProcess();
    const WSAEVENT event = new_event();
    HANDLE weak = nullptr;
    assert_true(WSASetEvent(event));
    assert_true(DuplicateHandle(process, event, process, &weak, SYNCHRONIZE, FALSE, 0));
    owned(weak);

    assert_wsa_fails(WSAResetEvent(weak), FALSE, ERROR_ACCESS_DENIED);
    assert_true(is_signaled(event));
}

void reset_leaves_the_last_error_alone(void**) // [WSAResetEvent/6]
{
    const WSAEVENT event = new_event();

    WSASetLastError(kPoison);
    assert_true(WSAResetEvent(event));
    assert_int_equal(WSAGetLastError(), kPoison);
}

// --- WSACloseEvent

void close_ends_the_handle(void**) // [WSACloseEvent/1]
{
    const WSAEVENT event = new_event();
    DWORD flags;

    assert_true(WSACloseEvent(event));
    disown(event);
    assert_false(GetHandleInformation(event, &flags));
}

void close_keeps_the_event_for_other_handles(void**) // [WSACloseEvent/2]
{
    const HANDLE process = GetCurrentProcess();
    const WSAEVENT event = new_event();
    HANDLE other = nullptr;
    assert_true(DuplicateHandle(process, event, process, &other, 0, FALSE, DUPLICATE_SAME_ACCESS));
    owned(other);

    assert_true(WSACloseEvent(event));
    disown(event);
    assert_true(WSASetEvent(other));
    assert_true(is_signaled(other));
}

void close_refuses_null(void**) // [WSACloseEvent/3]
{
    assert_wsa_fails(WSACloseEvent(WSA_INVALID_EVENT), FALSE, WSA_INVALID_HANDLE);
}

void close_refuses_a_closed_event(void**) // [WSACloseEvent/3]
{
    const HANDLE event = closed_event();
    assert_wsa_fails(WSACloseEvent(event), FALSE, WSA_INVALID_HANDLE);
}

void close_refuses_garbage(void**) // [WSACloseEvent/3]
{
    assert_wsa_fails(WSACloseEvent(garbage_handle()), FALSE, WSA_INVALID_HANDLE);
}

void close_closes_a_kernel_object_of_any_type(void**) // [WSACloseEvent/4]
{
    const HANDLE mutex = owned(CreateMutexW(nullptr, FALSE, nullptr));
    DWORD flags;
    assert_non_null(mutex);

    assert_true(WSACloseEvent(mutex));
    disown(mutex);
    assert_false(GetHandleInformation(mutex, &flags));
}

void close_leaves_the_last_error_alone(void**) // [WSACloseEvent/5]
{
    const WSAEVENT event = new_event();

    WSASetLastError(kPoison);
    assert_true(WSACloseEvent(event));
    disown(event);
    assert_int_equal(WSAGetLastError(), kPoison);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_new_event_is_not_signaled),
    cmocka_unit_test(a_new_event_stays_signaled_after_a_wait),
    cmocka_unit_test(a_new_event_is_not_inherited_by_child_processes),
    cmocka_unit_test(each_call_makes_an_event_of_its_own),
    cmocka_unit_test(a_new_event_grants_every_access_right),
    cmocka_unit_test(set_releases_every_waiter),
    cmocka_unit_test(set_succeeds_on_a_set_event),
    cmocka_unit_test(sets_of_an_auto_reset_event_are_not_counted),
    cmocka_unit_test(set_of_an_auto_reset_event_releases_one_waiter),
    cmocka_unit_test(reset_takes_the_signal_away),
    cmocka_unit_test(reset_succeeds_on_a_reset_event),
    cmocka_unit_test(reset_takes_the_signal_of_an_auto_reset_event),
    cmocka_unit_test(set_refuses_null),
    cmocka_unit_test(set_refuses_a_closed_event),
    cmocka_unit_test(set_refuses_garbage),
    cmocka_unit_test(set_refuses_what_is_no_event),
    cmocka_unit_test(set_and_reset_refuse_an_event_of_another_process),
    cmocka_unit_test(set_needs_the_right_to_modify),
    cmocka_unit_test(set_leaves_the_last_error_alone),
    cmocka_unit_test(reset_refuses_null),
    cmocka_unit_test(reset_refuses_a_closed_event),
    cmocka_unit_test(reset_refuses_garbage),
    cmocka_unit_test(reset_refuses_what_is_no_event),
    cmocka_unit_test(reset_needs_the_right_to_modify),
    cmocka_unit_test(reset_leaves_the_last_error_alone),
    cmocka_unit_test(close_ends_the_handle),
    cmocka_unit_test(close_keeps_the_event_for_other_handles),
    cmocka_unit_test(close_refuses_null),
    cmocka_unit_test(close_refuses_a_closed_event),
    cmocka_unit_test(close_refuses_garbage),
    cmocka_unit_test(close_closes_a_kernel_object_of_any_type),
    cmocka_unit_test(close_leaves_the_last_error_alone),
};

} // namespace

CONFORMANCE_GROUP(event, kCases);
