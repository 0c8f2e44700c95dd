// AFD: accept and accept-into. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

/// The space of an address block of accept-into.
constexpr ULONG kBlock = 16 + sizeof(Address);

Request* start_accept_into(HANDLE listener, HANDLE acceptor, ULONG receive_length,
    ULONG local_length = kBlock, ULONG remote_length = kBlock)
{
    const afd::AcceptIntoParams params {
        static_cast<uint32_t>(reinterpret_cast<uintptr_t>(acceptor)), receive_length, local_length
    };
    Request* request = new_request(listener, receive_length + local_length + remote_length);
    issue(request, afd::kIoctlAcceptInto, &params, sizeof(params), request->data, request->length);
    return request;
}

Address address_at(const Request* request, ULONG offset)
{
    int32_t length = 0;
    Address address {};
    memcpy(&length, request->data + offset, sizeof(length));
    assert_int_equal(length, sizeof(address));
    memcpy(&address, request->data + offset + sizeof(length), sizeof(address));
    return address;
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

// --- Accept

void accept_takes_what_waits(void**) // [afd/27]
{
    const Listener listener = new_listener();
    connect_to(listener);
    await(listener.socket, afd::kPollAccept);
    Request* request = new_request(listener.socket, sizeof(uint32_t));
    issue(request, afd::kIoctlAccept, nullptr, 0, request->data, request->length);
    assert_status(request->issued, STATUS_SUCCESS);
    assert_status(finish(request), STATUS_SUCCESS);
    uint32_t value = 0;
    memcpy(&value, request->data, sizeof(value));
    const HANDLE accepted = owned(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(value)));
    assert_true(name_of(accepted) == listener.address);
}

void accept_waits_for_a_connection(void**) // [afd/27]
{
    const Listener listener = new_listener();
    Request* request = new_request(listener.socket, sizeof(uint32_t));
    issue(request, afd::kIoctlAccept, nullptr, 0, request->data, request->length);
    assert_status(request->issued, STATUS_PENDING);
    const HANDLE client = connect_to(listener);
    assert_status(finish(request), STATUS_SUCCESS);
    uint32_t value = 0;
    memcpy(&value, request->data, sizeof(value));
    const HANDLE accepted = owned(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(value)));
    assert_sends(client, "x");
    assert_receives(accepted, "x");
}

void connections_are_accepted_in_order(void**) // [afd/27]
{
    const Listener listener = new_listener();
    const HANDLE first = connect_to(listener), second = connect_to(listener);
    assert_true(peer_of(accept_from(listener.socket)) == name_of(first));
    assert_true(peer_of(accept_from(listener.socket)) == name_of(second));
}

void a_nonblocking_accept_does_not_wait(void**) // [afd/28]
{
    const Listener listener = new_listener();
    HANDLE accepted = nullptr;
    assert_status(set_nonblocking(listener.socket), STATUS_SUCCESS);
    assert_status(accept(listener.socket, &accepted), STATUS_DEVICE_NOT_READY);
}

void accept_needs_a_listener_and_room(void**) // [afd/28]
{
    HANDLE accepted = nullptr;
    const HANDLE socket = new_stream();
    assert_status(accept(socket, &accepted), STATUS_INVALID_PARAMETER);
    bind_to_loopback(socket);
    assert_status(accept(socket, &accepted), STATUS_INVALID_PARAMETER);
    assert_status(accept(new_pair().client, &accepted), STATUS_INVALID_PARAMETER);

    uint8_t output[8];
    for (ULONG length : { 2, 8 })
        assert_status(control(new_listener().socket, afd::kIoctlAccept, nullptr, 0, output, length),
            STATUS_BUFFER_TOO_SMALL);
}

void an_accepted_socket_is_nonblocking_like_its_listener(void**) // [afd/29]
{
    const Listener listener = new_listener();
    char data[1];
    assert_status(set_nonblocking(listener.socket), STATUS_SUCCESS);
    connect_to(listener);
    assert_status(receive(accept_from(listener.socket), data, 1).status, STATUS_DEVICE_NOT_READY);
}

void a_connection_can_be_given_back(void**) // [afd/30]
{
    const Listener listener = new_listener();
    const HANDLE client = connect_to(listener);
    const HANDLE first = accept_from(listener.socket);
    const uint32_t value = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(first));
    assert_status(
        control(listener.socket, afd::kIoctlDefer, &value, sizeof(value)), STATUS_SUCCESS);
    close_owned(first);
    HANDLE second = nullptr;
    assert_status(accept(listener.socket, &second), STATUS_SUCCESS);
    owned(second);
    assert_sends(client, "x");
    assert_receives(second, "x");
}

