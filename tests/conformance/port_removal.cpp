// Posting packets to a completion port and removing them. Rules: spec/NtIoCompletion.md.

#include "ports.h"

using namespace conformance;

namespace {

constexpr ULONG kFew = 4;

/// What a time-out must leave alone.
constexpr DWORD kUntouched = 0xdeadbeef;

struct Removal {
    BOOL result;
    DWORD error;
    ULONG count;
    OVERLAPPED_ENTRY entries[kFew];
};

Removal* remove_several(Removal* removal, HANDLE port, ULONG most, DWORD timeout, BOOL alertable)
{
    SetLastError(kPoison);
    removal->result = GetQueuedCompletionStatusEx(
        port, removal->entries, most, &removal->count, timeout, alertable);
    removal->error = GetLastError();
    return removal;
}

/// The same on another thread.
Background* remove_in_background(
    Removal* removal, HANDLE port, DWORD timeout, BOOL alertable, Where where = Where::current())
{
    Background* result = run_in_background(
        [=] { return remove_several(removal, port, kFew, timeout, alertable)->result; }, where);
    let_it_settle();
    return result;
}

// --- Packets

void posted_packets_leave_in_order(void**) // [NtIoCompletion/1] [NtIoCompletion/2]
{
    const HANDLE port = new_port();
    Operation* operations[10];
    for (DWORD i = 0; i < 10; ++i) {
        operations[i] = new_operation();
        post(port, i * 1000, &operations[i]->overlapped, i * 100);
    }
    for (DWORD i = 0; i < 10; ++i) {
        const Packet packet = next_packet(port);
        assert_true(packet.result);
        assert_int_equal(packet.key, i * 1000);
        assert_int_equal(packet.transferred, i * 100);
        assert_ptr_equal(packet.overlapped, &operations[i]->overlapped);
    }
    assert_no_packet(port);
}

void anything_may_be_posted_as_overlapped(void**) // [NtIoCompletion/9]
{
    const HANDLE port = new_port();
    auto* const nowhere = reinterpret_cast<OVERLAPPED*>(uintptr_t(0x11));

    post(port, 1, nowhere, 2);
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_ptr_equal(packet.overlapped, nowhere);
    post(port, 3, nullptr, 4);
    const Packet without = take_packet(port);
    assert_true(without.result);
    assert_null(without.overlapped);
    assert_int_equal(without.key, 3);
    assert_int_equal(without.transferred, 4);
}

void success_keeps_the_last_error(void**) // [NtIoCompletion/9]
{
    const HANDLE port = new_port();
    post(port, 1);

    assert_int_equal(take_packet(port).error, kPoison);
}

void the_largest_values_are_kept(void**) // [NtIoCompletion/1]
{
    const HANDLE port = new_port();
    Operation* operation = new_operation();
    post(port, ~ULONG_PTR(0), &operation->overlapped, 0xffffffff);

    const Packet packet = next_packet(port);
    assert_true(packet.key == ~ULONG_PTR(0));
    assert_int_equal(packet.transferred, 0xffffffff);
}

void several_packets_leave_at_once(void**) // [NtIoCompletion/4]
{
    const HANDLE port = new_port();
    Removal removal = {};
    Operation* operation = new_operation();
    for (ULONG_PTR i = 0; i < 6; ++i)
        post(port, i, &operation->overlapped, static_cast<DWORD>(i + 10));

    assert_true(remove_several(&removal, port, kFew, INFINITE, FALSE)->result);
    assert_int_equal(removal.count, kFew);
    for (ULONG_PTR i = 0; i < kFew; ++i) {
        assert_int_equal(removal.entries[i].lpCompletionKey, i);
        assert_int_equal(removal.entries[i].dwNumberOfBytesTransferred, i + 10);
        assert_ptr_equal(removal.entries[i].lpOverlapped, &operation->overlapped);
        // Its upper half means nothing.
        assert_int_equal(static_cast<ULONG>(removal.entries[i].Internal), STATUS_SUCCESS);
    }
    assert_true(remove_several(&removal, port, kFew, INFINITE, FALSE)->result);
    assert_int_equal(removal.count, 2);
    assert_int_equal(removal.entries[0].lpCompletionKey, 4);
    assert_int_equal(removal.entries[1].lpCompletionKey, 5);
}

void a_removal_of_several_takes_what_is_there(void**) // [NtIoCompletion/4]
{
    const HANDLE port = new_port();
    Removal removal = {};
    post(port, 1);

    assert_true(remove_several(&removal, port, kFew, INFINITE, FALSE)->result);
    assert_int_equal(removal.count, 1);
}

void a_removal_of_none_is_refused(void**) // [NtIoCompletion/4]
{
    const HANDLE port = new_port();
    Removal removal = {};
    post(port, 1);

    assert_false(remove_several(&removal, port, 0, 0, FALSE)->result);
    assert_int_equal(removal.error, ERROR_INVALID_PARAMETER);
    assert_true(take_packet(port, 0).result);
}

// --- Time

void an_empty_port_is_told_at_once(void**) // [NtIoCompletion/3]
{
    const Packet packet = take_packet(new_port(), 0);

    assert_false(packet.result);
    assert_int_equal(packet.error, WAIT_TIMEOUT);
    assert_null(packet.overlapped);
    assert_int_equal(packet.key, kUntouched);
    assert_int_equal(packet.transferred, kUntouched);
}

void a_removal_waits_for_its_time(void**) // [NtIoCompletion/3]
{
    constexpr DWORD kTime = 120; // ms
    const HANDLE port = new_port();
    const HANDLE timer = owned(CreateWaitableTimerW(nullptr, TRUE, nullptr));
    // The clock a wait is measured by: a timer that is due earlier has fired when it is over.
    LARGE_INTEGER due;
    due.QuadPart = -10'000LL * (kTime / 2);
    assert_true(SetWaitableTimer(timer, &due, 0, nullptr, nullptr, FALSE));

    const Packet packet = take_packet(port, kTime);
    assert_false(packet.result);
    assert_int_equal(packet.error, WAIT_TIMEOUT);
    assert_null(packet.overlapped);
    assert_int_equal(WaitForSingleObject(timer, 0), WAIT_OBJECT_0);
}

void a_removal_of_several_times_out(void**) // [NtIoCompletion/3]
{
    const HANDLE port = new_port();
    Removal removal = {};

    assert_false(remove_several(&removal, port, kFew, 0, FALSE)->result);
    assert_int_equal(removal.error, WAIT_TIMEOUT);
    assert_false(remove_several(&removal, port, kFew, 30, FALSE)->result);
    assert_int_equal(removal.error, WAIT_TIMEOUT);
    assert_false(remove_several(&removal, port, kFew, 30, TRUE)->result);
    assert_int_equal(removal.error, WAIT_TIMEOUT);
}

void a_post_ends_a_removal_that_waits(void**) // [NtIoCompletion/5]
{
    for (DWORD timeout : { DWORD(INFINITE), kHangLimit }) {
        const HANDLE port = new_port();
        auto* packet = lasting<Packet>();
        Background* wait
            = run_in_background([=] { return (*packet = take_packet(port, timeout)).result; });
        let_it_settle();

        post(port, 7, nullptr, 8);
        assert_true(join(wait).value);
        assert_int_equal(packet->key, 7);
        assert_int_equal(packet->transferred, 8);
    }
}

void a_post_ends_a_removal_of_several_that_waits(void**) // [NtIoCompletion/5]
{
    const HANDLE port = new_port();
    auto* removal = lasting<Removal>();
    Background* wait = remove_in_background(removal, port, INFINITE, FALSE);

    post(port, 7);
    assert_true(join(wait).value);
    assert_int_equal(removal->count, 1);
    assert_int_equal(removal->entries[0].lpCompletionKey, 7);
}

void each_post_ends_one_removal(void**) // [NtIoCompletion/5]
{
    constexpr int kWaits = 4;
    const HANDLE port = new_port();
    Background* waits[kWaits];
    auto* keys = static_cast<std::atomic<unsigned>*>(lasting_memory(sizeof(std::atomic<unsigned>)));
    for (Background*& wait : waits) {
        wait = run_in_background([=] {
            const Packet packet = take_packet(port, INFINITE);
            *keys += 1u << packet.key;
            return packet.result;
        });
    }
    let_it_settle();

    for (ULONG_PTR i = 0; i < kWaits; ++i)
        post(port, i);
    for (Background* wait : waits)
        assert_true(join(wait).value);
    assert_int_equal(keys->load(), 0xf);
}

void packets_of_many_posters_are_taken_once(void**) // [NtIoCompletion/5]
{
    constexpr int kPosters = 3;
    constexpr int kEach = 100;
    const HANDLE port = new_port();
    static Operation* operations[kPosters][kEach];
    Background* posters[kPosters];
    Consumers* consumers = start_consumers(port, 3);
    for (int i = 0; i < kPosters; ++i) {
        for (Operation*& operation : operations[i])
            operation = new_operation();
        posters[i] = run_in_background([=] {
            long long posted = 0;
            for (Operation* operation : operations[i])
                posted += PostQueuedCompletionStatus(port, 1, 2, &operation->overlapped);
            return posted;
        });
    }

    for (Background* poster : posters)
        assert_int_equal(join(poster).value, kEach);
    stop_consumers(consumers, kPosters * kEach);
    for (const auto& row : operations)
        for (Operation* operation : row)
            only_packet_of(consumers, &operation->overlapped);
}

/// Whichever of two waiting threads is suspended, and one that is its port's only one, too.
void a_suspended_removal_leaves_packets_to_others(void**) // [NtIoCompletion/14]
{
    for (const int suspended : { 0, 1 }) {
        const PortPair p = new_port_pair();
        Background* waits[2];
        Packet* packets[2];
        for (int i = 0; i < 2; ++i) {
            packets[i] = lasting<Packet>();
            waits[i] = run_in_background(
                [=] { return (*packets[i] = take_packet(p.port, INFINITE)).result; });
            let_it_settle();
        }
        Operation* receive = pending_receive(p.pair.server);

        assert_int_equal(SuspendThread(background_thread(waits[suspended])), 0);
        send_text(p.pair.client, "x");
        const Outcome other = join(waits[1 - suspended]);
        // The one that is left is suspended.
        post(p.port, 7);
        const Packet own = take_packet(p.port);
        Operation* again = pending_receive(p.pair.server);
        send_text(p.pair.client, "x");
        const Packet of_socket = take_packet(p.port);
        assert_int_equal(ResumeThread(background_thread(waits[suspended])), 1);
        assert_true(other.value);
        assert_ptr_equal(packets[1 - suspended]->overlapped, &receive->overlapped);
        assert_int_equal(own.key, 7);
        assert_ptr_equal(of_socket.overlapped, &again->overlapped);

        post(p.port, 8);
        assert_true(join(waits[suspended]).value);
        assert_int_equal(packets[suspended]->key, 8);
    }
}

// --- Alertable removals

int apcs_run;

void CALLBACK count_apc(ULONG_PTR)
{
    ++apcs_run;
}

int forget_apcs(void**)
{
    apcs_run = 0;
    return 0;
}

void queue_apc(HANDLE thread, Where where = Where::current())
{
    if (!QueueUserAPC(count_apc, thread, 0))
        fail_at(where, "QueueUserAPC failed with %lu", GetLastError());
}

void an_apc_queued_before_ends_an_alertable_removal(void**) // [NtIoCompletion/6]
{
    const HANDLE port = new_port();
    Removal removal = {};
    queue_apc(GetCurrentThread());

    assert_false(remove_several(&removal, port, kFew, INFINITE, TRUE)->result);
    assert_int_equal(removal.error, WAIT_IO_COMPLETION);
    assert_int_equal(apcs_run, 1);
}

void an_apc_queued_meanwhile_ends_an_alertable_removal(void**) // [NtIoCompletion/6]
{
    const HANDLE port = new_port();
    auto* removal = lasting<Removal>();
    Background* wait = remove_in_background(removal, port, INFINITE, TRUE);

    queue_apc(background_thread(wait));
    assert_false(join(wait).value);
    assert_int_equal(removal->error, WAIT_IO_COMPLETION);
    assert_int_equal(apcs_run, 1);
}

void a_removal_that_is_not_alertable_runs_no_apc(void**) // [NtIoCompletion/6]
{
    const HANDLE port = new_port();
    auto* removal = lasting<Removal>();
    Background* wait = remove_in_background(removal, port, INFINITE, FALSE);

    queue_apc(background_thread(wait));
    let_it_settle();
    assert_false(has_ended(wait));
    assert_int_equal(apcs_run, 0);
    post(port, 1);
    assert_true(join(wait).value);
}

void a_packet_ends_an_alertable_removal(void**) // [NtIoCompletion/6]
{
    const HANDLE port = new_port();
    auto* removal = lasting<Removal>();
    Background* wait = remove_in_background(removal, port, INFINITE, TRUE);

    post(port, 5);
    assert_true(join(wait).value);
    assert_int_equal(removal->count, 1);
    assert_int_equal(removal->entries[0].lpCompletionKey, 5);
}

void a_sockets_packet_ends_an_alertable_removal(void**) // [NtIoCompletion/6]
{
    const PortPair p = new_port_pair();
    auto* removal = lasting<Removal>();
    Operation* receive = pending_receive(p.pair.server);
    Background* wait = remove_in_background(removal, p.port, INFINITE, TRUE);

    send_text(p.pair.client, "x");
    assert_true(join(wait).value);
    assert_int_equal(removal->count, 1);
    assert_ptr_equal(removal->entries[0].lpOverlapped, &receive->overlapped);
    assert_int_equal(removal->entries[0].dwNumberOfBytesTransferred, 1);
}

/// How a thread comes to a packet.
enum class Removing { Plain, Alertable, AfterWaitForPort };

/// Waits for one packet, up to kEventLimit.
bool remove_one(HANDLE port, Removing how, Removal* removal)
{
    if (how != Removing::AfterWaitForPort)
        return remove_several(removal, port, 1, kEventLimit, how == Removing::Alertable)->result;
    // It may be another thread's by the time it is asked for.
    while (WaitForSingleObject(port, kEventLimit) == WAIT_OBJECT_0) {
        if (take_packet(port, 0).result)
            return true;
    }
    return false;
}

/// Of sockets that are ready at the same moment one thread serves all, but has use for one packet:
/// the others are for whoever waits, in whatever way, although the first does not come back.
void packets_of_one_moment_end_all_kinds_of_removals(void**) // [NtIoCompletion/5]
{
    constexpr LONG kRounds = 200;
    constexpr LONG kThreads = 3;
    const HANDLE port = new_port();
    TcpPair pairs[kThreads];
    Operation* receives[kThreads];
    Background* waits[kThreads];
    auto* taken = static_cast<std::atomic<LONG>*>(lasting_memory(sizeof(std::atomic<LONG>)));
    const auto await_round = [=](LONG round) { return comes_to(*taken, kThreads * round); };
    for (int i = 0; i < kThreads; ++i) {
        pairs[i] = new_tcp_pair();
        associate(pairs[i].server, port, kPortKey);
        receives[i] = new_operation();
        waits[i] = run_in_background([=] {
            auto* removal = lasting<Removal>();
            LONG round = 0;
            while (round < kRounds && remove_one(port, static_cast<Removing>(i), removal)) {
                ++*taken;
                if (!await_round(++round))
                    break;
            }
            return round;
        });
    }
    bool is_well = true;
    for (LONG round = 1; is_well && round <= kRounds; ++round) {
        for (int i = 0; i < kThreads; ++i) {
            receives[i]->overlapped = {};
            start_receive(pairs[i].server, receives[i]);
        }
        Sleep(1); // all wait
        for (const TcpPair& pair : pairs)
            send(pair.client, "x", 1, 0);
        is_well = await_round(round);
    }
    for (Background* wait : waits)
        assert_int_equal(join(wait).value, kRounds);
}

void apcs_and_packets_all_arrive(void**) // [NtIoCompletion/6]
{
    constexpr int kEach = 40;
    const HANDLE port = new_port();
    Background* consumer = run_in_background([=] {
        long long packets = 0;
        for (Removal removal = {}; packets < kEach || apcs_run < kEach;) {
            remove_several(&removal, port, 1, kEventLimit, TRUE);
            if (!removal.result && removal.error != WAIT_IO_COMPLETION)
                break;
            packets += removal.result ? removal.count : 0;
        }
        return packets;
    });

    for (int i = 0; i < kEach; ++i) {
        queue_apc(background_thread(consumer));
        post(port, 1);
    }
    assert_int_equal(join(consumer).value, kEach);
    assert_int_equal(apcs_run, kEach);
}

void CALLBACK count_completion(DWORD, DWORD, LPWSAOVERLAPPED, DWORD)
{
    ++apcs_run;
}

/// The routine belongs to a socket that has nothing to do with the port.
void a_completion_routine_ends_an_alertable_removal(void**) // [NtIoCompletion/6]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    Removal removal = {};
    Operation* receive = new_operation();
    assert_wsa_fails(
        start_receive(pair.server, receive, count_completion), SOCKET_ERROR, WSA_IO_PENDING);
    Background* peer = run_in_background([=] { return send(pair.client, "x", 1, 0); });

