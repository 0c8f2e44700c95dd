// Requests with bad memory and wrong handles: they fail or are lost, and nothing else breaks.

#include "extensions.h"
#include "peers.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

constexpr size_t kPage = 4096;

/// Memory that a case takes away while an operation may still use it. Nothing else gets its place.
char* new_page()
{
    return static_cast<char*>(lasting_memory(kPage));
}

void free_page(void* page, Where where = Where::current())
{
    if (!VirtualFree(page, 0, MEM_DECOMMIT))
        fail_at(where, "VirtualFree failed with %lu", GetLastError());
}

char* unmapped_page(Where where = Where::current())
{
    char* page = new_page();
    free_page(page, where);
    return page;
}

/// Both directions of the connection, by plain calls and by the port.
void assert_works(const PortPair& p, Where where = Where::current())
{
    char byte = 0;
    send_text(p.pair.server, "w", where);
    receive_exactly(p.pair.client, &byte, 1, where);
    if (byte != 'w')
        fail_at(where, "a wrong byte came");
    Operation* receive = pending_receive(p.pair.server, nullptr, where);
    send_text(p.pair.client, "w", where);
    const Packet packet = next_packet(p.port, where);
    if (packet.overlapped != &receive->overlapped || packet.transferred != 1
        || receive->data[0] != 'w')
        fail_at(where, "a wrong packet came");
}

// --- Memory that goes while an operation pends

