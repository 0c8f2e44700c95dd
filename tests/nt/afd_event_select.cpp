// AFD: event select and get events, and what connections and space to send record. Rules:
// spec/afd.md, spec/WSAEventSelect.md, spec/WSAEnumNetworkEvents.md.
#include "afd.h"

using namespace nt_suite;

namespace {

struct SelectedListener {
    Listener listener;
    HANDLE event;
};

SelectedListener new_selected_listener(int32_t mask = kAccept)
{
    const Listener listener = new_listener();
    return { listener, selected_event(listener.socket, mask) };
}

// --- The calls

void a_mask_needs_an_event(void**) // [afd/72] [WSAEventSelect/3]
{
    const HANDLE socket = new_stream();
    assert_status(select(socket, nullptr, kRead), STATUS_INVALID_PARAMETER);
    assert_status(select(socket, nullptr, 0), STATUS_SUCCESS);
}

void an_empty_mask_ignores_the_event(void**) // [afd/72] [WSAEventSelect/5]
{
    assert_status(select(new_stream(), new_event(kNotificationEvent), 0), STATUS_SUCCESS);
}

void any_bit_is_accepted(void**) // [WSAEventSelect/6]
{
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(select(new_stream(), event, ~0), STATUS_SUCCESS);
    assert_status(select(new_datagram(), event, kAccept), STATUS_SUCCESS);
}

void the_block_must_be_whole(void**) // [afd/72]
{
    const afd::EventSelectParams params {
        reinterpret_cast<ULONG_PTR>(new_event(kNotificationEvent)), kRead
    };
    assert_status(control(new_stream(), afd::kIoctlEventSelect, &params, sizeof(ULONG_PTR)),
        STATUS_INVALID_PARAMETER);
}

void select_makes_the_socket_nonblocking(void**) // [WSAEventSelect/7]
{
    const Pair pair = new_pair();
    char data[1];
    selected_event(pair.client, kRead);
    assert_status(receive(pair.client, data, 1).status, STATUS_DEVICE_NOT_READY);
    assert_status(select(pair.server, nullptr, 0), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_DEVICE_NOT_READY);
}

void a_selected_socket_stays_nonblocking(void**) // [WSAEventSelect/8] [WSAEventSelect/9]
{
    const Pair pair = new_pair();
    selected_event(pair.server, kRead);
    assert_status(set_nonblocking(pair.server, false), STATUS_INVALID_PARAMETER);
    assert_status(set_nonblocking(pair.server, true), STATUS_SUCCESS);
    assert_status(select(pair.server, nullptr, 0), STATUS_SUCCESS);
    assert_status(set_nonblocking(pair.server, false), STATUS_SUCCESS);
}

void get_events_needs_room(void**) // [afd/73]
{
    afd::GetEventsResult result {};
    assert_status(
        control(new_stream(), afd::kIoctlGetEvents, nullptr, 0, &result, sizeof(result) - 4),
        STATUS_INVALID_PARAMETER);
}

void get_events_resets_the_given_event(void**) // [afd/73] [WSAEnumNetworkEvents/6]
{
    const HANDLE socket = new_stream(), event = new_event(kNotificationEvent, true);
    afd::GetEventsResult result {};
    assert_status(select(socket, event, kEverything), STATUS_SUCCESS);
    assert_status(
        control(socket, afd::kIoctlGetEvents, event, 0, &result, sizeof(result)), STATUS_SUCCESS);
    assert_int_equal(result.flags, 0);
    assert_false(is_signaled(event));
}

void get_events_without_event_resets_none(void**) // [afd/73] [WSAEnumNetworkEvents/5]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.server, kWrite);
    assert_int_equal(take_events(pair.server, nullptr), kWrite);
    assert_true(is_signaled(event));
    assert_int_equal(take_events(pair.server, nullptr), 0);
}

void get_events_without_selection_tells_none(void**) // [WSAEnumNetworkEvents/9]
{
    const Pair pair = new_pair();
    assert_int_equal(take_events(pair.server, nullptr), 0);
}

void an_empty_mask_hides_the_record(void**) // [WSAEventSelect/18]
{
    const Pair pair = new_pair();
    selected_event(pair.server, kWrite);
    assert_status(select(pair.server, nullptr, 0), STATUS_SUCCESS);
    assert_int_equal(take_events(pair.server, nullptr), 0);
}

void what_is_pending_waits_for_a_mask_that_has_it(void**) // [WSAEventSelect/16] [WSAEventSelect/17]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.server, kWrite);
    assert_true(is_signaled(event));
    assert_status(select(pair.server, event, kRead), STATUS_SUCCESS);
    assert_true(is_signaled(event)); // A new selection resets nothing.
    assert_int_equal(take_events(pair.server, event), 0);
    assert_status(select(pair.server, event, kWrite), STATUS_SUCCESS);
    assert_events(pair.server, event, kWrite);
}