    assert_false(remove_several(&removal, port, kFew, kEventLimit, TRUE)->result);
    assert_int_equal(removal.error, WAIT_IO_COMPLETION);
    assert_int_equal(apcs_run, 1);
    assert_int_equal(join(peer).value, 1);
}

// --- A removal that waits before the first source comes

void a_removal_gets_packets_of_a_socket_associated_later(void**) // [NtIoCompletion/10]
{
    const HANDLE port = new_port();
    Consumers* consumers = start_consumers(port, 1);
    const TcpPair pair = new_tcp_pair();

    associate(pair.server, port, 5);
    Operation* receive = pending_receive(pair.server);
    send_text(pair.client, "hello");
    stop_consumers(consumers, 1);
    const Packet packet = only_packet_of(consumers, &receive->overlapped);
    assert_int_equal(packet.key, 5);
    assert_int_equal(packet.transferred, 5);
}

void all_waiting_removals_get_packets_of_sockets_associated_later(void**) // [NtIoCompletion/10]
{
    constexpr int kConsumers = 4;
    const HANDLE port = new_port();
    Background* waits[kConsumers];
    Operation* receives[kConsumers];
    TcpPair pairs[kConsumers];
    for (Background*& wait : waits)
        wait = run_in_background([=] { return take_packet(port).result; });
    let_it_settle();

    // Each of these threads takes one packet and ends: all must be reached.
    for (int i = 0; i < kConsumers; ++i) {
        pairs[i] = new_tcp_pair();
        associate(pairs[i].server, port, 5);
        receives[i] = pending_receive(pairs[i].server);
    }
    for (const TcpPair& pair : pairs)
        send_text(pair.client, "x");
    for (Background* wait : waits)
        assert_true(join(wait).value);
    for (Operation* receive : receives)
        assert_int_equal(receive->overlapped.InternalHigh, 1);
}