// --- Accept into

void accept_into_tells_both_addresses(void**) // [afd/31]
{
    const Listener listener = new_listener();
    const HANDLE acceptor = new_stream();
    Request* request = start_accept_into(listener.socket, acceptor, 0);
    assert_status(request->issued, STATUS_PENDING);
    const HANDLE client = connect_to(listener);
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, 0);
    assert_true(address_at(request, 0) == listener.address);
    assert_true(address_at(request, kBlock) == name_of(client));
    assert_true(name_of(acceptor) == listener.address);
    assert_true(peer_of(acceptor) == name_of(client));
    assert_sends(client, "x");
    assert_receives(acceptor, "x");
}

void accept_into_pends_with_a_connection_waiting(void**) // [afd/31]
{
    const Listener listener = new_listener();
    assert_status(set_nonblocking(listener.socket), STATUS_SUCCESS);
    connect_to(listener);
    await(listener.socket, afd::kPollAccept);
    Request* request = start_accept_into(listener.socket, new_stream(), 0);
    assert_status(request->issued, STATUS_PENDING);
    assert_status(finish(request), STATUS_SUCCESS);
}

void accept_into_waits_for_the_first_data(void**) // [afd/32]
{
    const Listener listener = new_listener();
    const HANDLE acceptor = new_stream();
    Request* request = start_accept_into(listener.socket, acceptor, 64);
    const HANDLE client = connect_to(listener);
    assert_true(is_pending(request));
    assert_sends(client, "first");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_received(request, "first");
    assert_true(address_at(request, 64) == listener.address);
    assert_true(address_at(request, 64 + kBlock) == name_of(client));
    assert_sends(client, "second");
    assert_receives(acceptor, "second");
}

void accept_into_ends_with_the_stream(void**) // [afd/32]
{
    const Listener listener = new_listener();
    Request* request = start_accept_into(listener.socket, new_stream(), 64);
    close_owned(connect_to(listener));
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, 0);
}

void accept_into_checks_its_sizes(void**) // [afd/33]
{
    const Listener listener = new_listener();
    assert_status(start_accept_into(listener.socket, new_stream(), 0, kBlock, 2)->issued,
        STATUS_INVALID_PARAMETER);

    const afd::AcceptIntoParams params {
        static_cast<uint32_t>(reinterpret_cast<uintptr_t>(new_stream())), 64, kBlock
    };
    char output[64];
    assert_status(control(listener.socket, afd::kIoctlAcceptInto, &params, sizeof(params), output,
                      sizeof(output)),
        STATUS_BUFFER_TOO_SMALL);
    assert_status(control(listener.socket, afd::kIoctlAcceptInto, &params, 8, output, 64),
        STATUS_BUFFER_TOO_SMALL);
}

void an_acceptor_serves_one_request(void**) // [afd/34]
{
    const Listener listener = new_listener();
    const HANDLE acceptor = new_stream();
    Request* request = start_accept_into(listener.socket, acceptor, 0);
    assert_status(request->issued, STATUS_PENDING);
    assert_status(
        start_accept_into(listener.socket, acceptor, 0)->issued, STATUS_INVALID_PARAMETER);
    assert_status(connect(acceptor, listener.address), STATUS_INVALID_PARAMETER);
    connect_to(listener);
    assert_status(finish(request), STATUS_SUCCESS);
}

void an_acceptor_is_a_socket(void**) // [afd/34]
{
    const Listener listener = new_listener();
    assert_status(start_accept_into(listener.socket, new_event(kNotificationEvent), 0)->issued,
        STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(start_accept_into(listener.socket, nullptr, 0)->issued, STATUS_INVALID_HANDLE);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(accept_takes_what_waits),
    cmocka_unit_test(accept_waits_for_a_connection),
    cmocka_unit_test(connections_are_accepted_in_order),
    cmocka_unit_test(a_nonblocking_accept_does_not_wait),
    cmocka_unit_test(accept_needs_a_listener_and_room),
    cmocka_unit_test(an_accepted_socket_is_nonblocking_like_its_listener),
    cmocka_unit_test(a_connection_can_be_given_back),
    cmocka_unit_test(accept_into_tells_both_addresses),
    cmocka_unit_test(accept_into_pends_with_a_connection_waiting),
    cmocka_unit_test(accept_into_waits_for_the_first_data),
    cmocka_unit_test(accept_into_ends_with_the_stream),
    cmocka_unit_test(accept_into_checks_its_sizes),
    cmocka_unit_test(an_acceptor_serves_one_request),
    cmocka_unit_test(an_acceptor_is_a_socket),
};

} // namespace

NT_GROUP(afd_accept, kCases);
