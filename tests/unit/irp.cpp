// Requests: every way to end, exactly once.
#include "io/irp.h"

#include <atomic>

#include <pthread.h>
#include <sched.h>

#include "ob/handle_table.h"
#include "test_file.h"
#include "unit.h"

namespace {

using unit::TestFile;

constexpr NTSTATUS kUntouched = 0x55;

struct Fixture {
    ob::Ref<TestFile> file;
    HANDLE handle;
    HANDLE event;
    HANDLE port;
    IO_STATUS_BLOCK iosb;
    std::atomic<int> closes;
    int64_t objects_before;
};

Fixture g;

int set_up(void**)
{
    ke::Thread::current();
    g.objects_before = unit::object_count();
    g.closes = 0;
    g.iosb.Status = kUntouched;
    g.iosb.Information = kUntouched;
    g.file = TestFile::create();
    g.file->closes = &g.closes;
    NtCreateEvent(&g.event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE);
    NtCreateIoCompletion(&g.port, GENERIC_ALL, nullptr, 0);
    return !NT_SUCCESS(ob::HandleTable::current().insert(
        *g.file, TestFile::object_type().valid_access, 0, &g.handle));
}

int tear_down(void**)
{
    g.file.reset();
    for (HANDLE handle : { g.handle, g.event, g.port }) {
        if (handle)
            NtClose(handle);
    }
    io::CompletionQueue::leave(*ke::Thread::current()); // the port it worked for
    // Whatever the case did, nothing of it is left.
    return unit::object_count() != g.objects_before;
}

void close_handle(HANDLE& handle)
{
    assert_status(NtClose(std::exchange(handle, nullptr)), STATUS_SUCCESS);
}

NTSTATUS send(
    ULONG code, HANDLE event = nullptr, PIO_APC_ROUTINE apc = nullptr, PVOID context = nullptr)
{
    return NtDeviceIoControlFile(
        g.handle, event, apc, context, &g.iosb, code, nullptr, 0, nullptr, 0);
}

void associate(ULONG_PTR key = 9)
{
    IO_STATUS_BLOCK iosb;
    FileCompletionInformation info { g.port, key };
    assert_status(NtSetInformationFile(g.handle, &iosb, &info, sizeof(info), 30), STATUS_SUCCESS);
}

bool is_signaled(HANDLE handle)
{
    const LARGE_INTEGER now {};
    return NtWaitForSingleObject(handle, FALSE, &now) == STATUS_WAIT_0;
}

/// Takes a packet if there is one.
bool take_packet(CompletionPacket& packet)
{
    const LARGE_INTEGER now {};
    ULONG removed = 0;
    return NtRemoveIoCompletionEx(g.port, &packet, 1, &removed, &now, FALSE) == STATUS_SUCCESS;
}

std::atomic<int> g_apc_calls;
void NTAPI count_apc(PVOID context, IO_STATUS_BLOCK* iosb, ULONG)
{
    assert_ptr_equal(context, &g);
    assert_ptr_equal(iosb, &g.iosb);
    ++g_apc_calls;
}

void success_at_once_is_told_everywhere(void**)
{
    associate();
    assert_status(send(unit::kSucceed, g.event, nullptr, &g), STATUS_SUCCESS);
    assert_int_equal(g.iosb.Status, STATUS_SUCCESS);
    assert_int_equal(g.iosb.Information, 7);
    assert_true(is_signaled(g.event));
    CompletionPacket packet;
    assert_true(take_packet(packet));
    assert_int_equal(packet.key, 9);
    assert_int_equal(packet.context, reinterpret_cast<ULONG_PTR>(&g));
    assert_int_equal(packet.iosb.Information, 7);
    assert_false(take_packet(packet));
}

void an_error_at_once_is_told_by_the_result_only(void**)
{
    associate();
    NtSetEvent(g.event, nullptr);
    assert_status(send(unit::kFail, g.event, nullptr, &g), STATUS_CONNECTION_RESET);
    assert_int_equal(g.iosb.Status, kUntouched);
    assert_false(is_signaled(g.event)); // reset when the request began
    CompletionPacket packet;
    assert_false(take_packet(packet));
}

void a_warning_at_once_is_a_completion(void**)
{
    associate();
    assert_status(send(unit::kWarn, g.event, nullptr, &g), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(g.iosb.Status, STATUS_BUFFER_OVERFLOW);
    assert_int_equal(g.iosb.Information, 5);
    CompletionPacket packet;
    assert_true(take_packet(packet));
}

void without_an_event_the_file_is_signaled(void**)
{
    assert_status(send(unit::kPend), STATUS_PENDING);
    assert_false(is_signaled(g.handle));
    assert_true(g.file->complete_oldest(STATUS_SUCCESS, 3));
    assert_true(is_signaled(g.handle));
    assert_int_equal(g.iosb.Information, 3);
}

void with_an_event_the_file_is_left_alone(void**)
{
    assert_status(send(unit::kPend), STATUS_PENDING);
    assert_true(g.file->complete_oldest(STATUS_SUCCESS, 0));
    assert_status(send(unit::kPend, g.event), STATUS_PENDING);
    assert_true(is_signaled(g.handle)); // still from the first
    assert_true(g.file->complete_oldest(STATUS_SUCCESS, 0));
    assert_true(is_signaled(g.event));
}

void a_pending_request_tells_its_error(void**)
{
    associate();
    assert_status(send(unit::kPend, g.event, nullptr, &g), STATUS_PENDING);
    assert_int_equal(g.iosb.Status, kUntouched);
    assert_true(g.file->complete_oldest(STATUS_CONNECTION_ABORTED, 0));
    assert_int_equal(g.iosb.Status, STATUS_CONNECTION_ABORTED);
    assert_true(is_signaled(g.event));
    CompletionPacket packet;
    assert_true(take_packet(packet));
    assert_int_equal(packet.iosb.Status, STATUS_CONNECTION_ABORTED);
}

void no_context_means_no_packet(void**)
{
    associate();
    assert_status(send(unit::kSucceed, g.event), STATUS_SUCCESS);
    CompletionPacket packet;
    assert_false(take_packet(packet));
}

void skip_on_success_skips_only_inline_success(void**)
{
    associate();
    IO_STATUS_BLOCK iosb;
    ULONG modes = io::kSkipCompletionPortOnSuccess;
    assert_status(NtSetInformationFile(g.handle, &iosb, &modes, sizeof(modes), 41), STATUS_SUCCESS);
    CompletionPacket packet;
    assert_status(send(unit::kSucceed, nullptr, nullptr, &g), STATUS_SUCCESS);
    assert_false(take_packet(packet));
    assert_status(send(unit::kWarn, nullptr, nullptr, &g), STATUS_BUFFER_OVERFLOW);
    assert_true(take_packet(packet));
    assert_status(send(unit::kPend, nullptr, nullptr, &g), STATUS_PENDING);
    assert_true(g.file->complete_oldest(STATUS_SUCCESS, 0));
    assert_true(take_packet(packet));
}

void skip_set_event_leaves_the_file_nonsignaled(void**)
{
    IO_STATUS_BLOCK iosb;
    ULONG modes = io::kSkipSetEventOnHandle;
    assert_status(NtSetInformationFile(g.handle, &iosb, &modes, sizeof(modes), 41), STATUS_SUCCESS);
    assert_status(send(unit::kSucceed), STATUS_SUCCESS);
    assert_false(is_signaled(g.handle));
}

void a_completion_can_call_back(void**)
{
    g_apc_calls = 0;
    assert_status(send(unit::kSucceed, nullptr, count_apc, &g), STATUS_SUCCESS);
    assert_status(send(unit::kPend, nullptr, count_apc, &g), STATUS_PENDING);
    assert_true(g.file->complete_oldest(STATUS_SUCCESS, 0));
    assert_int_equal(g_apc_calls.load(), 0);
    const LARGE_INTEGER now {};
    assert_status(NtWaitForSingleObject(g.event, TRUE, &now), STATUS_USER_APC);
    assert_int_equal(g_apc_calls.load(), 2);
}

void a_routine_and_a_port_exclude_each_other(void**)
{
    associate();
    assert_status(send(unit::kSucceed, nullptr, count_apc, &g), STATUS_INVALID_PARAMETER);
}

void a_file_has_one_port_for_good(void**)
{
    associate();
    IO_STATUS_BLOCK iosb;
    FileCompletionInformation info { g.port, 1 };
    assert_status(
        NtSetInformationFile(g.handle, &iosb, &info, sizeof(info), 30), STATUS_INVALID_PARAMETER);
}

void cancel_by_status_block(void**)
{
    IO_STATUS_BLOCK other_iosb {};
    IO_STATUS_BLOCK result;
    assert_status(send(unit::kPend, g.event), STATUS_PENDING);
    assert_status(NtCancelIoFileEx(g.handle, &other_iosb, &result), STATUS_NOT_FOUND);
    assert_status(NtCancelIoFileEx(g.handle, &g.iosb, &result), STATUS_SUCCESS);
    assert_int_equal(g.iosb.Status, STATUS_CANCELLED);
    assert_true(is_signaled(g.event));
    assert_int_equal(g.file->cancelled, 1);
    assert_status(NtCancelIoFileEx(g.handle, nullptr, &result), STATUS_NOT_FOUND);
    assert_false(g.file->complete_oldest(STATUS_SUCCESS, 0));
}

/// The driver tries it at this very moment: it is found, and the driver ends it.
void cancel_finds_a_request_that_is_being_tried(void**)
{
    IO_STATUS_BLOCK result;
    assert_status(send(unit::kPend, g.event), STATUS_PENDING);
    io::Irp* tried = g.file->claim_oldest();
    assert_non_null(tried);
    assert_status(NtCancelIoFileEx(g.handle, &g.iosb, &result), STATUS_SUCCESS);
    assert_int_equal(g.iosb.Status, kUntouched);
    assert_false(tried->unclaim());
    g.file->complete_claimed(*tried, STATUS_CANCELLED);
    assert_int_equal(g.iosb.Status, STATUS_CANCELLED);
}

void cancel_all_of_a_file(void**)
{
    IO_STATUS_BLOCK result;
    for (int i = 0; i < 5; ++i)
        assert_status(send(unit::kPend), STATUS_PENDING);
    assert_status(NtCancelIoFile(g.handle, &result), STATUS_SUCCESS);
    assert_int_equal(g.file->cancelled, 5);
    assert_false(g.file->has_pending());
    assert_status(NtCancelIoFile(g.handle, &result), STATUS_SUCCESS);
}

void the_last_handle_takes_pending_requests_along(void**)
{
    assert_status(send(unit::kPend, g.event), STATUS_PENDING);
    close_handle(g.handle);
    assert_int_equal(g.iosb.Status, STATUS_CANCELLED);
    assert_true(is_signaled(g.event));
    assert_int_equal(g.closes, 0); // the test holds a reference
    g.file.reset();
    assert_int_equal(g.closes, 1);
}

void* issue_and_exit(void* context)
{
    send(unit::kPend, nullptr, nullptr, context);
    return nullptr;
}

void run_thread(void* (*run)(void*), void* argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, nullptr, run, argument), 0);
    pthread_join(thread, nullptr);
}

