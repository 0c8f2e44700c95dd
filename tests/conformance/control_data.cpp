// Control data of datagrams: what WSASendMsg obeys and WSARecvMsg tells.

#include "extensions.h"
#include "messages.h"

using namespace conformance;

namespace {

// Names that this SDK does not have.
constexpr int kRecvEcn = 50; // IP_RECVECN and IPV6_RECVECN, and the type of the message
constexpr int kUdpSendMsgSize = 2;
constexpr int kUdpRecvMaxCoalescedSize = 3;
constexpr int kUdpCoalescedInfo = 3;

/// Appends a control message; `length` is what its header tells of the data.
void add_control(Message* message, int level, int type, const void* data, size_t length)
{
    auto* entry = reinterpret_cast<WSACMSGHDR*>(message->control + message->header.Control.len);
    entry->cmsg_len = WSA_CMSG_LEN(length);
    entry->cmsg_level = level;
    entry->cmsg_type = type;
    memcpy(WSA_CMSG_DATA(entry), data, length);
    message->header.Control.len += static_cast<ULONG>(WSA_CMSG_SPACE(length));
}

void add_number(Message* message, int level, int type, int value)
{
    add_control(message, level, type, &value, sizeof(value));
}

int send_blocking(SOCKET socket, Message* message)
{
    DWORD sent = 0;
    return WSASendMsg(socket, &message->header, 0, &sent, nullptr, nullptr);
}

int send_overlapped(SOCKET socket, Message* message)
{
    Operation* operation = new_operation(new_event());
    if (WSASendMsg(socket, &message->header, 0, nullptr, &operation->overlapped, nullptr)
        && WSAGetLastError() != WSA_IO_PENDING)
        return SOCKET_ERROR;
    DWORD sent = 0;
    DWORD flags = 0;
    return WSAGetOverlappedResult(socket, &operation->overlapped, &sent, TRUE, &flags) ? 0 : -1;
}

int send_nonblocking(SOCKET socket, Message* message)
{
    set_nonblocking(socket);
    return send_blocking(socket, message);
}

using Send = int (*)(SOCKET socket, Message* message);
constexpr Send kWaysToSend[] = { send_blocking, send_overlapped, send_nonblocking };

/// WSARecvMsg with room for control data; not checked.
int receive_into(SOCKET socket, Message* message, DWORD* received)
{
    message->header.Control = { sizeof(message->control), message->control };
    return recv_msg_of(socket)(socket, &message->header, received, nullptr, nullptr);
}

Message* receive_message(SOCKET socket, Where where = Where::current())
{
    Message* message = new_message();
    DWORD received = 0;
    if (receive_into(socket, message, &received))
        fail_at(where, "WSARecvMsg failed with %d", WSAGetLastError());
    message->buffer.len = received;
    return message;
}

/// The data of a control message of that kind, or null.
const void* find_control(Message* message, int level, int type)
{
    for (WSACMSGHDR* entry = WSA_CMSG_FIRSTHDR(&message->header); entry;
         entry = WSA_CMSG_NXTHDR(&message->header, entry)) {
        if (entry->cmsg_level == level && entry->cmsg_type == type)
            return WSA_CMSG_DATA(entry);
    }
    return nullptr;
}

int told_number(Message* message, int level, int type, Where where = Where::current())
{
    const void* data = find_control(message, level, type);
    if (!data)
        fail_at(where, "no control message %d of level %d", type, level);
    int value;
    memcpy(&value, data, sizeof(value));
    return value;
}

/// A number sent as control data arrives as that, whichever way it is sent.
void assert_number_arrives(
    int family, int level, int type, int option_to_hear, int value, Where where = Where::current())
{
    const SOCKET receiver = bound_receiver(family, where);
    set_option(receiver, level, option_to_hear, 1, where);
    for (const Send way : kWaysToSend) {
        Message* message = new_greeting(receiver, family);
        add_number(message, level, type, value);
        if (way(udp_socket(family, where), message))
            fail_at(where, "WSASendMsg failed with %d", WSAGetLastError());
        const int told = told_number(receive_message(receiver, where), level, type, where);
        if (told != value)
            fail_at(where, "%d arrived as %d", value, told);
    }
}

/// The message is refused, and nothing of it arrives, whichever way it is sent.
void assert_refused(Message* message, SOCKET receiver, Where where = Where::current())
{
    for (const Send way : kWaysToSend) {
        const SOCKET sender = udp_socket(AF_INET, where);
        WSASetLastError(kPoison);
        if (way(sender, message) != SOCKET_ERROR || WSAGetLastError() != WSAEINVAL)
            fail_at(where, "not refused with WSAEINVAL, but %d", WSAGetLastError());
        const int length = message->header.namelen;
        if (sendto(sender, "next", 4, 0, message->header.name, length) != 4)
            fail_at(where, "sendto failed with %d", WSAGetLastError());
        char buffer[16];
        if (recv(receiver, buffer, sizeof(buffer), 0) != 4)
            fail_at(where, "the message was sent all the same");
    }
}

// --- Sending

void packet_info_names_the_source(void**) // [WSASendMsg/10]
{
    const SOCKET receiver = bound_receiver();
    for (const Send way : kWaysToSend) {
        in_pktinfo info {};
        info.ipi_addr.s_addr = htonl(0x7F000002);
        Message* message = new_greeting(receiver);
        add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
        assert_wsa_ok(way(udp_socket(), message));
        const Message* told = receive_message(receiver);
        const auto& from = reinterpret_cast<const sockaddr_in&>(told->name);
        assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7F000002);
    }
}

