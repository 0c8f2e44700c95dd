// AFD: states and options of sockets. Rules: spec/afd.md.
#include "afd.h"

using namespace nt_suite;

namespace {

int32_t value_of(HANDLE socket, ULONG code)
{
    int32_t value = -1;
    assert_status(get_int(socket, code, &value), STATUS_SUCCESS);
    return value;
}

/// What can be set is told as it was set.
struct Row {
    ULONG get, set;
    int32_t value;
};

void assert_kept(HANDLE socket, const Row& row)
{
    assert_status(set_int(socket, row.set, row.value), STATUS_SUCCESS);
    assert_int_equal(value_of(socket, row.get), row.value);
}

// --- States

void the_mode_changes_both_ways(void**) // [afd/85]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(set_nonblocking(pair.server, true), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_DEVICE_NOT_READY);
    assert_status(set_nonblocking(pair.server, false), STATUS_SUCCESS);
    Request* request = new_request(pair.server, 1);
    Background* call = run_in_background(
        [&] { return receive(pair.server, request->data, request->length).status; });
    assert_sends(pair.client, "x");
    assert_status(join(call), STATUS_SUCCESS);
}

void the_count_is_what_can_be_received(void**) // [afd/86]
{
    const Pair pair = new_pair();
    char data[2];
    assert_int_equal(value_of(pair.server, afd::kIoctlFionread), 0);
    assert_sends(pair.client, "hello");
    assert_eventually([&] {
        int32_t count = 0;
        get_int(pair.server, afd::kIoctlFionread, &count);
        return count == 5;
    });
    assert_int_equal(receive(pair.server, data, 2).count, 2);
    assert_int_equal(value_of(pair.server, afd::kIoctlFionread), 3);
}

void a_listener_has_nothing_to_receive(void**) // [afd/86]
{
    const Listener listener = new_listener();
    connect_to(listener);
    await(listener.socket, afd::kPollAccept);
    assert_int_equal(value_of(listener.socket, afd::kIoctlFionread), 0);
}

void the_mark_tells_of_urgent_data(void**) // [afd/87]
{
    const Pair pair = new_pair();
    char data[1];
    assert_int_equal(value_of(pair.server, afd::kIoctlSiocAtMark), 1);
    assert_sends(pair.client, "!", kUrgent);
    await(pair.server, afd::kPollReceiveExpedited);
    assert_int_equal(value_of(pair.server, afd::kIoctlSiocAtMark), 0);
    assert_status(receive(pair.server, data, 1, kUrgent).status, STATUS_SUCCESS);
    assert_int_equal(value_of(pair.server, afd::kIoctlSiocAtMark), 1);
}

void accept_conn_tells_a_listener(void**) // [afd/88]
{
    const HANDLE socket = new_stream();
    bind_to_loopback(socket);
    assert_int_equal(value_of(socket, afd::kIoctlGetSoAcceptConn), 0);
    assert_status(listen(socket), STATUS_SUCCESS);
    assert_int_equal(value_of(socket, afd::kIoctlGetSoAcceptConn), 1);
    assert_int_equal(value_of(new_pair().server, afd::kIoctlGetSoAcceptConn), 0);
}

void the_connect_time_counts_connections_only(void**) // [afd/88]
{
    assert_int_equal(value_of(new_stream(), afd::kIoctlGetSoConnectTime), -1);
    const int32_t seconds = value_of(new_pair().client, afd::kIoctlGetSoConnectTime);
    assert_true(seconds >= 0);
}

void the_error_is_a_winsock_code(void**) // [afd/89]
{
    const HANDLE socket = new_stream();
    assert_int_equal(value_of(socket, afd::kIoctlGetSoError), 0);
    assert_status(set_nonblocking(socket), STATUS_SUCCESS);
    assert_status(connect(socket, unused_address()), STATUS_DEVICE_NOT_READY);
    await(socket, afd::kPollConnectFail);
    assert_int_equal(value_of(socket, afd::kIoctlGetSoError), 10061);
}

// --- Options

