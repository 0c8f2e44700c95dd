// Sockets whose files are a host's: what is noted of the requests that pass, and a record that the
// host goes on with.
#include <sys/socket.h>
#include <unistd.h>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "afd/socket_file.h"

#include "unit.h"

namespace {

using afd::HostedRecord;
using afd::PassedRequest;
using ntke::SocketState;

constexpr uint32_t kInet = 2;
constexpr uint32_t kStream = 1;
constexpr uint32_t kDatagram = 2;

/// A socket of a host that is not there: the case says what it answers.
class Hosted {
public:
    explicit Hosted(uint32_t type)
        : m_file(afd::SocketFile::make_hosted(4, io::File::Mode::Asynchronous))
    {
        assert_true(static_cast<bool>(m_file));
        pass(afd::kIoctlCreate, STATUS_SUCCESS, kInet, type);
    }
    afd::SocketFile& operator*() const { return *m_file; }
    afd::SocketFile* operator->() const { return m_file.get(); }

    PassedRequest begin(ULONG code, uint32_t first = 0, uint32_t second = 0, uint32_t third = 0)
    {
        PassedRequest request { code, { first, second, third, 0 }, 0, 0, false, {} };
        m_file->note_passed_down(request);
        return request;
    }
    void end(const PassedRequest& request, NTSTATUS status, uint32_t output = 0)
    {
        m_file->note_answered(request, status, output);
    }
    void pass(
        ULONG code, NTSTATUS status, uint32_t first = 0, uint32_t second = 0, uint32_t third = 0)
    {
        end(begin(code, first, second, third), status);
    }
    void connect(NTSTATUS status) { pass(afd::kIoctlConnect, status, 16, 1, kInet); }

private:
    ob::Ref<afd::SocketFile> m_file;
};

bool is_in(const Hosted& socket, SocketState state)
{
    return socket->state() == state;
}

void its_kind_is_seen_as_it_is_created(void**)
{
    const Hosted stream(kStream);
    const Hosted datagram(kDatagram);
    assert_true(is_in(stream, SocketState::Unconnected));
    assert_true(is_in(datagram, SocketState::Datagram));
    assert_false(datagram->is_established());
}

void a_datagram_socket_is_bound_by_bind_or_its_first_datagram(void**)
{
    Hosted bound(kDatagram);
    bound.pass(afd::kIoctlBind, STATUS_SHARING_VIOLATION);
    assert_false(bound->is_established());
    bound.pass(afd::kIoctlBind, STATUS_SUCCESS);
    assert_true(bound->is_established());

    Hosted sending(kDatagram);
    sending.pass(afd::kIoctlSendMsg, STATUS_PENDING);
    assert_false(sending->is_established());
    sending.pass(afd::kIoctlSendMsg, STATUS_SUCCESS);
    assert_true(sending->is_established());
}

void a_connect_that_pends_is_connecting_until_its_end_is_told(void**)
{
    Hosted socket(kStream);
    socket.connect(STATUS_PENDING);
    assert_true(is_in(socket, SocketState::Connecting));
    socket->note_connect_ended(STATUS_SUCCESS);
    assert_true(is_in(socket, SocketState::Connected));
    assert_true(socket->can_send());
}

void a_refused_connect_changes_nothing(void**)
{
    Hosted socket(kStream);
    socket.connect(STATUS_INVALID_PARAMETER);
    assert_true(is_in(socket, SocketState::Unconnected));
    socket.pass(afd::kIoctlListen, STATUS_SUCCESS);
    socket.connect(STATUS_INVALID_PARAMETER);
    assert_true(is_in(socket, SocketState::Listening));
}

void a_blocking_connect_fails_without_an_event(void**)
{
    Hosted socket(kStream);
    socket.connect(STATUS_PENDING);
    socket->note_connect_ended(STATUS_CONNECTION_REFUSED);
    assert_true(is_in(socket, SocketState::Unconnected));
}

void a_non_blocking_connect_fails_until_the_next_one(void**)
{
    Hosted socket(kStream);
    socket.pass(afd::kIoctlFionbio, STATUS_SUCCESS, 1);
    socket.connect(STATUS_DEVICE_NOT_READY);
    socket->note_connect_ended(STATUS_CONNECTION_REFUSED);
    assert_true(is_in(socket, SocketState::ConnectFailed));
    socket.connect(STATUS_DEVICE_NOT_READY);
    assert_true(is_in(socket, SocketState::Connecting));
    socket->note_connect_ended(STATUS_CONNECTION_REFUSED);
    socket.connect(STATUS_INVALID_PARAMETER); // changes nothing
    assert_true(is_in(socket, SocketState::ConnectFailed));
}

/// Another thread may see the end, by a packet or a poll, before the one that connects comes back.
void an_end_may_be_told_before_the_beginning_is(void**)
{
    Hosted socket(kStream);
    const PassedRequest request = socket.begin(afd::kIoctlConnect, 16, 0, kInet);
    socket->note_connect_ended(STATUS_SUCCESS);
    socket.end(request, STATUS_PENDING);
    assert_true(is_in(socket, SocketState::Connected));
}

void the_hosts_word_ends_a_connect(void**)
{
    Hosted asked(kStream);
    asked.connect(STATUS_DEVICE_NOT_READY);
    asked.end(asked.begin(afd::kIoctlGetSoConnectTime), STATUS_SUCCESS, afd::kNotConnected);
    assert_true(is_in(asked, SocketState::Connecting));
    asked.end(asked.begin(afd::kIoctlGetSoConnectTime), STATUS_SUCCESS, 0);
    assert_true(is_in(asked, SocketState::Connected));

    Hosted polled(kStream);
    polled.connect(STATUS_DEVICE_NOT_READY);
    polled->note_polled(afd::kPollConnectFail); // may be that of the last one
    assert_true(is_in(polled, SocketState::Connecting));
    polled->note_polled(afd::kPollConnect | afd::kPollSend);
    assert_true(is_in(polled, SocketState::Connected));

    Hosted sending(kStream);
    sending.connect(STATUS_DEVICE_NOT_READY);
    sending.pass(afd::kIoctlSendMsg, STATUS_SUCCESS);
    assert_true(is_in(sending, SocketState::Connected));
}

/// The host says so when the connect has failed, too.
void a_receive_of_nothing_ends_no_connect(void**)
{
    Hosted socket(kStream);
    socket.connect(STATUS_DEVICE_NOT_READY);
    socket.end(socket.begin(afd::kIoctlRecvMsg), STATUS_SUCCESS, 0);
    assert_true(is_in(socket, SocketState::Connecting));
    socket.end(socket.begin(afd::kIoctlRecvMsg), STATUS_SUCCESS, 1);
    assert_true(is_in(socket, SocketState::Connected));
}

void a_shutdown_is_known_before_the_host_does_it(void**)
{
    constexpr uint32_t kBoth = 2;
    Hosted socket(kStream);
    socket.connect(STATUS_SUCCESS);
    const PassedRequest request = socket.begin(afd::kIoctlShutdown, kBoth);
    assert_false(socket->can_receive());
    assert_false(socket->can_send());
    socket.end(request, STATUS_INVALID_CONNECTION);
    assert_true(socket->can_receive());
    assert_true(socket->can_send());
}

void a_shutdown_that_fails_leaves_what_was_shut_down(void**)
{
    constexpr uint32_t kSend = 1;
    constexpr uint32_t kBoth = 2;
    Hosted socket(kStream);
    socket.connect(STATUS_SUCCESS);
    socket.pass(afd::kIoctlShutdown, STATUS_SUCCESS, kSend);
    socket.pass(afd::kIoctlShutdown, STATUS_INVALID_CONNECTION, kBoth);
    assert_true(socket->can_receive());
    assert_false(socket->can_send());
}

/// Two threads shut down, and the host refuses the first one: it was not connected yet.
void a_shutdown_that_fails_leaves_what_another_one_has_shut_down(void**)
{
    constexpr uint32_t kSend = 1;
    Hosted socket(kStream);
    socket.connect(STATUS_SUCCESS);
    const PassedRequest refused = socket.begin(afd::kIoctlShutdown, kSend);
    socket.pass(afd::kIoctlShutdown, STATUS_SUCCESS, kSend);
    socket.end(refused, STATUS_INVALID_CONNECTION);
    assert_false(socket->can_send());

    Hosted other(kStream);
    other.connect(STATUS_SUCCESS);
    const PassedRequest first = other.begin(afd::kIoctlShutdown, kSend);
    const PassedRequest second = other.begin(afd::kIoctlShutdown, kSend);
    other.end(first, STATUS_INVALID_CONNECTION);
    other.end(second, STATUS_SUCCESS);
    assert_false(other->can_send());
}

void the_host_is_told_the_mode_it_does_not_know(void**)
{
    Hosted socket(kStream);
    assert_false(socket->must_tell_mode());
    socket.pass(afd::kIoctlEventSelect, STATUS_SUCCESS); // by the host, which sets it
    assert_true(socket->is_nonblocking());
    assert_false(socket->must_tell_mode());
}

// --- The record

afd::GetEventsResult events(uint32_t flags)
{
    afd::GetEventsResult result {};
    result.flags = flags;
    return result;
}

void what_was_told_is_not_told_again(void**)
{
    HostedRecord record;
    record.begin(afd::kPollSend | afd::kPollReceive, events(0));
    afd::GetEventsResult told = events(afd::kPollSend | afd::kPollReceive);
    record.complete(told, ~0u);
    assert_int_equal(told.flags, afd::kPollReceive); // data the host sees by itself are new
}

void an_end_is_told_once_in_whatever_form(void**) // [WSAEventSelect/61]
{
    HostedRecord told_before;
    told_before.begin(afd::kPollDisconnect, events(0));
    afd::GetEventsResult told = events(afd::kPollAbort);
    told_before.complete(told, ~0u);
    assert_int_equal(told.flags, 0);

    told_before.carry(events(afd::kPollAbort), afd::kPollDisconnect);
    assert_false(told_before.has_pending(~0u));

    HostedRecord pending;
    pending.begin(0, events(afd::kPollDisconnect));
    told = events(afd::kPollAbort);
    pending.complete(told, ~0u);
    assert_int_equal(told.flags, afd::kPollDisconnect);
    told = events(afd::kPollAbort);
    pending.complete(told, ~0u);
    assert_int_equal(told.flags, 0);
}

void what_was_pending_is_told_once_and_only_if_selected(void**)
{
    HostedRecord record;
    record.begin(0, events(afd::kPollReceive | afd::kPollDisconnect));
    assert_true(record.has_pending(afd::kPollReceive));
    afd::GetEventsResult told = events(0);
    record.complete(told, afd::kPollReceive);
    assert_int_equal(told.flags, afd::kPollReceive);
    told = events(0);
    record.complete(told, afd::kPollReceive | afd::kPollDisconnect);
    assert_int_equal(told.flags, afd::kPollDisconnect);
    assert_false(record.has_pending(~0u));
}

void a_re_enabled_condition_is_the_hosts(void**)
{
    HostedRecord record;
    record.begin(afd::kPollSend, events(afd::kPollReceive));
    record.re_enable(afd::kPollSend | afd::kPollReceive);
    afd::GetEventsResult told = events(afd::kPollSend);
    record.complete(told, ~0u);
    assert_int_equal(told.flags, afd::kPollSend);
}

/// [WSAEventSelect/34]
void a_connect_that_is_refused_leaves_what_was_pending(void**)
{
    constexpr uint32_t kOutcome = afd::kPollConnect | afd::kPollConnectFail;
    for (const NTSTATUS answer : { STATUS_INVALID_PARAMETER, STATUS_DEVICE_NOT_READY }) {
        Hosted socket(kStream);
        {
            ke::LockGuard guard(socket->selection_lock());
            socket->hosted_record().begin(afd::kPollSend, events(afd::kPollConnectFail));
        }
        socket.connect(answer);
        afd::GetEventsResult told = events(afd::kPollSend);
        ke::LockGuard guard(socket->selection_lock());
        socket->hosted_record().complete(told, kOutcome | afd::kPollSend);
        const bool is_refused = answer == STATUS_INVALID_PARAMETER;
        assert_int_equal(told.flags, is_refused ? afd::kPollConnectFail : afd::kPollSend);
    }
}

void what_the_host_finds_meanwhile_is_carried(void**)
{
    HostedRecord record;
    record.begin(afd::kPollReceive, events(0));
    record.carry(events(afd::kPollReceive | afd::kPollAccept), afd::kPollReceive);
    afd::GetEventsResult told = events(0);
    record.complete(told, ~0u);
    assert_int_equal(told.flags, afd::kPollAccept);
}

/// Any process may give us a handle of what it likes.
void only_what_ntke_has_made_is_a_unix_socket_of_its_own(void**)
{
    const auto is_one = [](int flags, const bool* mode) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds), 0);
        afd::HostSocket opened(fds[0]);
        if (mode)
            opened.tell_mode(*mode);
        ob::Ref<afd::SocketFile> socket;
        const NTSTATUS status = afd::SocketFile::make_own(opened, socket);
        close(fds[1]);
        if (NT_SUCCESS(status))
            assert_int_equal(socket->is_nonblocking(), *mode);
        return NT_SUCCESS(status);
    };
    for (const bool mode : { false, true }) {
        assert_true(is_one(SOCK_NONBLOCK, &mode));
        assert_false(is_one(0, &mode));
    }
    assert_false(is_one(SOCK_NONBLOCK, nullptr));
    assert_false(is_one(0, nullptr));
}