void a_new_event_gets_what_is_pending(void**) // [WSAEventSelect/10] [WSAEventSelect/13]
{
    const Pair pair = new_pair();
    selected_event(pair.server, kWrite);
    const HANDLE second = selected_event(pair.server, kWrite);
    assert_true(is_signaled(second));
    assert_events(pair.server, second, kWrite);
}

void an_unconnected_stream_records_nothing(void**) // [WSAEventSelect/19]
{
    const HANDLE socket = new_stream();
    assert_no_events(socket, selected_event(socket, kEverything));
}

void closing_the_event_keeps_the_selection(void**) // [WSAEventSelect/21]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.server, kRead);
    HANDLE copy = nullptr;
    assert_status(NtDuplicateObject(current_process(), event, current_process(), &copy, 0, 0,
                      DUPLICATE_SAME_ACCESS),
        STATUS_SUCCESS);
    close_owned(event);
    assert_sends(pair.client, "x");
    assert_events(pair.server, owned(copy), kRead);
}

void sockets_may_share_an_event(void**) // [WSAEnumNetworkEvents/13]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.client, kRead | kWrite);
    assert_status(select(pair.server, event, kRead), STATUS_SUCCESS);
    assert_events(pair.client, event, kWrite);
    assert_sends(pair.client, "x");
    assert_events(pair.server, event, kRead);
    assert_int_equal(take_events(pair.client, event), 0);
}

// --- Connections

void every_connection_is_recorded(void**) // [WSAEventSelect/22] [WSAEventSelect/23]
{
    const SelectedListener selected = new_selected_listener();
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, kAccept);
    connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, kAccept);
}

void a_reported_connection_is_not_reported_again(void**) // [WSAEventSelect/15]
{
    const SelectedListener selected = new_selected_listener();
    const HANDLE socket = selected.listener.socket;
    connect_to(selected.listener);
    assert_events(socket, selected.event, kAccept);
    assert_status(select(socket, selected.event, kAccept), STATUS_SUCCESS);
    assert_no_events(socket, selected.event);
}

void accept_records_what_is_left(void**) // [WSAEventSelect/24]
{
    const SelectedListener selected = new_selected_listener();
    const HANDLE socket = selected.listener.socket;
    connect_to(selected.listener);
    connect_to(selected.listener);
    await(socket, afd::kPollAccept);
    HANDLE accepted = nullptr;
    assert_events(socket, selected.event, kAccept);
    assert_status(accept(socket, &accepted), STATUS_SUCCESS);
    assert_status(select(owned(accepted), nullptr, 0), STATUS_SUCCESS);
    assert_events(socket, selected.event, kAccept);
    assert_status(accept(socket, &accepted), STATUS_SUCCESS);
    assert_status(select(owned(accepted), nullptr, 0), STATUS_SUCCESS);
    assert_no_events(socket, selected.event);
}

void accept_into_takes_connections_unrecorded(void**) // [WSAEventSelect/26]
{
    const SelectedListener selected = new_selected_listener();
    const HANDLE socket = selected.listener.socket;
    const afd::AcceptIntoParams params {
        static_cast<uint32_t>(reinterpret_cast<uintptr_t>(new_stream())), 0, 32
    };
    Request* request = new_request(socket, 64);
    issue(request, afd::kIoctlAcceptInto, &params, sizeof(params), request->data, 64);
    connect_to(selected.listener);
    assert_status(finish(request), STATUS_SUCCESS);
    assert_no_events(socket, selected.event);
    connect_to(selected.listener);
    assert_events(socket, selected.event, kAccept);
}

void an_accepted_socket_takes_over_the_selection(void**) // [WSAEventSelect/69] [WSAEventSelect/30]
{
    const SelectedListener selected = new_selected_listener(kAccept | kWrite | kConnect | kRead);
    const HANDLE client = connect_to(selected.listener);
    assert_events(selected.listener.socket, selected.event, kAccept);
    HANDLE accepted = nullptr;
    assert_status(accept(selected.listener.socket, &accepted), STATUS_SUCCESS);
    assert_events(owned(accepted), selected.event, kWrite);
    assert_sends(client, "x");
    assert_events(accepted, selected.event, kRead);
}

void a_connection_records_connect_and_write_once(void**) // [afd/74] [WSAEventSelect/28]
{
    const Listener listener = new_listener();
    const HANDLE socket = new_stream();
    const HANDLE event = selected_event(socket, kEverything);
    assert_status(connect(socket, listener.address), STATUS_DEVICE_NOT_READY);
    assert_events(socket, event, afd::kPollConnect | kWrite);
    assert_status(select(socket, event, kEverything), STATUS_SUCCESS);
    assert_no_events(socket, event);
}