void options_of_every_socket_are_kept(void**) // [afd/90]
{
    const Row rows[] = {
        { afd::kIoctlGetSoRcvBuf, afd::kIoctlSetSoRcvBuf, 0x8000 },
        { afd::kIoctlGetSoSndBuf, afd::kIoctlSetSoSndBuf, 0x8000 },
        { afd::kIoctlGetSoRcvTimeo, afd::kIoctlSetSoRcvTimeo, 1500 },
        { afd::kIoctlGetSoSndTimeo, afd::kIoctlSetSoSndTimeo, 1500 },
        { afd::kIoctlGetSoReuseAddr, afd::kIoctlSetSoReuseAddr, 1 },
        { afd::kIoctlGetSoReuseAddr, afd::kIoctlSetSoReuseAddr, 0 },
        { afd::kIoctlGetIpTtl, afd::kIoctlSetIpTtl, 42 },
        { afd::kIoctlGetIpDontFragment, afd::kIoctlSetIpDontFragment, 1 },
        { afd::kIoctlGetIpDontFragment, afd::kIoctlSetIpDontFragment, 0 },
    };
    const HANDLE stream = new_stream(), datagram = new_datagram();
    for (const Row& row : rows) {
        assert_kept(stream, row);
        assert_kept(datagram, row);
    }
}

void options_of_streams_are_kept(void**) // [afd/90]
{
    const Row rows[] = {
        { afd::kIoctlGetSoKeepalive, afd::kIoctlSetSoKeepalive, 1 },
        { afd::kIoctlGetSoKeepalive, afd::kIoctlSetSoKeepalive, 0 },
        { afd::kIoctlGetSoOobInline, afd::kIoctlSetSoOobInline, 1 },
        { afd::kIoctlGetSoOobInline, afd::kIoctlSetSoOobInline, 0 },
        { afd::kIoctlGetTcpNoDelay, afd::kIoctlSetTcpNoDelay, 1 },
        { afd::kIoctlGetTcpNoDelay, afd::kIoctlSetTcpNoDelay, 0 },
    };
    const Pair pair = new_pair();
    const HANDLE fresh = new_stream();
    for (const Row& row : rows) {
        for (HANDLE socket : { fresh, pair.client, pair.server })
            assert_kept(socket, row);
    }
}

void options_of_datagram_sockets_are_kept(void**) // [afd/90]
{
    const Row rows[] = {
        { afd::kIoctlGetSoBroadcast, afd::kIoctlSetSoBroadcast, 1 },
        { afd::kIoctlGetSoBroadcast, afd::kIoctlSetSoBroadcast, 0 },
        { afd::kIoctlGetIpMulticastTtl, afd::kIoctlSetIpMulticastTtl, 7 },
        { afd::kIoctlGetIpMulticastLoop, afd::kIoctlSetIpMulticastLoop, 0 },
        { afd::kIoctlGetIpPktInfo, afd::kIoctlSetIpPktInfo, 1 },
        { afd::kIoctlGetIpRecvTtl, afd::kIoctlSetIpRecvTtl, 1 },
    };
    const HANDLE socket = new_datagram();
    for (const Row& row : rows)
        assert_kept(socket, row);
}

void keepalive_details_are_kept(void**) // [afd/91]
{
    const HANDLE socket = new_stream();
    assert_kept(socket, { afd::kIoctlGetTcpKeepIdle, afd::kIoctlSetTcpKeepIdle, 123 });
    assert_kept(socket, { afd::kIoctlGetTcpKeepCnt, afd::kIoctlSetTcpKeepCnt, 5 });
    assert_kept(socket, { afd::kIoctlGetTcpKeepIntvl, afd::kIoctlSetTcpKeepIntvl, 7 });
}

void keepalive_is_set_as_a_whole(void**) // [afd/91]
{
    const HANDLE socket = new_stream();
    const afd::KeepaliveParams params { 1, 5000, 1000 };
    assert_status(
        control(socket, afd::kIoctlKeepaliveVals, &params, sizeof(params)), STATUS_SUCCESS);
    assert_int_equal(value_of(socket, afd::kIoctlGetSoKeepalive), 1);
    assert_status(control(socket, afd::kIoctlKeepaliveVals, &params, 8), STATUS_BUFFER_TOO_SMALL);
}

void linger_is_kept(void**) // [afd/90]
{
    const HANDLE socket = new_stream();
    const uint16_t linger[2] = { 1, 30 };
    uint16_t got[2] = {};
    assert_status(control(socket, afd::kIoctlSetSoLinger, linger, sizeof(linger)), STATUS_SUCCESS);
    assert_status(
        control(socket, afd::kIoctlGetSoLinger, nullptr, 0, got, sizeof(got)), STATUS_SUCCESS);
    assert_memory_equal(got, linger, sizeof(got));
}