void an_immediate_result_reaches_a_removal_that_waited_before(void**) // [NtIoCompletion/10]
{
    const HANDLE port = new_port();
    Consumers* consumers = start_consumers(port, 2);
    const TcpPair pair = new_tcp_pair();
    Operation* receive = new_operation();
    send_text(pair.client, "hello");
    wait_until_received(pair.server, 5);

    associate(pair.server, port, 5);
    assert_wsa_ok(start_receive(pair.server, receive));
    stop_consumers(consumers, 1);
    assert_int_equal(only_packet_of(consumers, &receive->overlapped).transferred, 5);
}

void packets_before_the_first_socket_are_kept(void**) // [NtIoCompletion/10]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    post(port, 1);
    post(port, 2);

    associate(pair.server, port, 5);
    Operation* receive = pending_receive(pair.server);
    post(port, 3);
    for (ULONG_PTR key = 1; key <= 3; ++key)
        assert_int_equal(take_packet(port).key, key);
    send_text(pair.client, "x");
    assert_ptr_equal(next_packet(port).overlapped, &receive->overlapped);
}

// --- Handles of a port

void duplicates_of_the_handle_are_one_port(void**) // [NtIoCompletion/11]
{
    const HANDLE port = new_port();
    const HANDLE copy = copy_of(port);

    post(port, 1);
    assert_int_equal(take_packet(copy, 0).key, 1);
    post(copy, 2);
    assert_int_equal(take_packet(port, 0).key, 2);
    assert_int_equal(take_packet(copy, 0).error, WAIT_TIMEOUT);
}

