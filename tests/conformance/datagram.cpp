// sendto, recvfrom, WSASendTo and WSARecvFrom.

#include "extensions.h"
#include "peers.h"

#include <cstring>

using namespace conformance;

namespace {

/// An unconnected receiver with its address, and an unbound sender.
struct Datagrams {
    SOCKET receiver;
    SOCKET sender;
    sockaddr_storage address;
    int length;
};

Datagrams new_datagrams(int family = AF_INET, Where where = Where::current())
{
    Datagrams result;
    result.receiver = udp_socket(family, where);
    result.sender = udp_socket(family, where);
    bind_to_loopback(result.receiver, family, where);
    result.length = loopback_address(family, local_port(result.receiver, where), &result.address);
    limit_receives(result.receiver, where);
    return result;
}

int send_datagram(const Datagrams& d, const char* text)
{
    return sendto(d.sender, text, static_cast<int>(strlen(text)), 0, as_name(d.address), d.length);
}

// --- Sending and receiving

void a_datagram_arrives_with_its_senders_name(void**) // [recvfrom/1]
{
    const Datagrams d = new_datagrams();
    WSASetLastError(kPoison);
    assert_int_equal(send_datagram(d, "hello"), 5);
    assert_int_equal(WSAGetLastError(), 0);
    char buffer[16];
    sockaddr_storage from = {};
    int length = sizeof(from);
    WSASetLastError(kPoison);
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, as_name(from), &length), 5);
    assert_int_equal(WSAGetLastError(), 0);
    assert_memory_equal(buffer, "hello", 5);
    assert_int_equal(length, sizeof(sockaddr_in));
    const auto* name = reinterpret_cast<sockaddr_in*>(&from);
    assert_int_equal(name->sin_family, AF_INET);
    assert_int_equal(name->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(ntohs(name->sin_port), local_port(d.sender));
}

void datagrams_work_over_ipv6(void**) // [recvfrom/1]
{
    if (!has_ipv6())
        skip();
    const Datagrams d = new_datagrams(AF_INET6);
    assert_int_equal(send_datagram(d, "six"), 3);
    char buffer[16];
    sockaddr_storage from = {};
    int length = sizeof(from);
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, as_name(from), &length), 3);
    assert_int_equal(length, sizeof(sockaddr_in6));
    assert_int_equal(from.ss_family, AF_INET6);
}

void datagrams_stay_apart(void**) // [recvfrom/2]
{
    const Datagrams d = new_datagrams();
    char buffer[16];
    send_datagram(d, "one");
    send_datagram(d, "three");
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, nullptr, nullptr), 3);
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, nullptr, nullptr), 5);
}

void an_empty_datagram_is_received(void**) // [recvfrom/2]
{
    const Datagrams d = new_datagrams();
    char buffer[16];
    assert_int_equal(send_datagram(d, ""), 0);
    send_datagram(d, "next");
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, nullptr, nullptr), 0);
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, nullptr, nullptr), 4);
}

void a_long_datagram_fills_the_buffer_and_loses_the_rest(void**) // [recvfrom/6]
{
    const Datagrams d = new_datagrams();
    char buffer[4] = {};
    send_datagram(d, "123456");
    send_datagram(d, "next");
    assert_wsa_fails(
        recvfrom(d.receiver, buffer, 3, 0, nullptr, nullptr), SOCKET_ERROR, WSAEMSGSIZE);
    assert_memory_equal(buffer, "123", 4);
    assert_int_equal(recvfrom(d.receiver, buffer, 4, 0, nullptr, nullptr), 4);
    assert_memory_equal(buffer, "next", 4);
}

void a_receive_of_nothing_takes_a_datagram(void**) // [recvfrom/12]
{
    const Datagrams d = new_datagrams();
    char buffer[8];
    send_datagram(d, "first");
    assert_wsa_fails(
        recvfrom(d.receiver, buffer, 0, MSG_PEEK, nullptr, nullptr), SOCKET_ERROR, WSAEMSGSIZE);
    assert_wsa_fails(recv(d.receiver, nullptr, 0, 0), SOCKET_ERROR, WSAEMSGSIZE);
    send_datagram(d, "second");
    sockaddr_in from = {};
    int length = sizeof(from);
    assert_wsa_fails(
        recvfrom(d.receiver, buffer, 0, 0, reinterpret_cast<sockaddr*>(&from), &length),
        SOCKET_ERROR, WSAEMSGSIZE);
    assert_int_equal(ntohs(from.sin_port), local_port(d.sender));
    send_datagram(d, "");
    assert_int_equal(recv(d.receiver, buffer, 0, 0), 0);
    send_datagram(d, "next");
    assert_int_equal(recv(d.receiver, buffer, 8, 0), 4);
}

