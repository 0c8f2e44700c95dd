// ProcessSocketNotifications.

#include "open_handles.h"
#include "peers.h"
#include "ports.h"

#include "sdk/socket_notifications.h"

using namespace conformance;
using sdk::NotifyRegistration;

namespace {

constexpr UINT8 kOnceLevel = sdk::kNotifyOneShot | sdk::kNotifyLevel;
constexpr UINT8 kLevel = sdk::kNotifyPersistent | sdk::kNotifyLevel;
constexpr UINT8 kEdge = sdk::kNotifyPersistent | sdk::kNotifyEdge;
void* const kKey = reinterpret_cast<void*>(0x4E07);

sdk::ProcessSocketNotifications function(Where where = Where::current())
{
    const auto found = reinterpret_cast<sdk::ProcessSocketNotifications>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleA("ws2_32.dll"), "ProcessSocketNotifications")));
    if (!found)
        fail_at(where, "there is no ProcessSocketNotifications");
    return found;
}

/// Carries out one operation; returns its result.
DWORD change(HANDLE port, SOCKET socket, UINT8 operation, UINT16 filter = 0, UINT8 triggers = 0,
    Where where = Where::current(), void* key = kKey)
{
    NotifyRegistration registration { socket, key, filter, operation, triggers, 0xBEEF };
    const DWORD error = function(where)(port, 1, &registration, 0, 0, nullptr, nullptr);
    if (error)
        fail_at(where, "ProcessSocketNotifications failed: %lu", error);
    return registration.result;
}

void enable(
    HANDLE port, SOCKET socket, UINT16 filter, UINT8 triggers, Where where = Where::current())
{
    if (const DWORD result = change(port, socket, sdk::kNotifyEnable, filter, triggers, where))
        fail_at(where, "the socket was not registered: %lu", result);
}

/// The next notification's events, by whichever function; its key is kKey.
UINT32 next_events(HANDLE port, Where where = Where::current())
{
    const Packet packet = next_packet(port, where);
    if (!packet.result || packet.key != reinterpret_cast<ULONG_PTR>(kKey))
        fail_at(where, "not the packet of a notification");
    return packet.transferred;
}

UINT32 taken_events(HANDLE port, Where where = Where::current())
{
    OVERLAPPED_ENTRY entry {};
    UINT32 received = 0;
    const DWORD error = function(where)(port, 0, nullptr, kHangLimit, 1, &entry, &received);
    if (error || received != 1 || entry.lpCompletionKey != reinterpret_cast<ULONG_PTR>(kKey))
        fail_at(where, "no notification: %lu, %u", error, received);
    return entry.dwNumberOfBytesTransferred;
}

void data_is_told_once_or_as_long_as_it_is_there(void**) // [ProcessSocketNotifications/5]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, kOnceLevel);
    assert_no_packet(port);
    send_text(pair.client, "data");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    assert_no_packet(port);
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    assert_int_equal(taken_events(port), sdk::kNotifyIn);
    char data[2];
    receive_exactly(pair.server, data, 2);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
}

void what_was_received_is_told_no_more(void**) // [ProcessSocketNotifications/5]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    send_text(pair.client, "data");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    char data[4];
    receive_exactly(pair.server, data, 4);
    assert_no_packet(port);
    send_text(pair.client, "more");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
}

void a_level_needs_no_persistence_to_persist(void**) // [ProcessSocketNotifications/6]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, sdk::kNotifyLevel);
    send_text(pair.client, "data");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
}