void a_post_to_a_duplicate_ends_a_removal_that_waits(void**) // [NtIoCompletion/11]
{
    const HANDLE port = new_port();
    const HANDLE copy = copy_of(port);
    Background* wait = run_in_background([=] { return take_packet(copy).key; });
    let_it_settle();

    post(port, 9);
    assert_int_equal(join(wait).value, 9);
}

void a_socket_may_be_associated_by_a_duplicate(void**) // [NtIoCompletion/11]
{
    const HANDLE port = new_port();
    const HANDLE copy = copy_of(port);
    const TcpPair pair = new_tcp_pair();
    associate(pair.server, copy, 5);

    Operation* first = pending_receive(pair.server);
    send_text(pair.client, "x");
    assert_ptr_equal(next_packet(port).overlapped, &first->overlapped);
    Operation* second = pending_receive(pair.server);
    send_text(pair.client, "x");
    assert_ptr_equal(next_packet(copy).overlapped, &second->overlapped);
}

void a_duplicate_of_a_port_with_sockets_is_the_same_port(void**) // [NtIoCompletion/11]
{
    const PortPair p = new_port_pair();
    Operation* first = pending_receive(p.pair.server);
    const HANDLE copy = copy_of(p.port);

    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(copy).overlapped, &first->overlapped);
    post(copy, 3);
    assert_int_equal(take_packet(p.port).key, 3);
}

