// AFD polls that the program sends itself, for Winsock's sockets, and its questions for a socket's
// record of events. Rules: spec/afd.md; what a poll tells of each state of a socket is in
// tests/nt/afd_poll.cpp.

#include "common/poll_device.h"

#include "extensions.h"
#include "network_events.h"
#include "peers.h"
#include "ports.h"
#include "unix_sockets.h"

using namespace conformance;

namespace {

constexpr ULONG kReadable = afd::kPollReceive | afd::kPollAccept | afd::kPollDisconnect
    | afd::kPollAbort | afd::kPollLocalClose;
constexpr ULONG kWritable = afd::kPollSend | afd::kPollConnectFail | afd::kPollAbort;
constexpr ULONG_PTR kKey = 0xafd;
constexpr unsigned kMany = 100;
constexpr DWORD kUnixName = sizeof(sockaddr_un) + 16; // of AcceptEx

struct UnixNames {
    char bytes[2 * kUnixName];
};

using OnePoll = poll_device::Poll<1>;
using ManyPolls = poll_device::Poll<kMany>;

HANDLE new_device(Where where = Where::current())
{
    HANDLE device = nullptr;
    const NTSTATUS status = poll_device::open(L"\\Device\\Afd\\Conformance", &device);
    if (status != STATUS_SUCCESS)
        fail_at(where, "the device could not be opened: status %#lx", status);
    return owned(device);
}

/// A device on a port of its own.
struct PolledPort {
    HANDLE device;
    HANDLE port;
};

PolledPort new_polled_port(Where where = Where::current())
{
    const PolledPort result { new_device(where), new_port(where) };
    associate(result.device, result.port, kKey, where);
    if (!SetFileCompletionNotificationModes(result.device, FILE_SKIP_SET_EVENT_ON_HANDLE))
        fail_at(where, "the mode was refused: error %lu", GetLastError());
    return result;
}

/// The socket a program lists: the one below all layers.
SOCKET base_of(SOCKET socket, Where where = Where::current())
{
    SOCKET base = INVALID_SOCKET;
    DWORD length = 0;
    if (WSAIoctl(
            socket, SIO_BASE_HANDLE, nullptr, 0, &base, sizeof(base), &length, nullptr, nullptr)
        != 0)
        fail_at(where, "SIO_BASE_HANDLE failed with %d", WSAGetLastError());
    return base;
}

OnePoll* new_poll(SOCKET socket, ULONG flags, LONGLONG timeout = afd::kPollForever)
{
    auto* poll = lasting<OnePoll>();
    poll->begin(timeout);
    poll->add(base_of(socket), flags);
    return poll;
}

OnePoll* pending_poll(HANDLE device, SOCKET socket, ULONG flags, Where where = Where::current())
{
    OnePoll* poll = new_poll(socket, flags);
    const NTSTATUS status = poll->start(device);
    if (status != STATUS_PENDING)
        fail_at(where, "the poll did not pend: status %#lx", status);
    return poll;
}

/// The next packet must be of that poll and tell one socket with those conditions.
void assert_told(
    HANDLE port, OnePoll* poll, SOCKET socket, ULONG flags, Where where = Where::current())
{
    const Packet packet = next_packet(port, where);
    if (packet.overlapped != poll->context() || packet.key != kKey || !packet.result)
        fail_at(where, "another packet came: result %d, error %lu", packet.result, packet.error);
    const afd::PollEntry& entry = poll->block.entries[0];
    if (poll->block.header.count != 1 || entry.socket != base_of(socket, where))
        fail_at(where, "%u sockets are told", poll->block.header.count);
    if (static_cast<ULONG>(entry.flags) != flags)
        fail_at(where, "conditions %#x are told, not %#lx", entry.flags, flags);
}

// --- By port

void a_poll_is_told_to_the_port_of_its_device(void**) // [afd/81] [afd/105]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);

