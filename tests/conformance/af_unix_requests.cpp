// What the extensions, notifications and registered I/O are on AF_UNIX sockets, and how these go to
// other processes.

#include "child.h"
#include "extensions.h"
#include "message_window.h"
#include "network_events.h"
#include "open_handles.h"
#include "peers.h"
#include "ports.h"
#include "rio.h"
#include "unix_sockets.h"

#include "sdk/socket_notifications.h"

#include <algorithm>
#include <cstring>

using namespace conformance;

namespace {

constexpr DWORD kNameBlock = sizeof(sockaddr_un) + 16; // of AcceptEx

void assert_joined(const UnixPair& pair, Where where = Where::current())
{
    char byte = 0;
    send_text(pair.client, "1", where);
    receive_exactly(pair.server, &byte, 1, where);
    send_text(pair.server, "2", where);
    receive_exactly(pair.client, &byte, 1, where);
    if (byte != '2')
        fail_at(where, "another byte arrived");
}

// --- Extensions

void accept_ex_waits_for_first_data(void**) // [af_unix/12]
{
    struct Block {
        char bytes[8 + 2 * kNameBlock];
    };
    const UnixListener listener = new_unix_listener();
    const SOCKET acceptor = unix_socket();
    auto* block = lasting<Block>();
    Operation* operation = new_operation(new_event());
    assert_wsa_fails(accept_ex_of(listener.socket)(listener.socket, acceptor, block->bytes, 8,
                         kNameBlock, kNameBlock, &operation->transferred, &operation->overlapped),
        FALSE, WSA_IO_PENDING);
    const SOCKET client = connect_to(listener);
    let_it_settle();
    assert_int_equal(operation->overlapped.Internal, STATUS_PENDING);
    send_text(client, "first");
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 5);
    assert_memory_equal(block->bytes, "first", 5);

    sockaddr* names[2];
    int lengths[2];
    accept_addresses_of(listener.socket)(
        block->bytes, 8, kNameBlock, kNameBlock, &names[0], &lengths[0], &names[1], &lengths[1]);
    assert_int_equal(names[0]->sa_family, AF_UNIX);
    assert_string_equal(reinterpret_cast<sockaddr_un*>(names[0])->sun_path, listener.name.sun_path);
    assert_int_equal(names[1]->sa_family, AF_UNIX);
    assert_true(DeleteFileA(listener.name.sun_path));
}