void the_port_lives_as_long_as_a_handle(void**) // [NtIoCompletion/11]
{
    const PortPair p = new_port_pair();
    const HANDLE copy = copy_of(p.port);
    Operation* receive = pending_receive(p.pair.server);
    post(p.port, 3);

    close_owned(p.port);
    assert_int_equal(take_packet(copy).key, 3);
    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(copy).overlapped, &receive->overlapped);
}

void a_handle_may_be_moved_to_another_value(void**) // [NtIoCompletion/11]
{
    const PortPair p = new_port_pair();
    const HANDLE process = GetCurrentProcess();
    Operation* receive = pending_receive(p.pair.server);
    HANDLE moved = nullptr;

    disown(p.port);
    assert_true(DuplicateHandle(process, p.port, process, &moved, 0, FALSE,
        DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS));
    owned(moved);
    send_text(p.pair.client, "x");
    assert_ptr_equal(next_packet(moved).overlapped, &receive->overlapped);
}

void closing_the_port_ends_removals(void**) // [NtIoCompletion/7]
{
    const HANDLE port = new_port();
    auto* packet = lasting<Packet>();
    Background* wait = run_in_background([=] { return (*packet = take_packet(port)).result; });
    let_it_settle();

    close_owned(port);
    assert_false(join(wait).value);
    assert_null(packet->overlapped);
    // The handle may be gone before the thread asks, and then it is no handle.
    if (packet->error != ERROR_INVALID_HANDLE)
        assert_int_equal(packet->error, ERROR_ABANDONED_WAIT_0);
}