void packet_info_names_the_ipv6_source(void**) // [WSASendMsg/10]
{
    if (!has_ipv6())
        skip();
    const SOCKET receiver = bound_receiver(AF_INET6);
    in6_pktinfo info {};
    info.ipi6_addr = in6addr_loopback;
    Message* message = new_greeting(receiver, AF_INET6);
    add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    assert_wsa_ok(send_blocking(udp_socket(AF_INET6), message));
    assert_int_equal(receive_message(receiver)->buffer.len, 5);
}

void an_ipv6_source_that_is_not_ours_is_refused(void**) // [WSASendMsg/10] [WSASendMsg/11]
{
    if (!has_ipv6())
        skip();
    const SOCKET receiver = bound_receiver(AF_INET6);
    in6_pktinfo info {};
    info.ipi6_addr.s6_addr[0] = 0x20;
    info.ipi6_addr.s6_addr[15] = 7;
    Message* message = new_greeting(receiver, AF_INET6);
    add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    assert_int_equal(send_blocking(udp_socket(AF_INET6), message), SOCKET_ERROR);
}

void a_message_has_its_time_to_live(void**) // [WSASendMsg/10]
{
    assert_number_arrives(AF_INET, IPPROTO_IP, IP_TTL, IP_RECVTTL, 33);
}

void a_message_has_its_hop_limit(void**) // [WSASendMsg/10]
{
    if (!has_ipv6())
        skip();
    assert_number_arrives(AF_INET6, IPPROTO_IPV6, IPV6_HOPLIMIT, IPV6_HOPLIMIT, 33);
}

void a_message_has_its_type_of_service(void**) // [WSASendMsg/10]
{
    assert_number_arrives(AF_INET, IPPROTO_IP, IP_TOS, IP_RECVTOS, 0x28);
}

void a_message_has_its_traffic_class(void**) // [WSASendMsg/10]
{
    if (!has_ipv6())
        skip();
    assert_number_arrives(AF_INET6, IPPROTO_IPV6, IPV6_TCLASS, IPV6_RECVTCLASS, 0x28);
}

void a_message_has_its_mark(void**) // [WSASendMsg/10] [WSASendMsg/14]
{
    for (const int mark : { 0, 1, 2, 3 })
        assert_number_arrives(AF_INET, IPPROTO_IP, IP_ECN, kRecvEcn, mark);
}

void an_ipv6_message_has_its_mark(void**) // [WSASendMsg/10] [WSASendMsg/14]
{
    if (!has_ipv6())
        skip();
    for (const int mark : { 0, 1, 2, 3 })
        assert_number_arrives(AF_INET6, IPPROTO_IPV6, IPV6_ECN, kRecvEcn, mark);
}