void an_exiting_thread_cancels_its_requests(void**)
{
    run_thread(issue_and_exit, nullptr);
    assert_int_equal(g.file->cancelled, 1);
    assert_int_equal(g.iosb.Status, STATUS_CANCELLED);
}

void a_request_that_reports_to_a_port_survives_its_thread(void**)
{
    associate();
    run_thread(issue_and_exit, &g);
    assert_int_equal(g.file->cancelled, 0);
    assert_true(g.file->complete_oldest(STATUS_SUCCESS, 1));
    CompletionPacket packet;
    assert_true(take_packet(packet));
}

void* complete_when_pending(void*)
{
    while (!g.file->complete_oldest(STATUS_BUFFER_OVERFLOW, 2))
        sched_yield();
    return nullptr;
}

void a_synchronous_file_waits_for_the_end(void**)
{
    NtClose(g.handle);
    g.file = TestFile::create(io::File::Mode::Synchronous);
    assert_status(ob::HandleTable::current().insert(
                      *g.file, TestFile::object_type().valid_access, 0, &g.handle),
        STATUS_SUCCESS);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, nullptr, complete_when_pending, nullptr), 0);
    const NTSTATUS status = send(unit::kPend);
    pthread_join(thread, nullptr);
    assert_status(status, STATUS_BUFFER_OVERFLOW);
    assert_int_equal(g.iosb.Information, 2);
}