    assert_no_packet(p.port);
    send_text(pair.client, "x");
    assert_told(p.port, poll, pair.server, afd::kPollReceive);
    assert_no_packet(p.port);
}

void a_ready_socket_is_queued_too(void**) // [afd/80] [afd/105]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.client, kWritable);

    const NTSTATUS status = poll->start(p.device);
    assert_true(status == STATUS_SUCCESS || status == STATUS_PENDING);
    assert_told(p.port, poll, pair.client, afd::kPollSend);
    assert_no_packet(p.port);
}

void a_ready_socket_is_not_queued_in_skip_mode(void**) // [afd/105]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.client, kWritable);
    assert_true(SetFileCompletionNotificationModes(p.device, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));

    if (poll->start(p.device) == STATUS_SUCCESS)
        assert_no_packet(p.port);
    else
        assert_told(p.port, poll, pair.client, afd::kPollSend);
    assert_int_equal(poll->block.header.count, 1);
    assert_int_equal(poll->block.entries[0].flags, afd::kPollSend);
}

void a_poll_without_context_queues_nothing(void**) // [afd/105]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.server, kReadable);
    const HANDLE event = new_auto_event();

    assert_int_equal(poll->start(p.device, event, false), STATUS_PENDING);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    assert_int_equal(poll->iosb.Status, STATUS_SUCCESS);
    assert_no_packet(p.port);
}

void polls_reach_a_consumer_that_waits_already(void**) // [NtIoCompletion/10] [afd/105]
{
    const HANDLE port = new_port();
    Consumers* consumers = start_consumers(port, 2);
    const HANDLE device = new_device();
    const TcpPair pair = new_tcp_pair();
    associate(device, port, kKey);
    OnePoll* poll = pending_poll(device, pair.server, kReadable);

    send_text(pair.client, "x");
    stop_consumers(consumers, 1);
    assert_int_equal(only_packet_of(consumers, poll->context()).key, kKey);
    assert_int_equal(poll->block.entries[0].flags, afd::kPollReceive);
}

void polls_and_operations_share_a_port(void**) // [overlapped/32] [afd/105]
{
    const PolledPort p = new_polled_port();
    const TcpPair polled = new_tcp_pair();
    const TcpPair pair = new_tcp_pair();
    associate(pair.server, p.port, 1);
    OnePoll* poll = pending_poll(p.device, polled.server, kReadable);
    Operation* receive = pending_receive(pair.server);

    send_text(pair.client, "ab");
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    send_text(polled.client, "x");
    assert_told(p.port, poll, polled.server, afd::kPollReceive);
}

// --- By event and by status block

void a_poll_sets_its_event(void**) // [afd/105]
{
    const HANDLE device = new_device();
    const HANDLE event = new_auto_event();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.server, kReadable);

    assert_int_equal(poll->start(device, event), STATUS_PENDING);
    assert_false(is_signaled(event));
    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    assert_int_equal(poll->iosb.Status, STATUS_SUCCESS);
    assert_int_equal(poll->iosb.Information, sizeof(afd::PollHeader) + sizeof(afd::PollEntry));
    assert_int_equal(poll->block.entries[0].flags, afd::kPollReceive);
}

void a_poll_without_event_signals_its_device(void**) // [afd/105]
{
    const HANDLE device = new_device();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.server, kReadable);
    assert_int_equal(poll->start(device), STATUS_PENDING);
    assert_int_equal(WaitForSingleObject(device, 0), WAIT_TIMEOUT);

    send_text(pair.client, "x");
    assert_int_equal(WaitForSingleObject(device, kEventLimit), WAIT_OBJECT_0);
    assert_false(poll->is_pending());
}

// --- Several sockets, several polls

