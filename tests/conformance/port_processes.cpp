// Completion ports with handles in two processes.

#include "child.h"
#include "ports.h"

using namespace conformance;

namespace {

constexpr ULONG_PTR kFirstKey = 0x5001;

/// Tells the child which packets of the port are its business. It has a handle from here on.
void hand_port_to(const Child& child, HANDLE port, DWORD count, ULONG_PTR first_key)
{
    const ChildsPort given { handle_for_child(child, port), count, first_key };
    write_to_child(child, &given, sizeof(given));
}

/// A child that posts to the ports it is given, and has begun to.
Child start_poster()
{
    const Child child = start_child("post-to-ports", 0, false);
    const HANDLE port = new_port();
    hand_port_to(child, port, 1, kFirstKey);
    assert_int_equal(next_packet(port).key, kFirstKey);
    return child;
}

void end_poster(const Child& child)
{
    constexpr ChildsPort kNone {};
    write_to_child(child, &kNone, sizeof(kNone));
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_posts_to_a_port_with_sockets(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);
    const Child child = start_poster();

    hand_port_to(child, p.port, 2, kFirstKey);
    assert_int_equal(next_packet(p.port).key, kFirstKey);
    assert_int_equal(next_packet(p.port).key, kFirstKey + 1);
    end_poster(child);

    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    receive = pending_receive(p.pair.server);
    send_text(p.pair.client, "y");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_int_equal(packet.key, kPortKey);
    assert_int_equal(receive->data[0], 'y');
}

void a_child_takes_what_was_there(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    const Child child = start_child("take-from-port", 0, false);
    for (ULONG_PTR i = 0; i < 8; ++i)
        post(p.port, kFirstKey + i);

    hand_port_to(child, p.port, 8, kFirstKey);
    assert_int_equal(exit_code_of(child), 0);
    assert_no_packet(p.port);
}

void a_child_takes_the_packet_of_a_receive(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    const Operation* receive = pending_receive(p.pair.server);
    const Child child = start_child("take-from-port", 0, false);

    hand_port_to(child, p.port, 1, kPortKey);
    send_text(p.pair.client, "x");
    assert_int_equal(exit_code_of(child), 0);
    assert_int_equal(receive->overlapped.Internal, 0);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
}

void removals_that_wait_get_packets_of_a_child(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    const Child child = start_poster();
    Consumers* consumers = start_consumers(p.port, 3);

    hand_port_to(child, p.port, 5, kFirstKey);
    await_packets(consumers, 5);
    end_poster(child);
    const Operation* receive = pending_receive(p.pair.server);
    send_text(p.pair.client, "x");
    await_packets(consumers, 6);
    only_packet_of(consumers, &receive->overlapped);
    stop_consumers(consumers, 6);
}

void a_port_is_handed_on_before_it_has_sockets(void**) // [NtIoCompletion/13]
{
    const HANDLE port = new_port();
    const Child child = start_poster();
    const TcpPair pair = new_tcp_pair();

    hand_port_to(child, port, 1, kFirstKey);
    assert_int_equal(next_packet(port).key, kFirstKey);
    end_poster(child);
    associate(pair.server, port, kPortKey);
    const Operation* receive = pending_receive(pair.server);
    send_text(pair.client, "x");
    assert_ptr_equal(next_packet(port).overlapped, &receive->overlapped);
}

// --- A port that a child inherits

HANDLE inheritable_port(const PortPair& p)
{
    assert_true(SetHandleInformation(p.port, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    return p.port;
}

void a_child_takes_what_was_posted_to_an_inherited_port(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    for (ULONG_PTR i = 0; i < 8; ++i)
        post(p.port, kFirstKey + i);
    const ChildsPort given { inheritable_port(p), 8, kFirstKey };
    const Child child = start_child("take-from-port", 0, true);

    write_to_child(child, &given, sizeof(given));
    assert_int_equal(exit_code_of(child), 0);
    assert_no_packet(p.port);
}

void a_child_takes_a_sockets_packet_from_an_inherited_port(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    const Operation* receive = pending_receive(p.pair.server);
    const ChildsPort given { inheritable_port(p), 1, kPortKey };
    const Child child = start_child("take-from-port", 0, true);

    write_to_child(child, &given, sizeof(given));
    send_text(p.pair.client, "x");
    assert_int_equal(exit_code_of(child), 0);
    assert_int_equal(receive->overlapped.InternalHigh, 1);
}

void a_duplicate_may_be_the_one_that_is_inherited(void**) // [NtIoCompletion/13]
{
    const PortPair p = new_port_pair();
    HANDLE duplicate;
    assert_true(DuplicateHandle(GetCurrentProcess(), p.port, GetCurrentProcess(), &duplicate, 0,
        TRUE, DUPLICATE_SAME_ACCESS));
    owned(duplicate);
    post(p.port, kFirstKey);
    const ChildsPort given { duplicate, 1, kFirstKey };
    const Child child = start_child("take-from-port", 0, true);

    write_to_child(child, &given, sizeof(given));
    assert_int_equal(exit_code_of(child), 0);
}

void end_receiver(const Child& child)
{
    write_to_child(child, "e", 1);
    assert_int_equal(exit_code_of(child), 0);
}

void a_childs_socket_is_heard_at_an_inherited_port(void**) // [NtIoCompletion/13]
{
    const HANDLE port = new_port();
    assert_true(SetHandleInformation(port, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    const ChildsPort given { port, 1, kFirstKey };
    const Child child = start_child("receive-on-port", 0, true);

    write_to_child(child, &given, sizeof(given));
    assert_int_equal(next_packet(port).key, kFirstKey);
    end_receiver(child);
}

void a_childs_socket_is_heard_at_a_port_that_was_given(void**) // [NtIoCompletion/13]
{
    const HANDLE port = new_port();
    const Child child = start_child("receive-on-port", 0, false);

    hand_port_to(child, port, 1, kFirstKey);
    assert_int_equal(next_packet(port).key, kFirstKey);
    end_receiver(child);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_child_posts_to_a_port_with_sockets),
    cmocka_unit_test(a_child_takes_what_was_there),
    cmocka_unit_test(a_child_takes_the_packet_of_a_receive),
    cmocka_unit_test(removals_that_wait_get_packets_of_a_child),
    cmocka_unit_test(a_port_is_handed_on_before_it_has_sockets),
    cmocka_unit_test(a_child_takes_what_was_posted_to_an_inherited_port),
    cmocka_unit_test(a_child_takes_a_sockets_packet_from_an_inherited_port),
    cmocka_unit_test(a_duplicate_may_be_the_one_that_is_inherited),
    cmocka_unit_test(a_childs_socket_is_heard_at_an_inherited_port),
    cmocka_unit_test(a_childs_socket_is_heard_at_a_port_that_was_given),
};

} // namespace

CONFORMANCE_GROUP(port_processes, kCases);
