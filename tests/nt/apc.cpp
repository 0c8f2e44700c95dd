// APCs and alerts. Rules: spec/NtApc.md.
#include "harness.h"

#include <atomic>

using namespace nt_suite;

namespace {

/// What APC routines write down, in the order they ran. Only the thread that runs them touches it
/// until it is joined.
struct Record {
    uintptr_t calls[16];
    uintptr_t arguments[2];
    std::atomic<int> count;
};

void NTAPI note(PVOID record_pointer, PVOID number, PVOID)
{
    auto* record = static_cast<Record*>(record_pointer);
    record->calls[record->count++] = reinterpret_cast<uintptr_t>(number);
}

void NTAPI note_arguments(PVOID record_pointer, PVOID second, PVOID third)
{
    auto* record = static_cast<Record*>(record_pointer);
    record->arguments[0] = reinterpret_cast<uintptr_t>(second);
    record->arguments[1] = reinterpret_cast<uintptr_t>(third);
    ++record->count;
}

void NTAPI note_and_queue_another(PVOID record, PVOID number, PVOID)
{
    note(record, number, nullptr);
    NtQueueApcThread(current_thread(), reinterpret_cast<PVOID>(note), record,
        reinterpret_cast<PVOID>(reinterpret_cast<uintptr_t>(number) + 1), nullptr);
}

NTSTATUS queue_note(HANDLE thread, Record& record, uintptr_t number)
{
    return NtQueueApcThread(
        thread, reinterpret_cast<PVOID>(note), &record, reinterpret_cast<PVOID>(number), nullptr);
}

void an_apc_gets_its_arguments(void**) // [NtApc/1]
{
    Record record {};
    assert_status(NtQueueApcThread(current_thread(), reinterpret_cast<PVOID>(note_arguments),
                      &record, reinterpret_cast<PVOID>(11), reinterpret_cast<PVOID>(22)),
        STATUS_SUCCESS);
    assert_int_equal(record.count, 0); // not before an alertable wait
    assert_status(poll(new_event(kNotificationEvent), true), STATUS_USER_APC);
    assert_int_equal(record.count, 1);
    assert_int_equal(record.arguments[0], 11);
    assert_int_equal(record.arguments[1], 22);
}

void apcs_run_in_order_in_one_wait(void**) // [NtApc/2]
{
    Record record {};
    for (uintptr_t i = 0; i < 5; ++i)
        assert_status(queue_note(current_thread(), record, i), STATUS_SUCCESS);
    assert_status(poll(new_event(kNotificationEvent), true), STATUS_USER_APC);
    assert_int_equal(record.count, 5);
    for (uintptr_t i = 0; i < 5; ++i)
        assert_int_equal(record.calls[i], i);
    assert_status(poll(new_event(kNotificationEvent), true), STATUS_TIMEOUT);
}

void an_apc_queued_by_an_apc_runs_too(void**) // [NtApc/2]
{
    Record record {};
    assert_status(
        NtQueueApcThread(current_thread(), reinterpret_cast<PVOID>(note_and_queue_another), &record,
            reinterpret_cast<PVOID>(1), nullptr),
        STATUS_SUCCESS);
    assert_status(poll(new_event(kNotificationEvent), true), STATUS_USER_APC);
    assert_int_equal(record.count, 2);
    assert_int_equal(record.calls[1], 2);
}

void a_wait_that_is_not_alertable_leaves_apcs(void**) // [NtApc/3]
{
    Record record {};
    assert_status(queue_note(current_thread(), record, 1), STATUS_SUCCESS);
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(poll(event), STATUS_TIMEOUT);
    assert_status(NtWaitForSingleObject(event, FALSE, &kTenMilliseconds), STATUS_TIMEOUT);
    assert_status(NtDelayExecution(FALSE, &kTenMilliseconds), STATUS_SUCCESS);
    assert_int_equal(record.count, 0);
    assert_status(poll(event, true), STATUS_USER_APC);
    assert_int_equal(record.count, 1);
}

void a_signal_beats_an_apc(void**) // [NtApc/4]
{
    Record record {};
    const HANDLE event = new_event(kSynchronizationEvent, true);
    assert_status(queue_note(current_thread(), record, 1), STATUS_SUCCESS);
    assert_status(poll(event, true), STATUS_WAIT_0);
    assert_int_equal(record.count, 0);
    assert_status(poll(event, true), STATUS_USER_APC);
    assert_int_equal(record.count, 1);
}

void a_signal_beats_an_apc_at_any_index(void**) // [NtApc/4]
{
    Record record {};
    const HANDLE events[]
        = { new_event(kSynchronizationEvent), new_event(kSynchronizationEvent, true) };
    assert_status(queue_note(current_thread(), record, 1), STATUS_SUCCESS);
    assert_status(NtWaitForMultipleObjects(2, events, kWaitAny, TRUE, &kNow), STATUS_WAIT_0 + 1);
    assert_int_equal(record.count, 0);
    assert_status(NtWaitForMultipleObjects(2, events, kWaitAny, TRUE, &kNow), STATUS_USER_APC);
    assert_int_equal(record.count, 1);
}

void an_interrupted_wait_all_consumes_no_signal(void**) // [NtApc/5]
{
    Record record {};
    const HANDLE events[]
        = { new_event(kSynchronizationEvent, true), new_event(kSynchronizationEvent) };
    assert_status(queue_note(current_thread(), record, 1), STATUS_SUCCESS);
    assert_status(
        NtWaitForMultipleObjects(2, events, kWaitAll, TRUE, &kHangLimit), STATUS_USER_APC);
    assert_true(is_signaled(events[0]));
}

void an_apc_ends_the_wait_of_another_thread(void**) // [NtApc/6]
{
    Record record {};
    const HANDLE event = new_event(kNotificationEvent);
    Background* wait
        = run_in_background([event] { return NtWaitForSingleObject(event, TRUE, &kHangLimit); });
    assert_status(queue_note(background_thread(wait), record, 3), STATUS_SUCCESS);
    assert_status(join(wait), STATUS_USER_APC);
    assert_int_equal(record.count, 1);
    assert_int_equal(record.calls[0], 3);
}

void an_apc_ends_a_delay(void**) // [NtApc/6]
{
    Record record {};
    Background* wait = run_in_background([] { return NtDelayExecution(TRUE, &kHangLimit); });
    assert_status(queue_note(background_thread(wait), record, 3), STATUS_SUCCESS);
    assert_status(join(wait), STATUS_USER_APC);
    assert_int_equal(record.count, 1);
}

void an_apc_does_not_end_a_wait_that_is_not_alertable(void**) // [NtApc/3]
{
    Record record {};
    const HANDLE event = new_event(kNotificationEvent);
    Background* wait = run_in_background([event] {
        const NTSTATUS first = NtWaitForSingleObject(event, FALSE, &kHangLimit);
        return first == STATUS_WAIT_0 ? NtDelayExecution(TRUE, &kHangLimit) : first;
    });
    assert_status(queue_note(background_thread(wait), record, 3), STATUS_SUCCESS);
    assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    assert_status(join(wait), STATUS_USER_APC); // of the delay
    assert_int_equal(record.count, 1);
}

void test_alert_runs_apcs(void**) // [NtApc/7]
{
    Record record {};
    assert_status(queue_note(current_thread(), record, 1), STATUS_SUCCESS);
    NtTestAlert();
    assert_int_equal(record.count, 1);
    assert_status(NtTestAlert(), STATUS_SUCCESS);
}

void an_apc_for_a_thread_that_has_ended_is_refused(void**) // [NtApc/8]
{
    Record record {};
    Background* call = run_in_background([] { return STATUS_SUCCESS; });
    assert_status(
        NtWaitForSingleObject(background_thread(call), FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_status(queue_note(background_thread(call), record, 1), STATUS_UNSUCCESSFUL);
    assert_int_equal(record.count, 0);
}

void an_apc_needs_a_thread(void**) // [NtApc/9]
{
    Record record {};
    assert_status(queue_note(nullptr, record, 1), STATUS_INVALID_HANDLE);
    assert_status(
        queue_note(new_event(kNotificationEvent), record, 1), STATUS_OBJECT_TYPE_MISMATCH);
}

void an_alert_ends_an_alertable_wait(void**) // [NtApc/10]
{
    const HANDLE event = new_event(kNotificationEvent);
    Background* wait
        = run_in_background([event] { return NtWaitForSingleObject(event, TRUE, &kHangLimit); });
    assert_status(NtAlertThread(background_thread(wait)), STATUS_SUCCESS);
    assert_status(join(wait), STATUS_ALERTED);
}

void an_alert_waits_for_the_next_alertable_wait(void**) // [NtApc/10]
{
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(NtAlertThread(current_thread()), STATUS_SUCCESS);
    assert_status(poll(event), STATUS_TIMEOUT);
    assert_status(poll(event, true), STATUS_ALERTED);
    assert_status(poll(event, true), STATUS_TIMEOUT);
}

void test_alert_takes_an_alert(void**) // [NtApc/7]
{
    assert_status(NtAlertThread(current_thread()), STATUS_SUCCESS);
    assert_status(NtTestAlert(), STATUS_ALERTED);
    assert_status(NtTestAlert(), STATUS_SUCCESS);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(an_apc_gets_its_arguments),
    cmocka_unit_test(apcs_run_in_order_in_one_wait),
    cmocka_unit_test(an_apc_queued_by_an_apc_runs_too),
    cmocka_unit_test(a_wait_that_is_not_alertable_leaves_apcs),
    cmocka_unit_test(a_signal_beats_an_apc),
    cmocka_unit_test(a_signal_beats_an_apc_at_any_index),
    cmocka_unit_test(an_interrupted_wait_all_consumes_no_signal),
    cmocka_unit_test(an_apc_ends_the_wait_of_another_thread),
    cmocka_unit_test(an_apc_ends_a_delay),
    cmocka_unit_test(an_apc_does_not_end_a_wait_that_is_not_alertable),
    cmocka_unit_test(test_alert_runs_apcs),
    cmocka_unit_test(an_apc_for_a_thread_that_has_ended_is_refused),
    cmocka_unit_test(an_apc_needs_a_thread),
    cmocka_unit_test(an_alert_ends_an_alertable_wait),
    cmocka_unit_test(an_alert_waits_for_the_next_alertable_wait),
    cmocka_unit_test(test_alert_takes_an_alert),
};

} // namespace

NT_GROUP(apc, kCases);
