// The event services. Rules: spec/NtEvent.md.
#include "harness.h"

using namespace nt_suite;

namespace {

struct BasicInformation {
    ULONG type;
    LONG state;
};

constexpr EventType kBothTypes[] = { kNotificationEvent, kSynchronizationEvent };
constexpr LONG kPoison = 0x55;

void create_makes_the_event_that_was_asked_for(void**) // [NtEvent/1]
{
    for (EventType type : kBothTypes) {
        for (bool signaled : { false, true }) {
            const HANDLE event = new_event(type, signaled);
            BasicInformation info {};
            ULONG length = 0;
            assert_status(NtQueryEvent(event, 0, &info, sizeof(info), &length), STATUS_SUCCESS);
            assert_int_equal(length, sizeof(info));
            assert_int_equal(info.type, type);
            assert_int_equal(info.state, signaled);
        }
    }
}

void create_rejects_an_unknown_type(void**) // [NtEvent/2]
{
    HANDLE event = nullptr;
    assert_status(
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, static_cast<EventType>(2), FALSE),
        STATUS_INVALID_PARAMETER);
    assert_null(event);
}

void create_rejects_attributes_of_the_wrong_length(void**) // [NtEvent/3]
{
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes) - 1;
    HANDLE event = nullptr;
    assert_status(NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, kNotificationEvent, FALSE),
        STATUS_INVALID_PARAMETER);
}

void create_takes_attributes_without_a_name(void**) // [NtEvent/3]
{
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes);
    HANDLE event = nullptr;
    assert_status(NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, kNotificationEvent, FALSE),
        STATUS_SUCCESS);
    owned(event);
}

void create_rejects_a_null_handle_pointer(void**) // [NtEvent/4]
{
    assert_status(NtCreateEvent(nullptr, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE),
        STATUS_ACCESS_VIOLATION);
}

void set_tells_the_previous_state(void**) // [NtEvent/5]
{
    for (EventType type : kBothTypes) {
        const HANDLE event = new_event(type);
        LONG previous = kPoison;
        assert_status(NtSetEvent(event, &previous), STATUS_SUCCESS);
        assert_int_equal(previous, 0);
        assert_status(NtSetEvent(event, &previous), STATUS_SUCCESS);
        assert_int_equal(previous, 1);
        assert_true(is_signaled(event));
    }
}

void reset_tells_the_previous_state(void**) // [NtEvent/5]
{
    for (EventType type : kBothTypes) {
        const HANDLE event = new_event(type, true);
        LONG previous = kPoison;
        assert_status(NtResetEvent(event, &previous), STATUS_SUCCESS);
        assert_int_equal(previous, 1);
        assert_status(NtResetEvent(event, &previous), STATUS_SUCCESS);
        assert_int_equal(previous, 0);
        assert_false(is_signaled(event));
    }
}

void clear_makes_nonsignaled(void**) // [NtEvent/5]
{
    const HANDLE event = new_event(kNotificationEvent, true);
    assert_status(NtClearEvent(event), STATUS_SUCCESS);
    assert_false(is_signaled(event));
    assert_status(NtClearEvent(event), STATUS_SUCCESS);
}

void pulse_tells_the_previous_state_and_leaves_nonsignaled(void**) // [NtEvent/6]
{
    for (EventType type : kBothTypes) {
        for (bool signaled : { false, true }) {
            const HANDLE event = new_event(type, signaled);
            LONG previous = kPoison;
            assert_status(NtPulseEvent(event, &previous), STATUS_SUCCESS);
            assert_int_equal(previous, signaled);
            assert_false(is_signaled(event));
        }
    }
}

void pulse_releases_who_waits(void**) // [NtEvent/6]
{
    for (EventType type : kBothTypes) {
        const HANDLE event = new_event(type);
        Background* wait = run_in_background(
            [event] { return NtWaitForSingleObject(event, FALSE, &kHangLimit); });
        // A pulse before the thread waits is lost by design, so it is repeated.
        assert_eventually([&] {
            NtPulseEvent(event, nullptr);
            return has_ended(wait);
        });
        assert_status(join(wait), STATUS_WAIT_0);
        assert_false(is_signaled(event));
    }
}

void sets_are_not_counted(void**) // [NtEvent/7]
{
    const HANDLE event = new_event(kSynchronizationEvent);
    for (int i = 0; i < 3; ++i)
        assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    assert_status(poll(event), STATUS_WAIT_0);
    assert_status(poll(event), STATUS_TIMEOUT);
}

void a_notification_event_stays_signaled(void**) // [NtWait/2]
{
    const HANDLE event = new_event(kNotificationEvent, true);
    assert_status(poll(event), STATUS_WAIT_0);
    assert_status(poll(event), STATUS_WAIT_0);
}

void a_synchronization_event_gives_once(void**) // [NtWait/2]
{
    const HANDLE event = new_event(kSynchronizationEvent, true);
    assert_status(poll(event), STATUS_WAIT_0);
    assert_status(poll(event), STATUS_TIMEOUT);
}