void connect_ex_connects_a_bound_socket(void**) // [af_unix/12] [af_unix/14]
{
    const UnixListener listener = new_unix_listener();
    const SOCKET client = unix_socket();
    const sockaddr_un own = new_name();
    const HANDLE port = new_port();
    Operation* operation = new_operation();
    const auto connect_now = [&](const sockaddr_un& name) {
        return connect_ex_of(client)(client, generic(name), sizeof(name),
            const_cast<char*>("first"), 5, nullptr, &operation->overlapped);
    };
    assert_wsa_fails(connect_now(listener.name), FALSE, WSAEINVAL);
    assert_wsa_ok(bind_to(client, own));
    assert_wsa_fails(connect_now(new_name()), FALSE, WSAECONNREFUSED);
    associate(client, port, kPortKey);
    assert_wsa_fails(connect_now(listener.name), FALSE, WSA_IO_PENDING);
    const Packet packet = next_packet(port);
    assert_true(packet.result);
    assert_ptr_equal(packet.overlapped, &operation->overlapped);
    assert_int_equal(packet.transferred, 5);
    assert_wsa_ok(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
    assert_string_equal(ask_name(getpeername, client).sun_path, listener.name.sun_path);

    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    char data[5];
    receive_exactly(server, data, 5);
    assert_memory_equal(data, "first", 5);
    assert_string_equal(ask_name(getpeername, server).sun_path, own.sun_path);
    assert_wsa_ok(shutdown(client, SD_SEND));
    assert_int_equal(recv(server, data, 1, 0), 0);
    assert_true(DeleteFileA(listener.name.sun_path));
    assert_true(DeleteFileA(own.sun_path));
}

void disconnect_ex_ends_sending(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const HANDLE port = new_port();
    associate(pair.client, port, kPortKey);
    Operation* operation = new_operation();
    assert_wsa_fails(disconnect_ex_of(pair.client)(pair.client, &operation->overlapped, 0, 0),
        FALSE, WSA_IO_PENDING);
    assert_ptr_equal(next_packet(port).overlapped, &operation->overlapped);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
    assert_wsa_fails(send(pair.client, "x", 1, 0), SOCKET_ERROR, WSAESHUTDOWN);
    send_text(pair.server, "y");
    receive_exactly(pair.client, &byte, 1);
}

// --- Files

void a_file_is_transmitted_between_head_and_tail(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const HANDLE file = new_file("0123456789", false);
    char head[] = "head", tail[] = "tail";
    TRANSMIT_FILE_BUFFERS buffers = { head, 4, tail, 4 };
    const auto transmit = transmit_file_of(pair.client);

    assert_true(transmit(pair.client, file, 0, 0, nullptr, &buffers, 0));
    assert_received(pair.server, "head0123456789tail");
    assert_int_equal(SetFilePointer(file, 0, nullptr, FILE_CURRENT), 10);
    SetFilePointer(file, 6, nullptr, FILE_BEGIN);
    set_nonblocking(pair.client);
    assert_true(transmit(pair.client, file, 3, 0, nullptr, nullptr, 0));
    assert_received(pair.server, "678");
    assert_int_equal(SetFilePointer(file, 0, nullptr, FILE_CURRENT), 9);
    assert_wsa_fails(
        transmit(pair.client, file, 2, 0, nullptr, nullptr, 0), FALSE, ERROR_HANDLE_EOF);
    assert_true(transmit(pair.client, nullptr, 0, 0, nullptr, &buffers, TF_DISCONNECT));
    assert_received(pair.server, "headtail");
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
}

/// Receives this many bytes, each of which is that of its place in the file of make_large.
void receive_file(SOCKET socket, DWORD first, DWORD length)
{
    static char data[65536];
    for (DWORD total = 0; total < length;) {
        const int received = recv(socket, data, sizeof(data), 0);
        assert_true(received > 0);
        for (int i = 0; i < received; ++i) {
            if (data[i] != static_cast<char>((first + total + i) % 251))
                fail_at(Where::current(), "byte %lu is wrong", total + i);
        }
        total += received;
    }
}

/// Fills a file with bytes that tell their places.
void make_large(HANDLE file, DWORD length)
{
    static char data[251 * 256];
    for (size_t i = 0; i < sizeof(data); ++i)
        data[i] = static_cast<char>(i % 251);
    for (DWORD done = 0; done < length;) {
        DWORD written;
        assert_true(
            WriteFile(file, data, std::min<DWORD>(sizeof(data), length - done), &written, nullptr));
        done += written;
    }
}

void a_file_that_pends_is_transmitted_to_its_end(void**) // [af_unix/12]
{
    constexpr DWORD kLength = 5000000;
    constexpr DWORD kOffset = 70001; // no multiple of what a view begins at
    const UnixPair pair = new_unix_pair();
    const HANDLE file = new_file("", false);
    make_large(file, kLength);
    Operation* operation = new_operation(new_event());
    operation->overlapped.Offset = kOffset;
    assert_wsa_fails(
        transmit_file_of(pair.client)(pair.client, file, 0, 0, &operation->overlapped, nullptr, 0),
        FALSE, WSA_IO_PENDING);
    close_owned(file);
    receive_file(pair.server, kOffset, kLength - kOffset);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, kLength - kOffset);
}

void elements_are_transmitted_in_their_order(void**) // [af_unix/12]
{
    const HANDLE file = new_file("0123456789", false);
    TRANSMIT_PACKETS_ELEMENT elements[4] = {};
    elements[0].dwElFlags = elements[2].dwElFlags = TP_ELEMENT_MEMORY;
    elements[0].pBuffer = const_cast<char*>("ab");
    elements[2].pBuffer = const_cast<char*>("cd");
    elements[0].cLength = elements[2].cLength = 2;
    elements[1].dwElFlags = elements[3].dwElFlags = TP_ELEMENT_FILE;
    elements[1].hFile = elements[3].hFile = file;
    elements[1].nFileOffset.QuadPart = 7;
    elements[3].cLength = 2;
    const UnixPair pair = new_unix_pair();
    const auto transmit = transmit_packets_of(pair.client);

    assert_true(transmit(pair.client, elements, 4, 0, nullptr, 0));
    assert_received(pair.server, "ab789cd01");
    Operation* operation = new_operation(new_event());
    if (!transmit(pair.client, elements, 4, 0, &operation->overlapped, 0))
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 9);
    assert_received(pair.server, "ab789cd01");
}

