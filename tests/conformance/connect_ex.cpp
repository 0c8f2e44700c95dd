// ConnectEx.

#include "extensions.h"
#include "network_events.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

const sockaddr* generic(const sockaddr_storage& address)
{
    return reinterpret_cast<const sockaddr*>(&address);
}

/// A bound client that is ready for ConnectEx.
SOCKET bound_client()
{
    const SOCKET client = tcp_socket();
    bind_to_loopback(client);
    return client;
}

BOOL start_connect(SOCKET client, const Listener& listener, Operation* operation)
{
    return connect_ex_of(client)(client, generic(listener.address), listener.address_length,
        nullptr, 0, nullptr, &operation->overlapped);
}

// --- What ConnectEx refuses

void connect_ex_refuses_what_is_no_socket(void**) // [ConnectEx/1]
{
    const Listener listener = new_listener();
    Operation* operation = new_operation(new_event());
    const auto connect_ex = connect_ex_of(listener.socket);

    assert_wsa_fails(connect_ex(INVALID_SOCKET, generic(listener.address), listener.address_length,
                         nullptr, 0, nullptr, &operation->overlapped),
        FALSE, WSAENOTSOCK);
}

void connect_ex_refuses_an_unbound_socket(void**) // [ConnectEx/2]
{
    const Listener listener = new_listener();
    Operation* operation = new_operation(new_event());

    assert_wsa_fails(start_connect(tcp_socket(), listener, operation), FALSE, WSAEINVAL);
}

void connect_ex_refuses_a_null_overlapped(void**) // [ConnectEx/3]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();

    assert_wsa_fails(connect_ex_of(client)(client, generic(listener.address),
                         listener.address_length, nullptr, 0, nullptr, nullptr),
        FALSE, ERROR_INVALID_PARAMETER);
}

void connect_ex_refuses_a_listening_socket(void**) // [ConnectEx/4]
{
    const Listener listener = new_listener();
    Operation* operation = new_operation(new_event());

    assert_wsa_fails(start_connect(listener.socket, new_listener(), operation), FALSE, WSAEINVAL);
}

void connect_ex_refuses_a_connected_socket(void**) // [ConnectEx/4]
{
    const Listener listener = new_listener();
    const TcpPair pair = new_tcp_pair();

    assert_wsa_fails(
        start_connect(pair.client, listener, new_operation(new_event())), FALSE, WSAEISCONN);
    assert_wsa_fails(
        start_connect(pair.server, listener, new_operation(new_event())), FALSE, WSAEISCONN);
}

/// The error of ConnectEx to this name, on a client of its own.
int error_of_connect_ex(int family, const sockaddr_storage& name, int length)
{
    const SOCKET client = tcp_socket(family);
    bind_to_loopback(client, family);
    Operation* operation = new_operation(new_event());
    const BOOL connects = connect_ex_of(client)(
        client, generic(name), length, nullptr, 0, nullptr, &operation->overlapped);
    return connects ? 0 : WSAGetLastError();
}

void connect_ex_refuses_the_names_that_connect_refuses(void**) // [ConnectEx/10]
{
    const Listener listener = new_listener();
    sockaddr_storage name = listener.address;
    assert_int_equal(error_of_connect_ex(AF_INET, name, listener.address_length - 1), WSAEFAULT);
    reinterpret_cast<sockaddr_in&>(name).sin_port = 0;
    assert_int_equal(error_of_connect_ex(AF_INET, name, listener.address_length), WSAEADDRNOTAVAIL);
    if (!has_ipv6())
        return;
    const u_short port = local_port(listener.socket);
    int length = loopback_address(AF_INET6, port, &name);
    assert_int_equal(error_of_connect_ex(AF_INET, name, length), WSAEAFNOSUPPORT);
    length = mapped_loopback(port, &name);
    assert_int_equal(error_of_connect_ex(AF_INET6, name, length), WSAEADDRNOTAVAIL);
}

// --- How ConnectEx completes

void connect_ex_pends_and_completes(void**) // [ConnectEx/5]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();
    Operation* operation = new_operation(new_event());

    assert_wsa_fails(start_connect(client, listener, operation), FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    const SOCKET server = accept_from(listener);
    char data[4];
    send_text(client, "ping");
    receive_exactly(server, data, 4);
    assert_memory_equal(data, "ping", 4);
}

void connect_ex_sends_the_first_data(void**) // [ConnectEx/6]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();
    Operation* operation = new_operation(new_event());
    char hello[] = "hello";
    char data[5];

    assert_wsa_fails(connect_ex_of(client)(client, generic(listener.address),
                         listener.address_length, hello, 5, nullptr, &operation->overlapped),
        FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 5);
    receive_exactly(accept_from(listener), data, 5);
    assert_memory_equal(data, "hello", 5);
}

void connect_ex_queues_a_packet(void**) // [ConnectEx/5]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();
    const HANDLE port = new_port();
    Operation* operation = new_operation();
    associate(client, port, 3);
    assert_true(SetFileCompletionNotificationModes(
        reinterpret_cast<HANDLE>(client), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));

    assert_wsa_fails(start_connect(client, listener, operation), FALSE, WSA_IO_PENDING);
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_int_equal(packet.key, 3);
}