void query_rejects_other_classes_and_lengths(void**) // [NtEvent/8]
{
    const HANDLE event = new_event(kNotificationEvent);
    BasicInformation info[2] {};
    assert_status(NtQueryEvent(event, 1, info, sizeof(*info), nullptr), STATUS_INVALID_INFO_CLASS);
    assert_status(
        NtQueryEvent(event, 0, info, sizeof(*info) - 1, nullptr), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(
        NtQueryEvent(event, 0, info, sizeof(*info) + 1, nullptr), STATUS_INFO_LENGTH_MISMATCH);
}

using Service = NTSTATUS (*)(HANDLE event);
constexpr Service kServices[] = {
    [](HANDLE event) { return NtSetEvent(event, nullptr); },
    [](HANDLE event) { return NtResetEvent(event, nullptr); },
    [](HANDLE event) { return NtClearEvent(event); },
    [](HANDLE event) { return NtPulseEvent(event, nullptr); },
    [](HANDLE event) {
        BasicInformation info {};
        return NtQueryEvent(event, 0, &info, sizeof(info), nullptr);
    },
};

void services_reject_what_is_no_handle(void**) // [NtEvent/9]
{
    for (Service service : kServices) {
        assert_status(service(nullptr), STATUS_INVALID_HANDLE);
        assert_status(service(reinterpret_cast<HANDLE>(0xDEADBEE0)), STATUS_INVALID_HANDLE);
        assert_status(service(closed_handle()), STATUS_INVALID_HANDLE);
    }
}

void services_reject_other_objects(void**) // [NtEvent/9]
{
    const HANDLE port = new_port();
    for (Service service : kServices)
        assert_status(service(port), STATUS_OBJECT_TYPE_MISMATCH);
}

void services_ask_for_their_right(void**) // [NtEvent/10]
{
    const HANDLE event = new_event(kNotificationEvent, false, SYNCHRONIZE);
    for (Service service : kServices)
        assert_status(service(event), STATUS_ACCESS_DENIED);
    assert_status(poll(event), STATUS_TIMEOUT);

    const HANDLE query_only = new_event(kNotificationEvent, true, EVENT_QUERY_STATE);
    assert_true(is_signaled(query_only));
    assert_status(NtSetEvent(query_only, nullptr), STATUS_ACCESS_DENIED);

    const HANDLE modify_only = new_event(kNotificationEvent, false, EVENT_MODIFY_STATE);
    assert_status(NtSetEvent(modify_only, nullptr), STATUS_SUCCESS);
}

void the_type_is_checked_before_the_access(void**) // [NtEvent/9]
{
    HANDLE port = nullptr;
    assert_status(NtCreateIoCompletion(&port, SYNCHRONIZE, nullptr, 0), STATUS_SUCCESS);
    owned(port);
    assert_status(NtSetEvent(port, nullptr), STATUS_OBJECT_TYPE_MISMATCH);
}

void generic_access_is_mapped(void**) // [NtEvent/11]
{
    const HANDLE all = new_event(kNotificationEvent, false, GENERIC_ALL);
    assert_status(NtSetEvent(all, nullptr), STATUS_SUCCESS);
    assert_true(is_signaled(all));
    assert_status(poll(all), STATUS_WAIT_0);

    const HANDLE read = new_event(kNotificationEvent, false, GENERIC_READ);
    assert_false(is_signaled(read));
    assert_status(NtSetEvent(read, nullptr), STATUS_ACCESS_DENIED);

    const HANDLE write = new_event(kNotificationEvent, false, GENERIC_WRITE);
    assert_status(NtSetEvent(write, nullptr), STATUS_SUCCESS);

    const HANDLE maximum = new_event(kNotificationEvent, false, MAXIMUM_ALLOWED);
    assert_status(NtSetEvent(maximum, nullptr), STATUS_SUCCESS);
    assert_status(poll(maximum), STATUS_WAIT_0);
}

void the_low_two_bits_of_a_handle_are_ignored(void**) // [NtHandle/1]
{
    const HANDLE event = new_event(kNotificationEvent);
    for (uintptr_t bits = 1; bits < 4; ++bits) {
        const auto tagged = reinterpret_cast<HANDLE>(reinterpret_cast<uintptr_t>(event) | bits);
        LONG previous = kPoison;
        assert_status(NtSetEvent(tagged, nullptr), STATUS_SUCCESS);
        assert_status(poll(tagged), STATUS_WAIT_0);
        assert_status(NtResetEvent(tagged, &previous), STATUS_SUCCESS);
        assert_int_equal(previous, 1);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(create_makes_the_event_that_was_asked_for),
    cmocka_unit_test(create_rejects_an_unknown_type),
    cmocka_unit_test(create_rejects_attributes_of_the_wrong_length),
    cmocka_unit_test(create_takes_attributes_without_a_name),
    cmocka_unit_test(create_rejects_a_null_handle_pointer),
    cmocka_unit_test(set_tells_the_previous_state),
    cmocka_unit_test(reset_tells_the_previous_state),
    cmocka_unit_test(clear_makes_nonsignaled),
    cmocka_unit_test(pulse_tells_the_previous_state_and_leaves_nonsignaled),
    cmocka_unit_test(pulse_releases_who_waits),
    cmocka_unit_test(sets_are_not_counted),
    cmocka_unit_test(a_notification_event_stays_signaled),
    cmocka_unit_test(a_synchronization_event_gives_once),
    cmocka_unit_test(query_rejects_other_classes_and_lengths),
    cmocka_unit_test(services_reject_what_is_no_handle),
    cmocka_unit_test(services_reject_other_objects),
    cmocka_unit_test(services_ask_for_their_right),
    cmocka_unit_test(the_type_is_checked_before_the_access),
    cmocka_unit_test(generic_access_is_mapped),
    cmocka_unit_test(the_low_two_bits_of_a_handle_are_ignored),
};

} // namespace

NT_GROUP(event, kCases);
