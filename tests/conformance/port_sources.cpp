// One completion port for sockets, pipes, files and posts together.

#include "extensions.h"
#include "ports.h"

#include <cstdio>
#include <cstring>

using namespace conformance;

namespace {

constexpr ULONG_PTR kPipeKey = 0x77;
constexpr ULONG_PTR kFileKey = 0x88;
constexpr ULONG_PTR kPostKey = 0x99;

/// A port with a connected socket and a connected pipe, the server's ends.
struct Sources {
    HANDLE port;
    TcpPair pair;
    Pipe pipe;
};

Sources new_sources(Where where = Where::current())
{
    const PortPair p = new_port_pair(where);
    const Sources sources { p.port, p.pair, new_pipe(where) };
    associate(sources.pipe.server, p.port, kPipeKey, where);
    return sources;
}

Operation* start_pipe_read(HANDLE pipe, Where where = Where::current())
{
    Operation* operation = new_operation();
    start_read(pipe, operation, where);
    return operation;
}

void assert_packet(
    const Packet& packet, ULONG_PTR key, DWORD transferred, Where where = Where::current())
{
    if (!packet.result || packet.key != key || packet.transferred != transferred)
        fail_at(where, "result %d, error %lu, key %#llx, %lu bytes", packet.result, packet.error,
            static_cast<unsigned long long>(packet.key), packet.transferred);
}

// --- One source at a time

void a_pipe_shares_the_port_of_a_socket(void**) // [overlapped/32]
{
    const Sources s = new_sources();
    Operation* receive = pending_receive(s.pair.server);
    Operation* read = start_pipe_read(s.pipe.server);

    start_write(s.pipe.client, "abc");
    Packet packet = next_packet(s.port);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
    assert_packet(packet, kPipeKey, 3);
    assert_memory_equal(read->data, "abc", 3);
    send_text(s.pair.client, "hello");
    packet = next_packet(s.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_packet(packet, kPortKey, 5);
    Operation* write = start_write(s.pipe.server, "de");
    packet = next_packet(s.port);
    assert_ptr_equal(packet.overlapped, &write->overlapped);
    assert_packet(packet, kPipeKey, 2);
    assert_no_packet(s.port);
}

void the_connection_of_a_pipe_is_queued(void**) // [overlapped/32]
{
    const PortPair p = new_port_pair();
    char name[64];
    const HANDLE server = new_pipe_server(name);
    Operation* connection = new_operation();
    associate(server, p.port, kPipeKey);
    assert_wsa_fails(ConnectNamedPipe(server, &connection->overlapped), FALSE, ERROR_IO_PENDING);

    connect_to_pipe(name);
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &connection->overlapped);
    assert_packet(packet, kPipeKey, 0);
}

void the_end_of_a_pipe_is_queued_as_a_failure(void**) // [overlapped/32]
{
    const Sources s = new_sources();
    Operation* read = start_pipe_read(s.pipe.server);

    close_owned(s.pipe.client);
    const Packet packet = next_packet(s.port);
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_BROKEN_PIPE);
    assert_int_equal(packet.key, kPipeKey);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
}

void a_file_shares_the_port_of_a_socket(void**) // [overlapped/32]
{
    const PortPair p = new_port_pair();
    const HANDLE file = new_file("0123456789", true);
    Operation* receive = pending_receive(p.pair.server);
    Operation* read = new_operation();
    associate(file, p.port, kFileKey);
    read->overlapped.Offset = 4;

    start_read(file, read);
    Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &read->overlapped);
    assert_packet(packet, kFileKey, 6);
    assert_memory_equal(read->data, "456789", 6);
    send_text(p.pair.client, "x");
    packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_packet(packet, kPortKey, 1);
    assert_no_packet(p.port);
}

