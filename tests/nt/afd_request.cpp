// AFD: how the end of a request is told by event, file or APC, and NtReadFile and NtWriteFile on
// sockets. Rules: spec/afd.md, spec/NtFile.md.
#include "afd.h"

using namespace nt_suite;

namespace {

// --- Events and the file itself

void the_end_sets_the_event(void**) // [NtFile/3] [NtFile/4]
{
    const Pair pair = new_pair();
    Request* request = new_request(pair.server, 8);
    assert_status(NtSetEvent(request->event, nullptr), STATUS_SUCCESS);
    issue_receive(request);
    assert_false(is_signaled(request->event));
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_true(is_signaled(request->event));
}

void success_at_once_sets_the_event(void**) // [NtFile/1]
{
    Request* request = start_send(new_pair().client, 4);
    assert_status(request->issued, STATUS_SUCCESS);
    assert_true(is_signaled(request->event));
    assert_status(request->iosb.Status, STATUS_SUCCESS);
    assert_int_equal(request->iosb.Information, 4);
}

void an_error_at_once_sets_nothing(void**) // [NtFile/2] [NtFile/3]
{
    Request* request = new_request(new_stream(), 4);
    assert_status(NtSetEvent(request->event, nullptr), STATUS_SUCCESS);
    issue_receive(request);
    assert_status(request->issued, STATUS_INVALID_CONNECTION);
    assert_false(is_signaled(request->event));
    assert_status(request->iosb.Status, STATUS_PENDING); // as it was
}

void without_an_event_the_socket_is_signaled(void**) // [NtFile/5]
{
    const Pair pair = new_pair();
    Request* request = new_request(pair.server, 8);
    request->event = nullptr;
    issue_receive(request);
    assert_status(request->issued, STATUS_PENDING);
    assert_status(poll(pair.server), STATUS_TIMEOUT);
    assert_sends(pair.client, "hello");
    assert_status(NtWaitForSingleObject(pair.server, FALSE, &kHangLimit), STATUS_WAIT_0);
    assert_received(request, "hello");
}

// --- APCs

struct Told {
    int calls;
    NTSTATUS status;
    ULONG_PTR information;
};

void NTAPI tell(PVOID context, IO_STATUS_BLOCK* iosb, ULONG)
{
    auto* told = static_cast<Told*>(context);
    ++told->calls;
    told->status = iosb->Status;
    told->information = iosb->Information;
}

Request* new_apc_request(HANDLE file, ULONG length, Told& told)
{
    Request* request = new_request(file, length);
    request->event = nullptr;
    request->apc = tell;
    request->context = &told;
    return request;
}

void an_apc_tells_the_end_in_an_alertable_wait(void**) // [afd/103]
{
    static Told told;
    told = {};
    const Pair pair = new_pair();
    Request* request = new_apc_request(pair.server, 8, told);
    issue_receive(request);
    assert_status(request->issued, STATUS_PENDING);
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_int_equal(told.calls, 0); // None of these waits was alertable.
    assert_status(NtDelayExecution(TRUE, &kHangLimit), STATUS_USER_APC);
    assert_int_equal(told.calls, 1);
    assert_status(told.status, STATUS_SUCCESS);
    assert_int_equal(told.information, 5);
}

void success_at_once_queues_the_apc_too(void**) // [afd/103]
{
    static Told told;
    told = {};
    issue_send(new_apc_request(new_pair().client, 4, told));
    assert_int_equal(told.calls, 0);
    assert_status(NtDelayExecution(TRUE, &kHangLimit), STATUS_USER_APC);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.information, 4);
}

// --- NtReadFile, NtWriteFile

void read_and_write_file_receive_and_send(void**) // [afd/104]
{
    const Pair pair = new_pair();
    Request* read = new_request(pair.server, 8);
    assert_status(set_nonblocking(pair.server), STATUS_SUCCESS);
    read->issued = NtReadFile(pair.server, read->event, nullptr, nullptr, &read->iosb, read->data,
        read->length, nullptr, nullptr);
    assert_status(read->issued, STATUS_PENDING); // like an overlapped receive

    Request* write = new_request(pair.client);
    write->issued = NtWriteFile(
        pair.client, write->event, nullptr, nullptr, &write->iosb, "hello", 5, nullptr, nullptr);
    assert_status(finish(write), STATUS_SUCCESS);
    assert_int_equal(write->iosb.Information, 5);
    assert_status(finish(read), STATUS_SUCCESS);
    assert_received(read, "hello");
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_end_sets_the_event),
    cmocka_unit_test(success_at_once_sets_the_event),
    cmocka_unit_test(an_error_at_once_sets_nothing),
    cmocka_unit_test(without_an_event_the_socket_is_signaled),
    cmocka_unit_test(an_apc_tells_the_end_in_an_alertable_wait),
    cmocka_unit_test(success_at_once_queues_the_apc_too),
    cmocka_unit_test(read_and_write_file_receive_and_send),
};

} // namespace

NT_GROUP(afd_request, kCases);
