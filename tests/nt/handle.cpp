// The handle services. Rules: spec/NtHandle.md.
#include "harness.h"

#include <atomic>

using namespace nt_suite;

namespace {

HANDLE duplicate(HANDLE source, ACCESS_MASK access, ULONG attributes, ULONG options)
{
    HANDLE target = nullptr;
    assert_status(NtDuplicateObject(current_process(), source, current_process(), &target, access,
                      attributes, options),
        STATUS_SUCCESS);
    return owned(target);
}

HandleFlagInformation flags_of(HANDLE handle)
{
    HandleFlagInformation flags {};
    assert_status(NtQueryObject(handle, static_cast<OBJECT_INFORMATION_CLASS>(4), &flags,
                      sizeof(flags), nullptr),
        STATUS_SUCCESS);
    return flags;
}

void set_flags(HANDLE handle, HandleFlagInformation flags)
{
    assert_status(NtSetInformationObject(handle, 4, &flags, sizeof(flags)), STATUS_SUCCESS);
}

void values_are_multiples_of_four(void**) // [NtHandle/1]
{
    for (int i = 0; i < 64; ++i) {
        const HANDLE event = new_event(kNotificationEvent);
        assert_non_null(event);
        assert_int_equal(reinterpret_cast<uintptr_t>(event) % 4, 0);
    }
}

void values_of_open_handles_differ(void**) // [NtHandle/1]
{
    HANDLE handles[64];
    for (HANDLE& handle : handles)
        handle = new_event(kNotificationEvent);
    for (size_t i = 0; i < 64; ++i) {
        for (size_t j = 0; j < i; ++j)
            assert_ptr_not_equal(handles[i], handles[j]);
    }
}

void a_handle_closes_once(void**) // [NtHandle/2]
{
    const HANDLE event = closed_handle();
    assert_status(NtClose(event), STATUS_INVALID_HANDLE);
    assert_status(NtClose(nullptr), STATUS_INVALID_HANDLE);
}

void of_racing_closes_one_succeeds(void**) // [NtHandle/2]
{
    for (int round = 0; round < 50; ++round) {
        HANDLE event = nullptr;
        assert_status(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE),
            STATUS_SUCCESS);
        Background* other = run_in_background([event] { return NtClose(event); });
        const NTSTATUS mine = NtClose(event);
        const NTSTATUS theirs = join(other);
        assert_int_equal(NT_SUCCESS(mine) + NT_SUCCESS(theirs), 1);
        assert_status(NT_SUCCESS(mine) ? theirs : mine, STATUS_INVALID_HANDLE);
    }
}

void closing_a_pseudo_handle_has_no_effect(void**) // [NtHandle/3]
{
    assert_status(NtClose(current_thread()), STATUS_SUCCESS);
    assert_status(NtClose(current_process()), STATUS_SUCCESS);
}

void a_duplicate_is_another_name_of_the_object(void**) // [NtHandle/4]
{
    const HANDLE event = new_event(kNotificationEvent);
    const HANDLE copy = duplicate(event, 0, 0, DUPLICATE_SAME_ACCESS);
    assert_ptr_not_equal(copy, event);
    assert_status(NtSetEvent(copy, nullptr), STATUS_SUCCESS);
    assert_true(is_signaled(event));
}

void the_object_lives_until_its_last_handle_closes(void**) // [NtHandle/4]
{
    const HANDLE event = new_event(kNotificationEvent, true);
    const HANDLE copy = duplicate(event, 0, 0, DUPLICATE_SAME_ACCESS);
    close_owned(event);
    assert_true(is_signaled(copy));
    assert_status(NtResetEvent(copy, nullptr), STATUS_SUCCESS);
}

void a_duplicate_can_have_fewer_rights(void**) // [NtHandle/5]
{
    const HANDLE event = new_event(kNotificationEvent);
    const HANDLE copy = duplicate(event, SYNCHRONIZE, 0, 0);
    assert_status(NtSetEvent(copy, nullptr), STATUS_ACCESS_DENIED);
    assert_status(poll(copy), STATUS_TIMEOUT);
    assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    assert_status(poll(copy), STATUS_WAIT_0);
}