/// What a process finds that gets the handle of a socket which a connection was accepted into.
void what_leads_to_a_connection_becomes_it_for_all(void**)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    afd::HostSocket connection(ends[0]);
    connection.tell_mode(true);
    const int kept = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    afd::HostSocket first(dup(kept));
    first.tell_mode(false);
    first.follow();
    first.lead_to(connection);
    first.close();
    connection.close();
    for (const char byte : { 'a', 'b' }) {
        afd::HostSocket opened(dup(kept));
        ob::Ref<afd::SocketFile> found;
        opened.follow();
        const int fd = dup(opened.descriptor());
        assert_int_equal(afd::SocketFile::make_own(opened, found), STATUS_SUCCESS);
        assert_true(found->is_nonblocking());
        assert_int_equal(found->state(), ntke::SocketState::Connected);
        char received;
        assert_int_equal(write(fd, &byte, 1), 1);
        assert_int_equal(read(ends[1], &received, 1), 1);
        assert_int_equal(received, byte);
        close(fd);
    }
    char byte;
    close(kept); // the last that has it
    assert_int_equal(read(ends[1], &byte, 1), 0);
    close(ends[1]);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(its_kind_is_seen_as_it_is_created),
        cmocka_unit_test(a_datagram_socket_is_bound_by_bind_or_its_first_datagram),
        cmocka_unit_test(a_connect_that_pends_is_connecting_until_its_end_is_told),
        cmocka_unit_test(a_refused_connect_changes_nothing),
        cmocka_unit_test(a_blocking_connect_fails_without_an_event),
        cmocka_unit_test(a_non_blocking_connect_fails_until_the_next_one),
        cmocka_unit_test(an_end_may_be_told_before_the_beginning_is),
        cmocka_unit_test(the_hosts_word_ends_a_connect),
        cmocka_unit_test(a_receive_of_nothing_ends_no_connect),
        cmocka_unit_test(a_shutdown_is_known_before_the_host_does_it),
        cmocka_unit_test(a_shutdown_that_fails_leaves_what_was_shut_down),
        cmocka_unit_test(a_shutdown_that_fails_leaves_what_another_one_has_shut_down),
        cmocka_unit_test(the_host_is_told_the_mode_it_does_not_know),
        cmocka_unit_test(what_was_told_is_not_told_again),
        cmocka_unit_test(an_end_is_told_once_in_whatever_form),
        cmocka_unit_test(what_was_pending_is_told_once_and_only_if_selected),
        cmocka_unit_test(a_re_enabled_condition_is_the_hosts),
        cmocka_unit_test(a_connect_that_is_refused_leaves_what_was_pending),
        cmocka_unit_test(what_the_host_finds_meanwhile_is_carried),
        cmocka_unit_test(only_what_ntke_has_made_is_a_unix_socket_of_its_own),
        cmocka_unit_test(what_leads_to_a_connection_becomes_it_for_all),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
