// Completion ports. Rules: spec/NtIoCompletion.md.
#include "harness.h"

#include <atomic>

using namespace nt_suite;

namespace {

struct Taken {
    ULONG_PTR key = 0x55;
    ULONG_PTR context = 0x55;
    IO_STATUS_BLOCK iosb {};
};

NTSTATUS take(HANDLE port, Taken& taken, const LARGE_INTEGER* timeout = &kNow)
{
    return NtRemoveIoCompletion(port, &taken.key, &taken.context, &taken.iosb, timeout);
}

NTSTATUS post(HANDLE port, ULONG_PTR key)
{
    return NtSetIoCompletion(port, key, key + 1, STATUS_SUCCESS, key + 2);
}

void a_packet_arrives_as_posted(void**) // [NtIoCompletion/1]
{
    const HANDLE port = new_port();
    assert_status(NtSetIoCompletion(port, 1, 2, STATUS_CONNECTION_RESET, 3), STATUS_SUCCESS);
    Taken taken;
    assert_status(take(port, taken), STATUS_SUCCESS);
    assert_int_equal(taken.key, 1);
    assert_int_equal(taken.context, 2);
    assert_int_equal(taken.iosb.Status, STATUS_CONNECTION_RESET);
    assert_int_equal(taken.iosb.Information, 3);
}

void packets_leave_in_order(void**) // [NtIoCompletion/2]
{
    const HANDLE port = new_port();
    for (ULONG_PTR i = 0; i < 10; ++i)
        assert_status(post(port, i), STATUS_SUCCESS);
    for (ULONG_PTR i = 0; i < 10; ++i) {
        Taken taken;
        assert_status(take(port, taken), STATUS_SUCCESS);
        assert_int_equal(taken.key, i);
    }
    Taken taken;
    assert_status(take(port, taken), STATUS_TIMEOUT);
}

void a_time_out_writes_nothing(void**) // [NtIoCompletion/3]
{
    Taken taken;
    assert_status(take(new_port(), taken, &kTenMilliseconds), STATUS_TIMEOUT);
    assert_int_equal(taken.key, 0x55);
    assert_int_equal(taken.context, 0x55);
}

void several_packets_come_at_once(void**) // [NtIoCompletion/4]
{
    const HANDLE port = new_port();
    for (ULONG_PTR i = 0; i < 5; ++i)
        assert_status(post(port, i), STATUS_SUCCESS);
    CompletionPacket packets[8] {};
    ULONG removed = 0;
    assert_status(NtRemoveIoCompletionEx(port, packets, 3, &removed, &kNow, FALSE), STATUS_SUCCESS);
    assert_int_equal(removed, 3);
    assert_status(
        NtRemoveIoCompletionEx(port, packets + 3, 5, &removed, &kNow, FALSE), STATUS_SUCCESS);
    assert_int_equal(removed, 2);
    for (ULONG_PTR i = 0; i < 5; ++i) {
        assert_int_equal(packets[i].key, i);
        assert_int_equal(packets[i].context, i + 1);
        assert_int_equal(packets[i].iosb.Information, i + 2);
    }
}

void a_removal_of_none_is_refused(void**) // [NtIoCompletion/4]
{
    CompletionPacket packet {};
    ULONG removed = 0;
    assert_status(NtRemoveIoCompletionEx(new_port(), &packet, 0, &removed, &kNow, FALSE),
        STATUS_INVALID_PARAMETER);
}

void a_post_releases_a_blocked_thread(void**) // [NtIoCompletion/5]
{
    const HANDLE port = new_port();
    Taken taken;
    Background* wait = run_in_background([&] { return take(port, taken, &kHangLimit); });
    assert_status(post(port, 7), STATUS_SUCCESS);
    assert_status(join(wait), STATUS_SUCCESS);
    assert_int_equal(taken.key, 7);
}

void every_packet_goes_to_one_thread(void**) // [NtIoCompletion/5]
{
    const HANDLE port = new_port(4);
    std::atomic<uint32_t> seen { 0 };
    Background* waits[4];
    for (Background*& wait : waits)
        wait = run_in_background([&] {
            for (;;) {
                Taken taken;
                const NTSTATUS status = take(port, taken, &kHangLimit);
                if (status != STATUS_SUCCESS || taken.key == 99)
                    return status;
                seen += 1u << taken.key;
            }
        });
    for (ULONG_PTR i = 0; i < 16; ++i)
        assert_status(post(port, i), STATUS_SUCCESS);
    for (int i = 0; i < 4; ++i)
        assert_status(post(port, 99), STATUS_SUCCESS);
    for (Background* wait : waits)
        assert_status(join(wait), STATUS_SUCCESS);
    assert_int_equal(seen.load(), 0xFFFF);
}

void a_running_thread_keeps_others_waiting_until_it_waits(void**) // [NtIoCompletion/5]
{
    static LARGE_INTEGER short_time = ticks(-500'000);
    const HANDLE port = new_port(1);
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(post(port, 1), STATUS_SUCCESS);
    Taken taken;
    assert_status(take(port, taken), STATUS_SUCCESS); // from here on this thread works for the port
    assert_status(post(port, 2), STATUS_SUCCESS);

    std::atomic<bool> has_looked { false };
    Taken others;
    Background* look = run_in_background([&] {
        const NTSTATUS status = take(port, others, &short_time);
        has_looked = true;
        return status;
    });
    while (!has_looked) { } // running, not waiting
    assert_status(join(look), STATUS_TIMEOUT);

    Background* work = run_in_background([&] {
        const NTSTATUS status = take(port, others, &kHangLimit);
        NtSetEvent(event, nullptr);
        return status;
    });
    assert_status(NtWaitForSingleObject(event, FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_status(join(work), STATUS_SUCCESS);
    assert_int_equal(others.key, 2);
}

void an_alertable_removal_runs_apcs(void**) // [NtIoCompletion/6]
{
    static std::atomic<int> calls;
    calls = 0;
    struct Count {
        static void NTAPI add(PVOID, PVOID, PVOID) { ++calls; }
    };
    void(NTAPI * routine)(PVOID, PVOID, PVOID) = Count::add;
    assert_status(NtQueueApcThread(current_thread(), reinterpret_cast<PVOID>(routine), nullptr,
                      nullptr, nullptr),
        STATUS_SUCCESS);

    const HANDLE port = new_port();
    CompletionPacket packet {};
    ULONG removed = 0;
    assert_status(NtRemoveIoCompletionEx(port, &packet, 1, &removed, &kNow, FALSE), STATUS_TIMEOUT);
    assert_int_equal(calls.load(), 0);
    assert_status(
        NtRemoveIoCompletionEx(port, &packet, 1, &removed, &kHangLimit, TRUE), STATUS_USER_APC);
    assert_int_equal(calls.load(), 1);
}

/// Which of the two comes first is not documented, and systems differ.
void a_packet_and_an_apc_both_arrive(void**) // [NtIoCompletion/6]
{
    static std::atomic<int> calls;
    calls = 0;
    struct Count {
        static void NTAPI add(PVOID, PVOID, PVOID) { ++calls; }
    };
    void(NTAPI * routine)(PVOID, PVOID, PVOID) = Count::add;
    assert_status(NtQueueApcThread(current_thread(), reinterpret_cast<PVOID>(routine), nullptr,
                      nullptr, nullptr),
        STATUS_SUCCESS);

    const HANDLE port = new_port();
    assert_status(post(port, 1), STATUS_SUCCESS);
    CompletionPacket packet {};
    ULONG removed = 0;
    NTSTATUS status = NtRemoveIoCompletionEx(port, &packet, 1, &removed, &kNow, TRUE);
    if (status == STATUS_USER_APC)
        status = NtRemoveIoCompletionEx(port, &packet, 1, &removed, &kNow, TRUE);
    assert_status(status, STATUS_SUCCESS);
    assert_int_equal(removed, 1);
    NtTestAlert();
    assert_int_equal(calls.load(), 1);
}

void closing_the_port_ends_removals(void**) // [NtIoCompletion/7]
{
    const HANDLE port = new_port();
    std::atomic<bool> is_going { false };
    Background* wait = run_in_background([&] {
        Taken taken;
        // A removal before the last: it shows that the thread has the handle and comes back.
        take(port, taken, &kHangLimit);
        is_going = true;
        return take(port, taken, &kHangLimit);
    });
    assert_status(post(port, 1), STATUS_SUCCESS);
    assert_eventually([&] { return is_going.load(); });
    close_owned(port);
    const NTSTATUS status = join(wait);
    // The handle may be gone before the thread asks, and then it is no handle.
    assert_true(status == STATUS_ABANDONED_WAIT_0 || status == STATUS_INVALID_HANDLE);
}

void services_reject_what_is_no_port(void**) // [NtIoCompletion/8]
{
    Taken taken;
    assert_status(take(nullptr, taken), STATUS_INVALID_HANDLE);
    assert_status(post(nullptr, 1), STATUS_INVALID_HANDLE);
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(take(event, taken), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(post(event, 1), STATUS_OBJECT_TYPE_MISMATCH);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_packet_arrives_as_posted),
    cmocka_unit_test(packets_leave_in_order),
    cmocka_unit_test(a_time_out_writes_nothing),
    cmocka_unit_test(several_packets_come_at_once),
    cmocka_unit_test(a_removal_of_none_is_refused),
    cmocka_unit_test(a_post_releases_a_blocked_thread),
    cmocka_unit_test(every_packet_goes_to_one_thread),
    cmocka_unit_test(a_running_thread_keeps_others_waiting_until_it_waits),
    cmocka_unit_test(an_alertable_removal_runs_apcs),
    cmocka_unit_test(a_packet_and_an_apc_both_arrive),
    cmocka_unit_test(closing_the_port_ends_removals),
    cmocka_unit_test(services_reject_what_is_no_port),
};

} // namespace

NT_GROUP(completion, kCases);
