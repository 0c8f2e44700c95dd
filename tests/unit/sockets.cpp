// Sockets as files: what ends a request, from all sides at once.
#include "sockets.h"

#include <atomic>
#include <cstring>

#include <pthread.h>
#include <sched.h>

#include "io/completion_queue.h"

namespace {

using namespace unit;

constexpr ULONG kBlock = 32; // bytes of an address block

int64_t g_objects_before;

int set_up(void**)
{
    ke::Thread::current();
    g_objects_before = unit::object_count();
    return 0;
}

int tear_down(void**)
{
    if (unit::object_count() == g_objects_before)
        return 0;
    print_error("%d objects are left\n", static_cast<int>(unit::object_count() - g_objects_before));
    return 1;
}

struct Thread {
    pthread_t thread;

    Thread(void* (*run)(void*), void* argument) { pthread_create(&thread, nullptr, run, argument); }
    ~Thread() { pthread_join(thread, nullptr); }
};

// --- Buffers

/// More empty buffers than Linux takes in one call, in front of the one that counts.
void empty_buffers_add_nothing(void**)
{
    const Pair pair = new_pair();
    constexpr uint32_t kCount = 3000;
    static Buffer buffers[kCount];
    char data[] = "data";
    for (const ULONG code : { afd::kIoctlSendMsg, afd::kIoctlRecvMsg }) {
        uint32_t flags = 0;
        afd::SendMsgParams send {};
        afd::RecvMsgParams receive {};
        receive.flags = afd::ptr64(&flags);
        buffers[kCount - 1] = { 4, data };
        send.count = receive.count = kCount;
        send.buffers = receive.buffers = afd::ptr64(buffers);
        ULONG_PTR moved = 0;
        if (code == afd::kIoctlSendMsg)
            assert_status(control(pair.client, code, &send, sizeof(send), nullptr, 0, &moved),
                STATUS_SUCCESS);
        else
            assert_status(control(pair.server, code, &receive, sizeof(receive), nullptr, 0, &moved),
                STATUS_SUCCESS);
        assert_int_equal(moved, 4);
        if (code == afd::kIoctlSendMsg)
            memset(data, 0, sizeof(data));
    }
    assert_memory_equal(data, "data", 4);
    NtClose(pair.client);
    NtClose(pair.server);
}

// --- Receives that are cancelled while their data comes

struct Stream {
    HANDLE socket;
    uint32_t bytes;
    std::atomic<bool> is_over { false };
};

void* send_numbers(void* argument)
{
    auto& stream = *static_cast<Stream*>(argument);
    for (uint32_t i = 0; i < stream.bytes; ++i) {
        const auto byte = static_cast<uint8_t>(i);
        send_all(stream.socket, &byte, 1);
    }
    return nullptr;
}

/// No byte is lost or given twice, whether a receive ends by data or by its cancellation.
void a_cancelled_receive_takes_nothing(void**)
{
    Pair pair = new_pair();
    Stream stream { pair.client, 4000 };
    const HANDLE event = new_event();
    uint32_t received = 0;
    bool is_in_order = true;
    {
        const Thread sender(send_numbers, &stream);
        for (uint32_t round = 0; received < stream.bytes && is_in_order; ++round) {
            uint8_t data[7];
            IO_STATUS_BLOCK iosb;
            NTSTATUS status = begin_receive(pair.server, event, &iosb, data, sizeof(data));
            if (status == STATUS_PENDING) {
                IO_STATUS_BLOCK ignored;
                if (round % 3)
                    NtCancelIoFileEx(pair.server, &iosb, &ignored);
                NtWaitForSingleObject(event, FALSE, nullptr);
                status = iosb.Status;
            }
            if (status == STATUS_CANCELLED)
                continue;
            for (ULONG_PTR i = 0; i < iosb.Information; ++i)
                is_in_order &= data[i] == static_cast<uint8_t>(received++);
        }
    }
    assert_true(is_in_order);
    assert_int_equal(received, stream.bytes);
    NtClose(event);
    NtClose(pair.client);
    NtClose(pair.server);
}

// --- Sockets that are closed in the middle of everything

void* receive_until_closed(void* argument)
{
    const auto& stream = *static_cast<Stream*>(argument);
    const HANDLE event = new_event();
    for (;;) {
        char data[16];
        IO_STATUS_BLOCK iosb;
        NTSTATUS status = begin_receive(stream.socket, event, &iosb, data, sizeof(data));
        if (status == STATUS_PENDING) {
            NtWaitForSingleObject(event, FALSE, nullptr);
            status = iosb.Status;
        }
        if (!NT_SUCCESS(status) || !iosb.Information)
            break;
    }
    NtClose(event);
    return nullptr;
}

void* send_until_refused(void* argument)
{
    const auto& stream = *static_cast<Stream*>(argument);
    while (NT_SUCCESS(send_all(stream.socket, "0123456789", 10))) { }
    return nullptr;
}

void* poll_until_closed(void* argument)
{
    const auto& stream = *static_cast<Stream*>(argument);
    struct {
        afd::PollHeader header;
        afd::PollEntry entry;
    } block;
    do {
        block = { { -20'000, 1, 0, {} },
            { reinterpret_cast<ULONG_PTR>(stream.socket), afd::kPollReceive, 0 } };
    } while (NT_SUCCESS(
        control(stream.socket, afd::kIoctlPoll, &block, sizeof(block), &block, sizeof(block))));
    return nullptr;
}

void* take_events_until_closed(void* argument)
{
    const auto& stream = *static_cast<Stream*>(argument);
    const HANDLE event = new_event();
    const afd::EventSelectParams params { reinterpret_cast<ULONG_PTR>(event),
        afd::kPollReceive | afd::kPollSend | afd::kPollDisconnect | afd::kPollAbort };
    afd::GetEventsResult result;
    while (NT_SUCCESS(control(stream.socket, afd::kIoctlEventSelect, &params, sizeof(params)))
        && NT_SUCCESS(
            control(stream.socket, afd::kIoctlGetEvents, event, 0, &result, sizeof(result)))) { }
    NtClose(event);
    return nullptr;
}

void everything_ends_when_the_socket_is_closed(void**)
{
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 100);
    for (uint64_t round = 0; round < rounds; ++round) {
        const Pair pair = new_pair();
        Stream server { pair.server, 0 };
        Stream client { pair.client, 0 };
        {
            const Thread first(receive_until_closed, &server);
            const Thread second(receive_until_closed, &server);
            const Thread third(poll_until_closed, &server);
            const Thread fourth(take_events_until_closed, &server);
            const Thread fifth(send_until_refused, &client);
            for (uint64_t i = 0; i < round % 50; ++i)
                sched_yield();
            NtClose(pair.server);
        }
        NtClose(pair.client);
    }
}

// --- Accepting into a socket that goes away

struct Knocking {
    Name name;
    std::atomic<int> wanted { 0 }; // the listener's queue must not run full
    std::atomic<bool> is_over { false };
};

void* knock(void* argument)
{
    auto& knocking = *static_cast<Knocking*>(argument);
    while (!knocking.is_over) {
        if (knocking.wanted.load() <= 0) {
            sched_yield();
            continue;
        }
        --knocking.wanted;
        const HANDLE socket = new_socket();
        if (connect_to(socket, knocking.name))
            send_all(socket, "x", 1);
        NtClose(socket);
    }
    return nullptr;
}

void an_accept_ends_with_its_socket(void**)
{
    Knocking knocking;
    const HANDLE listener = new_socket();
    assert_true(listen_at(listener, knocking.name));
    const HANDLE event = new_event();
    int served = 0;
    bool is_ended = true;
    {
        const Thread client(knock, &knocking);
        const uint64_t rounds = unit::setting("NTKE_ROUNDS", 500);
        for (uint64_t round = 0; round < rounds; ++round) {
            ++knocking.wanted;
            const HANDLE acceptor = new_socket();
            const afd::AcceptIntoParams params { static_cast<uint32_t>(
                                                     reinterpret_cast<uintptr_t>(acceptor)),
                round % 2 ? 8u : 0u, kBlock };
            char output[8 + 2 * kBlock];
            IO_STATUS_BLOCK iosb;
            iosb.Status = STATUS_PENDING;
            NtDeviceIoControlFile(listener, event, nullptr, nullptr, &iosb, afd::kIoctlAcceptInto,
                const_cast<afd::AcceptIntoParams*>(&params), sizeof(params), output,
                params.receive_length + 2 * kBlock);
            for (uint64_t i = 0; i < round % 7; ++i)
                sched_yield();
            IO_STATUS_BLOCK ignored;
            if (round % 3 == 1)
                NtCancelIoFileEx(listener, &iosb, &ignored);
            if (round % 3)
                NtClose(acceptor);
            NtWaitForSingleObject(event, FALSE, nullptr);
            is_ended &= iosb.Status == STATUS_SUCCESS || iosb.Status == STATUS_CANCELLED
                || iosb.Status == STATUS_CONNECTION_RESET;
            served += iosb.Status == STATUS_SUCCESS;
            if (round % 3 == 0)
                NtClose(acceptor);
        }
        knocking.is_over = true;
        NtClose(listener);
    }
    NtClose(event);
    assert_true(is_ended);
    assert_true(served > 0);
}

/// Too little room for an address: the request ends when somebody comes, who waits on for another.
void an_accept_without_room_leaves_the_connection(void**)
{
    Name name;
    const HANDLE listener = new_socket();
    assert_true(listen_at(listener, name));
    const HANDLE acceptor = new_socket();
    const HANDLE client = new_socket();
    const HANDLE event = new_event();
    constexpr ULONG kTooShort = sizeof(Name) + 4;
    const auto handle = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(acceptor));
    for (const afd::AcceptIntoParams params : {
             afd::AcceptIntoParams { handle, 0, kTooShort },
             afd::AcceptIntoParams { handle, 0, kBlock },
         }) {
        char output[2 * kBlock];
        IO_STATUS_BLOCK iosb;
        assert_status(NtDeviceIoControlFile(listener, event, nullptr, nullptr, &iosb,
                          afd::kIoctlAcceptInto, const_cast<afd::AcceptIntoParams*>(&params),
                          sizeof(params), output, params.local_length + kBlock),
            STATUS_PENDING);
        if (params.local_length == kTooShort)
            assert_true(connect_to(client, name));
        NtWaitForSingleObject(event, FALSE, nullptr);
        const bool has_room = params.local_length != kTooShort;
        assert_status(iosb.Status,
            has_room ? STATUS_SUCCESS : static_cast<NTSTATUS>(STATUS_BUFFER_TOO_SMALL));
    }
    for (HANDLE object : { event, client, acceptor, listener })
        NtClose(object);
}

