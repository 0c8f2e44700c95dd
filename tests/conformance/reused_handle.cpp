// Handles of sockets that are closed behind Winsock's back, or twice, while their values are used
// again.

#include "network_events.h"
#include "ports.h"

using namespace conformance;

namespace {

/// A pair that has moved a byte each way.
TcpPair new_used_pair(Where where = Where::current())
{
    const TcpPair pair = new_tcp_pair(AF_INET, where);
    char byte;
    send_text(pair.client, "1", where);
    receive_exactly(pair.server, &byte, 1, where);
    send_text(pair.server, "2", where);
    receive_exactly(pair.client, &byte, 1, where);
    return pair;
}

void close_behind_winsock(SOCKET socket, Where where = Where::current())
{
    disown(socket);
    if (!CloseHandle(as_handle(socket)))
        fail_at(where, "CloseHandle failed with %lu", GetLastError());
}

/// Whether a duplicate of `handle` could be given the value `wanted`.
bool give_value(HANDLE handle, SOCKET wanted)
{
    for (int i = 0; i < 64; ++i) {
        if (copy_of(handle) == as_handle(wanted))
            return true;
    }
    return false;
}

void data_goes_to_the_connection_that_has_the_value_now(void**) // [closesocket/13]
{
    const TcpPair closed = new_used_pair();
    const TcpPair now = new_used_pair();
    char data[12];
    close_behind_winsock(closed.client);
    if (!give_value(as_handle(now.client), closed.client))
        skip();

    send_text(closed.client, "for the new");
    receive_exactly(now.server, data, 11);
    assert_memory_equal(data, "for the new", 11);
    // Of the closed connection there is the end, and nothing else.
    wait_until_readable(closed.server);
    assert_int_equal(recv(closed.server, data, sizeof(data), 0), 0);
}

void data_comes_from_the_connection_that_has_the_value_now(void**) // [closesocket/13]
{
    const TcpPair closed = new_used_pair();
    const TcpPair now = new_used_pair();
    char data[4];
    close_behind_winsock(closed.client);
    if (!give_value(as_handle(now.client), closed.client))
        skip();

    send(closed.server, "old", 3, 0);
    send_text(now.server, "new");
    receive_exactly(closed.client, data, 3);
    assert_memory_equal(data, "new", 3);
}

void operations_go_to_the_connection_that_has_the_value_now(void**) // [closesocket/13]
{
    const TcpPair closed = new_used_pair();
    const TcpPair now = new_used_pair();
    const HANDLE port = new_port();
    associate(now.client, port, 5);
    Operation* read = new_operation();
    close_behind_winsock(closed.client);
    if (!give_value(as_handle(now.client), closed.client))
        skip();

    start_read(as_handle(closed.client), read);
    send_text(now.server, "new");
    const Packet packet = next_packet(port);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
    assert_int_equal(packet.key, 5);
    assert_memory_equal(read->data, "new", 3);
}

/// As gnulib's close() does it; each time on a socket that is selected and has something to tell.
void closing_twice_harms_no_later_event(void**) // [closesocket/14]
{
    constexpr int kRounds = 300;
    const HANDLE event = new_auto_event();
    const Listener listener = new_listener();
    for (int round = 0; round < kRounds; ++round) {
        const SOCKET client = connect_to(listener);
        const SOCKET server = accept_from(listener);
        char byte;
        select_events(client, event, FD_READ | FD_CLOSE);
        send_text(server, "x");
        if (WSAWaitForMultipleEvents(1, &event, FALSE, kEventLimit, FALSE) != WSA_WAIT_EVENT_0)
            fail_at(Where::current(), "no event in round %d", round);
        assert_int_equal(recv(client, &byte, 1, 0), 1);
        select_nothing(client);
        for (SOCKET socket : { client, server }) {
            close_owned(socket);
            CloseHandle(as_handle(socket)); // Most likely no handle any more.
        }
        ResetEvent(event);
    }
}

void closing_twice_harms_no_later_operation(void**) // [closesocket/14]
{
    constexpr int kRounds = 100;
    const HANDLE port = new_port();
    const Listener listener = new_listener();
    for (int round = 0; round < kRounds; ++round) {
        const SOCKET client = connect_to(listener);
        const SOCKET server = accept_from(listener);
        associate(client, port, 1);
        Operation* receive = pending_receive(client);
        send_text(server, "x");
        assert_ptr_equal(next_packet(port).overlapped, &receive->overlapped);
        for (SOCKET socket : { client, server }) {
            close_owned(socket);
            CloseHandle(as_handle(socket));
        }
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(data_goes_to_the_connection_that_has_the_value_now),
    cmocka_unit_test(data_comes_from_the_connection_that_has_the_value_now),
    cmocka_unit_test(operations_go_to_the_connection_that_has_the_value_now),
    cmocka_unit_test(closing_twice_harms_no_later_event),
    cmocka_unit_test(closing_twice_harms_no_later_operation),
};

} // namespace

CONFORMANCE_GROUP(reused_handle, kCases);