/// Both ends of a connection by extension functions, a file sent over it, and a receive.
void extension_functions_share_the_port_of_a_socket(void**) // [overlapped/32]
{
    const PendingAccept accept = new_pending_accept(0);
    const HANDLE port = new_port();
    const HANDLE file = new_file("0123456789", true);
    const SOCKET client = tcp_socket();
    Operation* connection = new_operation();
    Operation* transmission = new_operation();
    char data[10];
    bind_to_loopback(client);
    associate(accept.listener.socket, port, 1);
    associate(client, port, 2);
    associate(accept.acceptor, port, 3);
    Consumers* consumers = start_consumers(port, 2);

    assert_wsa_fails(
        connect_ex_of(client)(client, reinterpret_cast<const sockaddr*>(&accept.listener.address),
            accept.listener.address_length, nullptr, 0, nullptr, &connection->overlapped),
        FALSE, WSA_IO_PENDING);
    await_packets(consumers, 2);
    assert_packet(only_packet_of(consumers, &connection->overlapped), 2, 0);
    assert_packet(only_packet_of(consumers, &accept.operation->overlapped), 1, 0);
    assert_wsa_ok(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
    assert_wsa_ok(setsockopt(accept.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&accept.listener.socket), sizeof(SOCKET)));

    Operation* receive = pending_receive(accept.acceptor);
    assert_wsa_fails(transmit_file_of(client)(client, file, 0, 0, &transmission->overlapped,
                         nullptr, TF_USE_DEFAULT_WORKER),
        FALSE, WSA_IO_PENDING);
    await_packets(consumers, 4);
    assert_packet(only_packet_of(consumers, &transmission->overlapped), 2, 10);
    const Packet packet = only_packet_of(consumers, &receive->overlapped);
    assert_int_equal(packet.key, 3);
    // A stream may come in pieces.
    assert_in_range(packet.transferred, 1, 10);
    memcpy(data, receive->data, packet.transferred);
    if (packet.transferred < 10)
        receive_exactly(
            accept.acceptor, data + packet.transferred, static_cast<int>(10 - packet.transferred));
    assert_memory_equal(data, "0123456789", 10);
    stop_consumers(consumers, 4);
}

void posts_come_between_packets_of_sockets(void**) // [overlapped/32]
{
    const PortPair p = new_port_pair();
    Operation* posted = new_operation();
    Operation* first = pending_receive(p.pair.server);

    send_text(p.pair.client, "x");
    assert_eventually([&] { return HasOverlappedIoCompleted(&first->overlapped); });
    post(p.port, kPostKey, &posted->overlapped, 17);
    // Each comes once; which of the two first is for the system to say.
    const Packet packets[] = { next_packet(p.port), next_packet(p.port) };
    const bool post_came_first = packets[0].key == kPostKey;
    assert_packet(packets[!post_came_first], kPostKey, 17);
    assert_packet(packets[post_came_first], kPortKey, 1);
    assert_no_packet(p.port);
}

// --- All together

void every_packet_of_every_source_is_taken_once(void**) // [overlapped/32]
{
    constexpr int kRounds = 12;
    constexpr int kPairs = 3;
    const HANDLE port = new_port();
    TcpPair pairs[kPairs];
    Pipe pipes[kPairs];
    static Operation* receives[kRounds][kPairs];
    static Operation* reads[kRounds][kPairs];
    static Operation* posts[kRounds][kPairs];
    Consumers* consumers = start_consumers(port, 3);
    for (int i = 0; i < kPairs; ++i) {
        pairs[i] = new_tcp_pair();
        pipes[i] = new_pipe();
        associate(pairs[i].server, port, kPortKey + i);
        associate(pipes[i].server, port, kPipeKey + i);
    }

    for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < kPairs; ++i) {
            receives[round][i] = pending_receive(pairs[i].server);
            reads[round][i] = start_pipe_read(pipes[i].server);
            posts[round][i] = new_operation();
        }
        for (int i = 0; i < kPairs; ++i) {
            // Now the socket first, now the pipe.
            if ((round + i) % 2)
                send_text(pairs[i].client, "ab");
            start_write(pipes[i].client, "abc");
            post(port, kPostKey + i, &posts[round][i]->overlapped, 1);
            if (!((round + i) % 2))
                send_text(pairs[i].client, "ab");
        }
        await_packets(consumers, (round + 1) * 3 * kPairs);
    }
    stop_consumers(consumers, kRounds * 3 * kPairs);
    for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < kPairs; ++i) {
            assert_packet(
                only_packet_of(consumers, &receives[round][i]->overlapped), kPortKey + i, 2);
            assert_packet(only_packet_of(consumers, &reads[round][i]->overlapped), kPipeKey + i, 3);
            assert_packet(only_packet_of(consumers, &posts[round][i]->overlapped), kPostKey + i, 1);
        }
    }
}