void a_connection_made_before_is_recorded_by_the_selection(void**) // [WSAEventSelect/29]
{
    const HANDLE socket = connect_to(new_listener());
    assert_events(socket, selected_event(socket, kEverything), afd::kPollConnect | kWrite);
}

void connect_selected_later_is_told_alone(void**) // [WSAEventSelect/33]
{
    const HANDLE socket = connect_to(new_listener());
    assert_events(socket, selected_event(socket, kWrite), kWrite);
    assert_events(socket, selected_event(socket, kWrite | kConnect), afd::kPollConnect);
}

void a_refusal_is_recorded_with_its_status(
    void**) // [afd/74] [WSAEventSelect/31] [WSAEventSelect/32]
{
    const HANDLE socket = new_stream();
    const HANDLE event = selected_event(socket, kEverything);
    afd::GetEventsResult result {};
    assert_status(connect(socket, unused_address()), STATUS_DEVICE_NOT_READY);
    assert_status(NtWaitForSingleObject(event, FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_int_equal(take_events(socket, event, &result), afd::kPollConnectFail);
    assert_status(result.status[afd::kConnectFailBit], STATUS_CONNECTION_REFUSED);
    assert_status(select(socket, event, kEverything), STATUS_SUCCESS);
    assert_no_events(socket, event);
}

// --- Space to send

void write_is_recorded_once(void**) // [WSAEventSelect/36] [WSAEventSelect/15]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.server, kEverything);
    assert_events(pair.server, event, kWrite);
    assert_status(select(pair.server, event, kEverything), STATUS_SUCCESS);
    assert_no_events(pair.server, event);
    assert_status(select(pair.server, nullptr, 0), STATUS_SUCCESS);
    assert_status(select(pair.server, event, kEverything), STATUS_SUCCESS);
    assert_no_events(pair.server, event);
}

void a_send_changes_no_record(void**) // [WSAEventSelect/37]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.server, kWrite);
    assert_sends(pair.server, "x");
    assert_events(pair.server, event, kWrite);
    assert_sends(pair.server, "x");
    assert_no_events(pair.server, event);
}

void space_is_recorded_after_a_refused_send(void**) // [WSAEventSelect/38]
{
    const Pair pair = new_pair();
    const HANDLE event = selected_event(pair.server, kWrite);
    assert_events(pair.server, event, kWrite);
    const ULONG_PTR taken = fill(pair.server);
    assert_no_events(pair.server, event);
    drain(pair.client, taken);
    assert_events(pair.server, event, kWrite);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_mask_needs_an_event),
    cmocka_unit_test(an_empty_mask_ignores_the_event),
    cmocka_unit_test(any_bit_is_accepted),
    cmocka_unit_test(the_block_must_be_whole),
    cmocka_unit_test(select_makes_the_socket_nonblocking),
    cmocka_unit_test(a_selected_socket_stays_nonblocking),
    cmocka_unit_test(get_events_needs_room),
    cmocka_unit_test(get_events_resets_the_given_event),
    cmocka_unit_test(get_events_without_event_resets_none),
    cmocka_unit_test(get_events_without_selection_tells_none),
    cmocka_unit_test(an_empty_mask_hides_the_record),
    cmocka_unit_test(what_is_pending_waits_for_a_mask_that_has_it),
    cmocka_unit_test(a_new_event_gets_what_is_pending),
    cmocka_unit_test(an_unconnected_stream_records_nothing),
    cmocka_unit_test(closing_the_event_keeps_the_selection),
    cmocka_unit_test(sockets_may_share_an_event),
    cmocka_unit_test(every_connection_is_recorded),
    cmocka_unit_test(a_reported_connection_is_not_reported_again),
    cmocka_unit_test(accept_records_what_is_left),
    cmocka_unit_test(accept_into_takes_connections_unrecorded),
    cmocka_unit_test(an_accepted_socket_takes_over_the_selection),
    cmocka_unit_test(a_connection_records_connect_and_write_once),
    cmocka_unit_test(a_connection_made_before_is_recorded_by_the_selection),
    cmocka_unit_test(connect_selected_later_is_told_alone),
    cmocka_unit_test(a_refusal_is_recorded_with_its_status),
    cmocka_unit_test(write_is_recorded_once),
    cmocka_unit_test(a_send_changes_no_record),
    cmocka_unit_test(space_is_recorded_after_a_refused_send),
};

} // namespace

NT_GROUP(afd_event_select, kCases);