// --- Being told

void polls_tell_of_connections_data_and_the_end(void**) // [af_unix/12]
{
    const UnixListener listener = new_unix_listener();
    const SOCKET client = unix_socket();
    const auto told = [](SOCKET socket, int timeout) {
        WSAPOLLFD fd { socket, POLLRDNORM, 0 };
        return WSAPoll(&fd, 1, timeout) == 1 ? fd.revents : 0;
    };
    assert_int_equal(told(listener.socket, 0), 0);
    connect_to(client, listener);
    assert_int_equal(told(listener.socket, kEventLimit), POLLRDNORM);
    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    assert_int_equal(told(listener.socket, 0), 0);
    send_text(client, "x");
    assert_int_equal(told(server, kEventLimit), POLLRDNORM);
    char byte;
    receive_exactly(server, &byte, 1);
    assert_int_equal(told(server, 0), 0);
    close_owned(client);
    assert_true(told(server, kEventLimit) & POLLHUP);
    assert_true(DeleteFileA(listener.name.sun_path));
}

constexpr UINT kMessage = WM_APP + 9;

/// The next message must be of this socket and event.
void assert_message(SOCKET socket, int event, Where where = Where::current())
{
    const ULONGLONG start = GetTickCount64();
    MSG message;
    while (!PeekMessageW(&message, window, kMessage, kMessage, PM_REMOVE)) {
        const ULONGLONG passed = GetTickCount64() - start;
        if (passed >= kEventLimit)
            fail_at(where, "no message came for event %#x", event);
        MsgWaitForMultipleObjects(
            0, nullptr, FALSE, static_cast<DWORD>(kEventLimit - passed), QS_POSTMESSAGE);
    }
    if (message.wParam != socket || WSAGETSELECTEVENT(message.lParam) != event
        || WSAGETSELECTERROR(message.lParam))
        fail_at(where, "message %#llx instead of event %#x",
            static_cast<unsigned long long>(message.lParam), event);
}