void a_long_datagram_still_tells_its_sender(void**) // [recvfrom/6]
{
    const Datagrams d = new_datagrams();
    char buffer[3];
    sockaddr_in from = {};
    int length = sizeof(from);
    send_datagram(d, "123456");
    assert_wsa_fails(
        recvfrom(d.receiver, buffer, 3, 0, reinterpret_cast<sockaddr*>(&from), &length),
        SOCKET_ERROR, WSAEMSGSIZE);
    assert_int_equal(ntohs(from.sin_port), local_port(d.sender));
}

void peeking_at_a_long_datagram_keeps_it_whole(void**) // [recvfrom/4]
{
    const Datagrams d = new_datagrams();
    char buffer[8];
    send_datagram(d, "123456");
    assert_wsa_fails(
        recvfrom(d.receiver, buffer, 3, MSG_PEEK, nullptr, nullptr), SOCKET_ERROR, WSAEMSGSIZE);
    assert_int_equal(recvfrom(d.receiver, buffer, 8, MSG_PEEK, nullptr, nullptr), 6);
    assert_int_equal(recvfrom(d.receiver, buffer, 8, 0, nullptr, nullptr), 6);
}

void a_short_name_buffer_keeps_the_datagram(void**) // [recvfrom/5]
{
    const Datagrams d = new_datagrams();
    char buffer[8];
    sockaddr_storage from = {};
    int length = 1;
    send_datagram(d, "stays");
    wait_until_readable(d.receiver);
    assert_wsa_fails(recvfrom(d.receiver, buffer, sizeof(buffer), 0, as_name(from), &length),
        SOCKET_ERROR, WSAEFAULT);
    set_nonblocking(d.receiver);
    assert_int_equal(recvfrom(d.receiver, buffer, sizeof(buffer), 0, nullptr, nullptr), 5);
}

