// WSAEnumNetworkEvents: what it refuses, copies, clears and resets.

#include "network_events.h"

#include <cstring>

using namespace conformance;

namespace {

/// A connected pair whose server side is selected and has FD_READ pending.
struct PendingRead {
    TcpPair pair;
    WSAEVENT event;
};

PendingRead new_pending_read(long mask = FD_READ | FD_CLOSE)
{
    PendingRead pending { new_tcp_pair(), new_event() };
    select_events(pending.pair.server, pending.event, mask);
    send_text(pending.pair.client, "x");
    assert_becomes_signaled(pending.event);
    return pending;
}

void enumerate_refuses_what_is_no_socket(void**) // [WSAEnumNetworkEvents/2]
{
    WSANETWORKEVENTS record;
    const WSAEVENT event = new_event();
    const SOCKET closed = udp_socket();
    close_owned(closed);
    assert_true(WSASetEvent(event));

    for (SOCKET bad : { INVALID_SOCKET, SOCKET(0), SOCKET(0x7ffff0), closed, SOCKET(event) })
        assert_wsa_fails(WSAEnumNetworkEvents(bad, event, &record), SOCKET_ERROR, WSAENOTSOCK);
    assert_true(is_signaled(event));
}

void enumerate_refuses_a_null_record(void**) // [WSAEnumNetworkEvents/3]
{
    const PendingRead pending = new_pending_read();

    assert_wsa_fails(
        WSAEnumNetworkEvents(pending.pair.server, pending.event, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_true(is_signaled(pending.event)); // A failed call takes nothing away.
    assert_int_equal(enumerate(pending.pair.server, pending.event), FD_READ);
}

void only_codes_of_reported_events_are_written(void**) // [WSAEnumNetworkEvents/4]
{
    const PendingRead pending = new_pending_read();
    WSANETWORKEVENTS record;
    memset(&record, 0xAB, sizeof(record));

    assert_int_equal(enumerate(pending.pair.server, pending.event, &record), FD_READ);
    assert_int_equal(record.iErrorCode[FD_READ_BIT], 0);
    for (int bit = 0; bit < FD_MAX_EVENTS; ++bit) {
        if (bit != FD_READ_BIT)
            assert_int_equal(record.iErrorCode[bit], (int)0xABABABAB);
    }
}

void an_empty_enumeration_writes_no_code(void**) // [WSAEnumNetworkEvents/4]
{
    WSANETWORKEVENTS record;
    memset(&record, 0xAB, sizeof(record));

    assert_int_equal(enumerate(tcp_socket(), nullptr, &record), 0);
    for (int code : record.iErrorCode)
        assert_int_equal(code, (int)0xABABABAB);
}

void without_an_event_nothing_is_reset(void**) // [WSAEnumNetworkEvents/5]
{
    const PendingRead pending = new_pending_read();

    assert_int_equal(enumerate(pending.pair.server, nullptr), FD_READ);
    assert_true(is_signaled(pending.event));
    assert_int_equal(enumerate(pending.pair.server, nullptr), 0);
}

void the_given_event_is_reset(void**) // [WSAEnumNetworkEvents/6]
{
    const PendingRead pending = new_pending_read();

    assert_int_equal(enumerate(pending.pair.server, pending.event), FD_READ);
    assert_false(is_signaled(pending.event));
}

void the_given_event_is_reset_although_nothing_is_pending(void**) // [WSAEnumNetworkEvents/6]
{
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(pair.server, event, FD_READ);
    assert_true(WSASetEvent(event));

    assert_int_equal(enumerate(pair.server, event), 0);
    assert_false(is_signaled(event));
}

void an_event_that_is_not_associated_is_reset(void**) // [WSAEnumNetworkEvents/7]
{
    const PendingRead pending = new_pending_read();
    const WSAEVENT other = new_event();
    assert_true(WSASetEvent(other));

    assert_int_equal(enumerate(pending.pair.server, other), FD_READ);
    assert_false(is_signaled(other));
    assert_true(is_signaled(pending.event));
}

void enumerating_keeps_the_association(void**) // [WSAEnumNetworkEvents/8]
{
    const PendingRead pending = new_pending_read();
    char byte;

    assert_int_equal(enumerate(pending.pair.server, pending.event), FD_READ);
    assert_int_equal(recv(pending.pair.server, &byte, 1, 0), 1);
    send_text(pending.pair.client, "y");
    assert_events(pending.pair.server, pending.event, FD_READ);
}

void without_an_association_nothing_is_reported(void**) // [WSAEnumNetworkEvents/9]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "x");
    wait_until_readable(pair.server);

    assert_int_equal(enumerate(pair.server, nullptr), 0);
    assert_int_equal(enumerate(tcp_socket(), nullptr), 0);
}

void a_bad_event_clears_nothing(void**) // [WSAEnumNetworkEvents/10]
{
    const PendingRead pending = new_pending_read();
    WSANETWORKEVENTS record;
    const HANDLE garbage = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(0x7ffff0));

    WSASetLastError(kPoison);
    assert_int_equal(WSAEnumNetworkEvents(pending.pair.server, garbage, &record), SOCKET_ERROR);
    const int error = WSAGetLastError();
    assert_true(error == WSAENOTSOCK || error == WSAEINVAL);
    assert_int_equal(enumerate(pending.pair.server, pending.event), FD_READ);
}

void a_reported_event_is_cleared(void**) // [WSAEnumNetworkEvents/11]
{
    const PendingRead pending = new_pending_read();

    assert_int_equal(enumerate(pending.pair.server, pending.event), FD_READ);
    assert_no_events(pending.pair.server, pending.event);
}

void an_event_outside_the_mask_stays_recorded(void**) // [WSAEnumNetworkEvents/12]
{
    const PendingRead pending = new_pending_read();
    select_events(pending.pair.server, pending.event, FD_CLOSE);

    assert_int_equal(enumerate(pending.pair.server, pending.event), 0);
    assert_false(is_signaled(pending.event));
    select_events(pending.pair.server, pending.event, FD_READ);
    assert_true(is_signaled(pending.event));
    assert_int_equal(enumerate(pending.pair.server, pending.event), FD_READ);
}

void sockets_that_share_an_event_keep_their_own_records(void**) // [WSAEnumNetworkEvents/13]
{
    const TcpPair first = new_tcp_pair();
    const TcpPair second = new_tcp_pair();
    const WSAEVENT event = new_event();
    select_events(first.server, event, FD_READ);
    select_events(second.server, event, FD_READ);
    send_text(first.client, "x");
    send_text(second.client, "y");
    wait_until_readable(first.server);
    wait_until_readable(second.server);
    assert_becomes_signaled(event);
    let_it_settle(); // Both records are made before the reset that hides one of them.

    assert_int_equal(enumerate(first.server, event), FD_READ);
    assert_false(is_signaled(event));
    assert_int_equal(enumerate(second.server, event), FD_READ);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(enumerate_refuses_what_is_no_socket),
    cmocka_unit_test(enumerate_refuses_a_null_record),
    cmocka_unit_test(only_codes_of_reported_events_are_written),
    cmocka_unit_test(an_empty_enumeration_writes_no_code),
    cmocka_unit_test(without_an_event_nothing_is_reset),
    cmocka_unit_test(the_given_event_is_reset),
    cmocka_unit_test(the_given_event_is_reset_although_nothing_is_pending),
    cmocka_unit_test(an_event_that_is_not_associated_is_reset),
    cmocka_unit_test(enumerating_keeps_the_association),
    cmocka_unit_test(without_an_association_nothing_is_reported),
    cmocka_unit_test(a_bad_event_clears_nothing),
    cmocka_unit_test(a_reported_event_is_cleared),
    cmocka_unit_test(an_event_outside_the_mask_stays_recorded),
    cmocka_unit_test(sockets_that_share_an_event_keep_their_own_records),
};

} // namespace

CONFORMANCE_GROUP(enum_network_events, kCases);