void control_messages_go_together(void**) // [WSASendMsg/10]
{
    const SOCKET receiver = bound_receiver();
    set_option(receiver, IPPROTO_IP, IP_RECVTTL, 1);
    set_option(receiver, IPPROTO_IP, kRecvEcn, 1);
    in_pktinfo info {};
    info.ipi_addr.s_addr = htonl(INADDR_LOOPBACK);
    Message* message = new_greeting(receiver);
    add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    add_number(message, IPPROTO_IP, IP_TTL, 44);
    add_number(message, IPPROTO_IP, IP_ECN, 2);
    assert_wsa_ok(send_blocking(udp_socket(), message));
    Message* told = receive_message(receiver);
    assert_int_equal(told_number(told, IPPROTO_IP, IP_TTL), 44);
    assert_int_equal(told_number(told, IPPROTO_IP, IP_ECN), 2);
}

void a_connected_socket_sends_control_data_too(void**) // [WSASendMsg/10]
{
    const UdpPair pair = new_udp_pair();
    set_option(pair.b, IPPROTO_IP, IP_RECVTTL, 1);
    limit_receives(pair.b);
    Message* message = new_greeting(pair.b);
    message->header.name = nullptr;
    message->header.namelen = 0;
    add_number(message, IPPROTO_IP, IP_TTL, 55);
    assert_wsa_ok(send_blocking(pair.a, message));
    assert_int_equal(told_number(receive_message(pair.b), IPPROTO_IP, IP_TTL), 55);
}

void unknown_control_data_are_refused(void**) // [WSASendMsg/11]
{
    const SOCKET receiver = bound_receiver();
    struct {
        int level;
        int type;
    } constexpr kUnknown[] = { { IPPROTO_IP, 0x777 }, { 0x777, IP_TTL }, { IPPROTO_TCP, 1 },
        { IPPROTO_IPV6, IPV6_HOPLIMIT } };
    for (const auto& kind : kUnknown) {
        Message* message = new_greeting(receiver);
        add_number(message, kind.level, kind.type, 1);
        assert_refused(message, receiver);
    }
}

void one_unknown_message_spoils_the_others(void**) // [WSASendMsg/11]
{
    const SOCKET receiver = bound_receiver();
    Message* message = new_greeting(receiver);
    add_number(message, IPPROTO_IP, IP_TTL, 33);
    add_number(message, IPPROTO_IP, 0x777, 1);
    assert_refused(message, receiver);
}

void malformed_control_data_are_refused(void**) // [WSASendMsg/11]
{
    const SOCKET receiver = bound_receiver();
    const size_t lengths[] = { 0, WSA_CMSG_LEN(0) - 1, WSA_CMSG_LEN(0), WSA_CMSG_LEN(3),
        WSA_CMSG_LEN(8), WSA_CMSG_LEN(4096) };
    for (const size_t length : lengths) {
        Message* message = new_greeting(receiver);
        add_number(message, IPPROTO_IP, IP_TTL, 33);
        reinterpret_cast<WSACMSGHDR*>(message->control)->cmsg_len = length;
        assert_refused(message, receiver);
    }
    Message* cut = new_greeting(receiver);
    add_number(cut, IPPROTO_IP, IP_TTL, 33);
    cut->header.Control.len = 5;
    assert_refused(cut, receiver);
}

void numbers_out_of_range_are_refused(void**) // [WSASendMsg/11]
{
    const SOCKET receiver = bound_receiver();
    struct {
        int type;
        int value;
    } constexpr kBad[]
        = { { IP_TTL, 256 }, { IP_TTL, -1 }, { IP_TOS, 256 }, { IP_ECN, 4 }, { IP_ECN, -1 } };
    for (const auto& bad : kBad) {
        Message* message = new_greeting(receiver);
        add_number(message, IPPROTO_IP, bad.type, bad.value);
        assert_refused(message, receiver);
    }
}

// --- Receiving

void a_message_that_does_not_fit_is_marked(void**) // [WSASendMsg/12]
{
    const SOCKET receiver = bound_receiver();
    assert_wsa_ok(send_blocking(udp_socket(), new_greeting(receiver)));
    Message* message = new_message();
    message->buffer.len = 3;
    DWORD received = 0;
    assert_wsa_fails(receive_into(receiver, message, &received), SOCKET_ERROR, WSAEMSGSIZE);
    assert_int_equal(received, 3);
    assert_int_equal(message->header.dwFlags & (MSG_TRUNC | MSG_CTRUNC), MSG_TRUNC);
}