void an_unbound_socket_cannot_receive_datagrams(void**) // [recvfrom/3]
{
    const SOCKET socket = udp_socket();
    set_nonblocking(socket); // Not to hang where the name is not looked at.
    char byte;
    assert_wsa_fails(recvfrom(socket, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAEINVAL);
    assert_wsa_fails(recv(socket, &byte, 1, 0), SOCKET_ERROR, WSAEINVAL);
}

void no_datagram_would_block(void**) // [recvfrom/7]
{
    const Datagrams d = new_datagrams();
    set_nonblocking(d.receiver);
    char byte;
    assert_wsa_fails(
        recvfrom(d.receiver, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void a_receive_of_a_datagram_times_out(void**) // [recvfrom/7]
{
    const Datagrams d = new_datagrams();
    set_option(d.receiver, SOL_SOCKET, SO_RCVTIMEO, 50);
    char byte;
    assert_wsa_fails(
        recvfrom(d.receiver, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAETIMEDOUT);
}

void the_streams_recvfrom_tells_no_name(void**) // [recvfrom/8]
{
    const TcpPair pair = new_tcp_pair();
    sockaddr_storage from;
    sockaddr_storage untouched;
    memset(&from, 0xCC, sizeof(from));
    memset(&untouched, 0xCC, sizeof(untouched));
    int length = sizeof(from);
    send_text(pair.client, "x");
    wait_until_readable(pair.server);
    char byte;
    assert_int_equal(recvfrom(pair.server, &byte, 1, 0, as_name(from), &length), 1);
    assert_memory_equal(&from, &untouched, sizeof(from));
    assert_int_equal(length, sizeof(from));
}

void wsarecvfrom_tells_bytes_flags_and_name(void**) // [recvfrom/9]
{
    const Datagrams d = new_datagrams();
    char first[2];
    char second[8];
    WSABUF buffers[] = { { 2, first }, { 8, second } };
    sockaddr_in from = {};
    int length = sizeof(from);
    DWORD bytes = 0;
    DWORD flags = 0;
    send_datagram(d, "hello");
    assert_wsa_ok(WSARecvFrom(d.receiver, buffers, 2, &bytes, &flags,
        reinterpret_cast<sockaddr*>(&from), &length, nullptr, nullptr));
    assert_int_equal(bytes, 5);
    assert_int_equal(flags, 0);
    assert_memory_equal(first, "he", 2);
    assert_memory_equal(second, "llo", 3);
    assert_int_equal(ntohs(from.sin_port), local_port(d.sender));
}

void wsasendto_gathers_one_datagram(void**) // [sendto/7]
{
    const Datagrams d = new_datagrams();
    char first[] = "one ";
    char second[] = "datagram";
    WSABUF buffers[] = { { 4, first }, { 8, second } };
    DWORD sent = 0;
    assert_wsa_ok(
        WSASendTo(d.sender, buffers, 2, &sent, 0, as_name(d.address), d.length, nullptr, nullptr));
    assert_int_equal(sent, 12);
    char whole[16];
    assert_int_equal(recvfrom(d.receiver, whole, sizeof(whole), 0, nullptr, nullptr), 12);
    assert_memory_equal(whole, "one datagram", 12);
}

// --- What sending needs

void a_datagram_without_a_destination_is_refused(void**) // [sendto/2]
{
    assert_wsa_fails(send(udp_socket(), "x", 1, 0), SOCKET_ERROR, WSAENOTCONN);
    assert_wsa_fails(sendto(udp_socket(), "x", 1, 0, nullptr, 0), SOCKET_ERROR, WSAENOTCONN);
}

void a_short_destination_is_refused(void**) // [sendto/2]
{
    const Datagrams d = new_datagrams();
    assert_wsa_fails(sendto(d.sender, "x", 1, 0, as_name(d.address), 3), SOCKET_ERROR, WSAEFAULT);
}

void a_stream_ignores_the_destination(void**) // [sendto/1]
{
    const TcpPair pair = new_tcp_pair();
    sockaddr_storage garbage;
    memset(&garbage, 0xCC, sizeof(garbage));
    assert_int_equal(sendto(pair.client, "x", 1, 0, as_name(garbage), sizeof(garbage)), 1);
    char byte;
    receive_exactly(pair.server, &byte, 1);
}

void port_zero_takes_datagrams(void**) // [sendto/4]
{
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, 0, &address);
    assert_int_equal(sendto(udp_socket(), "x", 1, 0, as_name(address), length), 1);
}

void the_any_address_takes_no_datagrams(void**) // [sendto/8]
{
    const SOCKET socket = udp_socket();
    sockaddr_storage address = {};
    address.ss_family = AF_INET;
    reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(9);
    char byte = 'x';
    WSABUF buffer = { 1, &byte };
    DWORD sent;
    assert_wsa_fails(sendto(socket, &byte, 1, 0, as_name(address), sizeof(sockaddr_in)),
        SOCKET_ERROR, WSAEADDRNOTAVAIL);
    assert_wsa_fails(WSASendTo(socket, &buffer, 1, &sent, 0, as_name(address), sizeof(sockaddr_in),
                         nullptr, nullptr),
        SOCKET_ERROR, WSAEADDRNOTAVAIL);
    WSAMSG message = {};
    message.name = as_name(address);
    message.namelen = sizeof(sockaddr_in);
    message.lpBuffers = &buffer;
    message.dwBufferCount = 1;
    assert_wsa_fails(
        WSASendMsg(socket, &message, 0, &sent, nullptr, nullptr), SOCKET_ERROR, WSAEADDRNOTAVAIL);
    if (!has_ipv6())
        return;
    address.ss_family = AF_INET6; // the port is in the same place
    assert_wsa_fails(
        sendto(udp_socket(AF_INET6), &byte, 1, 0, as_name(address), sizeof(sockaddr_in6)),
        SOCKET_ERROR, WSAEADDRNOTAVAIL);
}

void a_datagram_that_is_too_long_is_refused(void**) // [sendto/3]
{
    const Datagrams d = new_datagrams();
    const char* data = static_cast<char*>(lasting_memory(70000));
    assert_wsa_fails(
        sendto(d.sender, data, 70000, 0, as_name(d.address), d.length), SOCKET_ERROR, WSAEMSGSIZE);
    set_nonblocking(d.receiver);
    char byte;
    assert_wsa_fails(
        recvfrom(d.receiver, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAEWOULDBLOCK);
}

void broadcasting_needs_the_option(void**) // [sendto/5]
{
    sockaddr_storage address;
    const int length = loopback_address(AF_INET, 9, &address);
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_BROADCAST);
    assert_wsa_fails(
        sendto(udp_socket(), "x", 1, 0, as_name(address), length), SOCKET_ERROR, WSAEACCES);
}

// --- Ports nobody listens on

void an_unreachable_port_shows_at_the_next_receive(void**) // [recvfrom/10]
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    set_option(socket, SOL_SOCKET, SO_RCVTIMEO, 3000);
    const sockaddr_storage nobody = unbound_udp_address();
    assert_int_equal(sendto(socket, "x", 1, 0, as_name(nobody), sizeof(sockaddr_in)), 1);
    char byte;
    assert_wsa_fails(recvfrom(socket, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAECONNRESET);
}

void a_connected_socket_hears_of_the_unreachable_port(void**) // [recvfrom/10]
{
    const SOCKET socket = udp_socket();
    const sockaddr_storage nobody = unbound_udp_address();
    assert_wsa_ok(connect(socket, as_name(nobody), sizeof(sockaddr_in)));
    set_option(socket, SOL_SOCKET, SO_RCVTIMEO, 3000);
    assert_int_equal(send(socket, "x", 1, 0), 1);
    char byte;
    assert_wsa_fails(recv(socket, &byte, 1, 0), SOCKET_ERROR, WSAECONNRESET);
}

void an_unreachable_port_can_be_ignored(void**) // [recvfrom/11]
{
    const SOCKET socket = udp_socket();
    BOOL report = FALSE;
    DWORD bytes;
    bind_to_loopback(socket);
    assert_wsa_ok(WSAIoctl(
        socket, SIO_UDP_CONNRESET, &report, sizeof(report), nullptr, 0, &bytes, nullptr, nullptr));
    const sockaddr_storage nobody = unbound_udp_address();
    assert_int_equal(sendto(socket, "x", 1, 0, as_name(nobody), sizeof(sockaddr_in)), 1);
    set_option(socket, SOL_SOCKET, SO_RCVTIMEO, 200);
    char byte;
    assert_wsa_fails(recvfrom(socket, &byte, 1, 0, nullptr, nullptr), SOCKET_ERROR, WSAETIMEDOUT);
}

void sending_to_a_closed_port_keeps_succeeding(void**) // [sendto/6]
{
    const SOCKET socket = udp_socket();
    const sockaddr_storage nobody = unbound_udp_address();
    for (int i = 0; i < 4; ++i)
        assert_int_equal(sendto(socket, "x", 1, 0, as_name(nobody), sizeof(sockaddr_in)), 1);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_datagram_arrives_with_its_senders_name),
    cmocka_unit_test(datagrams_work_over_ipv6),
    cmocka_unit_test(datagrams_stay_apart),
    cmocka_unit_test(an_empty_datagram_is_received),
    cmocka_unit_test(a_long_datagram_fills_the_buffer_and_loses_the_rest),
    cmocka_unit_test(a_receive_of_nothing_takes_a_datagram),
    cmocka_unit_test(a_long_datagram_still_tells_its_sender),
    cmocka_unit_test(peeking_at_a_long_datagram_keeps_it_whole),
    cmocka_unit_test(a_short_name_buffer_keeps_the_datagram),
    cmocka_unit_test(an_unbound_socket_cannot_receive_datagrams),
    cmocka_unit_test(no_datagram_would_block),
    cmocka_unit_test(a_receive_of_a_datagram_times_out),
    cmocka_unit_test(the_streams_recvfrom_tells_no_name),
    cmocka_unit_test(wsarecvfrom_tells_bytes_flags_and_name),
    cmocka_unit_test(wsasendto_gathers_one_datagram),
    cmocka_unit_test(a_datagram_without_a_destination_is_refused),
    cmocka_unit_test(a_short_destination_is_refused),
    cmocka_unit_test(a_stream_ignores_the_destination),
    cmocka_unit_test(port_zero_takes_datagrams),
    cmocka_unit_test(the_any_address_takes_no_datagrams),
    cmocka_unit_test(a_datagram_that_is_too_long_is_refused),
    cmocka_unit_test(broadcasting_needs_the_option),
    cmocka_unit_test(an_unreachable_port_shows_at_the_next_receive),
    cmocka_unit_test(a_connected_socket_hears_of_the_unreachable_port),
    cmocka_unit_test(an_unreachable_port_can_be_ignored),
    cmocka_unit_test(sending_to_a_closed_port_keeps_succeeding),
};

} // namespace

CONFORMANCE_GROUP(datagram, kCases);