void only_the_ready_of_many_sockets_are_told(void**) // [afd/78]
{
    const PolledPort p = new_polled_port();
    auto* poll = lasting<ManyPolls>();
    TcpPair pairs[20];
    poll->begin();
    for (TcpPair& pair : pairs) {
        pair = new_tcp_pair();
        poll->add(base_of(pair.server), kReadable);
    }
    assert_int_equal(poll->start(p.device), STATUS_PENDING);

    send_text(pairs[13].client, "x");
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, poll->context());
    assert_int_equal(poll->block.header.count, 1);
    assert_int_equal(poll->block.entries[0].socket, base_of(pairs[13].server));
    assert_int_equal(poll->block.entries[0].flags, afd::kPollReceive);
    assert_int_equal(packet.transferred, sizeof(afd::PollHeader) + sizeof(afd::PollEntry));

    send_text(pairs[2].client, "x");
    wait_until_received(pairs[2].server, 1);
    poll->begin();
    for (TcpPair& pair : pairs)
        poll->add(base_of(pair.server), kReadable);
    assert_true(NT_SUCCESS(poll->start(p.device)));
    next_packet(p.port);
    assert_int_equal(poll->block.header.count, 2);
    assert_int_equal(poll->block.entries[0].socket, base_of(pairs[2].server));
    assert_int_equal(poll->block.entries[1].socket, base_of(pairs[13].server));
}

void a_list_of_many_ready_sockets_is_told_whole(void**) // [afd/78]
{
    const PolledPort p = new_polled_port();
    auto* poll = lasting<ManyPolls>();
    SOCKET sockets[kMany];
    poll->begin();
    for (SOCKET& socket : sockets) {
        socket = udp_socket();
        bind_to_loopback(socket);
        poll->add(base_of(socket), kWritable);
    }

    assert_true(NT_SUCCESS(poll->start(p.device)));
    next_packet(p.port);
    assert_int_equal(poll->block.header.count, kMany);
    for (unsigned i = 0; i < kMany; ++i) {
        assert_int_equal(poll->block.entries[i].socket, base_of(sockets[i]));
        assert_int_equal(poll->block.entries[i].flags, afd::kPollSend);
    }
}

/// One poll a socket, all on one device: mio's way.
void many_polls_pend_on_one_device(void**) // [afd/82] [afd/105]
{
    constexpr int kPolls = 40;
    const PolledPort p = new_polled_port();
    TcpPair pairs[kPolls];
    OnePoll* polls[kPolls];
    for (int i = 0; i < kPolls; ++i) {
        pairs[i] = new_tcp_pair();
        polls[i] = pending_poll(p.device, pairs[i].server, kReadable);
    }

    for (int i = kPolls; i-- > 0;) {
        send_text(pairs[i].client, "x");
        assert_told(p.port, polls[i], pairs[i].server, afd::kPollReceive);
    }
    assert_no_packet(p.port);
}

void several_polls_of_one_socket_all_end(void**) // [afd/82]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    Consumers* consumers = start_consumers(p.port, 1);
    OnePoll* polls[3];
    for (OnePoll*& poll : polls)
        poll = pending_poll(p.device, pair.server, kReadable);

    send_text(pair.client, "x");
    stop_consumers(consumers, 3);
    for (OnePoll* poll : polls) {
        only_packet_of(consumers, poll->context());
        assert_int_equal(poll->block.header.count, 1);
    }
}

void readable_and_writable_may_be_polled_apart(void**) // [afd/77]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* reading = pending_poll(p.device, pair.server, kReadable);
    OnePoll* writing = new_poll(pair.server, kWritable);

    assert_true(NT_SUCCESS(writing->start(p.device)));
    assert_told(p.port, writing, pair.server, afd::kPollSend);
    assert_true(reading->is_pending());
    send_text(pair.client, "x");
    assert_told(p.port, reading, pair.server, afd::kPollReceive);
}

// --- What a program does between polls