// --- Datagrams

/// A datagram from itself, with room for `room` bytes of control data. Returns what was used.
NTSTATUS receive_with_control(
    HANDLE socket, void* control, ULONG room, ULONG* used, uint32_t* flags)
{
    send_all(socket, "x", 1);
    char data;
    Buffer buffer { 1, &data };
    Buffer control_buffer { room, control };
    *flags = 0;
    afd::RecvMsgParams params {};
    params.control = afd::ptr64(&control_buffer);
    params.flags = afd::ptr64(flags);
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    const NTSTATUS status = unit::control(socket, afd::kIoctlRecvMsg, &params, sizeof(params));
    *used = control_buffer.length;
    return status;
}

/// A datagram socket that is its own peer.
HANDLE new_self_connected()
{
    const HANDLE socket = new_socket(kDatagram);
    struct {
        afd::BindParams params;
        Name name;
    } bind {};
    struct {
        afd::ConnectParams params;
        Name name;
    } connect { { sizeof(Name), 1 }, {} };
    assert_status(unit::control(socket, afd::kIoctlBind, &bind, sizeof(bind), &connect.name,
                      sizeof(connect.name)),
        STATUS_SUCCESS);
    assert_status(
        unit::control(socket, afd::kIoctlConnect, &connect, sizeof(connect)), STATUS_SUCCESS);
    return socket;
}