/// The queue is never empty of packets of sockets while the pipe's come.
void a_pipe_is_heard_behind_busy_sockets(void**) // [overlapped/32] [NtIoCompletion/2]
{
    constexpr int kReads = 8;
    constexpr int kMost = 20'000;
    const Sources s = new_sources();
    Operation* reads[kReads];
    int next_read = 0;
    for (Operation*& read : reads)
        read = start_pipe_read(s.pipe.server);
    for (int i = 0; i < kReads; ++i)
        start_write(s.pipe.client, "abcdefghijklmnopqrstuvwxyz");

    // A read takes all that is there, so not every one of them need complete.
    DWORD bytes = 0;
    for (int i = 0; i < kMost && bytes < kReads * 26; ++i) {
        send_text(s.pair.client, "x");
        Operation* receive = new_operation();
        if (start_receive(s.pair.server, receive) != 0)
            assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
        const Packet packet = next_packet(s.port);
        if (packet.key != kPipeKey)
            continue;
        assert_ptr_equal(packet.overlapped, &reads[next_read++]->overlapped);
        bytes += packet.transferred;
    }
    assert_int_equal(bytes, kReads * 26);
}

void posts_stay_in_order_among_packets_of_sockets(void**) // [NtIoCompletion/2]
{
    constexpr ULONG_PTR kPosts = 50;
    const PortPair p = new_port_pair();
    Operation* posted = new_operation();
    ULONG_PTR next_key = 0;
    for (ULONG_PTR i = 0; i < kPosts; ++i) {
        post(p.port, i, &posted->overlapped);
        Operation* receive = pending_receive(p.pair.server);
        send_text(p.pair.client, "x");
        assert_eventually([&] { return HasOverlappedIoCompleted(&receive->overlapped); });
    }

    for (ULONG_PTR i = 0; i < 2 * kPosts; ++i) {
        const Packet packet = next_packet(p.port);
        if (packet.overlapped == &posted->overlapped)
            assert_int_equal(packet.key, next_key++);
    }
    assert_int_equal(next_key, kPosts);
    assert_no_packet(p.port);
}

void one_removal_takes_packets_of_all_sources(void**) // [overlapped/32] [NtIoCompletion/4]
{
    const Sources s = new_sources();
    OVERLAPPED_ENTRY entries[8] = {};
    ULONG total = 0, count = 0;
    Operation* receive = pending_receive(s.pair.server);
    Operation* read = start_pipe_read(s.pipe.server);
    Operation* posted = new_operation();
    send_text(s.pair.client, "x");
    start_write(s.pipe.client, "ab");
    post(s.port, kPostKey, &posted->overlapped, 3);

    while (total < 3) {
        assert_true(GetQueuedCompletionStatusEx(
            s.port, entries + total, 8 - total, &count, kEventLimit, FALSE));
        assert_in_range(count, 1, 3 - total);
        total += count;
    }
    DWORD found = 0;
    for (const OVERLAPPED_ENTRY& entry : { entries[0], entries[1], entries[2] }) {
        const OVERLAPPED* expected[]
            = { &receive->overlapped, &read->overlapped, &posted->overlapped };
        const DWORD place = entry.dwNumberOfBytesTransferred - 1;
        assert_in_range(place, 0, 2);
        assert_ptr_equal(entry.lpOverlapped, expected[place]);
        found |= 1u << place;
    }
    assert_int_equal(found, 7);
}