void a_poll_tells_what_a_receive_left(void**) // [afd/80]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    char data[2];
    set_nonblocking(pair.server);
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);
    send_text(pair.client, "abc");
    assert_told(p.port, poll, pair.server, afd::kPollReceive);
    wait_until_received(pair.server, 3);
    assert_int_equal(recv(pair.server, data, 2, 0), 2);

    poll = new_poll(pair.server, kReadable);
    assert_true(NT_SUCCESS(poll->start(p.device)));
    assert_told(p.port, poll, pair.server, afd::kPollReceive);
    assert_int_equal(recv(pair.server, data, 2, 0), 1);
    assert_wsa_fails(recv(pair.server, data, 2, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    poll = pending_poll(p.device, pair.server, kReadable);
    send_text(pair.client, "d");
    assert_told(p.port, poll, pair.server, afd::kPollReceive);
}

void a_poll_tells_when_a_full_connection_drains(void**) // [afd/81]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    const size_t sent = send_until_full(pair.client);
    OnePoll* poll = pending_poll(p.device, pair.client, kWritable);

    Background* peer = run_in_background([=] {
        static char data[65536];
        size_t received = 0;
        while (received < sent) {
            const int length = recv(pair.server, data, sizeof(data), 0);
            if (length <= 0)
                break;
            received += static_cast<size_t>(length);
        }
        return static_cast<long long>(received);
    });
    assert_told(p.port, poll, pair.client, afd::kPollSend);
    assert_int_equal(join(peer).value, sent);
}

void a_poll_tells_the_end_of_a_connect(void**) // [afd/75]
{
    const PolledPort p = new_polled_port();
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    assert_wsa_fails(connect(client, as_name(listener.address), listener.address_length),
        SOCKET_ERROR, WSAEWOULDBLOCK);

    OnePoll* poll = new_poll(client, kWritable);
    assert_true(NT_SUCCESS(poll->start(p.device)));
    assert_told(p.port, poll, client, afd::kPollSend);
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), 0);
}

void a_poll_tells_a_refused_connect(void**) // [afd/76]
{
    const PolledPort p = new_polled_port();
    const sockaddr_storage nobody = refusing_address();
    const SOCKET client = tcp_socket();
    set_nonblocking(client);
    assert_wsa_fails(
        connect(client, as_name(nobody), sizeof(sockaddr_in)), SOCKET_ERROR, WSAEWOULDBLOCK);

    OnePoll* poll = new_poll(client, kWritable);
    assert_true(NT_SUCCESS(poll->start(p.device)));
    assert_told(p.port, poll, client, afd::kPollConnectFail);
    assert_int_equal(
        static_cast<ULONG>(poll->block.entries[0].status), (ULONG)STATUS_CONNECTION_REFUSED);
    assert_int_equal(option(client, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
}

void a_poll_tells_a_connection_to_accept(void**) // [afd/75]
{
    const PolledPort p = new_polled_port();
    const Listener listener = new_listener();
    OnePoll* poll = pending_poll(p.device, listener.socket, kReadable);

    connect_to(listener);
    assert_told(p.port, poll, listener.socket, afd::kPollAccept);
    accept_from(listener);
    poll = pending_poll(p.device, listener.socket, kReadable);
    connect_to(listener);
    assert_told(p.port, poll, listener.socket, afd::kPollAccept);
}

/// The socket that a connection is accepted into becomes another one for Linux.
void a_poll_of_an_acceptor_tells_its_data(void**) // [afd/81] [af_unix/12]
{
    const PolledPort p = new_polled_port();
    const UnixListener listener = new_unix_listener();
    const SOCKET acceptor = unix_socket();
    auto* names = lasting<UnixNames>();
    Operation* accepting = new_operation(new_event());
    OnePoll* early = new_poll(acceptor, kReadable);
    early->start(p.device); // of a socket that is none yet: whatever it tells
    assert_wsa_fails(accept_ex_of(listener.socket)(listener.socket, acceptor, names->bytes, 0,
                         kUnixName, kUnixName, &accepting->transferred, &accepting->overlapped),
        FALSE, WSA_IO_PENDING);
    const SOCKET client = connect_to(listener);
    assert_int_equal(await_status(accepting), STATUS_SUCCESS);
    OnePoll* poll = early;
    if (!early->is_pending()) {
        next_packet(p.port);
        poll = pending_poll(p.device, acceptor, kReadable);
    }
    send_text(client, "x");
    assert_told(p.port, poll, acceptor, afd::kPollReceive);
    assert_true(DeleteFileA(listener.name.sun_path));
}

void a_poll_tells_the_peers_end(void**) // [afd/76]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);

    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_told(p.port, poll, pair.server, afd::kPollDisconnect);
    poll = new_poll(pair.server, kReadable);
    assert_true(NT_SUCCESS(poll->start(p.device)));
    assert_told(p.port, poll, pair.server, afd::kPollDisconnect);
}

void a_poll_tells_the_peers_reset(void**) // [afd/76]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = pending_poll(p.device, pair.server, afd::kPollAbort);

    reset_connection(pair.client);
    assert_told(p.port, poll, pair.server, afd::kPollAbort);
}