void a_buffer_may_go_while_its_receive_pends(void**) // [overlapped/55]
{
    const PortPair victim = new_port_pair();
    const PortPair other = new_port_pair();
    Operation* receive = new_operation();
    char* page = new_page();
    receive->buffer = { kPage, page };
    assert_wsa_fails(start_receive(victim.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    free_page(page);
    send_text(victim.pair.client, "hello");
    assert_works(other);
    // It may be told as a failure or not at all.
    const Packet packet = take_packet(victim.port, 200);
    if (packet.overlapped) {
        assert_false(packet.result);
        assert_ptr_equal(packet.overlapped, &receive->overlapped);
    }
    close_owned(victim.pair.server);
    close_owned(victim.pair.client);
    assert_works(other);
}

void a_buffer_may_become_read_only_while_its_receive_pends(void**) // [overlapped/55]
{
    const PortPair victim = new_port_pair();
    const PortPair other = new_port_pair();
    Operation* receive = new_operation();
    char* page = new_page();
    DWORD old;
    receive->buffer = { kPage, page };
    assert_wsa_fails(start_receive(victim.pair.server, receive), SOCKET_ERROR, WSA_IO_PENDING);

    assert_true(VirtualProtect(page, kPage, PAGE_READONLY, &old));
    send_text(victim.pair.client, "hello");
    assert_works(other);
    take_packet(victim.port, 200); // Whatever it was.
    close_owned(victim.pair.server);
    assert_works(other);
}

void a_buffer_may_go_while_its_send_pends(void**) // [overlapped/55]
{
    constexpr ULONG kLength = 12 << 20;
    const PortPair other = new_port_pair();
    const TcpPair pair = new_tcp_pair();
    Operation* send = new_operation(new_event());
    send->buffer = { kLength, static_cast<char*>(lasting_memory(kLength)) };
    assert_wsa_fails(WSASend(pair.client, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);

    free_page(send->buffer.buf);
    Background* peer = run_in_background([=] {
        static char data[65536];
        while (recv(pair.server, data, sizeof(data), 0) > 0) { }
        return 0;
    });
    assert_works(other);
    CancelIoEx(as_handle(pair.client), nullptr);
    close_owned(pair.client);
    join(peer);
    assert_works(other);
}

// --- Memory that is bad from the start

void an_overlapped_receive_into_nowhere_is_refused(void**) // [overlapped/56]
{
    const PortPair p = new_port_pair();
    for (char* nowhere : { static_cast<char*>(nullptr), unmapped_page() }) {
        Operation* receive = new_operation();
        send_text(p.pair.client, "hello");
        wait_until_received(p.pair.server, 5);
        receive->buffer.buf = nowhere;
        assert_wsa_fails(start_receive(p.pair.server, receive), SOCKET_ERROR, WSAEFAULT);
        assert_no_packet(p.port);
        char data[5];
        receive_exactly(p.pair.server, data, 5);
        assert_memory_equal(data, "hello", 5);
    }
    assert_works(p);
}

void an_overlapped_send_from_nowhere_is_refused(void**) // [overlapped/56]
{
    const PortPair p = new_port_pair();
    for (char* nowhere : { static_cast<char*>(nullptr), unmapped_page() }) {
        Operation* send = new_operation();
        send->buffer.buf = nowhere;
        assert_wsa_fails(
            WSASend(p.pair.server, &send->buffer, 1, nullptr, 0, &send->overlapped, nullptr),
            SOCKET_ERROR, WSAEFAULT);
    }
    assert_no_packet(p.port);
    assert_works(p);
}

/// What of a send has not found room is kept by the kernel, or would be.
void a_nonblocking_send_from_nowhere_harms_nobody(void**) // [overlapped/55]
{
    constexpr ULONG kLength = 64 << 20;
    constexpr DWORD kParts = 256; // more than a call has as a rule
    const PortPair other = new_port_pair();
    const TcpPair pair = new_tcp_pair();
    auto* memory = static_cast<char*>(
        VirtualAlloc(nullptr, kLength, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    assert_non_null(memory);
    assert_true(VirtualFree(memory + kLength / 2, kLength / 2, MEM_DECOMMIT));
    auto* parts = static_cast<WSABUF*>(lasting_memory(kParts * sizeof(WSABUF)));
    for (DWORD i = 0; i < kParts; ++i)
        parts[i] = { kLength / kParts, memory + i * (kLength / kParts) };
    set_nonblocking(pair.client);

    HANDLE sender;
    assert_true(DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(),
        &sender, 0, FALSE, DUPLICATE_SAME_ACCESS));
    owned(sender);
    DWORD sent = 0;
    WSASend(pair.client, parts, kParts, &sent, 0, nullptr, nullptr); // what has gone, or a failure
    VirtualFree(memory, 0, MEM_RELEASE);
    // A thread that has come out of it can be suspended, and the socket closed.
    Background* suspender = run_in_background([=] {
        CONTEXT context = {};
        context.ContextFlags = CONTEXT_CONTROL;
        const bool is_suspended
            = SuspendThread(sender) != DWORD(-1) && GetThreadContext(sender, &context);
        ResumeThread(sender);
        return is_suspended;
    });
    assert_int_equal(join(suspender).value, 1);
    close_owned(pair.client);
    static char data[65536];
    limit_receives(pair.server);
    int count;
    while ((count = recv(pair.server, data, sizeof(data), 0)) > 0) { }
    assert_true(count == 0 || WSAGetLastError() == WSAECONNRESET);
    assert_works(other);
}

void a_read_into_nowhere_is_refused_at_once(void**) // [overlapped/55]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();
    SetLastError(kPoison);
    assert_false(
        ReadFile(as_handle(p.pair.server), unmapped_page(), kPage, nullptr, &receive->overlapped));
    assert_int_equal(GetLastError(), ERROR_NOACCESS);
    assert_no_packet(p.port);
    assert_works(p);
}

/// A handle of the same object with no other rights.
HANDLE copy_with(HANDLE handle, DWORD access)
{
    HANDLE copy = nullptr;
    assert_true(
        DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, access, FALSE, 0));
    return owned(copy);
}

void a_handle_serves_what_it_has_the_right_to(void**) // [NtHandle/5]
{
    const PortPair p = new_port_pair();
    const HANDLE port = copy_with(p.port, SYNCHRONIZE);
    const HANDLE reader = copy_with(as_handle(p.pair.server), GENERIC_READ | SYNCHRONIZE);
    const HANDLE writer = copy_with(as_handle(p.pair.server), GENERIC_WRITE | SYNCHRONIZE);
    Operation* operation = new_operation();
    char byte = 'x';

    assert_false(PostQueuedCompletionStatus(port, 0, 1, nullptr));
    assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
    post(p.port, 2, &operation->overlapped);
    assert_false(take_packet(port, 0).result);
    assert_int_equal(next_packet(p.port).key, 2);
    assert_false(WriteFile(reader, &byte, 1, nullptr, &operation->overlapped));
    assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
    assert_false(ReadFile(writer, &byte, 1, nullptr, &operation->overlapped));
    assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
    assert_no_packet(p.port);
    assert_true(WriteFile(writer, &byte, 1, nullptr, &operation->overlapped));
    assert_ptr_equal(next_packet(p.port).overlapped, &operation->overlapped);
    receive_exactly(p.pair.client, &byte, 1);
    assert_works(p);
}

void an_overlapped_receive_needs_a_buffer(void**) // [overlapped/57]
{
    const PortPair p = new_port_pair();
    Operation* receive = new_operation();

    for (WSABUF* buffers : { &receive->buffer, static_cast<WSABUF*>(nullptr) })
        assert_wsa_fails(WSARecv(p.pair.server, buffers, 0, nullptr, &receive->flags,
                             &receive->overlapped, nullptr),
            SOCKET_ERROR, WSAEINVAL);
    assert_no_packet(p.port);
    assert_works(p);
}

// --- Handles

void an_event_that_is_none_fails_the_receive(void**) // [overlapped/58]
{
    const TcpPair pair = new_tcp_pair();
    char byte = 0;

    for (HANDLE bad : { as_handle(0x7ffff0), as_handle(pair.client) }) {
        Operation* receive = new_operation(bad);
        WSASetLastError(0);
        assert_int_equal(start_receive(pair.server, receive), SOCKET_ERROR);
        assert_int_not_equal(WSAGetLastError(), WSA_IO_PENDING);
    }
    send_text(pair.client, "x");
    receive_exactly(pair.server, &byte, 1);
    assert_int_equal(byte, 'x');
}

void what_is_no_file_cannot_be_associated(void**) // [NtIoCompletion/8]
{
    const HANDLE port = new_port();

    for (HANDLE bad : { HANDLE(new_event()), as_handle(0x7ffff0), HANDLE(nullptr) }) {
        SetLastError(kPoison);
        assert_null(CreateIoCompletionPort(bad, port, 1, 0));
        assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
    }
}

void a_closed_port_takes_no_association(void**) // [NtIoCompletion/8]
{
    const PortPair p = new_port_pair();
    const TcpPair pair = new_tcp_pair();
    const HANDLE port = new_port();
    close_owned(port);

    SetLastError(kPoison);
    assert_null(CreateIoCompletionPort(as_handle(pair.server), port, 1, 0));
    assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
    associate(pair.server, p.port, 2);
    Operation* receive = pending_receive(pair.server);
    send_text(pair.client, "x");
    assert_ptr_equal(next_packet(p.port).overlapped, &receive->overlapped);
}

void no_operation_starts_on_what_is_no_socket(void**) // [overlapped/59]
{
    const PortPair p = new_port_pair();
    Operation* operation = new_operation();
    const SOCKET closed = tcp_socket();
    close_owned(closed);

    for (SOCKET bad : { closed, INVALID_SOCKET, reinterpret_cast<SOCKET>(new_event()),
             reinterpret_cast<SOCKET>(p.port) }) {
        assert_wsa_fails(start_receive(bad, operation), SOCKET_ERROR, WSAENOTSOCK);
        assert_wsa_fails(
            WSASend(bad, &operation->buffer, 1, nullptr, 0, &operation->overlapped, nullptr),
            SOCKET_ERROR, WSAENOTSOCK);
    }
    assert_no_packet(p.port);
    assert_works(p);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_buffer_may_go_while_its_receive_pends),
    cmocka_unit_test(a_buffer_may_become_read_only_while_its_receive_pends),
    cmocka_unit_test(a_buffer_may_go_while_its_send_pends),
    cmocka_unit_test(an_overlapped_receive_into_nowhere_is_refused),
    cmocka_unit_test(an_overlapped_send_from_nowhere_is_refused),
    cmocka_unit_test(a_nonblocking_send_from_nowhere_harms_nobody),
    cmocka_unit_test(a_read_into_nowhere_is_refused_at_once),
    cmocka_unit_test(a_handle_serves_what_it_has_the_right_to),
    cmocka_unit_test(an_overlapped_receive_needs_a_buffer),
    cmocka_unit_test(an_event_that_is_none_fails_the_receive),
    cmocka_unit_test(what_is_no_file_cannot_be_associated),
    cmocka_unit_test(a_closed_port_takes_no_association),
    cmocka_unit_test(no_operation_starts_on_what_is_no_socket),
};

} // namespace

CONFORMANCE_GROUP(bad_requests, kCases);
