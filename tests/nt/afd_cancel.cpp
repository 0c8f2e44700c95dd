// AFD: requests that are cancelled, and sockets that are closed with requests pending. Rules:
// spec/afd.md, spec/NtFile.md.
#include "afd.h"

#include <atomic>

using namespace nt_suite;

namespace {

NTSTATUS cancel(const Request* request)
{
    IO_STATUS_BLOCK iosb {};
    return NtCancelIoFileEx(request->file, const_cast<IO_STATUS_BLOCK*>(&request->iosb), &iosb);
}

NTSTATUS cancel_all(HANDLE file)
{
    IO_STATUS_BLOCK iosb {};
    return NtCancelIoFileEx(file, nullptr, &iosb);
}

Request* start_accept(HANDLE listener)
{
    Request* request = new_request(listener, sizeof(uint32_t));
    issue(request, afd::kIoctlAccept, nullptr, 0, request->data, request->length);
    assert_status(request->issued, STATUS_PENDING);
    return request;
}

Request* start_accept_into(HANDLE listener, HANDLE acceptor)
{
    const afd::AcceptIntoParams params {
        static_cast<uint32_t>(reinterpret_cast<uintptr_t>(acceptor)), 0, 32
    };
    Request* request = new_request(listener, 64);
    issue(request, afd::kIoctlAcceptInto, &params, sizeof(params), request->data, request->length);
    assert_status(request->issued, STATUS_PENDING);
    return request;
}

// --- Cancelling

void cancelling_one_request_leaves_the_others(void**) // [NtFile/9]
{
    const Pair pair = new_pair();
    Request* first = start_receive(pair.server, 8);
    Request* second = start_receive(pair.server, 8);
    assert_status(cancel(first), STATUS_SUCCESS);
    assert_status(finish(first), STATUS_CANCELLED);
    assert_int_equal(first->iosb.Information, 0);
    assert_true(is_pending(second));
    assert_sends(pair.client, "hello");
    assert_status(finish(second), STATUS_SUCCESS);
    assert_received(second, "hello");
}

void all_requests_can_be_cancelled(void**) // [NtFile/9]
{
    const Pair pair = new_pair();
    Request* receives[] = { start_receive(pair.server, 8), start_receive(pair.server, 8) };
    assert_status(cancel_all(pair.server), STATUS_SUCCESS);
    for (Request* request : receives)
        assert_status(finish(request), STATUS_CANCELLED);
}

void what_is_not_pending_cannot_be_cancelled(void**) // [NtFile/9]
{
    const Pair pair = new_pair();
    Request* request = start_receive(pair.server, 8);
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_status(cancel(request), STATUS_NOT_FOUND);
    assert_status(request->iosb.Status, STATUS_SUCCESS);
}

void a_socket_without_requests_has_none_to_cancel(void**) // [NtFile/9]
{
    assert_status(cancel_all(new_pair().server), STATUS_NOT_FOUND);
}

void cancel_io_takes_the_threads_own_requests(void**) // [NtFile/9]
{
    const Pair pair = new_pair();
    const HANDLE end = new_event(kNotificationEvent);
    Request* foreign = new_request(pair.server, 8);
    std::atomic<bool> is_issued { false };
    Background* call = run_in_background([&] {
        issue_receive(foreign);
        is_issued = true;
        return NtWaitForSingleObject(end, FALSE, &kHangLimit);
    });
    assert_eventually([&] { return is_issued.load(); });
    Request* own = start_receive(pair.server, 8);
    IO_STATUS_BLOCK iosb {};
    assert_status(NtCancelIoFile(pair.server, &iosb), STATUS_SUCCESS);
    assert_status(finish(own), STATUS_CANCELLED);
    assert_true(is_pending(foreign));
    assert_sends(pair.client, "hello");
    assert_status(finish(foreign), STATUS_SUCCESS);
    NtSetEvent(end, nullptr);
    assert_status(join(call), STATUS_WAIT_0);
    assert_status(NtCancelIoFile(pair.server, &iosb), STATUS_SUCCESS);
}

void a_cancelled_receive_takes_no_data(void**) // [afd/96]
{
    const Pair pair = new_pair();
    Request* request = start_receive(pair.server, 8);
    assert_status(cancel(request), STATUS_SUCCESS);
    assert_status(finish(request), STATUS_CANCELLED);
    assert_sends(pair.client, "hello");
    assert_receives(pair.server, "hello");
}

void accepts_and_polls_can_be_cancelled(void**) // [afd/96]
{
    const Listener listener = new_listener();
    PollBlock block = poll_block(afd::kPollForever, listener.socket, afd::kPollAccept);
    Request* requests[] = { start_accept(listener.socket),
        start_accept_into(listener.socket, new_stream()), start_poll(block) };
    for (Request* request : requests) {
        assert_true(is_pending(request));
        assert_status(cancel(request), STATUS_SUCCESS);
        assert_status(finish(request), STATUS_CANCELLED);
    }
    const HANDLE client = connect_to(listener); // No accept is left that would take it.
    assert_sends(client, "x");
    assert_receives(accept_from(listener.socket), "x");
}

void a_cancelled_accept_into_frees_its_acceptor(void**) // [afd/96]
{
    const Listener listener = new_listener();
    const HANDLE acceptor = new_stream();
    Request* first = start_accept_into(listener.socket, acceptor);
    assert_status(cancel(first), STATUS_SUCCESS);
    assert_status(finish(first), STATUS_CANCELLED);
    Request* second = start_accept_into(listener.socket, acceptor);
    connect_to(listener);
    assert_status(finish(second), STATUS_SUCCESS);
}

void a_cancelled_send_tells_what_was_taken(void**) // [afd/97]
{
    const Pair pair = new_pair();
    assert_status(set_nonblocking(pair.client), STATUS_SUCCESS);
    const ULONG_PTR taken = fill(pair.client);
    Request* request = start_send(pair.client, 1 << 20);
    assert_status(request->issued, STATUS_PENDING);
    assert_status(cancel(request), STATUS_SUCCESS);
    assert_status(finish(request), STATUS_CANCELLED);
    const ULONG_PTR sent = request->iosb.Information;
    assert_true(sent < request->length);
    close_owned(pair.client);
    drain(pair.server, taken + sent);
    char data[1];
    await(pair.server, afd::kPollDisconnect);
    assert_int_equal(receive(pair.server, data, 1).count, 0);
}

// --- Threads

void an_exiting_thread_takes_its_requests_along(void**) // [NtFile/11]
{
    const Pair pair = new_pair();
    Request* request = new_request(pair.server, 8);
    Background* call = run_in_background([request] {
        issue_receive(request);
        return request->issued;
    });
    assert_status(join(call), STATUS_PENDING);
    assert_status(finish(request), STATUS_CANCELLED);
}

// --- Closing

void closing_a_listener_cancels_its_accepts(void**) // [afd/98]
{
    const Listener listener = new_listener();
    Request* requests[]
        = { start_accept(listener.socket), start_accept_into(listener.socket, new_stream()) };
    close_owned(listener.socket);
    for (Request* request : requests)
        assert_status(finish(request), STATUS_CANCELLED);
}

void closing_an_acceptor_cancels_its_accept(void**) // [afd/98]
{
    const Listener listener = new_listener();
    const HANDLE acceptor = new_stream();
    Request* request = start_accept_into(listener.socket, acceptor);
    close_owned(acceptor);
    assert_status(finish(request), STATUS_CANCELLED);
    const HANDLE client = connect_to(listener);
    assert_sends(client, "x");
    assert_receives(accept_from(listener.socket), "x");
}

void closing_a_connection_aborts_its_receives(void**) // [afd/99]
{
    const Pair pair = new_pair();
    Request* requests[] = { start_receive(pair.server, 8), start_receive(pair.server, 8) };
    close_owned(pair.server);
    for (Request* request : requests) {
        assert_status(finish(request), STATUS_CONNECTION_ABORTED);
        assert_int_equal(request->iosb.Information, 0);
    }
}

void closing_with_a_receive_pending_ends_the_stream(void**) // [afd/99]
{
    const Pair pair = new_pair();
    char data[1];
    Request* request = start_receive(pair.server, 8);
    close_owned(pair.server);
    await(pair.client, afd::kPollDisconnect);
    assert_int_equal(receive(pair.client, data, 1).count, 0);
    assert_true(finish(request) != STATUS_SUCCESS);
}

void closing_a_duplicate_leaves_requests_pending(void**) // [afd/100]
{
    const Pair pair = new_pair();
    HANDLE copy = nullptr;
    assert_status(NtDuplicateObject(current_process(), pair.server, current_process(), &copy, 0, 0,
                      DUPLICATE_SAME_ACCESS),
        STATUS_SUCCESS);
    Request* request = start_receive(pair.server, 8);
    assert_status(NtClose(copy), STATUS_SUCCESS);
    assert_true(is_pending(request));
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_received(request, "hello");
}

void a_request_ends_although_its_handle_was_closed(void**) // [afd/100]
{
    const Pair pair = new_pair();
    HANDLE copy = nullptr;
    assert_status(NtDuplicateObject(current_process(), pair.server, current_process(), &copy, 0, 0,
                      DUPLICATE_SAME_ACCESS),
        STATUS_SUCCESS);
    owned(copy);
    Request* request = start_receive(pair.server, 8);
    close_owned(pair.server);
    assert_true(is_pending(request));
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_received(request, "hello");
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(cancelling_one_request_leaves_the_others),
    cmocka_unit_test(all_requests_can_be_cancelled),
    cmocka_unit_test(what_is_not_pending_cannot_be_cancelled),
    cmocka_unit_test(a_socket_without_requests_has_none_to_cancel),
    cmocka_unit_test(cancel_io_takes_the_threads_own_requests),
    cmocka_unit_test(a_cancelled_receive_takes_no_data),
    cmocka_unit_test(accepts_and_polls_can_be_cancelled),
    cmocka_unit_test(a_cancelled_accept_into_frees_its_acceptor),
    cmocka_unit_test(a_cancelled_send_tells_what_was_taken),
    cmocka_unit_test(an_exiting_thread_takes_its_requests_along),
    cmocka_unit_test(closing_a_listener_cancels_its_accepts),
    cmocka_unit_test(closing_an_acceptor_cancels_its_accept),
    cmocka_unit_test(closing_a_connection_aborts_its_receives),
    cmocka_unit_test(closing_with_a_receive_pending_ends_the_stream),
    cmocka_unit_test(closing_a_duplicate_leaves_requests_pending),
    cmocka_unit_test(a_request_ends_although_its_handle_was_closed),
};

} // namespace

NT_GROUP(afd_cancel, kCases);