void a_select_may_have_sockets_of_other_families(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const SOCKET others[] = { tcp_socket(), udp_socket() };
    timeval shortly = { 0, 20'000 };
    fd_set read;
    FD_ZERO(&read);
    FD_SET(pair.client, &read);
    for (const SOCKET other : others)
        FD_SET(other, &read);
    assert_int_equal(select(0, &read, nullptr, nullptr, &shortly), 0);
    assert_joined(pair);
}

/// What a select finds for a socket of this family to read, and one that connects to be writable.
struct Found {
    int count;
    bool is_readable;
    bool is_writable;
};

Found select_both(SOCKET reads, SOCKET connects, long milliseconds)
{
    fd_set read;
    fd_set write;
    FD_ZERO(&read);
    FD_ZERO(&write);
    FD_SET(reads, &read);
    FD_SET(connects, &write);
    timeval time = { milliseconds / 1000, milliseconds % 1000 * 1000 };
    const int count = select(0, &read, &write, nullptr, &time);
    return { count, FD_ISSET(reads, &read) != 0, FD_ISSET(connects, &write) != 0 };
}

void a_select_sees_data_while_another_socket_connects(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const SOCKET connecting = new_connecting_socket();
    assert_int_equal(select_both(pair.client, connecting, 20).count, 0);
    send_text(pair.server, "x");
    for (const long time : { 0L, long { kHangLimit } }) {
        const Found found = select_both(pair.client, connecting, time);
        assert_int_equal(found.count, 1);
        assert_true(found.is_readable && !found.is_writable);
    }
    char byte;
    receive_exactly(pair.client, &byte, 1);
    Background* sender = run_in_background([=] {
        let_it_settle();
        return static_cast<long long>(send(pair.server, "y", 1, 0));
    });
    assert_true(select_both(pair.client, connecting, kHangLimit).is_readable);
    assert_int_equal(join(sender).value, 1);

    WSAPOLLFD polled[] = { { connecting, POLLWRNORM, 0 }, { pair.client, POLLRDNORM, 0 } };
    assert_int_equal(WSAPoll(polled, 2, kHangLimit), 1);
    assert_int_equal(polled[0].revents, 0);
    assert_int_equal(polled[1].revents, POLLRDNORM);
    receive_exactly(pair.client, &byte, 1);
    assert_joined(pair);
}

void a_select_sees_a_connect_while_nothing_comes(void**) // [af_unix/12]
{
    const UnixPair pair = new_unix_pair();
    const Listener listener = new_listener();
    const SOCKET socket = tcp_socket();
    set_nonblocking(socket);
    Background* connector = run_in_background([=] {
        let_it_settle();
        return static_cast<long long>(
            connect(socket, as_name(listener.address), listener.address_length));
    });
    const Found found = select_both(pair.client, socket, kHangLimit);
    assert_int_equal(found.count, 1);
    assert_true(found.is_writable && !found.is_readable);
    join(connector);
    assert_joined(pair);
}

void messages_tell_of_connections_data_and_the_end(void**) // [af_unix/12]
{
    const UnixListener listener = new_unix_listener();
    assert_wsa_ok(
        WSAAsyncSelect(listener.socket, window, kMessage, FD_ACCEPT | FD_READ | FD_CLOSE));
    const SOCKET client = connect_to(listener);
    assert_message(listener.socket, FD_ACCEPT);
    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    send_text(client, "x");
    assert_message(server, FD_READ);
    char byte;
    receive_exactly(server, &byte, 1);
    close_owned(client);
    assert_message(server, FD_CLOSE);
    assert_true(DeleteFileA(listener.name.sun_path));
}

void notifications_tell_of_connections_data_and_the_end(void**) // [af_unix/12]
{
    const auto process = reinterpret_cast<sdk::ProcessSocketNotifications>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleA("ws2_32.dll"), "ProcessSocketNotifications")));
    assert_non_null(process);
    const UnixListener listener = new_unix_listener();
    const HANDLE port = new_port();
    const auto enable = [&](SOCKET socket, void* key) {
        sdk::NotifyRegistration registration { socket, key, sdk::kNotifyIn | sdk::kNotifyHangUp,
            sdk::kNotifyEnable, sdk::kNotifyPersistent | sdk::kNotifyLevel, 0 };
        assert_int_equal(process(port, 1, &registration, 0, 0, nullptr, nullptr), 0);
        assert_int_equal(registration.result, 0);
    };
    void* const of_listener = reinterpret_cast<void*>(1);
    void* const of_server = reinterpret_cast<void*>(2);
    enable(listener.socket, of_listener);
    assert_no_packet(port);
    const SOCKET client = connect_to(listener);
    Packet packet = next_packet(port);
    assert_int_equal(packet.key, 1);
    assert_int_equal(packet.transferred, sdk::kNotifyIn);
    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    enable(server, of_server);
    assert_no_packet(port);
    send_text(client, "x");
    packet = next_packet(port);
    assert_int_equal(packet.key, 2);
    assert_int_equal(packet.transferred, sdk::kNotifyIn);
    char byte;
    receive_exactly(server, &byte, 1);
    assert_no_packet(port);
    close_owned(client);
    packet = next_packet(port);
    assert_int_equal(packet.key, 2);
    assert_true(packet.transferred & sdk::kNotifyHangUp);
    assert_true(DeleteFileA(listener.name.sun_path));
}

// --- Registered I/O

RioPeer new_unix_peer(SOCKET socket)
{
    const RioCq queue = new_rio_queue();
    return { socket, queue, new_request_queue(socket, queue), new_slab() };
}

void registered_requests_move_data(void**) // [af_unix/15]
{
    const UnixPair pair = new_unix_pair_of(rio_socket(AF_UNIX, SOCK_STREAM));
    const RioPeer client = new_unix_peer(pair.client);
    const RioPeer server = new_unix_peer(pair.server);
    rio_receive(server, 0, 4, 1);
    rio_receive(server, 4, 4, 2, sdk::kRioWaitAll);
    rio_send_text(client, 0, "no.0", 3, sdk::kRioDefer);
    rio_send_text(client, 8, "no.1", 4);
    expect_result(client.queue, 3, 4);
    expect_result(client.queue, 4, 4);
    expect_result(server.queue, 1, 4);
    expect_result(server.queue, 2, 4);
    assert_memory_equal(server.slab.data, "no.0no.1", 8);

    rio_receive(client, 0, 64, 5);
    assert_no_result(client.queue);
    close_owned(pair.server);
    expect_result(client.queue, 5, 0);
}

