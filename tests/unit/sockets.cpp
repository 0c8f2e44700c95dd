// Sockets as files: what ends a request, from all sides at once.
#include "sockets.h"

#include <atomic>

#include <pthread.h>
#include <sched.h>

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
        && NT_SUCCESS(control(
            stream.socket, afd::kIoctlGetEvents, event, 0, &result, sizeof(result)))) { }
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
            const afd::AcceptIntoParams params {
                static_cast<uint32_t>(reinterpret_cast<uintptr_t>(acceptor)), round % 2 ? 8u : 0u,
                kBlock
            };
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
        is_known &= status == STATUS_SUCCESS || status == STATUS_TIMEOUT
            || status == STATUS_CANCELLED;
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
        CASE(a_cancelled_receive_takes_nothing),
        CASE(everything_ends_when_the_socket_is_closed),
        CASE(an_accept_ends_with_its_socket),
        CASE(a_poll_ends_once),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