void shared_and_exclusive_use_exclude_each_other(void**) // [afd/92]
{
    const HANDLE shared = new_stream(), exclusive = new_stream();
    assert_status(set_int(shared, afd::kIoctlSetSoReuseAddr, 1), STATUS_SUCCESS);
    assert_status(set_int(shared, afd::kIoctlSetSoExclusiveAddrUse, 1), STATUS_INVALID_PARAMETER);
    assert_status(set_int(exclusive, afd::kIoctlSetSoExclusiveAddrUse, 1), STATUS_SUCCESS);
    assert_int_equal(value_of(exclusive, afd::kIoctlGetSoExclusiveAddrUse), 1);
    assert_status(set_int(exclusive, afd::kIoctlSetSoReuseAddr, 1), STATUS_INVALID_PARAMETER);
}

void values_out_of_range_are_refused(void**) // [afd/93]
{
    assert_status(set_int(new_stream(), afd::kIoctlSetIpTtl, 0), STATUS_INVALID_PARAMETER);
    assert_status(set_int(new_stream(), afd::kIoctlSetIpTtl, 256), STATUS_INVALID_PARAMETER);
    assert_status(
        set_int(new_datagram(), afd::kIoctlSetIpMulticastTtl, 256), STATUS_INVALID_PARAMETER);
    assert_status(set_int(new_stream(), afd::kIoctlSetIpHdrIncl, 1), STATUS_INVALID_PARAMETER);
}

void a_receive_ends_at_its_time_out(void**) // [afd/94]
{
    const Pair pair = new_pair();
    char data[1];
    assert_status(set_int(pair.server, afd::kIoctlSetSoRcvTimeo, 50), STATUS_SUCCESS);
    assert_status(receive(pair.server, data, 1).status, STATUS_IO_TIMEOUT);
    Request* request = start_receive(pair.server, 1); // An overlapped one has none.
    assert_status(NtWaitForSingleObject(request->event, FALSE, &kTenMilliseconds), STATUS_TIMEOUT);
    assert_sends(pair.client, "x");
    assert_status(finish(request), STATUS_SUCCESS);
}

void an_accepted_socket_takes_over_options(void**) // [afd/95]
{
    const Row rows[] = {
        { afd::kIoctlGetSoRcvBuf, afd::kIoctlSetSoRcvBuf, 0x8000 },
        { afd::kIoctlGetSoSndBuf, afd::kIoctlSetSoSndBuf, 0x8000 },
        { afd::kIoctlGetSoRcvTimeo, afd::kIoctlSetSoRcvTimeo, 1500 },
        { afd::kIoctlGetSoSndTimeo, afd::kIoctlSetSoSndTimeo, 1500 },
        { afd::kIoctlGetSoKeepalive, afd::kIoctlSetSoKeepalive, 1 },
        { afd::kIoctlGetSoOobInline, afd::kIoctlSetSoOobInline, 1 },
        { afd::kIoctlGetTcpNoDelay, afd::kIoctlSetTcpNoDelay, 1 },
    };
    const Listener listener = new_listener();
    for (const Row& row : rows)
        assert_kept(listener.socket, row);
    connect_to(listener);
    const HANDLE accepted = accept_from(listener.socket);
    for (const Row& row : rows)
        assert_int_equal(value_of(accepted, row.get), row.value);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_mode_changes_both_ways),
    cmocka_unit_test(the_count_is_what_can_be_received),
    cmocka_unit_test(a_listener_has_nothing_to_receive),
    cmocka_unit_test(the_mark_tells_of_urgent_data),
    cmocka_unit_test(accept_conn_tells_a_listener),
    cmocka_unit_test(the_connect_time_counts_connections_only),
    cmocka_unit_test(the_error_is_a_winsock_code),
    cmocka_unit_test(options_of_every_socket_are_kept),
    cmocka_unit_test(options_of_streams_are_kept),
    cmocka_unit_test(options_of_datagram_sockets_are_kept),
    cmocka_unit_test(keepalive_details_are_kept),
    cmocka_unit_test(keepalive_is_set_as_a_whole),
    cmocka_unit_test(linger_is_kept),
    cmocka_unit_test(shared_and_exclusive_use_exclude_each_other),
    cmocka_unit_test(values_out_of_range_are_refused),
    cmocka_unit_test(a_receive_ends_at_its_time_out),
    cmocka_unit_test(an_accepted_socket_takes_over_options),
};

} // namespace

NT_GROUP(afd_option, kCases);
