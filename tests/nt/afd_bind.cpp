// AFD: bind, listen, names. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

struct BindInput {
    int32_t unknown;
    Address address;
};

void bind_tells_the_bound_address(void**) // [afd/10]
{
    const HANDLE socket = new_stream();
    const BindInput input { 0, loopback() };
    Address bound {};
    ULONG_PTR length = 0;
    assert_status(
        control(socket, afd::kIoctlBind, &input, sizeof(input), &bound, sizeof(bound), &length),
        STATUS_SUCCESS);
    assert_int_equal(length, sizeof(bound));
    assert_int_not_equal(bound.port, 0);
    assert_true(bound == loopback(bound.port));

    Address name {};
    assert_status(get_name(socket, &name), STATUS_SUCCESS);
    assert_true(name == bound);
}

void a_name_can_be_asked_for(void**) // [afd/10]
{
    const HANDLE first = new_datagram();
    const Address free = bind_to_loopback(first);
    close_owned(first);
    const HANDLE second = new_datagram();
    Address bound {};
    assert_status(bind(second, free, &bound), STATUS_SUCCESS);
    assert_true(bound == free);
}

void a_socket_is_bound_once(void**) // [afd/11]
{
    const HANDLE socket = new_stream();
    const Address bound = bind_to_loopback(socket);
    assert_status(bind(socket, loopback()), STATUS_ADDRESS_ALREADY_ASSOCIATED);
    Address name {};
    assert_status(get_name(socket, &name), STATUS_SUCCESS);
    assert_true(name == bound);
}

void connecting_binds(void**) // [afd/11]
{
    const Pair pair = new_pair();
    assert_status(bind(pair.client, loopback()), STATUS_ADDRESS_ALREADY_ASSOCIATED);
}

void an_address_in_use_is_refused(void**) // [afd/12]
{
    const HANDLE stream = new_stream();
    const Address stream_address = bind_to_loopback(stream);
    assert_status(bind(new_stream(), stream_address), STATUS_SHARING_VIOLATION);

    const HANDLE datagram = new_datagram();
    const Address datagram_address = bind_to_loopback(datagram);
    assert_status(bind(new_datagram(), datagram_address), STATUS_SHARING_VIOLATION);
}

void streams_and_datagrams_have_ports_of_their_own(void**) // [afd/12]
{
    const HANDLE datagram = new_datagram();
    const Address bound = bind_to_loopback(datagram);
    const NTSTATUS status = bind(new_stream(), bound);
    // Somebody else may have the port among the streams.
    assert_true(status == STATUS_SUCCESS || status == STATUS_SHARING_VIOLATION);
    Address name {};
    assert_status(get_name(datagram, &name), STATUS_SUCCESS);
    assert_true(name == bound);
}

void a_foreign_address_is_refused(void**) // [afd/13]
{
    Address foreign = loopback();
    const uint8_t documentation[4] = { 203, 0, 113, 1 };
    memcpy(foreign.ip, documentation, sizeof(documentation));
    assert_status(bind(new_stream(), foreign), STATUS_INVALID_ADDRESS_COMPONENT);
}

void an_address_of_no_family_is_refused(void**) // [afd/13]
{
    Address address = loopback();
    address.family = 99;
    assert_status(bind(new_stream(), address), STATUS_INVALID_ADDRESS);

    const BindInput input { 0, loopback() };
    Address bound {};
    assert_status(control(new_stream(), afd::kIoctlBind, &input, 4 + 8, &bound, sizeof(bound)),
        STATUS_INVALID_ADDRESS);
}

void bind_needs_room_for_the_name(void**) // [afd/14]
{
    const HANDLE socket = new_stream();
    const BindInput input { 0, loopback() };
    Address bound {};
    assert_status(control(socket, afd::kIoctlBind, &input, sizeof(input), &bound, 8),
        STATUS_INVALID_PARAMETER);
    bind_to_loopback(socket); // It was not bound by that.
}

void an_unbound_socket_has_no_name(void**) // [afd/15]
{
    Address name {};
    assert_status(get_name(new_stream(), &name), STATUS_INVALID_PARAMETER);
    assert_status(get_name(new_datagram(), &name), STATUS_INVALID_PARAMETER);
}