void registered_receives_tell_whole_names(void**) // [af_unix/15] [RIO/5]
{
    const UnixListener listener = new_unix_listener();
    const SOCKET socket = rio_socket(AF_UNIX, SOCK_STREAM);
    connect_to(socket, listener);
    const RioPeer client = new_unix_peer(socket);
    const SOCKET server = owned(accept(listener.socket, nullptr, nullptr));
    RioBuf data = client.slab.piece(0, 8);
    RioBuf remote = client.slab.piece(100, sizeof(SOCKADDR_INET));
    memset(client.slab.data + 100, '#', sizeof(sockaddr_un));
    assert_wsa_fails(rio().RIOReceiveEx(
                         client.requests, &data, 1, nullptr, &remote, nullptr, nullptr, 0, nullptr),
        FALSE, WSAEINVAL);
    assert_int_equal(client.slab.data[100], '#');
    remote.length = sizeof(sockaddr_un);
    assert_true(rio().RIOReceiveEx(
        client.requests, &data, 1, nullptr, &remote, nullptr, nullptr, 0, nullptr));
    send_text(server, "x");
    expect_result(client.queue, 0, 1);
    const auto* name = reinterpret_cast<const sockaddr_un*>(client.slab.data + 100);
    assert_int_equal(name->sun_family, AF_UNIX);
    assert_string_equal(name->sun_path, listener.name.sun_path);
    assert_true(DeleteFileA(listener.name.sun_path));
}

// --- Other processes

/// The child has the client's end, and sends back what comes until the stream ends; the original is
/// closed meanwhile.
void assert_echoes(const UnixPair& pair, const Child& child)
{
    for (int i = 0; i < 8; ++i) {
        char in[2];
        send_text(pair.server, "ab");
        receive_exactly(pair.server, in, sizeof(in));
        assert_memory_equal(in, "ab", sizeof(in));
        if (i == 4)
            close_owned(pair.client);
    }
    assert_wsa_ok(shutdown(pair.server, SD_SEND));
    assert_int_equal(exit_code_of(child), 0);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
}

