// AFD: requests and completion ports. Rules: spec/afd.md, spec/NtFile.md.
#include "afd.h"

#include "platform.h"

using namespace nt_suite;

namespace {

constexpr ULONG kCompletionInformation = 30; // classes of NtSetInformationFile
constexpr ULONG kNotificationModes = 41;
constexpr ULONG kSkipPortOnSuccess = 1;

constexpr ULONG_PTR kKey = 77;
const auto kContext = reinterpret_cast<PVOID>(static_cast<uintptr_t>(0x1234));

NTSTATUS associate(HANDLE file, HANDLE port, ULONG_PTR key = kKey)
{
    struct FileCompletionInformation info {
        port, key
    }; // The SDK has a constant of that name.
    return set_file_information(file, kCompletionInformation, &info, sizeof(info));
}

struct PairWithPort {
    HANDLE client, server, port;
};

PairWithPort new_pair_with_port()
{
    const Pair pair = new_pair();
    const HANDLE port = new_port();
    assert_status(associate(pair.server, port), STATUS_SUCCESS);
    return { pair.client, pair.server, port };
}

/// A request whose end is told to the port only.
Request* new_port_request(HANDLE file, ULONG length, PVOID context = kContext)
{
    Request* request = new_request(file, length);
    request->event = nullptr;
    request->context = context;
    return request;
}

NTSTATUS take(HANDLE port, CompletionPacket& packet, const LARGE_INTEGER* timeout = &kHangLimit)
{
    return NtRemoveIoCompletion(port, &packet.key, &packet.context, &packet.iosb, timeout);
}

void assert_packet(HANDLE port, NTSTATUS status, ULONG_PTR information, ULONG_PTR key = kKey)
{
    CompletionPacket packet {};
    assert_status(take(port, packet), STATUS_SUCCESS);
    assert_int_equal(packet.key, key);
    assert_int_equal(packet.context, reinterpret_cast<ULONG_PTR>(kContext));
    assert_status(packet.iosb.Status, status);
    assert_int_equal(packet.iosb.Information, information);
}

void assert_no_packet(HANDLE port)
{
    CompletionPacket packet {};
    assert_status(take(port, packet, &kNow), STATUS_TIMEOUT);
}

void the_end_is_queued_to_the_port(void**) // [NtFile/6]
{
    const PairWithPort pair = new_pair_with_port();
    Request* request = new_port_request(pair.server, 8);
    issue_receive(request);
    assert_status(request->issued, STATUS_PENDING);
    assert_no_packet(pair.port);
    assert_sends(pair.client, "hello");
    assert_packet(pair.port, STATUS_SUCCESS, 5);
    assert_received(request, "hello");
    assert_no_packet(pair.port);
}

void success_at_once_is_queued_too(void**) // [NtFile/1]
{
    const PairWithPort pair = new_pair_with_port();
    Request* request = new_port_request(pair.server, 4);
    issue_send(request);
    assert_status(request->issued, STATUS_SUCCESS);
    assert_packet(pair.port, STATUS_SUCCESS, 4);
}

void event_and_port_are_both_told(void**) // [NtFile/6]
{
    const PairWithPort pair = new_pair_with_port();
    Request* request = new_request(pair.server, 8);
    request->context = kContext;
    issue_receive(request);
    assert_sends(pair.client, "hello");
    assert_status(finish(request), STATUS_SUCCESS);
    assert_packet(pair.port, STATUS_SUCCESS, 5);
}

void without_a_context_nothing_is_queued(void**) // [NtFile/6]
{
    const PairWithPort pair = new_pair_with_port();
    assert_sends(pair.server, "x");
    assert_sends(pair.client, "y");
    assert_receives(pair.server, "y");
    assert_no_packet(pair.port);
}

void an_error_at_once_is_not_queued(void**) // [NtFile/2]
{
    const HANDLE socket = new_stream(), port = new_port();
    assert_status(associate(socket, port), STATUS_SUCCESS);
    Request* request = new_port_request(socket, 4);
    issue_receive(request);
    assert_status(request->issued, STATUS_INVALID_CONNECTION);
    assert_no_packet(port);
}

void skip_on_success_saves_the_packet_of_success_at_once(void**) // [NtFile/8]
{
    const PairWithPort pair = new_pair_with_port();
    ULONG modes = kSkipPortOnSuccess;
    assert_status(set_file_information(pair.server, kNotificationModes, &modes, sizeof(modes)),
        STATUS_SUCCESS);
    issue_send(new_port_request(pair.server, 4));
    assert_no_packet(pair.port);
    issue_receive(new_port_request(pair.server, 8));
    assert_sends(pair.client, "hello");
    assert_packet(pair.port, STATUS_SUCCESS, 5);
}

void a_cancelled_request_is_queued(void**) // [NtFile/4]
{
    const PairWithPort pair = new_pair_with_port();
    Request* request = new_port_request(pair.server, 8);
    issue_receive(request);
    IO_STATUS_BLOCK iosb {};
    assert_status(NtCancelIoFileEx(pair.server, &request->iosb, &iosb), STATUS_SUCCESS);
    assert_packet(pair.port, STATUS_CANCELLED, 0);
}

void a_truncated_datagram_is_queued_as_a_warning(void**) // [NtFile/1] [afd/65]
{
    const Pair pair = new_datagram_pair();
    const HANDLE port = new_port();
    assert_status(associate(pair.server, port), STATUS_SUCCESS);
    Request* request = new_port_request(pair.server, 4);
    assert_sends(pair.client, "too long");
    await(pair.server, afd::kPollReceive);
    issue_receive(request);
    assert_status(request->issued, STATUS_BUFFER_OVERFLOW);
    assert_packet(port, STATUS_BUFFER_OVERFLOW, 4);
}

void a_socket_has_one_port(void**) // [NtFile/7]
{
    const PairWithPort pair = new_pair_with_port();
    assert_status(associate(pair.server, new_port()), STATUS_INVALID_PARAMETER);
    assert_status(
        associate(new_stream(FILE_SYNCHRONOUS_IO_NONALERT), pair.port), STATUS_INVALID_PARAMETER);
}

void a_request_may_be_older_than_the_association(void**) // [afd/101]
{
    const Pair pair = new_pair();
    const HANDLE port = new_port();
    issue_receive(new_port_request(pair.server, 8));
    assert_status(associate(pair.server, port), STATUS_SUCCESS);
    assert_sends(pair.client, "hello");
    assert_packet(port, STATUS_SUCCESS, 5);
}

void accept_into_is_told_to_the_port_of_the_listener(void**) // [afd/101]
{
    const Listener listener = new_listener();
    const HANDLE acceptor = new_stream(), port = new_port();
    assert_status(associate(listener.socket, port, 1), STATUS_SUCCESS);
    assert_status(associate(acceptor, port, 2), STATUS_SUCCESS);
    const afd::AcceptIntoParams params {
        static_cast<uint32_t>(reinterpret_cast<uintptr_t>(acceptor)), 0, 32
    };
    Request* request = new_port_request(listener.socket, 64);
    issue(request, afd::kIoctlAcceptInto, &params, sizeof(params), request->data, request->length);
    const HANDLE client = connect_to(listener);
    assert_packet(port, STATUS_SUCCESS, 0, 1);

    issue_receive(new_port_request(acceptor, 8)); // which has kept its own
    assert_sends(client, "hello");
    assert_packet(port, STATUS_SUCCESS, 5, 2);
}

void a_request_to_a_port_survives_its_thread(void**) // [NtFile/11]
{
    const PairWithPort pair = new_pair_with_port();
    Request* request = new_port_request(pair.server, 8);
    Background* call = run_in_background([request] {
        issue_receive(request);
        return request->issued;
    });
    assert_status(join(call), STATUS_PENDING);
    assert_sends(pair.client, "hello");
    assert_packet(pair.port, STATUS_SUCCESS, 5);
    assert_received(request, "hello");
}

void a_request_can_be_completed_by_hand(void**) // [afd/102]
{
    const PairWithPort pair = new_pair_with_port();
    for (NTSTATUS status : { STATUS_SUCCESS, STATUS_CONNECTION_RESET }) {
        Request* request = new_request(pair.server);
        request->context = kContext;
        issue(request, afd::kIoctlCompleteAsync, &status, sizeof(status));
        assert_status(request->issued, status);
        assert_true(is_signaled(request->event));
        assert_status(request->iosb.Status, status);
        assert_packet(pair.port, status, 0);
    }
}

void NTAPI never_called(PVOID, IO_STATUS_BLOCK*, ULONG)
{
}

void apc_and_port_exclude_each_other(void**) // [NtFile/6]
{
    Request* request = new_port_request(new_pair_with_port().server, 8);
    request->apc = never_called;
    issue_receive(request);
    assert_status(request->issued, STATUS_INVALID_PARAMETER);
}

void read_file_is_told_to_the_port(void**) // [afd/104]
{
    const PairWithPort pair = new_pair_with_port();
    Request* request = new_port_request(pair.server, 8);
    request->issued = NtReadFile(pair.server, nullptr, nullptr, kContext, &request->iosb,
        request->data, request->length, nullptr, nullptr);
    assert_status(request->issued, STATUS_PENDING);
    assert_sends(pair.client, "hello");
    assert_packet(pair.port, STATUS_SUCCESS, 5);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_end_is_queued_to_the_port),
    cmocka_unit_test(success_at_once_is_queued_too),
    cmocka_unit_test(event_and_port_are_both_told),
    cmocka_unit_test(without_a_context_nothing_is_queued),
    cmocka_unit_test(an_error_at_once_is_not_queued),
    cmocka_unit_test(skip_on_success_saves_the_packet_of_success_at_once),
    cmocka_unit_test(a_cancelled_request_is_queued),
    cmocka_unit_test(a_truncated_datagram_is_queued_as_a_warning),
    cmocka_unit_test(a_socket_has_one_port),
    cmocka_unit_test(a_request_may_be_older_than_the_association),
    cmocka_unit_test(accept_into_is_told_to_the_port_of_the_listener),
    cmocka_unit_test(a_request_to_a_port_survives_its_thread),
    cmocka_unit_test(a_request_can_be_completed_by_hand),
    cmocka_unit_test(apc_and_port_exclude_each_other),
    cmocka_unit_test(read_file_is_told_to_the_port),
};

} // namespace

NT_GROUP(afd_completion, kCases);