void a_name_needs_room(void**) // [afd/15]
{
    const HANDLE socket = new_stream();
    bind_to_loopback(socket);
    Address name {};
    assert_status(
        control(socket, afd::kIoctlGetSockName, nullptr, 0, &name, 8), STATUS_BUFFER_TOO_SMALL);
}

void only_a_connected_socket_has_a_peer(void**) // [afd/16]
{
    Address name {};
    const HANDLE socket = new_stream();
    assert_status(get_peer(socket, &name), STATUS_INVALID_CONNECTION);
    bind_to_loopback(socket);
    assert_status(get_peer(socket, &name), STATUS_INVALID_CONNECTION);
    assert_status(get_peer(new_listener().socket, &name), STATUS_INVALID_CONNECTION);
    assert_status(get_peer(new_datagram(), &name), STATUS_INVALID_CONNECTION);

    const Pair pair = new_pair();
    Address own {};
    assert_status(get_peer(pair.client, &name), STATUS_SUCCESS);
    assert_status(get_name(pair.server, &own), STATUS_SUCCESS);
    assert_true(name == own);
    assert_status(get_peer(pair.server, &name), STATUS_SUCCESS);
    assert_status(get_name(pair.client, &own), STATUS_SUCCESS);
    assert_true(name == own);
}

void the_first_datagram_binds(void**) // [afd/17]
{
    const HANDLE receiver = new_datagram();
    const Address address = bind_to_loopback(receiver);
    const HANDLE sender = new_datagram();
    assert_status(send(sender, "x", 1, 0, &address).status, STATUS_SUCCESS);
    Address name {}, source {};
    char data[4];
    assert_status(get_name(sender, &name), STATUS_SUCCESS);
    assert_int_not_equal(name.port, 0);
    assert_status(receive(receiver, data, sizeof(data), 0, &source).status, STATUS_SUCCESS);
    assert_int_equal(source.port, name.port);
}

void listen_needs_a_bound_socket(void**) // [afd/18]
{
    assert_status(listen(new_stream()), STATUS_INVALID_PARAMETER);
    assert_status(listen(new_pair().client), STATUS_INVALID_PARAMETER);
}

void a_listener_may_listen_again(void**) // [afd/18]
{
    const Listener listener = new_listener();
    assert_status(listen(listener.socket, 10), STATUS_SUCCESS);
    connect_to(listener);
    accept_from(listener.socket);
}

void a_datagram_socket_does_not_listen(void**) // [afd/19]
{
    const HANDLE socket = new_datagram();
    bind_to_loopback(socket);
    assert_status(listen(socket), STATUS_NOT_SUPPORTED);
}

void an_unbound_datagram_socket_does_not_listen(void**) // [afd/19]
{
    assert_status(listen(new_datagram()), STATUS_NOT_SUPPORTED);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(bind_tells_the_bound_address),
    cmocka_unit_test(a_name_can_be_asked_for),
    cmocka_unit_test(a_socket_is_bound_once),
    cmocka_unit_test(connecting_binds),
    cmocka_unit_test(an_address_in_use_is_refused),
    cmocka_unit_test(streams_and_datagrams_have_ports_of_their_own),
    cmocka_unit_test(a_foreign_address_is_refused),
    cmocka_unit_test(an_address_of_no_family_is_refused),
    cmocka_unit_test(bind_needs_room_for_the_name),
    cmocka_unit_test(an_unbound_socket_has_no_name),
    cmocka_unit_test(a_name_needs_room),
    cmocka_unit_test(only_a_connected_socket_has_a_peer),
    cmocka_unit_test(the_first_datagram_binds),
    cmocka_unit_test(listen_needs_a_bound_socket),
    cmocka_unit_test(a_listener_may_listen_again),
    cmocka_unit_test(a_datagram_socket_does_not_listen),
    cmocka_unit_test(an_unbound_datagram_socket_does_not_listen),
};

} // namespace

NT_GROUP(afd_bind, kCases);