/// What ends at once with a warning is told by a packet, also where successes are not. Who asks for
/// kIoctlRecvDatagram relies on that.
void a_truncated_datagram_is_answered_and_told_once(void**)
{
    const HANDLE socket = new_self_connected();
    HANDLE port = nullptr;
    IO_STATUS_BLOCK iosb {};
    assert_status(NtCreateIoCompletion(&port, GENERIC_ALL, nullptr, 0), STATUS_SUCCESS);
    FileCompletionInformation association { port, 7 };
    assert_status(NtSetInformationFile(
                      socket, &iosb, &association, sizeof(association), kFileCompletionInformation),
        STATUS_SUCCESS);
    ULONG skips_successes = 1;
    assert_status(NtSetInformationFile(socket, &iosb, &skips_successes, sizeof(skips_successes),
                      kFileIoCompletionNotificationInformation),
        STATUS_SUCCESS);

    send_all(socket, "long", 4);
    char data[2];
    Buffer buffer { sizeof(data), data };
    uint32_t flags = 0;
    afd::RecvMsgParams params {};
    params.flags = afd::ptr64(&flags);
    params.force_async = 1;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    assert_status(NtDeviceIoControlFile(socket, nullptr, nullptr, &iosb, &iosb,
                      afd::kIoctlRecvDatagram, &params, sizeof(params), nullptr, 0),
        STATUS_BUFFER_OVERFLOW);

    const LARGE_INTEGER at_once {};
    ULONG_PTR key = 0;
    ULONG_PTR context = 0;
    IO_STATUS_BLOCK told {};
    assert_status(NtRemoveIoCompletion(port, &key, &context, &told, &at_once), STATUS_SUCCESS);
    assert_status(told.Status, STATUS_BUFFER_OVERFLOW);
    assert_int_equal(told.Information, sizeof(data));
    assert_status(NtRemoveIoCompletion(port, &key, &context, &told, &at_once), STATUS_TIMEOUT);
    NtClose(socket);
    NtClose(port);
    io::CompletionQueue::leave(*ke::Thread::current()); // it has worked for the port
}