void closing_a_port_with_sockets_ends_removals(void**) // [NtIoCompletion/7]
{
    const PortPair p = new_port_pair();
    auto* removal = lasting<Removal>();
    auto* packet = lasting<Packet>();
    pending_receive(p.pair.server);
    Background* alertable = remove_in_background(removal, p.port, kEventLimit, TRUE);
    Background* plain = run_in_background([=] { return (*packet = take_packet(p.port)).result; });
    let_it_settle();

    close_owned(p.port);
    assert_false(join(plain).value);
    assert_false(join(alertable).value);
    if (packet->error != ERROR_INVALID_HANDLE)
        assert_int_equal(packet->error, ERROR_ABANDONED_WAIT_0);
    if (removal->error != ERROR_INVALID_HANDLE)
        assert_int_equal(removal->error, ERROR_ABANDONED_WAIT_0);
}

/// The port goes, the connection stays.
void a_socket_outlives_its_port(void**) // [NtIoCompletion/11]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server, new_event());
    char byte = 0;

    close_owned(p.port);
    send_text(p.pair.client, "ab");
    assert_becomes_signaled(receive->overlapped.hEvent);
    assert_int_equal(receive->overlapped.InternalHigh, 2);
    send_text(p.pair.server, "y");
    receive_exactly(p.pair.client, &byte, 1);
    assert_int_equal(byte, 'y');
}

// --- A port as an object

