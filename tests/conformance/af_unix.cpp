// Sockets of AF_UNIX.

#include "extensions.h"
#include "network_events.h"
#include "peers.h"
#include "ports.h"
#include "unix_sockets.h"

#include <cstdlib>
#include <cstring>
#include <string>

using namespace conformance;

namespace {

void assert_receives(SOCKET socket, const char* text)
{
    char received[64] {};
    receive_exactly(socket, received, static_cast<int>(strlen(text)));
    assert_string_equal(received, text);
}

// --- What there is

void only_streams_can_be_made(void**) // [af_unix/1] [af_unix/2] [WSASocket/9]
{
    const SOCKET made = unix_socket();
    assert_int_equal(GetFileType(as_handle(made)), FILE_TYPE_PIPE);
    int type = 0;
    int length = sizeof(type);
    assert_wsa_ok(getsockopt(made, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length));
    assert_int_equal(type, SOCK_STREAM);
    assert_wsa_fails(socket(AF_UNIX, SOCK_DGRAM, 0), INVALID_SOCKET, WSAESOCKTNOSUPPORT);
    assert_wsa_fails(socket(AF_UNIX, SOCK_RAW, 0), INVALID_SOCKET, WSAESOCKTNOSUPPORT);
    assert_wsa_fails(socket(AF_UNIX, SOCK_STREAM, IPPROTO_TCP), INVALID_SOCKET, WSAEPROTONOSUPPORT);
}

void the_catalog_has_it(void**) // [af_unix/3]
{
    static WSAPROTOCOL_INFOW infos[32];
    DWORD size = sizeof(infos);
    const int count = WSAEnumProtocolsW(nullptr, infos, &size);
    const WSAPROTOCOL_INFOW* found = nullptr;
    for (int i = 0; i < count; ++i) {
        if (infos[i].iAddressFamily == AF_UNIX)
            found = &infos[i];
    }
    assert_non_null(found);
    assert_int_equal(found->iSocketType, SOCK_STREAM);
    assert_int_equal(found->iProtocol, 0);
    assert_int_equal(found->iMaxSockAddr, sizeof(sockaddr_un));
    assert_int_equal(found->dwServiceFlags1,
        XP1_IFS_HANDLES | XP1_GRACEFUL_CLOSE | XP1_GUARANTEED_ORDER | XP1_GUARANTEED_DELIVERY);
}

// --- Names

void an_address_without_a_path_is_refused(void**) // [af_unix/5]
{
    assert_wsa_fails(bind_to(unix_socket(), name_of("")), SOCKET_ERROR, WSAEINVAL);
    const sockaddr_un nowhere = name_of("");
    assert_wsa_fails(
        connect(unix_socket(), generic(nowhere), sizeof(nowhere)), SOCKET_ERROR, WSAEINVAL);
}

void an_address_may_end_with_its_path(void**) // [af_unix/4]
{
    const sockaddr_un name = new_name();
    const int length = static_cast<int>(offsetof(sockaddr_un, sun_path) + strlen(name.sun_path));
    const SOCKET server = unix_socket();
    assert_wsa_ok(bind(server, generic(name), length));
    assert_wsa_ok(listen(server, 1));
    assert_wsa_ok(connect(unix_socket(), generic(name), length));
    assert_string_equal(ask_name(getsockname, server).sun_path, name.sun_path);
    assert_true(DeleteFileA(name.sun_path));
    assert_wsa_fails(bind(unix_socket(), generic(name), 1), SOCKET_ERROR, WSAEFAULT);
}

void a_name_may_fill_its_address(void**) // [af_unix/4] [af_unix/6]
{
    // The last one has no room for a zero.
    for (const size_t length :
        { sizeof(sockaddr_un::sun_path) - 1, sizeof(sockaddr_un::sun_path) }) {
        sockaddr_un name = new_name();
        std::memset(name.sun_path + strlen(name.sun_path), 'x', length - strlen(name.sun_path));
        const std::string path(name.sun_path, length);
        const SOCKET server = unix_socket();
        assert_wsa_ok(bind_to(server, name));
        assert_wsa_fails(bind_to(unix_socket(), name), SOCKET_ERROR, WSAEADDRINUSE);
        assert_wsa_ok(listen(server, 1));
        const SOCKET client = unix_socket();
        assert_wsa_ok(connect(client, generic(name), sizeof(name)));
        for (const sockaddr_un& told :
            { ask_name(getsockname, server), ask_name(getpeername, client) })
            assert_memory_equal(told.sun_path, path.data(), length);
        send_text(client, "long");
        const SOCKET accepted = owned(accept(server, nullptr, nullptr));
        assert_receives(accepted, "long");
        assert_true(DeleteFileA(path.c_str()));
        assert_wsa_fails(
            connect(unix_socket(), generic(name), sizeof(name)), SOCKET_ERROR, WSAECONNREFUSED);
    }
}

void a_bound_socket_is_a_file_until_that_is_deleted(void**) // [af_unix/6] [af_unix/7]
{
    const sockaddr_un name = new_name();
    const SOCKET first = unix_socket();
    assert_wsa_ok(bind_to(first, name));
    assert_wsa_fails(bind_to(first, new_name()), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(bind_to(unix_socket(), name), SOCKET_ERROR, WSAEADDRINUSE);
    close_owned(first);
    assert_wsa_fails(bind_to(unix_socket(), name), SOCKET_ERROR, WSAEADDRINUSE);

    assert_true(DeleteFileA(name.sun_path));
    assert_wsa_ok(bind_to(unix_socket(), name));
    assert_true(DeleteFileA(name.sun_path));
    assert_false(DeleteFileA(name.sun_path));
}

void the_file_is_found_by_its_name(void**) // [af_unix/17]
{
    const sockaddr_un name = new_name();
    assert_int_equal(GetFileAttributesA(name.sun_path), INVALID_FILE_ATTRIBUTES);
    assert_wsa_ok(bind_to(unix_socket(), name));
    const DWORD attributes = GetFileAttributesA(name.sun_path);
    assert_int_not_equal(attributes, INVALID_FILE_ATTRIBUTES);
    assert_false(attributes & FILE_ATTRIBUTE_DIRECTORY);
    WIN32_FILE_ATTRIBUTE_DATA data;
    assert_true(GetFileAttributesExA(name.sun_path, GetFileExInfoStandard, &data));
    assert_int_equal(data.dwFileAttributes, attributes);
    assert_int_equal(data.nFileSizeHigh | data.nFileSizeLow, 0);
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    const auto units = [](const FILETIME& time) {
        return static_cast<long long>(time.dwHighDateTime) << 32 | time.dwLowDateTime;
    };
    constexpr long long kHour = 3600LL * 10'000'000;
    assert_true(std::abs(units(now) - units(data.ftLastWriteTime)) < kHour);
    WIN32_FIND_DATAA found;
    const HANDLE search = FindFirstFileA(name.sun_path, &found);
    assert_true(search != INVALID_HANDLE_VALUE);
    FindClose(search);
    assert_true(DeleteFileA(name.sun_path));
    assert_int_equal(GetFileAttributesA(name.sun_path), INVALID_FILE_ATTRIBUTES);
}

void a_path_without_its_folder_cannot_be_bound(void**) // [af_unix/6]
{
    sockaddr_un name = new_name();
    strcat(name.sun_path, "\\x");
    assert_wsa_fails(bind_to(unix_socket(), name), SOCKET_ERROR, WSAENETDOWN);
}

void a_path_is_utf_8(void**) // [af_unix/4]
{
    sockaddr_un name = new_name();
    strcat(name.sun_path, "\xC3\xA4\xE2\x82\xAC"); // two letters beyond ASCII
    const SOCKET server = unix_socket();
    assert_wsa_ok(bind_to(server, name));
    assert_wsa_ok(listen(server, 1));
    assert_wsa_ok(connect(unix_socket(), generic(name), sizeof(name)));
    wchar_t wide[sizeof(name.sun_path)];
    assert_true(MultiByteToWideChar(CP_UTF8, 0, name.sun_path, -1, wide, sizeof(name.sun_path)));
    assert_true(DeleteFileW(wide));
}

void nobody_listening_refuses(void**) // [af_unix/8]
{
    sockaddr_un name = new_name();
    const SOCKET client = unix_socket();
    assert_wsa_fails(connect(client, generic(name), sizeof(name)), SOCKET_ERROR, WSAECONNREFUSED);
    const SOCKET bound = unix_socket();
    assert_wsa_ok(bind_to(bound, name));
    assert_wsa_fails(connect(client, generic(name), sizeof(name)), SOCKET_ERROR, WSAECONNREFUSED);
    assert_wsa_ok(listen(bound, 1));
    assert_wsa_ok(connect(client, generic(name), sizeof(name)));
    assert_true(DeleteFileA(name.sun_path));
}

void names_are_the_paths_that_were_given(void**) // [af_unix/9]
{
    const UnixListener listener = new_unix_listener();
    const SOCKET client = connect_to(listener);
    sockaddr_un peer = name_of("?");
    int length = sizeof(peer);
    const SOCKET server
        = owned(accept(listener.socket, reinterpret_cast<sockaddr*>(&peer), &length));
    assert_int_equal(peer.sun_family, AF_UNIX);
    assert_string_equal(peer.sun_path, "");
    assert_string_equal(ask_name(getsockname, server).sun_path, listener.name.sun_path);
    assert_string_equal(ask_name(getpeername, server).sun_path, "");
    assert_string_equal(ask_name(getsockname, client).sun_path, "");
    assert_string_equal(ask_name(getpeername, client).sun_path, listener.name.sun_path);
    assert_true(DeleteFileA(listener.name.sun_path));
}

// --- Data

void data_goes_both_ways_and_ends(void**) // [af_unix/10]
{
    const UnixPair pair = new_unix_pair();
    send_text(pair.client, "question");
    assert_receives(pair.server, "question");
    send_text(pair.server, "answer");
    assert_receives(pair.client, "answer");

    char byte;
    assert_wsa_ok(shutdown(pair.client, SD_SEND));
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
    send_text(pair.server, "last");
    assert_receives(pair.client, "last");
    close_owned(pair.server);
    assert_int_equal(recv(pair.client, &byte, 1, 0), 0);
}

void much_data_keeps_its_order(void**) // [af_unix/10]
{
    constexpr int kTotal = 4 << 20;
    const UnixPair pair = new_unix_pair();
    const SOCKET client = pair.client;
    Background* sender = run_in_background([client] {
        static char block[70001];
        int sent = 0;
        while (sent < kTotal) {
            const int size = kTotal - sent < 70001 ? kTotal - sent : 70001;
            for (int i = 0; i < size; ++i)
                block[i] = static_cast<char>((sent + i) % 251);
            const int result = send(client, block, size, 0);
            if (result <= 0)
                break;
            sent += result;
        }
        return static_cast<long long>(sent);
    });
    static char received[65536];
    int total = 0;
    while (total < kTotal) {
        const int result = recv(pair.server, received, sizeof(received), 0);
        assert_true(result > 0);
        for (int i = 0; i < result; ++i) {
            if (received[i] != static_cast<char>((total + i) % 251))
                fail_at(Where::current(), "byte %d is wrong", total + i);
        }
        total += result;
    }
    assert_int_equal(join(sender).value, kTotal);
}

void there_is_no_urgent_data(void**) // [af_unix/11]
{
    const UnixPair pair = new_unix_pair();
    char byte = 'x';
    assert_wsa_fails(send(pair.client, &byte, 1, MSG_OOB), SOCKET_ERROR, WSAEOPNOTSUPP);
    assert_wsa_fails(recv(pair.client, &byte, 1, MSG_OOB), SOCKET_ERROR, WSAEOPNOTSUPP);
}

// --- Waiting

void a_nonblocking_socket_would_block(void**) // [af_unix/12]
{
    const UnixListener listener = new_unix_listener();
    set_nonblocking(listener.socket);
    assert_wsa_fails(accept(listener.socket, nullptr, nullptr), INVALID_SOCKET, WSAEWOULDBLOCK);
    const SOCKET client = connect_to(listener);
    wait_until_readable(listener.socket);
    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    char byte;
    assert_wsa_fails(recv(server, &byte, 1, 0), SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_true(is_writable(server));
    assert_false(is_readable(server));
    send_text(client, "x");
    wait_until_readable(server);
    assert_int_equal(recv(server, &byte, 1, 0), 1);

    assert_true(send_until_full(client) > 0);
    assert_false(is_writable(client));
    WSAPOLLFD fds[] = { { server, POLLRDNORM, 0 }, { client, POLLWRNORM, 0 } };
    assert_int_equal(WSAPoll(fds, 2, 1000), 1);
    assert_int_equal(fds[0].revents, POLLRDNORM);
    assert_true(DeleteFileA(listener.name.sun_path));
}

void a_blocking_accept_waits(void**) // [af_unix/12]
{
    const UnixListener listener = new_unix_listener();
    const SOCKET socket = listener.socket;
    Background* accepting = run_in_background(
        [socket] { return static_cast<long long>(accept(socket, nullptr, nullptr)); });
    let_it_settle();
    assert_false(has_ended(accepting));
    const SOCKET client = connect_to(listener);
    const SOCKET server = owned(static_cast<SOCKET>(join(accepting).value));
    send_text(client, "x");
    assert_receives(server, "x");

    accepting = run_in_background(
        [socket] { return static_cast<long long>(accept(socket, nullptr, nullptr)); });
    let_it_settle();
    close_owned(socket);
    const Outcome outcome = join(accepting);
    assert_int_equal(static_cast<SOCKET>(outcome.value), INVALID_SOCKET);
    assert_int_equal(outcome.error, WSAEINTR);
    assert_true(DeleteFileA(listener.name.sun_path));
}

void options_of_streams_can_be_set(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    for (const SOCKET socket : { pair.client, pair.server, unix_socket() }) {
        for (const int name : { SO_KEEPALIVE, SO_OOBINLINE }) {
            for (const bool value : { true, false }) {
                set_option(socket, SOL_SOCKET, name, value);
                BYTE told = 7;
                int length = sizeof(told);
                getsockopt(socket, SOL_SOCKET, name, reinterpret_cast<char*>(&told), &length);
                assert_int_equal(told, value);
            }
        }
        set_option(socket, SOL_SOCKET, SO_RCVTIMEO, 500);
        assert_int_equal(option(socket, SOL_SOCKET, SO_RCVTIMEO), 500);
        set_option(socket, SOL_SOCKET, SO_RCVBUF, 20000);
        assert_true(option(socket, SOL_SOCKET, SO_RCVBUF) >= 20000);
    }
}

void events_are_recorded(void**) // [af_unix/12]
{
    const UnixListener listener = new_unix_listener();
    const WSAEVENT accepts = new_event();
    select_events(listener.socket, accepts);
    const SOCKET client = unix_socket();
    const WSAEVENT of_client = new_event();
    select_events(client, of_client);
    const int result = connect(client, generic(listener.name), sizeof(listener.name));
    assert_true(result == 0 || WSAGetLastError() == WSAEWOULDBLOCK);
    assert_events(client, of_client, FD_CONNECT | FD_WRITE);
    assert_events(listener.socket, accepts, FD_ACCEPT);

    const SOCKET second = connect_to(listener);
    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    assert_events(listener.socket, accepts, FD_ACCEPT);
    // The listener's selection, at the same event, which is reset by now.
    assert_int_equal(enumerate(server, accepts), FD_WRITE);
    send_text(client, "abc");
    assert_events(server, accepts, FD_READ);
    char byte;
    assert_int_equal(recv(server, &byte, 1, 0), 1);
    assert_events(server, accepts, FD_READ);
    close_owned(client);
    assert_events(server, accepts, FD_CLOSE);
    close_owned(second);
    assert_true(DeleteFileA(listener.name.sun_path));
}

// --- Overlapped operations

void a_receive_pends_and_can_be_cancelled(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const WSAEVENT event = new_event();
    Operation* operation = pending_receive(pair.server, event);
    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    assert_int_equal(operation->overlapped.Internal, 0);
    assert_int_equal(operation->overlapped.InternalHigh, 1);

    operation = pending_receive(pair.server, event);
    assert_true(CancelIoEx(as_handle(pair.server), &operation->overlapped));
    DWORD flags;
    DWORD transferred;
    assert_wsa_fails(
        WSAGetOverlappedResult(pair.server, &operation->overlapped, &transferred, TRUE, &flags),
        FALSE, WSA_OPERATION_ABORTED);
}

void a_port_is_told(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const HANDLE port = new_port();
    associate(pair.server, port, kPortKey);
    Operation* receive = pending_receive(pair.server);
    send_text(pair.client, "text");
    Packet packet = next_packet(port);
    assert_ptr_equal(packet.overlapped, &receive->overlapped);
    assert_int_equal(packet.key, kPortKey);
    assert_int_equal(packet.transferred, 4);
    Operation* send = start_send(pair.server, "answer");
    packet = next_packet(port);
    assert_ptr_equal(packet.overlapped, &send->overlapped);
    assert_receives(pair.client, "answer");
}

void accept_ex_takes_a_connection(void**) // [af_unix/12]
{
    constexpr DWORD kBlock = sizeof(sockaddr_un) + 6; // as Go has it
    struct Blocks {
        char bytes[2 * kBlock];
    };
    const UnixListener listener = new_unix_listener();
    const SOCKET acceptor = unix_socket();
    const HANDLE port = new_port();
    associate(listener.socket, port, 1);
    associate(acceptor, port, 2);
    auto* blocks = lasting<Blocks>();
    Operation* operation = new_operation();
    DWORD received;
    assert_wsa_fails(accept_ex_of(listener.socket)(listener.socket, acceptor, blocks, 0, kBlock,
                         kBlock, &received, &operation->overlapped),
        FALSE, ERROR_IO_PENDING);
    assert_wsa_fails(accept_ex_of(listener.socket)(listener.socket, tcp_socket(), blocks, 0, kBlock,
                         kBlock, &received, &new_operation()->overlapped),
        FALSE, WSAEINVAL);
    const SOCKET client = connect_to(listener);
    const Packet packet = next_packet(port);
    assert_int_equal(packet.key, 1);
    assert_ptr_equal(packet.overlapped, &operation->overlapped);
    const SOCKET given = listener.socket;
    assert_wsa_ok(setsockopt(acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&given), sizeof(given)));
    assert_string_equal(ask_name(getsockname, acceptor).sun_path, listener.name.sun_path);

    Operation* receive = pending_receive(acceptor);
    send_text(client, "x");
    assert_ptr_equal(next_packet(port).overlapped, &receive->overlapped);
    send_text(acceptor, "y");
    assert_receives(client, "y");
    assert_true(DeleteFileA(listener.name.sun_path));
}

// --- Handles

void a_copied_handle_is_the_same_socket(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    const auto copy = reinterpret_cast<SOCKET>(copy_of(as_handle(pair.server)));
    send_text(copy, "x");
    assert_receives(pair.client, "x");
    close_owned(pair.server);
    send_text(pair.client, "y");
    assert_receives(copy, "y");
    close_owned(as_handle(copy));
    char byte;
    assert_int_equal(recv(pair.client, &byte, 1, 0), 0);
}

void the_socket_can_be_duplicated(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    const SOCKET other = duplicate_of(pair.server);
    send_text(pair.client, "x");
    assert_receives(other, "x");
}

const CMUnitTest cases[] = {
    cmocka_unit_test(only_streams_can_be_made),
    cmocka_unit_test(the_catalog_has_it),
    cmocka_unit_test(an_address_without_a_path_is_refused),
    cmocka_unit_test(an_address_may_end_with_its_path),
    cmocka_unit_test(a_name_may_fill_its_address),
    cmocka_unit_test(a_bound_socket_is_a_file_until_that_is_deleted),
    cmocka_unit_test(the_file_is_found_by_its_name),
    cmocka_unit_test(a_path_without_its_folder_cannot_be_bound),
    cmocka_unit_test(a_path_is_utf_8),
    cmocka_unit_test(nobody_listening_refuses),
    cmocka_unit_test(names_are_the_paths_that_were_given),
    cmocka_unit_test(data_goes_both_ways_and_ends),
    cmocka_unit_test(much_data_keeps_its_order),
    cmocka_unit_test(there_is_no_urgent_data),
    cmocka_unit_test(a_nonblocking_socket_would_block),
    cmocka_unit_test(a_blocking_accept_waits),
    cmocka_unit_test(options_of_streams_can_be_set),
    cmocka_unit_test(events_are_recorded),
    cmocka_unit_test(a_receive_pends_and_can_be_cancelled),
    cmocka_unit_test(a_port_is_told),
    cmocka_unit_test(accept_ex_takes_a_connection),
    cmocka_unit_test(a_copied_handle_is_the_same_socket),
    cmocka_unit_test(the_socket_can_be_duplicated),
};

} // namespace

CONFORMANCE_GROUP(af_unix, cases);