void an_edge_is_a_change(void**) // [ProcessSocketNotifications/7]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    set_nonblocking(pair.server);
    send_text(pair.client, "old");
    wait_until_readable(pair.server);
    enable(port, pair.server, sdk::kNotifyIn, kEdge);
    assert_no_packet(port);
    char data[16];
    receive_exactly(pair.server, data, 3);
    assert_wsa_fails(recv(pair.server, data, sizeof(data), 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_no_packet(port);
    send_text(pair.client, "new");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    assert_no_packet(port);
    receive_exactly(pair.server, data, 3);
    assert_wsa_fails(recv(pair.server, data, sizeof(data), 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    send_text(pair.client, "newer");
    assert_int_equal(taken_events(port), sdk::kNotifyIn);
}

void an_edge_may_be_told_once(void**) // [ProcessSocketNotifications/7]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    set_nonblocking(pair.server);
    constexpr UINT8 kOnceEdge = sdk::kNotifyOneShot | sdk::kNotifyEdge;
    enable(port, pair.server, sdk::kNotifyIn, kOnceEdge);
    send_text(pair.client, "1");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    char data[4];
    receive_exactly(pair.server, data, 1);
    assert_wsa_fails(recv(pair.server, data, sizeof(data), 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    send_text(pair.client, "2"); // another change, but nobody is to be told
    assert_no_packet(port);
    receive_exactly(pair.server, data, 1);
    enable(port, pair.server, sdk::kNotifyIn, kOnceEdge);
    send_text(pair.client, "3");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
}

void a_socket_with_room_can_send(void**) // [ProcessSocketNotifications/8]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn | sdk::kNotifyOut, kOnceLevel);
    assert_int_equal(next_events(port), sdk::kNotifyOut);
    send_text(pair.client, "x");
    wait_until_readable(pair.server);
    enable(port, pair.server, sdk::kNotifyIn | sdk::kNotifyOut, kOnceLevel);
    assert_int_equal(next_events(port), sdk::kNotifyIn | sdk::kNotifyOut);
}

void the_end_of_a_connection_hangs_up(void**) // [ProcessSocketNotifications/8]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyHangUp, kOnceLevel);
    close_owned(pair.client);
    assert_int_equal(next_events(port), sdk::kNotifyHangUp);

    const TcpPair other = new_tcp_pair();
    enable(port, other.server, 0, kOnceLevel);
    reset_connection(other.client);
    assert_int_equal(next_events(port), sdk::kNotifyError);
}

/// A non-blocking socket that connects there.
SOCKET connecting_socket(const sockaddr* name)
{
    const SOCKET socket = tcp_socket();
    set_nonblocking(socket);
    assert_wsa_fails(connect(socket, name, sizeof(sockaddr_in)), SOCKET_ERROR, WSAEWOULDBLOCK);
    return socket;
}

void a_connect_that_succeeds_makes_room(void**) // [ProcessSocketNotifications/8]
{
    const HANDLE port = new_port();
    const Listener listener = new_listener();
    const SOCKET socket = connecting_socket(as_name(listener.address));
    enable(port, socket, sdk::kNotifyIn | sdk::kNotifyOut, kOnceLevel);
    assert_int_equal(next_events(port), sdk::kNotifyOut);
}

void a_connect_that_fails_is_an_error(void**) // [ProcessSocketNotifications/8]
{
    const HANDLE port = new_port();
    const sockaddr_storage nobody = refusing_address();
    const SOCKET socket = connecting_socket(as_name(nobody));
    enable(port, socket, sdk::kNotifyOut, kOnceLevel);
    assert_true(next_events(port) & sdk::kNotifyError);
    assert_int_equal(option(socket, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
}

void a_listener_has_connections(void**) // [ProcessSocketNotifications/8]
{
    const HANDLE port = new_port();
    const Listener listener = new_listener();
    enable(port, listener.socket, sdk::kNotifyIn, kLevel);
    assert_no_packet(port);
    connect_to(listener);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    accept_from(listener);
    assert_no_packet(port);
}

void datagrams_are_data_too(void**) // [ProcessSocketNotifications/8]
{
    const HANDLE port = new_port();
    const UdpPair pair = new_udp_pair();
    enable(port, pair.a, sdk::kNotifyIn, kOnceLevel);
    send_text(pair.b, "datagram");
    assert_int_equal(taken_events(port), sdk::kNotifyIn);
}

void disabled_it_tells_nothing(void**) // [ProcessSocketNotifications/9]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    assert_int_equal(change(port, pair.server, sdk::kNotifyDisable), 0);
    send_text(pair.client, "data");
    assert_no_packet(port);
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
}

void a_removal_is_told(void**) // [ProcessSocketNotifications/10]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    assert_int_equal(change(port, pair.server, sdk::kNotifyRemove), 0);
    assert_int_equal(change(port, pair.server, sdk::kNotifyRemove), 0);
    assert_int_equal(change(port, pair.server, sdk::kNotifyRemove), 0);
    assert_true(next_events(port) & sdk::kNotifyRemoved);
    assert_int_equal(change(port, pair.server, sdk::kNotifyRemove), 0);
    send_text(pair.client, "data");
    assert_no_packet(port);
    enable(port, pair.server, sdk::kNotifyIn, kOnceLevel);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    assert_int_equal(change(port, pair.server, sdk::kNotifyRemove), 0);
    assert_true(taken_events(port) & sdk::kNotifyRemoved);
}

void closing_the_socket_tells_nothing(void**) // [ProcessSocketNotifications/11]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn | sdk::kNotifyHangUp, kLevel);
    close_owned(pair.server);
    assert_no_packet(port);
}

void the_filter_can_be_changed(void**) // [ProcessSocketNotifications/12]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    enable(port, pair.server, sdk::kNotifyOut, kOnceLevel);
    assert_int_equal(next_events(port), sdk::kNotifyOut);
    const HANDLE other = new_port();
    assert_int_equal(
        change(other, pair.server, sdk::kNotifyEnable, sdk::kNotifyIn, kLevel), WSAEINVAL);
}