LONG depth_of(HANDLE port, Where where = Where::current())
{
    using Query = LONG(NTAPI*)(HANDLE, int, void*, ULONG, ULONG*);
    const auto query = reinterpret_cast<Query>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryIoCompletion")));
    LONG depth = -1;
    const LONG status
        = query(port, 0 /* IoCompletionBasicInformation */, &depth, sizeof(depth), nullptr);
    if (status != 0)
        fail_at(where, "NtQueryIoCompletion returned %#lx", status);
    return depth;
}

void the_depth_is_the_number_of_packets(void**) // [NtIoCompletion/12]
{
    const PortPair p = new_port_pair();
    Operation* receive = pending_receive(p.pair.server);
    assert_int_equal(depth_of(p.port), 0);

    post(p.port, 1);
    post(p.port, 2);
    assert_int_equal(depth_of(p.port), 2);
    send_text(p.pair.client, "x");
    assert_eventually([&] { return depth_of(p.port) == 3; });
    take_packet(p.port, 0);
    assert_int_equal(depth_of(copy_of(p.port)), 2);
    take_packet(p.port, 0);
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    assert_int_equal(depth_of(p.port), 0);
}

void a_port_with_packets_is_signaled(void**) // [NtIoCompletion/12]
{
    const HANDLE port = new_port();
    assert_int_equal(WaitForSingleObject(port, 0), WAIT_TIMEOUT);

    post(port, 1);
    assert_int_equal(WaitForSingleObject(port, kEventLimit), WAIT_OBJECT_0);
    assert_int_equal(WaitForSingleObject(port, 0), WAIT_OBJECT_0); // It took nothing.
    assert_int_equal(take_packet(port, 0).key, 1);
    assert_int_equal(WaitForSingleObject(port, 0), WAIT_TIMEOUT);
}

void a_port_with_a_sockets_packet_is_signaled(void**) // [NtIoCompletion/12]
{
    const PortPair p = new_port_pair();
    const HANDLE handles[] = { new_auto_event(), p.port };
    Operation* receive = pending_receive(p.pair.server);
    assert_int_equal(WaitForSingleObject(p.port, 0), WAIT_TIMEOUT);

    Background* peer = run_in_background([=] { return send(p.pair.client, "x", 1, 0); });
    assert_int_equal(WaitForMultipleObjects(2, handles, FALSE, kEventLimit), WAIT_OBJECT_0 + 1);
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
    assert_int_equal(join(peer).value, 1);
}

// --- What is refused

void what_is_no_port_is_refused(void**) // [NtIoCompletion/8]
{
    const HANDLE event = new_event();
    const SOCKET socket = tcp_socket();
    OVERLAPPED_ENTRY entry;
    ULONG count = 0;

    for (HANDLE bad :
        { HANDLE(nullptr), INVALID_HANDLE_VALUE, as_handle(0x7ffff0), event, as_handle(socket) }) {
        const Packet packet = take_packet(bad, 0);
        assert_false(packet.result);
        assert_null(packet.overlapped);
        assert_int_equal(packet.error, ERROR_INVALID_HANDLE);
        assert_wsa_fails(
            PostQueuedCompletionStatus(bad, 0, 0, nullptr), FALSE, ERROR_INVALID_HANDLE);
        assert_wsa_fails(GetQueuedCompletionStatusEx(bad, &entry, 1, &count, 0, FALSE), FALSE,
            ERROR_INVALID_HANDLE);
    }
}

void a_socket_needs_a_port_to_be_associated(void**) // [NtIoCompletion/8]
{
    const SOCKET socket = tcp_socket();

    for (HANDLE bad : { HANDLE(new_event()), as_handle(0x7ffff0) }) {
        SetLastError(kPoison);
        assert_null(CreateIoCompletionPort(as_handle(socket), bad, 1, 0));
        assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
    }
}

void a_socket_has_one_port(void**) // [NtFile/7]
{
    const PortPair p = new_port_pair();
    const HANDLE other = new_port();

    for (HANDLE port : { other, p.port }) {
        SetLastError(kPoison);
        assert_null(CreateIoCompletionPort(as_handle(p.pair.server), port, 1, 0));
        assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
    }
    Operation* receive = pending_receive(p.pair.server);
    send_text(p.pair.client, "x");
    const Packet packet = next_packet(p.port);
    assert_int_equal(packet.key, kPortKey);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
}

