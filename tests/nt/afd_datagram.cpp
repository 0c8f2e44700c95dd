// AFD: sending and receiving datagrams. Rules: spec/afd.md.
#include "afd.h"

#include <cstring>

using namespace nt_suite;

namespace {

struct Receiver {
    HANDLE socket;
    Address address;
};

Receiver new_receiver()
{
    Receiver receiver { new_datagram(), {} };
    receiver.address = bind_to_loopback(receiver.socket);
    return receiver;
}

void send_to(HANDLE socket, const Receiver& receiver, const char* text)
{
    const auto length = static_cast<ULONG>(strlen(text));
    const Transfer sent = send(socket, text, length, 0, &receiver.address);
    assert_status(sent.status, STATUS_SUCCESS);
    assert_int_equal(sent.count, length);
}

void assert_datagram(HANDLE socket, const char* text, Address* source = nullptr)
{
    char data[64];
    await(socket, afd::kPollReceive);
    const Transfer got = receive(socket, data, sizeof(data), 0, source);
    assert_status(got.status, STATUS_SUCCESS);
    assert_int_equal(got.count, strlen(text));
    assert_memory_equal(data, text, strlen(text));
}

void datagrams_keep_their_bounds_and_source(void**) // [afd/63]
{
    const Receiver receiver = new_receiver();
    const Receiver senders[] = { new_receiver(), new_receiver() };
    send_to(senders[0].socket, receiver, "one");
    send_to(senders[1].socket, receiver, "and two");
    Address source {};
    assert_datagram(receiver.socket, "one", &source);
    assert_true(source == senders[0].address);
    assert_datagram(receiver.socket, "and two", &source);
    assert_true(source == senders[1].address);
}

void a_datagram_may_be_empty(void**) // [afd/64]
{
    const Receiver receiver = new_receiver(), sender = new_receiver();
    send_to(sender.socket, receiver, "");
    Address source {};
    assert_datagram(receiver.socket, "", &source);
    assert_true(source == sender.address);
    assert_int_equal(poll_now(receiver.socket, afd::kPollReceive), 0);
}

void a_receive_of_nothing_takes_a_datagram(void**) // [afd/38]
{
    const Receiver receiver = new_receiver();
    const HANDLE sender = new_datagram();
    Request* request = start_receive(receiver.socket, 0);
    assert_status(request->issued, STATUS_PENDING);
    send_to(sender, receiver, "taken");
    assert_status(finish(request), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(request->iosb.Information, 0);
    send_to(sender, receiver, "next");
    assert_datagram(receiver.socket, "next");
}

void a_truncated_datagram_is_a_warning(void**) // [afd/65]
{
    const Receiver receiver = new_receiver();
    const HANDLE sender = new_datagram();
    char data[4];
    send_to(sender, receiver, "too long");
    send_to(sender, receiver, "next");
    await(receiver.socket, afd::kPollReceive);
    const Transfer got = receive(receiver.socket, data, sizeof(data));
    assert_status(got.status, STATUS_BUFFER_OVERFLOW);
    assert_int_equal(got.count, sizeof(data));
    assert_memory_equal(data, "too ", 4);
    assert_datagram(receiver.socket, "next");
}

void a_truncated_datagram_completes_a_pending_receive(void**) // [afd/65]
{
    const Receiver receiver = new_receiver();
    Request* request = start_receive(receiver.socket, 4);
    assert_status(request->issued, STATUS_PENDING);
    send_to(new_datagram(), receiver, "too long");
    assert_status(finish(request), STATUS_BUFFER_OVERFLOW);
    assert_received(request, "too ");
}

void a_peek_leaves_the_datagram(void**) // [afd/66]
{
    const Receiver receiver = new_receiver();
    char data[4];
    send_to(new_datagram(), receiver, "too long");
    await(receiver.socket, afd::kPollReceive);
    const Transfer got = receive(receiver.socket, data, sizeof(data), kPeek);
    assert_status(got.status, STATUS_BUFFER_OVERFLOW);
    assert_int_equal(got.count, sizeof(data));
    assert_datagram(receiver.socket, "too long");
}

void pending_receives_take_one_datagram_each(void**) // [afd/67]
{
    const Receiver receiver = new_receiver(), sender = new_receiver();
    Request* first = start_receive(receiver.socket, 16);
    Request* second = start_receive(receiver.socket, 16);
    send_to(sender.socket, receiver, "one");
    send_to(sender.socket, receiver, "two");
    assert_status(finish(first), STATUS_SUCCESS);
    assert_status(finish(second), STATUS_SUCCESS);
    assert_received(first, "one");
    assert_received(second, "two");
    assert_true(second->address == sender.address);
    assert_int_equal(second->address_length, sizeof(Address));
}

void buffers_are_gathered_into_one_datagram(void**) // [afd/36]
{
    const Receiver receiver = new_receiver();
    char first[] = "gath", second[] = "ered";
    const Buffer buffers[] = { { 4, first }, { 4, second } };
    afd::SendMsgParams params {};
    params.address = afd::ptr64(&receiver.address);
    params.address_length = sizeof(receiver.address);
    params.count = 2;
    params.buffers = afd::ptr64(buffers);
    assert_status(
        control(new_datagram(), afd::kIoctlSendMsg, &params, sizeof(params)), STATUS_SUCCESS);
    assert_datagram(receiver.socket, "gathered");
}

void a_connected_socket_hears_its_peer_only(void**) // [afd/68]
{
    const Pair pair = new_datagram_pair();
    Receiver server { pair.server, {} };
    assert_status(get_name(pair.server, &server.address), STATUS_SUCCESS);
    send_to(new_datagram(), server, "stranger");
    assert_sends(pair.client, "peer");
    assert_datagram(pair.server, "peer");
}

void a_datagram_needs_an_address(void**) // [afd/69]
{
    assert_status(send(new_datagram(), "x", 1).status, STATUS_INVALID_CONNECTION);
}

void a_datagram_has_a_largest_size(void**) // [afd/70]
{
    const Receiver receiver = new_receiver();
    static char data[70000];
    const Transfer sent = send(new_datagram(), data, sizeof(data), 0, &receiver.address);
    assert_status(sent.status, STATUS_BUFFER_OVERFLOW);
    assert_int_equal(sent.count, 0);
}

void a_broadcast_needs_permission(void**) // [afd/71]
{
    Address everybody = loopback(new_receiver().address.port);
    memset(everybody.ip, 255, sizeof(everybody.ip));
    assert_status(send(new_datagram(), "x", 1, 0, &everybody).status, STATUS_ACCESS_DENIED);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(datagrams_keep_their_bounds_and_source),
    cmocka_unit_test(a_datagram_may_be_empty),
    cmocka_unit_test(a_receive_of_nothing_takes_a_datagram),
    cmocka_unit_test(a_truncated_datagram_is_a_warning),
    cmocka_unit_test(a_truncated_datagram_completes_a_pending_receive),
    cmocka_unit_test(a_peek_leaves_the_datagram),
    cmocka_unit_test(pending_receives_take_one_datagram_each),
    cmocka_unit_test(buffers_are_gathered_into_one_datagram),
    cmocka_unit_test(a_connected_socket_hears_its_peer_only),
    cmocka_unit_test(a_datagram_needs_an_address),
    cmocka_unit_test(a_datagram_has_a_largest_size),
    cmocka_unit_test(a_broadcast_needs_permission),
};

} // namespace

NT_GROUP(afd_datagram, kCases);
