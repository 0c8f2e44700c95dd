// AFD: connect. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

struct ConnectInput {
    afd::ConnectParams params;
    Address address;
    char data[8];
};

/// ConnectEx: the request of a bound socket, with data to send behind the address.
Request* start_connect(HANDLE socket, const Address& address, const char* data = "")
{
    ConnectInput input { { sizeof(address), 0 }, address, {} };
    const size_t length = strlen(data);
    memcpy(input.data, data, length);
    Request* request = new_request(socket);
    issue(request, afd::kIoctlConnect, &input,
        static_cast<ULONG>(offsetof(ConnectInput, data) + length));
    return request;
}

Address name_of(HANDLE socket)
{
    Address name {};
    assert_status(get_name(socket, &name), STATUS_SUCCESS);
    return name;
}

Address peer_of(HANDLE socket)
{
    Address name {};
    assert_status(get_peer(socket, &name), STATUS_SUCCESS);
    return name;
}

void connect_joins_two_sockets(void**) // [afd/20]
{
    const Listener listener = new_listener();
    const HANDLE client = connect_to(listener);
    const HANDLE server = accept_from(listener.socket);
    assert_true(peer_of(client) == listener.address);
    assert_true(name_of(server) == listener.address);
    assert_true(peer_of(server) == name_of(client));
    assert_sends(client, "there");
    assert_receives(server, "there");
    assert_sends(server, "and back");
    assert_receives(client, "and back");
}

void a_connection_nobody_listens_for_is_refused(void**) // [afd/21]
{
    const HANDLE socket = new_stream();
    assert_status(connect(socket, unused_address()), STATUS_CONNECTION_REFUSED);
    Address name {};
    assert_status(get_peer(socket, &name), STATUS_INVALID_CONNECTION);
}

void a_refused_socket_can_be_connected(void**) // [afd/21]
{
    const HANDLE socket = new_stream();
    const Listener listener = new_listener();
    assert_status(connect(socket, unused_address()), STATUS_CONNECTION_REFUSED);
    assert_status(connect(socket, listener.address), STATUS_SUCCESS);
}

void a_connected_socket_cannot_be_connected(void**) // [afd/22]
{
    const Listener listener = new_listener();
    const HANDLE client = connect_to(listener);
    assert_status(connect(client, listener.address), STATUS_CONNECTION_ACTIVE);
    assert_status(
        connect(accept_from(listener.socket), listener.address), STATUS_CONNECTION_ACTIVE);
}

void a_listener_cannot_be_connected(void**) // [afd/22]
{
    const Listener listener = new_listener();
    assert_status(connect(listener.socket, listener.address), STATUS_INVALID_PARAMETER);
}

void a_nonblocking_connect_does_not_wait(void**) // [afd/23]
{
    const Listener listener = new_listener();
    const HANDLE socket = new_stream();
    assert_status(set_nonblocking(socket), STATUS_SUCCESS);
    assert_status(connect(socket, listener.address), STATUS_DEVICE_NOT_READY);
    await(socket, afd::kPollConnect);
    assert_true(peer_of(socket) == listener.address);
}

void a_nonblocking_connect_can_be_refused(void**) // [afd/23]
{
    const HANDLE socket = new_stream();
    assert_status(set_nonblocking(socket), STATUS_SUCCESS);
    assert_status(connect(socket, unused_address()), STATUS_DEVICE_NOT_READY);
    PollBlock block = poll_block(kHangLimit.QuadPart, socket, 0x7FF);
    assert_status(poll(block), STATUS_SUCCESS);
    assert_int_equal(block.header.count, 1);
    assert_int_equal(block.entries[0].flags, afd::kPollConnectFail);
    assert_status(block.entries[0].status, STATUS_CONNECTION_REFUSED);
}

void connect_checks_the_address(void**) // [afd/24]
{
    Address address = loopback(new_listener().address.port);
    address.family = 99;
    assert_status(connect(new_stream(), address), STATUS_INVALID_ADDRESS);

    const ConnectInput input { { sizeof(Address), 1 }, loopback(), {} };
    assert_status(control(new_stream(), afd::kIoctlConnect, &input, sizeof(input.params) + 8),
        STATUS_BUFFER_TOO_SMALL);
}

void an_overlapped_connect_sends_its_data(void**) // [afd/25]
{
    const Listener listener = new_listener();
    const HANDLE socket = new_stream();
    bind_to_loopback(socket);
    Request* request = start_connect(socket, listener.address, "first");
    assert_status(request->issued, STATUS_PENDING);
    const HANDLE server = accept_from(listener.socket);
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, 5);
    assert_receives(server, "first");
}

void an_overlapped_connect_pends_on_a_nonblocking_socket(void**) // [afd/25]
{
    const Listener listener = new_listener();
    const HANDLE socket = new_stream();
    bind_to_loopback(socket);
    assert_status(set_nonblocking(socket), STATUS_SUCCESS);
    Request* request = start_connect(socket, listener.address);
    assert_status(request->issued, STATUS_PENDING);
    assert_status(finish(request), STATUS_SUCCESS);
}

void an_overlapped_connect_can_be_refused(void**) // [afd/25]
{
    const HANDLE socket = new_stream();
    bind_to_loopback(socket);
    Request* request = start_connect(socket, unused_address());
    assert_status(request->issued, STATUS_PENDING);
    assert_status(finish(request), STATUS_CONNECTION_REFUSED);
}

void an_overlapped_connect_needs_a_bound_socket(void**) // [afd/25]
{
    Request* request = start_connect(new_stream(), new_listener().address);
    assert_status(request->issued, STATUS_INVALID_PARAMETER);
}

void a_datagram_socket_changes_its_peer(void**) // [afd/26]
{
    const HANDLE first = new_datagram(), second = new_datagram(), socket = new_datagram();
    const Address addresses[] = { bind_to_loopback(first), bind_to_loopback(second) };
    for (const Address& address : addresses) {
        assert_status(connect(socket, address), STATUS_SUCCESS);
        assert_true(peer_of(socket) == address);
    }
    assert_sends(socket, "hello");
    assert_receives(second, "hello");

    Address none {}; // AF_UNSPEC
    assert_status(connect(socket, none), STATUS_SUCCESS);
    assert_status(get_peer(socket, &none), STATUS_INVALID_CONNECTION);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(connect_joins_two_sockets),
    cmocka_unit_test(a_connection_nobody_listens_for_is_refused),
    cmocka_unit_test(a_refused_socket_can_be_connected),
    cmocka_unit_test(a_connected_socket_cannot_be_connected),
    cmocka_unit_test(a_listener_cannot_be_connected),
    cmocka_unit_test(a_nonblocking_connect_does_not_wait),
    cmocka_unit_test(a_nonblocking_connect_can_be_refused),
    cmocka_unit_test(connect_checks_the_address),
    cmocka_unit_test(an_overlapped_connect_sends_its_data),
    cmocka_unit_test(an_overlapped_connect_pends_on_a_nonblocking_socket),
    cmocka_unit_test(an_overlapped_connect_can_be_refused),
    cmocka_unit_test(an_overlapped_connect_needs_a_bound_socket),
    cmocka_unit_test(a_datagram_socket_changes_its_peer),
};

} // namespace

NT_GROUP(afd_connect, kCases);