void the_key_stays_until_removal(void**) // [ProcessSocketNotifications/12]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "data");
    wait_until_readable(pair.server);
    const auto enable_with = [&](ULONG_PTR key) {
        return change(port, pair.server, sdk::kNotifyEnable, sdk::kNotifyIn, kOnceLevel,
            Where::current(), reinterpret_cast<void*>(key));
    };
    enable(port, pair.server, sdk::kNotifyIn, kOnceLevel);
    assert_int_equal(next_events(port), sdk::kNotifyIn);
    assert_int_equal(enable_with(1), 0);
    assert_int_equal(next_events(port), sdk::kNotifyIn); // by the first key
    assert_int_equal(change(port, pair.server, sdk::kNotifyRemove), 0);
    assert_true(next_events(port) & sdk::kNotifyRemoved);
    assert_int_equal(enable_with(1), 0);
    assert_int_equal(next_packet(port).key, 1);
}

void one_call_registers_and_takes(
    void**) // [ProcessSocketNotifications/3] [ProcessSocketNotifications/4]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    send_text(pair.client, "data");
    wait_until_readable(pair.server);
    NotifyRegistration registrations[] = { { pair.server, kKey, sdk::kNotifyIn, sdk::kNotifyEnable,
                                               kOnceLevel, 0xBEEF },
        { INVALID_SOCKET, kKey, sdk::kNotifyIn, sdk::kNotifyEnable, kOnceLevel, 0xBEEF },
        { pair.client, kKey, sdk::kNotifyIn, sdk::kNotifyEnable,
            sdk::kNotifyLevel | sdk::kNotifyEdge, 0xBEEF },
        { pair.client, kKey, sdk::kNotifyIn, sdk::kNotifyEnable, sdk::kNotifyOneShot, 0xBEEF } };
    OVERLAPPED_ENTRY entries[4] {};
    UINT32 received = 0;
    assert_int_equal(function()(port, 4, registrations, kHangLimit, 4, entries, &received), 0);
    assert_int_equal(received, 1);
    assert_int_equal(entries[0].dwNumberOfBytesTransferred, sdk::kNotifyIn);
    assert_int_equal(registrations[0].result, 0);
    assert_int_equal(registrations[1].result, WSAENOTSOCK);
    assert_int_equal(registrations[2].result, WSAEINVAL);
    assert_int_equal(registrations[3].result, WSAEINVAL);
    post(port, 7, nullptr, 8);
    assert_int_equal(function()(port, 0, nullptr, kHangLimit, 4, entries, &received), 0);
    assert_int_equal(received, 1);
    assert_int_equal(entries[0].lpCompletionKey, 7);
    assert_int_equal(function()(port, 0, nullptr, 0, 4, entries, &received), WAIT_TIMEOUT);
    assert_int_equal(received, 0);
}

void an_entry_without_an_operation_does_nothing(void**) // [ProcessSocketNotifications/4]
{
    constexpr UINT8 kNone = 0;
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    enable(port, pair.server, sdk::kNotifyIn, kLevel);
    assert_int_equal(change(port, pair.server, kNone), 0);
    assert_int_equal(change(port, INVALID_SOCKET, kNone), 0);
    send_text(pair.client, "data");
    assert_int_equal(next_events(port), sdk::kNotifyIn);
}