void a_poll_runs_beside_a_selection(void**) // [afd/82]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    WSANETWORKEVENTS record = {};
    assert_wsa_ok(WSAEventSelect(pair.server, event, FD_READ));
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);

    send_text(pair.client, "x");
    assert_told(p.port, poll, pair.server, afd::kPollReceive);
    assert_becomes_signaled(event);
    assert_wsa_ok(WSAEnumNetworkEvents(pair.server, event, &record));
    assert_int_equal(record.lNetworkEvents, FD_READ);
}

// --- Ends without a condition

void a_cancelled_poll_is_queued(void**) // [afd/96] [afd/105]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* other = pending_poll(p.device, pair.server, kReadable);
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);

    assert_int_equal(poll->cancel(p.device), STATUS_SUCCESS);
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, poll->context());
    assert_false(packet.result);
    assert_int_equal(packet.error, ERROR_OPERATION_ABORTED);
    assert_int_equal((DWORD)poll->iosb.Status, (DWORD)STATUS_CANCELLED);
    assert_true(other->is_pending());
    send_text(pair.client, "x");
    assert_told(p.port, other, pair.server, afd::kPollReceive);
    assert_no_packet(p.port);
}

void a_poll_that_has_ended_cannot_be_cancelled(void**) // [NtFile/9]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);
    send_text(pair.client, "x");
    assert_told(p.port, poll, pair.server, afd::kPollReceive);

    assert_int_equal((DWORD)poll->cancel(p.device), (DWORD)STATUS_NOT_FOUND);
    assert_no_packet(p.port);
}

void a_poll_may_run_out_of_time(void**) // [afd/81]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.server, kReadable, -30 * 10'000);

    assert_int_equal(poll->start(p.device), STATUS_PENDING);
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, poll->context());
    assert_int_equal(poll->iosb.Status, STATUS_TIMEOUT);
    assert_int_equal(poll->block.header.count, 0);
}

void closing_the_socket_ends_its_poll(void**) // [afd/84]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    const SOCKET base = base_of(pair.server);
    OnePoll* poll = pending_poll(p.device, pair.server, kReadable);

    close_owned(pair.server);
    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, poll->context());
    assert_true(packet.result);
    assert_int_equal(poll->block.header.count, 1);
    assert_int_equal(poll->block.entries[0].socket, base);
    assert_int_equal(poll->block.entries[0].flags, afd::kPollLocalClose);
}

