// The event objects themselves: create, set, reset, close.

#include "harness.h"

using namespace conformance;

namespace {

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

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_new_event_is_not_signaled),
    cmocka_unit_test(a_new_event_stays_signaled_after_a_wait),
};

} // namespace

CONFORMANCE_GROUP(event, kCases);