void arguments_belong_together(
    void**) // [ProcessSocketNotifications/1] [ProcessSocketNotifications/2]
{
    const HANDLE port = new_port();
    NotifyRegistration registration {};
    OVERLAPPED_ENTRY entry;
    UINT32 received;
    assert_int_equal(function()(port, 1, nullptr, 0, 0, nullptr, nullptr), WSAEINVAL);
    assert_int_equal(function()(port, 0, &registration, 0, 0, nullptr, nullptr), WSAEINVAL);
    assert_int_equal(function()(port, 0, nullptr, 1, 0, nullptr, nullptr), WSAEINVAL);
    assert_int_equal(function()(port, 0, nullptr, 0, 0, &entry, nullptr), WSAEINVAL);
    assert_int_equal(function()(port, 0, nullptr, 0, 1, nullptr, &received), WSAEINVAL);
    assert_int_equal(function()(port, 0, nullptr, 0, 0, nullptr, nullptr), 0);
    for (const HANDLE bad : { HANDLE { nullptr }, HANDLE { new_event() } }) {
        assert_int_equal(function()(bad, 1, &registration, 0, 0, nullptr, nullptr), WSAEINVAL);
        assert_int_equal(function()(bad, 0, nullptr, 0, 1, &entry, &received), WSAEINVAL);
    }
}

void a_call_that_fails_changes_nothing(void**) // [ProcessSocketNotifications/3]
{
    const HANDLE port = new_port();
    const TcpPair pair = new_tcp_pair();
    OVERLAPPED_ENTRY entry;
    UINT32 received;
    const auto bad_entries = reinterpret_cast<OVERLAPPED_ENTRY*>(0x10);
    const auto bad_count = reinterpret_cast<UINT32*>(0x10);
    NotifyRegistration registration { pair.server, kKey, sdk::kNotifyIn, sdk::kNotifyEnable, kLevel,
        0xBEEF };
    post(port, 7, nullptr, 8);
    assert_int_equal(function()(port, 1, &registration, 0, 1, bad_entries, &received), WSAEFAULT);
    assert_int_equal(function()(port, 1, &registration, 0, 1, &entry, bad_count), WSAEFAULT);
    // Only the first of two registrations is in memory.
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    auto* const page = static_cast<char*>(
        VirtualAlloc(nullptr, 2 * system.dwPageSize, MEM_RESERVE, PAGE_NOACCESS));
    assert_non_null(VirtualAlloc(page, system.dwPageSize, MEM_COMMIT, PAGE_READWRITE));
    auto* const cut = reinterpret_cast<NotifyRegistration*>(page + system.dwPageSize) - 1;
    *cut = registration;
    assert_int_equal(function()(port, 2, cut, 0, 0, nullptr, nullptr), WSAEFAULT);
    VirtualFree(page, 0, MEM_RELEASE);

    assert_int_equal(change(port, pair.server, sdk::kNotifyDisable), ERROR_NOT_FOUND);
    assert_int_equal(function()(port, 0, nullptr, 0, 1, &entry, &received), 0);
    assert_int_equal(entry.lpCompletionKey, 7);
}

void a_closed_port_leaves_nothing_open(void**) // [ProcessSocketNotifications/13]
{
    assert_rounds_leave_nothing_open([] {
        const TcpPair pair = new_tcp_pair();
        const HANDLE port = new_port();
        enable(port, pair.server, sdk::kNotifyIn, kLevel);
        send_text(pair.client, "x");
        assert_int_equal(next_events(port), sdk::kNotifyIn);
        close_owned(port);
        close_owned(pair.client);
        close_owned(pair.server);
    });
}

constexpr CMUnitTest kCases[] = {
    cmocka_unit_test(data_is_told_once_or_as_long_as_it_is_there),
    cmocka_unit_test(what_was_received_is_told_no_more),
    cmocka_unit_test(a_level_needs_no_persistence_to_persist),
    cmocka_unit_test(an_edge_is_a_change),
    cmocka_unit_test(an_edge_may_be_told_once),
    cmocka_unit_test(a_socket_with_room_can_send),
    cmocka_unit_test(the_end_of_a_connection_hangs_up),
    cmocka_unit_test(a_connect_that_succeeds_makes_room),
    cmocka_unit_test(a_connect_that_fails_is_an_error),
    cmocka_unit_test(a_listener_has_connections),
    cmocka_unit_test(datagrams_are_data_too),
    cmocka_unit_test(disabled_it_tells_nothing),
    cmocka_unit_test(a_removal_is_told),
    cmocka_unit_test(closing_the_socket_tells_nothing),
    cmocka_unit_test(the_filter_can_be_changed),
    cmocka_unit_test(the_key_stays_until_removal),
    cmocka_unit_test(one_call_registers_and_takes),
    cmocka_unit_test(an_entry_without_an_operation_does_nothing),
    cmocka_unit_test(arguments_belong_together),
    cmocka_unit_test(a_call_that_fails_changes_nothing),
    cmocka_unit_test(a_closed_port_leaves_nothing_open),
};

} // namespace

CONFORMANCE_GROUP(socket_notifications, kCases);