void closing_one_socket_of_a_list_ends_the_poll(void**) // [afd/84]
{
    const PolledPort p = new_polled_port();
    const TcpPair first = new_tcp_pair();
    const TcpPair second = new_tcp_pair();
    auto* poll = lasting<ManyPolls>();
    const SOCKET base = base_of(second.server);
    poll->begin();
    poll->add(base_of(first.server), kReadable);
    poll->add(base, kReadable);
    assert_int_equal(poll->start(p.device), STATUS_PENDING);

    close_owned(second.server);
    assert_ptr_equal(next_packet(p.port).overlapped, poll->context());
    assert_int_equal(poll->block.header.count, 1);
    assert_int_equal(poll->block.entries[0].socket, base);
    assert_int_equal(poll->block.entries[0].flags, afd::kPollLocalClose);
}

void an_exclusive_poll_ends_the_one_before(void**) // [afd/82]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* polls[2];
    for (OnePoll*& poll : polls) {
        poll = lasting<OnePoll>();
        poll->begin(afd::kPollForever, true);
        poll->add(base_of(pair.server), kReadable);
        assert_int_equal(poll->start(p.device), STATUS_PENDING);
    }

    const Packet packet = next_packet(p.port);
    assert_ptr_equal(packet.overlapped, polls[0]->context());
    assert_true(packet.result);
    assert_int_equal(polls[0]->block.header.count, 0);
    send_text(pair.client, "x");
    assert_told(p.port, polls[1], pair.server, afd::kPollReceive);
}

void a_poll_outlives_its_thread(void**) // [NtFile/11]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    OnePoll* poll = new_poll(pair.server, kReadable);
    Background* starter = run_in_background([=] { return poll->start(p.device); });

    assert_int_equal(join(starter).value, STATUS_PENDING);
    assert_no_packet(p.port);
    send_text(pair.client, "x");
    assert_told(p.port, poll, pair.server, afd::kPollReceive);
}

// --- What is refused

void a_poll_checks_its_list(void**) // [afd/79]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    auto* poll = lasting<OnePoll>();
    poll->begin();
    assert_int_equal((DWORD)poll->start(p.device), (DWORD)STATUS_INVALID_PARAMETER);

    for (const auto& [handle, status] :
        { std::pair { HANDLE(new_auto_event()), STATUS_OBJECT_TYPE_MISMATCH },
            std::pair { HANDLE(as_handle(0x7ffff0)), STATUS_INVALID_HANDLE } }) {
        poll->begin();
        poll->add(reinterpret_cast<SOCKET>(handle), kReadable);
        assert_int_equal((DWORD)poll->start(p.device), (DWORD)status);
    }
    assert_no_packet(p.port);
    OnePoll* good = pending_poll(p.device, pair.server, kReadable);
    send_text(pair.client, "x");
    assert_told(p.port, good, pair.server, afd::kPollReceive);
}

void a_poll_of_an_unreadable_block_is_refused(void**) // [afd/106]
{
    const PolledPort p = new_polled_port();
    const TcpPair pair = new_tcp_pair();
    auto* poll = lasting<OnePoll>();
    void* const gone = lasting_memory(4096);
    assert_true(VirtualFree(gone, 0, MEM_RELEASE));

    for (void* bad : { static_cast<void*>(nullptr), gone })
        assert_false(NT_SUCCESS(NtDeviceIoControlFile(p.device, nullptr, nullptr, &poll->iosb,
            &poll->iosb, afd::kIoctlPoll, bad, sizeof(poll->block), bad, sizeof(poll->block))));
    assert_no_packet(p.port);
    OnePoll* good = pending_poll(p.device, pair.server, kReadable);
    send_text(pair.client, "x");
    assert_told(p.port, good, pair.server, afd::kPollReceive);
}

// --- The record

/// The conditions that the device tells of a socket with a selection.
ULONG recorded(SOCKET socket, Where where = Where::current())
{
    IO_STATUS_BLOCK iosb = {};
    afd::GetEventsResult result = {};
    const NTSTATUS status = NtDeviceIoControlFile(as_handle(base_of(socket, where)), nullptr,
        nullptr, nullptr, &iosb, afd::kIoctlGetEvents, nullptr, 0, &result, sizeof(result));
    if (status != STATUS_SUCCESS)
        fail_at(where, "the device tells no events: status %#lx", status);
    return result.flags;
}