std::atomic<int> g_racing_completions;
void* complete_racing(void*)
{
    for (int i = 0; i < 20'000; ++i) {
        if (g.file->complete_oldest(STATUS_SUCCESS, 0))
            ++g_racing_completions;
        if (i % 64 == 0)
            sched_yield();
    }
    return nullptr;
}

/// Completion and cancellation race for each request; each gets one packet, whoever wins.
void racing_ends_complete_once(void**)
{
    associate();
    g_racing_completions = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, nullptr, complete_racing, nullptr), 0);
    constexpr int kRequests = 3000;
    static IO_STATUS_BLOCK blocks[kRequests];
    int refused = 0;
    for (IO_STATUS_BLOCK& iosb : blocks) {
        if (NtDeviceIoControlFile(
                g.handle, nullptr, nullptr, &iosb, &iosb, unit::kPend, nullptr, 0, nullptr, 0)
            != STATUS_PENDING)
            ++refused;
        IO_STATUS_BLOCK result;
        NtCancelIoFileEx(g.handle, &iosb, &result);
    }
    pthread_join(thread, nullptr);
    assert_int_equal(refused, 0);
    IO_STATUS_BLOCK result;
    NtCancelIoFileEx(g.handle, nullptr, &result);

    int packets = 0;
    for (CompletionPacket packet; take_packet(packet);)
        ++packets;
    assert_int_equal(packets, kRequests);
    assert_int_equal(g.file->cancelled + g_racing_completions, kRequests);
}