void a_pending_message_that_does_not_fit_is_marked(void**) // [WSASendMsg/12]
{
    const SOCKET receiver = bound_receiver();
    const GUID guid = WSAID_WSARECVMSG;
    const auto receive = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(receiver, guid));
    Message* message = new_message();
    message->buffer.len = 3;
    Operation* operation = new_operation(new_event());
    assert_wsa_fails(receive(receiver, &message->header, nullptr, &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_wsa_ok(send_blocking(udp_socket(), new_greeting(receiver)));
    assert_int_equal(await_status(operation), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(message->header.dwFlags & (MSG_TRUNC | MSG_CTRUNC), MSG_TRUNC);
}

/// Sends a greeting from a socket of its own, bound to any address.
void send_greeting_to(const sockaddr_in& address)
{
    const SOCKET sender = udp_socket();
    set_option(sender, SOL_SOCKET, SO_BROADCAST, 1);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    assert_int_equal(sendto(sender, "hello", 5, 0, name, sizeof(address)), 5);
}

SOCKET receiver_of_all(sockaddr_in* address)
{
    const SOCKET receiver = udp_socket();
    *address = {};
    address->sin_family = AF_INET;
    assert_wsa_ok(bind(receiver, reinterpret_cast<const sockaddr*>(address), sizeof(*address)));
    address->sin_port = htons(local_port(receiver));
    limit_receives(receiver);
    return receiver;
}

void a_message_to_a_group_is_marked(void**) // [WSASendMsg/13]
{
    sockaddr_in address;
    const SOCKET receiver = receiver_of_all(&address);
    ip_mreq group {};
    group.imr_multiaddr.s_addr = htonl(0xEFFF4D4D);
    if (setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, reinterpret_cast<const char*>(&group),
            sizeof(group)))
        skip(); // no interface for groups
    address.sin_addr = group.imr_multiaddr;
    send_greeting_to(address);
    assert_int_equal(receive_message(receiver)->header.dwFlags, MSG_MCAST);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    send_greeting_to(address);
    assert_int_equal(receive_message(receiver)->header.dwFlags, 0);
}

void a_broadcast_is_marked(void**) // [WSASendMsg/13]
{
    sockaddr_in address;
    const SOCKET receiver = receiver_of_all(&address);
    address.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    send_greeting_to(address);
    assert_int_equal(receive_message(receiver)->header.dwFlags, MSG_BCAST);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    send_greeting_to(address);
    assert_int_equal(receive_message(receiver)->header.dwFlags, 0);
}

void mark_and_type_of_service_are_told_apart(void**) // [WSASendMsg/14]
{
    const SOCKET receiver = bound_receiver();
    const SOCKET sender = udp_socket();
    const auto send_and_receive = [&] {
        Message* message = new_greeting(receiver);
        add_number(message, IPPROTO_IP, IP_TOS, 0x28);
        add_number(message, IPPROTO_IP, IP_ECN, 1);
        assert_wsa_ok(send_blocking(sender, message));
        return receive_message(receiver);
    };
    set_option(receiver, IPPROTO_IP, kRecvEcn, 1);
    assert_int_equal(option(receiver, IPPROTO_IP, kRecvEcn), 1);
    assert_int_equal(option(receiver, IPPROTO_IP, IP_RECVTOS), 0);
    Message* told = send_and_receive();
    assert_int_equal(told_number(told, IPPROTO_IP, IP_ECN), 1);
    assert_null(find_control(told, IPPROTO_IP, IP_TOS));

    set_option(receiver, IPPROTO_IP, IP_RECVTOS, 1);
    told = send_and_receive();
    assert_int_equal(told_number(told, IPPROTO_IP, IP_ECN), 1);
    assert_int_equal(told_number(told, IPPROTO_IP, IP_TOS), 0x29);

    set_option(receiver, IPPROTO_IP, kRecvEcn, 0);
    told = send_and_receive();
    assert_null(find_control(told, IPPROTO_IP, IP_ECN));
    assert_int_equal(told_number(told, IPPROTO_IP, IP_TOS), 0x29);
}

void the_mark_can_be_asked_for(void**) // [WSASendMsg/15]
{
    const SOCKET socket = udp_socket();
    assert_int_equal(option(socket, IPPROTO_IP, kRecvEcn), 0);
    set_option(socket, IPPROTO_IP, kRecvEcn, 1);
    assert_int_equal(option(socket, IPPROTO_IP, kRecvEcn), 1);
}

// --- Segments

/// Receives datagrams of 100, 100 and 50 bytes.
void assert_segments_arrive(SOCKET receiver, Where where = Where::current())
{
    char buffer[512];
    for (const int expected : { 100, 100, 50 }) {
        const int received = recv(receiver, buffer, sizeof(buffer), 0);
        if (received != expected)
            fail_at(where, "%d bytes in place of %d", received, expected);
    }
}

void a_send_is_cut_into_segments(void**) // [WSASendMsg/16]
{
    const SOCKET receiver = bound_receiver();
    const SOCKET sender = udp_socket();
    assert_int_equal(option(sender, IPPROTO_UDP, kUdpSendMsgSize), 0);
    set_option(sender, IPPROTO_UDP, kUdpSendMsgSize, 100);
    assert_int_equal(option(sender, IPPROTO_UDP, kUdpSendMsgSize), 100);
    Message* message = new_greeting(receiver);
    assert_int_equal(
        sendto(sender, message->data, 250, 0, message->header.name, message->header.namelen), 250);
    assert_segments_arrive(receiver);
}

void a_message_is_cut_into_segments(void**) // [WSASendMsg/16]
{
    const SOCKET receiver = bound_receiver();
    for (const Send way : kWaysToSend) {
        Message* message = new_greeting(receiver);
        message->buffer.len = 250;
        add_number(message, IPPROTO_UDP, kUdpSendMsgSize, 100);
        assert_wsa_ok(way(udp_socket(), message));
        assert_segments_arrive(receiver);
    }
}

void segments_arrive_together(void**) // [WSASendMsg/17]
{
    const SOCKET receiver = bound_receiver();
    assert_int_equal(option(receiver, IPPROTO_UDP, kUdpRecvMaxCoalescedSize), 0);
    set_option(receiver, IPPROTO_UDP, kUdpRecvMaxCoalescedSize, 65507);
    assert_int_equal(option(receiver, IPPROTO_UDP, kUdpRecvMaxCoalescedSize), 65507);
    Message* message = new_greeting(receiver);
    message->buffer.len = 250;
    add_number(message, IPPROTO_UDP, kUdpSendMsgSize, 100);
    assert_wsa_ok(send_blocking(udp_socket(), message));
    // How many come together is the kernel's choice; a single one needs no size.
    for (DWORD left = 250; left;) {
        Message* told = receive_message(receiver);
        assert_in_range(told->buffer.len, 1, left);
        if (told->buffer.len > 100)
            assert_int_equal(told_number(told, IPPROTO_UDP, kUdpCoalescedInfo), 100);
        left -= told->buffer.len;
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(packet_info_names_the_source),
    cmocka_unit_test(packet_info_names_the_ipv6_source),
    cmocka_unit_test(an_ipv6_source_that_is_not_ours_is_refused),
    cmocka_unit_test(a_message_has_its_time_to_live),
    cmocka_unit_test(a_message_has_its_hop_limit),
    cmocka_unit_test(a_message_has_its_type_of_service),
    cmocka_unit_test(a_message_has_its_traffic_class),
    cmocka_unit_test(a_message_has_its_mark),
    cmocka_unit_test(an_ipv6_message_has_its_mark),
    cmocka_unit_test(control_messages_go_together),
    cmocka_unit_test(a_connected_socket_sends_control_data_too),
    cmocka_unit_test(unknown_control_data_are_refused),
    cmocka_unit_test(one_unknown_message_spoils_the_others),
    cmocka_unit_test(malformed_control_data_are_refused),
    cmocka_unit_test(numbers_out_of_range_are_refused),
    cmocka_unit_test(a_message_that_does_not_fit_is_marked),
    cmocka_unit_test(a_pending_message_that_does_not_fit_is_marked),
    cmocka_unit_test(a_message_to_a_group_is_marked),
    cmocka_unit_test(a_broadcast_is_marked),
    cmocka_unit_test(mark_and_type_of_service_are_told_apart),
    cmocka_unit_test(the_mark_can_be_asked_for),
    cmocka_unit_test(a_send_is_cut_into_segments),
    cmocka_unit_test(a_message_is_cut_into_segments),
    cmocka_unit_test(segments_arrive_together),
};

} // namespace

CONFORMANCE_GROUP(control_data, kCases);