void a_port_closed_while_its_socket_waits_harms_nobody(void**) // [NtIoCompletion/11]
{
    const PortPair p = new_port_pair();
    const PortPair other = new_port_pair();
    Operation* lost = pending_receive(p.pair.server);
    Operation* kept = pending_receive(other.pair.server);

    close_owned(p.port);
    const HANDLE next = new_port(); // Most likely with the value of the old one.
    send_text(p.pair.client, "x");
    assert_eventually([&] { return HasOverlappedIoCompleted(&lost->overlapped); });
    send_text(other.pair.client, "x");
    assert_ptr_equal(next_packet(other.port).overlapped, &kept->overlapped);
    assert_no_packet(next);
}

#define apc_case(function) cmocka_unit_test_setup(function, forget_apcs)

const CMUnitTest kCases[] = {
    cmocka_unit_test(posted_packets_leave_in_order),
    cmocka_unit_test(anything_may_be_posted_as_overlapped),
    cmocka_unit_test(success_keeps_the_last_error),
    cmocka_unit_test(the_largest_values_are_kept),
    cmocka_unit_test(several_packets_leave_at_once),
    cmocka_unit_test(a_removal_of_several_takes_what_is_there),
    cmocka_unit_test(a_removal_of_none_is_refused),
    cmocka_unit_test(an_empty_port_is_told_at_once),
    cmocka_unit_test(a_removal_waits_for_its_time),
    cmocka_unit_test(a_removal_of_several_times_out),
    cmocka_unit_test(a_post_ends_a_removal_that_waits),
    cmocka_unit_test(a_post_ends_a_removal_of_several_that_waits),
    cmocka_unit_test(each_post_ends_one_removal),
    cmocka_unit_test(packets_of_many_posters_are_taken_once),
    cmocka_unit_test(a_suspended_removal_leaves_packets_to_others),
    apc_case(an_apc_queued_before_ends_an_alertable_removal),
    apc_case(an_apc_queued_meanwhile_ends_an_alertable_removal),
    apc_case(a_removal_that_is_not_alertable_runs_no_apc),
    cmocka_unit_test(a_packet_ends_an_alertable_removal),
    cmocka_unit_test(a_sockets_packet_ends_an_alertable_removal),
    cmocka_unit_test(packets_of_one_moment_end_all_kinds_of_removals),
    apc_case(apcs_and_packets_all_arrive),
    apc_case(a_completion_routine_ends_an_alertable_removal),
    cmocka_unit_test(a_removal_gets_packets_of_a_socket_associated_later),
    cmocka_unit_test(all_waiting_removals_get_packets_of_sockets_associated_later),
    cmocka_unit_test(an_immediate_result_reaches_a_removal_that_waited_before),
    cmocka_unit_test(packets_before_the_first_socket_are_kept),
    cmocka_unit_test(duplicates_of_the_handle_are_one_port),
    cmocka_unit_test(a_post_to_a_duplicate_ends_a_removal_that_waits),
    cmocka_unit_test(a_socket_may_be_associated_by_a_duplicate),
    cmocka_unit_test(a_duplicate_of_a_port_with_sockets_is_the_same_port),
    cmocka_unit_test(the_port_lives_as_long_as_a_handle),
    cmocka_unit_test(a_handle_may_be_moved_to_another_value),
    cmocka_unit_test(closing_the_port_ends_removals),
    cmocka_unit_test(closing_a_port_with_sockets_ends_removals),
    cmocka_unit_test(a_socket_outlives_its_port),
    cmocka_unit_test(the_depth_is_the_number_of_packets),
    cmocka_unit_test(a_port_with_packets_is_signaled),
    cmocka_unit_test(a_port_with_a_sockets_packet_is_signaled),
    cmocka_unit_test(what_is_no_port_is_refused),
    cmocka_unit_test(a_socket_needs_a_port_to_be_associated),
    cmocka_unit_test(a_socket_has_one_port),
    cmocka_unit_test(a_port_closed_while_its_socket_waits_harms_nobody),
};

} // namespace

CONFORMANCE_GROUP(port_removal, kCases);