void control_data_has_winsocks_form(void**)
{
    const HANDLE socket = new_self_connected();
    const int32_t on = 1;
    for (ULONG code : { afd::kIoctlSetIpPktInfo, afd::kIoctlSetIpRecvTtl })
        assert_status(unit::control(socket, code, &on, sizeof(on)), STATUS_SUCCESS);

    struct Entry {
        uint64_t length;
        int32_t level;
        int32_t type;
        uint8_t data[8];
    } entries[2] {};
    ULONG used = 0;
    uint32_t flags = 0;
    assert_status(
        receive_with_control(socket, entries, sizeof(entries), &used, &flags), STATUS_SUCCESS);
    assert_int_equal(used, sizeof(entries));
    bool has_address = false;
    bool has_ttl = false;
    for (const Entry& entry : entries) {
        assert_int_equal(entry.level, 0);
        has_address |= entry.type == 19 && entry.length == 24 && entry.data[0] == 127;
        has_ttl |= entry.type == 4 && entry.length == 20 && entry.data[0] > 0;
    }
    assert_true(has_address);
    assert_true(has_ttl);

    assert_status(receive_with_control(socket, entries, sizeof(Entry), &used, &flags),
        STATUS_BUFFER_OVERFLOW);
    assert_int_equal(used, 0);
    assert_int_equal(flags, 0x200); // MSG_CTRUNC
    NtClose(socket);
}

// --- Time

/// Timers, cancellation and readiness race for each poll.
void a_poll_ends_once(void**)
{
    const Pair pair = new_pair();
    const HANDLE event = new_event();
    bool is_known = true;
    for (int round = 0; round < 300; ++round) {
        struct {
            afd::PollHeader header;
            afd::PollEntry entries[2];
        } block { { -1000 * (round % 20 + 1), 2, 0, {} },
            { { reinterpret_cast<ULONG_PTR>(pair.server), afd::kPollReceive, 0 },
                { reinterpret_cast<ULONG_PTR>(pair.client), afd::kPollReceive, 0 } } };
        IO_STATUS_BLOCK iosb;
        iosb.Status = STATUS_PENDING;
        NTSTATUS status = NtDeviceIoControlFile(pair.server, event, nullptr, nullptr, &iosb,
            afd::kIoctlPoll, &block, sizeof(block), &block, sizeof(block));
        if (round % 4 == 1)
            send_all(pair.client, "x", 1);
        IO_STATUS_BLOCK ignored;
        if (round % 4 == 2)
            NtCancelIoFileEx(pair.server, &iosb, &ignored);
        if (status == STATUS_PENDING) {
            NtWaitForSingleObject(event, FALSE, nullptr);
            status = iosb.Status;
        }
        is_known
            &= status == STATUS_SUCCESS || status == STATUS_TIMEOUT || status == STATUS_CANCELLED;
        if (round % 4 == 1) {
            char data;
            IO_STATUS_BLOCK received;
            if (begin_receive(pair.server, event, &received, &data, 1) == STATUS_PENDING)
                NtWaitForSingleObject(event, FALSE, nullptr);
        }
    }
    assert_true(is_known);
    NtClose(event);
    NtClose(pair.client);
    NtClose(pair.server);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        CASE(empty_buffers_add_nothing),
        CASE(a_cancelled_receive_takes_nothing),
        CASE(everything_ends_when_the_socket_is_closed),
        CASE(an_accept_ends_with_its_socket),
        CASE(an_accept_without_room_leaves_the_connection),
        CASE(a_truncated_datagram_is_answered_and_told_once),
        CASE(control_data_has_winsocks_form),
        CASE(a_poll_ends_once),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
