// The event functions while Winsock is not started.

#include "harness.h"

using namespace conformance;

namespace {

HANDLE kernel_event()
{
    const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    assert_non_null(event);
    return owned(event);
}

void create_fails_before_startup(void**) // [WSACreateEvent/8]
{
    assert_wsa_fails(WSACreateEvent(), WSA_INVALID_EVENT, WSANOTINITIALISED);
}

void create_fails_after_the_last_cleanup(void**) // [WSACreateEvent/8]
{
    WSADATA data;
    assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
    assert_int_equal(WSACleanup(), 0);

    assert_wsa_fails(WSACreateEvent(), WSA_INVALID_EVENT, WSANOTINITIALISED);
}

void set_and_reset_work_before_startup(void**) // [WSASetEvent/9] [WSAResetEvent/7]
{
    const HANDLE event = kernel_event();

    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
    assert_true(WSAResetEvent(event));
    assert_false(is_signaled(event));
}

void a_wait_works_before_startup(void**) // [WSAWaitForMultipleEvents/20]
{
    const HANDLE event = kernel_event();

    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_TIMEOUT);
    assert_true(SetEvent(event));
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_EVENT_0);
}

void an_event_outlives_the_last_cleanup(void**) // [WSACloseEvent/6]
{
    WSADATA data;
    assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
    const WSAEVENT event = new_event();
    assert_int_equal(WSACleanup(), 0);

    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
    assert_true(WSACloseEvent(event));
    disown(event);
}

void select_and_enumerate_fail_before_startup(void**) // [WSAEventSelect/1] [WSAEnumNetworkEvents/1]
{
    WSANETWORKEVENTS events;

    assert_wsa_fails(WSAEventSelect(INVALID_SOCKET, nullptr, 0), SOCKET_ERROR, WSANOTINITIALISED);
    assert_wsa_fails(
        WSAEnumNetworkEvents(INVALID_SOCKET, nullptr, &events), SOCKET_ERROR, WSANOTINITIALISED);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(create_fails_before_startup),
    cmocka_unit_test(create_fails_after_the_last_cleanup),
    cmocka_unit_test(set_and_reset_work_before_startup),
    cmocka_unit_test(a_wait_works_before_startup),
    cmocka_unit_test(an_event_outlives_the_last_cleanup),
    cmocka_unit_test(select_and_enumerate_fail_before_startup),
};

} // namespace

CONFORMANCE_GROUP_NOT_STARTED(event_unstarted, kCases);