/// The child has the client's end: it says hello, and ends well when it is answered.
void assert_greets(const UnixPair& pair, const Child& child)
{
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    assert_memory_equal(greeting, "hello", 5);
    send_text(pair.server, "ok");
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_uses_a_duplicate(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    const Child child = give_to_child(pair.client, "open-duplicate-w");
    assert_greets(pair, child);
    assert_joined(pair);
}

void a_child_uses_an_ansi_duplicate(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    const Child child = start_child("open-duplicate-a", 0, false);
    WSAPROTOCOL_INFOA info;
    assert_wsa_ok(WSADuplicateSocketA(pair.client, child.process_id, &info));
    write_to_child(child, &info, sizeof(info));
    assert_greets(pair, child);
}

void a_child_has_the_socket_after_the_original_is_closed(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    const Child child = give_to_child(pair.client, "echo-on-duplicate");
    assert_echoes(pair, child);
}

void a_duplicate_is_as_nonblocking_as_the_original(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    set_nonblocking(pair.client);
    assert_int_equal(
        exit_code_of(give_to_child(pair.client, "receive-on-duplicate")), WSAEWOULDBLOCK);
    assert_joined(pair);
}

void assert_greets_who_connects(const Child& child, const UnixListener& listener)
{
    const SOCKET client = connect_to(listener);
    char greeting[5];
    receive_exactly(client, greeting, sizeof(greeting));
    send_text(client, "ok");
    assert_int_equal(exit_code_of(child), 0);
    assert_true(DeleteFileA(listener.name.sun_path));
}

void a_child_accepts_on_a_duplicate(void**) // [af_unix/13]
{
    const UnixListener listener = new_unix_listener();
    const Child child = give_to_child(listener.socket, "accept-on-duplicate");
    assert_greets_who_connects(child, listener);
}

void a_child_uses_an_inherited_socket(void**) // [af_unix/16]
{
    const UnixPair pair = new_unix_pair();
    send_text(pair.server, "ok");
    const Child child = start_child("use-inherited", pair.client, true);
    assert_int_equal(exit_code_of(child), 0);
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    assert_memory_equal(greeting, "hello", 5);
}

void a_child_has_an_inherited_socket_after_the_original_is_closed(void**) // [af_unix/16]
{
    const UnixPair pair = new_unix_pair();
    const Child child = start_child("greet-when-told", pair.client, true);
    close_owned(pair.client);
    write_to_child(child, "x", 1);
    char greeting[5];
    receive_exactly(pair.server, greeting, sizeof(greeting));
    assert_memory_equal(greeting, "hello", 5);
    // Its end is the end of the stream.
    assert_int_equal(recv(pair.server, greeting, 1, 0), 0);
    assert_int_equal(exit_code_of(child), 0);
}

/// What the file functions wait for is looked after, too, though nothing of Winsock's has waited.
void a_child_reads_an_inherited_socket_as_a_file(void**) // [af_unix/16]
{
    const UnixPair pair = new_unix_pair();
    const Child child = start_child("read-inherited", pair.client, true);
    char ready;
    receive_exactly(pair.server, &ready, 1);
    let_it_settle();
    send_text(pair.server, "late");
    assert_int_equal(exit_code_of(child), 0);
}

void a_child_uses_an_inherited_socket_by_a_port(void**) // [af_unix/16]
{
    const UnixPair pair = new_unix_pair();
    const Child child = start_child("echo-by-port", pair.client, true);
    assert_echoes(pair, child);
}

void an_inherited_socket_is_as_nonblocking_as_the_original(void**) // [af_unix/16]
{
    const UnixPair pair = new_unix_pair();
    set_nonblocking(pair.client);
    const Child child = start_child("receive-on-inherited", pair.client, true);
    assert_int_equal(exit_code_of(child), WSAEWOULDBLOCK);
    assert_joined(pair);
}

void a_child_accepts_on_an_inherited_listener(void**) // [af_unix/16]
{
    const UnixListener listener = new_unix_listener();
    const Child child = start_child("accept-on-inherited", listener.socket, true);
    assert_greets_who_connects(child, listener);
}

void a_child_does_not_have_a_private_socket(void**) // [af_unix/16] [WSASocket/8]
{
    const SOCKET socket = owned(WSASocketW(
        AF_UNIX, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
    assert_true(socket != INVALID_SOCKET);
    const Child child = start_child("receive-on-inherited", socket, true);
    assert_int_equal(exit_code_of(child), WSAENOTSOCK);
}

void a_child_uses_a_handle_that_it_was_given(void**) // [af_unix/13]
{
    const UnixPair pair = new_unix_pair();
    const Child child = start_child("use-handle", 0, false);
    const HANDLE given = handle_for_child(child, reinterpret_cast<HANDLE>(pair.client));
    close_owned(pair.client);
    write_to_child(child, &given, sizeof(given));
    assert_greets(pair, child);
}

void a_duplicate_of_a_listener_accepts(void**) // [af_unix/13]
{
    const UnixListener listener = new_unix_listener();
    const SOCKET other = duplicate_of(listener.socket);
    const SOCKET first = connect_to(listener);
    assert_joined({ first, owned(accept(other, nullptr, nullptr)) });
    const SOCKET second = connect_to(listener);
    assert_joined({ second, owned(accept(listener.socket, nullptr, nullptr)) });
    assert_true(DeleteFileA(listener.name.sun_path));
}

/// A connection whose `client` end is the one that AcceptEx has accepted.
UnixPair new_pair_of_accept_ex()
{
    struct Blocks {
        char bytes[2 * kNameBlock];
    };
    const UnixListener listener = new_unix_listener();
    const SOCKET acceptor = unix_socket();
    const WSAEVENT event = new_event();
    Operation* operation = new_operation(event);
    assert_wsa_fails(
        accept_ex_of(listener.socket)(listener.socket, acceptor, lasting<Blocks>()->bytes, 0,
            kNameBlock, kNameBlock, &operation->transferred, &operation->overlapped),
        FALSE, WSA_IO_PENDING);
    const SOCKET peer = connect_to(listener);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_wsa_ok(setsockopt(acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
        reinterpret_cast<const char*>(&listener.socket), sizeof(listener.socket)));
    assert_true(DeleteFileA(listener.name.sun_path));
    close_owned(listener.socket);
    close_owned(event);
    return { acceptor, peer };
}

void a_child_inherits_what_accept_ex_has_accepted(void**) // [af_unix/16]
{
    const UnixPair pair = new_pair_of_accept_ex();
    const Child child = start_child("echo-by-port", pair.client, true);
    assert_echoes(pair, child);
}

void a_child_opens_a_duplicate_of_what_accept_ex_has_accepted(void**) // [af_unix/13]
{
    const UnixPair pair = new_pair_of_accept_ex();
    const Child child = give_to_child(pair.client, "open-duplicate-w");
    assert_greets(pair, child);
    assert_joined(pair);
    // Here is the last of its handles.
    close_owned(pair.client);
    char byte;
    assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
}

void what_accept_ex_has_accepted_is_as_nonblocking_as_here(void**) // [af_unix/16]
{
    const UnixPair pair = new_pair_of_accept_ex();
    set_nonblocking(pair.client);
    const Child child = start_child("receive-on-inherited", pair.client, true);
    assert_int_equal(exit_code_of(child), WSAEWOULDBLOCK);
    assert_joined(pair);
}

void many_accepts_into_sockets_leave_nothing_open(void**) // [af_unix/12]
{
    assert_rounds_leave_nothing_open([] {
        const UnixPair pair = new_pair_of_accept_ex();
        close_owned(pair.client);
        char byte;
        assert_int_equal(recv(pair.server, &byte, 1, 0), 0);
        close_owned(pair.server);
    });
}

void what_is_wrong_with_a_duplicate_is_told(void**) // [af_unix/13] [WSADuplicateSocket/7]
{
    const UnixPair pair = new_unix_pair();
    WSAPROTOCOL_INFOW info;
    assert_wsa_fails(WSADuplicateSocketW(pair.client, 0, &info), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(WSADuplicateSocketW(pair.client, 0x7FFFFFF0, &info), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(
        WSADuplicateSocketW(pair.client, GetCurrentProcessId(), nullptr), SOCKET_ERROR, WSAEFAULT);
    const Child child = start_child("wait", 0, false);
    assert_wsa_fails(
        WSADuplicateSocketW(pair.client, child.process_id, nullptr), SOCKET_ERROR, WSAEFAULT);
    write_to_child(child, "x", 1);
    assert_int_equal(exit_code_of(child), 0);
    assert_joined(pair);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(accept_ex_waits_for_first_data),
    cmocka_unit_test(connect_ex_connects_a_bound_socket),
    cmocka_unit_test(disconnect_ex_ends_sending),
    cmocka_unit_test(a_file_is_transmitted_between_head_and_tail),
    cmocka_unit_test(a_file_that_pends_is_transmitted_to_its_end),
    cmocka_unit_test(elements_are_transmitted_in_their_order),
    cmocka_unit_test(polls_tell_of_connections_data_and_the_end),
    cmocka_unit_test(a_select_may_have_sockets_of_other_families),
    cmocka_unit_test(a_select_sees_data_while_another_socket_connects),
    cmocka_unit_test(a_select_sees_a_connect_while_nothing_comes),
    cmocka_unit_test_setup_teardown(
        messages_tell_of_connections_data_and_the_end, make_window, destroy_window),
    cmocka_unit_test(notifications_tell_of_connections_data_and_the_end),
    cmocka_unit_test(registered_requests_move_data),
    cmocka_unit_test(registered_receives_tell_whole_names),
    cmocka_unit_test(a_child_uses_a_duplicate),
    cmocka_unit_test(a_child_uses_an_ansi_duplicate),
    cmocka_unit_test(a_child_has_the_socket_after_the_original_is_closed),
    cmocka_unit_test(a_duplicate_is_as_nonblocking_as_the_original),
    cmocka_unit_test(a_child_accepts_on_a_duplicate),
    cmocka_unit_test(a_child_uses_an_inherited_socket),
    cmocka_unit_test(a_child_has_an_inherited_socket_after_the_original_is_closed),
    cmocka_unit_test(a_child_reads_an_inherited_socket_as_a_file),
    cmocka_unit_test(a_child_uses_an_inherited_socket_by_a_port),
    cmocka_unit_test(an_inherited_socket_is_as_nonblocking_as_the_original),
    cmocka_unit_test(a_child_accepts_on_an_inherited_listener),
    cmocka_unit_test(a_child_does_not_have_a_private_socket),
    cmocka_unit_test(a_child_uses_a_handle_that_it_was_given),
    cmocka_unit_test(a_duplicate_of_a_listener_accepts),
    cmocka_unit_test(a_child_inherits_what_accept_ex_has_accepted),
    cmocka_unit_test(a_child_opens_a_duplicate_of_what_accept_ex_has_accepted),
    cmocka_unit_test(what_accept_ex_has_accepted_is_as_nonblocking_as_here),
    cmocka_unit_test(many_accepts_into_sockets_leave_nothing_open),
    cmocka_unit_test(what_is_wrong_with_a_duplicate_is_told),
};

} // namespace

CONFORMANCE_GROUP(af_unix_requests, kCases);