void same_access_copies_the_rights(void**) // [NtHandle/5]
{
    const HANDLE event = new_event(kNotificationEvent, false, SYNCHRONIZE);
    const HANDLE copy = duplicate(event, EVENT_ALL_ACCESS, 0, DUPLICATE_SAME_ACCESS);
    assert_status(NtSetEvent(copy, nullptr), STATUS_ACCESS_DENIED);
    assert_status(poll(copy), STATUS_TIMEOUT);
}

void close_source_moves_the_handle(void**) // [NtHandle/6]
{
    const HANDLE event = new_event(kNotificationEvent, true);
    disown(event);
    const HANDLE moved = duplicate(event, 0, 0, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
    assert_true(is_signaled(moved));
    if (moved != event)
        assert_status(NtClose(event), STATUS_INVALID_HANDLE);
}

void close_source_without_target_closes(void**) // [NtHandle/6]
{
    const HANDLE event = new_event(kNotificationEvent);
    disown(event);
    assert_status(
        NtDuplicateObject(current_process(), event, nullptr, nullptr, 0, 0, DUPLICATE_CLOSE_SOURCE),
        STATUS_SUCCESS);
    assert_status(NtClose(event), STATUS_INVALID_HANDLE);
}

void duplicating_what_is_no_handle_fails(void**) // [NtHandle/7]
{
    HANDLE target = nullptr;
    for (HANDLE source : { static_cast<HANDLE>(nullptr), closed_handle() }) {
        assert_status(NtDuplicateObject(current_process(), source, current_process(), &target, 0, 0,
                          DUPLICATE_SAME_ACCESS),
            STATUS_INVALID_HANDLE);
        assert_null(target);
    }
}

void inheritance_is_a_flag_of_the_handle(void**) // [NtHandle/8]
{
    const HANDLE event = new_event(kNotificationEvent);
    assert_false(flags_of(event).inherit);
    const HANDLE inheritable = duplicate(event, 0, OBJ_INHERIT, DUPLICATE_SAME_ACCESS);
    assert_true(flags_of(inheritable).inherit);
    assert_false(flags_of(event).inherit);

    const HANDLE plain = duplicate(inheritable, 0, 0, DUPLICATE_SAME_ACCESS);
    assert_false(flags_of(plain).inherit);
    const HANDLE same
        = duplicate(inheritable, 0, 0, DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES);
    assert_true(flags_of(same).inherit);
}

void create_takes_the_inherit_attribute(void**) // [NtHandle/8]
{
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes);
    attributes.Attributes = OBJ_INHERIT;
    HANDLE event = nullptr;
    assert_status(NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, kNotificationEvent, FALSE),
        STATUS_SUCCESS);
    owned(event);
    assert_true(flags_of(event).inherit);
}

void a_protected_handle_does_not_close(void**) // [NtHandle/9]
{
    const HANDLE event = new_event(kNotificationEvent);
    set_flags(event, { FALSE, TRUE });
    assert_true(flags_of(event).protect_from_close);
    assert_status(NtClose(event), STATUS_HANDLE_NOT_CLOSABLE);
    assert_status(NtSetEvent(event, nullptr), STATUS_SUCCESS);
    set_flags(event, { FALSE, FALSE });
    close_owned(event);
}

void an_event_handle_is_not_a_port(void**) // [NtIoCompletion/8]
{
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(NtSetIoCompletion(event, 0, 0, 0, 0), STATUS_OBJECT_TYPE_MISMATCH);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(values_are_multiples_of_four),
    cmocka_unit_test(values_of_open_handles_differ),
    cmocka_unit_test(a_handle_closes_once),
    cmocka_unit_test(of_racing_closes_one_succeeds),
    cmocka_unit_test(closing_a_pseudo_handle_has_no_effect),
    cmocka_unit_test(a_duplicate_is_another_name_of_the_object),
    cmocka_unit_test(the_object_lives_until_its_last_handle_closes),
    cmocka_unit_test(a_duplicate_can_have_fewer_rights),
    cmocka_unit_test(same_access_copies_the_rights),
    cmocka_unit_test(close_source_moves_the_handle),
    cmocka_unit_test(close_source_without_target_closes),
    cmocka_unit_test(duplicating_what_is_no_handle_fails),
    cmocka_unit_test(inheritance_is_a_flag_of_the_handle),
    cmocka_unit_test(create_takes_the_inherit_attribute),
    cmocka_unit_test(a_protected_handle_does_not_close),
    cmocka_unit_test(an_event_handle_is_not_a_port),
};

} // namespace

NT_GROUP(handle, kCases);
