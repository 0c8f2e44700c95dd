// WSAIoctl and ioctlsocket.

#include "option_checks.h"
#include "sockets.h"

#include <mstcpip.h>

using namespace conformance;

namespace {

constexpr DWORD kFionread = FIONREAD;
constexpr DWORD kFionbio = FIONBIO;
constexpr DWORD kSiocAtMark = SIOCATMARK;
constexpr DWORD kIdealSendBacklogQuery = 0x4004747B;
constexpr DWORD kIdealSendBacklogChange = 0x2000747A;
constexpr DWORD kReceiveAll = 0x98000001; // SIO_RCVALL
constexpr DWORD kSetCompatibilityMode = 0x9800012C;
constexpr DWORD kSetPriorityHint = 0x98000018;
constexpr DWORD kUdpConnReset = 0x9800000C;

/// A code no socket knows.
constexpr DWORD kUnknown = 0xDEADBEEF;

int control(SOCKET socket, DWORD code, const void* input, DWORD input_length, void* output,
    DWORD output_length, DWORD* returned)
{
    return WSAIoctl(socket, code, const_cast<void*>(input), input_length, output, output_length,
        returned, nullptr, nullptr);
}

/// A packet of a completion port.
struct Packet {
    BOOL succeeded;
    int error;
    DWORD bytes;
    OVERLAPPED* overlapped;
};

Packet next_packet(HANDLE port, DWORD limit = kHangLimit)
{
    Packet packet = {};
    ULONG_PTR key;
    WSASetLastError(kPoison);
    packet.succeeded
        = GetQueuedCompletionStatus(port, &packet.bytes, &key, &packet.overlapped, limit);
    packet.error = WSAGetLastError();
    return packet;
}

HANDLE port_of(SOCKET socket)
{
    return owned(CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), nullptr, 1, 0));
}

