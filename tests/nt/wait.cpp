// The wait services. Rules: spec/NtWait.md.
#include "harness.h"

#include <atomic>

#include "platform.h"

using namespace nt_suite;

namespace {

NTSTATUS wait_any(ULONG count, const HANDLE* handles, const LARGE_INTEGER* timeout = &kNow)
{
    return NtWaitForMultipleObjects(count, handles, kWaitAny, FALSE, timeout);
}

NTSTATUS wait_all(ULONG count, const HANDLE* handles, const LARGE_INTEGER* timeout = &kNow)
{
    return NtWaitForMultipleObjects(count, handles, kWaitAll, FALSE, timeout);
}

// --- One object

void a_wait_rejects_what_is_no_handle(void**) // [NtWait/1]
{
    assert_status(poll(nullptr), STATUS_INVALID_HANDLE);
    assert_status(poll(closed_handle()), STATUS_INVALID_HANDLE);
}

void a_wait_needs_the_right_to_synchronize(void**) // [NtWait/1]
{
    assert_status(
        poll(new_event(kNotificationEvent, true, EVENT_MODIFY_STATE)), STATUS_ACCESS_DENIED);
}

void a_wait_with_no_time_only_tests(void**) // [NtWait/2]
{
    assert_status(poll(new_event(kNotificationEvent)), STATUS_TIMEOUT);
    assert_status(poll(new_event(kNotificationEvent, true)), STATUS_WAIT_0);
}

void a_relative_time_out_ends_the_wait(void**) // [NtWait/3]
{
    const HANDLE event = new_event(kNotificationEvent);
    const uint64_t start = milliseconds();
    LARGE_INTEGER timeout = ticks(-500'000); // 50 ms
    assert_status(NtWaitForSingleObject(event, FALSE, &timeout), STATUS_TIMEOUT);
    assert_true(milliseconds() - start >= 30); // system timers may be coarse, but not that coarse
}

void an_absolute_time_in_the_past_only_tests(void**) // [NtWait/3]
{
    LARGE_INTEGER past = ticks(1);
    assert_status(
        NtWaitForSingleObject(new_event(kNotificationEvent), FALSE, &past), STATUS_TIMEOUT);
    assert_status(
        NtWaitForSingleObject(new_event(kNotificationEvent, true), FALSE, &past), STATUS_WAIT_0);
}

void a_set_releases_a_blocked_thread(void**) // [NtWait/4]
{
    for (EventType type : { kNotificationEvent, kSynchronizationEvent }) {
        const HANDLE event = new_event(type);
        Background* wait = run_in_background(
            [event] { return NtWaitForSingleObject(event, FALSE, &kHangLimit); });
        assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
        assert_status(join(wait), STATUS_WAIT_0);
        assert_int_equal(is_signaled(event), type == kNotificationEvent);
    }
}

void a_notification_event_releases_all(void**) // [NtWait/4]
{
    const HANDLE event = new_event(kNotificationEvent);
    Background* waits[8];
    for (Background*& wait : waits)
        wait = run_in_background(
            [event] { return NtWaitForSingleObject(event, FALSE, &kHangLimit); });
    assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    for (Background* wait : waits)
        assert_status(join(wait), STATUS_WAIT_0);
}

void a_synchronization_event_releases_one_per_set(void**) // [NtWait/4]
{
    const HANDLE event = new_event(kSynchronizationEvent);
    std::atomic<int> released { 0 };
    Background* waits[4];
    for (Background*& wait : waits)
        wait = run_in_background([event, &released] {
            const NTSTATUS status = NtWaitForSingleObject(event, FALSE, &kHangLimit);
            ++released;
            return status;
        });
    for (int i = 1; i <= 4; ++i) {
        assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
        assert_eventually([&] { return released >= i; });
        assert_int_equal(released.load(), i);
    }
    for (Background* wait : waits)
        assert_status(join(wait), STATUS_WAIT_0);
    assert_false(is_signaled(event));
}

void a_thread_is_signaled_once_it_has_ended(void**) // [NtWait/5]
{
    const HANDLE go = new_event(kNotificationEvent);
    Background* call
        = run_in_background([go] { return NtWaitForSingleObject(go, FALSE, &kHangLimit); });
    assert_status(poll(background_thread(call)), STATUS_TIMEOUT);
    assert_status(NtSetEvent(go, nullptr), STATUS_SUCCESS);
    assert_status(
        NtWaitForSingleObject(background_thread(call), FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_status(poll(background_thread(call)), STATUS_WAIT_0);
}

void a_single_wait_takes_the_pseudo_handle_of_the_thread(void**) // [NtWait/6]
{
    assert_status(poll(current_thread()), STATUS_TIMEOUT);
}

// --- Several objects: arguments

void the_count_is_checked_before_the_array(void**) // [NtWait/7]
{
    assert_status(wait_any(0, nullptr), STATUS_INVALID_PARAMETER_1);
    assert_status(wait_any(65, nullptr), STATUS_INVALID_PARAMETER_1);
}

void the_kind_of_wait_is_checked(void**) // [NtWait/7]
{
    const HANDLE event = new_event(kNotificationEvent, true);
    assert_status(NtWaitForMultipleObjects(1, &event, static_cast<WaitType>(2), FALSE, &kNow),
        STATUS_INVALID_PARAMETER_3);
}

void every_handle_is_checked_before_any_is_taken(void**) // [NtWait/8]
{
    const HANDLE event = new_event(kSynchronizationEvent, true);
    const HANDLE with_bad[] = { event, nullptr };
    assert_status(wait_any(2, with_bad), STATUS_INVALID_HANDLE);
    const HANDLE with_denied[] = { event, new_event(kNotificationEvent, true, EVENT_MODIFY_STATE) };
    assert_status(wait_any(2, with_denied), STATUS_ACCESS_DENIED);
    assert_true(is_signaled(event));
}

void pseudo_handles_are_no_handles_here(void**) // [NtWait/8]
{
    const HANDLE handles[] = { new_event(kNotificationEvent, true), current_thread() };
    assert_status(wait_any(2, handles), STATUS_INVALID_HANDLE);
}

void wait_all_rejects_an_object_given_twice(void**) // [NtWait/9]
{
    const HANDLE event = new_event(kNotificationEvent, true);
    const HANDLE same_handle[] = { event, event };
    assert_status(wait_all(2, same_handle), STATUS_INVALID_PARAMETER_MIX);

    HANDLE copy = nullptr;
    assert_status(NtDuplicateObject(current_process(), event, current_process(), &copy, 0, 0,
                      DUPLICATE_SAME_ACCESS),
        STATUS_SUCCESS);
    const HANDLE same_object[] = { event, owned(copy) };
    assert_status(wait_all(2, same_object), STATUS_INVALID_PARAMETER_MIX);
}

void wait_any_accepts_an_object_given_twice(void**) // [NtWait/9]
{
    const HANDLE event = new_event(kSynchronizationEvent, true);
    const HANDLE twice[] = { event, event };
    assert_status(wait_any(2, twice), STATUS_WAIT_0);
    assert_status(wait_any(2, twice), STATUS_TIMEOUT);
}

// --- Wait any

void the_lowest_signaled_index_wins(void**) // [NtWait/10]
{
    HANDLE events[64];
    for (HANDLE& event : events)
        event = new_event(kSynchronizationEvent);
    for (int index : { 63, 40, 7 })
        assert_status(NtSetEvent(events[index], nullptr), STATUS_SUCCESS);
    assert_status(wait_any(64, events), STATUS_WAIT_0 + 7);
    assert_status(wait_any(64, events), STATUS_WAIT_0 + 40);
    assert_status(wait_any(64, events), STATUS_WAIT_0 + 63);
    assert_status(wait_any(64, events), STATUS_TIMEOUT);
}

void a_signaled_lower_index_starves_the_others(void**) // [NtWait/10]
{
    const HANDLE events[]
        = { new_event(kNotificationEvent, true), new_event(kSynchronizationEvent, true) };
    for (int i = 0; i < 3; ++i)
        assert_status(wait_any(2, events), STATUS_WAIT_0);
    assert_true(is_signaled(events[1]));
}

void a_blocked_wait_any_tells_who_was_set(void**) // [NtWait/10]
{
    HANDLE events[8];
    for (HANDLE& event : events)
        event = new_event(kSynchronizationEvent);
    for (int index = 7; index >= 0; --index) {
        Background* wait = run_in_background([&events] {
            return NtWaitForMultipleObjects(8, events, kWaitAny, FALSE, &kHangLimit);
        });
        assert_status(NtSetEvent(events[index], nullptr), STATUS_SUCCESS);
        assert_status(join(wait), STATUS_WAIT_0 + index);
        assert_false(is_signaled(events[index]));
    }
}

void one_set_satisfies_one_of_two_wait_anys(void**) // [NtWait/11]
{
    const HANDLE event = new_event(kSynchronizationEvent);
    const HANDLE other = new_event(kNotificationEvent);
    const HANDLE both[] = { event, other };
    std::atomic<int> from_event { 0 };
    Background* waits[2];
    for (Background*& wait : waits)
        wait = run_in_background([&] {
            const NTSTATUS status = NtWaitForMultipleObjects(2, both, kWaitAny, FALSE, &kHangLimit);
            from_event += status == STATUS_WAIT_0;
            return status;
        });
    assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    assert_eventually([&] { return from_event == 1; });
    assert_status(NtSetEvent(other, nullptr), STATUS_SUCCESS);
    const NTSTATUS sum = join(waits[0]) + join(waits[1]);
    assert_int_equal(sum, STATUS_WAIT_0 + STATUS_WAIT_0 + 1);
    assert_int_equal(from_event.load(), 1);
}

// --- Wait all

void wait_all_takes_all_at_once(void**) // [NtWait/12]
{
    const HANDLE events[]
        = { new_event(kSynchronizationEvent, true), new_event(kSynchronizationEvent, true) };
    assert_status(wait_all(2, events), STATUS_WAIT_0);
    assert_false(is_signaled(events[0]));
    assert_false(is_signaled(events[1]));
}

void wait_all_that_times_out_consumes_no_signal(void**) // [NtWait/12]
{
    const HANDLE events[]
        = { new_event(kSynchronizationEvent, true), new_event(kSynchronizationEvent) };
    assert_status(wait_all(2, events), STATUS_TIMEOUT);
    assert_true(is_signaled(events[0]));
    assert_status(wait_all(2, events, &kTenMilliseconds), STATUS_TIMEOUT);
    assert_true(is_signaled(events[0]));
}

void wait_all_ends_with_the_last_object(void**) // [NtWait/12]
{
    HANDLE events[8];
    for (HANDLE& event : events)
        event = new_event(kSynchronizationEvent);
    Background* wait = run_in_background(
        [&events] { return NtWaitForMultipleObjects(8, events, kWaitAll, FALSE, &kHangLimit); });
    for (HANDLE event : events) {
        assert_false(has_ended(wait));
        assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    }
    assert_status(join(wait), STATUS_WAIT_0);
    for (HANDLE event : events)
        assert_false(is_signaled(event));
}

void a_waiting_wait_all_leaves_signals_to_others(void**) // [NtWait/13]
{
    const HANDLE first = new_event(kSynchronizationEvent);
    const HANDLE events[] = { first, new_event(kSynchronizationEvent) };
    Background* all = run_in_background(
        [&events] { return NtWaitForMultipleObjects(2, events, kWaitAll, FALSE, &kHangLimit); });
    assert_status(NtSetEvent(first, nullptr), STATUS_SUCCESS);
    assert_status(poll(first), STATUS_WAIT_0); // not reserved for the wait-all
    assert_status(NtSetEvent(events[1], nullptr), STATUS_SUCCESS);
    assert_true(is_signaled(events[1]));
    assert_false(has_ended(all));
    assert_status(NtSetEvent(first, nullptr), STATUS_SUCCESS);
    assert_status(join(all), STATUS_WAIT_0);
}

/// The set is what satisfies the wait: a reset right after it comes too late. Correct on any
/// schedule only if the thread waits already, hence the repetition until the second event shows
/// that one round was a hit.
void a_set_satisfies_wait_all_at_that_moment(void**) // [NtWait/14]
{
    const HANDLE events[]
        = { new_event(kNotificationEvent), new_event(kSynchronizationEvent, true) };
    Background* all = run_in_background(
        [&events] { return NtWaitForMultipleObjects(2, events, kWaitAll, FALSE, &kHangLimit); });
    assert_eventually([&] {
        NtSetEvent(events[0], nullptr);
        NtResetEvent(events[0], nullptr);
        return !is_signaled(events[1]);
    });
    assert_status(join(all), STATUS_WAIT_0);
}

// --- Delays

void a_delay_takes_its_time(void**) // [NtWait/15]
{
    const uint64_t start = milliseconds();
    LARGE_INTEGER timeout = ticks(-500'000); // 50 ms
    assert_status(NtDelayExecution(FALSE, &timeout), STATUS_SUCCESS);
    assert_true(milliseconds() - start >= 30);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_wait_rejects_what_is_no_handle),
    cmocka_unit_test(a_wait_needs_the_right_to_synchronize),
    cmocka_unit_test(a_wait_with_no_time_only_tests),
    cmocka_unit_test(a_relative_time_out_ends_the_wait),
    cmocka_unit_test(an_absolute_time_in_the_past_only_tests),
    cmocka_unit_test(a_set_releases_a_blocked_thread),
    cmocka_unit_test(a_notification_event_releases_all),
    cmocka_unit_test(a_synchronization_event_releases_one_per_set),
    cmocka_unit_test(a_thread_is_signaled_once_it_has_ended),
    cmocka_unit_test(a_single_wait_takes_the_pseudo_handle_of_the_thread),
    cmocka_unit_test(the_count_is_checked_before_the_array),
    cmocka_unit_test(the_kind_of_wait_is_checked),
    cmocka_unit_test(every_handle_is_checked_before_any_is_taken),
    cmocka_unit_test(pseudo_handles_are_no_handles_here),
    cmocka_unit_test(wait_all_rejects_an_object_given_twice),
    cmocka_unit_test(wait_any_accepts_an_object_given_twice),
    cmocka_unit_test(the_lowest_signaled_index_wins),
    cmocka_unit_test(a_signaled_lower_index_starves_the_others),
    cmocka_unit_test(a_blocked_wait_any_tells_who_was_set),
    cmocka_unit_test(one_set_satisfies_one_of_two_wait_anys),
    cmocka_unit_test(wait_all_takes_all_at_once),
    cmocka_unit_test(wait_all_that_times_out_consumes_no_signal),
    cmocka_unit_test(wait_all_ends_with_the_last_object),
    cmocka_unit_test(a_waiting_wait_all_leaves_signals_to_others),
    cmocka_unit_test(a_set_satisfies_wait_all_at_that_moment),
    cmocka_unit_test(a_delay_takes_its_time),
};

} // namespace

NT_GROUP(wait, kCases);