void a_refusal_completes_connect_ex_with_its_error(void**) // [ConnectEx/7]
{
    const SOCKET client = bound_client();
    Operation* operation = new_operation(new_event());
    DWORD transferred, flags;
    sockaddr_storage address;
    const int length = refusing_address(&address);

    assert_wsa_fails(connect_ex_of(client)(client, generic(address), length, nullptr, 0, nullptr,
                         &operation->overlapped),
        FALSE, WSA_IO_PENDING);
    assert_int_equal((DWORD)await_status(operation), (DWORD)STATUS_CONNECTION_REFUSED);
    assert_wsa_fails(
        WSAGetOverlappedResult(client, &operation->overlapped, &transferred, FALSE, &flags), FALSE,
        WSAECONNREFUSED);
    assert_wsa_fails(GetOverlappedResult(reinterpret_cast<HANDLE>(client), &operation->overlapped,
                         &transferred, FALSE),
        FALSE, ERROR_CONNECTION_REFUSED);
}

void a_refused_socket_may_try_again(void**) // [ConnectEx/11]
{
    enum class By { ConnectEx, Connect };
    constexpr By kTries[][2] = { { By::ConnectEx, By::ConnectEx }, { By::ConnectEx, By::Connect },
        { By::Connect, By::ConnectEx } };
    sockaddr_storage refusing;
    const int length = refusing_address(&refusing);
    for (const auto& [first, second] : kTries) {
        const Listener listener = new_listener();
        const SOCKET client = bound_client();
        if (first == By::Connect) {
            assert_wsa_fails(
                connect(client, generic(refusing), length), SOCKET_ERROR, WSAECONNREFUSED);
        } else {
            Operation* refused = new_operation(new_event());
            connect_ex_of(client)(
                client, generic(refusing), length, nullptr, 0, nullptr, &refused->overlapped);
            assert_int_equal((DWORD)await_status(refused), (DWORD)STATUS_CONNECTION_REFUSED);
        }
        if (second == By::Connect) {
            assert_wsa_ok(connect(client, generic(listener.address), listener.address_length));
        } else {
            Operation* made = new_operation(new_event());
            assert_wsa_fails(start_connect(client, listener, made), FALSE, WSA_IO_PENDING);
            assert_int_equal(await_status(made), STATUS_SUCCESS);
            assert_wsa_ok(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
        }
        const SOCKET server = accept_from(listener);
        char data[2];
        send_text(client, "hi");
        receive_exactly(server, data, 2);
        assert_memory_equal(data, "hi", 2);
    }
}

void the_context_makes_the_client_a_full_socket(void**) // [ConnectEx/8]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();
    Operation* operation = new_operation(new_event());
    sockaddr_storage name;
    int length = sizeof(name);
    assert_wsa_fails(start_connect(client, listener, operation), FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);

    assert_wsa_ok(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
    assert_wsa_ok(getpeername(client, reinterpret_cast<sockaddr*>(&name), &length));
    assert_memory_equal(&name, &listener.address, 8);
    assert_wsa_ok(shutdown(client, SD_BOTH));
}

void without_the_context_the_peer_is_unknown(void**) // [ConnectEx/8]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();
    Operation* operation = new_operation(new_event());
    sockaddr_storage name;
    int length = sizeof(name);
    assert_wsa_fails(start_connect(client, listener, operation), FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);

    assert_wsa_fails(getpeername(client, reinterpret_cast<sockaddr*>(&name), &length), SOCKET_ERROR,
        WSAENOTCONN);
    assert_wsa_fails(shutdown(client, SD_BOTH), SOCKET_ERROR, WSAENOTCONN);
}

void connecting_once_more_is_refused(void**) // [ConnectEx/9]
{
    const Listener listener = new_listener();
    const SOCKET client = bound_client();
    Operation* operation = new_operation(new_event());
    const auto* name = generic(listener.address);
    const int length = listener.address_length;
    assert_wsa_fails(start_connect(client, listener, operation), FALSE, WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    const SOCKET accepted = accept_from(listener);

    assert_wsa_fails(connect(client, name, length), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(start_connect(client, listener, operation), FALSE, WSAEISCONN);
    assert_wsa_fails(connect(accepted, name, length), SOCKET_ERROR, WSAEISCONN);
    assert_wsa_ok(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
    assert_wsa_fails(connect(client, name, length), SOCKET_ERROR, WSAEISCONN);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(connect_ex_refuses_what_is_no_socket),
    cmocka_unit_test(connect_ex_refuses_an_unbound_socket),
    cmocka_unit_test(connect_ex_refuses_a_null_overlapped),
    cmocka_unit_test(connect_ex_refuses_a_listening_socket),
    cmocka_unit_test(connect_ex_refuses_a_connected_socket),
    cmocka_unit_test(connect_ex_refuses_the_names_that_connect_refuses),
    cmocka_unit_test(connect_ex_pends_and_completes),
    cmocka_unit_test(connect_ex_sends_the_first_data),
    cmocka_unit_test(connect_ex_queues_a_packet),
    cmocka_unit_test(a_refusal_completes_connect_ex_with_its_error),
    cmocka_unit_test(a_refused_socket_may_try_again),
    cmocka_unit_test(the_context_makes_the_client_a_full_socket),
    cmocka_unit_test(without_the_context_the_peer_is_unknown),
    cmocka_unit_test(connecting_once_more_is_refused),
};

} // namespace

CONFORMANCE_GROUP(connect_ex, kCases);