// --- A port that had posts only

constexpr ULONG_PTR kManyPosts = 100; // more than a kernel may take to treat the port otherwise

void many_posts_leave_in_their_order(void**) // [NtIoCompletion/2]
{
    const HANDLE port = new_port();
    Operation* posted = new_operation();
    for (ULONG_PTR i = 0; i < kManyPosts; ++i)
        post(port, i, &posted->overlapped);
    for (ULONG_PTR i = 0; i < kManyPosts; ++i)
        assert_int_equal(next_packet(port).key, i);
    assert_no_packet(port);
}

void removals_that_wait_get_all_of_many_posts(void**) // [NtIoCompletion/5]
{
    const HANDLE port = new_port();
    Consumers* consumers = start_consumers(port, 3);
    Operation* posted[kManyPosts];
    for (Operation*& one : posted) {
        one = new_operation();
        post(port, kPostKey, &one->overlapped);
    }
    stop_consumers(consumers, kManyPosts);
    for (const Operation* one : posted)
        assert_packet(only_packet_of(consumers, &one->overlapped), kPostKey, 0);
}

void a_pipe_is_heard_where_there_were_many_posts(void**) // [overlapped/32] [NtIoCompletion/10]
{
    const HANDLE port = new_port();
    Operation* posted = new_operation();
    for (ULONG_PTR i = 0; i < kManyPosts; ++i) {
        post(port, i, &posted->overlapped);
        assert_int_equal(next_packet(port).key, i);
    }
    Consumers* consumers = start_consumers(port, 2);
    const Pipe pipe = new_pipe();
    associate(pipe.server, port, kPipeKey);
    Operation* read = start_pipe_read(pipe.server);
    start_write(pipe.client, "abc");
    stop_consumers(consumers, 1);
    assert_packet(only_packet_of(consumers, &read->overlapped), kPipeKey, 3);
}

void a_socket_is_heard_where_there_were_many_posts(void**) // [overlapped/32] [NtIoCompletion/10]
{
    const HANDLE port = new_port();
    const Pipe pipe = new_pipe();
    Operation* posted = new_operation();
    associate(pipe.server, port, kPipeKey);
    for (ULONG_PTR i = 0; i < kManyPosts; ++i)
        post(port, i, &posted->overlapped);
    const TcpPair pair = new_tcp_pair();
    associate(pair.server, port, kPortKey);
    Operation* receive = pending_receive(pair.server);
    for (ULONG_PTR i = 0; i < kManyPosts; ++i)
        assert_int_equal(next_packet(port).key, i);
    send_text(pair.client, "x");
    assert_ptr_equal(next_packet(port).overlapped, &receive->overlapped);
}

// --- Sources that come while a removal waits

void a_waiting_removal_gets_packets_of_a_pipe_associated_later(void**) // [NtIoCompletion/10]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);
    Consumers* consumers = start_consumers(p.port, 2);
    const Pipe pipe = new_pipe();

    associate(pipe.server, p.port, kPipeKey);
    Operation* read = start_pipe_read(pipe.server);
    start_write(pipe.client, "abc");
    await_packets(consumers, 1);
    assert_packet(only_packet_of(consumers, &read->overlapped), kPipeKey, 3);
    send_text(p.pair.client, "x");
    stop_consumers(consumers, 2);
    assert_packet(only_packet_of(consumers, &receive->overlapped), kPortKey, 1);
}

void a_waiting_removal_gets_packets_of_a_socket_beside_a_pipe(void**) // [NtIoCompletion/10]
{
    const HANDLE port = new_port();
    const Pipe pipe = new_pipe();
    associate(pipe.server, port, kPipeKey);
    Operation* read = start_pipe_read(pipe.server);
    Consumers* consumers = start_consumers(port, 2);
    const TcpPair pair = new_tcp_pair();

    associate(pair.server, port, kPortKey);
    Operation* receive = pending_receive(pair.server);
    send_text(pair.client, "x");
    await_packets(consumers, 1);
    assert_packet(only_packet_of(consumers, &receive->overlapped), kPortKey, 1);
    start_write(pipe.client, "abc");
    stop_consumers(consumers, 2);
    assert_packet(only_packet_of(consumers, &read->overlapped), kPipeKey, 3);
}