void what_is_no_socket_is_refused(void**) // [WSAIoctl/1] [ioctlsocket/1]
{
    u_long value = 0;
    DWORD returned = 0;

    assert_wsa_fails(ioctlsocket(INVALID_SOCKET, FIONBIO, &value), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(
        control(INVALID_SOCKET, kFionbio, &value, sizeof(value), nullptr, 0, &returned),
        SOCKET_ERROR, WSAENOTSOCK);
}

void a_bad_argument_is_a_fault(void**) // [ioctlsocket/2]
{
    const SOCKET socket = tcp_socket();
    auto* const nowhere = reinterpret_cast<u_long*>(1);

    assert_wsa_fails(ioctlsocket(socket, FIONBIO, nowhere), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(ioctlsocket(socket, FIONREAD, nowhere), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(ioctlsocket(socket, FIONBIO, nullptr), SOCKET_ERROR, WSAEFAULT);
}

void the_size_must_be_wanted(void**) // [WSAIoctl/2]
{
    const SOCKET socket = tcp_socket();
    u_long value = 1;
    auto* overlapped = lasting<WSAOVERLAPPED>();

    assert_wsa_fails(control(socket, kFionbio, &value, sizeof(value), nullptr, 0, nullptr),
        SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        WSAIoctl(socket, kFionbio, &value, sizeof(value), nullptr, 0, nullptr, overlapped, nullptr),
        SOCKET_ERROR, WSAEFAULT);
}

void an_unknown_code_is_unsupported(void**) // [WSAIoctl/4]
{
    const SOCKET socket = tcp_socket();
    char buffer[64] = {};
    for (const DWORD code : { kUnknown, DWORD { FIOASYNC }, DWORD { SIO_FLUSH } }) {
        DWORD returned = 0xDEAD;
        assert_wsa_fails(
            control(socket, code, buffer, sizeof(buffer), buffer, sizeof(buffer), &returned),
            SOCKET_ERROR, WSAEOPNOTSUPP);
        assert_int_equal(returned, 0);
    }
}

void an_unknown_overlapped_code_fails_at_completion(void**) // [WSAIoctl/4]
{
    const SOCKET socket = tcp_socket();
    const HANDLE port = port_of(socket);
    auto* overlapped = lasting<WSAOVERLAPPED>();
    DWORD returned = 0;

    assert_wsa_fails(
        WSAIoctl(socket, kUnknown, nullptr, 0, nullptr, 0, &returned, overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    const Packet packet = next_packet(port);
    assert_false(packet.succeeded);
    assert_int_equal(packet.error, ERROR_NOT_SUPPORTED);
    assert_ptr_equal(packet.overlapped, overlapped);
    assert_int_equal(packet.bytes, 0);
}

void an_unknown_code_tells_its_routine(void**) // [WSAIoctl/4]
{
    const SOCKET socket = tcp_socket();
    auto* overlapped = lasting<WSAOVERLAPPED>();
    DWORD returned = 0;
    routine_call = {};

    assert_wsa_fails(WSAIoctl(socket, kUnknown, nullptr, 0, nullptr, 0, &returned, overlapped,
                         record_completion),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_int_equal(SleepEx(kHangLimit, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(routine_call.calls, 1);
    assert_int_equal(routine_call.error, WSAEOPNOTSUPP);
}

void a_code_done_at_once_still_queues_its_packet(void**) // [WSAIoctl/3]
{
    const TcpPair pair = new_tcp_pair();
    send_text(pair.server, "abc");
    wait_until_received(pair.client, 3);
    const HANDLE port = port_of(pair.client);
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->Internal = 0xDEAD;
    u_long bytes = 0;
    DWORD returned = 0;

    WSASetLastError(kPoison);
    assert_int_equal(WSAIoctl(pair.client, kFionread, nullptr, 0, &bytes, sizeof(bytes), &returned,
                         overlapped, nullptr),
        0);
    assert_int_equal(WSAGetLastError(), 0);
    assert_int_equal(bytes, 3);
    assert_int_equal(returned, sizeof(bytes));
    const Packet packet = next_packet(port);
    assert_true(packet.succeeded);
    assert_ptr_equal(packet.overlapped, overlapped);
    assert_int_equal(packet.bytes, 0);
    assert_int_equal(overlapped->Internal, STATUS_SUCCESS);
    assert_int_equal(overlapped->InternalHigh, 0);
}

void a_code_done_at_once_still_sets_its_event(void**) // [WSAIoctl/3]
{
    const SOCKET socket = tcp_socket();
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->hEvent = new_event();
    u_long bytes = 0;
    DWORD returned = 0;

    assert_int_equal(WSAIoctl(socket, kFionread, nullptr, 0, &bytes, sizeof(bytes), &returned,
                         overlapped, nullptr),
        0);
    assert_true(is_signaled(overlapped->hEvent));
}

void readable_bytes_are_counted(void**) // [ioctlsocket/3]
{
    const TcpPair pair = new_tcp_pair();
    u_long bytes = 77;

    assert_wsa_ok(ioctlsocket(tcp_socket(), FIONREAD, &bytes));
    assert_int_equal(bytes, 0);
    send_text(pair.server, "hello");
    wait_until_received(pair.client, 5);
    char first;
    receive_exactly(pair.client, &first, 1);
    assert_wsa_ok(ioctlsocket(pair.client, FIONREAD, &bytes));
    assert_int_equal(bytes, 4);
}

/// Waits until FIONREAD tells so many bytes: not for long, where it never will.
u_long count_of(SOCKET socket, u_long expected)
{
    const ULONGLONG end = GetTickCount64() + kEventLimit;
    u_long bytes = 0;
    do {
        assert_wsa_ok(ioctlsocket(socket, FIONREAD, &bytes));
    } while (bytes < expected && GetTickCount64() < end);
    return bytes;
}

void bytes_of_all_datagrams_are_counted(void**) // [ioctlsocket/3]
{
    const UdpPair pair = new_udp_pair();
    u_long bytes = 77;
    assert_wsa_ok(ioctlsocket(pair.b, FIONREAD, &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(send(pair.a, "", 0, 0), 0);
    send_text(pair.a, "abc");
    assert_int_equal(send(pair.a, "", 0, 0), 0);
    send_text(pair.a, "0123456789");
    assert_int_equal(count_of(pair.b, 13), 13);

    // Counting changes nothing.
    char data[16];
    assert_int_equal(recv(pair.b, data, sizeof(data), MSG_PEEK), 0);
    assert_int_equal(recv(pair.b, data, sizeof(data), 0), 0);
    assert_int_equal(recv(pair.b, data, sizeof(data), MSG_PEEK), 3);
    assert_int_equal(recv(pair.b, data, sizeof(data), 0), 3);
    assert_wsa_ok(ioctlsocket(pair.b, FIONREAD, &bytes));
    assert_int_equal(bytes, 10);
}

void many_datagrams_are_counted(void**) // [ioctlsocket/3]
{
    constexpr int kMany = 100;
    const UdpPair pair = new_udp_pair();
    for (int i = 0; i < kMany; ++i)
        send_text(pair.a, "abc");
    assert_int_equal(count_of(pair.b, 3 * kMany), 3 * kMany);
}

void a_short_count_leaves_the_size(void**) // [WSAIoctl/7]
{
    const SOCKET socket = tcp_socket();
    u_long bytes = 0;
    DWORD returned = 0xDEAD;

    assert_wsa_fails(
        control(socket, kFionread, nullptr, 0, &bytes, 3, &returned), SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(returned, 0xDEAD);
    assert_wsa_fails(
        control(socket, kFionread, nullptr, 0, nullptr, 4, &returned), SOCKET_ERROR, WSAEFAULT);
}

void the_mode_needs_four_bytes(void**) // [WSAIoctl/6]
{
    const SOCKET socket = tcp_socket();
    u_long on = 1;
    DWORD returned = 0xDEAD;

    assert_wsa_fails(
        control(socket, kFionbio, &on, 3, nullptr, 0, &returned), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        control(socket, kFionbio, nullptr, 4, nullptr, 0, &returned), SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(control(socket, kFionbio, &on, sizeof(on), nullptr, 0, &returned), 0);
    assert_int_equal(returned, 0);
}

void a_selected_socket_cannot_become_blocking(void**) // [WSAIoctl/6] [ioctlsocket/4]
{
    const SOCKET socket = tcp_socket();
    assert_wsa_ok(WSAEventSelect(socket, new_event(), FD_READ));
    u_long off = 0;
    u_long on = 1;
    DWORD returned = 0xDEAD;

    assert_wsa_fails(ioctlsocket(socket, FIONBIO, &off), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(control(socket, kFionbio, &off, sizeof(off), nullptr, 0, &returned),
        SOCKET_ERROR, WSAEINVAL);
    assert_int_equal(returned, 0);
    assert_wsa_ok(ioctlsocket(socket, FIONBIO, &on));
    assert_wsa_ok(WSAEventSelect(socket, nullptr, 0));
    assert_wsa_ok(ioctlsocket(socket, FIONBIO, &off));
}

void without_urgent_data_the_mark_is_here(void**) // [WSAIoctl/8]
{
    const TcpPair pair = new_tcp_pair();
    BOOL at_mark = FALSE;
    DWORD returned = 0;

    assert_int_equal(
        control(pair.client, kSiocAtMark, nullptr, 0, &at_mark, sizeof(at_mark), &returned), 0);
    assert_int_equal(at_mark, TRUE);
    assert_int_equal(returned, sizeof(at_mark));
}

void a_socket_is_its_own_base(void**) // [WSAIoctl/9]
{
    const SOCKET socket = tcp_socket();
    SOCKET base = 0;
    DWORD returned = 0;

    assert_int_equal(
        control(socket, SIO_BASE_HANDLE, nullptr, 0, &base, sizeof(base), &returned), 0);
    assert_int_equal(base, socket);
    assert_int_equal(returned, sizeof(base));
    assert_wsa_fails(
        control(socket, SIO_BASE_HANDLE, nullptr, 0, &base, sizeof(base) - 1, &returned),
        SOCKET_ERROR, WSAEFAULT);
}

void the_base_is_not_told_overlapped(void**) // [WSAIoctl/9]
{
    const SOCKET socket = tcp_socket();
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->hEvent = new_event();
    SOCKET base = 0xDEAD;
    DWORD returned = 0;

    assert_wsa_fails(WSAIoctl(socket, SIO_BASE_HANDLE, nullptr, 0, &base, sizeof(base), &returned,
                         overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_becomes_signaled(overlapped->hEvent);
    assert_int_equal(static_cast<NTSTATUS>(overlapped->Internal), STATUS_NOT_SUPPORTED);
    assert_int_equal(base, 0xDEAD);
}

void extension_functions_are_found_by_guid(void**) // [WSAIoctl/10]
{
    const SOCKET socket = tcp_socket();
    for (const GUID& guid :
        { GUID(WSAID_ACCEPTEX), GUID(WSAID_GETACCEPTEXSOCKADDRS), GUID(WSAID_CONNECTEX),
            GUID(WSAID_DISCONNECTEX), GUID(WSAID_TRANSMITFILE), GUID(WSAID_WSARECVMSG) })
        assert_non_null(extension_function(socket, guid));
}

void an_unknown_guid_touches_nothing(void**) // [WSAIoctl/10]
{
    const SOCKET socket = tcp_socket();
    const HANDLE port = port_of(socket);
    const GUID guid = { 0x12345678, 1, 2, { 3 } };
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->Internal = 0xDEAD;
    void* function = reinterpret_cast<void*>(0xDEAD);
    DWORD returned = 0xDEAD;

    assert_wsa_fails(WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, const_cast<GUID*>(&guid),
                         sizeof(guid), &function, sizeof(function), &returned, overlapped, nullptr),
        SOCKET_ERROR, WSAEINVAL);
    assert_int_equal(returned, 0xDEAD);
    assert_ptr_equal(function, reinterpret_cast<void*>(0xDEAD));
    assert_int_equal(overlapped->Internal, 0xDEAD);
    assert_null(next_packet(port, 0).overlapped);
}

void quality_of_service_is_no_option(void**) // [WSAIoctl/11]
{
    QOS qos = {};
    DWORD returned;

    assert_wsa_fails(control(tcp_socket(), SIO_GET_QOS, nullptr, 0, &qos, sizeof(qos), &returned),
        SOCKET_ERROR, WSAENOPROTOOPT);
}

void settings_of_the_stack_are_taken(void**) // [WSAIoctl/12]
{
    DWORD value = 0;
    DWORD returned = 0;

    assert_int_equal(
        control(udp_socket(), kUdpConnReset, &value, sizeof(value), nullptr, 0, &returned), 0);
    value = 1;
    assert_int_equal(
        control(tcp_socket(), SIO_LOOPBACK_FAST_PATH, &value, sizeof(value), nullptr, 0, &returned),
        0);
    assert_int_equal(
        control(udp_socket(), SIO_ENABLE_CIRCULAR_QUEUEING, nullptr, 0, nullptr, 0, &returned), 0);
    assert_int_equal(
        control(tcp_socket(), kSetCompatibilityMode, &value, sizeof(value), nullptr, 0, &returned),
        0);
    const int hint[] = { 0, 2 }; // PRIORITY_STATUS: very low for what is sent, normal for the rest
    assert_int_equal(
        control(tcp_socket(), kSetPriorityHint, &hint, sizeof(hint), nullptr, 0, &returned), 0);
}

void keepalive_times_need_a_whole_structure(void**) // [WSAIoctl/5] [WSAIoctl/19]
{
    const SOCKET socket = tcp_socket();
    tcp_keepalive times = { 1, 30000, 1000 };
    auto* overlapped = lasting<WSAOVERLAPPED>();
    DWORD returned = 0xDEAD;

    assert_int_equal(
        control(socket, SIO_KEEPALIVE_VALS, &times, sizeof(times), nullptr, 0, &returned), 0);
    unsigned char on = 0;
    int length = sizeof(on);
    assert_wsa_ok(
        getsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, reinterpret_cast<char*>(&on), &length));
    assert_int_equal(on, 1);
    assert_int_equal(returned, 0);
    returned = 0xDEAD;
    assert_wsa_fails(
        control(socket, SIO_KEEPALIVE_VALS, nullptr, sizeof(times), nullptr, 0, &returned),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(returned, 0);
    returned = 0xDEAD;
    assert_wsa_fails(
        control(socket, SIO_KEEPALIVE_VALS, &times, sizeof(times) - 1, nullptr, 0, &returned),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(returned, 0);
    returned = 0xDEAD;
    overlapped->InternalHigh = 0xBEEF;
    assert_wsa_fails(WSAIoctl(socket, SIO_KEEPALIVE_VALS, &times, sizeof(times) - 1, nullptr, 0,
                         &returned, overlapped, nullptr),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(returned, 0xDEAD);
    assert_int_equal(overlapped->Internal, STATUS_PENDING);
    assert_int_equal(overlapped->InternalHigh, 0xBEEF);
}

void overlapped_keepalive_times_tell_no_size(void**) // [WSAIoctl/3]
{
    const SOCKET socket = tcp_socket();
    const HANDLE port = port_of(socket);
    tcp_keepalive times = { 1, 30000, 1000 };
    auto* overlapped = lasting<WSAOVERLAPPED>();
    DWORD returned = 0xDEAD;

    assert_wsa_ok(WSAIoctl(socket, SIO_KEEPALIVE_VALS, &times, sizeof(times), nullptr, 0, &returned,
        overlapped, nullptr));
    assert_int_equal(returned, 0xDEAD);
    const Packet packet = next_packet(port);
    assert_true(packet.succeeded);
    assert_ptr_equal(packet.overlapped, overlapped);
    assert_int_equal(packet.bytes, 0);
    assert_int_equal(overlapped->Internal, 0);
    assert_wsa_fails(WSAIoctl(socket, SIO_KEEPALIVE_VALS, &times, sizeof(times), nullptr, 0,
                         nullptr, overlapped, nullptr),
        SOCKET_ERROR, WSAEFAULT);
}

void the_send_backlog_is_a_streams(void**) // [WSAIoctl/13]
{
    const TcpPair pair = new_tcp_pair();
    ULONG backlog = 0;
    DWORD returned = 0;

    assert_int_equal(control(pair.client, kIdealSendBacklogQuery, nullptr, 0, &backlog,
                         sizeof(backlog), &returned),
        0);
    assert_int_equal(backlog, 0x10000);
    assert_wsa_fails(control(tcp_socket(), kIdealSendBacklogQuery, nullptr, 0, &backlog,
                         sizeof(backlog), &returned),
        SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(control(udp_socket(), kIdealSendBacklogQuery, nullptr, 0, &backlog,
                         sizeof(backlog), &returned),
        SOCKET_ERROR, WSAEOPNOTSUPP);
}

void the_broadcast_address_is_ipv4s(void**) // [WSAIoctl/14]
{
    sockaddr_in address = {};
    DWORD returned = 0;

    assert_int_equal(control(udp_socket(), SIO_GET_BROADCAST_ADDRESS, nullptr, 0, &address,
                         sizeof(address), &returned),
        0);
    assert_int_equal(address.sin_family, AF_INET);
    assert_int_equal(address.sin_addr.s_addr, INADDR_BROADCAST);
    if (!has_ipv6())
        return;
    assert_wsa_fails(control(udp_socket(AF_INET6), SIO_GET_BROADCAST_ADDRESS, nullptr, 0, &address,
                         sizeof(address), &returned),
        SOCKET_ERROR, WSAENOPROTOOPT);
}

void an_address_list_tells_what_it_needs(void**) // [WSAIoctl/15]
{
    const SOCKET socket = udp_socket();
    DWORD needed = 0;
    assert_wsa_fails(control(socket, SIO_ADDRESS_LIST_QUERY, nullptr, 0, nullptr, 0, &needed),
        SOCKET_ERROR, WSAEFAULT);
    assert_true(needed >= sizeof(SOCKET_ADDRESS_LIST) + sizeof(sockaddr_in));
    DWORD returned = 0xDEAD;
    char byte;
    assert_wsa_fails(control(socket, SIO_ADDRESS_LIST_QUERY, nullptr, 0, &byte, 1, &returned),
        SOCKET_ERROR, WSAEINVAL);
    assert_int_equal(returned, 0);

    auto* list = static_cast<SOCKET_ADDRESS_LIST*>(lasting_memory(needed));
    assert_int_equal(
        control(socket, SIO_ADDRESS_LIST_QUERY, nullptr, 0, list, needed, &returned), 0);
    assert_int_equal(returned, needed);
    assert_true(list->iAddressCount > 0);
    for (int i = 0; i < list->iAddressCount; ++i) {
        const SOCKET_ADDRESS& entry = list->Address[i];
        const auto* const begin = reinterpret_cast<const char*>(list);
        const auto* const name = reinterpret_cast<const char*>(entry.lpSockaddr);
        assert_int_equal(entry.iSockaddrLength, sizeof(sockaddr_in));
        assert_true(name > begin && name + sizeof(sockaddr_in) <= begin + needed);
        assert_int_equal(entry.lpSockaddr->sa_family, AF_INET);
    }
}

void the_way_to_loopback_is_loopback(void**) // [WSAIoctl/17]
{
    sockaddr_in destination = {};
    destination.sin_family = AF_INET;
    destination.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in source = {};
    DWORD returned = 0;

    assert_int_equal(control(udp_socket(), SIO_ROUTING_INTERFACE_QUERY, &destination,
                         sizeof(destination), &source, sizeof(source), &returned),
        0);
    assert_int_equal(source.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(returned, sizeof(source));
}

void a_way_needs_a_destination(void**) // [WSAIoctl/17]
{
    const SOCKET socket = udp_socket();
    sockaddr_in destination = {};
    sockaddr_in source = {};
    DWORD returned = 0;
    const auto query = [&](const void* input, DWORD input_length, void* output, DWORD length) {
        return control(
            socket, SIO_ROUTING_INTERFACE_QUERY, input, input_length, output, length, &returned);
    };

    assert_wsa_fails(query(nullptr, 0, &source, sizeof(source)), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(query(&destination, 3, &source, sizeof(source)), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(query(&destination, sizeof(destination), &source, sizeof(source)),
        SOCKET_ERROR, WSAEAFNOSUPPORT);
    destination.sin_family = AF_INET;
    assert_wsa_fails(
        query(&destination, sizeof(destination), &source, sizeof(source)), SOCKET_ERROR, WSAEINVAL);
    destination.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_wsa_fails(
        query(&destination, sizeof(destination), nullptr, sizeof(source)), SOCKET_ERROR, WSAEFAULT);
    returned = 0;
    assert_wsa_fails(query(&destination, sizeof(destination), &source, sizeof(source) - 1),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(returned, sizeof(source));
}

void the_interface_list_has_loopback(void**) // [WSAIoctl/18]
{
    const SOCKET socket = udp_socket();
    INTERFACE_INFO interfaces[64];
    DWORD returned = 0;

    assert_int_equal(control(socket, SIO_GET_INTERFACE_LIST, nullptr, 0, interfaces,
                         sizeof(interfaces), &returned),
        0);
    assert_int_equal(returned % sizeof(INTERFACE_INFO), 0);
    bool found = false;
    for (DWORD i = 0; i < returned / sizeof(INTERFACE_INFO); ++i)
        found |= (interfaces[i].iiFlags & IFF_LOOPBACK) != 0;
    assert_true(found);
    returned = 0xDEAD;
    assert_wsa_fails(control(socket, SIO_GET_INTERFACE_LIST, nullptr, 0, interfaces, 4, &returned),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(returned, 0);
}

void the_interface_list_completes_with_its_size(void**) // [WSAIoctl/18]
{
    const SOCKET socket = udp_socket();
    const HANDLE port = port_of(socket);
    auto* interfaces = static_cast<INTERFACE_INFO*>(lasting_memory(64 * sizeof(INTERFACE_INFO)));
    auto* overlapped = lasting<WSAOVERLAPPED>();
    DWORD returned = 0;

    assert_wsa_fails(WSAIoctl(socket, SIO_GET_INTERFACE_LIST, nullptr, 0, interfaces,
                         64 * sizeof(INTERFACE_INFO), &returned, overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    const Packet packet = next_packet(port);
    assert_true(packet.succeeded);
    assert_true(packet.bytes >= sizeof(INTERFACE_INFO));
}

void a_change_of_addresses_is_waited_for(void**) // [WSAIoctl/20]
{
    const SOCKET socket = udp_socket();
    set_nonblocking(socket);
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->hEvent = new_event();
    DWORD returned = 0;

    assert_wsa_fails(control(socket, SIO_ADDRESS_LIST_CHANGE, nullptr, 0, nullptr, 0, &returned),
        SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_wsa_fails(WSAIoctl(socket, SIO_ADDRESS_LIST_CHANGE, nullptr, 0, nullptr, 0, &returned,
                         overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    close_owned(socket);
    assert_becomes_signaled(overlapped->hEvent);
    assert_int_equal(static_cast<NTSTATUS>(overlapped->Internal), STATUS_CANCELLED);
}

void a_change_of_the_send_backlog_is_waited_for(void**) // [WSAIoctl/24]
{
    const TcpPair pair = new_tcp_pair();
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->hEvent = new_event();
    DWORD returned = 0;
    DWORD flags;

    assert_wsa_fails(WSAIoctl(pair.client, kIdealSendBacklogChange, nullptr, 0, nullptr, 0,
                         &returned, overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    send_text(pair.client, "x"); // which changes nothing
    assert_false(is_signaled(overlapped->hEvent));
    assert_true(CancelIoEx(reinterpret_cast<HANDLE>(pair.client), overlapped));
    assert_wsa_fails(WSAGetOverlappedResult(pair.client, overlapped, &returned, TRUE, &flags),
        FALSE, WSA_OPERATION_ABORTED);

    set_nonblocking(pair.client);
    assert_wsa_fails(
        control(pair.client, kIdealSendBacklogChange, nullptr, 0, nullptr, 0, &returned),
        SOCKET_ERROR, WSAEWOULDBLOCK);
    assert_wsa_fails(WSAIoctl(tcp_socket(), kIdealSendBacklogChange, nullptr, 0, nullptr, 0,
                         &returned, overlapped, nullptr),
        SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(
        control(udp_socket(), kIdealSendBacklogChange, nullptr, 0, nullptr, 0, &returned),
        SOCKET_ERROR, WSAEOPNOTSUPP);
}

void only_a_raw_socket_receives_all(void**) // [WSAIoctl/25]
{
    const DWORD on = 1; // RCVALL_ON
    DWORD returned = 0;
    const SOCKET bound = udp_socket();
    bind_to_loopback(bound);

    for (const SOCKET socket : { tcp_socket(), udp_socket(), bound })
        assert_wsa_fails(control(socket, kReceiveAll, &on, sizeof(on), nullptr, 0, &returned),
            SOCKET_ERROR, WSAEINVAL);
}

void a_success_clears_the_last_error(void**) // [WSAIoctl/21] [ioctlsocket/5]
{
    const SOCKET socket = tcp_socket();
    u_long value = 1;

    WSASetLastError(kPoison);
    assert_int_equal(ioctlsocket(socket, FIONBIO, &value), 0);
    assert_int_equal(WSAGetLastError(), 0);
}

constexpr DWORD kTcpInfo = _WSAIORW(IOC_VENDOR, 39); // SIO_TCP_INFO
constexpr DWORD kTcpInfoSizes[] = { 88, 136 }; // of TCP_INFO_v0 and TCP_INFO_v1
constexpr DWORD kLargestTcpInfo = 136;

/// SIO_TCP_INFO. The fields are read at their places: not every SDK has the structures.
struct TcpInfo {
    DWORD state;
    DWORD mss;
    ULONG64 connection_time;
    DWORD figures[8];
    ULONG64 sent;
    ULONG64 received;
    char rest[kLargestTcpInfo - 64];
};
static_assert(sizeof(TcpInfo) == kLargestTcpInfo);

int ask_tcp_info(SOCKET socket, DWORD version, TcpInfo& info, DWORD size, DWORD& returned)
{
    return WSAIoctl(
        socket, kTcpInfo, &version, sizeof(version), &info, size, &returned, nullptr, nullptr);
}

void the_statistics_of_a_connection_are_told(void**) // [WSAIoctl/22]
{
    constexpr DWORD kEstablished = 4;
    const TcpPair pair = new_tcp_pair();
    char data[5];
    send_text(pair.client, "hello");
    receive_exactly(pair.server, data, sizeof(data));
    for (const DWORD version : { 0, 1 }) {
        TcpInfo client = {};
        TcpInfo server = {};
        DWORD returned = 0;
        assert_wsa_ok(ask_tcp_info(pair.client, version, client, sizeof(client), returned));
        assert_int_equal(returned, kTcpInfoSizes[version]);
        assert_wsa_ok(ask_tcp_info(pair.server, version, server, kTcpInfoSizes[version], returned));
        assert_int_equal(client.state, kEstablished);
        assert_true(client.mss > 0);
        assert_int_equal(client.sent, sizeof(data));
        assert_int_equal(client.received, 0);
        assert_int_equal(server.received, sizeof(data));
    }
}

void statistics_need_a_version_and_room(void**) // [WSAIoctl/22]
{
    const TcpPair pair = new_tcp_pair();
    TcpInfo info;
    DWORD returned = 0;
    assert_wsa_fails(ask_tcp_info(pair.client, 2, info, sizeof(info), returned), -1, WSAEINVAL);
    for (const DWORD version : { 0, 1 })
        assert_wsa_fails(
            ask_tcp_info(pair.client, version, info, kTcpInfoSizes[version] - 1, returned), -1,
            WSAEFAULT);
    assert_wsa_fails(WSAIoctl(pair.client, kTcpInfo, nullptr, 0, &info, sizeof(info), &returned,
                         nullptr, nullptr),
        -1, WSAEFAULT);
}

void datagrams_have_no_statistics(void**) // [WSAIoctl/22]
{
    TcpInfo info;
    DWORD returned = 0;
    assert_wsa_fails(
        ask_tcp_info(udp_socket(), 0, info, sizeof(info), returned), -1, WSAEOPNOTSUPP);
}

void ports_are_not_reserved(void**) // [WSAIoctl/23]
{
    const SOCKET socket = tcp_socket();
    ULONG64 input = 0;
    ULONG64 output[2];
    DWORD returned = 0;
    for (const DWORD code : { _WSAIOW(IOC_VENDOR, 21), _WSAIOW(IOC_VENDOR, 100),
             _WSAIOW(IOC_VENDOR, 101), _WSAIOW(IOC_VENDOR, 102) })
        assert_wsa_fails(WSAIoctl(socket, code, &input, sizeof(input), output, sizeof(output),
                             &returned, nullptr, nullptr),
            -1, WSAEOPNOTSUPP);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_statistics_of_a_connection_are_told),
    cmocka_unit_test(statistics_need_a_version_and_room),
    cmocka_unit_test(datagrams_have_no_statistics),
    cmocka_unit_test(ports_are_not_reserved),
    cmocka_unit_test(what_is_no_socket_is_refused),
    cmocka_unit_test(a_bad_argument_is_a_fault),
    cmocka_unit_test(the_size_must_be_wanted),
    cmocka_unit_test(an_unknown_code_is_unsupported),
    cmocka_unit_test(an_unknown_overlapped_code_fails_at_completion),
    cmocka_unit_test(an_unknown_code_tells_its_routine),
    cmocka_unit_test(a_code_done_at_once_still_queues_its_packet),
    cmocka_unit_test(a_code_done_at_once_still_sets_its_event),
    cmocka_unit_test(readable_bytes_are_counted),
    cmocka_unit_test(bytes_of_all_datagrams_are_counted),
    cmocka_unit_test(many_datagrams_are_counted),
    cmocka_unit_test(a_short_count_leaves_the_size),
    cmocka_unit_test(the_mode_needs_four_bytes),
    cmocka_unit_test(a_selected_socket_cannot_become_blocking),
    cmocka_unit_test(without_urgent_data_the_mark_is_here),
    cmocka_unit_test(a_socket_is_its_own_base),
    cmocka_unit_test(the_base_is_not_told_overlapped),
    cmocka_unit_test(extension_functions_are_found_by_guid),
    cmocka_unit_test(an_unknown_guid_touches_nothing),
    cmocka_unit_test(quality_of_service_is_no_option),
    cmocka_unit_test(settings_of_the_stack_are_taken),
    cmocka_unit_test(keepalive_times_need_a_whole_structure),
    cmocka_unit_test(overlapped_keepalive_times_tell_no_size),
    cmocka_unit_test(the_send_backlog_is_a_streams),
    cmocka_unit_test(the_broadcast_address_is_ipv4s),
    cmocka_unit_test(an_address_list_tells_what_it_needs),
    cmocka_unit_test(the_way_to_loopback_is_loopback),
    cmocka_unit_test(a_way_needs_a_destination),
    cmocka_unit_test(the_interface_list_has_loopback),
    cmocka_unit_test(the_interface_list_completes_with_its_size),
    cmocka_unit_test(a_change_of_addresses_is_waited_for),
    cmocka_unit_test(a_change_of_the_send_backlog_is_waited_for),
    cmocka_unit_test(only_a_raw_socket_receives_all),
    cmocka_unit_test(a_success_clears_the_last_error),
};

} // namespace

CONFORMANCE_GROUP(ioctl, kCases);