/// What the owner of a host's events is told.
class CountingHost final : public ke::HostSignal {
public:
    void set_host_event(HANDLE) override { }
    void reset_host_event(HANDLE) override { }
    void release_host_event(HANDLE) override { ++releases; }
    int releases = 0;
};
CountingHost g_host;

NTSTATUS make_on_host(bool, ob::Ref<ke::Event>& event)
{
    return ke::Event::create_on_host(
        g_host, reinterpret_cast<HANDLE>(uintptr_t { 0x88 }), kNotificationEvent, event);
}

/// Who knows the file longer, as a pump does until its next round, keeps no event of the host's.
void the_last_handle_takes_the_event_of_host_waits_along(void**)
{
    g_host.releases = 0;
    assert_status(send(unit::kPend), STATUS_PENDING);
    assert_non_null(g.file->event_for_host_waits(make_on_host).get());
    assert_int_equal(g_host.releases, 0);
    close_handle(g.handle);
    assert_int_equal(g_host.releases, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        CASE(success_at_once_is_told_everywhere),
        CASE(an_error_at_once_is_told_by_the_result_only),
        CASE(a_warning_at_once_is_a_completion),
        CASE(without_an_event_the_file_is_signaled),
        CASE(with_an_event_the_file_is_left_alone),
        CASE(a_pending_request_tells_its_error),
        CASE(no_context_means_no_packet),
        CASE(skip_on_success_skips_only_inline_success),
        CASE(skip_set_event_leaves_the_file_nonsignaled),
        CASE(a_completion_can_call_back),
        CASE(a_routine_and_a_port_exclude_each_other),
        CASE(a_file_has_one_port_for_good),
        CASE(cancel_by_status_block),
        CASE(cancel_finds_a_request_that_is_being_tried),
        CASE(cancel_all_of_a_file),
        CASE(the_last_handle_takes_pending_requests_along),
        CASE(an_exiting_thread_cancels_its_requests),
        CASE(a_request_that_reports_to_a_port_survives_its_thread),
        CASE(a_synchronous_file_waits_for_the_end),
        CASE(the_last_handle_takes_the_event_of_host_waits_along),
        CASE(racing_ends_complete_once),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