void an_alertable_removal_gets_packets_of_all_sources(void**) // [overlapped/32] [NtIoCompletion/6]
{
    const Sources s = new_sources();
    OVERLAPPED_ENTRY entry = {};
    ULONG count = 0;
    Operation* receive = pending_receive(s.pair.server);
    Operation* read = start_pipe_read(s.pipe.server);

    Background* peer = run_in_background([=] { return send(s.pair.client, "x", 1, 0); });
    assert_true(GetQueuedCompletionStatusEx(s.port, &entry, 1, &count, kEventLimit, TRUE));
    assert_ptr_equal(entry.lpOverlapped, &receive->overlapped);
    assert_int_equal(join(peer).value, 1);
    start_write(s.pipe.client, "ab");
    assert_true(GetQueuedCompletionStatusEx(s.port, &entry, 1, &count, kEventLimit, TRUE));
    assert_ptr_equal(entry.lpOverlapped, &read->overlapped);
}

void a_datagram_socket_shares_the_port_of_a_stream(void**) // [overlapped/32]
{
    const PortPair p = new_port_pair();
    const UdpPair udp = new_udp_pair();
    associate(udp.b, p.port, 5);
    Operation* receive = pending_receive(p.pair.server);
    Operation* datagram = pending_receive(udp.b);

    send_text(udp.a, "datagram");
    Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &datagram->overlapped);
    assert_packet(packet, 5, 8);
    send_text(p.pair.client, "x");
    packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_packet(packet, kPortKey, 1);
}

void sends_and_receives_are_both_queued(void**) // [overlapped/32]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);
    associate(p.pair.client, p.port, 6);

    Operation* send = start_send(p.pair.client, "hello");
    const Packet packets[] = { next_packet(p.port), next_packet(p.port) };
    const bool send_came_first = packets[0].key == 6;
    assert_packet(packets[!send_came_first], 6, 5);
    assert_ptr_equal(packets[!send_came_first].overlapped, &send->overlapped);
    assert_packet(packets[send_came_first], kPortKey, 5);
    assert_ptr_equal(packets[send_came_first].overlapped, &receive->overlapped);
    assert_no_packet(p.port);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_pipe_shares_the_port_of_a_socket),
    cmocka_unit_test(the_connection_of_a_pipe_is_queued),
    cmocka_unit_test(the_end_of_a_pipe_is_queued_as_a_failure),
    cmocka_unit_test(a_file_shares_the_port_of_a_socket),
    cmocka_unit_test(extension_functions_share_the_port_of_a_socket),
    cmocka_unit_test(posts_come_between_packets_of_sockets),
    cmocka_unit_test(every_packet_of_every_source_is_taken_once),
    cmocka_unit_test(a_pipe_is_heard_behind_busy_sockets),
    cmocka_unit_test(posts_stay_in_order_among_packets_of_sockets),
    cmocka_unit_test(one_removal_takes_packets_of_all_sources),
    cmocka_unit_test(many_posts_leave_in_their_order),
    cmocka_unit_test(removals_that_wait_get_all_of_many_posts),
    cmocka_unit_test(a_pipe_is_heard_where_there_were_many_posts),
    cmocka_unit_test(a_socket_is_heard_where_there_were_many_posts),
    cmocka_unit_test(a_waiting_removal_gets_packets_of_a_pipe_associated_later),
    cmocka_unit_test(a_waiting_removal_gets_packets_of_a_socket_beside_a_pipe),
    cmocka_unit_test(an_alertable_removal_gets_packets_of_all_sources),
    cmocka_unit_test(a_datagram_socket_shares_the_port_of_a_stream),
    cmocka_unit_test(sends_and_receives_are_both_queued),
};

} // namespace

CONFORMANCE_GROUP(port_sources, kCases);
