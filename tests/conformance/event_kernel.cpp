// Events as kernel objects: events of CreateEvent given to Winsock, and events of Winsock given to
// the waits and functions of kernel32 and user32.

#include "sockets.h"

using namespace conformance;

namespace {

void kernel32_sets_and_resets_a_winsock_event(void**) // [WSACreateEvent/5]
{
    const WSAEVENT event = new_event();

    assert_true(SetEvent(event));
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_EVENT_0);
    assert_true(ResetEvent(event));
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_TIMEOUT);
}

void kernel32_closes_a_winsock_event(void**) // [WSACreateEvent/5]
{
    const WSAEVENT event = new_event();

    assert_true(CloseHandle(event));
    disown(event);
    assert_wsa_fails(WSASetEvent(event), FALSE, WSA_INVALID_HANDLE);
}

void a_duplicate_names_the_same_event(void**) // [WSACreateEvent/5]
{
    const HANDLE process = GetCurrentProcess();
    const WSAEVENT event = new_event();
    HANDLE other = nullptr;
    assert_true(DuplicateHandle(process, event, process, &other, 0, FALSE, DUPLICATE_SAME_ACCESS));
    owned(other);

    assert_true(WSASetEvent(other));
    assert_true(is_signaled(event));
    assert_true(WSAResetEvent(event));
    assert_false(is_signaled(other));
}

void an_auto_reset_event_is_consumed_by_the_winsock_wait(void**) // [WSAWaitForMultipleEvents/7]
{
    const HANDLE event = new_auto_event();

    assert_true(WSASetEvent(event));
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_EVENT_0);
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_TIMEOUT);
}

void a_named_event_is_set_through_another_handle(void**) // [WSASetEvent/8]
{
    wchar_t name[64];
    wsprintfW(name, L"Local\\winsock-conformance-%lu", GetCurrentProcessId());
    const HANDLE created = owned(CreateEventW(nullptr, TRUE, FALSE, name));
    const HANDLE opened = owned(OpenEventW(EVENT_MODIFY_STATE | SYNCHRONIZE, FALSE, name));
    assert_non_null(created);
    assert_non_null(opened);

    assert_true(WSASetEvent(opened));
    assert_int_equal(WSAWaitForMultipleEvents(1, &created, FALSE, 0, FALSE), WSA_WAIT_EVENT_0);
    assert_true(WSAResetEvent(opened));
    assert_false(is_signaled(created));
}

void an_inheritable_event_works_as_a_winsock_event(void**) // [WSASetEvent/8]
{
    SECURITY_ATTRIBUTES inheritable = { sizeof(inheritable), nullptr, TRUE };
    const HANDLE event = owned(CreateEventW(&inheritable, TRUE, FALSE, nullptr));
    assert_non_null(event);

    assert_true(WSASetEvent(event));
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_EVENT_0);
    assert_true(WSACloseEvent(event));
    disown(event);
}

void a_wait_for_many_mixes_winsock_and_kernel_events(void**) // [WSACreateEvent/6]
{
    const HANDLE handles[] = { new_auto_event(), new_event(), new_auto_event() };

    assert_true(WSASetEvent(handles[1]));
    assert_int_equal(WaitForMultipleObjects(3, handles, FALSE, 0), WAIT_OBJECT_0 + 1);
    assert_true(SetEvent(handles[0]));
    assert_true(SetEvent(handles[2]));
    assert_int_equal(WaitForMultipleObjects(3, handles, TRUE, 0), WAIT_OBJECT_0);
}

void a_message_wait_ends_with_a_winsock_event(void**) // [WSACreateEvent/6]
{
    const WSAEVENT event = new_event();
    Background* setter = run_in_background([=] { return WSASetEvent(event); });

    assert_int_equal(
        MsgWaitForMultipleObjectsEx(1, &event, kHangLimit, QS_ALLINPUT, 0), WAIT_OBJECT_0);
    assert_true(join(setter).value);
}

void CALLBACK record_registered_wait(void* argument, BOOLEAN timed_out)
{
    if (!timed_out)
        SetEvent(static_cast<HANDLE>(argument));
}

void a_registered_wait_fires_for_a_winsock_event(void**) // [WSACreateEvent/6]
{
    const WSAEVENT event = new_event();
    const HANDLE ran = new_auto_event();
    HANDLE registration = nullptr;
    assert_true(RegisterWaitForSingleObject(
        &registration, event, record_registered_wait, ran, INFINITE, WT_EXECUTEONLYONCE));

    const BOOL set = WSASetEvent(event);
    const DWORD result = WaitForSingleObject(ran, kHangLimit);
    UnregisterWaitEx(registration, INVALID_HANDLE_VALUE);

    assert_true(set);
    assert_int_equal(result, WAIT_OBJECT_0);
}

void signal_object_and_wait_sets_a_winsock_event(void**) // [WSACreateEvent/6]
{
    const WSAEVENT event = new_event();
    const HANDLE answer = new_auto_event();
    Background* peer = run_in_background([=]() -> long long {
        const DWORD result = WaitForSingleObject(event, kHangLimit);
        SetEvent(answer);
        return result;
    });

    assert_int_equal(SignalObjectAndWait(event, answer, kHangLimit, FALSE), WAIT_OBJECT_0);
    assert_int_equal(join(peer).value, WAIT_OBJECT_0);
    assert_true(is_signaled(event));
}

void a_pulse_leaves_a_winsock_event_reset(void**) // [WSACreateEvent/7]
{
    const WSAEVENT event = new_event();

    assert_true(WSASetEvent(event));
    assert_true(PulseEvent(event));
    assert_false(is_signaled(event));
    assert_true(PulseEvent(event));
    assert_false(is_signaled(event));
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(kernel32_sets_and_resets_a_winsock_event),
    cmocka_unit_test(kernel32_closes_a_winsock_event),
    cmocka_unit_test(a_duplicate_names_the_same_event),
    cmocka_unit_test(an_auto_reset_event_is_consumed_by_the_winsock_wait),
    cmocka_unit_test(a_named_event_is_set_through_another_handle),
    cmocka_unit_test(an_inheritable_event_works_as_a_winsock_event),
    cmocka_unit_test(a_wait_for_many_mixes_winsock_and_kernel_events),
    cmocka_unit_test(a_message_wait_ends_with_a_winsock_event),
    cmocka_unit_test(a_registered_wait_fires_for_a_winsock_event),
    cmocka_unit_test(signal_object_and_wait_sets_a_winsock_event),
    cmocka_unit_test(a_pulse_leaves_a_winsock_event_reset),
};

} // namespace

CONFORMANCE_GROUP(event_kernel, kCases);