void the_device_takes_events_from_the_record(void**) // [WSAEnumNetworkEvents/14]
{
    const Listener listener = new_listener();
    const SOCKET client = tcp_socket();
    const WSAEVENT event = new_event();
    constexpr long kAll = FD_READ | FD_WRITE | FD_OOB | FD_ACCEPT | FD_CONNECT | FD_CLOSE;
    select_events(client, event, kAll);
    assert_wsa_fails(connect(client, reinterpret_cast<const sockaddr*>(&listener.address),
                         listener.address_length),
        SOCKET_ERROR, WSAEWOULDBLOCK);
    const SOCKET server = accept_from(listener);
    select_events(server, event, kAll);
    wait_until_writable(client);

    assert_int_equal(recorded(client), afd::kPollConnect | afd::kPollSend);
    assert_int_equal(recorded(client), 0);
    assert_int_equal(recorded(server), afd::kPollSend);
    WSANETWORKEVENTS events = {};
    for (const SOCKET socket : { client, server }) {
        assert_wsa_ok(WSAEnumNetworkEvents(socket, nullptr, &events));
        assert_int_equal(events.lNetworkEvents, 0);
    }
    reset_connection(server);
    assert_eventually([&] { return recorded(client) == afd::kPollAbort; });
    assert_int_equal(recorded(client), 0);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_poll_is_told_to_the_port_of_its_device),
    cmocka_unit_test(a_ready_socket_is_queued_too),
    cmocka_unit_test(a_ready_socket_is_not_queued_in_skip_mode),
    cmocka_unit_test(a_poll_without_context_queues_nothing),
    cmocka_unit_test(polls_reach_a_consumer_that_waits_already),
    cmocka_unit_test(polls_and_operations_share_a_port),
    cmocka_unit_test(a_poll_sets_its_event),
    cmocka_unit_test(a_poll_without_event_signals_its_device),
    cmocka_unit_test(only_the_ready_of_many_sockets_are_told),
    cmocka_unit_test(a_list_of_many_ready_sockets_is_told_whole),
    cmocka_unit_test(many_polls_pend_on_one_device),
    cmocka_unit_test(several_polls_of_one_socket_all_end),
    cmocka_unit_test(readable_and_writable_may_be_polled_apart),
    cmocka_unit_test(a_poll_tells_what_a_receive_left),
    cmocka_unit_test(a_poll_tells_when_a_full_connection_drains),
    cmocka_unit_test(a_poll_tells_the_end_of_a_connect),
    cmocka_unit_test(a_poll_tells_a_refused_connect),
    cmocka_unit_test(a_poll_tells_a_connection_to_accept),
    cmocka_unit_test(a_poll_of_an_acceptor_tells_its_data),
    cmocka_unit_test(a_poll_tells_the_peers_end),
    cmocka_unit_test(a_poll_tells_the_peers_reset),
    cmocka_unit_test(a_poll_runs_beside_a_selection),
    cmocka_unit_test(a_cancelled_poll_is_queued),
    cmocka_unit_test(a_poll_that_has_ended_cannot_be_cancelled),
    cmocka_unit_test(a_poll_may_run_out_of_time),
    cmocka_unit_test(closing_the_socket_ends_its_poll),
    cmocka_unit_test(closing_one_socket_of_a_list_ends_the_poll),
    cmocka_unit_test(an_exclusive_poll_ends_the_one_before),
    cmocka_unit_test(a_poll_outlives_its_thread),
    cmocka_unit_test(a_poll_checks_its_list),
    cmocka_unit_test(a_poll_of_an_unreadable_block_is_refused),
    cmocka_unit_test(the_device_takes_events_from_the_record),
};

} // namespace

CONFORMANCE_GROUP(device_poll, kCases);
